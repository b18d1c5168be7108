/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writers ro|all|rw IMAGE sg DEVICE, or writers ro|all|rw IMAGE ahci|ide DOMID DEVICE: sends a guest's
 * drive every command of opcodes.def that writes, as a program would send it.
 *
 * ro: each must be refused with the sense that the table has for mode=ro, what only changes the drive
 * must be allowed, and the disc must read as IMAGE before and after ("-": it is blank). all: every
 * operation code is sent, too, with zeros, ones and all bits set; those without a row must be refused,
 * and what the table calls writing may not end GOOD. rw: none may be refused as write-protected;
 * prints what became of each.
 */
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "mmc/cdb.h"
#include "mmc/sense.h"
#include "vcpu_drive.h"

#define BLOCK 2048u
#define BLOCKS 4u
#define NO_STATUS 0xffffffffu /* the transport failed: no command was carried out */
#define TRIES 3000 /* TEST UNIT READY, a command that runs in the background among them */

/* Whichever way leads to the drive: 0 for GOOD, the sense, or NO_STATUS. */
static struct {
	int sg; /* -1: by a virtual CPU */
	uint8_t *buffer; /* VCPU_DRIVE_BYTES */
} way = { .sg = -1 };

static unsigned int failures;

static void fail(const char *name, const char *what, uint32_t kcq)
{
	fprintf(stderr, "%s: %s (%06x)\n", name, what, (unsigned int)kcq);
	failures++;
}

/* --- commands --- */

static uint32_t parse(const uint8_t *bytes, size_t length)
{
	struct xo_sense sense;

	return xo_sense_parse(bytes, length, &sense) < 0 ? NO_STATUS : xo_sense_kcq(&sense);
}

static uint32_t send_sg(const uint8_t *cdb, size_t length, enum xo_direction dir, uint32_t bytes)
{
	uint8_t command[XO_CDB_MAX];
	uint8_t sense[64];
	struct sg_io_hdr hdr = {
		.interface_id = 'S',
		.cmdp = command,
		.cmd_len = (unsigned char)length,
		.sbp = sense,
		.mx_sb_len = sizeof(sense),
		.dxferp = way.buffer,
		.dxfer_len = dir == XO_DIR_NONE ? 0 : bytes,
		.dxfer_direction = dir == XO_DIR_IN    ? SG_DXFER_FROM_DEV
				   : dir == XO_DIR_OUT ? SG_DXFER_TO_DEV
						       : SG_DXFER_NONE,
		.timeout = 60000,
	};

	memcpy(command, cdb, length);
	if (ioctl(way.sg, SG_IO, &hdr) < 0) {
		perror("SG_IO");
		exit(1);
	}
	if (hdr.host_status)
		return NO_STATUS;
	return hdr.status ? parse(sense, hdr.sb_len_wr) : 0;
}

/* A controller's guest asks for the sense, with the buffer put aside. */
static uint32_t send_packet(const uint8_t *cdb, enum xo_direction dir, uint32_t bytes)
{
	const uint8_t request_sense[12] = { XO_OP_REQUEST_SENSE, [4] = XO_SENSE_FIXED_LEN };
	uint8_t kept[XO_SENSE_FIXED_LEN];
	uint32_t kcq;

	if (vcpu_drive_command(cdb, dir == XO_DIR_OUT, dir == XO_DIR_NONE ? 0 : bytes))
		return 0;
	memcpy(kept, way.buffer, sizeof(kept));
	if (!vcpu_drive_command(request_sense, false, sizeof(kept)))
		vcpu_drive_die("REQUEST SENSE fails");
	kcq = parse(way.buffer, sizeof(kept));
	memcpy(way.buffer, kept, sizeof(kept));
	return kcq;
}

static uint32_t send(const uint8_t *cdb, size_t length, enum xo_direction dir, uint32_t bytes)
{
	uint8_t padded[XO_CDB_MAX] = { 0 };

	memcpy(padded, cdb, length);
	return way.sg < 0 ? send_packet(padded, dir, bytes) : send_sg(padded, length, dir, bytes);
}

/* Unit attentions pass, and so does what was begun in the background. */
static void wait_ready(void)
{
	const uint8_t test_unit_ready[12] = { 0 };

	for (int i = 0; i < TRIES; i++) {
		if (!send(test_unit_ready, 6, XO_DIR_NONE, 0))
			return;
		usleep(10000);
	}
	vcpu_drive_die("the drive does not become ready");
}

