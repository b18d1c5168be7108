// SPDX-License-Identifier: GPL-2.0-or-later
/* Stand-in for libxenforeignmemory: pages of a domain's memory, and the pages of ioreq servers. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>
#include <xenforeignmemory.h>

struct area {
	LIST_ENTRY(area) link;
	uint8_t *start;
	size_t pages;
	size_t nids;
	uint32_t ids[]; /* the hypervisor's, one for each LB_MAX_REFS pages */
};

struct xenforeignmemory_handle {
	struct Xentoolcore__Active_Handle ah;
	struct lb_conn conn;
	LIST_HEAD(, area) areas;
	unsigned int resources;
};

struct xenforeignmemory_resource_handle {
	void *start;
	size_t pages;
	uint32_t id;
};

static int restrict_cb(struct Xentoolcore__Active_Handle *ah, uint16_t domid)
{
	return xenforeignmemory_restrict(lb_container_of(ah, struct xenforeignmemory_handle, ah),
					 domid);
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
					       unsigned int open_flags)
{
	struct xenforeignmemory_handle *fmem = calloc(1, sizeof(*fmem));
	int r;

	(void)logger;
	(void)open_flags;
	if (!fmem)
		return NULL;
	fmem->ah.restrict_callback = restrict_cb;
	r = lb_connect(&fmem->conn, LB_KIND_FOREIGNMEMORY, O_CLOEXEC);
	if (r < 0) {
		free(fmem);
		errno = -r;
		return NULL;
	}
	xentoolcore__register_active_handle(&fmem->ah);
	return fmem;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	struct area *a, *next;
	bool mapped;

	if (!fmem)
		return 0;
	xentoolcore__deregister_active_handle(&fmem->ah);
	mapped = !LIST_EMPTY(&fmem->areas) || fmem->resources;
	for (a = LIST_FIRST(&fmem->areas); a; a = next) {
		next = LIST_NEXT(a, link);
		free(a);
	}
	/* Pages still mapped stay so until the process ends, and then the socket closes. */
	if (!mapped)
		lb_disconnect(&fmem->conn);
	free(fmem);
	return 0;
}

/*
 * Maps at most LB_MAX_REFS pages to start, with an error for each. The hypervisor's answer for a page that an
 * emulator has moved is where its memory is.
 */
static int map_some(xenforeignmemory_handle *fmem, uint32_t dom, uint8_t *start, int prot,
		    uint32_t pages, const xen_pfn_t *pfns, int32_t *errors, uint32_t *id)
{
	struct lb_msg msg = { .op = LB_MEM_MAP, .a = { dom }, .count = pages };
	int fd;
	int r = lb_call(&fmem->conn, &msg, pfns, pages * sizeof(*pfns), errors,
			pages * sizeof(*errors), &fd, 1);

	if (r < 0)
		return r;
	*id = (uint32_t)msg.a[0];
	for (uint32_t i = 0; i < pages && r == 0;) {
		uint64_t page = errors[i] > 0 ? (uint64_t)errors[i] : pfns[i];
		uint32_t n = 1;

		if (errors[i] < 0) {
			i++;
			continue;
		}
		while (!errors[i] && i + n < pages && !errors[i + n] && pfns[i + n] == pfns[i] + n)
			n++;
		errors[i] = 0;
		if (mmap(start + (size_t)i * LB_PAGE, (size_t)n * LB_PAGE, prot,
			 MAP_SHARED | MAP_FIXED, fd, (off_t)page * LB_PAGE) == MAP_FAILED)
			r = -errno;
		i += n;
	}
	close(fd);
	return r;
}

