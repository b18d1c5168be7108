/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to stderr with journald's <N> prefixes. What a guest can cause is
 * logged through xo_log_limited, which a guest cannot turn into a flood.
 */
#ifndef XO_BASE_LOG_H
#define XO_BASE_LOG_H

#include <stdint.h>

enum xo_log_level {
	XO_LOG_ERROR = 3,
	XO_LOG_WARNING = 4,
	XO_LOG_NOTICE = 5,
	XO_LOG_INFO = 6,
	XO_LOG_DEBUG = 7,
};

/*
 * `ident` names the process and its subject, for example "xenoptic-ring[3/0]";
 * it is copied. `level` is the most detailed one written. Call once at start.
 */
void xo_log_open(const char *ident, enum xo_log_level level);

/* One line; a newline is added. Control characters in it become '?'. */
void xo_log(enum xo_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* At most `burst` lines in ten seconds for one place, then a line that counts what was left out. */
struct xo_log_limit {
	uint64_t window_ns;
	unsigned int count;
	unsigned int suppressed;
};
void xo_log_limited_at(struct xo_log_limit *limit, enum xo_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define xo_error(...) xo_log(XO_LOG_ERROR, __VA_ARGS__)
#define xo_warning(...) xo_log(XO_LOG_WARNING, __VA_ARGS__)
#define xo_notice(...) xo_log(XO_LOG_NOTICE, __VA_ARGS__)
#define xo_info(...) xo_log(XO_LOG_INFO, __VA_ARGS__)
#define xo_debug(...) xo_log(XO_LOG_DEBUG, __VA_ARGS__)
#define xo_log_limited(level, ...)                                 \
	do {                                                       \
		static struct xo_log_limit xo_limit_;              \
		xo_log_limited_at(&xo_limit_, level, __VA_ARGS__); \
	} while (0)

#endif
