// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loopback's ioreq servers and virtual CPUs: a small emulator in a process of its own serves a
 * guest, is killed and followed by another. Runs with domain 1 (HVM, 4 vCPUs, 64 MiB) and domain 2
 * (PV).
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xentoolcore.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>

#include "client.h"
#include "lb.h"

#define GUEST 1
#define PV 2
#define VCPUS 4
#define PORTS 0x1000
#define REGISTERS 0xf0000000ull
#define BDF (5u << 3)

#define assert_errno(e, call)               \
	do {                                \
		errno = 0;                  \
		assert_true((call) < 0);    \
		assert_int_equal(errno, e); \
	} while (0)

static void as(const char *domid)
{
	setenv("XENOPTIC_LOOPBACK_DOMID", domid, 1);
}

/* ---- the emulator ---- */

/* Writes to these have effects; every other register is memory. */
enum { REG_MSI = 0x10, REG_INTX = 0x14, REG_DMA = 0x18, REG_HANG = 0x1c };

struct emulator {
	xendevicemodel_handle *dmod;
	xenforeignmemory_handle *fmem;
	xenevtchn_handle *xce;
	ioservid_t id;
	shared_iopage_t *page;
	xenforeignmemory_resource_handle *resource;
	int ports[VCPUS];
	uint8_t pio[256], mmio[4096], config[256];
	uint32_t invalidated;
};

static void attach(struct emulator *e)
{
	void *page = NULL;

	e->resource =
		xenforeignmemory_map_resource(e->fmem, GUEST, XENMEM_resource_ioreq_server, e->id,
					      XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page,
					      PROT_READ | PROT_WRITE, 0);
	assert_non_null(e->resource);
	e->page = page;
}

static void bind_ports(struct emulator *e)
{
	for (int i = 0; i < VCPUS; i++) {
		e->ports[i] =
			xenevtchn_bind_interdomain(e->xce, GUEST, e->page->vcpu_ioreq[i].vp_eport);
		assert_true(e->ports[i] > 0);
	}
}

static struct emulator *emulator_new(void)
{
	struct emulator *e = calloc(1, sizeof(*e));

	as("0");
	e->dmod = xendevicemodel_open(NULL, 0);
	e->fmem = xenforeignmemory_open(NULL, 0);
	e->xce = xenevtchn_open(NULL, 0);
	assert_non_null(e->dmod);
	assert_non_null(e->fmem);
	assert_non_null(e->xce);
	memcpy(e->config, "\x86\x80\x22\x29", 4);
	return e;
}

static void server_new(struct emulator *e)
{
	assert_int_equal(xendevicemodel_create_ioreq_server(e->dmod, GUEST, 0, &e->id), 0);
	attach(e);
	assert_int_equal(
		xendevicemodel_map_pcidev_to_ioreq_server(e->dmod, GUEST, e->id, 0, 0, 5, 0), 0);
	assert_int_equal(xendevicemodel_map_io_range_to_ioreq_server(e->dmod, GUEST, e->id, 0,
								     PORTS, PORTS + 255),
			 0);
	assert_int_equal(xendevicemodel_map_io_range_to_ioreq_server(e->dmod, GUEST, e->id, 1,
								     REGISTERS, REGISTERS + 4095),
			 0);
	assert_int_equal(e->page->vcpu_ioreq[0].vp_eport, 0); /* not before it is enabled */
	assert_int_equal(xendevicemodel_set_ioreq_server_state(e->dmod, GUEST, e->id, 1), 0);
	assert_int_not_equal(e->page->vcpu_ioreq[0].vp_eport, 0);
	bind_ports(e);
	assert_int_equal(xentoolcore_restrict_all(GUEST), 0);
}