static void drop(xenforeignmemory_handle *fmem, struct area *a)
{
	munmap(a->start, a->pages * LB_PAGE);
	for (size_t i = 0; i < a->nids; i++)
		lb_call3(&fmem->conn, LB_MEM_UNMAP, a->ids[i], 0, 0);
	free(a);
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom, void *addr, int prot,
			    int flags, size_t pages, const xen_pfn_t arr[], int err[])
{
	size_t chunks = (pages + LB_MAX_REFS - 1) / LB_MAX_REFS;
	int32_t *errors = NULL;
	struct area *a = NULL;
	void *start = MAP_FAILED;
	int r = -EINVAL;

	if (pages == 0 || pages > SIZE_MAX / LB_PAGE / 2)
		goto fail;
	r = -ENOMEM;
	a = calloc(1, sizeof(*a) + chunks * sizeof(a->ids[0]));
	errors = calloc(pages, sizeof(*errors));
	if (!a || !errors)
		goto fail;
	/* Pages that cannot be mapped must not be readable: they fault, as with privcmd. */
	start = mmap(addr, pages * LB_PAGE, PROT_NONE, flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		goto fail;
	a->start = start;
	a->pages = pages;
	for (size_t done = 0; done < pages; done += LB_MAX_REFS) {
		uint32_t n = (uint32_t)(pages - done < LB_MAX_REFS ? pages - done : LB_MAX_REFS);

		r = map_some(fmem, dom, a->start + done * LB_PAGE, prot, n, arr + done,
			     errors + done, &a->ids[a->nids]);
		if (r < 0)
			goto fail;
		a->nids++;
	}
	for (size_t i = 0; i < pages; i++) {
		if (err)
			err[i] = errors[i];
		else if (errors[i]) {
			r = errors[i];
			goto fail;
		}
	}
	free(errors);
	LIST_INSERT_HEAD(&fmem->areas, a, link);
	return start;
fail:
	free(errors);
	if (start != MAP_FAILED)
		drop(fmem, a);
	else
		free(a);
	errno = -r;
	return NULL;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
			   const xen_pfn_t arr[], int err[])
{
	return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
	struct area *a;

	LIST_FOREACH (a, &fmem->areas, link)
		if (a->start == addr)
			break;
	if (!a || a->pages != pages)
		return lb_errno(-EINVAL);
	LIST_REMOVE(a, link);
	drop(fmem, a);
	return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
	return lb_errno(lb_call3(&fmem->conn, LB_RESTRICT, domid, 0, 0));
}

/* ---- resources ---- */

xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
			      unsigned int id, unsigned long frame, unsigned long nr_frames,
			      void **paddr, int prot, int flags)
{
	struct lb_msg msg = { .op = LB_MEM_RESOURCE, .a = { domid, type, id, frame, nr_frames } };
	struct xenforeignmemory_resource_handle *fres;
	int fd, r;

	if (flags & ~(MAP_SHARED | MAP_PRIVATE) || nr_frames == 0) {
		errno = EINVAL;
		return NULL;
	}
	fres = calloc(1, sizeof(*fres));
	if (!fres)
		return NULL;
	r = lb_call(&fmem->conn, &msg, NULL, 0, NULL, 0, &fd, 1);
	if (r < 0)
		goto fail;
	fres->id = (uint32_t)msg.a[0];
	fres->pages = nr_frames;
	fres->start = mmap(*paddr, nr_frames * LB_PAGE, prot, flags | MAP_SHARED, fd,
			   (off_t)frame * LB_PAGE);
	r = fres->start == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r < 0) {
		lb_call3(&fmem->conn, LB_MEM_UNMAP, fres->id, 0, 0);
		goto fail;
	}
	fmem->resources++;
	*paddr = fres->start;
	return fres;
fail:
	free(fres);
	errno = -r;
	return NULL;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
				    xenforeignmemory_resource_handle *fres)
{
	int r = munmap(fres->start, fres->pages * LB_PAGE);

	lb_call3(&fmem->conn, LB_MEM_UNMAP, fres->id, 0, 0);
	fmem->resources--;
	free(fres);
	return r;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
				   unsigned int id, size_t *size)
{
	struct lb_msg msg = { .op = LB_MEM_RESOURCE, .a = { domid, type, id } };
	int r = lb_call(&fmem->conn, &msg, NULL, 0, NULL, 0, NULL, 0);

	if (r == 0)
		*size = msg.a[0] * LB_PAGE;
	return lb_errno(r);
}