/* --- what writes --- */

/* A command as programs send it: its address is filled in; `length` bytes go with it. */
struct example {
	uint8_t cdb[XO_CDB_MAX];
	uint32_t refusal; /* under mode=ro */
	uint32_t length;
	const uint8_t *data; /* NULL: anything */
};

#define PROTECTED XO_SENSE_WRITE_PROTECTED
/* A drive that only reads does not have the command: its feature is not there (MMC-6 5.3). */
#define UNKNOWN XO_SENSE_INVALID_OPCODE

/* One data track from 00:02:00 on, and a lead-out after 300 sectors (MMC-6 6.27.3). */
static const uint8_t cue_sheet[] = {
	0x41, 0x00, 0x00, 0x14, 0, 0, 0, 0, 0x41, 0x01, 0x00, 0x10, 0, 0, 0, 0,
	0x41, 0x01, 0x01, 0x10, 0, 0, 2, 0, 0x41, 0xaa, 0x01, 0x14, 0, 0, 6, 0,
};
/* A BD-R with spare areas (MMC-6 6.5.4.2.10), also a full format of what may be overwritten. */
static const uint8_t format_list[12] = { [3] = 8, 0x00, 0x0b, 0x00, 0x00 };

/* In an order in which a drive that writes can do most of them. */
static const struct example examples[] = {
	{ { XO_OP_SEND_OPC_INFORMATION, 0x01 }, UNKNOWN, 0, NULL },
	{ { XO_OP_FORMAT_UNIT, 0x11 }, PROTECTED, sizeof(format_list), format_list },
	{ { XO_OP_SEND_CUE_SHEET, [8] = sizeof(cue_sheet) },
	  UNKNOWN,
	  sizeof(cue_sheet),
	  cue_sheet },
	{ { XO_OP_SEND_DISC_STRUCTURE, [7] = 0x04, [9] = 12 }, PROTECTED, 12, NULL },
	{ { XO_OP_WRITE_10, [8] = BLOCKS }, PROTECTED, BLOCKS *BLOCK, NULL },
	{ { XO_OP_WRITE_12, [9] = BLOCKS }, PROTECTED, BLOCKS *BLOCK, NULL },
	{ { XO_OP_WRITE_AND_VERIFY_10, [8] = BLOCKS }, PROTECTED, BLOCKS *BLOCK, NULL },
	{ { XO_OP_WRITE_AND_VERIFY_12, [9] = BLOCKS }, PROTECTED, BLOCKS *BLOCK, NULL },
	{ { XO_OP_WRITE_6, [4] = BLOCKS }, PROTECTED, BLOCKS *BLOCK, NULL },
	{ { XO_OP_REPAIR_TRACK, [5] = 1 }, PROTECTED, 0, NULL },
	{ { XO_OP_CLOSE_TRACK_SESSION, 0, 0x02 }, PROTECTED, 0, NULL },
	{ { XO_OP_RESERVE_TRACK, [7] = 0x01, 0x2c }, PROTECTED, 0, NULL },
	{ { XO_OP_ERASE_10, [8] = 32 }, PROTECTED, 0, NULL },
	{ { XO_OP_BLANK }, PROTECTED, 0, NULL },
	{ { XO_OP_SECURITY_PROTOCOL_OUT, 0xee, 0, 1, [8] = 2 }, UNKNOWN, 512, NULL },
	/* WRITE SECTOR(S) by PIO (SAT-4 12.2.2) */
	{ { XO_OP_ATA_PASS_THROUGH_16, 5 << 1, 0x06, [6] = 1, [14] = 0x30 }, UNKNOWN, 512, NULL },
};

static bool writes(const struct xo_opcode *op)
{
	return op->read_only != XO_RO_ALLOW || op->class == XO_CLASS_WRITE ||
	       op->class == XO_CLASS_MEDIUM;
}

static const char *name_of(const struct example *example)
{
	return xo_opcode_find(example->cdb, sizeof(example->cdb))->name;
}

/* Where the disc goes on; 0 where it does not. */
static uint32_t next_writable_address(void)
{
	const uint8_t cdb[12] = { XO_OP_READ_TRACK_INFORMATION, 0x01, [5] = 0xff, [8] = 36 };

	if (send(cdb, 10, XO_DIR_IN, 36) || !(way.buffer[7] & 0x01)) /* NWA_V */
		return 0;
	return xo_get_be32(way.buffer + 12);
}

