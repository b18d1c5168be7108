/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Supervision: starting a worker (base/worker.h), its control channel, its
 * end and its successor with the same ledger, and finding it again after the
 * launcher's own restart.
 */
#ifndef XO_BACKEND_WORKER_H
#define XO_BACKEND_WORKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>

#include "keeper.h"
#include "rate.h"

#define XO_WORKER_NAME_MAX 256
#define XO_WORKER_COOKIE_MAX 40
#define XO_SPAWN_ARGS_MAX 96
#define XO_SPAWN_FDS_MAX 32
#define XO_WORKER_QUEUE_MAX 256

/* The class of the error that a command gets when the worker ended before it answered. */
#define XO_WORKER_DIED "WorkerDied"

struct xo_worker;

/* What the workers have in common. */
struct xo_workers {
	uv_loop_t *loop;
	struct xo_keeper *keeper;
	const char *libexec_dir;
	unsigned int restart_limit;
	unsigned int restart_window; /* s */
	LIST_HEAD(, xo_worker) list;
	uint64_t next_cookie;
	/* Something about them changed that the state file must know. */
	void (*changed)(struct xo_workers *workers);
	void *priv;
};

/* A command line and the descriptors it names, while being put together. */
struct xo_spawn {
	char *argv[XO_SPAWN_ARGS_MAX + 1];
	unsigned int argc;
	int fds[XO_SPAWN_FDS_MAX]; /* borrowed */
	unsigned int fd_count;
	bool failed;
};

void xo_spawn_arg(struct xo_spawn *spawn, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Hands `fd` (borrowed) over; returns its number in the worker. */
int xo_spawn_fd(struct xo_spawn *spawn, int fd);

struct xo_worker_ops {
	const char *role;
	const char *program; /* in the libexec directory */
	size_t ledger_region;
	/* Puts together the command line, also for each successor. */
	void (*build)(struct xo_worker *worker, struct xo_spawn *spawn);
	/* It was started; for a successor too. Commands may be sent. */
	void (*started)(struct xo_worker *worker);
	/* An event; descriptors that are to be kept are replaced by -1 in fds. */
	void (*event)(struct xo_worker *worker, const char *event, const json_t *data, int *fds,
		      size_t count);
	/* Nothing more will come from it: it has closed its end of the channel, or is dying. May be NULL. */
	void (*closed)(struct xo_worker *worker);
	/* It ended for good; `why` says so for people, NULL: as it was told to. */
	void (*ended)(struct xo_worker *worker, const char *why);
	/* What the launcher's successor must know, should the worker be dead by then as well. */
	json_t *(*save)(const struct xo_worker *worker);
};

/*
 * The answer to a command: `data`, or NULL and an error. Descriptors as in
 * event. Called exactly once.
 */
typedef void xo_worker_reply(void *priv, const json_t *data, const char *error_class,
			     const char *error, int *fds, size_t count);

struct xo_worker_pending {
	STAILQ_ENTRY(xo_worker_pending) entry;
	uint64_t id;
	xo_worker_reply *reply;
	void *priv;
};

struct xo_worker_packet {
	STAILQ_ENTRY(xo_worker_packet) entry;
	json_t *message;
	int fds[4];
	size_t count;
};

struct xo_worker {
	LIST_ENTRY(xo_worker) entry;
	struct xo_workers *all;
	const struct xo_worker_ops *ops;
	void *priv;
	char name[XO_WORKER_NAME_MAX]; /* unique in its role */
	char cookie
		[XO_WORKER_COOKIE_MAX]; /* in its environment; finds it when its pid was not yet written down */
	pid_t pid; /* 0: does not run */
	uint64_t start_time; /* of the process, in ticks (proc(5)) */
	int pidfd; /* of an adopted one; -1: our own child */
	int control; /* our end; -1: none */
	int ledger;
	bool ready; /* said "ready" since its start */
	bool stopping; /* its end is wanted */
	bool replaced; /* and a successor */
	bool died; /* adopted without a process; see xo_workers_revive */
	unsigned int starts;
	struct xo_rate rate;
	uint64_t next_id;
	STAILQ_HEAD(, xo_worker_pending) pending;
	STAILQ_HEAD(, xo_worker_packet) queue;
	size_t queued;
	uv_process_t *process;
	uv_poll_t *control_poll;
	uv_poll_t *pid_poll;
};

int xo_worker_new(struct xo_workers *all, const struct xo_worker_ops *ops, const char *name,
		  void *priv, struct xo_worker **worker);

/*
 * Forgets it: descriptors closed, commands answered with XO_WORKER_DIED. A process
 * that still runs goes on. Not from within one of its own callbacks but `ended`.
 */
void xo_worker_free(struct xo_worker *worker);

/* Starts it, or its successor. 0 or -errno (logged). */
int xo_worker_start(struct xo_worker *worker);

/* How a former launcher wrote a worker down (state.c). */
struct xo_worker_record {
	const char *name;
	const char *cookie;
	pid_t pid; /* 0: not known, perhaps never started */
	uint64_t start_time;
	bool stopping;
	const json_t *config; /* what `save` returned */
};

/*
 * Takes over what a former launcher started, with its descriptors from the keeper. Its process
 * is the one with this pid and start time or (pid 0) with the cookie in its environment. There may be
 * none: then `died` is set, its last words can be read, and xo_workers_revive ends it or starts
 * its successor. -ENOENT: the keeper has not got what it takes.
 */
int xo_worker_adopt(struct xo_worker *worker, const struct xo_worker_record *record);

/* When all that a former launcher left has been adopted: sees to those that died. */
void xo_workers_revive(struct xo_workers *all);

/* Our environment with the cookie, without what is ours alone. The caller frees the array, not the strings. */
char **xo_worker_environment(char *cookie);

/* Sends a command; `arguments` is consumed, fds are borrowed. reply may be NULL. */
int xo_worker_command(struct xo_worker *worker, const char *command, json_t *arguments,
		      const int *fds, size_t count, xo_worker_reply *reply, void *priv);

/*
 * Sends it to an adopted worker and waits for the answer, handling nothing else; for start-up only. NULL: there was
 * none; `died` is set if there will be none, since the process has ended: see xo_workers_revive.
 */
json_t *xo_worker_ask(struct xo_worker *worker, const char *command, unsigned int timeout_ms);

/* From now on its end is no failure. */
void xo_worker_expect_end(struct xo_worker *worker);

/*
 * It has given back all but what its process cannot let go of before it is dead: from now on it is
 * another's, with its cookie for a name; its old name is free. Its end is no failure.
 */
void xo_worker_hand_over(struct xo_worker *worker, const struct xo_worker_ops *ops, void *priv);

/* SIGKILL, and its successor is started when it is dead; `started` tells. Not counted as a failure. */
void xo_worker_replace(struct xo_worker *worker);

/* SIGKILL and no successor; `ended` follows when it is dead. */
void xo_worker_kill(struct xo_worker *worker);

#endif
