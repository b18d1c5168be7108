/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often something may happen: at most `limit` times in any `window_ns`. */
#ifndef XO_BACKEND_RATE_H
#define XO_BACKEND_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define XO_RATE_LIMIT_MAX 1024

struct xo_rate {
	unsigned int limit; /* 1 to XO_RATE_LIMIT_MAX; 0: never */
	uint64_t window_ns;
	unsigned int next; /* place of the oldest time */
	unsigned int count;
	uint64_t times[XO_RATE_LIMIT_MAX];
};

void xo_rate_init(struct xo_rate *rate, unsigned int limit, uint64_t window_ns);

/* Notes that it happens at `now` and says whether it may. What may not is not noted. */
bool xo_rate_allows(struct xo_rate *rate, uint64_t now);

#endif
