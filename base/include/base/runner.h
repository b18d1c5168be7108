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
 *
 * Where nearly all that wakes the loop is one event (struct xo_runner_event), the owner waits for that alone, in one
 * system call where epoll_wait and a read are two, and leaves the loop to whoever needs it: the sleeper, which waits
 * for everything else, handles what comes, and gives the loop back; or the waiting thread itself, when the event is
 * there.
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
	/* New owner: a job runs that is slow. Optional. */
	void (*taken)(void *priv);
};

/* Borrowed. */
struct xo_runner_event {
	/* How the loop hears of it while no thread waits; the runner adds and removes it. */
	struct xo_watch *watch;
	/* Owner: little else is to be expected. */
	bool (*quiet)(void *priv);
	/* Without the loop: waits, and reads it. 1: it came; 0 or -errno: it did not, and the loop is asked for it. */
	int (*wait)(void *priv);
	/* Owner: `wait` has returned 1. */
	void (*arrived)(void *priv);
	/* The loop cannot go on, and the other thread may wait: ends the process. */
	void (*fail)(void *priv, int error);
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
	/* xo_runner_wait_for() */
	const struct xo_runner_event *event;
	bool forgotten; /* the owner's: it is of no interest any more */
	unsigned int calm; /* the owner's: quiet turns in a row */
	bool waiting; /* the owner's: a thread has gone to wait for the event, and its word was not heard yet */
	uint32_t came; /* that word; enum came of runner.c */
	uint32_t parking; /* the follower looks at the loop, for the owner waits */
	uint32_t wanted; /* the follower has seen that the loop has something */
	int nudge_fd; /* eventfd: `wake` has changed, for a follower that waits for the loop as well */
	int aside_fd; /* epoll of both */
	uint64_t handovers; /* counted for tests and benches */
};

/* `loop` and `ops` are borrowed. Without xo_runner_start() everything runs in one thread. */
int xo_runner_init(struct xo_runner *runner, struct xo_loop *loop, const struct xo_runner_ops *ops,
		   void *priv);
/* Before the start. Two descriptors more. Such a runner ends with its process only. */
int xo_runner_wait_for(struct xo_runner *runner, const struct xo_runner_event *event);
/* Owner: the event is of no interest any more. */
void xo_runner_forget_event(struct xo_runner *runner);
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
