// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events without the hypervisor: a compare-and-swap on the peer's port in shared memory, and a write
 * to its eventfd, which counts what was delivered and not read.
 */
#include "events.h"

#include <errno.h>
#include <unistd.h>

void lb_events_init(struct lb_events *e)
{
	*e = (struct lb_events){ 0 };
	for (unsigned int i = 0; i < LB_MAX_PORTS; i++)
		e->peers[i].fd = -1;
}

void lb_events_fini(struct lb_events *e)
{
	for (unsigned int i = 0; i < LB_MAX_PORTS; i++)
		lb_events_forget(e, i);
	lb_disconnect(&e->conn);
}

void lb_events_forget(struct lb_events *e, uint32_t port)
{
	if (e->peers[port].fd >= 0)
		close(e->peers[port].fd);
	e->peers[port].fd = -1;
	e->peers[port].handle = 0;
}

/* Port p of our domain if this handle has it, as Linux's evtchn driver wants it for every call. */
static struct lb_port *own_port(struct lb_events *e, uint32_t port, int *r)
{
	struct lb_port *p;

	*r = -EINVAL;
	if (port == 0 || port >= LB_MAX_PORTS)
		return NULL;
	p = &e->conn.shared->domains[e->conn.slot].ports[port];
	*r = -ENOTCONN;
	return atomic_load(&p->handle) == e->conn.handle ? p : NULL;
}

/* The eventfd of handle, which has the other end of port; -1 when it has gone meanwhile. */
static int peer_fd(struct lb_events *e, uint32_t port, uint32_t handle)
{
	struct lb_msg msg = { .op = LB_EVTCHN_PEER, .a = { port } };
	int fd;

	if (e->peers[port].handle == handle)
		return e->peers[port].fd;
	lb_events_forget(e, port);
	if (lb_call(&e->conn, &msg, NULL, 0, NULL, 0, &fd, 1) < 0)
		return -1;
	e->peers[port].handle = (uint32_t)msg.a[0];
	e->peers[port].fd = fd;
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

int lb_events_notify(struct lb_events *e, uint32_t port)
{
	struct lb_shared *shared = e->conn.shared;
	struct lb_port *p, *rp;
	uint64_t link;
	uint32_t handle;
	int fd, r;

	p = own_port(e, port, &r);
	if (!p)
		return r;
	link = atomic_load(&p->link);
	if (lb_link_state(link) == LB_PORT_UNBOUND)
		return 0; /* dropped, as Xen does */
	if (lb_link_state(link) != LB_PORT_INTERDOMAIN)
		return -EINVAL;

	rp = &shared->domains[lb_link_slot(link)].ports[lb_link_port(link)];
	handle = atomic_load(&rp->handle);
	if (handle == 0 || !lb_port_set_pending(rp))
		return 0;
	fd = peer_fd(e, port, handle);
	lb_mark_delivered(shared, handle, lb_link_port(link));
	if (fd >= 0)
		wake(fd);
	return 0;
}

/* The next delivered port of the handle, which is unmarked with it; -1: none. */
static int next_port(struct lb_events *e)
{
	const unsigned int words = LB_MAX_PORTS / 64;
	struct lb_shared *shared = e->conn.shared;
	struct lb_handle *h = &shared->handles[e->conn.handle % LB_MAX_HANDLES];

	for (unsigned int n = 0; n <= words; n++) {
		unsigned int word = (e->next / 64 + n) % words;
		uint64_t bits = atomic_load(&h->delivered[word]);
		uint32_t port;

		if (n == 0)
			bits &= ~0ull << (e->next % 64);
		if (!bits)
			continue;
		port = word * 64 + (uint32_t)__builtin_ctzll(bits);
		e->next = (port + 1) % LB_MAX_PORTS;
		atomic_fetch_or(&shared->domains[e->conn.slot].ports[port].flags, LB_PORT_CONSUMED);
		lb_unmark_delivered(shared, e->conn.handle, port);
		return (int)port;
	}
	return -1;
}

int lb_events_take(struct lb_events *e)
{
	uint64_t one;
	int port;

	if (read(e->conn.event_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return -errno;
	/*
	 * The descriptor may count one too many: its port was closed, or the hypervisor completed a
	 * send that needed no completing. Linux's driver shows neither; whoever was told by poll that
	 * there is an event must not be left waiting for the next one.
	 */
	port = next_port(e);
	return port < 0 ? -EAGAIN : port;
}

void lb_events_unmask(struct lb_events *e, uint32_t port)
{
	int r;
	struct lb_port *p = own_port(e, port, &r);

	/* Linux takes any port here, and ignores what is not ours. */
	if (p && lb_port_unmask(p)) {
		lb_mark_delivered(e->conn.shared, e->conn.handle, port);
		wake(e->conn.event_fd);
	}
}
