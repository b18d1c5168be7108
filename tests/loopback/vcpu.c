// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtual CPU: finds the ioreq server of an access, fills its slot, and waits for the response, as
 * Xen's ioreq.c and hvm emulation do; see lb.h.
 */
#include "lb.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/ioreq.h>

#include "events.h"

#define CF8_ENABLE 0x80000000u

struct server {
	uint32_t incarnation; /* of what is mapped; 0: nothing */
	uint32_t port;
	struct ioreq *slots;
	void *pages;
};

struct lb_vcpu {
	struct lb_events events;
	unsigned int id;
	int timeout_ms;
	uint64_t exits;
	uint8_t *memory;
	size_t size;
	struct server servers[LB_MAX_SERVERS];
	int current; /* server of the access under way, or -1 */
};

static struct lb_domain *domain(const struct lb_vcpu *v)
{
	return &v->events.conn.shared->domains[v->events.conn.slot];
}

struct lb_vcpu *lb_vcpu_open(uint32_t domid, unsigned int id)
{
	struct lb_msg msg = { .op = LB_GUEST_ATTACH, .a = { id } };
	struct lb_vcpu *v = calloc(1, sizeof(*v));
	int fd, r;

	if (!v)
		return NULL;
	v->id = id;
	v->timeout_ms = 10000;
	v->current = -1;
	lb_events_init(&v->events);
	r = lb_connect_as(&v->events.conn, LB_KIND_GUEST, O_CLOEXEC, domid);
	if (r < 0)
		goto fail;
	r = lb_call(&v->events.conn, &msg, NULL, 0, NULL, 0, &fd, 1);
	if (r < 0)
		goto fail;
	v->size = msg.a[0];
	v->memory = mmap(NULL, v->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	r = v->memory == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r < 0)
		goto fail;
	return v;
fail:
	lb_events_fini(&v->events);
	free(v);
	errno = -r;
	return NULL;
}

static void server_unmap(struct server *s)
{
	if (s->pages)
		munmap(s->pages, 2 * LB_PAGE);
	*s = (struct server){ 0 };
}

void lb_vcpu_close(struct lb_vcpu *v)
{
	if (!v)
		return;
	for (unsigned int i = 0; i < LB_MAX_SERVERS; i++)
		server_unmap(&v->servers[i]);
	munmap(v->memory, v->size);
	lb_events_fini(&v->events);
	free(v);
}

void lb_vcpu_set_timeout(struct lb_vcpu *v, int timeout_ms)
{
	v->timeout_ms = timeout_ms;
}

uint64_t lb_vcpu_exits(const struct lb_vcpu *v)
{
	return v->exits;
}

/* ---- which server ---- */

static bool contains(const struct lb_server *s, unsigned int type, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < s->nranges[type] && i < LB_MAX_RANGES; i++)
		if (start >= s->ranges[type][i].start && end <= s->ranges[type][i].end)
			return true;
	return false;
}

/* First and last byte of a repeated access, ioreq_mmio_first_byte and _last_byte. */
static void extent(const struct lb_access *a, uint64_t *first, uint64_t *last)
{
	uint64_t others = (uint64_t)a->size * (a->count - 1);

	*first = a->df ? a->address - others : a->address;
	*last = a->df ? a->address + a->size - 1 : a->address + others + a->size - 1;
}

static bool typed(const struct lb_domain *d, uint64_t pfn)
{
	for (uint32_t i = 0; i < d->ntyped && i < LB_MAX_TYPED; i++)
		if (pfn >= d->typed[i].start && pfn <= d->typed[i].end)
			return true;
	return false;
}

static bool is_ram(const struct lb_domain *d, const struct lb_access *a)
{
	uint64_t page = a->address / LB_PAGE;

	return a->type == LB_ACCESS_MEMORY && (page < d->pages || lb_moved_to(d, page, &page));
}

