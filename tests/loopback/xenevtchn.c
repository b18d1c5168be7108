// SPDX-License-Identifier: GPL-2.0-or-later
/* Stand-in for libxenevtchn: handles of the loopback's event channels. */
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenevtchn.h>

struct xenevtchn_handle {
	struct Xentoolcore__Active_Handle ah;
	struct lb_events events;
};

static int restrict_cb(struct Xentoolcore__Active_Handle *ah, uint16_t domid)
{
	return xenevtchn_restrict(lb_container_of(ah, struct xenevtchn_handle, ah), domid);
}

static struct xenevtchn_handle *handle_new(int cloexec)
{
	struct xenevtchn_handle *xce = calloc(1, sizeof(*xce));
	int r;

	if (!xce)
		return NULL;
	xce->ah.restrict_callback = restrict_cb;
	lb_events_init(&xce->events);
	r = lb_connect(&xce->events.conn, LB_KIND_EVTCHN, cloexec);
	if (r < 0) {
		free(xce);
		errno = -r;
		return NULL;
	}
	return xce;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	struct xenevtchn_handle *xce;

	(void)logger;
	if (flags & ~XENEVTCHN_NO_CLOEXEC) {
		errno = EINVAL;
		return NULL;
	}
	xce = handle_new(flags & XENEVTCHN_NO_CLOEXEC ? 0 : O_CLOEXEC);
	if (!xce)
		return NULL;
	if (flags & XENEVTCHN_NO_CLOEXEC)
		fcntl(xce->events.conn.event_fd, F_SETFD, 0);
	xentoolcore__register_active_handle(&xce->ah);
	return xce;
}

/* The descriptor is all there is: the hypervisor recognises it and lends its ports to us as well. */
xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
	struct lb_msg msg = { .op = LB_EVTCHN_ADOPT };
	struct xenevtchn_handle *xce;
	int r;

	(void)logger;
	if (flags) {
		errno = EINVAL;
		return NULL;
	}
	xce = handle_new(O_CLOEXEC);
	if (!xce)
		return NULL;
	r = lb_call_fd(&xce->events.conn, &msg, fd, NULL, 0);
	if (r < 0) {
		lb_events_fini(&xce->events);
		free(xce);
		errno = -r;
		return NULL;
	}
	xce->events.conn.handle = (uint32_t)msg.a[0];
	xce->events.conn.slot = (uint32_t)msg.a[1];
	close(xce->events.conn.event_fd);
	xce->events.conn.event_fd = fd;
	xentoolcore__register_active_handle(&xce->ah);
	return xce;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	if (!xce)
		return 0;
	xentoolcore__deregister_active_handle(&xce->ah);
	lb_events_fini(&xce->events);
	free(xce);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return xce->events.conn.event_fd;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	return lb_errno(lb_events_notify(&xce->events, port));
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	return lb_errno(lb_events_take(&xce->events));
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	lb_events_unmask(&xce->events, port);
	return 0;
}

static int call(xenevtchn_handle *xce, enum lb_op op, uint64_t a0, uint64_t a1)
{
	return lb_errno(lb_call3(&xce->events.conn, op, a0, a1, 0));
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
	return call(xce, LB_EVTCHN_BIND_UNBOUND, domid, 0);
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t remote_port)
{
	return call(xce, LB_EVTCHN_BIND_INTERDOMAIN, domid, remote_port);
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	return call(xce, LB_EVTCHN_BIND_VIRQ, virq, 0);
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	int r = call(xce, LB_EVTCHN_UNBIND, port, 0);

	if (r == 0)
		lb_events_forget(&xce->events, port);
	return r;
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
	return call(xce, LB_RESTRICT, domid, 0);
}