static void guest_copy(struct emulator *e, uint64_t address, void *data, size_t len, bool write)
{
	xen_pfn_t pfn[2] = { address >> 12, (address >> 12) + 1 };
	uint8_t *p = xenforeignmemory_map(e->fmem, GUEST, PROT_READ | PROT_WRITE, 2, pfn, NULL);

	assert_non_null(p);
	if (write) {
		memcpy(p + (address & 4095), data, len);
		xendevicemodel_modified_memory(e->dmod, GUEST, pfn[0], 1);
	} else {
		memcpy(data, p + (address & 4095), len);
	}
	assert_int_equal(xenforeignmemory_unmap(e->fmem, p, 2), 0);
}

static void side_effect(struct emulator *e, uint64_t reg, uint64_t value)
{
	uint32_t word = 0x600df00d;

	switch (reg) {
	case REG_MSI:
		xendevicemodel_inject_msi(e->dmod, GUEST, 0xfee00000 | value, 0x4041);
		break;
	case REG_INTX:
		xendevicemodel_set_pci_intx_level(e->dmod, GUEST, 0, 0, 5, 0, value & 1);
		break;
	case REG_DMA:
		guest_copy(e, value, &word, sizeof(word), true);
		break;
	case REG_HANG:
		pause(); /* until we are killed */
		break;
	}
}

static void access_one(struct emulator *e, const struct ioreq *req, uint64_t address, void *data)
{
	uint8_t *where = req->type == IOREQ_TYPE_PIO	      ? &e->pio[address & 255]
			 : req->type == IOREQ_TYPE_PCI_CONFIG ? &e->config[address & 255]
							      : &e->mmio[address & 4095];
	uint64_t value = 0;

	memcpy(req->dir == IOREQ_READ ? data : where, req->dir == IOREQ_READ ? where : data,
	       req->size);
	memcpy(&value, where, req->size);
	if (req->type == IOREQ_TYPE_COPY && req->dir == IOREQ_WRITE)
		side_effect(e, address & 4095, value);
}

static void serve_one(struct emulator *e, volatile struct ioreq *slot)
{
	struct ioreq req;
	uint64_t data;

	if (slot->state != STATE_IOREQ_READY && slot->state != STATE_IOREQ_INPROCESS)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	slot->state = STATE_IOREQ_INPROCESS;
	memcpy(&req, (void *)(uintptr_t)slot, sizeof(req));
	data = req.data;
	if (req.type == IOREQ_TYPE_INVALIDATE) {
		e->mmio[0]++;
	} else if (!req.data_is_ptr) {
		access_one(e, &req, req.addr, &data);
		slot->data = data;
	} else {
		for (uint32_t i = 0; i < req.count; i++) {
			uint64_t step = (uint64_t)i * req.size;
			uint64_t there = req.type == IOREQ_TYPE_PIO ? req.addr : req.addr + step;
			uint64_t here = req.df ? req.data - step : req.data + step;

			if (req.dir == IOREQ_WRITE)
				guest_copy(e, here, &data, req.size, false);
			access_one(e, &req, there, &data);
			if (req.dir == IOREQ_READ)
				guest_copy(e, here, &data, req.size, true);
		}
	}
	atomic_thread_fence(memory_order_seq_cst);
	slot->state = STATE_IORESP_READY;
}

static void __attribute__((noreturn)) serve(struct emulator *e)
{
	for (;;) {
		int port = xenevtchn_pending(e->xce);

		for (int i = 0; i < VCPUS; i++) {
			if (e->ports[i] != port)
				continue;
			xenevtchn_unmask(e->xce, (evtchn_port_t)port);
			serve_one(e, &e->page->vcpu_ioreq[i]);
			xenevtchn_notify(e->xce, (evtchn_port_t)port);
		}
	}
}

/* Starts an emulator; with id, one that follows a dead one. Returns when it serves. */
static pid_t emulator_start(int id)
{
	int pipefd[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		struct emulator *e = emulator_new();

		if (id >= 0) {
			e->id = (ioservid_t)id;
			attach(e);
			bind_ports(e);
		} else {
			server_new(e);
		}
		if (write(pipefd[1], &byte, 1) == 1)
			serve(e);
		_exit(1);
	}
	close(pipefd[1]);
	assert_int_equal(read(pipefd[0], &byte, 1), 1);
	close(pipefd[0]);
	return pid;
}

