/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The workers' event loop on epoll; timers are a short sorted list, whose first is told to a timerfd. */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

struct xo_loop {
	int epoll_fd;
	struct xo_timer *timers; /* earliest first */
	/*
	 * The kernel's timer is set when the first of them is earlier than what it is set to, and not when that is
	 * disarmed: a wait for events then costs nothing for a timer that is far away.
	 */
	struct xo_watch clock;
	uint64_t clock_at; /* ns; 0: not set */
	bool due; /* the list is to be looked at in this turn */
	int failed; /* -errno: no timer could be set, and what waits for one would wait for ever */
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

static void clock_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_loop *loop = watch->priv;
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	loop->clock_at = 0;
	loop->due = true;
}

int xo_loop_new(struct xo_loop **out)
{
	struct xo_loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->clock = (struct xo_watch){
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.events = EPOLLIN,
		.ready = clock_ready,
		.priv = loop,
	};
	r = loop->epoll_fd < 0 || loop->clock.fd < 0 ? -errno : xo_loop_add(loop, &loop->clock);
	if (r) {
		xo_loop_free(loop);
		return r;
	}
	*out = loop;
	return 0;
}

void xo_loop_free(struct xo_loop *loop)
{
	if (!loop)
		return;
	if (loop->clock.fd >= 0)
		close(loop->clock.fd);
	if (loop->epoll_fd >= 0)
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

static void set_clock(struct xo_loop *loop)
{
	const uint64_t at = loop->timers ? loop->timers->at : 0;
	const struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(at / 1000000000u),
			      .tv_nsec = (long)(at % 1000000000u) },
	};

	if (!at || (loop->clock_at && loop->clock_at <= at))
		return;
	if (timerfd_settime(loop->clock.fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) {
		loop->failed = -errno;
		xo_error("cannot set a timer: %m");
		return;
	}
	loop->clock_at = at;
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
	if (delay_ns)
		set_clock(loop);
	else
		loop->due = true;
}

static void loop_run_timers(struct xo_loop *loop)
{
	uint64_t now = xo_now_ns();

	loop->due = false;
	for (int i = 0; i < XO_LOOP_BATCH && loop->timers && loop->timers->at <= now; i++) {
		struct xo_timer *timer = loop->timers;

		loop->timers = timer->next;
		timer->armed = false;
		timer->expired(timer);
	}
	if (loop->timers && loop->timers->at <= now)
		loop->due = true;
	else
		set_clock(loop);
}

int xo_loop_step(struct xo_loop *loop)
{
	int n = epoll_wait(loop->epoll_fd, loop->events, XO_LOOP_BATCH, loop->due ? 0 : -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->event_count = n;
	for (int i = 0; i < n && !loop->quit; i++) {
		struct xo_watch *watch = loop->events[i].data.ptr;

		if (watch)
			watch->ready(watch, loop->events[i].events);
	}
	loop->event_count = 0;
	if (loop->due)
		loop_run_timers(loop);
	return loop->failed;
}

int xo_loop_poll(struct xo_loop *loop)
{
	/* Timers are looked at then, and none of them need be. */
	loop->due = true;
	return xo_loop_step(loop);
}

bool xo_loop_due(const struct xo_loop *loop)
{
	return loop->due;
}

int xo_loop_fd(const struct xo_loop *loop)
{
	return loop->epoll_fd;
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
