// SPDX-License-Identifier: GPL-2.0-or-later
/* Grants of the loopback: tables, mappings and their counts, and the kernel's gntalloc. */
#include "hv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/grant_table.h>

/* gntalloc's module parameter "limit", Debian's default */
#define GNTALLOC_LIMIT 1024u

int hv_grant_new(struct hv_domain *d, uint32_t first, uint32_t domid, uint32_t pfn, bool writable)
{
	for (uint32_t ref = first; ref < LB_MAX_GRANTS; ref++) {
		if (atomic_load(&d->shared->grants[ref]))
			continue;
		d->grants[ref] = (struct hv_grant){ 0 };
		atomic_store(&d->shared->grants[ref],
			     lb_grant((uint16_t)(GTF_permit_access | (writable ? 0 : GTF_readonly)),
				      (uint16_t)domid, pfn));
		return (int)ref;
	}
	return -ENOSPC;
}

static uint32_t grant_pfn(const struct hv_domain *d, uint32_t ref)
{
	return (uint32_t)(atomic_load(&d->shared->grants[ref]) >> 32);
}

static void grant_clear(struct hv_domain *d, uint32_t ref)
{
	uint32_t pfn = grant_pfn(d, ref);

	atomic_store(&d->shared->grants[ref], 0);
	d->grants[ref] = (struct hv_grant){ 0 };
	if (pfn >= LB_HEAP_PFN && d->shared_refs) {
		d->shared_refs--;
		hv_heap_free(d, pfn, 1);
	}
}

/* A grant that is in use stays valid until it is not: so does Linux's. */
int hv_grant_end(struct hv_domain *d, uint32_t ref)
{
	if (d->grants[ref].maps) {
		d->grants[ref].revoked = true;
		return 1;
	}
	grant_clear(d, ref);
	return 0;
}

/* ---- mapping ---- */

/* Xen's map_grant_ref */
static int check(const struct hv_conn *conn, struct hv_domain *rd, uint32_t ref, bool write)
{
	uint64_t e;

	if (!rd)
		return GNTST_bad_domain;
	if (ref >= LB_MAX_GRANTS)
		return GNTST_bad_gntref;
	e = atomic_load(&rd->shared->grants[ref]);
	if ((e & GTF_type_mask) != GTF_permit_access || (uint16_t)(e >> 16) != conn->domain->domid)
		return GNTST_general_error;
	if (write && e & GTF_readonly)
		return GNTST_general_error;
	return GNTST_okay;
}

static void unmap(struct hv_conn *conn, struct hv_map *m)
{
	const uint8_t zero = 0;

	if (m->notify.offset < LB_PAGE && !m->pages[0].domain->dying)
		hv_domain_poke(m->pages[0].domain,
			       (uint64_t)grant_pfn(m->pages[0].domain, m->pages[0].ref) * LB_PAGE +
				       m->notify.offset,
			       &zero, 1);
	if (m->notify.port < LB_MAX_PORTS)
		hv_port_send(conn->domain, m->notify.port);
	for (uint32_t i = 0; i < m->count; i++) {
		struct hv_domain *rd = m->pages[i].domain;
		struct hv_grant *g = &rd->grants[m->pages[i].ref];

		rd->grants_mapped--;
		if (--g->maps == 0 && g->revoked && !rd->dying)
			grant_clear(rd, m->pages[i].ref);
	}
	LIST_REMOVE(m, link);
	free(m);
}

/* The descriptor of d's memory among those sent along, or -1 when there are too many. */
static int memory_index(struct hv_call *call, const struct hv_domain *d)
{
	unsigned int i = 0;

	while (i < call->nfds && call->fds[i] != d->memory_fd)
		i++;
	if (i == LB_MAX_FDS)
		return -1;
	call->fds[i] = d->memory_fd;
	if (i == call->nfds)
		call->nfds++;
	return (int)i;
}

/*
 * count struct lb_gnt_ref; a[0] writable, a[1] byte to clear when unmapped, a[2] port to notify
 * then. Reply: a[0] id; count struct lb_gnt_page. One bad grant fails the mapping, as gntdev does.
 */
int hv_gnt_map(struct hv_conn *conn, struct hv_call *call)
{
	struct lb_msg *msg = call->msg;
	const struct lb_gnt_ref *refs = call->in;
	struct lb_gnt_page *pages = call->out;
	struct hv_map *m;

	if (msg->count == 0 || msg->count > LB_MAX_REFS ||
	    call->in_len < msg->count * sizeof(*refs))
		return -EINVAL;
	if (msg->a[2] < LB_MAX_PORTS &&
	    lb_link_state(atomic_load(&conn->domain->shared->ports[msg->a[2]].link)) ==
		    LB_PORT_FREE)
		return -EINVAL;
	m = calloc(1, sizeof(*m) + msg->count * sizeof(m->pages[0]));
	if (!m)
		return -ENOMEM;
	for (uint32_t i = 0; i < msg->count; i++) {
		struct hv_domain *rd = hv_domain_find(refs[i].domid);
		int status = check(conn, rd, refs[i].ref, msg->a[0]);
		int fd_index = rd ? memory_index(call, rd) : -1;

		if (status != GNTST_okay || fd_index < 0) {
			hv_log("pid %d maps grant %u of domain %u: refused (%d)", (int)conn->pid,
			       refs[i].ref, refs[i].domid, status);
			call->nfds = 0;
			free(m);
			return -EINVAL;
		}
		m->pages[i].domain = rd;
		m->pages[i].ref = refs[i].ref;
		pages[i] = (struct lb_gnt_page){ (uint32_t)fd_index, grant_pfn(rd, refs[i].ref) };
	}
	for (uint32_t i = 0; i < msg->count; i++) {
		m->pages[i].domain->grants[refs[i].ref].maps++;
		m->pages[i].domain->grants_mapped++;
	}
	m->count = msg->count;
	m->id = conn->next_id++;
	m->notify = (struct hv_notify){ (uint32_t)msg->a[1], (uint32_t)msg->a[2] };
	LIST_INSERT_HEAD(&conn->maps, m, link);
	msg->a[0] = m->id;
	call->out_len = msg->count * sizeof(*pages);
	return 0;
}

