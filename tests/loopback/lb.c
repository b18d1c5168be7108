// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's memory, the injections into it, and its own grants; see lb.h. */
#include "lb.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"

struct lb_guest {
	struct lb_conn conn;
	uint8_t *memory;
	size_t size;
	uint64_t seen; /* injections taken */
};

static struct lb_domain *domain(const struct lb_guest *g)
{
	return &g->conn.shared->domains[g->conn.slot];
}

struct lb_guest *lb_guest_open(uint32_t domid)
{
	struct lb_msg msg = { .op = LB_GUEST_ATTACH, .a = { UINT64_MAX } };
	struct lb_guest *g = calloc(1, sizeof(*g));
	int fd, r;

	if (!g)
		return NULL;
	r = lb_connect_as(&g->conn, LB_KIND_GUEST, O_CLOEXEC, domid);
	if (r < 0)
		goto fail;
	r = lb_call(&g->conn, &msg, NULL, 0, NULL, 0, &fd, 1);
	if (r < 0)
		goto fail;
	g->size = msg.a[0];
	g->memory = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	r = g->memory == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r < 0)
		goto fail;
	g->seen = atomic_load(&domain(g)->injected);
	return g;
fail:
	lb_disconnect(&g->conn);
	free(g);
	errno = -r;
	return NULL;
}

void lb_guest_close(struct lb_guest *g)
{
	if (!g)
		return;
	munmap(g->memory, g->size);
	lb_disconnect(&g->conn);
	free(g);
}

uint64_t lb_guest_size(const struct lb_guest *g)
{
	return domain(g)->pages * LB_PAGE;
}

void *lb_guest_memory(const struct lb_guest *g, uint64_t address, size_t len)
{
	uint64_t size = lb_guest_size(g);

	return address > size || len > size - address ? NULL : g->memory + address;
}

int lb_guest_balloon(struct lb_guest *g, uint64_t pfn, uint64_t count, bool out)
{
	return lb_call3(&g->conn, LB_GUEST_BALLOON, pfn, count, out);
}

int lb_guest_dirty(struct lb_guest *g, uint64_t pfn, bool clear)
{
	return lb_call3(&g->conn, LB_GUEST_DIRTY, pfn, clear, 0);
}

int lb_guest_grant(struct lb_guest *g, uint32_t domid, uint64_t pfn, bool writable)
{
	return lb_call3(&g->conn, LB_GUEST_GRANT, domid, pfn, writable);
}

int lb_guest_ungrant(struct lb_guest *g, uint32_t ref)
{
	return lb_call3(&g->conn, LB_GUEST_UNGRANT, ref, 0, 0);
}

int lb_guest_fd(const struct lb_guest *g)
{
	return g->conn.event_fd;
}

int lb_guest_injection(struct lb_guest *g, struct lb_injection *injection, int timeout_ms)
{
	struct lb_domain *d = domain(g);
	struct pollfd p[2] = { { g->conn.event_fd, POLLIN, 0 }, { g->conn.fd, 0, 0 } };

	for (;;) {
		uint64_t n = atomic_load(&d->injected), one;
		int r;

		if (n - g->seen > LB_MAX_INJECTIONS)
			return -EOVERFLOW;
		if (g->seen < n) {
			*injection = d->injections[g->seen++ % LB_MAX_INJECTIONS];
			return 1;
		}
		r = poll(p, 2, timeout_ms);
		if (r <= 0)
			return r < 0 ? -errno : 0;
		if (p[1].revents)
			return -ESRCH;
		lb_unmark_delivered(g->conn.shared, g->conn.handle, LB_PORT_INJECTED);
		if (read(g->conn.event_fd, &one, sizeof(one)) < 0)
			return -errno;
	}
}

bool lb_guest_intx(const struct lb_guest *g, unsigned int device, unsigned int pin)
{
	return atomic_load(&domain(g)->intx[pin]) >> device & 1;
}
