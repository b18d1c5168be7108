/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-domctl: holds each new domain of libxl's paused until xenopticd has made the nodes of its
 * drives. libxl stores what the guest's configuration says at the very end of its making, and xl lets the
 * guest run at once; a PV guest that was saved with a drive and comes back without the nodes has lost it
 * for good. A pause is counted by Xen, so this one and the toolstack's own do not disturb each other.
 *
 * It watches the store itself, so that a launcher which is late, or is being started again, loses no
 * guest. The only program that links libxenctrl, whose ABI changes with each release of Xen.
 *
 * It reads what guests may have written into the store only as numbers and names, and is shut in all the
 * same. It stays root without capabilities: libxl's folder is root's alone.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>
#include <xen/sys/privcmd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/domctl_control.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/point.h"
#include "base/sandbox.h"
#include "base/worker.h"
#include "domctl_record.h"

#define EXIT_USAGE 2 /* also: not on this Xen; a successor would fare no better */

enum { POINT_PAUSING, POINT_PAUSED, POINT_RELEASED, POINT_COUNT };

static const char *const points[POINT_COUNT] = {
	[POINT_PAUSING] = "domctl.pausing",
	[POINT_PAUSED] = "domctl.paused",
	[POINT_RELEASED] = "domctl.released",
};

struct domctl {
	const char *record_path;
	const char *libxl_dir;
	unsigned int seconds; /* the longest hold */
	xc_interface *xc;
	struct xs_handle *xs;
	struct xo_record record;
	struct xo_loop *loop;
	struct xo_watch store;
	struct xo_watch control;
	struct xo_watch signals;
	struct xo_timer timer; /* the next hold that ends by itself */
	bool orphan; /* the launcher is gone: no new holds */
};

/* What Xen says of it. 0; -ESRCH: it is gone, or dying. */
static int domain_info(struct domctl *d, uint32_t domid, xc_domaininfo_t *info)
{
	if (xc_domain_getinfolist(d->xc, domid, 1, info) != 1 || info->domain != domid ||
	    info->flags & XEN_DOMINF_dying)
		return -ESRCH;
	return 0;
}

static void tell(struct domctl *d, const char *event, uint32_t domid)
{
	if (!d->orphan)
		xo_control_event(XO_FD_CONTROL, event, json_pack("{s:i}", "domain", (int)domid));
}

static void hold_end(struct domctl *d, struct xo_hold *hold, const char *why)
{
	uint32_t domid = hold->domid;
	xc_domaininfo_t info;

	/* Not when it is gone, or another has its id: that one's pauses are not ours. */
	if (domain_info(d, domid, &info) || memcmp(info.handle, hold->handle, sizeof(info.handle)))
		xo_info("domain %u: gone while it was held", domid);
	else if (!(info.flags & XEN_DOMINF_paused))
		xo_info("domain %u: was released already",
			domid); /* by one who died right after it */
	else if (xc_domain_unpause(d->xc, domid))
		xo_error("domain %u: cannot be unpaused: %s; try xl unpause %u", domid,
			 strerror(errno), domid);
	else
		xo_debug("domain %u: goes on, %s", domid, why);
	xo_point(POINT_RELEASED);
	hold->state = XO_HOLD_FREE;
	tell(d, XO_DOMCTL_EVENT_RELEASED, domid);
}

static void timer_set(struct domctl *d);

static void timer_expired(struct xo_timer *timer)
{
	struct domctl *d = timer->priv;
	uint64_t now = xo_now_ns();

	for (unsigned int i = 0; i < XO_HOLDS_MAX; i++) {
		struct xo_hold *hold = &d->record.holds[i];

		if (hold->state != XO_HOLD_PAUSED || hold->until > now)
			continue;
		xo_warning("domain %u: xenopticd has not said in %u s that its drives are there",
			   hold->domid, d->seconds);
		hold_end(d, hold, "unasked");
	}
	timer_set(d);
}

/* For the hold that ends first. Without a launcher and without holds there is nothing to stay for. */
static void timer_set(struct domctl *d)
{
	uint64_t now = xo_now_ns();
	uint64_t first = UINT64_MAX;

	for (unsigned int i = 0; i < XO_HOLDS_MAX; i++)
		if (d->record.holds[i].state == XO_HOLD_PAUSED)
			first = XO_MIN(first, d->record.holds[i].until);
	xo_loop_disarm(d->loop, &d->timer);
	if (first != UINT64_MAX)
		xo_loop_arm(d->loop, &d->timer, first > now ? first - now : 0);
	else if (d->orphan)
		xo_loop_quit(d->loop, 0);
}

/* ---- which domains ---- */

/* A node's text, terminated; NULL: none. The caller frees. */
static char *store_read(struct domctl *d, const char *format, uint32_t domid)
{
	char path[64];
	unsigned int length;

	snprintf(path, sizeof(path), format, domid);
	return xs_read(d->xs, XBT_NULL, path, &length);
}

static bool store_has(struct domctl *d, const char *format, uint32_t domid)
{
	char *value = store_read(d, format, domid);

	free(value);
	return value != NULL;
}

