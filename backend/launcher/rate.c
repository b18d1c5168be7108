/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sliding window over the times of what happened. */
#include "rate.h"

#include "base/bytes.h"

void xo_rate_init(struct xo_rate *rate, unsigned int limit, uint64_t window_ns)
{
	*rate = (struct xo_rate){
		.limit = XO_MIN(limit, XO_RATE_LIMIT_MAX),
		.window_ns = window_ns,
	};
}

bool xo_rate_allows(struct xo_rate *rate, uint64_t now)
{
	if (!rate->limit)
		return false;
	if (rate->count == rate->limit && now - rate->times[rate->next] < rate->window_ns)
		return false;
	rate->times[rate->next] = now;
	rate->next = (rate->next + 1) % rate->limit;
	if (rate->count < rate->limit)
		rate->count++;
	return true;
}
