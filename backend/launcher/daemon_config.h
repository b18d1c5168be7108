/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's configuration: defaults, /etc/xenoptic/xenoptic.conf (inih), command line, in this order. */
#ifndef XO_BACKEND_CONFIG_H
#define XO_BACKEND_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define XO_CONFIG_ALLOW_MAX 16

/* [drive NAME]: what is configured of one drive. */
struct xo_drive_config {
	SLIST_ENTRY(xo_drive_config) entry;
	char *name; /* "/dev/…" or "virtual:NAME" */
	bool read_only;
	char *allow[XO_CONFIG_ALLOW_MAX]; /* --allow of xenoptic-drive */
	size_t allow_count;
	char *speed; /* KB/s; NULL: as the drive is */
	char *buffer; /* KiB, with speed; NULL: none */
	char *poll_ms; /* NULL: default */
	char *delay; /* --delay; NULL: none */
	char *fault; /* --fault; tests */
	char *trace; /* "yes": to the journal */
	bool never_lend; /* direct = no */
};

struct xo_config {
	char *path; /* of the file; NULL: the default one, which may be missing */
	char *run_dir;
	char *state_dir;
	char *libexec_dir;
	char *libxl_dir; /* where libxl keeps its domains' JSON */
	char *user; /* of the workers */
	bool toolstack; /* serve the toolstack role */
	bool backend; /* serve the backend role */
	unsigned int restart_limit; /* restarts of one worker … */
	unsigned int restart_window; /* … in so many seconds */
	unsigned int hold_seconds; /* the longest that a new domain is held paused */
	unsigned int open_timeout; /* s that a busy drive is tried */
	unsigned int log_level;
	SLIST_HEAD(, xo_drive_config) drives;
};

/* Defaults. 0 or -ENOMEM. */
int xo_config_init(struct xo_config *config);
void xo_config_fini(struct xo_config *config);

/* Reads `path`. What is wrong is logged with the line. 0, -ENOENT, -EINVAL, -errno. */
int xo_config_read(struct xo_config *config, const char *path);

/* Sets a text option; the old one is freed. */
int xo_config_set(char **option, const char *value);

/* What is configured for that drive, or NULL. */
const struct xo_drive_config *xo_config_drive(const struct xo_config *config, const char *name);

#endif