static void put_address(uint8_t *cdb, struct xo_field field, uint32_t address)
{
	for (unsigned int i = field.width; i-- > 0; address >>= 8)
		cdb[field.at + i] = (uint8_t)address;
}

static uint32_t send_example(const struct example *example)
{
	const struct xo_opcode *op = xo_opcode_find(example->cdb, sizeof(example->cdb));
	uint32_t address = op->class == XO_CLASS_WRITE ? next_writable_address() : 0;
	uint8_t cdb[XO_CDB_MAX];

	memcpy(cdb, example->cdb, sizeof(cdb));
	if (op->lba.width)
		put_address(cdb, op->lba, address);
	memset(way.buffer, 0xc3, VCPU_DRIVE_BYTES);
	if (example->data)
		memcpy(way.buffer, example->data, example->length);
	return send(cdb, op->cdb_len, example->length ? XO_DIR_OUT : XO_DIR_NONE, example->length);
}

/* --- mode=ro --- */

/* No row that writes goes without an example. */
static void check_examples(void)
{
	for (const struct xo_opcode *op = xo_opcode_next(NULL); op; op = xo_opcode_next(op)) {
		bool found = !writes(op);

		for (size_t i = 0; i < XO_ARRAY_SIZE(examples); i++)
			found |= examples[i].cdb[0] == op->opcode;
		if (!found)
			fail(op->name, "writes and has no example here", 0);
	}
}

static unsigned int refuse_examples(void)
{
	check_examples();
	for (size_t i = 0; i < XO_ARRAY_SIZE(examples); i++) {
		uint32_t kcq = send_example(&examples[i]);

		if (kcq != examples[i].refusal)
			fail(name_of(&examples[i]), "not refused as mode=ro promises", kcq);
	}
	return XO_ARRAY_SIZE(examples);
}

/* What is in no standard may write; what has no row here has none in a reader either. */
static unsigned int refuse_unknown(void)
{
	unsigned int count = 0;

	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		const uint8_t cdb[12] = { (uint8_t)opcode };
		uint32_t kcq;

		if (xo_opcode_known(xo_opcode_find(cdb, sizeof(cdb))))
			continue;
		kcq = send(cdb, sizeof(cdb), XO_DIR_NONE, 0);
		if (kcq != XO_SENSE_INVALID_OPCODE) {
			fprintf(stderr, "%02x: ", opcode);
			fail("no standard's", "not refused", kcq);
		}
		count++;
	}
	return count;
}

/* Would take the disc out, or keep it in. */
static bool moves_the_door(unsigned int opcode)
{
	return opcode == XO_OP_START_STOP_UNIT || opcode == XO_OP_LOAD_UNLOAD_MEDIUM ||
	       opcode == XO_OP_PREVENT_ALLOW;
}

static unsigned int send_everything(void)
{
	static const uint8_t fillings[] = { 0x00, 0x01, 0xff };
	unsigned int count = 0;

	for (size_t i = 0; i < XO_ARRAY_SIZE(fillings); i++) {
		for (unsigned int opcode = 0; opcode < 256; opcode++) {
			uint8_t cdb[XO_CDB_MAX];
			const struct xo_opcode *op;

			if (moves_the_door(opcode))
				continue;
			memset(cdb, fillings[i], sizeof(cdb));
			cdb[0] = (uint8_t)opcode;
			op = xo_opcode_find(cdb, sizeof(cdb));
			memset(way.buffer, fillings[i], BLOCK);
			if (!send(cdb, op->cdb_len ? op->cdb_len : 12, (enum xo_direction)op->dir,
				  BLOCK) &&
			    writes(op))
				fail(op->name, "was carried out", 0);
			count++;
		}
	}
	return count;
}

static void allow(const char *name, const uint8_t *cdb, size_t length, enum xo_direction dir,
		  uint32_t bytes)
{
	uint32_t kcq = send(cdb, length, dir, bytes);

	if (kcq)
		fail(name, "refused, and writes nothing", kcq);
}

