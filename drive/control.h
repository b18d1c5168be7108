/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the launcher's channel (control.c) and its commands (commands.c). */
#ifndef XO_DRIVE_CONTROL_H
#define XO_DRIVE_CONTROL_H

#include "drive.h"

/* A command as it came; descriptors that a handler keeps are set to -1. */
struct xo_control_call {
	struct xo_drive *drive;
	json_t *id; /* NULL: none */
	json_t *arguments; /* NULL: none */
	int *fds;
	size_t fd_count;
};

/*
 * Either `handle` answers at once, or the command waits for the drive: then `run` is called without
 * the loop and `finish` answers. `applies` may refuse it before (and says so).
 */
struct xo_control_command {
	const char *name;
	size_t fds_min;
	size_t fds_max;
	void (*handle)(struct xo_control_call *call);
	bool (*applies)(struct xo_control_call *call);
	int (*run)(struct xo_drive *drive, struct xo_control_job *job);
	void (*finish)(struct xo_drive *drive, struct xo_control_job *job);
};

const struct xo_control_command *xo_control_find(const char *name);

/* Consumes message and fd. */
void xo_control_send_or_keep(struct xo_drive *drive, json_t *message, int fd);
/* Consumes data (NULL: {}) and fd (-1: none). */
void xo_control_reply(struct xo_drive *drive, const json_t *id, json_t *data, int fd);
void xo_control_refuse(struct xo_drive *drive, const json_t *id, const char *class,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A memfd with the text, or -errno. */
int xo_control_text_fd(const char *text, size_t length);

#endif
