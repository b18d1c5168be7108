// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Device model operations of the loopback: ioreq servers, which belong to the domain and outlive
 * their emulator, and the interrupts that an emulator injects.
 */
#define __XEN_TOOLS__ 1
#include "hv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/hvm/params.h>

/* Changes to what a virtual CPU looks up are made between two of these. */
static void change(struct hv_domain *d)
{
	atomic_fetch_add(&d->shared->servers_seq, 1);
}

static int hvm(const struct hv_conn *conn, const struct hv_call *call, struct hv_domain **d)
{
	int r = hv_privileged(conn, call->msg->a[0], d);

	return r == 0 && (*d)->type != LB_TYPE_HVM ? -EINVAL : r;
}

static int find(const struct hv_conn *conn, const struct hv_call *call, struct hv_domain **d,
		struct hv_server **s)
{
	uint64_t id = call->msg->a[1];
	int r = hvm(conn, call, d);

	if (r < 0)
		return r;
	*s = id < LB_MAX_SERVERS ? (*d)->servers[id] : NULL;
	if (!*s)
		return -ENOENT;
	return (*s)->owner_domid == conn->domain->domid ? 0 : -EPERM;
}

/* ---- life of a server ---- */

static void server_free(struct hv_domain *d, unsigned int id)
{
	struct hv_server *s = d->servers[id];

	for (uint32_t i = 0; i < d->vcpus; i++)
		if (s->vcpu_ports[i])
			hv_port_close(d, s->vcpu_ports[i]);
	if (s->bufioreq_port)
		hv_port_close(d, s->bufioreq_port);
	change(d);
	d->shared->servers[id].present = 0;
	d->shared->servers[id].enabled = 0;
	change(d);
	if (s->pages)
		munmap(s->pages, 2 * LB_PAGE);
	if (s->pages_fd >= 0)
		close(s->pages_fd);
	free(s);
	d->servers[id] = NULL;
}

static int ports_new(struct hv_domain *d, struct hv_server *s)
{
	for (uint32_t i = 0; i < d->vcpus; i++) {
		int port = hv_port_new(d, d->vcpu_handles[i], s->owner_domid);

		if (port < 0)
			return port;
		s->vcpu_ports[i] = (uint32_t)port;
	}
	if (s->bufioreq) {
		int port = hv_port_new(d, NULL, s->owner_domid);

		if (port < 0)
			return port;
		s->bufioreq_port = (uint32_t)port;
	}
	return 0;
}

static int pages_new(struct hv_server *s)
{
	s->pages_fd = memfd_create("ioreq", MFD_CLOEXEC);
	if (s->pages_fd < 0 || ftruncate(s->pages_fd, 2 * LB_PAGE) < 0)
		return -errno;
	s->pages = mmap(NULL, 2 * LB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->pages_fd, 0);
	if (s->pages == MAP_FAILED) {
		s->pages = NULL;
		return -errno;
	}
	s->slots = (struct ioreq *)(void *)((uint8_t *)s->pages + LB_PAGE);
	return 0;
}

/* a[0] domid, a[1] how buffered requests are handled. Reply: a[0] id */
int hv_dm_create(struct hv_conn *conn, struct hv_call *call)
{
	uint64_t *a = call->msg->a;
	struct hv_domain *d;
	struct hv_server *s;
	unsigned int id = 0;
	int r = hvm(conn, call, &d);

	if (r < 0)
		return r;
	if (a[1] > HVM_IOREQSRV_BUFIOREQ_ATOMIC)
		return -EINVAL;
	while (id < LB_MAX_SERVERS && d->servers[id])
		id++;
	if (id == LB_MAX_SERVERS)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	d->servers[id] = s;
	s->owner_domid = conn->domain->domid;
	s->bufioreq = a[1] != HVM_IOREQSRV_BUFIOREQ_OFF;
	r = pages_new(s);
	if (r == 0)
		r = ports_new(d, s);
	if (r < 0) {
		server_free(d, id);
		return r;
	}
	change(d);
	d->shared->servers[id] = (struct lb_server){
		.present = 1,
		.incarnation = d->shared->servers[id].incarnation + 1,
	};
	change(d);
	a[0] = id;
	return 0;
}

