// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Event channels of the loopback: the life of ports. Sending needs no message: it happens in the
 * shared memory (proto.h) and on the receiver's eventfd.
 */
#include "hv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xen/xen.h>

static struct hv_handle *handles[LB_MAX_HANDLES];

/* What the kernel says of an eventfd; false: it is none. */
static bool event_info(int fd, unsigned int *id, unsigned long long *count)
{
	char path[64], line[128];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		found += sscanf(line, "eventfd-count: %llx", count) == 1;
		found += sscanf(line, "eventfd-id: %u", id) == 1;
	}
	fclose(f);
	return found == 2;
}

struct hv_handle *hv_handle_new(struct hv_domain *d)
{
	static uint32_t generation;
	unsigned long long count;
	struct hv_handle *h;
	uint32_t i = 1;

	while (i < LB_MAX_HANDLES && handles[i])
		i++;
	h = i < LB_MAX_HANDLES ? calloc(1, sizeof(*h)) : NULL;
	if (!h)
		return NULL;
	*h = (struct hv_handle){
		.id = i + LB_MAX_HANDLES * generation++,
		.refs = 1,
		.restrict_domid = LB_NO_DOMAIN,
		.domain = d,
	};
	h->event_fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
	if (h->event_fd < 0 || !event_info(h->event_fd, &h->event_id, &count)) {
		free(h);
		return NULL;
	}
	for (unsigned int w = 0; w < LB_MAX_PORTS / 64; w++)
		atomic_store(&hv_shared->handles[i].delivered[w], 0);
	handles[i] = h;
	return h;
}

void hv_handle_put(struct hv_handle *h)
{
	if (!h || --h->refs)
		return;
	for (uint32_t port = 1; port < LB_MAX_PORTS; port++)
		if (h->domain->ports[port].handle == h)
			hv_port_close(h->domain, port);
	close(h->event_fd);
	handles[h->id % LB_MAX_HANDLES] = NULL;
	free(h);
}

unsigned int hv_handle_ports(const struct hv_handle *h)
{
	unsigned int n = 0;

	for (uint32_t port = 1; port < LB_MAX_PORTS; port++)
		n += h->domain->ports[port].handle == h;
	return n;
}

static bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static void deliver(struct hv_handle *h, uint32_t port)
{
	uint64_t one = 1;

	lb_mark_delivered(hv_shared, h->id, port);
	if (write(h->event_fd, &one, sizeof(one)) < 0)
		hv_log("event: %m");
}

void hv_port_raise(struct hv_domain *d, uint32_t port)
{
	struct hv_handle *h = d->ports[port].handle;

	if (h && lb_port_set_pending(&d->shared->ports[port]))
		deliver(h, port);
}

void hv_port_send(struct hv_domain *d, uint32_t port)
{
	uint64_t link = atomic_load(&d->shared->ports[port].link);

	if (lb_link_state(link) == LB_PORT_INTERDOMAIN && hv_domains[lb_link_slot(link)])
		hv_port_raise(hv_domains[lb_link_slot(link)], lb_link_port(link));
}

static int port_alloc(struct hv_domain *d, struct hv_handle *handle)
{
	for (uint32_t port = 1; port < LB_MAX_PORTS; port++) {
		struct lb_port *p = &d->shared->ports[port];

		if (lb_link_state(atomic_load(&p->link)) != LB_PORT_FREE)
			continue;
		d->ports[port] = (struct hv_port){ .handle = handle };
		atomic_store(&p->flags, 0);
		atomic_store(&p->handle, handle ? handle->id : 0);
		return (int)port;
	}
	return -ENOSPC;
}

int hv_port_new(struct hv_domain *d, struct hv_handle *handle, uint32_t remote_domid)
{
	int port = port_alloc(d, handle);

	if (port < 0)
		return port;
	d->ports[port].remote_domid = remote_domid;
	atomic_store(&d->shared->ports[port].link, lb_link(LB_PORT_UNBOUND, 0, 0));
	return port;
}

