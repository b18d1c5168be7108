/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines by which Dom0 runs commands in a guest over its PV console: SOH, a job's number, a letter, and bytes in
 * hex. Whatever does not begin with SOH is console output. Both ends are the testbed's own, but the guest's may break.
 *
 *   to the guest:   p (are you there), r HEX (a piece of the command), g (go), k (kill)
 *   to Dom0:        y (here), o HEX (output), e HEX (one byte: the exit status)
 */
#ifndef XO_TEST_FRAME_H
#define XO_TEST_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FRAME_MARK '\001'
#define FRAME_DATA 256
#define FRAME_LINE (2 * FRAME_DATA + 32)

struct frame {
	unsigned int job;
	char kind;
	size_t len;
	unsigned char data[FRAME_DATA];
};

static inline int frame_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Parse one line without its end; false if it is not a whole frame. */
static inline bool frame_parse(const char *line, struct frame *f)
{
	int at = 0;

	f->len = 0;
	if (line[0] != FRAME_MARK || sscanf(line + 1, "%u %c %n", &f->job, &f->kind, &at) != 2)
		return false;
	for (line += 1 + at; line[0] && f->len < FRAME_DATA; line += 2) {
		int hi = frame_nibble(line[0]), lo = hi < 0 ? -1 : frame_nibble(line[1]);

		if (lo < 0)
			return false;
		f->data[f->len++] = (unsigned char)(hi << 4 | lo);
	}
	return line[0] == '\0';
}

static inline int frame_write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r <= 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static inline int frame_send(int fd, unsigned int job, char kind, const void *data, size_t len)
{
	const unsigned char *p = data;
	char line[FRAME_LINE];
	int n = snprintf(line, sizeof(line), "%c%u %c ", FRAME_MARK, job, kind);

	for (size_t i = 0; i < len && i < FRAME_DATA; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%02x", p[i]);
	line[n++] = '\n';
	return frame_write_all(fd, line, (size_t)n);
}

#endif