static void emulator_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The test as the toolstack: destroys server 0. */
static void server_destroy(void)
{
	xendevicemodel_handle *dmod;

	as("0");
	dmod = xendevicemodel_open(NULL, 0);
	assert_int_equal(xendevicemodel_destroy_ioreq_server(dmod, GUEST, 0), 0);
	xendevicemodel_close(dmod);
}

/* ---- tests ---- */

struct fixture {
	pid_t emulator;
	struct lb_guest *guest;
	struct lb_vcpu *vcpu;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->emulator = emulator_start(-1);
	f->guest = lb_guest_open(GUEST);
	f->vcpu = lb_vcpu_open(GUEST, 0);
	assert_non_null(f->guest);
	assert_non_null(f->vcpu);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lb_vcpu_close(f->vcpu);
	lb_guest_close(f->guest);
	emulator_kill(f->emulator);
	server_destroy();
	free(f);
	return 0;
}

static void accesses(void **state)
{
	struct fixture *f = *state;
	uint64_t wide;
	uint32_t value;

	assert_int_equal(lb_out(f->vcpu, PORTS + 8, 4, 0x12345678), 0);
	assert_int_equal(lb_in(f->vcpu, PORTS + 8, 4, &value), 0);
	assert_int_equal(value, 0x12345678);
	assert_int_equal(lb_in(f->vcpu, PORTS + 9, 1, &value), 0);
	assert_int_equal(value, 0x56);
	assert_int_equal(lb_write(f->vcpu, REGISTERS + 0x100, 8, 0x1122334455667788), 0);
	assert_int_equal(lb_read(f->vcpu, REGISTERS + 0x104, 4, &wide), 0);
	assert_int_equal(wide, 0x11223344);
	assert_int_equal(lb_vcpu_exits(f->vcpu), 5);

	/* nobody's, and partly somebody's */
	assert_int_equal(lb_in(f->vcpu, 0x2000, 2, &value), 0);
	assert_int_equal(value, 0xffff);
	assert_int_equal(lb_in(f->vcpu, PORTS + 254, 4, &value), 0);
	assert_int_equal(value, 0xffffffff);
	assert_int_equal(lb_vcpu_exits(f->vcpu), 5);

	/* RAM */
	assert_int_equal(lb_write(f->vcpu, 0x5000, 4, 77), 0);
	assert_int_equal(*(uint32_t *)lb_guest_memory(f->guest, 0x5000, 4), 77);
	assert_int_equal(lb_vcpu_exits(f->vcpu), 5);
}

static void pci_config(void **state)
{
	struct fixture *f = *state;
	uint32_t value;

	assert_int_equal(lb_pci_read(f->vcpu, BDF, 0, 4, &value), 0);
	assert_int_equal(value, 0x29228086);
	assert_int_equal(lb_pci_read(f->vcpu, BDF, 2, 2, &value), 0);
	assert_int_equal(value, 0x2922);
	assert_int_equal(lb_pci_write(f->vcpu, BDF, 0x3c, 1, 11), 0);
	assert_int_equal(lb_pci_read(f->vcpu, BDF, 0x3c, 1, &value), 0);
	assert_int_equal(value, 11);
	assert_int_equal(lb_pci_read(f->vcpu, BDF + 1, 0, 4, &value), 0);
	assert_int_equal(value, 0xffffffff);
}

