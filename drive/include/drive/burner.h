/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual burner: an MMC-6 logical unit on a disc image. The bottom of a
 * stack like pass-through; also used in-process by tests and fuzzers.
 *
 * All its state lies in a region given by the caller (the ledger's), without
 * pointers and in two copies: a command works on the one, and one store makes
 * it the valid one together with the command's id and result. So a burner that
 * is killed in a command and opened again on the same region either has done
 * the command (and answers the same id again without doing it) or has not.
 */
#ifndef XO_DRIVE_BURNER_H
#define XO_DRIVE_BURNER_H

#include "drive/unit.h"

/* Bytes that a burner's region needs; aligned to 64. */
size_t xo_burner_region_size(void);

/*
 * What the burner calls out to. `save_description` is given the disc's
 * description as JSON text, whenever it changed in a way that must survive
 * (NULL: not kept). `tray` tells of the tray opened or closed by a command.
 */
struct xo_burner_host {
	void *priv;
	void (*save_description)(void *priv, const char *json, size_t length);
	void (*tray)(void *priv, bool open);
};

/*
 * Opens a burner on `region` (xo_burner_region_size() bytes; zeros: new, with an empty
 * closed tray; otherwise its former state).
 */
int xo_burner_new(struct xo_unit **unit, void *region, const struct xo_burner_host *host);

/*
 * Inserts the disc whose sector file is `sectors_fd` (taken over; read-write, or
 * read-only for a disc that must not change) and whose description is `json`.
 * -EINVAL: the description is not valid (said in *error, which the caller frees);
 * -EBUSY: the door is locked or the tray holds a disc. After a restart it is called again with `again`
 * set: then only the descriptor is taken and the region's state stays.
 */
int xo_burner_insert(struct xo_unit *unit, int sectors_fd, const char *json, size_t length,
		     bool again, char **error);

/* The host's side of the eject button. -EBUSY: locked (an eject request event is raised instead). */
int xo_burner_eject(struct xo_unit *unit, bool force);

/* Commands that were carried out, each id once: the proof of "exactly once". */
uint64_t xo_burner_commands(const struct xo_unit *unit);

#endif