/* The server of an access and what the request says; -1: nobody's, -2: RAM. */
static int lookup(const struct lb_domain *d, const struct lb_access *a, uint8_t *type,
		  uint64_t *address)
{
	uint32_t cf8 = atomic_load(&((struct lb_domain *)(uintptr_t)d)->cf8);
	bool config =
		a->type == LB_ACCESS_PORT && (a->address & ~3ull) == 0xcfc && cf8 & CF8_ENABLE;
	uint32_t bdf = cf8 >> 8 & 0xffff;
	uint64_t first, last;

	*type = a->type == LB_ACCESS_PORT ? IOREQ_TYPE_PIO : IOREQ_TYPE_COPY;
	*address = a->address;
	extent(a, &first, &last);
	if (is_ram(d, a)) {
		/* Writes to pages of HVMMEM_ioreq_server go to whoever has claimed the type. */
		for (int id = 0; a->write && id < (int)LB_MAX_SERVERS; id++)
			if (d->servers[id].enabled &&
			    d->servers[id].mem_type_flags & XEN_DMOP_IOREQ_MEM_ACCESS_WRITE &&
			    typed(d, a->address / LB_PAGE))
				return id;
		return -2;
	}
	for (int id = LB_MAX_SERVERS - 1; id >= 0; id--) {
		const struct lb_server *s = &d->servers[id];

		if (!s->enabled)
			continue;
		if (config) {
			if (!contains(s, LB_RANGE_PCI, bdf, bdf))
				continue;
			*type = IOREQ_TYPE_PCI_CONFIG;
			*address = (uint64_t)bdf << 32 | (cf8 & 0xfc) | (a->address & 3);
			return id;
		}
		if (a->type == LB_ACCESS_PORT &&
		    contains(s, LB_RANGE_PORT, a->address, a->address + a->size - 1))
			return id;
		if (a->type == LB_ACCESS_MEMORY && contains(s, LB_RANGE_MEMORY, first, last))
			return id;
	}
	return -1;
}

/* The hypervisor may change the servers meanwhile: then look again. */
static int select_server(struct lb_vcpu *v, const struct lb_access *a, uint8_t *type,
			 uint64_t *address, uint32_t *incarnation)
{
	struct lb_domain *d = domain(v);

	for (;;) {
		uint32_t seq = atomic_load(&d->servers_seq);
		int id = lookup(d, a, type, address);

		*incarnation = id >= 0 ? d->servers[id].incarnation : 0;
		atomic_thread_fence(memory_order_seq_cst);
		if (!(seq & 1) && atomic_load(&d->servers_seq) == seq)
			return id;
	}
}

static int server_map(struct lb_vcpu *v, int id, uint32_t incarnation)
{
	struct lb_msg msg = { .op = LB_GUEST_SERVER, .a = { (uint64_t)id, v->id } };
	struct server *s = &v->servers[id];
	int fd, r;

	if (s->incarnation == incarnation)
		return 0;
	server_unmap(s);
	r = lb_call(&v->events.conn, &msg, NULL, 0, NULL, 0, &fd, 1);
	if (r < 0)
		return r;
	s->pages = mmap(NULL, 2 * LB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	r = s->pages == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r < 0) {
		s->pages = NULL;
		return r;
	}
	s->slots = (struct ioreq *)(void *)((uint8_t *)s->pages + LB_PAGE);
	s->port = (uint32_t)msg.a[0];
	s->incarnation = incarnation;
	return 0;
}

/* ---- one access ---- */

static uint64_t ones(unsigned int size)
{
	return size >= 8 ? UINT64_MAX : (1ull << size * 8) - 1;
}

