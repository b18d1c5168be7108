// SPDX-License-Identifier: GPL-2.0-or-later
/* The device as a block device: what the kernel's sr driver does between read(2) and packet commands. */
#include "exec/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

#define TRIES 10
#define DRIVER_TIMEOUT 60000 /* ms; the server gives longer ones to what needs them */
#define CHUNK 65536u

enum { CHECK_CONDITION = 0x02 };
enum { NOT_READY = 0x2, ILLEGAL_REQUEST = 0x5, UNIT_ATTENTION = 0x6 };

/* Key, code and qualifier of fixed or descriptor sense (SPC-4 4.5). */
static void parse_sense(const struct xo_pre_result *result, uint8_t *key, uint8_t *asc,
			uint8_t *ascq)
{
	const uint8_t *s = result->sense;
	unsigned int n = result->sense_length;

	*key = *asc = *ascq = 0;
	if (n >= 4 && (s[0] & 0x7e) == 0x72) {
		*key = s[1] & 0x0f;
		*asc = s[2];
		*ascq = s[3];
	} else if (n >= 3 && (s[0] & 0x7e) == 0x70) {
		*key = s[2] & 0x0f;
		*asc = n >= 13 ? s[12] : 0;
		*ascq = n >= 14 ? s[13] : 0;
	}
}

enum verdict { DONE, AGAIN, WAIT };

/* What a failed command means for a caller who knows only errno. */
static enum verdict judge(const struct xo_pre_result *result, int *error)
{
	uint8_t key, asc, ascq;

	*error = -EIO;
	if (result->transport == XO_TRANSPORT_NO_CONNECT)
		*error = -ENXIO;
	if (result->transport != XO_TRANSPORT_OK || result->status != CHECK_CONDITION)
		return DONE;
	parse_sense(result, &key, &asc, &ascq);
	if (key == UNIT_ATTENTION)
		return AGAIN;
	if (key == NOT_READY && asc == 0x04 && ascq == 0x01)
		return WAIT; /* becoming ready */
	if (key == NOT_READY && asc == 0x3a)
		*error = -ENOMEDIUM;
	if (key == ILLEGAL_REQUEST && asc == 0x20)
		*error = -EOPNOTSUPP;
	return DONE;
}

int xo_pre_packet(uint32_t file, const uint8_t *cdb, unsigned int cdb_length,
		  enum xo_direction direction, void *data, uint32_t length,
		  struct xo_pre_result *result)
{
	static const struct timespec pause = { .tv_sec = 1 };
	struct iovec piece = { .iov_base = data, .iov_len = length };
	struct xo_pre_result own;
	int r = -EIO;

	if (!result)
		result = &own;
	for (int i = 0; i < TRIES; i++) {
		r = xo_pre_command(file, cdb, cdb_length, direction, &piece, length ? 1 : 0,
				   DRIVER_TIMEOUT, result);
		if (r < 0)
			return r;
		if (result->transport == XO_TRANSPORT_OK && result->status == 0)
			return 0;
		switch (judge(result, &r)) {
		case AGAIN:
			break;
		case WAIT:
			nanosleep(&pause, NULL);
			break;
		case DONE:
		default:
			return r;
		}
	}
	return r;
}

/* Feature 0020h, Random Writable, current (MMC-6 5.3.8): GET CONFIGURATION, RT 2. */
static bool random_writable(uint32_t file)
{
	static const uint8_t cdb[10] = { 0x46, 0x02, 0x00, 0x20, 0, 0, 0, 0, 16 };
	uint8_t data[16] = { 0 };

	return xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_IN, data, sizeof(data), NULL) == 0 &&
	       xo_get_be32(data) >= 8 && xo_get_be16(data + 8) == 0x0020 && data[10] & 1;
}

int xo_pre_check_medium(uint32_t file, int flags)
{
	static const uint8_t test_unit_ready[6] = { 0 };
	int r;

	r = xo_pre_packet(file, test_unit_ready, sizeof(test_unit_ready), XO_DIR_NONE, NULL, 0,
			  NULL);
	if (r < 0)
		return r;
	return (flags & O_ACCMODE) != O_RDONLY && !random_writable(file) ? -EROFS : 0;
}

int xo_pre_capacity(uint32_t file, uint64_t *bytes)
{
	static const uint8_t cdb[10] = { 0x25 };
	uint8_t data[8] = { 0 };
	int r;

	r = xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_IN, data, sizeof(data), NULL);
	if (r == 0)
		*bytes = ((uint64_t)xo_get_be32(data) + 1) * XO_PRE_BLOCK;
	return r;
}

