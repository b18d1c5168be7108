// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stand-in for libxengnttab's mapping half: the hypervisor checks a mapping and counts it, and hands
 * out the granting domain's memory. Grant copies look into the grant table themselves.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xengnttab.h>

struct area {
	LIST_ENTRY(area) link;
	void *start;
	uint32_t count;
	uint32_t id; /* the hypervisor's */
};

/* All memory of a domain that we copy from or to. */
struct memory {
	LIST_ENTRY(memory) link;
	uint32_t domid;
	uint32_t slot;
	uint32_t incarnation;
	uint8_t *start;
	size_t size;
};

struct xengntdev_handle {
	struct Xentoolcore__Active_Handle ah;
	struct lb_conn conn;
	bool restricted;
	LIST_HEAD(, area) areas;
	LIST_HEAD(, memory) memories;
};

static int restrict_cb(struct Xentoolcore__Active_Handle *ah, uint16_t domid)
{
	struct xengntdev_handle *xgt = lb_container_of(ah, struct xengntdev_handle, ah);

	(void)domid;
	/* gntdev cannot be limited to a domain: the real library puts /dev/null there. */
	xgt->restricted = true;
	return 0;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	struct xengntdev_handle *xgt = calloc(1, sizeof(*xgt));
	int r;

	(void)logger;
	(void)open_flags;
	if (!xgt)
		return NULL;
	xgt->ah.restrict_callback = restrict_cb;
	r = lb_connect(&xgt->conn, LB_KIND_GNTTAB, O_CLOEXEC);
	if (r < 0) {
		free(xgt);
		errno = -r;
		return NULL;
	}
	xentoolcore__register_active_handle(&xgt->ah);
	return xgt;
}

static void memory_free(struct memory *m)
{
	LIST_REMOVE(m, link);
	munmap(m->start, m->size);
	free(m);
}

int xengnttab_close(xengnttab_handle *xgt)
{
	struct area *a, *next;
	bool mapped;

	if (!xgt)
		return 0;
	xentoolcore__deregister_active_handle(&xgt->ah);
	mapped = !LIST_EMPTY(&xgt->areas);
	for (a = LIST_FIRST(&xgt->areas); a; a = next) {
		next = LIST_NEXT(a, link);
		free(a);
	}
	while (!LIST_EMPTY(&xgt->memories))
		memory_free(LIST_FIRST(&xgt->memories));
	/* Pages still mapped stay so until the process ends, and then the socket closes. */
	if (!mapped)
		lb_disconnect(&xgt->conn);
	free(xgt);
	return 0;
}

int xengnttab_fd(xengnttab_handle *xgt)
{
	return xgt->conn.fd;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	(void)nr_grants;
	return xgt->restricted ? lb_errno(-ENOTTY) : 0;
}

static int place(uint8_t *start, uint32_t count, int prot, const struct lb_gnt_page *pages,
		 const int *fds)
{
	for (uint32_t i = 0; i < count;) {
		uint32_t n = 1;

		while (i + n < count && pages[i + n].fd_index == pages[i].fd_index &&
		       pages[i + n].pfn == pages[i].pfn + n)
			n++;
		if (pages[i].fd_index >= LB_MAX_FDS ||
		    mmap(start + (size_t)i * LB_PAGE, (size_t)n * LB_PAGE, prot,
			 MAP_SHARED | MAP_FIXED, fds[pages[i].fd_index],
			 (off_t)pages[i].pfn * LB_PAGE) == MAP_FAILED)
			return -errno;
		i += n;
	}
	return 0;
}