/* EVTCHNOP_bind_interdomain: the other end must wait for us, and we are called once at the start. */
int hv_port_bind(struct hv_domain *d, struct hv_handle *handle, uint32_t remote_domid,
		 uint32_t remote_port)
{
	struct hv_domain *rd = remote_domid == DOMID_SELF ? d : hv_domain_find(remote_domid);
	struct lb_port *rp;
	int port;

	if (!rd)
		return -ESRCH;
	if (remote_port == 0 || remote_port >= LB_MAX_PORTS)
		return -EINVAL;
	rp = &rd->shared->ports[remote_port];
	if (lb_link_state(atomic_load(&rp->link)) != LB_PORT_UNBOUND ||
	    rd->ports[remote_port].remote_domid != d->domid)
		return -EINVAL;
	port = port_alloc(d, handle);
	if (port < 0)
		return port;
	atomic_store(&d->shared->ports[port].link,
		     lb_link(LB_PORT_INTERDOMAIN, rd->slot, remote_port));
	atomic_store(&rp->link, lb_link(LB_PORT_INTERDOMAIN, d->slot, (uint32_t)port));
	/* What was sent before we came is lost: Xen makes up for it with one event. */
	hv_port_raise(d, (uint32_t)port);
	return port;
}

/* Takes back what was delivered to the handle and not read yet. */
static void withdraw(struct hv_handle *h, uint32_t port)
{
	uint64_t one;

	if (lb_unmark_delivered(hv_shared, h->id, port) && readable(h->event_fd) &&
	    read(h->event_fd, &one, sizeof(one)) < 0)
		hv_log("event: %m");
}

/*
 * A sender that was killed between marking the port and writing the eventfd would leave it masked
 * for ever. In Xen sending is one hypercall, so it is completed here. One event too many does no
 * harm, so races with the reader do not matter.
 */
static void complete_send(struct hv_domain *rd, uint32_t port)
{
	struct hv_handle *h = rd->ports[port].handle;
	uint32_t flags = atomic_load(&rd->shared->ports[port].flags);
	unsigned long long count, delivered = 0;
	const uint64_t one = 1;
	unsigned int id;
	uint64_t bits;

	if (!h || !(flags & LB_PORT_MASKED) || flags & LB_PORT_CONSUMED)
		return;
	bits = atomic_load(&hv_shared->handles[h->id % LB_MAX_HANDLES].delivered[port / 64]);
	if (!(bits & 1ull << (port % 64))) {
		deliver(h, port);
		return;
	}
	for (unsigned int w = 0; w < LB_MAX_PORTS / 64; w++)
		delivered += (unsigned long long)__builtin_popcountll(
			atomic_load(&hv_shared->handles[h->id % LB_MAX_HANDLES].delivered[w]));
	if (event_info(h->event_fd, &id, &count) && count < delivered &&
	    write(h->event_fd, &one, sizeof(one)) < 0)
		hv_log("event: %m");
}

void hv_port_close(struct hv_domain *d, uint32_t port)
{
	struct lb_port *p = &d->shared->ports[port];
	uint64_t link = atomic_load(&p->link);
	struct hv_domain *rd;

	if (lb_link_state(link) == LB_PORT_FREE)
		return;
	if (lb_link_state(link) == LB_PORT_INTERDOMAIN) {
		rd = hv_domains[lb_link_slot(link)];
		atomic_store(&rd->shared->ports[lb_link_port(link)].link,
			     lb_link(LB_PORT_UNBOUND, 0, 0));
		rd->ports[lb_link_port(link)].remote_domid = d->domid;
		complete_send(rd, lb_link_port(link));
	}
	atomic_store(&p->handle, 0);
	atomic_store(&p->link, lb_link(LB_PORT_FREE, 0, 0));
	if (d->ports[port].handle)
		withdraw(d->ports[port].handle, port);
	atomic_store(&p->flags, 0);
	d->ports[port] = (struct hv_port){ 0 };
}

void hv_ports_give(struct hv_domain *d, uint32_t port, struct hv_handle *handle)
{
	struct lb_port *p = &d->shared->ports[port];

	d->ports[port].handle = handle;
	atomic_store(&p->flags, 0);
	atomic_store(&p->handle, handle ? handle->id : 0);
}

void hv_virq(uint32_t virq)
{
	struct hv_domain *d = hv_domain_find(0);

	for (uint32_t port = 1; d && port < LB_MAX_PORTS; port++)
		if (lb_link_state(atomic_load(&d->shared->ports[port].link)) == LB_PORT_VIRQ &&
		    d->ports[port].virq == virq)
			hv_port_raise(d, port);
}

/* ---- calls ---- */

/* A restricted handle may be bound to its one domain only. */
static bool forbidden(const struct hv_conn *conn, uint64_t domid)
{
	return conn->handle->restrict_domid != LB_NO_DOMAIN &&
	       conn->handle->restrict_domid != domid;
}