/* a[0] domid, a[1] id */
int hv_dm_destroy(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_domain *d;
	struct hv_server *s;
	int r = find(conn, call, &d, &s);

	if (r == 0)
		server_free(d, (unsigned int)call->msg->a[1]);
	return r;
}

void hv_ioreq_domain_kill(struct hv_domain *d)
{
	for (unsigned int id = 0; id < LB_MAX_SERVERS; id++)
		if (d->servers[id])
			server_free(d, id);
}

/* a[0] domid, a[1] id, a[2] 1: the pages' frames are wanted. Reply: a[0] the buffered port */
int hv_dm_info(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_domain *d;
	struct hv_server *s;
	int r = find(conn, call, &d, &s);

	if (r < 0)
		return r;
	/* The old way to map the pages; every program of today uses the resource. */
	if (call->msg->a[2])
		return -EOPNOTSUPP;
	call->msg->a[0] = s->bufioreq_port;
	return 0;
}

/* a[0] domid, a[1] id, a[2] enabled: only now the slots say which ports to bind. */
int hv_dm_state(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_domain *d;
	struct hv_server *s;
	int r = find(conn, call, &d, &s);

	if (r < 0)
		return r;
	for (uint32_t i = 0; call->msg->a[2] && i < d->vcpus; i++)
		s->slots[i].vp_eport = s->vcpu_ports[i];
	change(d);
	d->shared->servers[call->msg->a[1]].enabled = call->msg->a[2] != 0;
	change(d);
	return 0;
}

/* ---- ranges ---- */

static int range_add(struct lb_server *s, unsigned int type, uint64_t start, uint64_t end)
{
	uint32_t n = s->nranges[type];

	for (uint32_t i = 0; i < n; i++)
		if (start <= s->ranges[type][i].end && end >= s->ranges[type][i].start)
			return -EEXIST;
	if (n == LB_MAX_RANGES)
		return -ENOMEM;
	s->ranges[type][n] = (struct lb_range){ start, end };
	s->nranges[type]++;
	return 0;
}

/* Part of a range may go; a part of what is not there may not. */
static int range_remove(struct lb_server *s, unsigned int type, uint64_t start, uint64_t end)
{
	struct lb_range *ranges = s->ranges[type], old;
	uint32_t i = 0, n = s->nranges[type];

	while (i < n && !(start >= ranges[i].start && end <= ranges[i].end))
		i++;
	if (i == n)
		return -ENOENT;
	old = ranges[i];
	if (start > old.start && end < old.end && n == LB_MAX_RANGES)
		return -ENOMEM;
	ranges[i] = ranges[--n];
	if (start > old.start)
		ranges[n++] = (struct lb_range){ old.start, start - 1 };
	if (end < old.end)
		ranges[n++] = (struct lb_range){ end + 1, old.end };
	s->nranges[type] = n;
	return 0;
}

static int range(struct hv_conn *conn, struct hv_call *call,
		 int (*op)(struct lb_server *, unsigned int, uint64_t, uint64_t))
{
	const uint64_t *a = call->msg->a;
	struct hv_domain *d;
	struct hv_server *s;
	int r = find(conn, call, &d, &s);

	if (r < 0)
		return r;
	if (a[2] >= LB_RANGE_TYPES || a[3] > a[4])
		return -EINVAL;
	change(d);
	r = op(&d->shared->servers[a[1]], (unsigned int)a[2], a[3], a[4]);
	change(d);
	return r;
}

/* a[0] domid, a[1] id, a[2] LB_RANGE_*, a[3] first, a[4] last */
int hv_dm_map_range(struct hv_conn *conn, struct hv_call *call)
{
	return range(conn, call, range_add);
}

int hv_dm_unmap_range(struct hv_conn *conn, struct hv_call *call)
{
	return range(conn, call, range_remove);
}

