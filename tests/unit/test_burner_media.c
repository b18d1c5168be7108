// SPDX-License-Identifier: GPL-2.0-or-later
/* Each kind of recording on each kind of medium: burned, read back, and told truthfully. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "burner_kit.h"
#include "mmc/sense.h"

#define SYNC "35 00 00 00 00 00 00 00 00 00"
#define CLOSE_SESSION "5b 00 02 00 00 00 00 00 00 00"

static void check_capacity(struct kit *kit, uint32_t last)
{
	assert_int_equal(kit_in(kit, "25 00 00 00 00 00 00 00 00 00", 8), 0);
	assert_int_equal(xo_get_be32(kit->data), last);
	assert_int_equal(xo_get_be32(kit->data + 4), 2048);
}

static unsigned int disc_status(struct kit *kit)
{
	assert_int_equal(kit_in(kit, "51 00 00 00 00 00 00 00 22 00", 34), 0);
	return kit->data[2] & 0x0f;
}

static uint32_t next_writable(struct kit *kit)
{
	assert_int_equal(kit_in(kit, "52 01 00 00 00 ff 00 00 30 00", 48), 0);
	assert_true(kit->data[7] & 1);
	return xo_get_be32(kit->data + 12);
}

static void check_file(struct kit *kit, uint64_t offset, int32_t lba, uint32_t block,
		       unsigned int seed)
{
	uint8_t expected[2448];
	uint8_t found[2448];

	kit_block(expected, block, lba, seed);
	assert_int_equal(pread(kit->fd, found, block, (off_t)offset), block);
	assert_memory_equal(found, expected, block);
}

static void cd_tao_multisession(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(disc_status(&kit), 0);
	check_capacity(&kit, 0);
	assert_int_equal(kit_write_parameters(&kit, 1, 0xc4, 8), 0);
	assert_int_equal(next_writable(&kit), 0);
	assert_int_equal(kit_write(&kit, 0, 16, 2048, 1), 0);
	assert_int_equal(kit_write(&kit, 16, 5, 2048, 1), 0);
	/* An address that was written, and one too far. */
	assert_int_equal(kit_write(&kit, 16, 1, 2048, 1), XO_SENSE_INVALID_WRITE_ADDRESS);
	assert_int_equal(kit_write(&kit, 22, 1, 2048, 1), XO_SENSE_INVALID_WRITE_ADDRESS);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	assert_int_equal(kit_none(&kit, CLOSE_SESSION), 0);
	assert_int_equal(disc_status(&kit), 1);
	check_capacity(&kit, 20);
	kit_check_read(&kit, 0, 21, 1);
	assert_int_equal(next_writable(&kit), 21 + 11400);
	assert_int_equal(kit_write_parameters(&kit, 1, 0x04, 8), 0);
	assert_int_equal(kit_write(&kit, 21 + 11400, 20, 2048, 2), 0);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	assert_int_equal(kit_none(&kit, CLOSE_SESSION), 0);
	assert_int_equal(disc_status(&kit), 0x0e);
	kit_check_read(&kit, 21 + 11400, 20, 2);
	check_file(&kit, (uint64_t)(21 + 11400) * 2048, 21 + 11400, 2048, 2);
	/* Between the sessions there is nothing. */
	assert_int_equal(kit_in(&kit, "28 00 00 00 00 40 00 00 01 00", 2048),
			 XO_SENSE_NO_SEEK_COMPLETE);
	assert_int_equal(kit_write(&kit, 11441, 1, 2048, 1), XO_SENSE_END_OF_USER_AREA);
	kit_close(&kit);
}

/* The host gets the description whenever a disc has changed for good, and not at every block. */
static void descriptions_are_saved(void **state)
{
	struct kit kit;
	unsigned int saves;
	char closed[40];

	(void)state;
	kit_open_with(&kit, XO_MEDIA_DVD_PLUS_R, 0);
	assert_int_equal(kit.saves, 0);
	for (uint32_t session = 0; session < 5; session++) {
		uint32_t start = next_writable(&kit);

		assert_int_equal(kit_write(&kit, (int32_t)start, 16, 2048, session), 0);
		saves = kit.saves;
		assert_int_equal(kit_write(&kit, (int32_t)start + 16, 16, 2048, session), 0);
		assert_int_equal(kit.saves, saves);
		assert_int_equal(kit_none(&kit, SYNC), 0);
		assert_true(kit.saves > saves);
		saves = kit.saves;
		assert_int_equal(kit_none(&kit, CLOSE_SESSION), 0);
		assert_true(kit.saves > saves);
		snprintf(closed, sizeof(closed), "\"sessions_closed\": %u,", session + 1);
		assert_non_null(strstr(kit.json, closed));
	}
	saves = kit.saves;
	assert_int_equal(kit_in(&kit, "51 00 00 00 00 00 00 00 22 00", 34), 0);
	assert_int_equal(kit.saves, saves);
	kit_close(&kit);
}