static void *map(struct xengntdev_handle *xgt, uint32_t count, const uint32_t *domids,
		 uint32_t domid_step, const uint32_t *refs, int prot, uint32_t notify_offset,
		 evtchn_port_t notify_port)
{
	struct lb_gnt_ref *out = NULL;
	struct lb_gnt_page *pages = NULL;
	struct area *area = NULL;
	int fds[LB_MAX_FDS];
	void *start = MAP_FAILED;
	struct lb_msg msg = { .op = LB_GNT_MAP,
			      .count = count,
			      .a = { prot & PROT_WRITE, notify_offset, notify_port } };
	int r;

	if (xgt->restricted) {
		errno = ENOTTY;
		return NULL;
	}
	if (count == 0 || count > LB_MAX_REFS) {
		errno = EINVAL;
		return NULL;
	}
	out = calloc(count, sizeof(*out));
	pages = calloc(count, sizeof(*pages));
	area = calloc(1, sizeof(*area));
	start = mmap(NULL, (size_t)count * LB_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r = -ENOMEM;
	if (!out || !pages || !area || start == MAP_FAILED)
		goto out;
	for (uint32_t i = 0; i < count; i++)
		out[i] = (struct lb_gnt_ref){ domids[i * domid_step], refs[i] };
	r = lb_call(&xgt->conn, &msg, out, count * sizeof(*out), pages, count * sizeof(*pages), fds,
		    LB_MAX_FDS);
	if (r < 0)
		goto out;
	r = place(start, count, prot, pages, fds);
	for (unsigned int i = 0; i < LB_MAX_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (r < 0) {
		lb_call3(&xgt->conn, LB_GNT_UNMAP, msg.a[0], 0, 0);
		goto out;
	}
	*area = (struct area){ .start = start, .count = count, .id = (uint32_t)msg.a[0] };
	LIST_INSERT_HEAD(&xgt->areas, area, link);
out:
	free(out);
	free(pages);
	if (r < 0) {
		free(area);
		if (start != MAP_FAILED)
			munmap(start, (size_t)count * LB_PAGE);
		errno = -r;
		return NULL;
	}
	return start;
}

#define NO_NOTIFY UINT32_MAX

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	return map(xgt, 1, &domid, 0, &ref, prot, NO_NOTIFY, (evtchn_port_t)-1);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids,
			       uint32_t *refs, int prot)
{
	return map(xgt, count, domids, 1, refs, prot, NO_NOTIFY, (evtchn_port_t)-1);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
				      uint32_t *refs, int prot)
{
	return map(xgt, count, &domid, 0, refs, prot, NO_NOTIFY, (evtchn_port_t)-1);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot,
				     uint32_t notify_offset, evtchn_port_t notify_port)
{
	if (notify_offset >= LB_PAGE)
		notify_offset = NO_NOTIFY;
	return map(xgt, 1, &domid, 0, &ref, prot, notify_offset, notify_port);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	struct area *a;
	int r;

	if (!start_address)
		return lb_errno(-EINVAL);
	if (xgt->restricted)
		return lb_errno(-ENOTTY);
	LIST_FOREACH (a, &xgt->areas, link)
		if (a->start == start_address)
			break;
	if (!a || a->count != count)
		return lb_errno(-EINVAL);
	if (munmap(a->start, (size_t)count * LB_PAGE) < 0)
		return -1;
	r = lb_call3(&xgt->conn, LB_GNT_UNMAP, a->id, 0, 0);
	LIST_REMOVE(a, link);
	free(a);
	return lb_errno(r);
}

/* ---- grant copy ---- */

static struct memory *memory_of(struct xengntdev_handle *xgt, uint32_t domid)
{
	struct lb_shared *shared = xgt->conn.shared;
	struct lb_msg msg = { .op = LB_GNT_MEMORY, .a = { domid } };
	struct memory *m, *next;
	int fd;

	for (m = LIST_FIRST(&xgt->memories); m; m = next) {
		struct lb_domain *d = &shared->domains[m->slot];

		next = LIST_NEXT(m, link);
		if (atomic_load(&d->domid) == m->domid &&
		    atomic_load(&d->incarnation) == m->incarnation) {
			if (m->domid == domid)
				return m;
		} else {
			memory_free(m);
		}
	}
	if (lb_call(&xgt->conn, &msg, NULL, 0, NULL, 0, &fd, 1) < 0)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m) {
		*m = (struct memory){ .domid = domid,
				      .slot = (uint32_t)msg.a[0],
				      .incarnation = (uint32_t)msg.a[1],
				      .size = msg.a[2] };
		m->start = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
				fd, 0);
		if (m->start == MAP_FAILED) {
			free(m);
			m = NULL;
		} else {
			LIST_INSERT_HEAD(&xgt->memories, m, link);
		}
	}
	close(fd);
	return m;
}

