/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A logical unit as a stack: filters (trace, policy, attention, events,
 * handover, split, fault, delay: stack.c) over a bottom (pass-through or the
 * virtual burner), all with the same operations. A filter works on the command
 * and calls the next one. The lease is with the links.
 */
#ifndef XO_DRIVE_UNIT_H
#define XO_DRIVE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/link.h"

struct xo_journal;

/* One packet command on its way down, and its result on the way up. */
struct xo_command {
	/* in */
	uint8_t cdb[XO_CDB_MAX];
	uint8_t cdb_length;
	uint8_t direction; /* enum xo_direction */
	uint32_t timeout; /* s */
	uint32_t length; /* bytes of data the client offers */
	uint8_t *data; /* in the arena: the client may change it at any time; parse only copies */
	uint64_t id; /* unique in the drive's life and the same when repeated after a restart */
	const char *client; /* name for messages */
	bool read_only; /* the client may not write */
	struct xo_journal
		*journal; /* of the command's slot (drive/journal.h); NULL: none is kept */
	/* out */
	uint8_t status; /* SAM status */
	uint8_t transport; /* enum xo_transport */
	uint8_t sense_length;
	uint8_t sense[XO_SENSE_MAX];
	uint32_t residual; /* of length */
};

struct xo_unit;

struct xo_unit_ops {
	const char *name;
	/*
	 * Runs the command to its end (may block as long as the drive does) and
	 * fills the results. One thread at a time.
	 */
	void (*execute)(struct xo_unit *unit, struct xo_command *command);
	/* A client got or let go of the drive: undo what it left (PREVENT, AGIDs, speed, an open session). */
	void (*release)(struct xo_unit *unit);
	void (*free)(struct xo_unit *unit);
};

struct xo_unit {
	const struct xo_unit_ops *ops;
	struct xo_unit *next; /* NULL at the bottom */
};

static inline void xo_unit_execute(struct xo_unit *unit, struct xo_command *command)
{
	unit->ops->execute(unit, command);
}

#endif