static void cd_sao_is_the_iso(void **state)
{
	/* As wodim sends it for 100 blocks: lead-in, pause, track, lead-out at 00:03:25. */
	static const uint8_t cue[] = {
		0x41, 0x00, 0x00, 0x14, 0, 0, 0, 0, 0x41, 0x01, 0x00, 0x10, 0, 0, 0, 0,
		0x41, 0x01, 0x01, 0x10, 0, 0, 2, 0, 0x41, 0xaa, 0x01, 0x14, 0, 0, 3, 25,
	};
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_write_parameters(&kit, 2, 0x00, 0), 0);
	assert_int_equal((int32_t)next_writable(&kit), -150);
	assert_int_equal(kit_write(&kit, -150, 16, 2048, 1), XO_SENSE_COMMAND_SEQUENCE);
	assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 20 00", cue, sizeof(cue)), 0);
	assert_int_equal(kit_write(&kit, 0, 16, 2048, 1), XO_SENSE_INVALID_WRITE_ADDRESS);
	for (int32_t lba = -150; lba < 100; lba += 25)
		assert_int_equal(kit_write(&kit, lba, 25, 2048, 1), 0);
	assert_int_equal(kit_write(&kit, 100, 1, 2048, 1), XO_SENSE_LBA_OUT_OF_RANGE);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	assert_int_equal(disc_status(&kit), 0x0e);
	check_capacity(&kit, 99);
	kit_check_read(&kit, 0, 100, 1);
	for (int32_t lba = 0; lba < 100; lba++)
		check_file(&kit, (uint64_t)lba * 2048, lba, 2048, 1);
	assert_int_equal(lseek(kit.fd, 0, SEEK_END), 100 * 2048);
	kit_close(&kit);
}

static void cd_audio_by_read_cd(void **state)
{
	/* Two tracks; the second one's pause is data of the host's, too. */
	static const uint8_t cue[] = {
		0x01, 0x00, 0x00, 0x01, 0, 0, 0, 0, 0x01, 0x01, 0x00, 0x00, 0, 0, 0,  0,
		0x01, 0x01, 0x01, 0x00, 0, 0, 2, 0, 0x01, 0x02, 0x00, 0x00, 0, 0, 6,  0,
		0x01, 0x02, 0x01, 0x00, 0, 0, 7, 0, 0x01, 0xaa, 0x01, 0x01, 0, 0, 12, 0,
	};
	uint8_t expected[2352];
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_write_parameters(&kit, 2, 0x00, 0), 0);
	assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 30 00", cue, sizeof(cue)), 0);
	for (int32_t lba = -150; lba < 750; lba += 25)
		assert_int_equal(kit_write(&kit, lba, 25, 2352, 3), 0);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	/* Track 2 starts at 00:07:00. */
	assert_int_equal(kit_in(&kit, "43 00 00 00 00 00 01 00 40 00", 64), 0);
	assert_int_equal(xo_get_be16(kit.data), 2 + 3 * 8);
	assert_int_equal(xo_get_be32(kit.data + 4 + 4), 0);
	assert_int_equal(xo_get_be32(kit.data + 12 + 4), 375);
	assert_int_equal(xo_get_be32(kit.data + 20 + 4), 750);
	assert_int_equal(kit_in(&kit, "28 00 00 00 00 00 00 00 01 00", 2048),
			 XO_SENSE_ILLEGAL_MODE_FOR_TRACK);
	for (int32_t lba = 0; lba < 750; lba += 15) {
		uint8_t cdb[12] = { 0xbe, 0x04, 0, 0, 0, 0, 0, 0, 15, 0x10 };

		xo_put_be32(cdb + 2, (uint32_t)lba);
		assert_int_equal(kit_run(&kit, cdb, 12, XO_DIR_IN, 15 * 2352), 0);
		assert_int_equal(kit_moved(&kit), 15 * 2352);
		for (int32_t i = 0; i < 15; i++) {
			kit_block(expected, 2352, lba + i, 3);
			assert_memory_equal(kit.data + (size_t)i * 2352, expected, 2352);
		}
	}
	kit_close(&kit);
}

static void dvd_reserved_and_sessions(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_DVD_PLUS_R, 0);
	assert_int_equal(kit_none(&kit, "53 00 00 00 00 00 00 00 29 00"), 0); /* 41, so 48 */
	assert_int_equal(next_writable(&kit), 48);
	assert_int_equal(kit_write(&kit, 0, 41, 2048, 1), 0);
	assert_int_equal(kit_none(&kit, CLOSE_SESSION), XO_SENSE_EMPTY_OR_PARTIAL_RESERVED_TRACK);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	assert_int_equal(kit_none(&kit, "5b 00 01 00 00 01 00 00 00 00"), 0);
	check_capacity(&kit, 0); /* its session is not closed */
	assert_int_equal(kit_none(&kit, CLOSE_SESSION), 0);
	assert_int_equal(disc_status(&kit), 1);
	check_capacity(&kit, 47);
	assert_int_equal(next_writable(&kit), 48 + 2048);
	assert_int_equal(kit_write(&kit, 48 + 2048, 16, 2048, 2), 0);
	assert_int_equal(kit_none(&kit, "5b 00 06 00 00 00 00 00 00 00"), 0);
	assert_int_equal(disc_status(&kit), 0x0e);
	kit_check_read(&kit, 0, 41, 1);
	kit_check_read(&kit, 48 + 2048, 16, 2);
	kit_close(&kit);
}

