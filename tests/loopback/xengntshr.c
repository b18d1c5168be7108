// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stand-in for libxengnttab's sharing half (gntalloc): pages of our own domain's memory, granted to
 * another domain for as long as they stay mapped here.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>
#include <xengnttab.h>

struct share {
	LIST_ENTRY(share) link;
	void *start;
	uint32_t count;
	uint32_t id;
};

struct gntshr {
	struct Xentoolcore__Active_Handle ah;
	struct lb_conn conn;
	bool restricted;
	LIST_HEAD(, share) shares;
};

/* xengnttab.h gives both kinds of handle one incomplete type. */
static struct gntshr *gntshr(xengntshr_handle *xgs)
{
	return (struct gntshr *)(void *)xgs;
}

static int restrict_cb(struct Xentoolcore__Active_Handle *ah, uint16_t domid)
{
	(void)domid;
	lb_container_of(ah, struct gntshr, ah)->restricted = true;
	return 0;
}

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	struct gntshr *xgs = calloc(1, sizeof(*xgs));
	int r;

	(void)logger;
	(void)open_flags;
	if (!xgs)
		return NULL;
	xgs->ah.restrict_callback = restrict_cb;
	r = lb_connect(&xgs->conn, LB_KIND_GNTSHR, O_CLOEXEC);
	if (r < 0) {
		free(xgs);
		errno = -r;
		return NULL;
	}
	xentoolcore__register_active_handle(&xgs->ah);
	return (xengntshr_handle *)(void *)xgs;
}

int xengntshr_close(xengntshr_handle *handle)
{
	struct gntshr *xgs = gntshr(handle);
	struct share *s, *next;
	bool shared;

	if (!xgs)
		return 0;
	xentoolcore__deregister_active_handle(&xgs->ah);
	shared = !LIST_EMPTY(&xgs->shares);
	for (s = LIST_FIRST(&xgs->shares); s; s = next) {
		next = LIST_NEXT(s, link);
		free(s);
	}
	/* Pages still mapped stay granted until the process ends, and then the socket closes. */
	if (!shared)
		lb_disconnect(&xgs->conn);
	free(xgs);
	return 0;
}

int xengntshr_fd(xengntshr_handle *xgs)
{
	return gntshr(xgs)->conn.fd;
}

#define NO_NOTIFY UINT32_MAX

static void *share(struct gntshr *xgs, uint32_t domid, int count, uint32_t *refs, int writable,
		   uint32_t notify_offset, evtchn_port_t notify_port)
{
	struct lb_msg msg = { .op = LB_GNT_SHARE,
			      .a = { domid, count > 0 ? (uint32_t)count : 0, writable != 0,
				     notify_offset, notify_port } };
	struct share *s;
	int fd, r;

	if (xgs->restricted) {
		errno = ENOTTY;
		return NULL;
	}
	if (count <= 0 || (uint32_t)count > LB_MAX_REFS) {
		errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	r = lb_call(&xgs->conn, &msg, NULL, 0, refs, (size_t)count * sizeof(*refs), &fd, 1);
	if (r < 0)
		goto fail;
	s->id = (uint32_t)msg.a[0];
	s->count = (uint32_t)count;
	s->start = mmap(NULL, (size_t)count * LB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			(off_t)msg.a[1] * LB_PAGE);
	r = s->start == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r < 0) {
		lb_call3(&xgs->conn, LB_GNT_UNSHARE, s->id, 0, 0);
		goto fail;
	}
	LIST_INSERT_HEAD(&xgs->shares, s, link);
	return s->start;
fail:
	free(s);
	errno = -r;
	return NULL;
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count, uint32_t *refs,
			    int writable)
{
	return share(gntshr(xgs), domid, count, refs, writable, NO_NOTIFY, (evtchn_port_t)-1);
}

void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid, uint32_t *ref,
				  int writable, uint32_t notify_offset, evtchn_port_t notify_port)
{
	if (notify_offset >= LB_PAGE)
		notify_offset = NO_NOTIFY;
	return share(gntshr(xgs), domid, 1, ref, writable, notify_offset, notify_port);
}

int xengntshr_unshare(xengntshr_handle *handle, void *start_address, uint32_t count)
{
	struct gntshr *xgs = gntshr(handle);
	struct share *s;
	int r;

	LIST_FOREACH (s, &xgs->shares, link)
		if (s->start == start_address)
			break;
	if (!s || s->count != count)
		return lb_errno(-EINVAL);
	if (munmap(s->start, (size_t)count * LB_PAGE) < 0)
		return -1;
	r = lb_call3(&xgs->conn, LB_GNT_UNSHARE, s->id, 0, 0);
	LIST_REMOVE(s, link);
	free(s);
	return lb_errno(r);
}
