/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies in the trays of virtual drives: STATE-DIR/drives/NAME.json names
 * the disc, a sector file with its description (PATH.json) beside it.
 */
#ifndef XO_BACKEND_TRAY_H
#define XO_BACKEND_TRAY_H

#include <stdbool.h>
#include <stddef.h>

struct xo_tray_disc {
	char *path; /* of the sector file; NULL: the tray is empty */
	bool read_only;
	bool image; /* it has no description */
	int sectors_fd;
	int description_fd; /* of the description as it stands, at 0 */
};

void xo_tray_disc_init(struct xo_tray_disc *disc);
void xo_tray_disc_fini(struct xo_tray_disc *disc);

/* Opens both files of the disc at `path`; without a description it is a finished data disc. The reason of a failure is in error[size]. */
int xo_tray_disc_open(struct xo_tray_disc *disc, const char *path, bool read_only, char *error,
		      size_t size);

/* Opens the description anew, as it was saved last. */
int xo_tray_disc_reopen_description(struct xo_tray_disc *disc);

/* Replaces the description with what is in `fd`, atomically and for good. 0 or -errno. */
int xo_tray_disc_save(const struct xo_tray_disc *disc, int fd, size_t length);

/* What was recorded as lying in the drive's tray: 0 with path NULL when nothing. The caller frees *path. */
int xo_tray_read(const char *state_dir, const char *drive, char **path, bool *read_only);

/* Records it; path NULL: nothing. */
int xo_tray_write(const char *state_dir, const char *drive, const char *path, bool read_only);

/* Writes a file so that it is there as a whole or as it was before (temporary, fsync, rename). */
int xo_file_replace(const char *path, const void *data, size_t length, bool durable);

#endif