/* A stub domain has no configuration of its own that could come; libxl calls it NAME-dm. */
static bool is_stub(struct domctl *d, uint32_t domid)
{
	char *name = store_read(d, "/local/domain/%u/name", domid);
	size_t length = name ? strlen(name) : 0;
	bool stub = length > 3 && !strcmp(name + length - 3, "-dm");

	free(name);
	return stub;
}

/* libxl has stored its configuration: it is made, and xenopticd finds it there. */
static bool is_made(const struct domctl *d, uint32_t domid, const uint8_t h[16])
{
	char path[XO_DOMCTL_PATH_MAX];

	snprintf(path, sizeof(path),
		 "%s/userdata-d.%u.%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x.libxl-json",
		 d->libxl_dir, domid, h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9],
		 h[10], h[11], h[12], h[13], h[14], h[15]);
	return !access(path, F_OK);
}

/* libxl is making it: paused from its first moment to its last. */
static bool is_wanted(struct domctl *d, uint32_t domid, const xc_domaininfo_t *info)
{
	return info->flags & XEN_DOMINF_paused && !(info->flags & XEN_DOMINF_shutdown) &&
	       store_has(d, "/libxl/%u", domid) && !is_made(d, domid, info->handle) &&
	       !is_stub(d, domid);
}

static void hold_begin(struct domctl *d, uint32_t domid, const xc_domaininfo_t *info)
{
	struct xo_hold *hold = xo_record_new(&d->record);

	if (!hold) {
		xo_warning("domain %u: not held, %u others are", domid, XO_HOLDS_MAX);
		return;
	}
	hold->domid = domid;
	hold->until = xo_now_ns() + d->seconds * UINT64_C(1000000000);
	memcpy(hold->handle, info->handle, sizeof(hold->handle));
	/* The record is read by a successor of a process that died anywhere here. */
	atomic_thread_fence(memory_order_release);
	hold->state = XO_HOLD_PAUSING;
	xo_point(POINT_PAUSING);
	if (xc_domain_pause(d->xc, domid)) {
		xo_warning("domain %u: cannot be held: %s", domid, strerror(errno));
		hold->state = XO_HOLD_FREE;
		return;
	}
	hold->state = XO_HOLD_PAUSED;
	xo_point(POINT_PAUSED);
	xo_debug("domain %u: held", domid);
	tell(d, XO_DOMCTL_EVENT_HELD, domid);
}

static void look_at(struct domctl *d, uint32_t domid)
{
	const struct xo_hold *hold = xo_record_find(&d->record, domid);
	xc_domaininfo_t info;

	if (domid && !hold && !domain_info(d, domid, &info) && is_wanted(d, domid, &info))
		hold_begin(d, domid, &info);
}

static void scan(struct domctl *d)
{
	unsigned int count = 0;
	char **names = xs_directory(d->xs, XBT_NULL, "/local/domain", &count);

	for (unsigned int i = 0; i < count && names; i++) {
		char *end;
		unsigned long domid = strtoul(names[i], &end, 10);

		if (!*end && domid < DOMID_FIRST_RESERVED)
			look_at(d, (uint32_t)domid);
	}
	free(names);
	timer_set(d);
}

/* ---- what comes in ---- */

static void store_ready(struct xo_watch *watch, uint32_t events)
{
	struct domctl *d = watch->priv;
	bool fired = false;
	char **event;

	(void)events;
	while ((event = xs_check_watch(d->xs))) {
		fired = true;
		free(event);
	}
	if (errno != EAGAIN) {
		xo_error("xenstore: the connection is lost: %s", strerror(errno));
		xo_loop_quit(d->loop, EXIT_FAILURE);
	} else if (fired && !d->orphan) {
		scan(d);
	}
}

static void handle_command(struct domctl *d, const json_t *message)
{
	const char *command = json_string_value(json_object_get(message, "execute"));
	const json_t *arguments = json_object_get(message, "arguments");
	json_int_t domid = json_integer_value(json_object_get(arguments, "domain"));
	struct xo_hold *hold;

	if (!command || strcmp(command, XO_DOMCTL_RELEASE) != 0 || domid < 1 ||
	    domid >= DOMID_FIRST_RESERVED)
		return;
	hold = xo_record_find(&d->record, (uint32_t)domid);
	if (hold && hold->state == XO_HOLD_PAUSED)
		hold_end(d, hold, "its drives are there");
}

static void control_ready(struct xo_watch *watch, uint32_t events)
{
	struct domctl *d = watch->priv;
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message;
	size_t count;
	int r;

	(void)events;
	while ((r = xo_control_receive(XO_FD_CONTROL, &message, fds, &count)) > 0) {
		handle_command(d, message);
		while (count) /* none are expected */
			close(fds[--count]);
		json_decref(message);
	}
	if (r == -EPIPE) {
		/* Its successor takes over; if none comes, the time does it. */
		xo_loop_remove(d->loop, watch);
		d->orphan = true;
	}
	timer_set(d);
}

/* A successor takes over: the holds stay as they are. */
static void signal_ready(struct xo_watch *watch, uint32_t events)
{
	struct domctl *d = watch->priv;

	(void)events;
	xo_loop_quit(d->loop, 0);
}

