/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named points in the code, where a test lets a process die: after how many
 * passes is said by XENOPTIC_KILL in the environment, "NAME=N[,NAME=N…]", read
 * once at start; "NAME=N!": there it makes a system call that its filter forbids instead, and dies of
 * that if the filter works. The passes are counted in the ledger, so a point that killed
 * a worker does not kill its successor at the same pass again.
 *
 * Each process lists its points once:
 *	static const char *const points[] = { [P_TAKEN] = "ring.taken", … };
 *	xo_point_init(points, XO_ARRAY_SIZE(points), &ledger);
 */
#ifndef XO_BASE_POINT_H
#define XO_BASE_POINT_H

#include "base/ledger.h"

extern uint64_t *xo_point_hits; /* NULL: not armed */

/* `ledger` may be NULL: then the counts are this process's own. Names of other processes are passed over. -EINVAL: malformed. */
int xo_point_init(const char *const *names, size_t count, struct xo_ledger *ledger);

void xo_point_pass(unsigned int point);

static inline void xo_point(unsigned int point)
{
	if (__builtin_expect(xo_point_hits != NULL, 0))
		xo_point_pass(point);
}

#endif
