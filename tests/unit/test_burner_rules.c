// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What holds for commands whatever the disc: attentions, events, tray and lock,
 * the drive at work, lengths cut off, refusals, and what a client leaves behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "burner_kit.h"
#include "mmc/sense.h"

#define TUR "00 00 00 00 00 00"
#define EVENTS "4a 01 00 00 10 00 00 00 08 00" /* of the medium */
#define BLANK_CD \
	"{\"format\":\"xenoptic-disc\",\"version\":1,\"type\":\"cd-r\",\"capacity\":359849}"

static unsigned int media_event(struct kit *kit)
{
	assert_int_equal(kit_in(kit, EVENTS, 8), 0);
	assert_int_equal(kit->data[2], 4);
	return kit->data[4];
}

static void attentions_come_in_order(void **state)
{
	struct kit kit;

	(void)state;
	kit_open(&kit);
	/* INQUIRY and the like neither report nor clear one. */
	assert_int_equal(kit_in(&kit, "12 00 00 00 24 00", 36), 0);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_POWER_ON_OR_RESET);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_NO_MEDIUM_TRAY_CLOSED);
	kit_insert_json(&kit, BLANK_CD);
	assert_int_equal(media_event(&kit), 2);
	assert_int_equal(media_event(&kit), 0);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_MEDIUM_CHANGED);
	assert_int_equal(kit_none(&kit, TUR), 0);
	/* Exchanged by the host while nobody looked: empty first, then changed. */
	assert_int_equal(xo_burner_eject(kit.unit, false), 0);
	assert_true(kit.tray_open);
	kit_insert_json(&kit, BLANK_CD);
	assert_false(kit.tray_open);
	assert_int_equal(media_event(&kit), 3);
	assert_int_equal(media_event(&kit), 2);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_NO_MEDIUM_TRAY_OPEN);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_MEDIUM_CHANGED);
	assert_int_equal(kit_none(&kit, TUR), 0);
	/* Somebody looked at the empty drive: no need to pretend. */
	assert_int_equal(xo_burner_eject(kit.unit, false), 0);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_NO_MEDIUM_TRAY_OPEN);
	kit_insert_json(&kit, BLANK_CD);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_MEDIUM_CHANGED);
	assert_int_equal(kit_none(&kit, TUR), 0);
	kit_close(&kit);
}

static void the_lock_holds(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	media_event(&kit);
	assert_int_equal(kit_none(&kit, "1e 00 00 00 03 00"), XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_none(&kit, "1e 00 00 00 01 00"), 0);
	assert_int_equal(kit_none(&kit, "1b 00 00 00 02 00"), XO_SENSE_MEDIUM_REMOVAL_PREVENTED);
	assert_int_equal(xo_burner_eject(kit.unit, false), -EBUSY);
	assert_int_equal(media_event(&kit), 1); /* the button was pressed */
	assert_int_equal(kit_none(&kit, "1e 00 00 00 00 00"), 0);
	assert_int_equal(kit_none(&kit, "1b 00 00 00 02 00"), 0);
	assert_true(kit.tray_open);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_NO_MEDIUM_TRAY_OPEN);
	assert_int_equal(kit_none(&kit, "1b 00 00 00 03 00"), 0);
	assert_false(kit.tray_open);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_MEDIUM_CHANGED);
	assert_int_equal(kit_none(&kit, TUR), 0);
	assert_int_equal(kit_none(&kit, "1e 00 00 00 01 00"), 0);
	assert_int_equal(xo_burner_eject(kit.unit, true), 0);
	kit_close(&kit);
}

static void a_client_leaves_nothing(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_none(&kit, "1e 00 00 00 01 00"), 0);
	assert_int_equal(kit_write_parameters(&kit, 2, 0xc4, 8), 0);
	assert_int_equal(kit_none(&kit, "bb 00 06 e4 06 e4 00 00 00 00 00 00"), 0);
	kit.unit->ops->release(kit.unit);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_POWER_ON_OR_RESET);
	assert_int_equal(kit_none(&kit, TUR), 0);
	assert_int_equal(kit_in(&kit, "5a 00 05 00 00 00 00 00 3c 00", 60), 0);
	assert_int_equal(kit.data[8 + 2], 0x41);
	assert_int_equal(kit_none(&kit, "1b 00 00 00 02 00"), 0);
	kit_close(&kit);
}

