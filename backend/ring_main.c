/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-ring: serves one vscsi host (or vcd device) of one guest. Connects
 * to the ring, shuts itself in, and only then looks at what the guest wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <scsi/sg.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/log.h"
#include "base/point.h"
#include "base/sandbox.h"
#include "base/worker.h"
#include "mmc/cdb.h"
#include "ring_worker.h"

#include <xen/sys/evtchn.h> /* after the types that they use */
#include <xen/sys/gntdev.h>

/* Events in a row without a request that are nobody's fault: several for one batch. */
#define SPURIOUS_FREE 16
#define SPURIOUS_DELAY_NS 1000000ull
#define SPURIOUS_DELAY_MAX_NS 100000000ull

/* Pages that the frontend keeps granted, but has not used for so long, are let go. */
#define SWEEP_NS 15000000000ull

static int grant_copy(void *priv, xengnttab_grant_copy_segment_t *segments, unsigned int count)
{
	struct xo_ring_worker *worker = priv;

	if (worker->grants.persistent && !worker->sweep_timer.armed)
		xo_loop_arm(worker->loop, &worker->sweep_timer, SWEEP_NS);
	return xo_grants_copy(&worker->grants, segments, count);
}

static void notify_guest(void *priv)
{
	struct xo_ring_worker *worker = priv;

	if (xo_channels_notify(&worker->channels) < 0)
		xo_log_limited(XO_LOG_WARNING, "cannot notify the guest: %s", strerror(errno));
}

static int send_link(void *priv, struct xo_ring_lun *lun, const union xo_link_message *message)
{
	struct xo_ring_worker *worker = priv;
	struct xo_worker_lun *own = lun->priv;
	int r = xo_link_send(&lun->link, message);

	if (r == -EAGAIN)
		xo_loop_change(worker->loop, &own->watch, EPOLLIN | EPOLLOUT);
	return r;
}

static void link_lost(void *priv, struct xo_ring_lun *lun, const char *why)
{
	struct xo_ring_worker *worker = priv;
	struct xo_worker_lun *own = lun->priv;

	xo_loop_remove(worker->loop, &own->watch);
	xo_ring_control_lun_lost(lun, why);
}

/* A frontend that asked for it need not poll for these. */
static void link_notice(void *priv, struct xo_ring_lun *lun, const struct xo_link_notice *notice)
{
	struct xo_ring_worker *worker = priv;

	if (!worker->options.media_events)
		return;
	switch (notice->notice) {
	case XO_NOTICE_EJECT_REQUEST:
		xo_ring_control_media(lun, "eject");
		lun->eject_told = true;
		break;
	case XO_NOTICE_MEDIUM_CHANGED:
	case XO_NOTICE_MEDIUM_REMOVED:
	case XO_NOTICE_LEASE_HELD:
	case XO_NOTICE_DRIVE_GONE:
	case XO_NOTICE_DRIVE_BACK:
		xo_ring_control_media(lun, "change");
		break;
	}
}

static const struct xo_ring_ops ring_ops = {
	.copy = grant_copy,
	.notify = notify_guest,
	.send = send_link,
	.lost = link_lost,
	.notice = link_notice,
};

static void tell_if_broken(struct xo_ring_worker *worker)
{
	if (!worker->ring.broken || worker->broken_told)
		return;
	worker->broken_told = true;
	xo_runner_forget_event(&worker->runner);
	xo_ring_control_error(worker->ring.broken);
}

static void link_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_worker_lun *own = watch->priv;
	struct xo_ring_worker *worker = own->worker;
	struct xo_ring_lun *lun = own->lun;
	union xo_link_message message;
	int r = 1;

	if (events & EPOLLOUT) {
		xo_ring_writable(&worker->ring, lun);
		if (!lun->lost && !lun->unsent && !lun->greet)
			xo_loop_change(worker->loop, watch, EPOLLIN);
	}
	/* A reply for each slot at most, then others have their turn. */
	for (unsigned int i = 0; i < XO_LINK_SLOTS_MAX && r == 1 && !lun->lost; i++) {
		if (i && !lun->pending)
			break;
		r = xo_link_receive(&lun->link, &message);
		if (r == 1)
			xo_ring_message(&worker->ring, lun, &message);
	}
	if (r < 0)
		xo_ring_link_lost(&worker->ring, lun,
				  r == -EPROTO ? "it broke the protocol" : "its other end is gone");
	xo_ring_publish(&worker->ring);
	xo_ring_control_settle(worker);
}

