/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every command through xenoptic-ioemu: a guest's drivers of AHCI and IDE, by DMA and by PIO, on the loopback's virtual
 * CPU, with a virtual burner for a drive. Another burner with the same disc is asked the same without anything in
 * between: status, sense, residual and data must be the same. And every ATA command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/burner_kit.h"
#include "base/bytes.h"
#include "ioemu_stage.h"
#include "mmc/opcode.h"

enum {
	GOOD = 0x50, /* DRDY, DSC */
	ERROR = 0x51,
	ABORTED = 0x04,
	BUSY = 0x80,
	DATA = 0x08,
	TO_HOST = 0x02, /* interrupt reason */
	IS_TFES = 1 << 30,
	SENSE = 18,
	BLOCK = 2048,
	PATTERN = 77,
	GUARD = 16, /* bytes behind the buffer that nobody may write */
};

/* --- the commands --- */

struct row {
	const char *cdb;
	uint32_t in, out; /* bytes to the guest, from it */
	const char *list; /* of parameters, zeros behind it; NULL: a pattern */
};

#define NOTHING ""

/* In this order they make sense on a disc that is blank at first; what one has not is refused by both burners. */
/* clang-format off */
static const struct row rows[] = {
	{ "00", 0, 0, NULL }, /* TEST UNIT READY */
	{ "01", 0, 0, NULL }, /* REZERO UNIT */
	{ "12 00 00 00 60", 96, 0, NULL }, /* INQUIRY */
	{ "12 00 00 00 05", 5, 0, NULL },
	{ "12 01 80 00 ff", 255, 0, NULL },
	{ "03 00 00 00 12", 18, 0, NULL }, /* REQUEST SENSE */
	{ "a0 00 00 00 00 00 00 00 00 40", 64, 0, NULL }, /* REPORT LUNS */
	{ "46 00 00 00 00 00 00 10 00", 4096, 0, NULL }, /* GET CONFIGURATION */
	{ "46 02 00 1e 00 00 00 00 0b", 11, 0, NULL },
	{ "4a 01 00 00 10 00 00 00 08", 8, 0, NULL }, /* GET EVENT STATUS NOTIFICATION */
	{ "bd 00 00 00 00 00 00 00 00 08", 8, 0, NULL }, /* MECHANISM STATUS */
	{ "1a 00 3f 00 ff", 255, 0, NULL }, /* MODE SENSE(6), (10) */
	{ "5a 00 3f 00 00 00 00 02 00", 512, 0, NULL },
	{ "5a 00 2a 00 00 00 00 00 1f", 31, 0, NULL },
	{ "15 10 00 00 10", 0, 16, NOTHING }, /* MODE SELECT(6), (10) */
	{ "55 10 00 00 00 00 00 00 14", 0, 20, "00 00 00 00 00 00 00 00 01 0a 00 08" },
	{ "55 10 00 00 00 00 00 00 3c", 0, 60, "00 00 00 00 00 00 00 00 05 32 01 04 08" },
	{ "4c 00 00 00 00 00 00 00 08", 0, 8, NOTHING }, /* LOG SELECT, LOG SENSE */
	{ "4d 00 40 00 00 00 00 00 40", 64, 0, NULL },
	{ "16", 0, 0, NULL }, /* RESERVE, RELEASE */
	{ "17", 0, 0, NULL },
	{ "56", 0, 0, NULL },
	{ "57", 0, 0, NULL },
	{ "5e 00 00 00 00 00 00 00 18", 24, 0, NULL }, /* PERSISTENT RESERVE */
	{ "5f 00 00 00 00 00 00 00 18", 0, 24, NOTHING },
	{ "1c 00 00 00 40", 64, 0, NULL }, /* RECEIVE DIAGNOSTIC RESULTS, SEND DIAGNOSTIC */
	{ "1d 04", 0, 0, NULL },
	{ "1d 00 00 00 08", 0, 8, NOTHING },
	{ "1e 00 00 00 01", 0, 0, NULL }, /* PREVENT ALLOW MEDIUM REMOVAL */
	{ "1b 00 00 00 02", 0, 0, NULL }, /* START STOP UNIT: LOCKED */
	{ "1e", 0, 0, NULL },
	{ "1b 00 00 00 01", 0, 0, NULL },
	{ "3c 02 00 00 00 00 00 00 40", 64, 0, NULL }, /* READ BUFFER, WRITE BUFFER */
	{ "3b 02 00 00 00 00 00 00 40", 0, 64, NULL },
	{ "bb 00 ff ff ff ff", 0, 0, NULL }, /* SET CD SPEED */
	{ "b6 00 00 00 00 00 00 00 00 00 1c", 0, 28, NOTHING }, /* SET STREAMING */
	{ "ac 10 00 00 00 00 00 00 00 04 00", 72, 0, NULL }, /* GET PERFORMANCE */
	{ "ac 00 00 00 00 00 00 00 00 20 03", 520, 0, NULL },
	{ "a7 00 00 00 00 00", 0, 0, NULL }, /* SET READ AHEAD */
	{ "54 01", 0, 0, NULL }, /* SEND OPC INFORMATION */
	{ "54 00 00 00 00 00 00 00 08", 0, 8, NOTHING },
	{ "a4 00 00 00 00 00 00 00 00 08 08", 8, 0, NULL }, /* REPORT KEY, SEND KEY */
	{ "a4 00 00 00 00 00 00 00 00 08 00", 8, 0, NULL },
	{ "a4 00 00 00 00 00 00 00 00 00 3f", 0, 0, NULL },
	{ "a3 00 00 00 00 00 00 00 00 10 01", 0, 16, NOTHING },
	{ "a2 00 00 00 00 00 00 00 00 40", 64, 0, NULL }, /* SECURITY PROTOCOL IN, OUT */
	{ "b5 00 00 00 00 00 00 00 00 40", 0, 64, NOTHING },
	{ "ab 00 00 00 00 00 00 00 00 20", 32, 0, NULL }, /* READ MEDIA SERIAL NUMBER */
	{ "ad 00 00 00 00 00 00 00 08 00", 2048, 0, NULL }, /* READ DISC STRUCTURE */
	{ "ad 00 00 00 00 00 00 ff 00 40", 64, 0, NULL },
	{ "bf 00 00 00 00 00 00 00 00 08", 0, 8, NOTHING }, /* SEND DISC STRUCTURE */
	{ "23 00 00 00 00 00 00 00 fc", 252, 0, NULL }, /* READ FORMAT CAPACITIES */
	{ "04 11", 0, 12, "00 02 00 08 00 00 10 00 98" }, /* FORMAT UNIT */
	{ "51 00 00 00 00 00 00 00 22", 34, 0, NULL }, /* READ DISC INFORMATION */
	{ "52 01 00 00 00 01 00 00 24", 36, 0, NULL }, /* READ TRACK INFORMATION */
	{ "43 00 04 00 00 00 00 00 1c", 28, 0, NULL }, /* READ TOC: ATIP */
	{ "53 00 00 00 00 00 00 01 2c", 0, 0, NULL }, /* RESERVE TRACK */
	{ "5d 00 00 00 00 00 00 00 18", 0, 24, "41 00 00 14 00 00 00 00 41 01 00 10 00 00 02 00 41 aa 01 14 00 00 06 00" }, /* SEND CUE SHEET */
	{ "59 00 00 00 00 00 00 00 20", 32, 0, NULL }, /* READ MASTER CUE */
	{ "2a 00 00 00 00 00 00 00 10", 0, 16 * BLOCK, NULL }, /* WRITE, all of them */
	{ "aa 00 00 00 00 10 00 00 00 10", 0, 16 * BLOCK, NULL },
	{ "0a 00 00 20 10", 0, 16 * BLOCK, NULL },
	{ "2e 00 00 00 00 30 00 00 10", 0, 16 * BLOCK, NULL }, /* WRITE AND VERIFY */
	{ "ae 00 00 00 00 40 00 00 00 10", 0, 16 * BLOCK, NULL },
	{ "2a 00 7f ff ff ff 00 00 01", 0, BLOCK, NULL },
	{ "5c 00 00 00 00 00 00 00 0c", 12, 0, NULL }, /* READ BUFFER CAPACITY */
	{ "35", 0, 0, NULL }, /* SYNCHRONIZE CACHE */
	{ "28 00 00 00 00 00 00 00 08", 8 * BLOCK, 0, NULL }, /* READ, all of them */
	{ "a8 00 00 00 00 10 00 00 00 10", 16 * BLOCK, 0, NULL },
	{ "08 00 00 00 01", BLOCK, 0, NULL },
	{ "28 00 7f ff ff f0 00 00 01", BLOCK, 0, NULL },
	{ "28 00 00 00 00 00 00 00 00", 0, 0, NULL },
	{ "0b 00 00 08", 0, 0, NULL }, /* SEEK */
	{ "2b 00 00 00 00 08", 0, 0, NULL },
	{ "2f 00 00 00 00 00 00 00 08", 0, 0, NULL }, /* VERIFY */
	{ "2f 02 00 00 00 00 00 00 01", 0, BLOCK, NULL },
	{ "af 00 00 00 00 00 00 00 00 08", 0, 0, NULL },
	{ "58 00 00 00 00 01", 0, 0, NULL }, /* REPAIR TRACK */
	{ "5b 00 01 00 00 01", 0, 0, NULL }, /* CLOSE TRACK SESSION */
	{ "5b 00 02", 0, 0, NULL },
	{ "51 00 00 00 00 00 00 00 22", 34, 0, NULL },
	{ "52 01 00 00 00 01 00 00 24", 36, 0, NULL },
	{ "43 00 00 00 00 00 00 03 24", 804, 0, NULL }, /* READ TOC */
	{ "43 02 02 00 00 00 01 04 00", 1024, 0, NULL },
	{ "25", 8, 0, NULL }, /* READ CAPACITY */
	{ "44 00 00 00 00 00 00 00 08", 8, 0, NULL }, /* READ HEADER */
	{ "42 02 40 01 00 00 00 00 10", 16, 0, NULL }, /* READ SUB-CHANNEL */
	{ "be 00 00 00 00 00 00 00 04 10", 4 * BLOCK, 0, NULL }, /* READ CD, by MSF as well */
	{ "be 00 00 00 00 00 00 00 02 f8", 2 * 2352, 0, NULL },
	{ "b9 00 00 00 02 00 00 02 02 10", 2 * BLOCK, 0, NULL },
	{ "45 00 00 00 00 00 00 00 04", 0, 0, NULL }, /* PLAY AUDIO, and its like */
	{ "47 00 00 00 02 00 00 02 08", 0, 0, NULL },
	{ "48 00 00 00 01 01 00 01 01", 0, 0, NULL },
	{ "49 00 00 00 00 00 01 00 04", 0, 0, NULL },
	{ "4b", 0, 0, NULL },
	{ "4e", 0, 0, NULL },
	{ "a5", 0, 0, NULL },
	{ "a9", 0, 0, NULL },
	{ "ba", 0, 0, NULL },
	{ "bc", 0, 0, NULL },
	{ "a6 00 00 00 03", 0, 0, NULL }, /* LOAD/UNLOAD MEDIUM */
	{ "2c 00 00 00 00 00 00 00 10", 0, 0, NULL }, /* ERASE */
	{ "a1 01", 0, 0, NULL }, /* BLANK */
	{ "02", 0, 0, NULL }, /* nobody's */
	{ "c0", 0, 0, NULL }, /* a vendor's */
	{ "1b 00 00 00 02", 0, 0, NULL }, /* out with it */
	{ "00", 0, 0, NULL },
	{ "28 00 00 00 00 00 00 00 01", BLOCK, 0, NULL },
	{ "1b 00 00 00 03", 0, 0, NULL }, /* and in again */
	{ "00", 0, 0, NULL },
	{ "00", 0, 0, NULL },
	{ "25", 8, 0, NULL },
};
/* clang-format on */