/* The descriptor of an open handle came along: a[0] handle, a[1] slot of its domain. */
int hv_evtchn_adopt(struct hv_conn *conn, struct hv_call *call)
{
	unsigned long long count;
	unsigned int id;

	if (call->in_fd < 0 || !event_info(call->in_fd, &id, &count))
		return -EBADF;
	for (uint32_t i = 1; i < LB_MAX_HANDLES; i++) {
		struct hv_handle *h = handles[i];

		if (!h || h->event_id != id || h == conn->handle)
			continue;
		hv_handle_put(conn->handle);
		conn->handle = h;
		conn->domain = h->domain;
		h->refs++;
		call->msg->a[0] = h->id;
		call->msg->a[1] = h->domain->slot;
		return 0;
	}
	return -EBADF;
}

/* a[0] remote domid */
int hv_evtchn_bind_unbound(struct hv_conn *conn, struct hv_call *call)
{
	uint32_t domid = (uint32_t)call->msg->a[0];

	if (!conn->handle || forbidden(conn, domid))
		return -EACCES;
	return hv_port_new(conn->domain, conn->handle,
			   domid == DOMID_SELF ? conn->domain->domid : domid);
}

/* a[0] remote domid, a[1] remote port */
int hv_evtchn_bind_interdomain(struct hv_conn *conn, struct hv_call *call)
{
	if (!conn->handle || forbidden(conn, call->msg->a[0]))
		return -EACCES;
	return hv_port_bind(conn->domain, conn->handle, (uint32_t)call->msg->a[0],
			    (uint32_t)call->msg->a[1]);
}

/* a[0] virq; a global one goes to Dom0 alone */
int hv_evtchn_bind_virq(struct hv_conn *conn, struct hv_call *call)
{
	uint32_t virq = (uint32_t)call->msg->a[0];
	struct hv_domain *d = conn->domain;
	int port;

	if (!conn->handle || conn->handle->restrict_domid != LB_NO_DOMAIN)
		return -EACCES;
	if (virq >= NR_VIRQS)
		return -EINVAL;
	if (d->domid != 0)
		return -EPERM;
	for (uint32_t i = 1; i < LB_MAX_PORTS; i++)
		if (lb_link_state(atomic_load(&d->shared->ports[i].link)) == LB_PORT_VIRQ &&
		    d->ports[i].virq == virq)
			return -EEXIST;
	port = port_alloc(d, conn->handle);
	if (port < 0)
		return port;
	d->ports[port].virq = virq;
	atomic_store(&d->shared->ports[port].link, lb_link(LB_PORT_VIRQ, 0, 0));
	return port;
}

static int own(const struct hv_conn *conn, uint64_t port)
{
	if (port == 0 || port >= LB_MAX_PORTS)
		return -EINVAL;
	return conn->handle && conn->domain->ports[port].handle == conn->handle ? 0 : -ENOTCONN;
}

/* a[0] port */
int hv_evtchn_unbind(struct hv_conn *conn, struct hv_call *call)
{
	int r = own(conn, call->msg->a[0]);

	if (r == 0)
		hv_port_close(conn->domain, (uint32_t)call->msg->a[0]);
	return r;
}

/* a[0] port; reply: a[0] the handle that has the other end, and its eventfd */
int hv_evtchn_peer(struct hv_conn *conn, struct hv_call *call)
{
	const struct hv_handle *h;
	uint64_t link;
	int r = own(conn, call->msg->a[0]);

	if (r < 0)
		return r;
	link = atomic_load(&conn->domain->shared->ports[call->msg->a[0]].link);
	if (lb_link_state(link) != LB_PORT_INTERDOMAIN || !hv_domains[lb_link_slot(link)])
		return -ENOTCONN;
	h = hv_domains[lb_link_slot(link)]->ports[lb_link_port(link)].handle;
	if (!h)
		return -ENOTCONN;
	call->msg->a[0] = h->id;
	call->fds[call->nfds++] = h->event_fd;
	return 0;
}

/* a[0] domid: IOCTL_EVTCHN_RESTRICT_DOMID, or IOCTL_PRIVCMD_RESTRICT for the others */
int hv_restrict(struct hv_conn *conn, struct hv_call *call)
{
	uint32_t domid = (uint32_t)call->msg->a[0];

	if (conn->handle && conn->kind == LB_KIND_EVTCHN) {
		if (conn->handle->restrict_domid != LB_NO_DOMAIN)
			return -EACCES;
		if (domid == 0 || domid >= DOMID_FIRST_RESERVED)
			return -EINVAL;
		conn->handle->restrict_domid = domid;
		return 0;
	}
	if (conn->restrict_domid != LB_NO_DOMAIN && conn->restrict_domid != domid)
		return -EINVAL;
	conn->restrict_domid = domid;
	return 0;
}