/* An interrupted session at once cannot be gone on with: what is there is closed. */
static void a_broken_session_is_closed(void **state)
{
	static const uint8_t cue[] = {
		0x41, 0x00, 0x00, 0x14, 0, 0, 0, 0, 0x41, 0x01, 0x00, 0x10, 0, 0, 0, 0,
		0x41, 0x01, 0x01, 0x10, 0, 0, 2, 0, 0x41, 0xaa, 0x01, 0x14, 0, 0, 3, 25,
	};
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_write_parameters(&kit, 2, 0x00, 0), 0);
	assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 20 00", cue, sizeof(cue)), 0);
	for (int32_t lba = -150; lba < 50; lba += 25)
		assert_int_equal(kit_write(&kit, lba, 25, 2048, 1), 0);
	assert_int_equal(kit_none(&kit, "1b 00 00 00 02 00"), XO_SENSE_COMMAND_SEQUENCE);
	kit.unit->ops->release(kit.unit);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_POWER_ON_OR_RESET);
	assert_int_equal(kit_in(&kit, "51 00 00 00 00 00 00 00 22 00", 34), 0);
	assert_int_equal(kit.data[2] & 0x0f, 0x0e);
	kit_check_read(&kit, 0, 50, 1);
	kit_close(&kit);
}

static void work_in_the_background(void **state)
{
	struct kit kit;

	(void)state;
	kit_open(&kit);
	kit_insert_json(&kit, "{\"format\":\"xenoptic-disc\",\"version\":1,\"type\":\"dvd+r\","
			      "\"capacity\":2295104,\"timing\":{\"sync\":3600000,\"close\":3600000}"
			      "}");
	kit_none(&kit, TUR);
	assert_int_equal(kit_write(&kit, 0, 16, 2048, 1), 0);
	assert_int_equal(kit_none(&kit, "35 02 00 00 00 00 00 00 00 00"), 0);
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_LONG_WRITE_IN_PROGRESS);
	assert_int_equal(kit.command.sense[15] & 0x80, 0x80); /* progress */
	assert_int_equal(kit_write(&kit, 16, 16, 2048, 1), XO_SENSE_LONG_WRITE_IN_PROGRESS);
	/* Questions that the medium is not needed for are answered. */
	assert_int_equal(kit_in(&kit, "46 00 00 00 00 00 00 00 08 00", 8), 0);
	assert_int_equal(kit_in(&kit, "5c 00 00 00 00 00 00 00 0c 00", 12), 0);
	assert_int_equal(kit_in(&kit, "4a 01 00 00 40 00 00 00 08 00", 8), 0);
	assert_int_equal(kit.data[5], 1); /* device busy */
	assert_int_equal(kit_in(&kit, "03 00 00 00 12 00", 18), 0);
	assert_int_equal(kit.data[2], 2);
	assert_int_equal(kit.data[13], 8);
	kit_restart(&kit); /* the end of it is not forgotten */
	assert_int_equal(kit_none(&kit, TUR), XO_SENSE_LONG_WRITE_IN_PROGRESS);
	assert_int_equal(xo_burner_eject(kit.unit, false), -EBUSY);
	assert_int_equal(xo_burner_eject(kit.unit, true), 0);
	kit_close(&kit);
}

static void read_only_discs_stay(void **state)
{
	char path[] = "/tmp/burner-rules-XXXXXX";
	char *error = NULL;
	struct kit kit;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 100 * 2048), 0);
	close(fd);
	kit_open(&kit);
	kit.fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	/* Without a description it is an ISO: nothing can be written to such a medium. */
	assert_int_equal(xo_burner_insert(kit.unit, dup(kit.fd), NULL, 0, false, &error), 0);
	kit_none(&kit, TUR);
	assert_int_equal(kit_write(&kit, 0, 1, 2048, 1), XO_SENSE_CANNOT_WRITE_INCOMPATIBLE_FORMAT);
	assert_int_equal(kit_in(&kit, "25 00 00 00 00 00 00 00 00 00", 8), 0);
	assert_int_equal(xo_get_be32(kit.data), 99);
	assert_int_equal(xo_burner_eject(kit.unit, false), 0);
	kit_none(&kit, TUR);
	/* A blank on a descriptor that cannot be written. */
	assert_int_equal(xo_burner_insert(kit.unit, dup(kit.fd), BLANK_CD, strlen(BLANK_CD), false,
					  &error),
			 0);
	kit_none(&kit, TUR);
	assert_int_equal(kit_write(&kit, 0, 1, 2048, 1), XO_SENSE_WRITE_PROTECTED);
	assert_int_equal(kit_none(&kit, "5b 00 02 00 00 00 00 00 00 00"), XO_SENSE_WRITE_PROTECTED);
	kit_close(&kit);
}