/* a[0] domid, a[1] id, a[2] type, a[3] accesses to emulate, 0: no longer */
int hv_dm_map_mem_type(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct hv_domain *d;
	struct hv_server *s;
	int r = find(conn, call, &d, &s);

	if (r < 0)
		return r;
	if (a[2] != HVMMEM_ioreq_server || a[3] & ~(uint64_t)XEN_DMOP_IOREQ_MEM_ACCESS_WRITE)
		return -EINVAL;
	/* One server at a time has the type. */
	for (unsigned int id = 0; id < LB_MAX_SERVERS; id++)
		if (id != a[1] && d->shared->servers[id].present &&
		    d->shared->servers[id].mem_type_flags)
			return a[3] ? -EBUSY : -EINVAL;
	if (!a[3] == !d->shared->servers[a[1]].mem_type_flags)
		return a[3] ? -EBUSY : -EINVAL;
	/* One that gave it up may have left pages of it. */
	if (a[3] && d->shared->ntyped)
		return -EBUSY;
	change(d);
	d->shared->servers[a[1]].mem_type_flags = (uint32_t)a[3];
	if (!a[3])
		d->shared->ntyped = 0;
	change(d);
	return 0;
}

static bool type_claimed(const struct hv_domain *d)
{
	for (unsigned int id = 0; id < LB_MAX_SERVERS; id++)
		if (d->shared->servers[id].present && d->shared->servers[id].mem_type_flags)
			return true;
	return false;
}

/* a[0] domid, a[1] type, a[2] first pfn, a[3] how many: back to ram_rw, or HVMMEM_ioreq_server */
int hv_dm_set_mem_type(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct lb_domain *shared;
	struct hv_domain *d;
	uint64_t page;
	int r = hvm(conn, call, &d);

	if (r < 0)
		return r;
	shared = d->shared;
	if (a[3] != 1 || !lb_moved_to(shared, a[2], &page))
		if (a[3] == 0 || a[3] > d->pages || a[2] > d->pages - a[3])
			return -EINVAL;
	for (uint32_t i = 0; i < shared->ntyped; i++) {
		if (a[2] > shared->typed[i].end || a[2] + a[3] - 1 < shared->typed[i].start)
			continue;
		/* Only the whole of an earlier call goes back; nobody needs more. */
		if (a[1] != HVMMEM_ram_rw || a[2] != shared->typed[i].start ||
		    a[2] + a[3] - 1 != shared->typed[i].end)
			return -EINVAL;
		change(d);
		shared->typed[i] = shared->typed[--shared->ntyped];
		change(d);
		return 0;
	}
	if (a[1] == HVMMEM_ram_rw)
		return 0;
	if (a[1] != HVMMEM_ioreq_server)
		return -EOPNOTSUPP;
	if (!type_claimed(d))
		return -EINVAL;
	if (shared->ntyped == LB_MAX_TYPED)
		return -ENOMEM;
	change(d);
	shared->typed[shared->ntyped++] = (struct lb_range){ a[2], a[2] + a[3] - 1 };
	change(d);
	return 0;
}

/* ---- pages that an emulator moves ---- */

static void set_away(struct hv_domain *d, uint64_t page, bool away)
{
	if (page >= LB_HEAP_PFN)
		d->heap_used[page - LB_HEAP_PFN] = away ? HV_HEAP_AWAY : 1;
	else if (away)
		d->ballooned[page / 8] |= (uint8_t)(1u << (page % 8));
	else
		d->ballooned[page / 8] &= (uint8_t) ~(1u << (page % 8));
}

/* The type stays behind. */
static void untype(struct lb_domain *shared, uint64_t page)
{
	for (uint32_t i = 0; i < shared->ntyped; i++)
		if (shared->typed[i].start == page && shared->typed[i].end == page)
			shared->typed[i--] = shared->typed[--shared->ntyped];
}

