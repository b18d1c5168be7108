/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease: which link has the drive. none -> held -> draining -> none; the
 * whole state is one 64-bit word, so that one store in the ledger moves it.
 *
 * The functions are pure: they say what the state becomes; the caller commits
 * it and does what follows from it (undo, notices).
 */
#ifndef XO_DRIVE_LEASE_H
#define XO_DRIVE_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xo_lease_state {
	XO_LEASE_NONE = 0,
	XO_LEASE_HELD = 1,
	XO_LEASE_DRAINING = 2, /* the holder is gone: its command ends, what it left is undone */
	XO_LEASE_PASSING =
		3, /* as draining, but the heir goes on where it was: nothing is undone */
};

struct xo_lease {
	enum xo_lease_state state;
	uint32_t holder; /* link id; 0 only with XO_LEASE_NONE */
	uint32_t next; /* link that gets it after draining; 0: nobody yet */
};

/* As stored: state in the top 2 bits, then holder and next of 31 bits each. */
uint64_t xo_lease_pack(const struct xo_lease *lease);
/* -EINVAL for a word that is no lease. */
int xo_lease_unpack(uint64_t word, struct xo_lease *lease);

/* A link as the lease sees it. */
struct xo_lease_link {
	uint32_t id;
	uint32_t domid;
	const char *uuid; /* of the domain */
	uint64_t joined; /* order of attachment */
};

/* How a link stands towards the lease. */
enum xo_lease_standing {
	XO_STANDING_WAITING,
	XO_STANDING_NEXT,
	XO_STANDING_HELD,
};
enum xo_lease_standing xo_lease_standing(const struct xo_lease *lease, uint32_t link);

/*
 * `link` has been attached. `holder` and `next` are those of the lease (NULL where it names none).
 * `resume`: an heir goes on where the holder was.
 */
struct xo_lease xo_lease_attach(const struct xo_lease *lease, const struct xo_lease_link *holder,
				const struct xo_lease_link *next, const struct xo_lease_link *link,
				bool resume);

/*
 * `link` has been removed; links[0..count) are those that remain. `holder` is the one of the lease,
 * also if it is the one removed. `resume`: what it left is not to be undone (failed migration).
 */
struct xo_lease xo_lease_detach(const struct xo_lease *lease, const struct xo_lease_link *holder,
				uint32_t link, const struct xo_lease_link *links, size_t count,
				bool resume);

/* Nothing of the holder is in the drive any more. */
struct xo_lease xo_lease_drained(const struct xo_lease *lease);

#endif