static void repeated(void **state)
{
	struct fixture *f = *state;
	uint8_t *ram = lb_guest_memory(f->guest, 0x8000, 8192);

	memcpy(ram, "0123456789abcdef", 16);
	assert_int_equal(lb_outs(f->vcpu, PORTS, 2, 0x8000, 8, false), 0);
	memset(ram, 0, 16);
	assert_int_equal(lb_ins(f->vcpu, PORTS, 2, 0x8000 + 4095, 4, false), 0); /* two pages */
	assert_memory_equal(ram + 4095, "efefefef", 8);
	memset(ram, 0, 8192);
	assert_int_equal(lb_ins(f->vcpu, PORTS, 2, 0x8006, 4, true), 0);
	assert_memory_equal(ram, "efefefef\0", 9);
	memcpy(ram, "the quick brown fox", 19);
	assert_int_equal(lb_copy_out(f->vcpu, REGISTERS + 0x200, 1, 0x8000, 19, false), 0);
	assert_int_equal(lb_copy_in(f->vcpu, REGISTERS + 0x204, 4, 0x8100, 3, false), 0);
	assert_memory_equal(ram + 0x100, "quick brown ", 12);
	assert_int_equal(lb_vcpu_exits(f->vcpu), 5);
}

static void interrupts(void **state)
{
	struct fixture *f = *state;
	struct lb_injection i;

	assert_int_equal(lb_guest_injection(f->guest, &i, 0), 0);
	assert_int_equal(lb_write(f->vcpu, REGISTERS + REG_MSI, 4, 0x3000), 0);
	assert_int_equal(lb_guest_injection(f->guest, &i, 10000), 1);
	assert_int_equal(i.type, LB_INJECTED_MSI);
	assert_int_equal(i.address, 0xfee03000);
	assert_int_equal(i.data, 0x4041);
	assert_int_equal(lb_write(f->vcpu, REGISTERS + REG_INTX, 4, 1), 0);
	assert_int_equal(lb_write(f->vcpu, REGISTERS + REG_INTX, 4, 1), 0);
	assert_true(lb_guest_intx(f->guest, 5, 0));
	assert_int_equal(lb_write(f->vcpu, REGISTERS + REG_INTX, 4, 0), 0);
	assert_false(lb_guest_intx(f->guest, 5, 0));
	/* changes of a level, not every call */
	assert_int_equal(lb_guest_injection(f->guest, &i, 10000), 1);
	assert_int_equal(i.type, LB_INJECTED_INTX);
	assert_int_equal(i.address, 5 << 2);
	assert_int_equal(i.data, 1);
	assert_int_equal(lb_guest_injection(f->guest, &i, 10000), 1);
	assert_int_equal(i.data, 0);
	assert_int_equal(lb_guest_injection(f->guest, &i, 0), 0);
	/* and they wake */
	assert_int_equal(lb_write(f->vcpu, REGISTERS + REG_MSI, 4, 0), 0);
	assert_int_equal(poll(&(struct pollfd){ lb_guest_fd(f->guest), POLLIN, 0 }, 1, 10000), 1);
}

static void dma_and_dirty(void **state)
{
	struct fixture *f = *state;
	const uint32_t *word = lb_guest_memory(f->guest, 0x40000, 4);

	assert_int_equal(lb_guest_dirty(f->guest, 0x40, false), 0);
	assert_int_equal(lb_write(f->vcpu, REGISTERS + REG_DMA, 4, 0x40000), 0);
	assert_int_equal(*word, 0x600df00d);
	assert_int_equal(lb_guest_dirty(f->guest, 0x40, true), 1);
	assert_int_equal(lb_guest_dirty(f->guest, 0x40, false), 0);
	assert_null(lb_guest_memory(f->guest, 64ull << 20, 1));
	assert_non_null(lb_guest_memory(f->guest, (64ull << 20) - 1, 1));
}

static void invalidate(void **state)
{
	struct fixture *f = *state;
	uint64_t value;

	assert_int_equal(lb_invalidate(f->vcpu), 0);
	assert_int_equal(lb_read(f->vcpu, REGISTERS, 1, &value), 0);
	assert_int_equal(value, 1);
}

