/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leader and follower: two threads, so that the loop answers while a command
 * keeps the drive busy for an hour, and a quick command costs no hand-over.
 *
 * One thread owns the loop and all state; it runs the jobs too. The other sleeps. Once a job has
 * lasted for 50 to 100 ms (or at once, if it is known to be slow) the sleeper
 * becomes the owner, and whoever ran the job becomes the sleeper when it ends.
 * There is no lock: the state has one owner at any time, and a running job
 * touches only what belongs to it.
 */
#ifndef XO_BASE_RUNNER_H
#define XO_BASE_RUNNER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct xo_runner_ops {
	/* Owner: the next job, or NULL. Called only while none runs. */
	void *(*next)(void *priv);
	/* Owner: whether the job may block for long. */
	bool (*slow)(void *priv, void *job);
	/* Without the loop: carry it out. */
	void (*run)(void *priv, void *job);
	/* Owner: it has been carried out. */
	void (*finish)(void *priv, void *job);
};

struct xo_runner {
	struct xo_loop *loop;
	const struct xo_runner_ops *ops;
	void *priv;
	void *active; /* the job that runs; the owner's */
	struct xo_watch done; /* eventfd: a job whose loop was taken over has ended */
	pthread_t thread;
	bool threaded;
	bool quit;
	uint32_t state; /* enum run_state of runner.c */
	uint32_t sequence; /* of jobs started */
	uint32_t wake; /* futex, changes when the follower is wanted */
	uint32_t asleep; /* the follower waits without end */
	uint32_t started; /* futex: the second thread runs */
	uint32_t handover; /* the follower is to lead at once */
	uint64_t handovers; /* counted for tests and benches */
};

/* `loop` and `ops` are borrowed. Without xo_runner_start() everything runs in one thread. */
int xo_runner_init(struct xo_runner *runner, struct xo_loop *loop, const struct xo_runner_ops *ops,
		   void *priv);
/* Starts the second thread, and waits until it runs. */
int xo_runner_start(struct xo_runner *runner);
/* Leads (and follows) until xo_runner_quit(). */
int xo_runner_run(struct xo_runner *runner);
/* Owner: both threads leave after the event being handled. */
void xo_runner_quit(struct xo_runner *runner);
/* Joins and frees; not while a job runs. */
void xo_runner_fini(struct xo_runner *runner);

/* One thread, for tests: runs what is queued, then one step of the loop, which may wait. */
int xo_runner_step(struct xo_runner *runner);

#endif
