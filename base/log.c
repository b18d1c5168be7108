/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to stderr: one write(2) a line, so that lines of several processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/loop.h"

#define WINDOW_NS 10000000000ull
#define BURST 20

static char log_ident[64] = "xenoptic";
static enum xo_log_level log_level = XO_LOG_INFO;

void xo_log_open(const char *ident, enum xo_log_level level)
{
	snprintf(log_ident, sizeof(log_ident), "%s", ident);
	log_level = level;
}

static void log_write(enum xo_log_level level, const char *format, va_list args)
{
	char line[1024];
	size_t prefix;
	size_t length;
	ssize_t r;
	int n;

	n = snprintf(line, sizeof(line), "<%d>%s: ", (int)level, log_ident);
	prefix = (size_t)n;
	n = vsnprintf(line + prefix, sizeof(line) - prefix, format, args);
	if (n < 0)
		return;
	length = XO_MIN(prefix + (size_t)n, sizeof(line) - 2);
	for (size_t i = prefix; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	do
		r = write(STDERR_FILENO, line, length);
	while (r < 0 && errno == EINTR);
}

void xo_log(enum xo_log_level level, const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	log_write(level, format, args);
	va_end(args);
	errno = saved;
}

void xo_log_limited_at(struct xo_log_limit *limit, enum xo_log_level level, const char *format, ...)
{
	uint64_t now;
	int saved = errno;
	va_list args;

	if (level > log_level)
		return;
	now = xo_now_ns();
	if (!limit->window_ns || now - limit->window_ns > WINDOW_NS) {
		if (limit->suppressed)
			xo_log(level, "(%u more like the next line were left out)",
			       limit->suppressed);
		limit->window_ns = now;
		limit->count = 0;
		limit->suppressed = 0;
	}
	if (limit->count >= BURST) {
		limit->suppressed++;
		errno = saved;
		return;
	}
	limit->count++;
	va_start(args, format);
	log_write(level, format, args);
	va_end(args);
	errno = saved;
}