struct xo_ring_lun *xo_worker_add_lun(struct xo_ring_worker *worker,
				      const struct xo_lun_option *option, int *error)
{
	struct xo_link link;
	struct xo_ring_lun *lun;
	struct xo_worker_lun *own;

	if (fcntl(option->fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		*error = -errno;
		return NULL;
	}
	*error =
		xo_link_open(&link, option->fd, option->arena_fd, option->slots, option->slot_size);
	if (*error)
		return NULL;
	lun = xo_ring_add_lun(&worker->ring, option->channel, option->id, option->lun,
			      option->number, &link, error);
	if (!lun) {
		/* The descriptors stay the caller's. */
		munmap(link.arena, (size_t)link.slots * link.slot_size);
		return NULL;
	}
	own = &worker->luns[lun - worker->ring.luns];
	*own = (struct xo_worker_lun){
		.worker = worker,
		.lun = lun,
		.watch = { .fd = option->fd, .events = EPOLLIN, .ready = link_ready, .priv = own },
	};
	lun->priv = own;
	*error = xo_loop_add(worker->loop, &own->watch);
	return lun;
}

void xo_worker_drop_lun(struct xo_ring_worker *worker, struct xo_ring_lun *lun)
{
	struct xo_worker_lun *own = lun->priv;

	xo_loop_remove(worker->loop, &own->watch);
	xo_ring_drop_lun(lun);
	*own = (struct xo_worker_lun){ 0 };
}

static void heard(struct xo_ring_worker *worker, int port)
{
	worker->ring.ledger->events++;
	xo_channels_heard(&worker->channels, port);
}

/* The ring was asked for events again: this one is done with. Unread, it would wake the loop once more. */
static void read_event(struct xo_ring_worker *worker)
{
	if (worker->unread) {
		int port = xo_channels_wait(&worker->channels);

		if (port >= 0)
			heard(worker, port);
		/* This turn of the loop may still have to tell of it: it would be taken for the next one, unserved. */
		xo_loop_skip(worker->loop, &worker->event_watch);
	}
	worker->unread = false;
	worker->unasked = false;
}

static void unmask(struct xo_ring_worker *worker)
{
	if (xo_channels_unmask(&worker->channels, xo_ring_asked(&worker->ring)))
		xo_log_limited(XO_LOG_WARNING, "cannot unmask event channels: %s", strerror(errno));
}

/* How long the channel stays masked: a guest that only rings the bell gets rung less (XSA-391). */
static uint64_t storm_delay(unsigned int spurious)
{
	unsigned int excess = spurious > SPURIOUS_FREE ? spurious - SPURIOUS_FREE : 0;

	if (!excess)
		return 0;
	return excess > 7 ? SPURIOUS_DELAY_MAX_NS : SPURIOUS_DELAY_NS << (excess - 1);
}

/*
 * Serves the ring, and unmasks the event only when that is done (late EOI). A command for a lent
 * drive comes first, and what the guest would wait for in vain is done when it has its answer. If
 * that lasts, another thread has the loop, is told so or finds the event unread, and does not wait
 * for the drive.
 */
static void serve(struct xo_ring_worker *worker, bool event)
{
	enum xo_ring_work work = worker->unasked && !worker->runner.active
					 ? xo_ring_serve_on(&worker->ring)
					 : xo_ring_serve(&worker->ring);

	tell_if_broken(worker);
	if (work == XO_RING_BROKEN)
		return;
	if (work != XO_RING_IDLE)
		worker->spurious = 0;
	else if (event)
		worker->spurious++;
	if (work == XO_RING_UNASKED)
		return;
	read_event(worker);
	if (work == XO_RING_MORE)
		xo_loop_arm(worker->loop, &worker->more_timer, 0);
	else if (storm_delay(worker->spurious))
		xo_loop_arm(worker->loop, &worker->unmask_timer, storm_delay(worker->spurious));
	else
		unmask(worker);
	xo_ring_control_settle(worker);
}

static void event_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_ring_worker *worker = watch->priv;

	(void)events;
	worker->unread = true;
	worker->unasked = true;
	serve(worker, true);
}

/* Guests whose drive is lent to them use the loop for little else than events: see base/runner.h. */
static bool only_events(void *priv)
{
	struct xo_ring_worker *worker = priv;

	/* Asked at each turn of the loop: most rings are one unit's. */
	if (worker->unasked || !worker->ring.luns[0].lent)
		return false;
	return xo_ring_all_direct(&worker->ring);
}

static int wait_for_event(void *priv)
{
	struct xo_ring_worker *worker = priv;

	worker->waited = xo_channels_wait(&worker->channels);
	return worker->waited >= 0 ? 1 : worker->waited;
}

static void event_arrived(void *priv)
{
	struct xo_ring_worker *worker = priv;

	heard(worker, worker->waited);
	worker->unasked = true;
	serve(worker, true);
}

static void wait_failed(void *priv, int error)
{
	(void)error;
	xo_ring_worker_end(priv, EXIT_FAILURE);
}

static void more_expired(struct xo_timer *timer)
{
	serve(timer->priv, false);
}

