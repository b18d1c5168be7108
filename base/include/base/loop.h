/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers' event loop: epoll and a timer, one event at a time, so that
 * another thread can take over between two events (xenoptic-drive). The
 * launcher, which has children and files to watch, uses libuv.
 */
#ifndef XO_BASE_LOOP_H
#define XO_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define XO_LOOP_BATCH 16

struct xo_loop;

/* A descriptor watched. Owned and zeroed by the caller; not moved while added. */
struct xo_watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT; level triggered */
	void (*ready)(struct xo_watch *watch, uint32_t events);
	void *priv;
	bool added; /* the loop's */
};

/* A one-shot timer on CLOCK_MONOTONIC. Owned and zeroed by the caller. */
struct xo_timer {
	void (*expired)(struct xo_timer *timer);
	void *priv;
	uint64_t at; /* ns; the loop's */
	struct xo_timer *next;
	bool armed;
};

int xo_loop_new(struct xo_loop **loop);
void xo_loop_free(struct xo_loop *loop);

int xo_loop_add(struct xo_loop *loop, struct xo_watch *watch);
int xo_loop_change(struct xo_loop *loop, struct xo_watch *watch, uint32_t events);
/* After this `ready` is not called again, even for an event already read. */
/* What this turn has still to say of the watch is not said; it stays. */
void xo_loop_skip(struct xo_loop *loop, const struct xo_watch *watch);
void xo_loop_remove(struct xo_loop *loop, struct xo_watch *watch);

void xo_loop_arm(struct xo_loop *loop, struct xo_timer *timer, uint64_t delay_ns);
void xo_loop_disarm(struct xo_loop *loop, struct xo_timer *timer);

/* Waits for at least one event or timer and handles what is there (at most XO_LOOP_BATCH). 0 or -errno. */
int xo_loop_step(struct xo_loop *loop);
/* As well, but does not wait. */
int xo_loop_poll(struct xo_loop *loop);
/* A timer is due: the next step will not wait. */
bool xo_loop_due(const struct xo_loop *loop);
/* Readable (epoll) while a step would find an event; to be waited for, not to be read. The loop's. */
int xo_loop_fd(const struct xo_loop *loop);
/* Steps until xo_loop_quit; returns what was given to it, or -errno. */
int xo_loop_run(struct xo_loop *loop);
void xo_loop_quit(struct xo_loop *loop, int result);

uint64_t xo_now_ns(void); /* CLOCK_MONOTONIC */

#endif
