// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A CD-ROM drive with one data track from a file: as little as a program needs
 * to read a disc, so that the exec tests do not depend on the virtual burner.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "unit.h"

#define BLOCK 2048u

const char xo_test_unit_help[] = "FILE is an ISO image, shown as a CD-ROM; '-' for an empty tray";

struct reader {
	struct xo_unit unit;
	int fd; /* -1: no disc */
	bool open; /* the tray */
	uint32_t blocks;
};

static void sense(struct xo_command *command, unsigned int key, unsigned int asc, unsigned int ascq)
{
	command->status = 0x02;
	memset(command->sense, 0, 18);
	command->sense[0] = 0x70;
	command->sense[2] = (uint8_t)key;
	command->sense[7] = 10;
	command->sense[12] = (uint8_t)asc;
	command->sense[13] = (uint8_t)ascq;
	command->sense_length = 18;
}

static void answer(struct xo_command *command, const void *data, uint32_t length,
		   uint32_t allocated)
{
	uint32_t n = XO_MIN(XO_MIN(length, allocated), command->length);

	memcpy(command->data, data, n);
	command->residual = command->length - n;
}

static void inquiry(struct xo_command *command)
{
	uint8_t data[36] = { 0x05, 0x80, 0x05, 0x32, 31 };

	memcpy(data + 8, "XENOPTICTEST READER     0001", 28);
	answer(command, data, sizeof(data), xo_get_be16(command->cdb + 3));
}

static void mode_sense(struct xo_command *command)
{
	/* Header and the capabilities page 2Ah: reads CD-R, CD-RW; tray; lock. */
	uint8_t data[8 + 28] = { 0, 34, 0, 0, 0, 0, 0, 0, 0x2a, 26, 0x03, 0, 0x71, 0x60, 0x29 };

	answer(command, data, sizeof(data), xo_get_be16(command->cdb + 7));
}

static void get_configuration(struct xo_command *command)
{
	uint8_t data[32] = { 0 };
	struct xo_writer w = xo_writer(data, sizeof(data));

	xo_write_be32(&w, 20); /* data length */
	xo_write_be32(&w, 0x0008); /* current profile: CD-ROM */
	xo_write_be32(&w, 0x00000304); /* profile list */
	xo_write_be32(&w, 0x00080100);
	xo_write_be32(&w, 0x001e0b04); /* CD Read */
	xo_write_be32(&w, 0);
	answer(command, data, (uint32_t)xo_writer_used(&w), xo_get_be16(command->cdb + 7));
}

static void event_status(struct reader *reader, struct xo_command *command)
{
	uint8_t data[8] = { 0, 6, 0x04, 0x10, 0, 0, 0, 0 };

	data[5] = (uint8_t)((reader->open ? 1 : 0) | (reader->fd >= 0 && !reader->open ? 2 : 0));
	answer(command, data, sizeof(data), xo_get_be16(command->cdb + 7));
}

static void put_toc_address(uint8_t *to, bool msf, uint32_t lba)
{
	uint32_t frames = lba + 150;

	if (!msf) {
		xo_put_be32(to, lba);
		return;
	}
	to[1] = (uint8_t)(frames / 75 / 60);
	to[2] = (uint8_t)(frames / 75 % 60);
	to[3] = (uint8_t)(frames % 75);
}

static void read_toc(struct reader *reader, struct xo_command *command)
{
	bool msf = command->cdb[1] & 2;
	uint8_t data[20] = { 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa };
	unsigned int format =
		command->cdb[2] & 0x0f ? command->cdb[2] & 0x0f : command->cdb[9] >> 6;
	uint32_t length = sizeof(data);

	put_toc_address(data + 8, msf, 0);
	put_toc_address(data + 16, msf, reader->blocks);
	if (format == 1) {
		data[1] = 10;
		length = 12;
	} else if (format != 0) {
		sense(command, 5, 0x24, 0);
		return;
	} else if (command->cdb[6] > 1) {
		memmove(data + 4, data + 12, 8);
		data[1] = 10;
		length = 12;
	}
	answer(command, data, length, xo_get_be16(command->cdb + 7));
}

static void read_capacity(struct reader *reader, struct xo_command *command)
{
	uint8_t data[8];

	xo_put_be32(data, reader->blocks - 1);
	xo_put_be32(data + 4, BLOCK);
	answer(command, data, sizeof(data), sizeof(data));
}

static void read_blocks(struct reader *reader, struct xo_command *command, uint32_t count)
{
	uint32_t lba = xo_get_be32(command->cdb + 2);
	uint64_t length = (uint64_t)count * BLOCK;
	ssize_t n;

	if (!xo_range_within(lba, count, reader->blocks)) {
		sense(command, 5, 0x21, 0);
		return;
	}
	length = XO_MIN(length, command->length);
	n = pread(reader->fd, command->data, length, (off_t)lba * BLOCK);
	if (n < 0 || (uint64_t)n != length)
		sense(command, 3, 0x11, 0);
	command->residual = command->length - (uint32_t)length;
}

static void start_stop(struct reader *reader, struct xo_command *command)
{
	if (command->cdb[4] & 2)
		reader->open = !(command->cdb[4] & 1);
}

static void execute(struct xo_unit *unit, struct xo_command *command)
{
	struct reader *reader = (struct reader *)unit;

	command->status = 0;
	command->transport = XO_TRANSPORT_OK;
	command->sense_length = 0;
	command->residual = command->length;
	switch (command->cdb[0]) {
	case 0x12:
		inquiry(command);
		return;
	case 0x5a:
		mode_sense(command);
		return;
	case 0x46:
		get_configuration(command);
		return;
	case 0x4a:
		event_status(reader, command);
		return;
	case 0x1b:
		start_stop(reader, command);
		return;
	case 0x1e:
		return;
	case 0x00:
	case 0x25:
	case 0x28:
	case 0x43:
	case 0xa8:
		break;
	default:
		sense(command, 5, 0x20, 0);
		return;
	}
	if (reader->fd < 0 || reader->open) {
		sense(command, 2, 0x3a, reader->open ? 2 : 1);
		return;
	}
	if (command->cdb[0] == 0x25)
		read_capacity(reader, command);
	else if (command->cdb[0] == 0x28)
		read_blocks(reader, command, xo_get_be16(command->cdb + 7));
	else if (command->cdb[0] == 0xa8)
		read_blocks(reader, command, xo_get_be32(command->cdb + 6));
	else if (command->cdb[0] == 0x43)
		read_toc(reader, command);
}

static void reader_free(struct xo_unit *unit)
{
	struct reader *reader = (struct reader *)unit;

	if (reader->fd >= 0)
		close(reader->fd);
	free(reader);
}

static const struct xo_unit_ops ops = {
	.name = "reader",
	.execute = execute,
	.free = reader_free,
};

int xo_test_unit_open(const char *file, struct xo_unit **unit)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	struct stat st;

	if (!reader)
		return -ENOMEM;
	reader->unit.ops = &ops;
	reader->fd = -1;
	if (strcmp(file, "-") != 0) {
		reader->fd = open(file, O_RDONLY | O_CLOEXEC);
		if (reader->fd < 0 || fstat(reader->fd, &st) < 0) {
			fprintf(stderr, "%s: %s\n", file, strerror(errno));
			reader_free(&reader->unit);
			return -ENOENT;
		}
		reader->blocks = (uint32_t)(st.st_size / BLOCK);
	}
	*unit = &reader->unit;
	return 0;
}
