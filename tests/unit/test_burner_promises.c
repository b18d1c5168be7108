// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The burner keeps what it promises: each feature that GET CONFIGURATION lists (MMC-6 5.3) has its
 * commands and mode pages, what belongs to a feature that it has not is refused, and the commands that
 * its INQUIRY data promise (SPC-4) are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "burner_kit.h"
#include "mmc/opcode.h"
#include "mmc/profile.h"
#include "mmc/sense.h"

#define COMMANDS_MAX 10

/* The commands that MMC-6 5.3 demands with each feature, and the mode page that belongs to it (0: none). */
static const struct promise {
	uint16_t feature;
	uint8_t page;
	uint8_t commands[COMMANDS_MAX]; /* ends with TEST UNIT READY, which everybody has */
} promises[] = {
	{ XO_FEATURE_PROFILE_LIST, 0, { XO_OP_GET_CONFIGURATION } },
	{ XO_FEATURE_CORE,
	  0,
	  { XO_OP_GET_CONFIGURATION, XO_OP_GET_EVENT_STATUS, XO_OP_INQUIRY, XO_OP_MODE_SELECT_10,
	    XO_OP_MODE_SENSE_10, XO_OP_REQUEST_SENSE } },
	{ XO_FEATURE_MORPHING, 0, { XO_OP_GET_CONFIGURATION, XO_OP_GET_EVENT_STATUS } },
	{ XO_FEATURE_REMOVABLE_MEDIUM,
	  0,
	  { XO_OP_MECHANISM_STATUS, XO_OP_PREVENT_ALLOW, XO_OP_START_STOP_UNIT } },
	{ XO_FEATURE_RANDOM_READABLE,
	  XO_PAGE_READ_WRITE_ERROR_RECOVERY,
	  { XO_OP_READ_CAPACITY, XO_OP_READ_10 } },
	{ XO_FEATURE_MULTI_READ,
	  0,
	  { XO_OP_READ_10, XO_OP_READ_CD, XO_OP_READ_DISC_INFORMATION,
	    XO_OP_READ_TRACK_INFORMATION } },
	{ XO_FEATURE_CD_READ, 0, { XO_OP_READ_CD, XO_OP_READ_CD_MSF, XO_OP_READ_TOC_PMA_ATIP } },
	{ XO_FEATURE_DVD_READ,
	  0,
	  { XO_OP_READ_10, XO_OP_READ_12, XO_OP_READ_DISC_STRUCTURE, XO_OP_READ_TOC_PMA_ATIP } },
	{ XO_FEATURE_INCREMENTAL_STREAMING_WRITABLE,
	  XO_PAGE_WRITE_PARAMETERS,
	  { XO_OP_CLOSE_TRACK_SESSION, XO_OP_READ_DISC_INFORMATION, XO_OP_READ_TRACK_INFORMATION,
	    XO_OP_RESERVE_TRACK, XO_OP_SEND_OPC_INFORMATION, XO_OP_SYNCHRONIZE_CACHE,
	    XO_OP_WRITE_10 } },
	{ XO_FEATURE_DVD_PLUS_R,
	  0,
	  { XO_OP_CLOSE_TRACK_SESSION, XO_OP_READ_DISC_INFORMATION, XO_OP_READ_TRACK_INFORMATION,
	    XO_OP_RESERVE_TRACK, XO_OP_SYNCHRONIZE_CACHE, XO_OP_WRITE_10 } },
	{ XO_FEATURE_CD_TRACK_AT_ONCE,
	  XO_PAGE_WRITE_PARAMETERS,
	  { XO_OP_CLOSE_TRACK_SESSION, XO_OP_READ_DISC_INFORMATION, XO_OP_READ_TRACK_INFORMATION,
	    XO_OP_SEND_OPC_INFORMATION, XO_OP_SYNCHRONIZE_CACHE, XO_OP_WRITE_10 } },
	{ XO_FEATURE_CD_MASTERING,
	  XO_PAGE_WRITE_PARAMETERS,
	  { XO_OP_READ_DISC_INFORMATION, XO_OP_READ_TRACK_INFORMATION, XO_OP_SEND_CUE_SHEET,
	    XO_OP_SEND_OPC_INFORMATION, XO_OP_SYNCHRONIZE_CACHE, XO_OP_WRITE_10 } },
	{ XO_FEATURE_BD_R_POW,
	  0,
	  { XO_OP_FORMAT_UNIT, XO_OP_READ_DISC_INFORMATION, XO_OP_READ_TRACK_INFORMATION } },
	{ XO_FEATURE_BD_READ,
	  0,
	  { XO_OP_READ_CAPACITY, XO_OP_READ_10, XO_OP_READ_12, XO_OP_READ_DISC_STRUCTURE,
	    XO_OP_READ_TOC_PMA_ATIP } },
	{ XO_FEATURE_BD_WRITE,
	  0,
	  { XO_OP_CLOSE_TRACK_SESSION, XO_OP_FORMAT_UNIT, XO_OP_READ_FORMAT_CAPACITIES,
	    XO_OP_RESERVE_TRACK, XO_OP_SYNCHRONIZE_CACHE, XO_OP_WRITE_10,
	    XO_OP_WRITE_AND_VERIFY_10 } },
	{ XO_FEATURE_POWER_MANAGEMENT,
	  XO_PAGE_POWER_CONDITION,
	  { XO_OP_GET_EVENT_STATUS, XO_OP_START_STOP_UNIT } },
	{ XO_FEATURE_TIMEOUT, XO_PAGE_TIMEOUT_AND_PROTECT, { 0 } },
	{ XO_FEATURE_REAL_TIME_STREAMING,
	  XO_PAGE_CAPABILITIES,
	  { XO_OP_GET_PERFORMANCE, XO_OP_READ_BUFFER_CAPACITY, XO_OP_READ_12, XO_OP_SET_CD_SPEED,
	    XO_OP_SET_STREAMING, XO_OP_WRITE_12 } },
	{ XO_FEATURE_DRIVE_SERIAL_NUMBER, 0, { XO_OP_INQUIRY } },
};