/* No profile of the list fits them: they do not come in at all. */
static void other_blanks_stay_out(void **state)
{
	static const char dvd_ram[] = "{\"format\":\"xenoptic-disc\",\"version\":1,\"type\":\"dvd-"
				      "ram\",\"capacity\":2236704}";
	char path[] = "/tmp/burner-rules-XXXXXX";
	char *error = NULL;
	struct kit kit;

	(void)state;
	kit_open(&kit);
	kit.fd = mkstemp(path);
	unlink(path);
	assert_int_equal(xo_burner_insert(kit.unit, dup(kit.fd), dvd_ram, strlen(dvd_ram), false,
					  &error),
			 -EINVAL);
	assert_non_null(error);
	free(error);
	assert_false(xo_burner_loaded(kit.unit));
	kit_close(&kit);
}

static void unknown_is_refused(void **state)
{
	static const uint8_t unknown[] = { 0x01, 0x3b, 0x44, 0xa3, 0xa4,
					   0xa6, 0xab, 0xc0, 0xd8, 0xff };
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	for (size_t i = 0; i < XO_ARRAY_SIZE(unknown); i++) {
		uint8_t cdb[12] = { unknown[i] };

		assert_int_equal(kit_run(&kit, cdb, 12, XO_DIR_NONE, 0), XO_SENSE_INVALID_OPCODE);
	}
	/* A reserved bit, and where it is. */
	assert_int_equal(kit_in(&kit, "25 00 00 00 00 00 80 00 00 00", 8),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit.command.sense[15], 0xcf);
	assert_int_equal(xo_get_be16(kit.command.sense + 16), 6);
	/* A LUN, as SCSI-2 had it, does no harm; nor does a TOC format in the last byte. */
	assert_int_equal(kit_in(&kit, "25 e0 00 00 00 00 00 00 00 00", 8), 0);
	/* A CDB that is too short. */
	assert_int_equal(kit_in(&kit, "25 00 00 00 00 00", 8), XO_SENSE_INVALID_FIELD_IN_CDB);
	/* Data that the client does not offer, or in the other direction. */
	assert_int_equal(kit_none(&kit, "12 00 00 00 24 00"), 0);
	assert_int_equal(kit_none(&kit, "2a 00 00 00 00 00 00 00 01 00"),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_in(&kit, "2a 00 00 00 00 00 00 00 01 00", 2048),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_in(&kit, "55 10 00 00 00 00 00 00 3c 00", 60),
			 XO_SENSE_PARAMETER_LIST_LENGTH);
	kit_close(&kit);
}

/* Every answer is cut at the allocation length, and nowhere else. */
static void allocation_lengths_cut(void **state)
{
	static const struct {
		const char *cdb;
		unsigned int at; /* of the allocation length */
		unsigned int width;
	} commands[] = {
		{ "12 00 00 00 00 00", 3, 2 },
		{ "12 01 83 00 00 00", 3, 2 },
		{ "03 00 00 00 00 00", 4, 1 },
		{ "5a 00 3f 00 00 00 00 00 00 00", 7, 2 },
		{ "1a 00 2a 00 00 00", 4, 1 },
		{ "46 00 00 00 00 00 00 00 00 00", 7, 2 },
		{ "51 00 00 00 00 00 00 00 00 00", 7, 2 },
		{ "52 01 00 00 00 01 00 00 00 00", 7, 2 },
		{ "43 00 04 00 00 00 00 00 00 00", 7, 2 },
		{ "23 00 00 00 00 00 00 00 00 00", 7, 2 },
		{ "5c 00 00 00 00 00 00 00 00 00", 7, 2 },
		{ "bd 00 00 00 00 00 00 00 00 00 00 00", 8, 2 },
	};
	uint8_t whole[1024];
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++) {
		uint8_t cdb[16] = { 0 };
		size_t n = 0;
		uint32_t all;

		for (const char *t = commands[i].cdb; *t; t += t[2] ? 3 : 2)
			cdb[n++] = (uint8_t)strtoul(t, NULL, 16);
		memset(cdb + commands[i].at, commands[i].width == 2 ? 0x03 : 0xff, 1);
		assert_int_equal(kit_run(&kit, cdb, n, XO_DIR_IN, sizeof(whole)), 0);
		all = kit_moved(&kit);
		assert_true(all > 4);
		memcpy(whole, kit.data, all);
		for (uint32_t length = 0; length <= all + 1; length++) {
			if (commands[i].width == 2)
				xo_put_be16(cdb + commands[i].at, length);
			else
				cdb[commands[i].at] = (uint8_t)length;
			memset(kit.data, 0xaa, sizeof(whole));
			assert_int_equal(kit_run(&kit, cdb, n, XO_DIR_IN, sizeof(whole)), 0);
			assert_int_equal(kit_moved(&kit), XO_MIN(length, all));
			assert_memory_equal(kit.data, whole, XO_MIN(length, all));
			assert_int_equal(kit.data[XO_MIN(length, all)], 0xaa);
		}
	}
	kit_close(&kit);
}

