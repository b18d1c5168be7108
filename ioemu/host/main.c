/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-ioemu: one emulated controller of one HVM guest, an ioreq server
 * beside QEMU. Attaches to the guest, shuts itself in, and only then serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/worker.h"
#include "host.h"

#include <xen/sys/evtchn.h> /* after the types that they use */
#include <xen/sys/privcmd.h>

const char *const xo_ioemu_points[XO_IOEMU_POINT_COUNT] = {
	[XO_IOEMU_POINT_TAKEN] = "ioemu.taken",
	[XO_IOEMU_POINT_DONE] = "ioemu.done",
	[XO_IOEMU_POINT_COMMITTED] = "ioemu.committed",
	[XO_IOEMU_POINT_ANSWERED] = "ioemu.answered",
	[XO_IOEMU_POINT_SENT] = "ioemu.sent",
	[XO_IOEMU_POINT_REPLIED] = "ioemu.replied",
	[XO_IOEMU_POINT_COMPLETED] = "ioemu.completed",
	[XO_IOEMU_POINT_MAPPED] = "ioemu.mapped",
	[XO_IOEMU_POINT_MOVING] = "ioemu.moving",
	[XO_IOEMU_POINT_MOVED] = "ioemu.moved",
	[XO_IOEMU_POINT_NOTICED] = "ioemu.noticed",
};

static int open_ledger(struct xo_host *host)
{
	int r = xo_ledger_open(&host->ledger, XO_FD_LEDGER, XO_IOEMU_LEDGER_KIND,
			       XO_IOEMU_LEDGER_LAYOUT, XO_IOEMU_LEDGER_REGION);

	if (r)
		return r;
	host->record = host->ledger.region;
	if (host->record->bus && host->record->bus != (uint32_t)host->options.bus) {
		xo_error("the ledger is one of another controller");
		return -EPROTO;
	}
	host->record->bus = host->options.bus;
	return xo_point_init(xo_ioemu_points, XO_IOEMU_POINT_COUNT, &host->ledger);
}

static int open_link(struct xo_host *host)
{
	const struct xo_ioemu_options *options = &host->options;
	struct stat st;

	if (fstat(options->arena_fd, &st) < 0)
		return -errno;
	host->arena = st.st_ino;
	if (fcntl(options->link_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	return xo_link_open(&host->link, options->link_fd, options->arena_fd, options->slots,
			    options->slot_size);
}

static int open_loop(struct xo_host *host)
{
	int r = xo_loop_new(&host->loop);

	if (r)
		return r;
	host->event_watch = (struct xo_watch){
		.fd = xenevtchn_fd(host->evtchn),
		.events = EPOLLIN,
		.ready = xo_access_ready,
		.priv = host,
	};
	host->link_watch = (struct xo_watch){
		.fd = host->link.fd,
		.events = EPOLLIN,
		.ready = xo_drive_port_ready,
		.priv = host,
	};
	host->control_watch = (struct xo_watch){
		.fd = XO_FD_CONTROL,
		.events = EPOLLIN,
		.ready = xo_host_control_ready,
		.priv = host,
	};
	r = xo_loop_add(host->loop, &host->event_watch);
	if (!r)
		r = xo_loop_add(host->loop, &host->link_watch);
	if (!r)
		r = xo_loop_add(host->loop, &host->control_watch);
	return r;
}

/* What the Xen libraries ask of their devices while the guest is served. */
static int enter_sandbox(struct xo_host *host)
{
	static const int syscalls[] = {
		SCMP_SYS(poll),	    SCMP_SYS(fcntl),   SCMP_SYS(memfd_create),
		SCMP_SYS(pwrite64), SCMP_SYS(pread64), SCMP_SYS(clock_nanosleep),
	};
	static const unsigned long ioctls[] = {
		IOCTL_PRIVCMD_DM_OP,
		IOCTL_PRIVCMD_MMAPBATCH_V2,
		IOCTL_PRIVCMD_MMAPBATCH,
		IOCTL_EVTCHN_NOTIFY,
	};
	const struct xo_sandbox sandbox = {
		.user = host->options.user,
		.syscalls = syscalls,
		.syscall_count = XO_ARRAY_SIZE(syscalls),
		.ioctls = ioctls,
		.ioctl_count = XO_ARRAY_SIZE(ioctls),
	};
	int r = xo_sandbox_enter(&sandbox);

	host->sandboxed = !r;
	return r;
}

static int set_up(struct xo_host *host, const char **what)
{
	const struct xo_ioemu_options *options = &host->options;
	const int keep[] = { XO_FD_CONTROL, XO_FD_LEDGER, options->link_fd, options->arena_fd };
	int r;

	xo_close_others(keep, XO_ARRAY_SIZE(keep));
	*what = "the ledger cannot be used";
	r = open_ledger(host);
	if (r)
		return r;
	*what = "the drive's link cannot be used";
	r = open_link(host);
	if (r)
		return r;
	*what = "the guest cannot be attached to (is it an HVM guest?)";
	r = xo_server_open(host);
	if (r)
		return r;
	*what = "the event loop cannot be made";
	r = open_loop(host);
	if (r)
		return r;
	*what = "the sandbox cannot be entered";
	return enter_sandbox(host);
}

/* Guest data are looked at from here on. */
static int serve(struct xo_host *host)
{
	int r;

	if (!host->record->identified) {
		xo_drive_port_identify(host, &host->record->identity);
		xo_ledger_commit(&host->record->identified, 1);
	}
	host->stopped = host->record->window.hidden & XO_WINDOW_STOPPED;
	xo_host_look_at_log(host);
	r = xo_machine_start(host);
	if (r)
		return r;
	xo_drive_port_begin(host);
	xo_drive_port_resend(host);
	/* A predecessor may have died with a notice in its hands; none too many does harm. */
	if (host->record->accesses)
		xo_drive_port_notify(host);
	xo_access_recover(host);
	xo_control_event(XO_FD_CONTROL, "ready",
			 json_pack("{s:i}", "generation", (int)host->ledger.header->generation));
	return xo_loop_run(host->loop);
}

int main(int argc, char **argv)
{
	static struct xo_host host;
	const char *what = NULL;
	char ident[64];
	int r;

	r = xo_ioemu_options_parse(&host.options, argc, argv, &what);
	if (r) {
		fprintf(stderr, "xenoptic-ioemu: %s; try --help\n", what);
		return 2;
	}
	snprintf(ident, sizeof(ident), "xenoptic-ioemu[%u/%u %.32s]", host.options.domid,
		 host.options.device, host.options.name);
	xo_log_open(ident, host.options.verbose ? XO_LOG_DEBUG : XO_LOG_INFO);
	r = set_up(&host, &what);
	if (!r) {
		what = "the controller cannot be set up";
		r = serve(&host);
	}
	if (r) {
		xo_error("%s: %s", what, strerror(-r));
		xo_control_event(XO_FD_CONTROL, "error", json_pack("{s:s}", "message", what));
	}
	xo_server_close(&host, false);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
