/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trailer of QEMU's saved state. */
#include "trailer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

#define FOOTER_SIZE 16u
#define VERSION 1u
#define LENGTH_MAX (1u << 20)

static const uint8_t magic[8] = "XOPTICAL"; /* then version and length of the text, little endian */

static int write_whole(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int xo_trailer_write(int fd, const json_t *controllers)
{
	uint8_t footer[FOOTER_SIZE];
	char *text = json_dumps(controllers, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0;
	int r = text && length <= LENGTH_MAX ? 0 : -ENOMEM;

	memcpy(footer, magic, sizeof(magic));
	xo_put_le32(footer + 8, VERSION);
	xo_put_le32(footer + 12, (uint32_t)length);
	if (!r)
		r = write_whole(fd, text, length);
	if (!r)
		r = write_whole(fd, footer, sizeof(footer));
	free(text);
	return r;
}

static int read_at(int fd, void *data, size_t length, off_t offset)
{
	ssize_t n = pread(fd, data, length, offset);

	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EINVAL;
}

int xo_trailer_read(int fd, json_t **controllers)
{
	uint8_t footer[FOOTER_SIZE];
	uint32_t length;
	struct stat st;
	char *text;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(footer))
		return -ENOENT;
	r = read_at(fd, footer, sizeof(footer), st.st_size - (off_t)sizeof(footer));
	if (r)
		return r;
	if (memcmp(footer, magic, sizeof(magic)) != 0)
		return -ENOENT;
	length = xo_get_le32(footer + 12);
	if (xo_get_le32(footer + 8) != VERSION || length > LENGTH_MAX ||
	    (off_t)length > st.st_size - (off_t)sizeof(footer))
		return -EINVAL;
	text = malloc(length + 1u);
	if (!text)
		return -ENOMEM;
	r = read_at(fd, text, length, st.st_size - (off_t)sizeof(footer) - (off_t)length);
	*controllers = r ? NULL : json_loadb(text, length, 0, NULL);
	free(text);
	return r ? r : *controllers ? 0 : -EINVAL;
}
