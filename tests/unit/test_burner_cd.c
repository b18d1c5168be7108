// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a CD has that no other disc has: whole sectors with sync, header, EDC and ECC,
 * subchannels, catalogue numbers, CD-TEXT, cue sheets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "burner_kit.h"
#include "mmc/cdb.h"
#include "mmc/sense.h"

#define SYNC "35 00 00 00 00 00 00 00 00 00"

/* The EDC by its definition: the remainder of a long division, bit by bit (ECMA-130 14.3). */
static uint32_t edc_by_division(const uint8_t *data, size_t length)
{
	const uint64_t polynomial = 0x18001801bull; /* x^32+x^31+x^16+x^15+x^4+x^3+x+1 */
	uint64_t remainder = 0;
	uint32_t reversed = 0;

	for (size_t bit = 0; bit < 8 * length + 32; bit++) {
		unsigned int next = bit < 8 * length ? data[bit / 8] >> (bit % 8) & 1 : 0;

		remainder = remainder << 1 | next;
		if (remainder >> 32)
			remainder ^= polynomial;
	}
	for (unsigned int bit = 0; bit < 32; bit++)
		reversed |= (uint32_t)(remainder >> bit & 1) << (31 - bit);
	return reversed;
}

static uint8_t gf_times(uint8_t a, unsigned int power)
{
	while (power--)
		a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x11d : 0));
	return a;
}

/* Each code vector's two parity checks are zero (ECMA-130 annex A, its matrix H). */
static void check_ecc(const uint8_t *sector)
{
	const uint8_t *area = sector + 12;

	for (unsigned int vector = 0; vector < 86; vector++) {
		uint8_t plain = 0, weighted = 0;

		for (unsigned int i = 0; i < 26; i++) {
			uint8_t v = area[86 * i + vector];

			plain ^= v;
			weighted ^= gf_times(v, 25 - i);
		}
		assert_int_equal(plain | weighted, 0);
	}
	for (unsigned int vector = 0; vector < 52; vector++) {
		uint8_t plain = 0, weighted = 0;

		for (unsigned int i = 0; i < 45; i++) {
			unsigned int word = i < 43 ? (44 * i + 43 * (vector / 2)) % 1118
						   : 1118 + 26 * (i - 43) + vector / 2;
			uint8_t v = area[2 * word + vector % 2];

			plain ^= v;
			weighted ^= gf_times(v, 44 - i);
		}
		assert_int_equal(plain | weighted, 0);
	}
}

static void burn_tao(struct kit *kit, unsigned int block_type, uint32_t block, uint32_t count)
{
	kit_open_with(kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_write_parameters(kit, 1, block_type ? 4 : 0, block_type), 0);
	assert_int_equal(kit_write(kit, 0, count, block, 5), 0);
	assert_int_equal(kit_none(kit, SYNC), 0);
	assert_int_equal(kit_none(kit, "5b 00 02 00 00 00 00 00 00 00"), 0);
}

static void mode1_sectors_are_whole(void **state)
{
	uint8_t data[2048];
	struct kit kit;

	(void)state;
	burn_tao(&kit, 8, 2048, 20);
	assert_int_equal(kit_in(&kit, "be 08 00 00 00 0c 00 00 01 f8 00 00", 2352), 0);
	assert_int_equal(kit_moved(&kit), 2352);
	kit_block(data, 2048, 12, 5);
	assert_memory_equal(kit.data + 16, data, 2048);
	assert_memory_equal(kit.data, "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", 12);
	assert_memory_equal(kit.data + 12, "\x00\x02\x12\x01", 4); /* 00:02:12, mode 1 */
	assert_int_equal(xo_get_le32(kit.data + 2064), edc_by_division(kit.data, 2064));
	check_ecc(kit.data);
	kit_close(&kit);
}

static void form1_sectors_are_whole(void **state)
{
	uint8_t header[4];
	struct kit kit;

	(void)state;
	burn_tao(&kit, 10, 2048, 20);
	assert_int_equal(kit_in(&kit, "be 10 00 00 00 00 00 00 01 f8 00 00", 2352), 0);
	assert_int_equal(kit.data[15], 2);
	assert_memory_equal(kit.data + 16, "\x00\x00\x08\x00\x00\x00\x08\x00", 8);
	assert_int_equal(xo_get_le32(kit.data + 2072), edc_by_division(kit.data + 16, 2056));
	memcpy(header, kit.data + 12, 4);
	memset(kit.data + 12, 0, 4);
	check_ecc(kit.data);
	assert_int_equal(kit_in(&kit, "28 00 00 00 00 00 00 00 01 00", 2048), 0);
	assert_int_equal(kit_in(&kit, "be 08 00 00 00 00 00 00 01 f8 00 00", 2352),
			 XO_SENSE_ILLEGAL_MODE_FOR_TRACK); /* not mode 1 */
	kit_close(&kit);
}