/* Settings of the drive are a reader's, too: programs make them before they look at the disc. */
static void allow_settings(void)
{
	const uint8_t mode_sense[10] = { XO_OP_MODE_SENSE_10, 0x08, 0x05, [8] = 60 };
	const uint8_t mode_select[10] = { XO_OP_MODE_SELECT_10, 0x10, [8] = 60 };
	const uint8_t mode_select_6[6] = { XO_OP_MODE_SELECT_6, 0x10, [4] = 16 };
	const uint8_t synchronize[10] = { XO_OP_SYNCHRONIZE_CACHE };
	const uint8_t speed[12] = { XO_OP_SET_CD_SPEED, 0, 0xff, 0xff, 0xff, 0xff };

	allow("MODE SENSE(10)", mode_sense, sizeof(mode_sense), XO_DIR_IN, 60);
	way.buffer[0] = way.buffer[1] = 0; /* reserved in MODE SELECT */
	allow("MODE SELECT(10)", mode_select, sizeof(mode_select), XO_DIR_OUT, 60);
	/* Read error recovery, with one retry. */
	memcpy(way.buffer, "\0\0\0\0\x01\x0a\0\x01\0\0\0\0\x01\0\0\0", 16);
	allow("MODE SELECT(6)", mode_select_6, sizeof(mode_select_6), XO_DIR_OUT, 16);
	allow("SYNCHRONIZE CACHE", synchronize, sizeof(synchronize), XO_DIR_NONE, 0);
	allow("SET CD SPEED", speed, sizeof(speed), XO_DIR_NONE, 0);
}

static void read_disc(const uint8_t *image, size_t size)
{
	for (uint32_t at = 0; at + BLOCKS * BLOCK <= size; at += BLOCKS * BLOCK) {
		uint8_t cdb[10] = { XO_OP_READ_10, [8] = BLOCKS };
		uint32_t kcq;

		xo_put_be32(cdb + 2, at / BLOCK);
		memset(way.buffer, 0, BLOCKS * BLOCK);
		kcq = send(cdb, sizeof(cdb), XO_DIR_IN, BLOCKS * BLOCK);
		if (kcq || memcmp(way.buffer, image + at, BLOCKS * BLOCK) != 0) {
			fail("READ(10)", "not the disc's content", kcq);
			return;
		}
	}
}

static void read_only(const uint8_t *image, size_t size, bool all)
{
	wait_ready();
	read_disc(image, size);
	printf("%u commands that write refused", refuse_examples());
	allow_settings();
	if (all) {
		printf(", %u operation codes without a row", refuse_unknown());
		printf("; %u of any content sent", send_everything());
		wait_ready();
		allow_settings();
	}
	read_disc(image, size);
	putchar('\n');
}

/* --- mode=rw --- */

static void read_write(void)
{
	char text[128];

	for (size_t i = 0; i < XO_ARRAY_SIZE(examples); i++) {
		const char *name = name_of(&examples[i]);
		struct xo_sense sense;
		uint32_t kcq;

		wait_ready();
		kcq = send_example(&examples[i]);
		if (kcq == XO_SENSE_WRITE_PROTECTED)
			fail(name, "write-protected", kcq);
		sense = xo_sense_make(kcq);
		xo_sense_text(&sense, text, sizeof(text));
		printf("%s: %s\n", name, kcq ? text : "good");
	}
}

static uint8_t *load(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	uint8_t *image = end < 0 ? NULL : malloc((size_t)end);

	if (!image || pread(fd, image, (size_t)end, 0) != end) {
		perror(path);
		exit(1);
	}
	close(fd);
	*size = (size_t)end;
	return image;
}

int main(int argc, char **argv)
{
	uint8_t *image = NULL;
	size_t size = 0;

	if (argc < 5)
		vcpu_drive_die("writers ro|all|rw IMAGE sg DEVICE or ahci|ide DOMID DEVICE");
	if (strcmp(argv[2], "-") != 0)
		image = load(argv[2], &size);
	if (!strcmp(argv[3], "sg")) {
		way.sg = open(argv[4], O_RDWR | O_NONBLOCK);
		way.buffer = malloc(VCPU_DRIVE_BYTES);
		if (way.sg < 0 || !way.buffer)
			vcpu_drive_die("cannot open the drive");
	} else {
		vcpu_drive_open((uint32_t)atoi(argv[4]), argc > 5 ? (unsigned int)atoi(argv[5]) : 0,
				argv[3]);
		way.buffer = vcpu_drive_buffer();
	}
	if (!strcmp(argv[1], "rw"))
		read_write();
	else
		read_only(image, size, !strcmp(argv[1], "all"));
	free(image);
	if (way.sg >= 0) {
		close(way.sg);
		free(way.buffer);
	} else {
		vcpu_drive_close();
	}
	return failures ? 1 : 0;
}
