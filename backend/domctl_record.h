/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which domains xenoptic-domctl holds: a small file that it has mapped, so that
 * whoever comes after it knows, however it ended. The file's lock says who is in charge.
 */
#ifndef XO_BACKEND_DOMCTL_RECORD_H
#define XO_BACKEND_DOMCTL_RECORD_H

#include <stdint.h>

#define XO_HOLDS_MAX 64u /* at a time; a domain beyond is not held */

enum xo_hold_state {
	XO_HOLD_FREE,
	XO_HOLD_PAUSING, /* about to be paused, or just paused: not known which, if found by a successor */
	XO_HOLD_PAUSED, /* once, by us */
};

struct xo_hold {
	uint64_t until; /* ns of CLOCK_MONOTONIC */
	uint32_t domid;
	uint32_t state; /* stored last */
	uint8_t handle[16]; /* the domain's UUID: an id may be another's by now */
};

struct xo_record {
	int fd;
	struct xo_hold *holds; /* XO_HOLDS_MAX, mapped */
};

/*
 * Opens the record, made if it is not there. A predecessor that still lives is told to
 * end, and has ended when this returns. 0 or -errno (logged).
 */
int xo_record_open(struct xo_record *record, const char *path);

/* The hold of a domain, NULL: none. */
struct xo_hold *xo_record_find(struct xo_record *record, uint32_t domid);
/* A free one; NULL: there is no room. */
struct xo_hold *xo_record_new(struct xo_record *record);

#endif