/* Xen's acquire_grant_for_copy: a pointer to the granted bytes, or a GNTST_* in *status. */
static uint8_t *granted(struct xengntdev_handle *xgt, const union xengnttab_copy_ptr *p, bool write,
			int16_t *status)
{
	struct memory *m = memory_of(xgt, p->foreign.domid);
	uint64_t e;

	if (!m) {
		*status = GNTST_bad_domain;
		return NULL;
	}
	if (p->foreign.ref >= LB_MAX_GRANTS) {
		*status = GNTST_bad_gntref;
		return NULL;
	}
	e = atomic_load(&xgt->conn.shared->domains[m->slot].grants[p->foreign.ref]);
	if ((e & GTF_type_mask) != GTF_permit_access || (uint16_t)(e >> 16) != xgt->conn.domid ||
	    (write && (e & GTF_readonly))) {
		*status = GNTST_general_error;
		return NULL;
	}
	return m->start + (e >> 32) * LB_PAGE + p->foreign.offset;
}

static int16_t copy(struct xengntdev_handle *xgt, const xengnttab_grant_copy_segment_t *seg)
{
	int16_t status = GNTST_okay;
	const uint8_t *from = seg->source.virt;
	uint8_t *to = seg->dest.virt;

	if (seg->flags & GNTCOPY_source_gref)
		from = granted(xgt, &seg->source, false, &status);
	if (status == GNTST_okay && seg->flags & GNTCOPY_dest_gref)
		to = granted(xgt, &seg->dest, true, &status);
	if (status == GNTST_okay)
		memmove(to, from, seg->len);
	return status;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
			 xengnttab_grant_copy_segment_t *segs)
{
	if (xgt->restricted)
		return lb_errno(-ENOTTY);
	/* gntdev refuses the whole call for these, Xen a single segment for the others. */
	for (uint32_t i = 0; i < count; i++) {
		const xengnttab_grant_copy_segment_t *s = &segs[i];

		if (!(s->flags & (GNTCOPY_source_gref | GNTCOPY_dest_gref)))
			return lb_errno(-EINVAL);
		if (s->flags & GNTCOPY_source_gref && s->source.foreign.offset + s->len > LB_PAGE)
			return lb_errno(-EINVAL);
		if (s->flags & GNTCOPY_dest_gref && s->dest.foreign.offset + s->len > LB_PAGE)
			return lb_errno(-EINVAL);
	}
	for (uint32_t i = 0; i < count; i++)
		segs[i].status = copy(xgt, &segs[i]);
	return 0;
}

/* ---- dma-buf: Debian's kernel has it off ---- */

int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t flags,
				   uint32_t count, const uint32_t *refs, uint32_t *fd)
{
	(void)xgt, (void)domid, (void)flags, (void)count, (void)refs, (void)fd;
	return lb_errno(-ENOTTY);
}

int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd, uint32_t wait_to_ms)
{
	(void)xgt, (void)fd, (void)wait_to_ms;
	return lb_errno(-ENOTTY);
}

int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t fd, uint32_t count,
				 uint32_t *refs)
{
	(void)xgt, (void)domid, (void)fd, (void)count, (void)refs;
	return lb_errno(-ENOTTY);
}

int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd)
{
	(void)xgt, (void)fd;
	return lb_errno(-ENOTTY);
}
