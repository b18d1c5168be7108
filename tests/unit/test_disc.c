// SPDX-License-Identifier: GPL-2.0-or-later
/* Discs and their descriptions: what is printed can be read again, what is wrong is named. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "drive/disc.h"

static struct xo_disc disc, again;
static char text[XO_DISC_JSON_MAX], text2[XO_DISC_JSON_MAX];

static void every_medium_is_printed_and_read(void **state)
{
	(void)state;
	for (unsigned int media = XO_MEDIA_NONE + 1; media < XO_MEDIA_COUNT; media++) {
		char *error = NULL;
		ssize_t length;
		int r;

		r = xo_medium(media)->writable ? xo_disc_make(&disc, media, 0)
					       : xo_disc_make_image(&disc, media, 100 * 2048);
		assert_int_equal(r, 0);
		assert_ptr_equal(xo_medium_by_name(xo_medium(media)->name), xo_medium(media));
		length = xo_disc_print(&disc, text, sizeof(text));
		assert_true(length > 0);
		if (xo_disc_parse(&again, text, (size_t)length, &error))
			fail_msg("%s: %s", xo_medium(media)->name, error);
		assert_int_equal(xo_disc_print(&again, text2, sizeof(text2)), length);
		assert_string_equal(text, text2);
		assert_int_equal(xo_disc_print(&disc, text, (size_t)length), -ENOSPC);
	}
}

static void images_have_a_medium(void **state)
{
	(void)state;
	assert_int_equal(xo_disc_make_image(&disc, XO_MEDIA_NONE, 0), -EINVAL);
	assert_int_equal(xo_disc_make_image(&disc, XO_MEDIA_NONE, 2049), 0);
	assert_int_equal(disc.media, XO_MEDIA_CD_ROM);
	assert_int_equal(disc.track[0].size, 2);
	assert_int_equal(xo_disc_make_image(&disc, XO_MEDIA_NONE, 4700000000), 0);
	assert_int_equal(disc.media, XO_MEDIA_DVD_ROM);
	assert_int_equal(xo_disc_make_image(&disc, XO_MEDIA_NONE, 25000000000), 0);
	assert_int_equal(disc.media, XO_MEDIA_BD_ROM);
	assert_int_equal(xo_disc_make_image(&disc, XO_MEDIA_NONE, UINT64_MAX), -EINVAL);
	assert_int_equal(xo_disc_make(&disc, XO_MEDIA_CD_R, UINT32_MAX), -EINVAL);
	assert_int_equal(xo_disc_make(&disc, XO_MEDIA_COUNT, 0), -EINVAL);
}

#define HEAD "{\"format\":\"xenoptic-disc\",\"version\":1,\"type\":\"cd-r\",\"capacity\":359849"
#define TRACK "{\"session\":1,\"state\":\"open\",\"mode\":\"mode1\",\"start\":0,"

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *json;
		const char *says;
	} cases[] = {
		{ "", "line" },
		{ "[]", "format" },
		{ "{\"format\":\"other\"}", "not a description" },
		{ "{\"format\":\"xenoptic-disc\",\"version\":2}", "version" },
		{ "{\"format\":\"xenoptic-disc\",\"version\":1,\"type\":\"mo\"}", "medium" },
		{ "{\"format\":\"xenoptic-disc\",\"version\":1,\"type\":\"cd-r\"}", "capacity" },
		{ HEAD ",\"colour\":\"silver\"}", "colour" },
		{ HEAD ",\"capacity\":1}", "line" }, /* twice */
		{ HEAD ",\"finished\":1}", "finished" },
		{ HEAD ",\"finished\":true}", "no track" },
		{ HEAD ",\"mcn\":\"12345678901x3\"}", "MCN" },
		{ HEAD ",\"mcn\":\"12345678901234\"}", "mcn" },
		{ HEAD ",\"cd_text\":\"80\"}", "cd_text" },
		{ HEAD ",\"timing\":{\"sync\":-1}}", "sync" },
		{ HEAD ",\"tracks\":{}}", "tracks" },
		{ HEAD ",\"tracks\":[" TRACK "\"size\":1,\"written\":1,\"sector_size\":2048}]}",
		  "offset" },
		{ HEAD ",\"tracks\":[" TRACK "\"size\":1,\"written\":2,\"sector_size\":2048,"
		       "\"offset\":0}]}",
		  "beyond its size" },
		{ HEAD ",\"tracks\":[" TRACK "\"size\":400000,\"written\":400000,\"sector_size\":"
		       "2048,\"offset\":0}]}",
		  "outside" },
		{ HEAD ",\"tracks\":[" TRACK "\"size\":1,\"written\":1,\"sector_size\":2352,"
		       "\"offset\":0},"
		       "{\"session\":1,\"state\":\"open\",\"mode\":\"audio\",\"start\":300,"
		       "\"size\":0,"
		       "\"written\":0,\"sector_size\":2352,\"offset\":614400}]}",
		  "not the last" },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++) {
		char *error = NULL;

		assert_int_equal(xo_disc_parse(&disc, cases[i].json, strlen(cases[i].json), &error),
				 -EINVAL);
		if (!error || !strstr(error, cases[i].says))
			fail_msg("%s: says %s", cases[i].json, error ? error : "nothing");
		free(error);
	}
}

/* Discs of 2048-byte sectors lie in the file at LBA * 2048; others behind each other. */
static void tracks_have_their_place(void **state)
{
	(void)state;
	assert_int_equal(xo_disc_make_image(&disc, XO_MEDIA_CD_R, 1000 * 2048), 0);
	assert_int_equal(xo_disc_place(&disc, 12400), 12400 * 2048);
	disc.track[0].sector_size = 2352;
	disc.track[0].mode = XO_TRACK_AUDIO;
	assert_int_equal(xo_disc_place(&disc, 1000), 1000 * 2352);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_medium_is_printed_and_read),
		cmocka_unit_test(images_have_a_medium),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(tracks_have_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