static void several_vcpus(void **state)
{
	struct fixture *f = *state;
	struct lb_vcpu *v[VCPUS] = { f->vcpu };
	struct lb_access a[VCPUS];

	for (unsigned int i = 1; i < VCPUS; i++) {
		v[i] = lb_vcpu_open(GUEST, i);
		assert_non_null(v[i]);
	}
	assert_null(lb_vcpu_open(GUEST, 1));
	assert_int_equal(errno, EBUSY);
	assert_null(lb_vcpu_open(GUEST, VCPUS));
	for (unsigned int n = 0; n < 100; n++) {
		for (unsigned int i = 0; i < VCPUS; i++) {
			a[i] = (struct lb_access){
				LB_ACCESS_MEMORY, .write = true,
				.size = 4,	  .count = 1,
				.data = n + i,	  .address = REGISTERS + 0x400 + 4 * i
			};
			assert_int_equal(lb_vcpu_start(v[i], &a[i]), 1);
			assert_int_equal(lb_vcpu_start(v[i], &a[i]), -EBUSY);
		}
		for (unsigned int i = 0; i < VCPUS; i++)
			assert_int_equal(lb_vcpu_finish(v[i], &a[i], 10000), 0);
	}
	for (unsigned int i = 1; i < VCPUS; i++)
		lb_vcpu_close(v[i]);
}

/* The vCPU stays blocked in its access until a successor answers it. */
static void killed_and_followed(void **state)
{
	struct fixture *f = *state;
	struct lb_access a = { LB_ACCESS_MEMORY, .write = true, .address = REGISTERS + REG_HANG,
			       .size = 4, .count = 1 };

	assert_int_equal(lb_vcpu_start(f->vcpu, &a), 1);
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 100), -ETIMEDOUT);
	assert_int_equal(lb_vcpu_state(f->vcpu), STATE_IOREQ_INPROCESS);
	emulator_kill(f->emulator);
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 100), -ETIMEDOUT);

	/* It sees the same slot; this one hangs, too, and the third is given another request. */
	f->emulator = emulator_start(0);
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 100), -ETIMEDOUT);
	emulator_kill(f->emulator);
	((struct ioreq *)(uintptr_t)lb_vcpu_slot(f->vcpu))->addr = REGISTERS + 0x100;
	f->emulator = emulator_start(0);
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 10000), 0);
	assert_int_equal(lb_write(f->vcpu, REGISTERS, 4, 1), 0);
}

/* Requests made while nobody is there wait for who comes. */
static void made_while_absent(void **state)
{
	struct fixture *f = *state;
	struct lb_access a = { LB_ACCESS_PORT, .write = true, .address = PORTS, .size = 4,
			       .count = 1 };

	emulator_kill(f->emulator);
	assert_int_equal(lb_vcpu_start(f->vcpu, &a), 1);
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 50), -ETIMEDOUT);
	f->emulator = emulator_start(0);
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 10000), 0);
}