static void parse(const char *text, uint8_t *bytes, size_t size)
{
	char *end;

	memset(bytes, 0, size);
	for (size_t i = 0; *text; i++) {
		assert_true(i < size);
		bytes[i] = (uint8_t)strtoul(text, &end, 16);
		text = *end ? end + 1 : end;
	}
}

static void fill(const struct row *row, uint8_t *to)
{
	if (row->list)
		parse(row->list, to, row->out);
	else
		kit_block(to, row->out, 0, PATTERN);
}

/* --- the burner behind the controller --- */

static struct kit behind;

static void execute(const struct xo_link_request *request, uint8_t *data,
		    struct xo_link_reply *reply)
{
	const struct xo_command *done = &behind.command;

	if (request->direction == XO_DIR_OUT)
		memcpy(behind.data, data, request->length);
	else
		memset(behind.data, 0xff, request->length);
	kit_run(&behind, request->cdb, request->cdb_length, request->direction, request->length);
	if (request->direction == XO_DIR_IN)
		memcpy(data, behind.data, request->length);
	reply->status = done->status;
	reply->residual = done->residual;
	reply->sense_length = done->sense_length;
	memcpy(reply->sense, done->sense, sizeof(reply->sense));
}

/* --- the guest --- */

/* What it sees of a command. */
struct seen {
	uint8_t status, error;
	uint32_t moved;
};