/* a[0] id */
int hv_gnt_unmap(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_map *m;

	LIST_FOREACH (m, &conn->maps, link)
		if (m->id == call->msg->a[0]) {
			unmap(conn, m);
			return 0;
		}
	return -EINVAL;
}

/* a[0] domid. Reply, for grant copies: a[0] slot, a[1] incarnation, a[2] size; its memory. */
int hv_gnt_memory(struct hv_conn *conn, struct hv_call *call)
{
	const struct hv_domain *d = hv_domain_find((uint32_t)call->msg->a[0]);

	if (conn->kind != LB_KIND_GNTTAB || !d)
		return -ESRCH;
	call->msg->a[0] = d->slot;
	call->msg->a[1] = d->incarnation;
	call->msg->a[2] = d->memory_size;
	call->fds[call->nfds++] = d->memory_fd;
	return 0;
}

/* ---- gntalloc ---- */

static void unshare(struct hv_conn *conn, struct hv_share *s)
{
	struct hv_domain *d = conn->domain;
	const uint8_t zero = 0;

	if (s->notify.offset < LB_PAGE)
		hv_domain_poke(d, (uint64_t)s->pfn * LB_PAGE + s->notify.offset, &zero, 1);
	if (s->notify.port < LB_MAX_PORTS)
		hv_port_send(d, s->notify.port);
	for (uint32_t i = 0; i < s->count; i++)
		hv_grant_end(d, s->refs[i]);
	LIST_REMOVE(s, link);
	free(s->refs);
	free(s);
}

/*
 * a[0] domid, a[1] count, a[2] writable, a[3] byte to clear when unmapped, a[4] port to notify then.
 * Reply: a[0] id, a[1] first pfn, the memory; count references.
 */
int hv_gnt_share(struct hv_conn *conn, struct hv_call *call)
{
	struct lb_msg *msg = call->msg;
	uint32_t count = (uint32_t)msg->a[1], *refs = call->out;
	struct hv_domain *d = conn->domain;
	struct hv_share *s;

	if (count == 0 || count > LB_MAX_REFS)
		return -EINVAL;
	if (d->shared_refs + count > GNTALLOC_LIMIT)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	if (s)
		s->refs = calloc(count, sizeof(*s->refs));
	if (!s || !s->refs) {
		free(s);
		return -ENOMEM;
	}
	s->pfn = hv_heap_alloc(d, count);
	if (!s->pfn) {
		free(s->refs);
		free(s);
		return -ENOMEM;
	}
	for (; s->count < count; s->count++) {
		int ref = hv_grant_new(d, GNTTAB_NR_RESERVED_ENTRIES, (uint32_t)msg->a[0],
				       s->pfn + s->count, msg->a[2]);

		if (ref < 0)
			break; /* cannot be: the limit is below the table's size */
		refs[s->count] = s->refs[s->count] = (uint32_t)ref;
		d->shared_refs++;
	}
	s->id = conn->next_id++;
	s->notify = (struct hv_notify){ (uint32_t)msg->a[3], (uint32_t)msg->a[4] };
	LIST_INSERT_HEAD(&conn->shares, s, link);
	msg->a[0] = s->id;
	msg->a[1] = s->pfn;
	call->fds[call->nfds++] = d->memory_fd;
	call->out_len = count * sizeof(*refs);
	return 0;
}

/* a[0] id */
int hv_gnt_unshare(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_share *s;

	LIST_FOREACH (s, &conn->shares, link)
		if (s->id == call->msg->a[0]) {
			unshare(conn, s);
			return 0;
		}
	return -EINVAL;
}

void hv_grant_conn_close(struct hv_conn *conn)
{
	while (!LIST_EMPTY(&conn->maps))
		unmap(conn, LIST_FIRST(&conn->maps));
	while (!LIST_EMPTY(&conn->shares))
		unshare(conn, LIST_FIRST(&conn->shares));
}

/* ---- a guest that grants pages of its own RAM (lb.h) ---- */

/* a[0] domid, a[1] pfn, a[2] writable; result: the reference */
int hv_guest_grant(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;

	if (a[1] >= conn->domain->pages)
		return -EINVAL;
	return hv_grant_new(conn->domain, GNTTAB_NR_RESERVED_ENTRIES, (uint32_t)a[0],
			    (uint32_t)a[1], a[2]);
}

/* a[0] reference; -EBUSY while somebody has it mapped */
int hv_guest_ungrant(struct hv_conn *conn, struct hv_call *call)
{
	uint64_t ref = call->msg->a[0];

	if (ref >= LB_MAX_GRANTS || !atomic_load(&conn->domain->shared->grants[ref]))
		return -EINVAL;
	if (conn->domain->grants[ref].maps)
		return -EBUSY;
	grant_clear(conn->domain, (uint32_t)ref);
	return 0;
}
