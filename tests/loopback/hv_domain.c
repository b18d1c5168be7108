// SPDX-License-Identifier: GPL-2.0-or-later
/* Domains of the loopback: memory, life and death, and what lbctl and libxenctrl ask of them. */
#include "hv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

struct hv_domain *hv_domains[LB_MAX_DOMAINS];

struct hv_domain *hv_domain_find(uint32_t domid)
{
	int slot = lb_slot_of(hv_shared, domid);

	return slot < 0 ? NULL : hv_domains[slot];
}

static void store_interface(struct hv_domain *d)
{
	int port = hv_port_new(d, NULL, 0);
	uint32_t pfn = hv_heap_alloc(d, 1);

	/* As libxl's builder: the store's page is grant 1, its port waits for Dom0. */
	d->store_port = port > 0 ? (uint32_t)port : 0;
	d->store_pfn = pfn;
	hv_grant_new(d, GNTTAB_RESERVED_XENSTORE, 0, pfn, true);
	if (d->type == LB_TYPE_HVM)
		d->ioreq_pfn = hv_heap_alloc(d, HV_IOREQ_PAGES);
	if (d->domid != 0)
		d->xenbus = hv_xenbus_new(d);
}

static int domain_init(struct hv_domain *d)
{
	d->memory_size = (size_t)(LB_HEAP_PFN + LB_HEAP_PAGES) * LB_PAGE;
	d->memory_fd = memfd_create("domain", MFD_CLOEXEC);
	d->ballooned = calloc(1, d->pages / 8 + 1);
	d->dirty = calloc(1, d->pages / 8 + 1);
	if (!d->ballooned || !d->dirty)
		return -ENOMEM;
	if (d->memory_fd < 0 || ftruncate(d->memory_fd, (off_t)d->memory_size) < 0)
		return -errno;
	return 0;
}

static void domain_free(struct hv_domain *d)
{
	hv_domains[d->slot] = NULL;
	if (d->memory_fd >= 0)
		close(d->memory_fd);
	free(d->ballooned);
	free(d->dirty);
	free(d);
}

struct hv_domain *hv_domain_create(uint32_t domid, enum lb_domain_type type, uint64_t pages,
				   uint32_t vcpus, const uint8_t uuid[16])
{
	struct hv_domain *d;
	uint32_t slot = 0;

	while (slot < LB_MAX_DOMAINS && hv_domains[slot])
		slot++;
	d = slot < LB_MAX_DOMAINS ? calloc(1, sizeof(*d)) : NULL;
	if (!d)
		return NULL;
	d->slot = slot;
	d->domid = domid;
	d->type = type;
	d->pages = pages;
	d->vcpus = vcpus;
	memcpy(d->uuid, uuid, 16);
	d->shared = &hv_shared->domains[slot];
	hv_domains[slot] = d;
	if (domain_init(d) < 0) {
		domain_free(d);
		return NULL;
	}
	memset(d->shared->ports, 0, sizeof(d->shared->ports));
	for (unsigned int i = 0; i < LB_MAX_SERVERS; i++) /* the incarnation goes on */
		d->shared->servers[i].present = d->shared->servers[i].enabled = 0;
	for (uint32_t i = 0; i < LB_MAX_GRANTS; i++)
		atomic_store(&d->shared->grants[i], 0);
	d->shared->vcpus = vcpus;
	d->shared->pages = pages;
	d->shared->ntyped = 0;
	d->shared->nmoved = 0;
	atomic_store(&d->shared->paused, 0);
	atomic_store(&d->shared->cf8, 0);
	atomic_store(&d->shared->injected, 0);
	for (unsigned int i = 0; i < 4; i++)
		atomic_store(&d->shared->intx[i], 0);
	d->incarnation = atomic_fetch_add(&d->shared->incarnation, 1) + 1;
	atomic_store(&d->shared->domid, domid);
	store_interface(d);
	return d;
}

