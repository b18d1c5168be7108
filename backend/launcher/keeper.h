/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launcher's side of xenoptic-keeper (base/keeper_control.h): every descriptor
 * that a successor of the launcher, or of a worker, needs is put there under a
 * name before anybody relies on it. A keeper that dies is replaced and given
 * everything again.
 */
#ifndef XO_BACKEND_KEEPER_H
#define XO_BACKEND_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/keeper_control.h"
#include "rate.h"

struct xo_kept {
	char name[XO_KEEPER_NAME_MAX];
	int fd;
};

struct xo_keeper {
	uv_loop_t *loop;
	const char *libexec_dir;
	const char *user;
	char *path; /* of its socket */
	int fd; /* connection; -1: none */
	uv_poll_t *poll; /* hears that it hung up */
	uv_process_t *process; /* NULL: a former launcher's child */
	struct xo_rate rate; /* of its starts */
	LIST_HEAD(, xo_keeper_entry) entries; /* what it holds of ours */
};

/* Finds the keeper of this run directory, or starts one. 0 or -errno (logged). */
int xo_keeper_open(struct xo_keeper *keeper, uv_loop_t *loop, const char *run_dir,
		   const char *libexec_dir, const char *user);

/* Hangs up: what is kept stays. With `end` the keeper ends. What is put or dropped afterwards is passed over. */
void xo_keeper_close(struct xo_keeper *keeper, bool end);

/*
 * Keeps up to XO_CONTROL_FDS_MAX descriptors: duplicates; ours must stay open, under the same
 * number, until it is dropped. Failure is logged: the daemon goes on, less safe.
 */
void xo_keeper_put(struct xo_keeper *keeper, const struct xo_kept *kept, size_t count);
/* One with a name put together. */
void xo_keeper_put_one(struct xo_keeper *keeper, int fd, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Gets all of them into kept[].fd, which are then ours and kept as well. 0, -ENOENT or -errno. */
int xo_keeper_get(struct xo_keeper *keeper, struct xo_kept *kept, size_t count);
/* One; the descriptor or -errno. */
int xo_keeper_get_one(struct xo_keeper *keeper, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* On return the keeper has closed them. */
void xo_keeper_drop(struct xo_keeper *keeper, const struct xo_kept *kept, size_t count);
void xo_keeper_drop_one(struct xo_keeper *keeper, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What a former launcher put and nobody got is of no use. */
void xo_keeper_sweep(struct xo_keeper *keeper);

#endif