struct way {
	const char *name, *bus;
	bool dma;
	struct seen (*run)(struct worker *w, const uint8_t cdb[12], const struct row *row,
			   bool dma);
};

static bool ahci_ended(struct worker *w)
{
	return !(get(w, PORT + 0x20) & BUSY) && lb_guest_intx(w->guest, DEVICE, 0);
}

static struct seen ahci_end(struct worker *w)
{
	uint32_t tfd;

	wait_for(w, ahci_ended);
	tfd = get(w, PORT + 0x20);
	assert_int_equal(!!(get(w, PORT + 0x10) & IS_TFES), tfd & 1);
	assert_int_equal(get(w, PORT + 0x38), tfd & 1);
	if (tfd & 1) {
		set(w, PORT + 0x18, 0x16);
		set(w, PORT + 0x18, 0x17);
	}
	ahci_acknowledge(w);
	return (struct seen){ (uint8_t)tfd, (uint8_t)(tfd >> 8), xo_get_le32(ram(w, LIST + 4, 4)) };
}

static struct seen ahci_run(struct worker *w, const uint8_t cdb[12], const struct row *row,
			    bool dma)
{
	uint32_t bytes = row->in + row->out;

	/* The length of a region is even (AHCI 1.3.1 4.2.3.3). */
	ahci_prepare(w, cdb, row->out, bytes ? bytes + (bytes & 1) : 2);
	*ram(w, TABLE + 3, 1) = dma;
	xo_put_le16(ram(w, LIST + 2, 2), bytes ? 1 : 0);
	xo_put_le32(ram(w, LIST + 4, 4), 0);
	set(w, PORT + 0x38, 1);
	return ahci_end(w);
}