static void mode_pages_are_judged(void **state)
{
	static const struct {
		unsigned int write_type, track_mode, block_type;
		uint32_t sense;
	} cases[] = {
		{ 1, 0x04, 8, 0 },
		{ 1, 0x00, 0, 0 },
		{ 1, 0xc4, 10, 0 },
		{ 1, 0x04, 1, XO_SENSE_INVALID_FIELD_IN_PARAMETERS },
		{ 1, 0x00, 8, XO_SENSE_INVALID_FIELD_IN_PARAMETERS },
		{ 1, 0x84, 8, XO_SENSE_INVALID_FIELD_IN_PARAMETERS },
		{ 2, 0x00, 0, 0 },
		{ 0, 0x25, 8, XO_SENSE_INVALID_FIELD_IN_PARAMETERS }, /* packets */
		{ 3, 0x04, 3, XO_SENSE_INVALID_FIELD_IN_PARAMETERS }, /* raw */
		{ 7, 0x04, 8, XO_SENSE_INVALID_FIELD_IN_PARAMETERS },
	};
	uint8_t page[60];
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++)
		assert_int_equal(kit_write_parameters(&kit, cases[i].write_type,
						      cases[i].track_mode, cases[i].block_type),
				 cases[i].sense);
	/* What is refused leaves the page as it was, also when another page was right. */
	assert_int_equal(kit_write_parameters(&kit, 1, 0x04, 8), 0);
	assert_int_equal(kit_in(&kit, "5a 00 05 00 00 00 00 00 3c 00", 60), 0);
	memcpy(page, kit.data, sizeof(page));
	assert_int_equal(kit_write_parameters(&kit, 3, 0x04, 3),
			 XO_SENSE_INVALID_FIELD_IN_PARAMETERS);
	assert_int_equal(kit_in(&kit, "5a 00 05 00 00 00 00 00 3c 00", 60), 0);
	assert_memory_equal(page, kit.data, sizeof(page));
	/* Changeable, default, saved. */
	assert_int_equal(kit_in(&kit, "5a 00 45 00 00 00 00 00 3c 00", 60), 0);
	assert_int_equal(kit.data[8 + 2], 0x7f);
	assert_int_equal(kit_in(&kit, "5a 00 85 00 00 00 00 00 3c 00", 60), 0);
	assert_int_equal(kit.data[8 + 2], 0x41);
	assert_int_equal(kit_in(&kit, "5a 00 c5 00 00 00 00 00 3c 00", 60),
			 XO_SENSE_SAVING_NOT_SUPPORTED);
	assert_int_equal(kit_in(&kit, "5a 00 30 00 00 00 00 00 3c 00", 60),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	/* Lists that end in the middle of a page. */
	for (uint32_t length = 1; length < sizeof(page); length++) {
		uint8_t cdb[10] = { 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)length };

		memset(kit.data, 0, 60);
		memcpy(kit.data + 8, page + 8, 52);
		assert_int_equal(kit_run(&kit, cdb, 10, XO_DIR_OUT, length),
				 length == 8 ? 0 : XO_SENSE_PARAMETER_LIST_LENGTH);
	}
	kit_close(&kit);
}

static void test_writes_leave_no_trace(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_write_parameters(&kit, 0x11, 0x04, 8), 0);
	assert_int_equal(kit_write(&kit, 0, 20, 2048, 1), 0);
	assert_int_equal(kit_write(&kit, 0, 20, 2048, 1), XO_SENSE_INVALID_WRITE_ADDRESS);
	assert_int_equal(kit_write(&kit, 20, 20, 2048, 1), 0);
	assert_int_equal(kit_none(&kit, "35 00 00 00 00 00 00 00 00 00"), 0);
	assert_int_equal(kit_none(&kit, "5b 00 02 00 00 00 00 00 00 00"), 0);
	assert_int_equal(kit_in(&kit, "51 00 00 00 00 00 00 00 22 00", 34), 0);
	assert_int_equal(kit.data[2] & 3, 0);
	assert_int_equal(lseek(kit.fd, 0, SEEK_END), 0);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attentions_come_in_order),
		cmocka_unit_test(the_lock_holds),
		cmocka_unit_test(a_client_leaves_nothing),
		cmocka_unit_test(a_broken_session_is_closed),
		cmocka_unit_test(work_in_the_background),
		cmocka_unit_test(read_only_discs_stay),
		cmocka_unit_test(other_blanks_stay_out),
		cmocka_unit_test(unknown_is_refused),
		cmocka_unit_test(allocation_lengths_cut),
		cmocka_unit_test(mode_pages_are_judged),
		cmocka_unit_test(test_writes_leave_no_trace),
	};
	int failed = cmocka_run_group_tests_name("undisturbed", tests, NULL, NULL);

	kit_killing = true;
	return failed + cmocka_run_group_tests_name("killed at every command", tests, NULL, NULL);
}
