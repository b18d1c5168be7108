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
 *
 * System calls that it makes: pread64, pwrite64, fdatasync, ftruncate, fstat,
 * fcntl(F_GETFL) at an insertion, clock_gettime, close. It allocates memory
 * when it is made and, to parse a description, at an insertion.
 */
#ifndef XO_DRIVE_BURNER_H
#define XO_DRIVE_BURNER_H

#include <sys/types.h>

#include "drive/unit.h"

/* Bytes that a burner's region needs; aligned to 64. */
size_t xo_burner_region_size(void);

/* Around the store that makes a command done; for tests that kill. */
enum xo_burner_point {
	XO_BURNER_DONE, /* carried out, nothing of it is valid yet */
	XO_BURNER_COMMITTED, /* valid, the host has not been told yet */
};

/*
 * What the burner calls out to; each may be NULL. `save_description` is given the disc's
 * description as JSON text, whenever it changed in a way that must survive (again after a
 * restart, if it may not have been kept). `tray` tells of the tray opened or closed by a command.
 */
struct xo_burner_host {
	void *priv;
	void (*save_description)(void *priv, const char *json, size_t length);
	void (*tray)(void *priv, bool open);
	void (*point)(void *priv, enum xo_burner_point point);
};

/*
 * Opens a burner on `region` (xo_burner_region_size() bytes; zeros: new, with an empty
 * closed tray; otherwise its former state). -EPROTO: the region is another program's.
 */
int xo_burner_new(struct xo_unit **unit, void *region, const struct xo_burner_host *host);

/*
 * Inserts the disc whose sector file is `sectors_fd` (taken over, also after an error; read-write,
 * or read-only for a disc that must not change) and whose description is `json` (NULL: a finished
 * data disc of the file's size, as an ISO file is).
 * -EINVAL: the description is not valid (said in *error, which the caller frees);
 * -EBUSY: the door is locked or the tray holds a disc. After a restart it is called again with
 * `again` set: then only the descriptor is taken and the region's state stays (-ENOENT: there was
 * no disc).
 */
int xo_burner_insert(struct xo_unit *unit, int sectors_fd, const char *json, size_t length,
		     bool again, char **error);

/*
 * The host's side of the eject button: the disc leaves the drive, the tray stays open.
 * -EBUSY: locked or at work (an eject request event is raised instead), unless forced;
 * -ENOENT: there is no disc.
 */
int xo_burner_eject(struct xo_unit *unit, bool force);

/* Gives the description of the disc to the host again, if there is one. */
void xo_burner_save(struct xo_unit *unit);

/* Whether a disc is in the drive, as after xo_burner_new on a former state. */
bool xo_burner_loaded(const struct xo_unit *unit);

/* The same, and the tray is closed: Media Present of MMC-6 6.6.2.6. */
bool xo_burner_medium_present(const struct xo_unit *unit);

/* The disc's description as it is now, as save_description gets it. Its length, -ENOENT or -ENOSPC. */
ssize_t xo_burner_describe(const struct xo_unit *unit, char *text, size_t size);

/* Commands that were carried out, each id once: the proof of "exactly once". */
uint64_t xo_burner_commands(const struct xo_unit *unit);

#endif