static void server_refusals(void **state)
{
	struct fixture *f = *state;
	xendevicemodel_handle *dmod;
	xenforeignmemory_handle *fmem;
	ioservid_t ids[8], id;
	unsigned int n;
	void *page = NULL;

	(void)f;
	as("0");
	dmod = xendevicemodel_open(NULL, 0);
	fmem = xenforeignmemory_open(NULL, 0);
	assert_errno(EINVAL, xendevicemodel_create_ioreq_server(dmod, PV, 0, &id));
	assert_errno(ESRCH, xendevicemodel_create_ioreq_server(dmod, 77, 0, &id));
	assert_errno(EINVAL, xendevicemodel_create_ioreq_server(dmod, GUEST, 7, &id));
	assert_int_equal(xendevicemodel_nr_vcpus(dmod, GUEST, &n), 0);
	assert_int_equal(n, VCPUS);
	for (int i = 1; i < 8; i++)
		assert_int_equal(xendevicemodel_create_ioreq_server(dmod, GUEST, 0, &ids[i]), 0);
	assert_errno(ENOSPC, xendevicemodel_create_ioreq_server(dmod, GUEST, 0, &id));
	for (int i = 2; i < 8; i++)
		assert_int_equal(xendevicemodel_destroy_ioreq_server(dmod, GUEST, ids[i]), 0);
	assert_errno(ENOENT, xendevicemodel_destroy_ioreq_server(dmod, GUEST, ids[7]));

	/* ranges: overlaps and what is not there; a part may go; at most 256 */
	id = ids[1];
#define map(s, e) xendevicemodel_map_io_range_to_ioreq_server(dmod, GUEST, id, 1, s, e)
#define unmap(s, e) xendevicemodel_unmap_io_range_from_ioreq_server(dmod, GUEST, id, 1, s, e)
	assert_int_equal(map(0xe0000000, 0xe0000fff), 0);
	assert_errno(EEXIST, map(0xe0000ff0, 0xe0001fff));
	assert_errno(EINVAL, map(0xe1000000, 0xe0000000));
	assert_errno(ENOENT, unmap(0xe0000000, 0xe0001000));
	assert_int_equal(unmap(0xe0000100, 0xe00001ff), 0);
	assert_errno(ENOENT, unmap(0xe0000100, 0xe00001ff));
	assert_int_equal(unmap(0xe0000000, 0xe00000ff), 0);
	assert_int_equal(unmap(0xe0000200, 0xe0000fff), 0);
	for (unsigned int i = 0; i < 256; i++)
		assert_int_equal(map(0xd0000000 + 8 * i, 0xd0000000 + 8 * i + 3), 0);
	assert_errno(ENOMEM, map(0xe0000000, 0xe0000fff));
	assert_errno(EINVAL,
		     xendevicemodel_map_pcidev_to_ioreq_server(dmod, GUEST, id, 0, 0, 32, 0));

	/* pages: no buffered ones, no others, no other server's */
	assert_null(xenforeignmemory_map_resource(fmem, GUEST, XENMEM_resource_ioreq_server, id, 0,
						  1, &page, PROT_READ, 0));
	assert_int_equal(errno, ENOENT);
	assert_null(xenforeignmemory_map_resource(fmem, GUEST, XENMEM_resource_ioreq_server, id, 1,
						  2, &page, PROT_READ, 0));
	assert_null(xenforeignmemory_map_resource(fmem, GUEST, XENMEM_resource_ioreq_server, 5, 1,
						  1, &page, PROT_READ, 0));
	assert_int_equal(errno, ENOENT);

	assert_errno(EINVAL, xendevicemodel_set_pci_intx_level(dmod, GUEST, 0, 1, 5, 0, 1));
	assert_errno(EINVAL, xendevicemodel_set_pci_intx_level(dmod, GUEST, 0, 0, 5, 4, 1));
	assert_errno(EINVAL, xendevicemodel_modified_memory(dmod, GUEST, 16384, 1));
	assert_int_equal(xendevicemodel_destroy_ioreq_server(dmod, GUEST, id), 0);
	xendevicemodel_close(dmod);

	/* Dom0's alone */
	as("2");
	dmod = xendevicemodel_open(NULL, 0);
	assert_errno(EPERM, xendevicemodel_create_ioreq_server(dmod, GUEST, 0, &id));
	xendevicemodel_close(dmod);
	xenforeignmemory_close(fmem);
}