/* ---- start ---- */

/* What a predecessor left. */
static void adopt(struct domctl *d)
{
	uint64_t latest = xo_now_ns() + d->seconds * UINT64_C(1000000000);

	for (unsigned int i = 0; i < XO_HOLDS_MAX; i++) {
		struct xo_hold *hold = &d->record.holds[i];

		if (hold->state == XO_HOLD_PAUSED) {
			hold->until = XO_MIN(hold->until, latest); /* not of another boot */
			tell(d, XO_DOMCTL_EVENT_HELD, hold->domid);
		} else if (hold->state != XO_HOLD_FREE) {
			xo_warning("domain %u: may have been left paused; if it does not run, xl "
				   "unpause %u",
				   hold->domid, hold->domid);
			hold->state = XO_HOLD_FREE;
		}
	}
}

static int open_xen(struct domctl *d)
{
	d->xc = xc_interface_open(NULL, NULL, 0);
	if (!d->xc) {
		xo_error("Xen's control interface cannot be opened: %s", strerror(errno));
		return -errno;
	}
	d->xs = xs_open(0);
	if (!d->xs || !xs_watch(d->xs, "@introduceDomain", "")) {
		xo_error("xenstore: %s", strerror(errno));
		return -errno;
	}
	return 0;
}

static int start_signals(struct domctl *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	/* Before libxenstore starts its thread. */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	d->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signals.fd < 0 ? -errno : 0;
}

/*
 * Xen's control interface takes any hypercall, which no filter can tell apart. libxenstore sets its
 * signal handlers around each request, and libxl's configurations are looked for by name.
 */
static int enter_sandbox(void)
{
	static const int syscalls[] = { SCMP_SYS(access), SCMP_SYS(fcntl), SCMP_SYS(rt_sigaction) };
	static const unsigned long ioctls[] = { IOCTL_PRIVCMD_HYPERCALL };
	const struct xo_sandbox sandbox = {
		.syscalls = syscalls,
		.syscall_count = XO_ARRAY_SIZE(syscalls),
		.ioctls = ioctls,
		.ioctl_count = XO_ARRAY_SIZE(ioctls),
	};

	return xo_sandbox_enter(&sandbox);
}

static int start(struct domctl *d)
{
	static const int keep[] = { XO_FD_CONTROL };
	int r = xo_close_others(keep, XO_ARRAY_SIZE(keep));

	if (!r)
		r = start_signals(d);
	if (!r)
		r = xo_loop_new(&d->loop);
	if (!r)
		r = xo_record_open(&d->record, d->record_path);
	if (!r)
		r = open_xen(d);
	if (r)
		return r;
	d->store = (struct xo_watch){
		.fd = xs_fileno(d->xs), .events = EPOLLIN, .ready = store_ready, .priv = d
	};
	d->control = (struct xo_watch){
		.fd = XO_FD_CONTROL, .events = EPOLLIN, .ready = control_ready, .priv = d
	};
	d->signals.events = EPOLLIN;
	d->signals.ready = signal_ready;
	d->signals.priv = d;
	d->timer.expired = timer_expired;
	d->timer.priv = d;
	r = xo_loop_add(d->loop, &d->store);
	if (!r)
		r = xo_loop_add(d->loop, &d->control);
	if (!r)
		r = xo_loop_add(d->loop, &d->signals);
	if (!r)
		r = enter_sandbox();
	if (r)
		return r;
	adopt(d);
	scan(d);
	return 0;
}

static int options(struct domctl *d, int argc, char **argv)
{
	static const struct option known[] = {
		{ "record", required_argument, NULL, 'r' },
		{ "libxl-dir", required_argument, NULL, 'd' },
		{ "seconds", required_argument, NULL, 's' },
		{ "log", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int level = XO_LOG_INFO;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'r':
			d->record_path = optarg;
			break;
		case 'd':
			d->libxl_dir = optarg;
			break;
		case 's':
			d->seconds = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			level = optarg[0] - '0';
			break;
		default:
			return -EINVAL;
		}
	}
	if (!d->record_path || !d->libxl_dir || optind != argc || level < XO_LOG_ERROR ||
	    level > XO_LOG_DEBUG || !d->seconds || d->seconds > XO_DOMCTL_HOLD_SECONDS) {
		fputs("xenoptic-domctl is started by xenopticd\n", stderr);
		return -EINVAL;
	}
	xo_log_open("xenoptic-domctl", (enum xo_log_level)level);
	return 0;
}

int main(int argc, char **argv)
{
	static struct domctl d = { .record.fd = -1,
				   .signals.fd = -1,
				   .seconds = XO_DOMCTL_HOLD_SECONDS };
	int r = options(&d, argc, argv);

	signal(SIGPIPE, SIG_IGN);
	if (!r)
		r = xo_point_init(points, POINT_COUNT, NULL);
	if (!r)
		r = start(&d);
	/* What is open goes with the process: to end libxenstore's thread takes calls that nobody makes here. */
	return r ? EXIT_USAGE : xo_loop_run(d.loop);
}