/* Every selection of parts is as long as the CDB's rule says, and its parts are the sector's. */
static void parts_add_up(void **state)
{
	static const struct {
		unsigned int block_type, type;
		uint32_t block;
	} tracks[] = { { 0, 1, 2352 }, { 8, 2, 2048 }, { 9, 3, 2336 }, { 10, 4, 2048 } };
	struct kit kit;

	(void)state;
	for (size_t t = 0; t < XO_ARRAY_SIZE(tracks); t++) {
		burn_tao(&kit, tracks[t].block_type, tracks[t].block, 8);
		for (unsigned int select = 0; select < 32 * 3 * 5; select++) {
			static const uint8_t subchannels[] = { 0, 1, 2, 4 };
			uint8_t cdb[12] = { 0xbe, (uint8_t)(tracks[t].type << 2) };
			uint32_t size;

			cdb[8] = 3;
			cdb[9] = (uint8_t)((select & 31) << 3 | (select >> 5) % 3 << 1);
			cdb[10] = subchannels[select / 96 % 4];
			size = xo_read_cd_block_size(cdb);
			assert_int_equal(kit_run(&kit, cdb, 12, XO_DIR_IN, 16384), 0);
			assert_int_equal(kit_moved(&kit), 3 * size);
		}
		kit_close(&kit);
	}
}

static unsigned int q_crc(const uint8_t *q)
{
	unsigned int crc = 0;

	for (unsigned int bit = 0; bit < 80; bit++) {
		unsigned int top = crc >> 15 ^ (q[bit / 8] >> (7 - bit % 8) & 1);

		crc = (crc << 1 ^ (top & 1 ? 0x1021 : 0)) & 0xffff;
	}
	return crc ^ 0xffff;
}

static void subchannels_tell_the_place(void **state)
{
	uint8_t q[12] = { 0 };
	struct kit kit;

	(void)state;
	burn_tao(&kit, 0, 2352, 200);
	/* Formatted Q of 00:04:25 absolute. */
	assert_int_equal(kit_in(&kit, "be 04 00 00 00 af 00 00 01 00 02 00", 16), 0);
	assert_memory_equal(kit.data, "\x01\x01\x01\x00\x02\x25\x00\x00\x04\x25", 10);
	assert_int_equal(xo_get_be16(kit.data + 10), q_crc(kit.data));
	/* The same, a bit in each of 96 bytes. */
	memcpy(q, kit.data, 12);
	assert_int_equal(kit_in(&kit, "be 04 00 00 00 af 00 00 01 00 01 00", 96), 0);
	for (unsigned int i = 0; i < 96; i++)
		assert_int_equal(kit.data[i], (q[i / 8] >> (7 - i % 8) & 1) << 6);
	/* By MSF: from 00:02:00 to 00:02:03. */
	assert_int_equal(kit_in(&kit, "b9 04 00 00 02 00 00 02 03 10 00 00", 8192), 0);
	assert_int_equal(kit_moved(&kit), 3 * 2352);
	kit_close(&kit);
}