static void unmask_expired(struct xo_timer *timer)
{
	unmask(timer->priv);
}

static void sweep_expired(struct xo_timer *timer)
{
	struct xo_ring_worker *worker = timer->priv;

	if (xo_grants_sweep(&worker->grants))
		xo_loop_arm(worker->loop, timer, SWEEP_NS);
}

/* Keeps what the command line names; what else was inherited is not ours. */
static int close_strangers(const struct xo_ring_options *options)
{
	int keep[2 + 2 * XO_RING_LUNS_MAX] = { XO_FD_CONTROL, XO_FD_LEDGER };
	size_t count = 2;

	for (unsigned int i = 0; i < options->lun_count; i++) {
		keep[count++] = options->luns[i].fd;
		keep[count++] = options->luns[i].arena_fd;
	}
	return xo_close_others(keep, count);
}

/* The guest's pages, and a port to it. Nothing that the guest wrote is looked at. */
static int connect_ring(struct xo_ring_worker *worker, const char **what)
{
	const struct xo_ring_options *options = &worker->options;
	int r;

	*what = "descriptors";
	r = close_strangers(options);
	if (r)
		return r;
	*what = "ledger";
	r = xo_ledger_open(&worker->ledger, XO_FD_LEDGER, XO_RING_LEDGER_KIND,
			   XO_RING_LEDGER_LAYOUT, XO_RING_LEDGER_REGION);
	if (r)
		return r;
	*what = "XENOPTIC_KILL";
	r = xo_point_init(xo_ring_points, XO_RING_POINT_COUNT, &worker->ledger);
	if (r)
		return r;
	*what = "ring-ref: the ring cannot be mapped";
	r = xo_grants_open(&worker->grants, options->domid, options->refs, options->pages);
	if (r)
		return r;
	worker->grants.persistent = options->persistent_grants;
	*what = "event-channel: it cannot be bound";
	return xo_channels_open(&worker->channels, options->domid, options->ports,
				options->channels);
}

static void *next_direct(void *priv)
{
	struct xo_ring_worker *worker = priv;
	struct xo_direct_job *job = &worker->job;

	job->entry = xo_ring_direct_next(&worker->ring, &job->lun);
	return job->entry ? job : NULL;
}

static bool slow_direct(void *priv, void *what)
{
	const struct vscsiif_request *request = &((struct xo_direct_job *)what)->entry->request;

	(void)priv;
	return xo_cdb_may_block(request->cmnd, request->cmd_len);
}

static void run_direct(void *priv, void *what)
{
	struct xo_ring_worker *worker = priv;
	struct xo_direct_job *job = what;

	job->result = xo_ring_direct_run(&worker->ring, job->lun, job->entry);
}

static void finish_direct(void *priv, void *what)
{
	struct xo_ring_worker *worker = priv;
	struct xo_direct_job *job = what;

	xo_ring_direct_done(&worker->ring, job->lun, job->entry, job->result);
	xo_ring_publish(&worker->ring);
	/* Requests that are there again are the loop's: others have their turn between. */
	if (worker->unasked && !xo_ring_direct_waits(&worker->ring)) {
		if (xo_ring_ask(&worker->ring)) {
			read_event(worker);
			unmask(worker);
		} else if (!worker->unread) {
			xo_loop_arm(worker->loop, &worker->more_timer, 0);
		}
	}
	xo_ring_control_settle(worker);
}

/* The drive takes its time with a command: the guest's next event must be able to come. */
static void slow_after_all(void *priv)
{
	struct xo_ring_worker *worker = priv;

	if (worker->unasked && !worker->unread)
		serve(worker, false);
}

static const struct xo_runner_ops runner_ops = {
	.next = next_direct,
	.slow = slow_direct,
	.run = run_direct,
	.finish = finish_direct,
	.taken = slow_after_all,
};

static int watch_all(struct xo_ring_worker *worker)
{
	int r;

	worker->event_watch = (struct xo_watch){
		.fd = xo_channels_fd(&worker->channels),
		.events = EPOLLIN,
		.ready = event_ready,
		.priv = worker,
	};
	worker->event = (struct xo_runner_event){
		.watch = &worker->event_watch,
		.quiet = only_events,
		.wait = wait_for_event,
		.arrived = event_arrived,
		.fail = wait_failed,
	};
	worker->control_watch = (struct xo_watch){
		.fd = XO_FD_CONTROL,
		.events = EPOLLIN,
		.ready = xo_ring_control_ready,
		.priv = worker,
	};
	worker->more_timer = (struct xo_timer){ .expired = more_expired, .priv = worker };
	worker->unmask_timer = (struct xo_timer){ .expired = unmask_expired, .priv = worker };
	worker->sweep_timer = (struct xo_timer){ .expired = sweep_expired, .priv = worker };
	r = xo_loop_new(&worker->loop);
	if (!r)
		r = xo_runner_init(&worker->runner, worker->loop, &runner_ops, worker);
	if (!r)
		r = xo_runner_wait_for(&worker->runner, &worker->event);
	if (!r)
		r = xo_loop_add(worker->loop, &worker->control_watch);
	return r;
}