/* What nobody claims, and RAM: no request at all. */
static void answer_here(struct lb_vcpu *v, struct lb_access *a, bool ram)
{
	uint64_t nothing = UINT64_MAX;

	for (uint32_t i = 0; i < a->count; i++) {
		uint64_t step = (uint64_t)i * a->size;
		uint64_t there = a->df ? a->address - step : a->address + step;
		uint64_t here = a->df ? a->data - step : a->data + step;
		void *device = NULL, *buffer = &nothing;
		uint64_t page;

		if (ram && lb_moved_to(domain(v), there / LB_PAGE, &page))
			there = page * LB_PAGE + there % LB_PAGE;
		if (ram && there + a->size <= v->size)
			device = v->memory + there;
		if (!a->is_ptr)
			buffer = &a->data;
		else if (here + a->size <= v->size)
			buffer = v->memory + here;
		if (a->write && device)
			memcpy(device, buffer, a->size);
		else if (!a->write)
			memcpy(buffer, device ? device : &nothing, a->size);
	}
	if (!a->write && !a->is_ptr)
		a->data &= ones(a->size);
}

static volatile struct ioreq *slot(const struct lb_vcpu *v)
{
	return &v->servers[v->current].slots[v->id];
}

static int request(struct lb_vcpu *v, int id, uint32_t incarnation, const struct lb_access *a,
		   uint8_t type, uint64_t address)
{
	volatile struct ioreq *p;
	int r = server_map(v, id, incarnation);

	if (r < 0)
		return r;
	v->current = id;
	p = slot(v);
	if (p->state != STATE_IOREQ_NONE) {
		v->current = -1;
		return -EBUSY;
	}
	p->addr = address;
	p->data = a->data;
	p->count = a->count;
	p->size = a->size;
	p->dir = a->write ? IOREQ_WRITE : IOREQ_READ;
	p->data_is_ptr = a->is_ptr;
	p->df = a->df;
	p->type = type;
	atomic_thread_fence(memory_order_seq_cst);
	p->state = STATE_IOREQ_READY;
	v->exits++;
	/* Without an emulator the event is lost; one that attaches is called when it binds. */
	lb_events_notify(&v->events, v->servers[id].port);
	return 1;
}

int lb_vcpu_start(struct lb_vcpu *v, struct lb_access *a)
{
	struct lb_domain *d = domain(v);
	uint32_t incarnation;
	uint64_t address;
	uint8_t type;
	int id;

	if (v->current >= 0)
		return -EBUSY;
	if (atomic_load(&d->domid) != v->events.conn.domid)
		return -ESRCH;
	if (atomic_load(&d->paused))
		return -EAGAIN;
	if (a->size == 0 || a->size > 8 || a->count == 0)
		return -EINVAL;
	if (a->type == LB_ACCESS_PORT && a->address == 0xcf8 && a->size == 4 && a->write)
		atomic_store(&d->cf8, (uint32_t)a->data);
	id = select_server(v, a, &type, &address, &incarnation);
	if (id < 0) {
		answer_here(v, a, id == -2);
		return 0;
	}
	return request(v, id, incarnation, a, type, address);
}

static int finish(struct lb_vcpu *v, struct lb_access *a, int timeout_ms)
{
	struct pollfd p[2] = { { v->events.conn.event_fd, POLLIN, 0 },
			       { v->events.conn.fd, 0, 0 } };
	volatile struct ioreq *s = slot(v);

	while (s->state != STATE_IORESP_READY) {
		int r = poll(p, 2, timeout_ms);

		if (r < 0)
			return -errno;
		if (r == 0)
			return -ETIMEDOUT;
		if (p[1].revents)
			return -ESRCH;
		r = lb_events_take(&v->events);
		if (r > 0)
			lb_events_unmask(&v->events, (uint32_t)r);
	}
	atomic_thread_fence(memory_order_seq_cst);
	if (!a->write && !a->is_ptr)
		a->data = s->data & ones(a->size);
	s->state = STATE_IOREQ_NONE;
	v->current = -1;
	return 0;
}

int lb_vcpu_finish(struct lb_vcpu *v, struct lb_access *a, int timeout_ms)
{
	return v->current < 0 ? -EINVAL : finish(v, a, timeout_ms);
}

unsigned int lb_vcpu_state(const struct lb_vcpu *v)
{
	return v->current < 0 ? STATE_IOREQ_NONE : slot(v)->state;
}

volatile void *lb_vcpu_slot(const struct lb_vcpu *v)
{
	return v->current < 0 ? NULL : slot(v);
}

