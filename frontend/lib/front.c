// SPDX-License-Identifier: GPL-2.0-or-later
/* A front from its beginning to its end: what it waits for, commands, time-outs. */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/loop.h"

#define SECOND_NS UINT64_C(1000000000)
#define PATIENCE_NS (30 * SECOND_NS) /* for an ABORT, then for a RESET */
#define GOODBYE_NS (5 * SECOND_NS)

enum { FROM_STORE = 1, FROM_RING, FROM_TIMER };

uint64_t xo_front_now(void)
{
	return xo_now_ns();
}

void xo_front_say(struct xo_front *front, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(front->error, sizeof(front->error), format, arguments);
	va_end(arguments);
}

const char *xo_front_error(const struct xo_front *front)
{
	return front->error;
}

int xo_front_fd(const struct xo_front *front)
{
	return front->epoll_fd;
}

uint32_t xo_front_max_transfer(const struct xo_front *front)
{
	return front->max_transfer;
}

enum xo_front_state xo_front_state(const struct xo_front *front)
{
	switch (front->phase) {
	case XO_PHASE_USE:
		return XO_FRONT_CONNECTED;
	case XO_PHASE_CLOSING:
		return XO_FRONT_CLOSING;
	case XO_PHASE_CLOSED:
		return XO_FRONT_CLOSED;
	case XO_PHASE_BROKEN:
		return XO_FRONT_BROKEN;
	default:
		return XO_FRONT_CONNECTING;
	}
}

void xo_front_sleep(const struct xo_front *front, unsigned int ms)
{
	struct epoll_event event;

	(void)epoll_wait(front->epoll_fd, &event, 1, (int)XO_MIN(ms, 3600000u));
}