static struct seen ide_end(struct worker *w, uint32_t moved)
{
	uint8_t error = in(w, CMD + 1);

	return (struct seen){ in(w, CMD + 7), error, moved };
}

static bool ide_ended(struct worker *w)
{
	return !(in(w, CTL + 2) & BUSY) && lb_guest_intx(w->guest, DEVICE, 0);
}

/* A block a time, the way that the interrupt reason says (ATA8-ACS 7.18.6). */
static struct seen ide_run_pio(struct worker *w, const uint8_t cdb[12], const struct row *row)
{
	uint32_t at = 0;

	ide_packet(w, cdb, false);
	wait_for(w, ide_ended);
	while (in(w, CTL + 2) & DATA) {
		uint32_t block = in(w, CMD + 4) | (uint32_t)in(w, CMD + 5) << 8;
		bool to_host = in(w, CMD + 2) & TO_HOST;

		assert_int_equal(to_host, row->in != 0);
		assert_true(block && at + block <= row->in + row->out);
		in(w, CMD + 7);
		finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
						     .write = !to_host,
						     .is_ptr = true,
						     .address = CMD,
						     .size = 2,
						     .count = (block + 1) / 2,
						     .data = BUFFER + at });
		at += block;
		wait_for(w, ide_ended);
	}
	return ide_end(w, at);
}

