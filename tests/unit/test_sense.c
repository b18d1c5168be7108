/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sense data: what is built is what SPC-4 says and what libsgutils2 reads; both formats parse. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <scsi/sg_lib.h>

#include "mmc/profile.h"
#include "mmc/sense.h"

static void fixed_bytes(void **state)
{
	static const uint8_t wanted[XO_SENSE_FIXED_LEN] = {
		0xf0, 0, 0x05, 0, 0, 0x12, 0x34, 10, 0, 0, 0, 0, 0x21, 0x02, 0, 0, 0, 0,
	};
	struct xo_sense sense = xo_sense_make(XO_SENSE_INVALID_WRITE_ADDRESS);
	uint8_t buf[XO_SENSE_FIXED_LEN];

	(void)state;
	sense.has_information = true;
	sense.information = 0x1234;
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(sizeof(wanted), xo_sense_build(&sense, false, buf, sizeof(buf)));
	assert_memory_equal(wanted, buf, sizeof(wanted));
}

static void libsgutils_reads_ours(void **state)
{
	struct xo_sense sense = xo_sense_make(XO_SENSE_LONG_WRITE_IN_PROGRESS);

	(void)state;
	sense.has_progress = true;
	sense.progress = 0x8000;
	sense.has_information = true;
	sense.information = 77;
	for (int descriptor = 0; descriptor < 2; descriptor++) {
		struct sg_scsi_sense_hdr header;
		uint8_t buf[64];
		uint64_t information = 0;
		int progress = 0;
		size_t len = xo_sense_build(&sense, descriptor, buf, sizeof(buf));

		assert_true(sg_scsi_normalize_sense(buf, (int)len, &header));
		assert_int_equal(descriptor ? 0x72 : 0x70, header.response_code);
		assert_int_equal(XO_KEY_NOT_READY, header.sense_key);
		assert_int_equal(0x04, header.asc);
		assert_int_equal(0x08, header.ascq);
		assert_true(sg_get_sense_progress_fld(buf, (int)len, &progress));
		assert_int_equal(0x8000, progress);
		assert_true(sg_get_sense_info_fld(buf, (int)len, &information));
		assert_int_equal(77, information);
	}
}

static void assert_same(const struct xo_sense *a, const struct xo_sense *b)
{
	assert_int_equal(xo_sense_kcq(a), xo_sense_kcq(b));
	assert_int_equal(a->deferred, b->deferred);
	assert_int_equal(a->ili, b->ili);
	assert_int_equal(a->has_information, b->has_information);
	assert_int_equal(a->information, b->information);
	assert_int_equal(a->has_progress, b->has_progress);
	assert_int_equal(a->progress, b->progress);
	assert_int_equal(a->has_field, b->has_field);
	assert_int_equal(a->field_in_cdb, b->field_in_cdb);
	assert_int_equal(a->field, b->field);
	assert_int_equal(a->has_bit, b->has_bit);
	assert_int_equal(a->bit, b->bit);
}

static void both_formats_round_trip(void **state)
{
	struct xo_sense cases[] = {
		xo_sense_make(XO_SENSE_NONE),
		xo_sense_make(XO_SENSE_INVALID_FIELD_IN_CDB),
		xo_sense_make(XO_SENSE_OPERATION_IN_PROGRESS),
		xo_sense_make(XO_SENSE_UNRECOVERED_READ),
		xo_sense_make(XO_SENSE_WRITE_PROTECTED),
	};

	(void)state;
	cases[1].has_field = true;
	cases[1].field_in_cdb = true;
	cases[1].has_bit = true;
	cases[1].bit = 5;
	cases[1].field = 258;
	cases[2].has_progress = true;
	cases[2].progress = 0xfffe;
	cases[3].has_information = true;
	cases[3].information = 0xfffffff0;
	cases[3].deferred = true;
	cases[4].ili = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int descriptor = 0; descriptor < 2; descriptor++) {
			struct xo_sense back;
			uint8_t buf[64];
			size_t len = xo_sense_build(&cases[i], descriptor, buf, sizeof(buf));

			memset(&back, 0xff, sizeof(back));
			assert_int_equal(0, xo_sense_parse(buf, len, &back));
			assert_same(&cases[i], &back);
		}
	}
}