static int watch_fd(struct xo_front *front, int fd, uint32_t from)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = from };

	return epoll_ctl(front->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int xo_front_watch_events(struct xo_front *front)
{
	return watch_fd(front, xenevtchn_fd(front->evtchn), FROM_RING);
}

/* ---- the end of a connection ---- */

void xo_front_drop(struct xo_front *front, enum xo_transport transport)
{
	struct xo_front_pool *pool = front->pool;

	if (front->phase == XO_PHASE_USE)
		front->phase =
			XO_PHASE_CLOSING; /* `done` must not submit; the caller goes on from here */
	if (front->evtchn)
		(void)epoll_ctl(front->epoll_fd, EPOLL_CTL_DEL, xenevtchn_fd(front->evtchn), NULL);
	front->pool = NULL;
	front->max_transfer = 0;
	if (front->media_events)
		xo_units_watch(front, false);
	front->media_events = false;
	if (pool) {
		pool->taken++; /* it lives until here, whatever `done` gives back */
		for (unsigned int i = 0; i < pool->count; i++) {
			struct xo_front_slot *slot = &pool->slots[i];

			if (!slot->in_flight)
				continue;
			slot->command.transport = (uint8_t)transport;
			slot->command.status = 0;
			slot->command.sense_length = 0;
			slot->command.residual = slot->command.length;
			xo_ring_complete(slot);
		}
		pool->taken--;
		xo_pool_retire(pool);
	}
	xo_ring_close(front);
}

void xo_front_broken(struct xo_front *front, const char *why)
{
	xo_front_say(front, "%s: the backend in domain %u %s; the device is closed", front->path,
		     front->backend_id, why);
	xo_front_drop(front, XO_TRANSPORT_ERROR);
	xo_handshake_close(front, XO_PHASE_BROKEN);
}

/* ---- commands ---- */

int xo_front_submit(struct xo_front_command *command)
{
	struct xo_front_slot *slot = xo_front_slot_of(command);
	struct xo_front *front = slot->front;
	int r;

	if (!front || front->phase != XO_PHASE_USE)
		return -ENOTCONN;
	if (slot->in_flight)
		return -EBUSY;
	if (command->cdb_length < 6 || command->cdb_length > XO_CDB_MAX ||
	    command->direction > XO_DIR_OUT || command->length > front->max_transfer ||
	    (command->length == 0) != (command->direction == XO_DIR_NONE) ||
	    command->unit >= front->unit_count)
		return -EINVAL;
	r = xo_ring_send_command(front, slot);
	if (r == 0 && (!front->armed || slot->deadline < front->armed))
		xo_front_arm(front);
	return r;
}

int xo_front_abort(struct xo_front_command *command)
{
	struct xo_front_slot *slot = xo_front_slot_of(command);

	if (!slot->in_flight || !slot->front)
		return -ENOENT;
	return xo_ring_send_control(slot->front, VSCSIIF_ACT_SCSI_ABORT, command->unit, slot->rqid);
}

int xo_front_reset(struct xo_front *front, unsigned int unit)
{
	if (front->phase != XO_PHASE_USE)
		return -ENOTCONN;
	return unit < front->unit_count
		       ? xo_ring_send_control(front, VSCSIIF_ACT_SCSI_RESET, unit, 0)
		       : -EINVAL;
}

static void run_done(struct xo_front_command *command)
{
	*(bool *)command->priv = true;
}

int xo_front_run(struct xo_front_command *command)
{
	struct xo_front *front = xo_front_slot_of(command)->front;
	bool done = false;
	int r;

	command->done = run_done;
	command->priv = &done;
	r = xo_front_submit(command);
	while (r == 0 && !done) {
		xo_front_sleep(front, 60000);
		r = xo_front_step(front);
	}
	return done ? 0 : r;
}

/* ---- time ---- */

void xo_front_arm(struct xo_front *front)
{
	struct itimerspec when = { 0 };
	uint64_t earliest = 0;

	for (unsigned int i = 0; front->pool && i < front->pool->count; i++) {
		const struct xo_front_slot *slot = &front->pool->slots[i];

		if (slot->in_flight && (!earliest || slot->deadline < earliest))
			earliest = slot->deadline;
	}
	when.it_value.tv_sec = (time_t)(earliest / SECOND_NS);
	when.it_value.tv_nsec = (long)(earliest % SECOND_NS);
	(void)timerfd_settime(front->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
	front->armed = earliest;
}

/* A command's time is over: ask to give it up, then reset the unit, then give up the connection. */
static void overdue(struct xo_front *front, struct xo_front_slot *slot)
{
	slot->deadline = xo_front_now() + PATIENCE_NS;
	switch (slot->patience) {
	case XO_PATIENCE_WAIT:
		slot->patience = XO_PATIENCE_ABORT;
		(void)xo_front_abort(&slot->command);
		break;
	case XO_PATIENCE_ABORT:
		slot->patience = XO_PATIENCE_RESET;
		(void)xo_front_reset(front, slot->command.unit);
		break;
	case XO_PATIENCE_RESET:
	default:
		xo_front_say(front,
			     "%s: the backend in domain %u does not answer, and not to a reset",
			     front->path, front->backend_id);
		xo_front_drop(front, XO_TRANSPORT_TIMEOUT);
		xo_handshake_close(front, XO_PHASE_BROKEN);
		break;
	}
}

void xo_front_overdue(struct xo_front *front)
{
	uint64_t now = xo_front_now(), count;

	(void)!read(front->timer_fd, &count, sizeof(count));
	for (unsigned int i = 0; front->pool && i < front->pool->count; i++) {
		struct xo_front_slot *slot = &front->pool->slots[i];

		if (slot->in_flight && slot->deadline <= now)
			overdue(front, slot);
	}
	xo_front_arm(front);
}

int xo_front_step(struct xo_front *front)
{
	struct epoll_event events[4];
	int n, r = 0;

	n = epoll_wait(front->epoll_fd, events, XO_ARRAY_SIZE(events), 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		switch (events[i].data.u32) {
		case FROM_STORE:
			if (xo_store_changed(front->xs))
				xo_handshake_step(front);
			break;
		case FROM_RING:
			if (front->evtchn)
				(void)xo_ring_event(front);
			break;
		case FROM_TIMER:
		default:
			xo_front_overdue(front);
			break;
		}
	}
	if (front->phase == XO_PHASE_BROKEN)
		r = -EPROTO;
	return r;
}

/* ---- the beginning ---- */

/* A driver of the kernel that has the device would not like us to touch it. */
static bool kernel_has_it(const char *type, unsigned int devid)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/sys/bus/xen/devices/%s-%u/driver", type, devid);
	return access(path, F_OK) == 0;
}

/* One program at a time: held until the front is freed, or the process ends. */
static int lock_device(struct xo_front *front)
{
	const char *dir = getenv("XENOPTIC_RUNDIR");
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/xenoptic-guest-%s-%u.lock", dir ? dir : "/run",
		       front->options.type, front->options.devid);
	front->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (front->lock_fd < 0)
		return 0; /* a read-only system has nobody to share with */
	if (flock(front->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	xo_front_say(front, "%s: another program has it (%s is locked)", front->path, path);
	return -EBUSY;
}

static int check_options(struct xo_front_options *options)
{
	static const char *const types[] = { "vscsi", "vcd" };
	const char *asked = options->type;

	options->type = NULL;
	for (size_t i = 0; asked && i < XO_ARRAY_SIZE(types); i++)
		if (strcmp(asked, types[i]) == 0)
			options->type = types[i];
	if (options->slots == 0)
		options->slots = 4;
	if (options->slot_size == 0)
		options->slot_size = 128u << 10;
	if (!options->type || options->slots > XO_FRONT_SLOTS_MAX ||
	    options->slot_size > XO_FRONT_SLOT_SIZE_MAX)
		return -EINVAL;
	options->slot_size =
		(options->slot_size + XO_FRONT_PAGE - 1) / XO_FRONT_PAGE * XO_FRONT_PAGE;
	return 0;
}

static int open_all(struct xo_front *front, char **error)
{
	int r;

	if (kernel_has_it(front->options.type, front->options.devid)) {
		xo_front_say(front,
			     "%s: a driver of this guest's kernel has it; use its /dev/sr0, or "
			     "unbind "
			     "it in /sys/bus/xen/devices/%s-%u/driver",
			     front->path, front->options.type, front->options.devid);
		return -EBUSY;
	}
	r = lock_device(front);
	if (r == 0)
		r = xo_store_open(&front->xs, error);
	if (r < 0)
		return r;
	front->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	front->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (front->epoll_fd < 0 || front->timer_fd < 0)
		return -errno;
	r = watch_fd(front, xs_fileno(front->xs), FROM_STORE);
	if (r == 0)
		r = watch_fd(front, front->timer_fd, FROM_TIMER);
	return r == 0 ? xo_handshake_start(front) : r;
}

int xo_front_new(struct xo_front **result, const struct xo_front_options *options, char **error)
{
	struct xo_front *front = calloc(1, sizeof(*front));
	int r;

	*error = NULL;
	if (!front)
		return -ENOMEM;
	front->options = *options;
	front->epoll_fd = front->timer_fd = front->lock_fd = -1;
	r = check_options(&front->options);
	if (r == 0) {
		front->vcd = strcmp(front->options.type, "vcd") == 0;
		(void)snprintf(front->path, sizeof(front->path), "device/%s/%u",
			       front->options.type, front->options.devid);
		r = open_all(front, error);
	}
	if (r < 0) {
		if (!*error && front->error[0])
			*error = strdup(front->error);
		front->phase = XO_PHASE_CLOSED;
		xo_front_free(front);
		return r;
	}
	*result = front;
	return 0;
}

int xo_front_wait(struct xo_front *front, unsigned int seconds)
{
	uint64_t now = xo_front_now(), end = now + seconds * SECOND_NS;

	for (; now < end; now = xo_front_now()) {
		if (front->phase == XO_PHASE_USE) {
			for (unsigned int i = 0; i < front->unit_count; i++)
				if (front->units[i].ready)
					return 0;
			if (front->unit_count > 0) {
				xo_front_say(front, "%s: %s: %s", front->path,
					     front->units[0].drive, front->units[0].error);
				return -ENXIO;
			}
		}
		if (front->phase == XO_PHASE_BROKEN)
			return -EPROTO;
		if (front->phase == XO_PHASE_CLOSED && !front->options.reconnect)
			return -ENXIO;
		xo_front_sleep(front, (unsigned int)((end - now) / 1000000) + 1);
		(void)xo_front_step(front);
	}
	if (!front->error[0])
		xo_front_say(
			front,
			"%s: no answer from the backend in domain %u (state: %s); is xenopticd "
			"running there?",
			front->path, front->backend_id,
			xo_front_state_name(xo_store_state(front->xs, front->backend, "state")));
	return -ETIMEDOUT;
}

/* The backend gets the chance to let go of the pages. */
static void say_goodbye(struct xo_front *front)
{
	uint64_t now = xo_front_now(), end = now + GOODBYE_NS;

	if (front->phase == XO_PHASE_CLOSED || !front->pool)
		return;
	xo_handshake_close(front, XO_PHASE_CLOSING);
	for (; front->state == XenbusStateClosing && now < end; now = xo_front_now()) {
		xo_front_sleep(front, (unsigned int)((end - now) / 1000000) + 1);
		(void)xo_front_step(front);
	}
}

void xo_front_free(struct xo_front *front)
{
	if (!front)
		return;
	if (front->xs && front->epoll_fd >= 0)
		say_goodbye(front);
	xo_front_drop(front, XO_TRANSPORT_NO_CONNECT);
	if (front->xs)
		xs_close(front->xs);
	if (front->timer_fd >= 0)
		close(front->timer_fd);
	if (front->epoll_fd >= 0)
		close(front->epoll_fd);
	if (front->lock_fd >= 0)
		close(front->lock_fd);
	free(front);
}
