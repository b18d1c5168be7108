/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of the loopback, for tests: its memory, what device models inject into it, and virtual
 * CPUs whose port and memory accesses go to the domain's ioreq servers as Xen would send them.
 *
 * Functions return 0 or more, or a negative errno: -ESRCH when the domain has died, -ETIMEDOUT.
 */
#ifndef XO_LOOPBACK_LB_H
#define XO_LOOPBACK_LB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto.h"

/* ---- memory and injections ---- */

struct lb_guest;

struct lb_guest *lb_guest_open(uint32_t domid); /* NULL and errno */
void lb_guest_close(struct lb_guest *guest);

/* Guest RAM: its size in bytes, and a pointer to len bytes at address; NULL: not all of it is RAM. */
uint64_t lb_guest_size(const struct lb_guest *guest);
void *lb_guest_memory(const struct lb_guest *guest, uint64_t address, size_t len);

/* Gives pages back to Xen (out), or takes fresh ones in their place. */
int lb_guest_balloon(struct lb_guest *guest, uint64_t pfn, uint64_t count, bool out);
/* Was the page reported by modified_memory since it was cleared? */
int lb_guest_dirty(struct lb_guest *guest, uint64_t pfn, bool clear);
/* Grants a page of RAM, and the reference; ends it, unless it is mapped (-EBUSY). */
int lb_guest_grant(struct lb_guest *guest, uint32_t domid, uint64_t pfn, bool writable);
int lb_guest_ungrant(struct lb_guest *guest, uint32_t ref);

/* Readable when something was injected. */
int lb_guest_fd(const struct lb_guest *guest);
/*
 * The next injection since the guest was opened, in order (struct lb_injection, proto.h): 1, or 0
 * when none came within timeout_ms (-1: for ever). -EOVERFLOW: more came than are kept.
 */
int lb_guest_injection(struct lb_guest *guest, struct lb_injection *injection, int timeout_ms);
/* The level of pin (0 is INTA#) of a device on bus 0. */
bool lb_guest_intx(const struct lb_guest *guest, unsigned int device, unsigned int pin);

/* ---- virtual CPUs ---- */

struct lb_vcpu;

/* One process at a time has a vCPU. Not to be shared by threads; each takes its own. */
struct lb_vcpu *lb_vcpu_open(uint32_t domid, unsigned int vcpu); /* NULL and errno */
void lb_vcpu_close(struct lb_vcpu *vcpu);

/* How long the functions below wait for a response; 10,000 at first, -1: for ever. */
void lb_vcpu_set_timeout(struct lb_vcpu *vcpu, int timeout_ms);
/* How many requests went to servers: exits. */
uint64_t lb_vcpu_exits(const struct lb_vcpu *vcpu);

/* One access. What no server has claimed reads as ones, and writes to it vanish. */
int lb_in(struct lb_vcpu *vcpu, uint32_t port, unsigned int size, uint32_t *value);
int lb_out(struct lb_vcpu *vcpu, uint32_t port, unsigned int size, uint32_t value);
int lb_read(struct lb_vcpu *vcpu, uint64_t address, unsigned int size, uint64_t *value);
int lb_write(struct lb_vcpu *vcpu, uint64_t address, unsigned int size, uint64_t value);

/* rep ins and outs: count items from or to guest memory at address, downwards if df. */
int lb_ins(struct lb_vcpu *vcpu, uint32_t port, unsigned int size, uint64_t address, uint32_t count,
	   bool df);
int lb_outs(struct lb_vcpu *vcpu, uint32_t port, unsigned int size, uint64_t address,
	    uint32_t count, bool df);
/* rep movs from or to device memory. */
int lb_copy_in(struct lb_vcpu *vcpu, uint64_t from, unsigned int size, uint64_t address,
	       uint32_t count, bool df);
int lb_copy_out(struct lb_vcpu *vcpu, uint64_t to, unsigned int size, uint64_t address,
		uint32_t count, bool df);

/* Configuration space by ports CF8h and CFCh; bdf is bus << 8 | device << 3 | function. */
int lb_pci_read(struct lb_vcpu *vcpu, unsigned int bdf, unsigned int reg, unsigned int size,
		uint32_t *value);
int lb_pci_write(struct lb_vcpu *vcpu, unsigned int bdf, unsigned int reg, unsigned int size,
		 uint32_t value);

/* IOREQ_TYPE_INVALIDATE to every server. */
int lb_invalidate(struct lb_vcpu *vcpu);

/* ---- an access in two steps, for an emulator that dies or is slow ---- */

enum lb_access_type { LB_ACCESS_PORT, LB_ACCESS_MEMORY };

struct lb_access {
	enum lb_access_type type;
	bool write;
	bool is_ptr; /* data is the address in guest memory */
	bool df;
	uint64_t address;
	uint64_t data;
	uint32_t size;
	uint32_t count;
};

/*
 * Makes the request: 1 when it waits for a server, 0 when it was answered at once (nobody's address,
 * or RAM), -EBUSY when the vCPU is still in an earlier one, -EAGAIN while the domain is paused.
 */
int lb_vcpu_start(struct lb_vcpu *vcpu, struct lb_access *access);
/* Waits for the response: access is complete. -ETIMEDOUT: call again; the vCPU is blocked in it. */
int lb_vcpu_finish(struct lb_vcpu *vcpu, struct lb_access *access, int timeout_ms);
/* The state of the slot, STATE_IOREQ_* or STATE_IORESP_READY (xen/hvm/ioreq.h). */
unsigned int lb_vcpu_state(const struct lb_vcpu *vcpu);
/* The slot (struct ioreq) of the access under way, for a test that plays tricks on an emulator. */
volatile void *lb_vcpu_slot(const struct lb_vcpu *vcpu);

#endif