static struct seen ide_run(struct worker *w, const uint8_t cdb[12], const struct row *row, bool dma)
{
	uint32_t bytes = row->in + row->out;
	struct seen seen;

	if (!dma || !bytes)
		return ide_run_pio(w, cdb, row);
	ide_dma_prepare(w, bytes + (bytes & 1));
	ide_packet(w, cdb, true);
	ide_dma_run(w, row->out);
	wait_for(w, ide_ended);
	out(w, BM, 1, 0);
	seen = ide_end(w, UINT32_MAX); /* nothing tells how much went */
	out(w, BM + 2, 1, 0x06);
	return seen;
}

static const struct way ways[] = {
	{ "AHCI, DMA", "ahci", true, ahci_run },
	{ "AHCI, PIO", "ahci", false, ahci_run },
	{ "IDE, DMA", "ide", true, ide_run },
	{ "IDE, PIO", "ide", false, ide_run },
};

static struct seen run(struct worker *w, const struct way *way, const uint8_t cdb[12],
		       const struct row *row)
{
	uint8_t *buffer = ram(w, BUFFER, row->in + row->out + 1 + GUARD);

	memset(buffer, 0xff, row->in + row->out + 1 + GUARD);
	if (row->out)
		fill(row, buffer);
	return way->run(w, cdb, row, way->dma);
}

/* --- both burners --- */

static void assert_same_sense(struct worker *w, const struct way *way, const struct kit *alone)
{
	static const struct row sense = { "03 00 00 00 12", SENSE, 0, NULL };
	const uint8_t *expected = alone->command.sense;
	uint8_t cdb[12];

	parse(sense.cdb, cdb, sizeof(cdb));
	assert_int_equal(run(w, way, cdb, &sense).status, GOOD);
	/* How far a long operation is goes by the clock. */
	assert_memory_equal(ram(w, BUFFER, SENSE), expected, expected[15] & 0x80 ? 15 : SENSE);
}

static void assert_same(struct worker *w, const struct way *way, const struct row *row,
			struct kit *alone)
{
	uint8_t cdb[12];
	unsigned int executed = w->executed;
	uint32_t direction = row->in ? XO_DIR_IN : row->out ? XO_DIR_OUT : XO_DIR_NONE;
	const uint8_t *buffer = ram(w, BUFFER, row->in + 1 + GUARD);
	uint32_t kcq;
	struct seen seen;

	parse(row->cdb, cdb, sizeof(cdb));
	memset(alone->data, 0xff, row->in);
	if (row->out)
		fill(row, alone->data);
	kcq = kit_run(alone, cdb, XO_MAX(xo_opcode_find(cdb, 12)->cdb_len, (uint8_t)6), direction,
		      row->in + row->out);
	seen = run(w, way, cdb, row);
	if (seen.status != (kcq ? ERROR : GOOD) || seen.error >> 4 != kcq >> 16)
		fail_msg("%s: %s: sense %06x alone, status %02x, error %02x", way->name, row->cdb,
			 kcq, seen.status, seen.error);
	assert_int_equal(w->executed - executed, 1);
	if (seen.moved != UINT32_MAX && !row->out && seen.moved != kit_moved(alone))
		fail_msg("%s: %s: %u bytes alone, and %u", way->name, row->cdb, kit_moved(alone),
			 seen.moved);
	if (row->in && memcmp(buffer, alone->data, kit_moved(alone)))
		fail_msg("%s: %s: other data", way->name, row->cdb);
	for (uint32_t i = row->in + (row->in & 1); row->in && i < row->in + GUARD; i++)
		assert_int_equal(buffer[i], 0xff);
	if (kcq)
		assert_same_sense(w, way, alone);
}

static void start(struct worker *w)
{
	if (!strcmp(w->bus, "ide"))
		ide_start(w);
	else
		ahci_start(w);
}