static uint32_t run_zeros(struct kit *kit, uint8_t opcode)
{
	uint8_t cdb[16] = { opcode };

	return kit_run(kit, cdb, xo_opcode_find(cdb, sizeof(cdb))->cdb_len, XO_DIR_NONE, 0);
}

static const struct promise *promise_of(unsigned int feature)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(promises); i++)
		if (promises[i].feature == feature)
			return &promises[i];
	fail_msg("feature %04x: this test does not know what it promises", feature);
	abort(); /* not reached */
}

static void keeps_feature(struct kit *kit, unsigned int feature)
{
	const struct promise *promise = promise_of(feature);
	uint8_t sense[10] = { XO_OP_MODE_SENSE_10, [2] = promise->page, [8] = 255 };

	for (unsigned int n = 0; n < COMMANDS_MAX && promise->commands[n]; n++)
		if (run_zeros(kit, promise->commands[n]) == XO_SENSE_INVALID_OPCODE)
			fail_msg("feature %04x without command %02x", feature,
				 promise->commands[n]);
	if (promise->page && kit_run(kit, sense, sizeof(sense), XO_DIR_IN, 255))
		fail_msg("feature %04x without mode page %02x", feature, promise->page);
}

static void features_have_their_commands(void **state)
{
	static const unsigned int media[] = { XO_MEDIA_CD_R, XO_MEDIA_DVD_PLUS_R, XO_MEDIA_BD_R };
	uint8_t list[1024];
	struct kit kit;

	(void)state;
	for (size_t m = 0; m < XO_ARRAY_SIZE(media); m++) {
		unsigned int features = 0;
		uint32_t length;

		kit_open_with(&kit, media[m], 0);
		assert_int_equal(kit_in(&kit, "46 00 00 00 00 00 00 04 00 00", 1024), 0);
		length = xo_get_be32(kit.data) + 4;
		assert_true(length <= sizeof(list));
		memcpy(list, kit.data, length);
		for (uint32_t at = 8; at + 4 <= length; at += 4u + list[at + 3]) {
			keeps_feature(&kit, xo_get_be16(list + at));
			features++;
		}
		assert_true(features > 10);
		kit_close(&kit);
	}
}

/* Persistent is what is always current (MMC-6 5.2.2.3), with any medium and with none. */
static void what_is_persistent_is_current(void **state)
{
	static const unsigned int media[] = { XO_MEDIA_NONE, XO_MEDIA_CD_R, XO_MEDIA_DVD_PLUS_R,
					      XO_MEDIA_BD_R };
	struct kit kit;

	(void)state;
	for (size_t m = 0; m < XO_ARRAY_SIZE(media); m++) {
		uint32_t length;

		if (media[m] == XO_MEDIA_NONE)
			kit_open(&kit);
		else
			kit_open_with(&kit, media[m], 0);
		assert_int_equal(kit_in(&kit, "46 00 00 00 00 00 00 04 00 00", 1024), 0);
		length = xo_get_be32(kit.data) + 4;
		for (uint32_t at = 8; at + 4 <= length; at += 4u + kit.data[at + 3])
			if ((kit.data[at + 2] & 3) == 2)
				fail_msg("feature %04x is persistent and not current",
					 xo_get_be16(kit.data + at));
		kit_close(&kit);
	}
}