static int start_threads(void *priv)
{
	return xo_runner_start(priv);
}

/* What libxengnttab and libxenevtchn ask of their devices, and what a drive that is lent and the end take. */
static int enter_sandbox(struct xo_ring_worker *worker)
{
	static const int syscalls[] = { SCMP_SYS(fcntl), SCMP_SYS(clock_nanosleep),
					SCMP_SYS(shutdown) };
	static const unsigned long ioctls[] = {
		IOCTL_GNTDEV_GRANT_COPY,
		IOCTL_GNTDEV_MAP_GRANT_REF,
		IOCTL_GNTDEV_UNMAP_GRANT_REF,
		IOCTL_EVTCHN_NOTIFY,
		IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
		IOCTL_EVTCHN_UNBIND,
		SG_IO,
	};
	const struct xo_sandbox sandbox = {
		.user = worker->options.user,
		.syscalls = syscalls,
		.syscall_count = XO_ARRAY_SIZE(syscalls),
		.ioctls = ioctls,
		.ioctl_count = XO_ARRAY_SIZE(ioctls),
		.start_threads = start_threads,
		.priv = &worker->runner,
	};
	int r = xo_sandbox_enter(&sandbox);

	worker->sandboxed = !r;
	return r;
}

/* From here on the guest's words are read. */
static int begin(struct xo_ring_worker *worker, const char **what)
{
	const struct xo_ring_options *options = &worker->options;
	const struct xo_ring_setup setup = {
		.region = worker->ledger.region,
		.shared = worker->grants.ring,
		.pages = options->pages,
		.sg_grant = options->sg_grant,
		.domid = options->domid,
		.ops = &ring_ops,
		.priv = worker,
	};
	int r = xo_ring_init(&worker->ring, &setup);

	*what = "the ledger is not one of this ring";
	for (unsigned int i = 0; i < options->lun_count && !r; i++) {
		*what = "--lun";
		xo_worker_add_lun(worker, &options->luns[i], &r);
	}
	if (r)
		return r;
	xo_ring_recover(&worker->ring);
	xo_control_event(XO_FD_CONTROL, "ready", json_object());
	/* What was put into the ring before we listened rings no bell. */
	serve(worker, false);
	return 0;
}

/*
 * Not by way of main(): the other thread, which may be main's, may be in the drive for minutes. The guest's memory is
 * let go now; what is left of the process is there until that command ends.
 */
_Noreturn void xo_ring_worker_end(struct xo_ring_worker *worker, int status)
{
	xo_channels_unbind(&worker->channels);
	xo_grants_close(&worker->grants);
	if (worker->disconnecting) {
		xo_control_event(XO_FD_CONTROL, "disconnected", json_object());
		xo_control_return(XO_FD_CONTROL, worker->disconnect_id, json_object());
		/* For a launcher that finds both read: the process may keep its descriptors for long. */
		shutdown(XO_FD_CONTROL, SHUT_WR);
	}
	_exit(status);
}

static int run(struct xo_ring_worker *worker)
{
	const char *what = "";
	int r = connect_ring(worker, &what);

	if (!r) {
		what = "event loop";
		r = watch_all(worker);
	}
	if (!r) {
		what = "sandbox";
		r = enter_sandbox(worker);
	}
	if (!r)
		r = begin(worker, &what);
	if (r) {
		char message[160];

		snprintf(message, sizeof(message), "%s (%s)", what, strerror(-r));
		xo_ring_control_error(message);
		return r;
	}
	return xo_runner_run(&worker->runner);
}

int main(int argc, char **argv)
{
	static struct xo_ring_worker worker;
	const char *error;
	char ident[64];
	int r = xo_ring_options_parse(&worker.options, argc, argv, &error);

	xo_log_open("xenoptic-ring", XO_LOG_INFO);
	if (r) {
		xo_error("%s: not understood, or missing", error);
		return 2;
	}
	snprintf(ident, sizeof(ident), "xenoptic-ring[%s/%u]", worker.options.name,
		 worker.options.devid);
	xo_log_open(ident, worker.options.verbose ? XO_LOG_DEBUG : XO_LOG_INFO);
	/* One heap for both threads: a second one would need mprotect. */
	mallopt(M_ARENA_MAX, 1);
	r = run(&worker);
	xo_ring_worker_end(&worker, r ? EXIT_FAILURE : EXIT_SUCCESS);
}