static int whole(struct lb_vcpu *v, struct lb_access *a)
{
	int r = lb_vcpu_start(v, a);

	return r == 1 ? finish(v, a, v->timeout_ms) : r;
}

/* ---- conveniences ---- */

int lb_in(struct lb_vcpu *v, uint32_t port, unsigned int size, uint32_t *value)
{
	struct lb_access a = { LB_ACCESS_PORT, .address = port, .size = size, .count = 1 };
	int r = whole(v, &a);

	*value = (uint32_t)a.data;
	return r;
}

int lb_out(struct lb_vcpu *v, uint32_t port, unsigned int size, uint32_t value)
{
	struct lb_access a = { LB_ACCESS_PORT, .write = true, .address = port,
			       .data = value,  .size = size,  .count = 1 };

	return whole(v, &a);
}

int lb_read(struct lb_vcpu *v, uint64_t address, unsigned int size, uint64_t *value)
{
	struct lb_access a = { LB_ACCESS_MEMORY, .address = address, .size = size, .count = 1 };
	int r = whole(v, &a);

	*value = a.data;
	return r;
}

int lb_write(struct lb_vcpu *v, uint64_t address, unsigned int size, uint64_t value)
{
	struct lb_access a = { LB_ACCESS_MEMORY, .write = true, .address = address,
			       .data = value,	 .size = size,	.count = 1 };

	return whole(v, &a);
}

static int rep(struct lb_vcpu *v, enum lb_access_type type, bool write, uint64_t device,
	       unsigned int size, uint64_t address, uint32_t count, bool df)
{
	struct lb_access a = { type, write, true, df, device, address, size, count };

	return whole(v, &a);
}

int lb_ins(struct lb_vcpu *v, uint32_t port, unsigned int size, uint64_t address, uint32_t count,
	   bool df)
{
	return rep(v, LB_ACCESS_PORT, false, port, size, address, count, df);
}

int lb_outs(struct lb_vcpu *v, uint32_t port, unsigned int size, uint64_t address, uint32_t count,
	    bool df)
{
	return rep(v, LB_ACCESS_PORT, true, port, size, address, count, df);
}

int lb_copy_in(struct lb_vcpu *v, uint64_t from, unsigned int size, uint64_t address,
	       uint32_t count, bool df)
{
	return rep(v, LB_ACCESS_MEMORY, false, from, size, address, count, df);
}

int lb_copy_out(struct lb_vcpu *v, uint64_t to, unsigned int size, uint64_t address, uint32_t count,
		bool df)
{
	return rep(v, LB_ACCESS_MEMORY, true, to, size, address, count, df);
}

int lb_pci_read(struct lb_vcpu *v, unsigned int bdf, unsigned int reg, unsigned int size,
		uint32_t *value)
{
	int r = lb_out(v, 0xcf8, 4, CF8_ENABLE | bdf << 8 | (reg & 0xfc));

	return r < 0 ? r : lb_in(v, 0xcfc + (reg & 3), size, value);
}

int lb_pci_write(struct lb_vcpu *v, unsigned int bdf, unsigned int reg, unsigned int size,
		 uint32_t value)
{
	int r = lb_out(v, 0xcf8, 4, CF8_ENABLE | bdf << 8 | (reg & 0xfc));

	return r < 0 ? r : lb_out(v, 0xcfc + (reg & 3), size, value);
}

int lb_invalidate(struct lb_vcpu *v)
{
	struct lb_domain *d = domain(v);

	for (int id = 0; id < (int)LB_MAX_SERVERS; id++) {
		struct lb_access a = { LB_ACCESS_MEMORY, .write = true, .size = 4, .count = 1,
				       .data = ~0u };
		int r;

		if (!d->servers[id].enabled)
			continue;
		r = request(v, id, d->servers[id].incarnation, &a, IOREQ_TYPE_INVALIDATE, 0);
		if (r == 1)
			r = finish(v, &a, v->timeout_ms);
		if (r < 0)
			return r;
	}
	return 0;
}