static void answers_are_the_drives(unsigned int media)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(ways); i++) {
		struct kit alone;
		struct worker *w;

		kit_open_with(&alone, media, 0);
		kit_open_with(&behind, media, 0);
		stage_execute = execute;
		w = worker_new(ways[i].bus);
		start(w);
		for (size_t k = 0; k < XO_ARRAY_SIZE(rows); k++)
			assert_same(w, &ways[i], &rows[k], &alone);
		assert_int_equal(w->starts, 1);
		worker_free(w);
		stage_execute = NULL;
		kit_close(&alone);
		kit_close(&behind);
	}
}

static void every_command_on_a_cd(void **state)
{
	(void)state;
	answers_are_the_drives(XO_MEDIA_CD_R);
}

static void every_command_on_a_dvd(void **state)
{
	(void)state;
	answers_are_the_drives(XO_MEDIA_DVD_PLUS_R);
}

/* A drive that has every command. */
static struct xo_link_request told;
static uint8_t echo[16 * BLOCK];

static void obey(const struct xo_link_request *request, uint8_t *data, struct xo_link_reply *reply)
{
	(void)reply;
	told = *request;
	assert_true(request->length <= sizeof(echo));
	if (request->direction == XO_DIR_IN)
		kit_block(data, request->length, 0, (unsigned int)request->tag);
	memcpy(echo, data, request->length);
}

/* What the burner refuses has its data all the same. */
static void every_command_has_its_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(ways); i++) {
		struct worker *w;

		stage_execute = obey;
		w = worker_new(ways[i].bus);
		start(w);
		for (size_t k = 0; k < XO_ARRAY_SIZE(rows); k++) {
			const struct row *row = &rows[k];
			uint32_t bytes = row->in + row->out;
			uint8_t cdb[12];
			struct seen seen;

			parse(row->cdb, cdb, sizeof(cdb));
			seen = run(w, &ways[i], cdb, row);
			if (seen.status != GOOD || told.length != bytes ||
			    (seen.moved != UINT32_MAX && seen.moved != bytes))
				fail_msg("%s: %s: status %02x, %u bytes of %u", ways[i].name,
					 row->cdb, seen.status, seen.moved, told.length);
			assert_memory_equal(told.cdb, cdb, sizeof(cdb));
			assert_int_equal(told.direction, row->in    ? XO_DIR_IN
							 : row->out ? XO_DIR_OUT
								    : XO_DIR_NONE);
			if (bytes)
				assert_memory_equal(ram(w, BUFFER, bytes), echo, bytes);
		}
		assert_int_equal(w->executed, XO_ARRAY_SIZE(rows) + 1);
		worker_free(w);
		stage_execute = NULL;
	}
}

/* ATA PASS-THROUGH(16) does not fit in a packet. */
static void no_command_is_left_out(void **state)
{
	const struct xo_opcode *op = NULL;

	(void)state;
	while ((op = xo_opcode_next(op))) {
		bool found = op->cdb_len > 12;

		for (size_t i = 0; i < XO_ARRAY_SIZE(rows) && !found; i++)
			found = strtoul(rows[i].cdb, NULL, 16) == op->opcode;
		if (!found)
			fail_msg("%s is in no row", op->name);
	}
}

/* --- ATA commands --- */

/* Those without data that a packet device has (ATA8-ACS 4.3), and what they end with. */
static const struct {
	uint8_t command, feature, count;
	uint8_t status, error;
} own[] = {
	{ 0x90, 0, 0, 0x00, 0x01 }, /* EXECUTE DEVICE DIAGNOSTIC */
	{ 0xe0, 0, 0, GOOD, 0 }, /* STANDBY IMMEDIATE, IDLE IMMEDIATE, CHECK POWER MODE, SLEEP */
	{ 0xe1, 0, 0, GOOD, 0 },
	{ 0xe5, 0, 0, GOOD, 0 },
	{ 0xe6, 0, 0, GOOD, 0 },
	{ 0xef, 0x03, 0x42, GOOD, 0 }, /* SET FEATURES */
	{ 0xef, 0x03, 0x7f, ERROR, ABORTED },
	{ 0xef, 0x99, 0, ERROR, ABORTED },
};

static struct seen ahci_run_ata(struct worker *w, uint8_t command, uint8_t feature, uint8_t count)
{
	const uint8_t cdb[12] = { 0 };
	uint8_t *fis;