/* A drive without analogue audio (no feature 0103h) has none of its commands, nor CSS's keys (0106h). */
static void what_is_not_promised_is_refused(void **state)
{
	static const struct {
		uint16_t feature;
		uint8_t commands[COMMANDS_MAX];
	} absent[] = {
		{ XO_FEATURE_CD_AUDIO_EXTERNAL_PLAY,
		  { XO_OP_PLAY_AUDIO_10, XO_OP_PLAY_AUDIO_12, XO_OP_PLAY_AUDIO_MSF,
		    XO_OP_PAUSE_RESUME, XO_OP_STOP_PLAY_SCAN, XO_OP_SCAN, XO_OP_PLAY_CD } },
		{ XO_FEATURE_DVD_CSS, { XO_OP_REPORT_KEY, XO_OP_SEND_KEY } },
		{ XO_FEATURE_MICROCODE_UPGRADE, { XO_OP_WRITE_BUFFER } },
		{ XO_FEATURE_EMBEDDED_CHANGER, { XO_OP_LOAD_UNLOAD_MEDIUM } },
		{ XO_FEATURE_MEDIA_SERIAL_NUMBER, { XO_OP_READ_MEDIA_SERIAL } },
	};
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	for (size_t i = 0; i < XO_ARRAY_SIZE(absent); i++) {
		uint8_t cdb[10] = { XO_OP_GET_CONFIGURATION, 2, [8] = 16 };

		xo_put_be16(cdb + 2, absent[i].feature);
		assert_int_equal(kit_run(&kit, cdb, sizeof(cdb), XO_DIR_IN, 16), 0);
		assert_int_equal(xo_get_be32(kit.data), 4); /* no feature */
		for (unsigned int n = 0; n < COMMANDS_MAX && absent[i].commands[n]; n++)
			assert_int_equal(run_zeros(&kit, absent[i].commands[n]),
					 XO_SENSE_INVALID_OPCODE);
	}
	kit_close(&kit);
}

/* SPC-4 asks it of every unit that claims it, whatever the state of the medium or the unit. */
static void logical_units_are_reported(void **state)
{
	static const uint8_t one[16] = { 0, 0, 0, 8 };
	static const uint8_t none[8] = { 0 };
	struct kit kit;

	(void)state;
	kit_open(&kit); /* its unit attention stays */
	assert_int_equal(kit_in(&kit, "a0 00 00 00 00 00 00 00 10 00 00 00", 4096), 0);
	assert_int_equal(kit_moved(&kit), 16);
	assert_memory_equal(kit.data, one, sizeof(one));
	assert_int_equal(kit_in(&kit, "a0 00 02 00 00 00 00 00 00 10 00 00", 16), 0);
	assert_memory_equal(kit.data, one, sizeof(one));
	assert_int_equal(kit_in(&kit, "a0 00 01 00 00 00 00 00 00 10 00 00", 16), 0);
	assert_int_equal(kit_moved(&kit), 8);
	assert_memory_equal(kit.data, none, sizeof(none));
	assert_int_equal(kit_in(&kit, "a0 00 03 00 00 00 00 00 00 10 00 00", 16),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_in(&kit, "a0 00 00 00 00 00 00 00 00 0f 00 00", 16),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_none(&kit, "00 00 00 00 00 00"), XO_SENSE_POWER_ON_OR_RESET);
	kit_close(&kit);
}

/* One size of the buffer, wherever it is asked for; nothing behind its end. */
static void the_buffer_is_read(void **state)
{
	struct kit kit;
	uint32_t size;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_in(&kit, "5c 00 00 00 00 00 00 00 0c 00", 12), 0);
	size = xo_get_be32(kit.data + 4);
	assert_int_equal(kit_in(&kit, "5a 00 2a 00 00 00 00 00 30 00", 48), 0);
	assert_int_equal(xo_get_be16(kit.data + 8 + 12) * 1024u, size);
	assert_int_equal(kit_in(&kit, "3c 03 00 00 00 00 00 00 04 00", 4), 0);
	assert_int_equal(xo_get_be32(kit.data), size);
	/* With a head: what wodim measures the way to the drive by. */
	assert_int_equal(kit_in(&kit, "3c 00 00 00 00 00 00 f8 00 00", 0xf800), 0);
	assert_int_equal(kit_moved(&kit), 0xf800);
	assert_int_equal(xo_get_be32(kit.data), size);
	assert_int_equal(kit.data[0xf7ff], 0);
	assert_int_equal(kit_in(&kit, "3c 02 00 1f ff 00 01 00 00 00", 65536), 0);
	assert_int_equal(kit_moved(&kit), 256);
	assert_int_equal(kit_in(&kit, "3c 02 00 20 00 00 00 10 00 00", 4096), 0);
	assert_int_equal(kit_moved(&kit), 0);
	assert_int_equal(kit_in(&kit, "3c 02 00 20 00 01 00 10 00 00", 4096),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_in(&kit, "3c 00 00 00 00 01 00 10 00 00", 4096),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_in(&kit, "3c 02 01 00 00 00 00 10 00 00", 4096),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(kit_in(&kit, "3c 0a 00 00 00 00 00 10 00 00", 4096),
			 XO_SENSE_INVALID_FIELD_IN_CDB);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_have_their_commands),
		cmocka_unit_test(what_is_persistent_is_current),
		cmocka_unit_test(what_is_not_promised_is_refused),
		cmocka_unit_test(logical_units_are_reported),
		cmocka_unit_test(the_buffer_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