/* Of two servers with the same address the higher one has it. */
static void highest_wins(void **state)
{
	struct fixture *f = *state;
	xendevicemodel_handle *dmod;
	struct lb_access a = { LB_ACCESS_PORT, .address = PORTS, .size = 1, .count = 1 };
	ioservid_t id;

	as("0");
	dmod = xendevicemodel_open(NULL, 0);
	assert_int_equal(xendevicemodel_create_ioreq_server(dmod, GUEST, 0, &id), 0);
	assert_int_equal(
		xendevicemodel_map_io_range_to_ioreq_server(dmod, GUEST, id, 0, PORTS, PORTS), 0);
	/* not enabled: it is not asked */
	assert_int_equal(lb_out(f->vcpu, PORTS, 1, 1), 0);
	assert_int_equal(xendevicemodel_set_ioreq_server_state(dmod, GUEST, id, 1), 0);
	assert_int_equal(lb_vcpu_start(f->vcpu, &a), 1);
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 50), -ETIMEDOUT);
	((struct ioreq *)(uintptr_t)lb_vcpu_slot(f->vcpu))->state = STATE_IORESP_READY;
	assert_int_equal(lb_vcpu_finish(f->vcpu, &a, 0), 0);
	assert_int_equal(xendevicemodel_destroy_ioreq_server(dmod, GUEST, id), 0);
	assert_int_equal(lb_out(f->vcpu, PORTS, 1, 1), 0);
	xendevicemodel_close(dmod);
}

/* HVMMEM_ioreq_server: reads of such a page are memory's, writes the server's. */
static void memory_type(void **state)
{
	struct fixture *f = *state;
	xendevicemodel_handle *dmod;
	uint64_t exits = lb_vcpu_exits(f->vcpu), value;

	as("0");
	dmod = xendevicemodel_open(NULL, 0);
	assert_errno(EINVAL,
		     xendevicemodel_map_mem_type_to_ioreq_server(
			     dmod, GUEST, 0, HVMMEM_ioreq_server, XEN_DMOP_IOREQ_MEM_ACCESS_READ));
	assert_int_equal(
		xendevicemodel_map_mem_type_to_ioreq_server(dmod, GUEST, 0, HVMMEM_ioreq_server,
							    XEN_DMOP_IOREQ_MEM_ACCESS_WRITE),
		0);
	assert_int_equal(xendevicemodel_set_mem_type(dmod, GUEST, HVMMEM_ioreq_server, 0x100, 2),
			 0);
	assert_int_equal(lb_read(f->vcpu, 0x100000, 4, &value), 0);
	assert_int_equal(lb_vcpu_exits(f->vcpu), exits);
	assert_int_equal(lb_write(f->vcpu, 0x100800, 4, 1), 0);
	assert_int_equal(lb_vcpu_exits(f->vcpu), exits + 1);
	assert_int_equal(xendevicemodel_set_mem_type(dmod, GUEST, HVMMEM_ram_rw, 0x100, 2), 0);
	assert_int_equal(lb_write(f->vcpu, 0x100800, 4, 1), 0);
	assert_int_equal(lb_vcpu_exits(f->vcpu), exits + 1);
	xendevicemodel_close(dmod);
}

static void paused(void **state)
{
	struct fixture *f = *state;
	struct lb_conn toolstack;
	uint32_t value;

	assert_int_equal(lb_connect_as(&toolstack, LB_KIND_CONTROL, 0, 0), 0);
	assert_int_equal(lb_call3(&toolstack, LB_DOM_PAUSE, GUEST, 0, 0), 0);
	assert_int_equal(lb_in(f->vcpu, PORTS, 4, &value), -EAGAIN);
	assert_int_equal(lb_call3(&toolstack, LB_DOM_UNPAUSE, GUEST, 0, 0), 0);
	assert_int_equal(lb_in(f->vcpu, PORTS, 4, &value), 0);
	lb_disconnect(&toolstack);
}

int main(void)
{
#define with_emulator(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		with_emulator(accesses),
		with_emulator(pci_config),
		with_emulator(repeated),
		with_emulator(interrupts),
		with_emulator(dma_and_dirty),
		with_emulator(invalidate),
		with_emulator(several_vcpus),
		with_emulator(killed_and_followed),
		with_emulator(made_while_absent),
		with_emulator(server_refusals),
		with_emulator(highest_wins),
		with_emulator(memory_type),
		with_emulator(paused),
	};

	alarm(60); /* nothing here waits for long */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