static void bd_appends_tracks(void **state)
{
	static const uint8_t format[] = {
		0, 2, 0, 8, 0x00, 0xb4, 0x74, 0x00, 0xc9, 0, 0, 0
	}; /* no POW */
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_BD_R, 0);
	assert_int_equal(kit_out(&kit, "04 11 00 00 00 00", format, sizeof(format)), 0);
	assert_int_equal(next_writable(&kit), 0);
	assert_int_equal(kit_write(&kit, 0, 33, 2048, 1), 0);
	assert_int_equal(kit_none(&kit, "5b 00 01 00 00 01 00 00 00 00"), 0);
	check_capacity(&kit, 63); /* readable though the session is open */
	assert_int_equal(next_writable(&kit), 64);
	assert_int_equal(kit_write(&kit, 64, 32, 2048, 2), 0);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	assert_int_equal(kit_none(&kit, "5b 00 06 00 00 00 00 00 00 00"), 0);
	assert_int_equal(disc_status(&kit), 0x0e);
	kit_check_read(&kit, 0, 33, 1);
	kit_check_read(&kit, 64, 32, 2);
	assert_int_equal(kit_write(&kit, 96, 1, 2048, 1), XO_SENSE_END_OF_USER_AREA);
	kit_close(&kit);
}

static void bd_pseudo_overwrite(void **state)
{
	static const uint8_t format[] = { 0, 2, 0, 8, 0x00, 0xb4, 0x74, 0x00, 0x00, 0, 0, 0 };
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_BD_R, 0);
	assert_int_equal(kit_write(&kit, 0, 32, 2048, 1), 0);
	assert_int_equal(kit_write(&kit, 16, 16, 2048, 2), XO_SENSE_INVALID_WRITE_ADDRESS);
	kit_close(&kit);
	kit_open_with(&kit, XO_MEDIA_BD_R, 0);
	assert_int_equal(kit_out(&kit, "04 11 00 00 00 00", format, sizeof(format)), 0);
	assert_int_equal(kit_write(&kit, 0, 64, 2048, 1), 0);
	assert_int_equal(kit_none(&kit, "5b 00 01 00 00 01 00 00 00 00"), 0);
	assert_int_equal(kit_write(&kit, 16, 16, 2048, 2), 0);
	assert_int_equal(next_writable(&kit), 64);
	kit_check_read(&kit, 0, 16, 1);
	kit_check_read(&kit, 16, 16, 2);
	kit_check_read(&kit, 32, 32, 1);
	kit_close(&kit);
}

/* The host is given a description when it has changed, once: not at each command after. */
static void saved_once(void **state)
{
	/* When it is killed, the command is carried out twice, and what it undid was told, too. */
	unsigned int once = kit_killing ? 2 : 1;
	struct kit kit;
	unsigned int saves;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_BD_R, 0);
	assert_int_equal(kit_write(&kit, 0, 16, 2048, 1), 0); /* begins a track */
	saves = kit.saves;
	for (int32_t lba = 16; lba < 160; lba += 16) {
		assert_int_equal(kit_write(&kit, lba, 16, 2048, 1), 0);
		assert_int_equal(kit_none(&kit, "00 00 00 00 00 00"), 0);
	}
	assert_int_equal(kit.saves, saves);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	assert_int_equal(kit.saves, saves + once);
	assert_int_equal(kit_none(&kit, "00 00 00 00 00 00"), 0);
	assert_int_equal(kit_none(&kit, "00 00 00 00 00 00"), 0);
	assert_int_equal(kit.saves, saves + once);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cd_tao_multisession),
		cmocka_unit_test(descriptions_are_saved),
		cmocka_unit_test(cd_sao_is_the_iso),
		cmocka_unit_test(cd_audio_by_read_cd),
		cmocka_unit_test(dvd_reserved_and_sessions),
		cmocka_unit_test(bd_appends_tracks),
		cmocka_unit_test(bd_pseudo_overwrite),
		cmocka_unit_test(saved_once),
	};

	int failed = cmocka_run_group_tests_name("undisturbed", tests, NULL, NULL);

	kit_killing = true;
	return failed + cmocka_run_group_tests_name("killed at every command", tests, NULL, NULL);
}