	ahci_prepare(w, cdb, false, 2);
	fis = ram(w, TABLE, 20);
	fis[2] = command;
	fis[3] = feature;
	fis[12] = count;
	xo_put_le32(ram(w, LIST, 4), 5);
	set(w, PORT + 0x38, 1);
	return ahci_end(w);
}

static struct seen ide_run_ata(struct worker *w, uint8_t command, uint8_t feature, uint8_t count)
{
	out(w, CMD + 1, 1, feature);
	out(w, CMD + 2, 1, count);
	out(w, CMD + 7, 1, command);
	wait_for(w, ide_ended);
	return ide_end(w, 0);
}

/* EXECUTE DEVICE DIAGNOSTIC and its like leave it in the registers, or in the FIS of the end. */
static void assert_signature(struct worker *w)
{
	if (!strcmp(w->bus, "ide")) {
		assert_int_equal(in(w, CMD + 4), 0x14);
		assert_int_equal(in(w, CMD + 5), 0xeb);
	} else {
		assert_memory_equal(ram(w, FISES + 0x44, 3), "\x01\x14\xeb", 3);
	}
}

static void assert_device_reset(struct worker *w)
{
	if (!strcmp(w->bus, "ide")) {
		out(w, CMD + 7, 1, 0x08);
		assert_int_equal(in(w, CMD + 7), 0);
	} else {
		memcpy(ram(w, TABLE, 4), "\x27\x80\x08\x00", 4);
		xo_put_le32(ram(w, LIST, 4), 5);
		set(w, PORT + 0x38, 1);
		wait_for(w, ahci_done);
		assert_int_equal(get(w, PORT + 0x20), 0x100);
	}
	assert_false(lb_guest_intx(w->guest, DEVICE, 0));
	assert_signature(w);
}

static bool is_own(unsigned int command)
{
	static const uint8_t with_data[] = { 0x08, 0xa0, 0xa1 };

	for (size_t i = 0; i < XO_ARRAY_SIZE(own); i++)
		if (own[i].command == command)
			return true;
	return memchr(with_data, (int)command, sizeof(with_data));
}

static void every_ata_command(void **state)
{
	static const char *const buses[] = { "ahci", "ide" };
	uint8_t id[512];

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses); i++) {
		struct worker *w = worker_new(buses[i]);
		struct seen (*ata)(struct worker * w, uint8_t command, uint8_t feature,
				   uint8_t count) = i ? ide_run_ata : ahci_run_ata;

		start(w);
		for (size_t k = 0; k < XO_ARRAY_SIZE(own); k++) {
			struct seen seen = ata(w, own[k].command, own[k].feature, own[k].count);

			assert_int_equal(seen.status, own[k].status);
			assert_int_equal(seen.error, own[k].error);
			if (own[k].command == 0x90)
				assert_signature(w);
		}
		for (unsigned int command = 0; command < 256; command++) {
			struct seen seen;

			if (is_own(command))
				continue;
			seen = ata(w, (uint8_t)command, 0, 1);
			assert_int_equal(seen.status, ERROR);
			assert_int_equal(seen.error, ABORTED);
			if (command == 0x20 || command == 0xec) /* READ SECTORS, IDENTIFY DEVICE */
				assert_signature(w);
		}
		identify(w, id);
		assert_int_equal(xo_get_le16(id), 0x85c0);
		assert_int_equal(xo_get_le16(id + 2 * 88), 0x043f); /* the mode of above */
		assert_device_reset(w);
		assert_int_equal(w->executed, 1); /* its identity */
		assert_int_equal(w->starts, 1);
		worker_free(w);
	}
}

int main(void)
{
	const char *domid = getenv("TEST_DOMID");
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_command_is_left_out),
		cmocka_unit_test(every_command_on_a_cd),
		cmocka_unit_test(every_command_on_a_dvd),
		cmocka_unit_test(every_command_has_its_data),
		cmocka_unit_test(every_ata_command),
	};

	if (!domid) {
		fprintf(stderr, "TEST_DOMID is not set: run ioemu-commands.test\n");
		return 1;
	}
	guest_domid = (uint32_t)atoi(domid);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
