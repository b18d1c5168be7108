// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stand-in for libxenevtchn: a handle is an eventfd that counts delivered events, and a bitmap in
 * shared memory that says of which ports. A notification is one write to the peer's eventfd.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenevtchn.h>

struct peer {
	uint32_t handle; /* whose eventfd it is; 0: none yet */
	int fd;
};

struct xenevtchn_handle {
	struct Xentoolcore__Active_Handle ah;
	struct lb_conn conn;
	unsigned int next; /* where pending looks first, so that no port starves */
	struct peer peers[LB_MAX_PORTS];
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
	for (unsigned int i = 0; i < LB_MAX_PORTS; i++)
		xce->peers[i].fd = -1;
	r = lb_connect(&xce->conn, LB_KIND_EVTCHN, cloexec);
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
		fcntl(xce->conn.event_fd, F_SETFD, 0);
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
	r = lb_call_fd(&xce->conn, &msg, fd, NULL, 0);
	if (r < 0) {
		lb_disconnect(&xce->conn);
		free(xce);
		errno = -r;
		return NULL;
	}
	xce->conn.handle = (uint32_t)msg.a[0];
	xce->conn.slot = (uint32_t)msg.a[1];
	close(xce->conn.event_fd);
	xce->conn.event_fd = fd;
	xentoolcore__register_active_handle(&xce->ah);
	return xce;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	if (!xce)
		return 0;
	xentoolcore__deregister_active_handle(&xce->ah);
	for (unsigned int i = 0; i < LB_MAX_PORTS; i++)
		if (xce->peers[i].fd >= 0)
			close(xce->peers[i].fd);
	lb_disconnect(&xce->conn);
	free(xce);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return xce->conn.event_fd;
}

/* Port p of our domain if this handle has it, as Linux's evtchn driver wants it for every call. */
static struct lb_port *own_port(struct xenevtchn_handle *xce, uint32_t port)
{
	struct lb_port *p;

	if (port == 0 || port >= LB_MAX_PORTS) {
		errno = EINVAL;
		return NULL;
	}
	p = &xce->conn.shared->domains[xce->conn.slot].ports[port];
	if (atomic_load(&p->handle) != xce->conn.handle) {
		errno = ENOTCONN;
		return NULL;
	}
	return p;
}

/* The eventfd of handle, which has the other end of port; -1 when it has gone meanwhile. */
static int peer_fd(struct xenevtchn_handle *xce, uint32_t port, uint32_t handle)
{
	struct peer *peer = &xce->peers[port];
	struct lb_msg msg = { .op = LB_EVTCHN_PEER, .a = { port } };
	int fd;

	if (peer->handle == handle)
		return peer->fd;
	if (lb_call(&xce->conn, &msg, NULL, 0, NULL, 0, &fd, 1) < 0)
		return -1;
	if (peer->fd >= 0)
		close(peer->fd);
	peer->handle = (uint32_t)msg.a[0];
	peer->fd = fd;
	return fd;
}

static void wake(int fd)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	struct lb_port *p = own_port(xce, port), *rp;
	struct lb_shared *shared = xce->conn.shared;
	uint64_t link;
	uint32_t handle;
	int fd;

	if (!p)
		return -1;
	link = atomic_load(&p->link);
	if (lb_link_state(link) == LB_PORT_UNBOUND)
		return 0; /* dropped, as Xen does */
	if (lb_link_state(link) != LB_PORT_INTERDOMAIN)
		return lb_errno(-EINVAL);

	rp = &shared->domains[lb_link_slot(link)].ports[lb_link_port(link)];
	handle = atomic_load(&rp->handle);
	if (handle == 0)
		return 0;
	if (!lb_port_set_pending(rp))
		return 0;
	fd = peer_fd(xce, port, handle);
	lb_mark_delivered(shared, handle, lb_link_port(link));
	if (fd >= 0)
		wake(fd);
	return 0;
}

static xenevtchn_port_or_error_t bound(int r)
{
	return lb_errno(r);
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
	return bound(lb_call3(&xce->conn, LB_EVTCHN_BIND_UNBOUND, domid, 0, 0));
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t remote_port)
{
	return bound(lb_call3(&xce->conn, LB_EVTCHN_BIND_INTERDOMAIN, domid, remote_port, 0));
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	return bound(lb_call3(&xce->conn, LB_EVTCHN_BIND_VIRQ, virq, 0, 0));
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	int r = lb_call3(&xce->conn, LB_EVTCHN_UNBIND, port, 0, 0);

	if (r == 0 && xce->peers[port].fd >= 0) {
		close(xce->peers[port].fd);
		xce->peers[port] = (struct peer){ .fd = -1 };
	}
	return lb_errno(r);
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	const unsigned int words = LB_MAX_PORTS / 64;
	struct lb_shared *shared = xce->conn.shared;
	struct lb_handle *h = &shared->handles[xce->conn.handle % LB_MAX_HANDLES];
	uint64_t one;

	if (read(xce->conn.event_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return -1;
	for (unsigned int n = 0; n <= words; n++) {
		unsigned int word = (xce->next / 64 + n) % words;
		uint64_t bits = atomic_load(&h->delivered[word]);
		uint32_t port;

		if (n == 0)
			bits &= ~0ull << (xce->next % 64);
		if (!bits)
			continue;
		port = word * 64 + (uint32_t)__builtin_ctzll(bits);
		xce->next = (port + 1) % LB_MAX_PORTS;
		atomic_fetch_or(&shared->domains[xce->conn.slot].ports[port].flags,
				LB_PORT_CONSUMED);
		lb_unmark_delivered(shared, xce->conn.handle, port);
		return (xenevtchn_port_or_error_t)port;
	}
	errno = EAGAIN; /* the port was closed between the two */
	return -1;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	struct lb_port *p = own_port(xce, port);

	if (!p)
		return 0; /* Linux takes any port here, and ignores what is not ours */
	if (lb_port_unmask(p)) {
		lb_mark_delivered(xce->conn.shared, xce->conn.handle, port);
		wake(xce->conn.event_fd);
	}
	return 0;
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
	return lb_errno(lb_call3(&xce->conn, LB_RESTRICT, domid, 0, 0));
}