/* a[0] domid, a[1] how many, a[2] first page, a[3] where to */
int hv_dm_relocate(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct lb_domain *shared;
	struct hv_domain *d;
	uint64_t page, other;
	int r = hvm(conn, call, &d);

	if (r < 0)
		return r;
	shared = d->shared;
	/* Xen would free what is there, and moves several; nobody needs it. */
	if (a[1] != 1 || hv_domain_is_ram(d, a[3]) || lb_moved_to(shared, a[3], &other))
		return -EOPNOTSUPP;
	if (!lb_moved_to(shared, a[2], &page)) {
		if (!hv_domain_is_ram(d, a[2]))
			return -EINVAL;
		page = a[2];
	}
	if (page == a[2] && page != a[3] && shared->nmoved == LB_MAX_MOVED)
		return -ENOMEM;
	change(d);
	untype(shared, a[2]);
	for (uint32_t i = 0; i < shared->nmoved; i++)
		if (shared->moved[i].page == page)
			shared->moved[i--] = shared->moved[--shared->nmoved];
	if (page != a[3])
		shared->moved[shared->nmoved++] = (struct lb_moved){ a[3], page };
	change(d);
	set_away(d, page, page != a[3]);
	return 0;
}

/* a[0] domid, a[1] HVM_PARAM_*. Reply: a[0] its value. Of libxencall, whose handle is unrestricted. */
int hv_dm_param(struct hv_conn *conn, struct hv_call *call)
{
	uint64_t *a = call->msg->a;
	struct hv_domain *d;
	int r = hvm(conn, call, &d);

	if (r < 0)
		return r;
	switch (a[1]) {
	case HVM_PARAM_IOREQ_SERVER_PFN:
		a[0] = d->ioreq_pfn;
		return 0;
	case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
		a[0] = d->ioreq_pfn ? HV_IOREQ_PAGES : 0;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- what an emulator does to the guest ---- */

static void inject(struct hv_domain *d, enum lb_injection_type type, uint64_t address,
		   uint32_t data)
{
	uint64_t n = atomic_load(&d->shared->injected);
	uint64_t one = 1;

	d->shared->injections[n % LB_MAX_INJECTIONS] =
		(struct lb_injection){ .type = type, .data = data, .address = address };
	atomic_store(&d->shared->injected, n + 1);
	for (unsigned int i = 0; i < HV_MAX_BOARDS; i++) {
		const struct hv_handle *h = d->boards[i];
		_Atomic uint64_t *word;

		if (!h)
			continue;
		word = &hv_shared->handles[h->id % LB_MAX_HANDLES].delivered[0];
		if (!(atomic_fetch_or(word, 1ull << LB_PORT_INJECTED) & 1ull << LB_PORT_INJECTED) &&
		    write(h->event_fd, &one, sizeof(one)) < 0)
			hv_log("injection: %m");
	}
}

/* a[0] domid, a[1] address, a[2] data */
int hv_dm_msi(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct hv_domain *d;
	int r = hvm(conn, call, &d);

	if (r == 0)
		inject(d, LB_INJECTED_MSI, a[1], (uint32_t)a[2]);
	return r;
}

/* a[0] domid, a[1] segment << 8 | bus, a[2] device, a[3] pin, a[4] level */
int hv_dm_intx(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct hv_domain *d;
	uint32_t bit, old;
	int r = hvm(conn, call, &d);

	if (r < 0)
		return r;
	if (a[1] || a[2] > 31 || a[3] > 3 || a[4] > 1)
		return -EINVAL;
	bit = 1u << a[2];
	old = a[4] ? atomic_fetch_or(&d->shared->intx[a[3]], bit)
		   : atomic_fetch_and(&d->shared->intx[a[3]], ~bit);
	if (!(old & bit) != !a[4])
		inject(d, LB_INJECTED_INTX, a[2] << 2 | a[3], (uint32_t)a[4]);
	return 0;
}

/* a[0] domid, a[1] line, a[2] level */
int hv_dm_isa_irq(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct hv_domain *d;
	int r = hvm(conn, call, &d);

	if (r == 0 && (a[1] > 15 || a[2] > 1))
		r = -EINVAL;
	if (r == 0)
		inject(d, LB_INJECTED_ISA, a[1], (uint32_t)a[2]);
	return r;
}

/* a[0] domid, a[1] reason */
int hv_dm_shutdown(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_domain *d;
	int r = hvm(conn, call, &d);

	if (r == 0) {
		inject(d, LB_INJECTED_SHUTDOWN, 0, (uint32_t)call->msg->a[1]);
		r = hv_dom_shutdown(conn, call);
	}
	return r;
}

/* a[0] domid; count pairs of first pfn and number (64 bits each) */
int hv_dm_modified(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *e = call->in;
	struct hv_domain *d;
	int r = hvm(conn, call, &d);

	if (r < 0)
		return r;
	if (call->in_len < call->msg->count * 2 * sizeof(*e))
		return -EINVAL;
	for (uint32_t i = 0; i < call->msg->count; i++, e += 2) {
		if (e[1] == 0 || e[1] > d->pages || e[0] > d->pages - e[1])
			return -EINVAL;
		for (uint64_t pfn = e[0]; pfn < e[0] + e[1]; pfn++)
			d->dirty[pfn / 8] |= (uint8_t)(1u << (pfn % 8));
	}
	return 0;
}

/* a[0] domid */
int hv_dm_nr_vcpus(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_domain *d;
	int r = hvm(conn, call, &d);

	return r < 0 ? r : (int)d->vcpus;
}

/* ---- the virtual CPUs' side ---- */

/* a[0] vCPU, or -1 for one that only wants to see injections. Reply: the memory, a[0] its size */
int hv_guest_attach(struct hv_conn *conn, struct hv_call *call)
{
	uint64_t vcpu = call->msg->a[0];
	struct hv_domain *d = conn->domain;
	unsigned int i = 0;

	if (conn->kind != LB_KIND_GUEST || conn->attached)
		return -EINVAL;
	if (vcpu == UINT64_MAX) {
		while (i < HV_MAX_BOARDS && d->boards[i])
			i++;
		if (i == HV_MAX_BOARDS)
			return -ENOSPC;
		d->boards[i] = conn->handle;
	} else {
		if (vcpu >= d->vcpus)
			return -EINVAL;
		if (d->vcpu_handles[vcpu])
			return -EBUSY;
		d->vcpu_handles[vcpu] = conn->handle;
		for (i = 0; i < LB_MAX_SERVERS; i++)
			if (d->servers[i])
				hv_ports_give(d, d->servers[i]->vcpu_ports[vcpu], conn->handle);
	}
	conn->attached = true;
	call->msg->a[0] = d->memory_size;
	call->fds[call->nfds++] = d->memory_fd;
	return 0;
}

void hv_guest_conn_close(struct hv_conn *conn)
{
	struct hv_domain *d = conn->domain;

	if (!conn->attached)
		return;
	for (unsigned int i = 0; i < HV_MAX_BOARDS; i++)
		if (d->boards[i] == conn->handle)
			d->boards[i] = NULL;
	for (unsigned int vcpu = 0; vcpu < d->vcpus; vcpu++) {
		if (d->vcpu_handles[vcpu] != conn->handle)
			continue;
		d->vcpu_handles[vcpu] = NULL;
		/* The ports are the servers': they stay, with nobody to wake. */
		for (unsigned int i = 0; i < LB_MAX_SERVERS; i++)
			if (d->servers[i])
				hv_ports_give(d, d->servers[i]->vcpu_ports[vcpu], NULL);
	}
}

/* a[0] id, a[1] vCPU. Reply: a[0] the port of this vCPU; the pages */
int hv_guest_server(struct hv_conn *conn, struct hv_call *call)
{
	uint64_t *a = call->msg->a;
	const struct hv_domain *d = conn->domain;
	const struct hv_server *s = a[0] < LB_MAX_SERVERS ? d->servers[a[0]] : NULL;

	if (conn->kind != LB_KIND_GUEST || !s || a[1] >= d->vcpus)
		return -ENOENT;
	a[0] = s->vcpu_ports[a[1]];
	call->fds[call->nfds++] = s->pages_fd;
	return 0;
}