/* READ(10) or WRITE(10) of whole blocks. */
static int transfer(uint32_t file, bool out, void *data, uint32_t block, uint32_t count)
{
	uint8_t cdb[10] = { out ? 0x2a : 0x28 };

	xo_put_be32(cdb + 2, block);
	xo_put_be16(cdb + 7, count);
	return xo_pre_packet(file, cdb, sizeof(cdb), out ? XO_DIR_OUT : XO_DIR_IN, data,
			     count * XO_PRE_BLOCK, NULL);
}

/*
 * The part of [offset, offset + count) that one command can carry: whole blocks
 * straight into `data`, or one block by way of a buffer. Bytes done, or -errno.
 */
static ssize_t step(uint32_t file, bool out, uint8_t *data, size_t count, uint64_t offset)
{
	uint32_t largest = XO_MIN(xo_pre_max_transfer(), CHUNK) / XO_PRE_BLOCK;
	uint32_t block = (uint32_t)(offset / XO_PRE_BLOCK), blocks;
	size_t within = offset % XO_PRE_BLOCK, n;
	uint8_t buffer[XO_PRE_BLOCK];
	int r;

	if (within == 0 && count >= XO_PRE_BLOCK && largest > 0) {
		blocks = (uint32_t)XO_MIN(count / XO_PRE_BLOCK, largest);
		r = transfer(file, out, data, block, blocks);
		return r < 0 ? r : (ssize_t)blocks * XO_PRE_BLOCK;
	}
	n = XO_MIN(XO_PRE_BLOCK - within, count);
	r = transfer(file, false, buffer, block, 1);
	if (r < 0)
		return r;
	if (!out) {
		memcpy(data, buffer + within, n);
		return (ssize_t)n;
	}
	memcpy(buffer + within, data, n);
	r = transfer(file, true, buffer, block, 1);
	return r < 0 ? r : (ssize_t)n;
}

static ssize_t transfer_all(uint32_t file, bool out, uint8_t *data, size_t count, uint64_t offset)
{
	uint64_t size = 0;
	size_t done = 0;
	ssize_t n;
	int r;

	if (count == 0)
		return 0;
	r = xo_pre_capacity(file, &size);
	if (r < 0)
		return r;
	if (offset >= size)
		return out ? -ENOSPC : 0;
	count = (size_t)XO_MIN((uint64_t)count, size - offset);
	while (done < count) {
		n = step(file, out, data + done, count - done, offset + done);
		if (n < 0)
			return done > 0 ? (ssize_t)done : n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int check_mode(uint32_t file, int refused)
{
	uint64_t flags;
	int r = xo_pre_get(file, XO_EXEC_FLAGS, &flags);

	if (r < 0)
		return r;
	return (int)(flags & O_ACCMODE) == refused ? -EBADF : 0;
}

ssize_t xo_pre_pread(uint32_t file, void *data, size_t count, uint64_t offset)
{
	int r = check_mode(file, O_WRONLY);

	return r < 0 ? r : transfer_all(file, false, data, count, offset);
}

ssize_t xo_pre_pwrite(uint32_t file, const void *data, size_t count, uint64_t offset)
{
	int r = check_mode(file, O_RDONLY);

	return r < 0 ? r : transfer_all(file, true, (uint8_t *)(uintptr_t)data, count, offset);
}

/* At the file's position, which moves on. */
ssize_t xo_pre_read(uint32_t file, void *data, size_t count)
{
	uint64_t offset;
	ssize_t n;
	int r;

	r = xo_pre_get(file, XO_EXEC_OFFSET, &offset);
	if (r < 0)
		return r;
	n = xo_pre_pread(file, data, count, offset);
	if (n > 0)
		r = xo_pre_set(file, XO_EXEC_OFFSET, offset + (uint64_t)n);
	return r < 0 ? r : n;
}

ssize_t xo_pre_write(uint32_t file, const void *data, size_t count)
{
	uint64_t offset;
	ssize_t n;
	int r;

	r = xo_pre_get(file, XO_EXEC_OFFSET, &offset);
	if (r < 0)
		return r;
	n = xo_pre_pwrite(file, data, count, offset);
	if (n > 0)
		r = xo_pre_set(file, XO_EXEC_OFFSET, offset + (uint64_t)n);
	return r < 0 ? r : n;
}

int64_t xo_pre_seek(uint32_t file, int64_t offset, int whence)
{
	uint64_t base = 0;
	int64_t to;
	int r = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		r = xo_pre_get(file, XO_EXEC_OFFSET, &base);
		break;
	case SEEK_END:
		/* An empty drive is a device of size 0, not an error. */
		if (xo_pre_capacity(file, &base) < 0)
			base = 0;
		break;
	default:
		return -EINVAL;
	}
	if (r < 0)
		return r;
	if (__builtin_add_overflow((int64_t)base, offset, &to) || to < 0)
		return -EINVAL;
	r = xo_pre_set(file, XO_EXEC_OFFSET, (uint64_t)to);
	return r < 0 ? r : to;
}