static void set_paused(struct hv_domain *d, uint32_t paused)
{
	d->paused = paused;
	atomic_store(&d->shared->paused, paused);
}

static void domain_kill(struct hv_domain *d)
{
	struct hv_conn *c;

	d->dying = true;
	set_paused(d, d->paused + 1);
	atomic_store(&d->shared->domid, LB_NO_DOMAIN);
	for (uint32_t port = 1; port < LB_MAX_PORTS; port++)
		hv_port_close(d, port);
	hv_ioreq_domain_kill(d);
	/* What ran in it is gone. Its grants and pages last as long as others have them mapped. */
	LIST_FOREACH (c, &hv_conns, link)
		if (c->domain == d)
			c->dead = true;
	hv_virq(VIRQ_DOM_EXC);
}

void hv_domain_release(struct hv_domain *d)
{
	const struct hv_conn *c;

	if (!d->dying || d->grants_mapped || d->foreign_mapped || d->xenbus)
		return;
	LIST_FOREACH (c, &hv_conns, link)
		if (c->domain == d)
			return;
	domain_free(d);
	hv_virq(VIRQ_DOM_EXC);
}

bool hv_domain_is_ram(const struct hv_domain *d, uint64_t pfn)
{
	if (pfn < d->pages)
		return !(d->ballooned[pfn / 8] & 1u << (pfn % 8));
	return pfn >= LB_HEAP_PFN && pfn < LB_HEAP_PFN + LB_HEAP_PAGES &&
	       d->heap_used[pfn - LB_HEAP_PFN] == 1;
}

uint32_t hv_heap_alloc(struct hv_domain *d, uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < LB_HEAP_PAGES; i++) {
		run = d->heap_used[i] ? 0 : run + 1;
		if (run == count) {
			memset(&d->heap_used[i + 1 - count], 1, count);
			return LB_HEAP_PFN + i + 1 - count;
		}
	}
	return 0;
}

void hv_heap_free(struct hv_domain *d, uint32_t pfn, uint32_t count)
{
	memset(&d->heap_used[pfn - LB_HEAP_PFN], 0, count);
	fallocate(d->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)pfn * LB_PAGE,
		  (off_t)count * LB_PAGE);
}

void hv_domain_poke(struct hv_domain *d, uint64_t address, const void *data, size_t len)
{
	if (pwrite(d->memory_fd, data, len, (off_t)address) != (ssize_t)len)
		hv_log("domain %u: write at %#llx fails", d->domid, (unsigned long long)address);
}

/* ---- calls; only Dom0 makes them ---- */

static struct hv_domain *target(const struct hv_conn *conn, const struct hv_call *call, int *r)
{
	struct hv_domain *d = hv_domain_find((uint32_t)call->msg->a[0]);

	*r = conn->domain->domid != 0 ? -EPERM : d ? 0 : -ESRCH;
	return *r < 0 ? NULL : d;
}

