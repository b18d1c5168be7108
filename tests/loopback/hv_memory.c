// SPDX-License-Identifier: GPL-2.0-or-later
/* Foreign memory of the loopback: pages and resources that Dom0 maps, and that keep a domain alive. */
#include "hv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <xen/memory.h>

int hv_privileged(const struct hv_conn *conn, uint64_t domid, struct hv_domain **d)
{
	if (conn->restrict_domid != LB_NO_DOMAIN && conn->restrict_domid != domid)
		return -EPERM;
	if (conn->domain->domid != 0)
		return -EPERM;
	*d = hv_domain_find((uint32_t)domid);
	return *d ? 0 : -ESRCH;
}

static int foreign_new(struct hv_conn *conn, struct hv_domain *d, uint32_t count)
{
	struct hv_foreign *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->id = conn->next_id++;
	f->count = count;
	f->domain = d;
	d->foreign_mapped += count;
	LIST_INSERT_HEAD(&conn->foreign, f, link);
	return (int)f->id;
}

static void foreign_free(struct hv_foreign *f)
{
	f->domain->foreign_mapped -= f->count;
	LIST_REMOVE(f, link);
	free(f);
}

void hv_memory_conn_close(struct hv_conn *conn)
{
	while (!LIST_EMPTY(&conn->foreign))
		foreign_free(LIST_FIRST(&conn->foreign));
}

/* a[0] domid; count pfns (64 bits). Reply: a[0] id, the memory; count errors (negative errno) */
int hv_mem_map(struct hv_conn *conn, struct hv_call *call)
{
	struct lb_msg *msg = call->msg;
	const uint64_t *pfns = call->in;
	int32_t *errors = call->out;
	struct hv_domain *d;
	uint32_t mapped = 0;
	int r = hv_privileged(conn, msg->a[0], &d);

	if (r < 0)
		return r;
	if (msg->count == 0 || msg->count > LB_MAX_REFS ||
	    call->in_len < msg->count * sizeof(*pfns))
		return -EINVAL;
	for (uint32_t i = 0; i < msg->count; i++) {
		uint64_t page;

		if (lb_moved_to(d->shared, pfns[i], &page))
			errors[i] = (int32_t)page; /* there its memory is */
		else
			errors[i] = hv_domain_is_ram(d, pfns[i]) ? 0 : -EINVAL;
		mapped += errors[i] >= 0;
	}
	r = foreign_new(conn, d, mapped);
	if (r < 0)
		return r;
	msg->a[0] = (uint64_t)r;
	call->fds[call->nfds++] = d->memory_fd;
	call->out_len = msg->count * sizeof(*errors);
	return 0;
}

/* a[0] id */
int hv_mem_unmap(struct hv_conn *conn, struct hv_call *call)
{
	struct hv_foreign *f;

	LIST_FOREACH (f, &conn->foreign, link)
		if (f->id == call->msg->a[0]) {
			foreign_free(f);
			return 0;
		}
	return -EINVAL;
}

/* a[0] domid, a[1] type, a[2] id, a[3] frame, a[4] frames (0: how large?). a[0] id or size; pages */
int hv_mem_resource(struct hv_conn *conn, struct hv_call *call)
{
	uint64_t *a = call->msg->a;
	const struct hv_server *s;
	struct hv_domain *d;
	int r = hv_privileged(conn, a[0], &d);

	if (r < 0)
		return r;
	if (a[1] != XENMEM_resource_ioreq_server)
		return -EOPNOTSUPP;
	if (d->type != LB_TYPE_HVM)
		return -EINVAL;
	s = a[2] < LB_MAX_SERVERS ? d->servers[a[2]] : NULL;
	if (!s)
		return -ENOENT;
	if (s->owner_domid != conn->domain->domid)
		return -EPERM;
	if (a[4] == 0) {
		a[0] = 2;
		return 0;
	}
	if (a[3] > XENMEM_resource_ioreq_server_frame_ioreq(0) ||
	    a[4] > XENMEM_resource_ioreq_server_frame_ioreq(0) + 1 - a[3])
		return -EINVAL;
	if (a[3] == XENMEM_resource_ioreq_server_frame_bufioreq && !s->bufioreq)
		return -ENOENT;
	r = foreign_new(conn, d, (uint32_t)a[4]);
	if (r < 0)
		return r;
	a[0] = (uint64_t)r;
	call->fds[call->nfds++] = s->pages_fd;
	return 0;
}

/* ---- the guest's own doing ---- */

/* a[0] first pfn, a[1] how many, a[2]: 1 gives them back to Xen, 0 takes new ones */
int hv_guest_balloon(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct hv_domain *d = conn->domain;

	if (a[0] >= d->pages || a[1] > d->pages - a[0])
		return -EINVAL;
	for (uint64_t pfn = a[0]; pfn < a[0] + a[1]; pfn++) {
		if (a[2])
			d->ballooned[pfn / 8] |= (uint8_t)(1u << (pfn % 8));
		else
			d->ballooned[pfn / 8] &= (uint8_t) ~(1u << (pfn % 8));
	}
	if (a[2])
		fallocate(d->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)a[0] * LB_PAGE, (off_t)a[1] * LB_PAGE);
	return 0;
}

/* a[0] pfn, a[1] 1: forget it: was the page reported as modified? */
int hv_guest_dirty(struct hv_conn *conn, struct hv_call *call)
{
	const uint64_t *a = call->msg->a;
	struct hv_domain *d = conn->domain;
	uint8_t bit;
	int dirty;

	if (a[0] >= d->pages)
		return -EINVAL;
	bit = (uint8_t)(1u << (a[0] % 8));
	dirty = !!(d->dirty[a[0] / 8] & bit);
	if (a[1])
		d->dirty[a[0] / 8] &= (uint8_t)~bit;
	return dirty;
}
