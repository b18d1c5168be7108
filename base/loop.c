/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The workers' event loop on epoll; timers are a short sorted list. */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct xo_loop {
	int epoll_fd;
	struct xo_timer *timers; /* earliest first */
	struct epoll_event events[XO_LOOP_BATCH];
	int event_count; /* of the batch being handled */
	int result;
	bool quit;
};

uint64_t xo_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int xo_loop_new(struct xo_loop **out)
{
	struct xo_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return -errno;
	}
	*out = loop;
	return 0;
}

void xo_loop_free(struct xo_loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll_fd);
	free(loop);
}

static int loop_control(struct xo_loop *loop, int operation, struct xo_watch *watch)
{
	struct epoll_event event = { .events = watch->events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, operation, watch->fd, &event) < 0 ? -errno : 0;
}

int xo_loop_add(struct xo_loop *loop, struct xo_watch *watch)
{
	int r = loop_control(loop, EPOLL_CTL_ADD, watch);

	watch->added = r == 0;
	return r;
}

int xo_loop_change(struct xo_loop *loop, struct xo_watch *watch, uint32_t events)
{
	watch->events = events;
	return watch->added ? loop_control(loop, EPOLL_CTL_MOD, watch) : -ENOENT;
}

void xo_loop_skip(struct xo_loop *loop, const struct xo_watch *watch)
{
	for (int i = 0; i < loop->event_count; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

void xo_loop_remove(struct xo_loop *loop, struct xo_watch *watch)
{
	if (!watch->added)
		return;
	loop_control(loop, EPOLL_CTL_DEL, watch);
	watch->added = false;
	xo_loop_skip(loop, watch);
}

void xo_loop_disarm(struct xo_loop *loop, struct xo_timer *timer)
{
	struct xo_timer **at = &loop->timers;

	if (!timer->armed)
		return;
	while (*at && *at != timer)
		at = &(*at)->next;
	if (*at)
		*at = timer->next;
	timer->armed = false;
}

void xo_loop_arm(struct xo_loop *loop, struct xo_timer *timer, uint64_t delay_ns)
{
	struct xo_timer **at = &loop->timers;

	xo_loop_disarm(loop, timer);
	timer->at = xo_now_ns() + delay_ns;
	while (*at && (*at)->at <= timer->at)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	timer->armed = true;
}

/* Milliseconds until the first timer, rounded up; -1: there is none. */
static int loop_wait_ms(const struct xo_loop *loop)
{
	uint64_t now;
	uint64_t ms;

	if (!loop->timers)
		return -1;
	now = xo_now_ns();
	if (loop->timers->at <= now)
		return 0;
	ms = (loop->timers->at - now + 999999u) / 1000000u;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void loop_run_timers(struct xo_loop *loop)
{
	uint64_t now;

	if (!loop->timers)
		return;
	now = xo_now_ns();
	for (int i = 0; i < XO_LOOP_BATCH && loop->timers && loop->timers->at <= now; i++) {
		struct xo_timer *timer = loop->timers;

		loop->timers = timer->next;
		timer->armed = false;
		timer->expired(timer);
	}
}

int xo_loop_step(struct xo_loop *loop)
{
	int n = epoll_wait(loop->epoll_fd, loop->events, XO_LOOP_BATCH, loop_wait_ms(loop));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->event_count = n;
	for (int i = 0; i < n && !loop->quit; i++) {
		struct xo_watch *watch = loop->events[i].data.ptr;

		if (watch)
			watch->ready(watch, loop->events[i].events);
	}
	loop->event_count = 0;
	loop_run_timers(loop);
	return 0;
}

int xo_loop_run(struct xo_loop *loop)
{
	int r = 0;

	while (!loop->quit && !r)
		r = xo_loop_step(loop);
	return r ? r : loop->result;
}

void xo_loop_quit(struct xo_loop *loop, int result)
{
	loop->quit = true;
	loop->result = result;
}