/* a[0] domid or LB_NO_DOMAIN for the next one, a[1] type, a[2] pages, a[3] vcpus; 16 bytes: uuid */
int hv_dom_create(struct hv_conn *conn, struct hv_call *call)
{
	static uint32_t next = 1;
	const uint64_t *a = call->msg->a;
	uint32_t domid = (uint32_t)a[0];
	struct hv_domain *d;

	if (conn->domain->domid != 0)
		return -EPERM;
	if (call->in_len < 16 || a[1] > LB_TYPE_HVM || a[2] >= LB_HEAP_PFN || a[3] == 0 ||
	    a[3] > 128)
		return -EINVAL;
	if (domid == LB_NO_DOMAIN)
		domid = next++;
	if (domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (hv_domain_find(domid))
		return -EEXIST;
	if (domid >= next)
		next = domid + 1;
	d = hv_domain_create(domid, (enum lb_domain_type)a[1], a[2], (uint32_t)a[3], call->in);
	if (!d)
		return -ENOMEM;
	set_paused(d, 1); /* the toolstack unpauses */
	call->msg->a[0] = d->store_pfn;
	call->msg->a[1] = d->store_port;
	return (int)domid;
}

int hv_dom_destroy(struct hv_conn *conn, struct hv_call *call)
{
	int r;
	struct hv_domain *d = target(conn, call, &r);

	if (d && d->domid == 0)
		return -EINVAL;
	if (d)
		domain_kill(d);
	return r;
}

int hv_dom_pause(struct hv_conn *conn, struct hv_call *call)
{
	int r;
	struct hv_domain *d = target(conn, call, &r);

	if (d)
		set_paused(d, d->paused + 1);
	return r;
}

int hv_dom_unpause(struct hv_conn *conn, struct hv_call *call)
{
	int r;
	struct hv_domain *d = target(conn, call, &r);

	if (d && d->paused == 0)
		return -EINVAL;
	if (d)
		set_paused(d, d->paused - 1);
	return r;
}

int hv_dom_shutdown(struct hv_conn *conn, struct hv_call *call)
{
	int r;
	struct hv_domain *d = target(conn, call, &r);

	if (d) {
		d->shutdown = 1;
		d->shutdown_reason = (uint32_t)call->msg->a[1];
		hv_virq(VIRQ_DOM_EXC);
	}
	return r;
}

/* a[0]: the first domid of interest; result: how many */
int hv_dom_info(struct hv_conn *conn, struct hv_call *call)
{
	struct lb_dom_info *info = call->out;
	int n = 0;

	if (conn->domain->domid != 0)
		return -EPERM;
	for (uint32_t domid = (uint32_t)call->msg->a[0];; domid++) {
		const struct hv_domain *d = NULL;

		/* in order of domid, and a dying domain too */
		for (uint32_t i = 0; i < LB_MAX_DOMAINS; i++)
			if (hv_domains[i] && hv_domains[i]->domid >= domid &&
			    (!d || hv_domains[i]->domid < d->domid))
				d = hv_domains[i];
		if (!d)
			break;
		domid = d->domid;
		info[n] = (struct lb_dom_info){
			.domid = d->domid,
			.type = d->type,
			.vcpus = d->vcpus,
			.paused = d->paused,
			.dying = d->dying,
			.shutdown = d->shutdown,
			.shutdown_reason = d->shutdown_reason,
			.grants_mapped = d->grants_mapped,
			.foreign_mapped = d->foreign_mapped,
			.store_port = d->store_port,
			.pages = d->pages,
			.store_pfn = d->store_pfn,
		};
		memcpy(info[n].uuid, d->uuid, 16);
		n++;
	}
	call->out_len = (size_t)n * sizeof(*info);
	return n;
}

/* Who is connected, without the asking one. */
int hv_clients(struct hv_conn *conn, struct hv_call *call)
{
	struct lb_client_info *info = call->out;
	const struct hv_conn *c;
	int n = 0;

	LIST_FOREACH (c, &hv_conns, link) {
		const struct hv_foreign *f;
		const struct hv_share *s;
		const struct hv_map *m;

		if (c == conn || !c->domain ||
		    (size_t)n >= LB_MAX_PAYLOAD / sizeof(struct lb_client_info))
			continue;
		info[n] = (struct lb_client_info){
			.kind = c->kind,
			.domid = c->domain->domid,
			.pid = c->pid,
			.ports = c->handle ? hv_handle_ports(c->handle) : 0,
		};
		LIST_FOREACH (m, &c->maps, link)
			info[n].maps += m->count;
		LIST_FOREACH (f, &c->foreign, link)
			info[n].maps += f->count;
		LIST_FOREACH (s, &c->shares, link)
			info[n].shares += s->count;
		n++;
	}
	call->out_len = (size_t)n * sizeof(*info);
	return n;
}