/* An allocation length cuts sense off anywhere; nothing behind it is read or invented. */
static void short_sense_is_parsed(void **state)
{
	const uint8_t fixed[] = { 0x70, 0, 0x02, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x3a, 0x01, 0, 0xff };
	const uint8_t descriptor[] = { 0x72, 0x02, 0x3a, 0x01, 0, 0, 0, 0xff, 0x00, 0x0a, 0x80 };
	struct xo_sense sense;

	(void)state;
	assert_int_equal(-EINVAL, xo_sense_parse(fixed, 0, &sense));
	for (size_t len = 1; len <= sizeof(fixed); len++) {
		assert_int_equal(0, xo_sense_parse(fixed, len, &sense));
		assert_int_equal(len > 2 ? 2 : 0, sense.key);
		assert_int_equal(len > 12 ? 0x3a : 0, sense.asc);
		assert_int_equal(len > 13 ? 0x01 : 0, sense.ascq);
		assert_false(sense.has_information);
	}
	for (size_t len = 1; len <= sizeof(descriptor); len++) {
		assert_int_equal(0, xo_sense_parse(descriptor, len, &sense));
		assert_int_equal(len > 2 ? 0x3a : 0, sense.asc);
		assert_false(sense.has_information);
	}
}

static void additional_length_bounds_fixed_sense(void **state)
{
	/* Additional length 4: the ASC that follows is left over from something else. */
	const uint8_t buf[18] = { 0x70, 0, 0x02, [7] = 4, [12] = 0x3a, [13] = 0x02, [15] = 0x80 };
	struct xo_sense sense;

	(void)state;
	assert_int_equal(0, xo_sense_parse(buf, sizeof(buf), &sense));
	assert_int_equal(0, sense.asc);
	assert_false(sense.has_progress);
}

static void other_data_is_no_sense(void **state)
{
	const uint8_t zero[18] = { 0 }, vendor[18] = { 0x7f }, inquiry[18] = { 0x05, 0x80 };
	struct xo_sense sense;

	(void)state;
	assert_int_equal(-EINVAL, xo_sense_parse(zero, sizeof(zero), &sense));
	assert_int_equal(-EINVAL, xo_sense_parse(vendor, sizeof(vendor), &sense));
	assert_int_equal(-EINVAL, xo_sense_parse(inquiry, sizeof(inquiry), &sense));
}

static void building_truncates(void **state)
{
	struct xo_sense sense = xo_sense_make(XO_SENSE_NO_MEDIUM);
	uint8_t buf[XO_SENSE_FIXED_LEN];

	(void)state;
	memset(buf, 0xaa, sizeof(buf));
	assert_int_equal(4, xo_sense_build(&sense, false, buf, 4));
	assert_int_equal(0x70, buf[0]);
	assert_int_equal(0xaa, buf[4]);
	assert_int_equal(0, xo_sense_build(&sense, false, NULL, 0));
	/* 33 bits of information do not go into fixed format. */
	sense.has_information = true;
	sense.information = 1ull << 32;
	assert_int_equal(18, xo_sense_build(&sense, false, buf, sizeof(buf)));
	assert_int_equal(0x70, buf[0]);
}

static void sense_has_names(void **state)
{
	struct xo_sense sense = xo_sense_make(XO_SENSE_INVALID_FIELD_IN_CDB);
	char text[160], small[8];

	(void)state;
	assert_int_equal(0x052400, xo_sense_kcq(&sense));
	assert_true(xo_sense_text(&sense, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "Invalid field in cdb"));
	assert_non_null(strstr(text, "(05/24/00)"));
	assert_int_equal(strlen(text), (size_t)xo_sense_text(&sense, small, sizeof(small)));
	assert_int_equal('\0', small[7]);
}

static void profiles_and_features_have_names(void **state)
{
	(void)state;
	assert_string_equal("CD-R", xo_profile_name(XO_PROFILE_CD_R));
	assert_string_equal("BD-R sequential recording", xo_profile_name(0x41));
	assert_string_equal("no current profile", xo_profile_name(0));
	assert_string_equal("reserved", xo_profile_name(0x7777));
	assert_string_equal("CD Mastering", xo_feature_name(XO_FEATURE_CD_MASTERING));
	assert_string_equal("reserved", xo_feature_name(0x0999));
	assert_string_equal("vendor specific", xo_feature_name(0xff10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_bytes),
		cmocka_unit_test(libsgutils_reads_ours),
		cmocka_unit_test(both_formats_round_trip),
		cmocka_unit_test(short_sense_is_parsed),
		cmocka_unit_test(additional_length_bounds_fixed_sense),
		cmocka_unit_test(other_data_is_no_sense),
		cmocka_unit_test(building_truncates),
		cmocka_unit_test(sense_has_names),
		cmocka_unit_test(profiles_and_features_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