static void numbers_and_text_are_kept(void **state)
{
	/* MCN in two entries, an ISRC in two before each track; R-W in the lead-in. */
	static const uint8_t cue[] = {
		0x02, '1',  '2',  '3',	'4',  '5',  '6',  '7',	0x02, '8',  '9',  '0',	'1',
		'2',  '3',  0,	  0x01, 0x00, 0x00, 0x41, 0,	0,    0,    0,	  0x03, 0x01,
		'D',  'E',  'A',  'B',	'C',  '0',  0x03, 0x01, '1',  '1',  '2',  '3',	'4',
		'5',  0x01, 0x01, 0x00, 0x00, 0,    0,	  0,	0,    0x01, 0x01, 0x01, 0x00,
		0,    0,    2,	  0,	0x03, 0x02, 'F',  'R',	'X',  'Y',  'Z',  '9',	0x03,
		0x02, '9',  '9',  '0',	'0',  '0',  '1',  0x01, 0x02, 0x01, 0x00, 0,	0,
		6,    0,    0x01, 0xaa, 0x01, 0x01, 0,	  0,	10,   0,
	};
	static const uint8_t pack[18] = { 0x80, 0, 0, 0, 'T', 'i', 't', 'l',  'e',
					  0,	0, 0, 0, 0,   0,   0,	0x12, 0x34 };
	uint8_t block[96];
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_write_parameters(&kit, 2, 0x00, 0), 0);
	assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 58 00", cue, sizeof(cue)), 0);
	for (unsigned int i = 0; i < 96; i++) { /* 18 bytes in 24 symbols, four times */
		unsigned int bit = i % 24 * 6;
		unsigned int value = (unsigned int)pack[bit / 8] << 8;

		if (bit / 8 + 1 < sizeof(pack))
			value |= pack[bit / 8 + 1];
		block[i] = (uint8_t)(value >> (10 - bit % 8) & 0x3f);
	}
	assert_int_equal(kit_out(&kit, "2a 00 ff ff d4 bb 00 00 01 00", block, sizeof(block)), 0);
	assert_int_equal(kit_out(&kit, "2a 00 ff ff d4 bc 00 00 01 00", block, sizeof(block)), 0);
	for (int32_t lba = -150; lba < 600; lba += 25)
		assert_int_equal(kit_write(&kit, lba, 25, 2352, 1), 0);
	assert_int_equal(kit_none(&kit, SYNC), 0);
	assert_int_equal(kit_in(&kit, "42 00 40 02 00 00 00 00 18 00", 24), 0);
	assert_int_equal(kit.data[8], 0x80);
	assert_memory_equal(kit.data + 9, "1234567890123", 13);
	assert_int_equal(kit_in(&kit, "42 00 40 03 00 00 02 00 18 00", 24), 0);
	assert_memory_equal(kit.data + 9, "FRXYZ9990001", 12);
	assert_int_equal(kit_in(&kit, "43 00 05 00 00 00 00 04 00 00", 1024), 0);
	assert_int_equal(kit_moved(&kit), 4 + sizeof(pack)); /* it came eight times: kept once */
	assert_memory_equal(kit.data + 4, pack, sizeof(pack));
	assert_non_null(strstr(kit.json, "\"mcn\": \"1234567890123\""));
	assert_non_null(strstr(kit.json, "DEABC0112345"));
	kit_close(&kit);
}

static void wrong_cue_sheets_are_refused(void **state)
{
	static const uint8_t right[] = {
		0x41, 0x00, 0x00, 0x14, 0, 0, 0, 0, 0x41, 0x01, 0x00, 0x10, 0, 0, 0, 0,
		0x41, 0x01, 0x01, 0x10, 0, 0, 2, 0, 0x41, 0xaa, 0x01, 0x14, 0, 0, 3, 25,
	};
	static const struct {
		unsigned int at;
		uint8_t value;
	} wrong[] = {
		{ 3, 0x17 }, /* no such data form */
		{ 0, 0x44 }, /* no such ADR */
		{ 9, 2 }, /* the first track is not 1 */
		{ 14, 1 }, /* not where the session starts */
		{ 15, 75 }, /* no such frame */
		{ 18, 2 }, /* INDEX 02 without 01 */
		{ 22, 4 }, /* the lead-out before the track */
		{ 25, 2 }, /* no lead-out */
		{ 29, 99 }, /* a lead-out beyond the disc */
	};
	uint8_t cue[sizeof(right)];
	struct kit kit;

	(void)state;
	kit_open_with(&kit, XO_MEDIA_CD_R, 0);
	assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 20 00", right, sizeof(right)),
			 XO_SENSE_COMMAND_SEQUENCE); /* the write type is TAO */
	assert_int_equal(kit_write_parameters(&kit, 2, 0x00, 0), 0);
	for (size_t i = 0; i < XO_ARRAY_SIZE(wrong); i++) {
		memcpy(cue, right, sizeof(cue));
		cue[wrong[i].at] = wrong[i].value;
		assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 20 00", cue, sizeof(cue)),
				 XO_SENSE_INVALID_FIELD_IN_PARAMETERS);
		assert_int_equal(kit_write(&kit, -150, 1, 2048, 1), XO_SENSE_COMMAND_SEQUENCE);
	}
	assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 1f 00", right, 31),
			 XO_SENSE_PARAMETER_LIST_LENGTH);
	assert_int_equal(kit_out(&kit, "5d 00 00 00 00 00 00 00 20 00", right, sizeof(right)), 0);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode1_sectors_are_whole),
		cmocka_unit_test(form1_sectors_are_whole),
		cmocka_unit_test(parts_add_up),
		cmocka_unit_test(subchannels_tell_the_place),
		cmocka_unit_test(numbers_and_text_are_kept),
		cmocka_unit_test(wrong_cue_sheets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
