/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the stand-in libraries and the loopback's hypervisor share: the messages on the socket, and
 * the memory in which event channels and grants are looked up without a message.
 */
#ifndef XO_LOOPBACK_PROTO_H
#define XO_LOOPBACK_PROTO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LB_PAGE 4096u
#define LB_MAX_DOMAINS 64u
#define LB_MAX_PORTS 1024u
#define LB_MAX_GRANTS 8192u
#define LB_MAX_HANDLES 512u
#define LB_MAX_REFS 4096u
#define LB_MAX_FDS 16u
#define LB_MAX_PAYLOAD 65536u
#define LB_NO_DOMAIN 0x7ff4u /* DOMID_INVALID */

/* Pages that the domain's own kernel hands out (gntalloc) lie above everything a guest calls RAM. */
#define LB_HEAP_PFN 0x200000u
#define LB_HEAP_PAGES 16384u

/* Who a connection is. Each handle of a Xen library has one. */
enum lb_kind {
	LB_KIND_EVTCHN = 1,
	LB_KIND_GNTTAB,
	LB_KIND_GNTSHR,
	LB_KIND_FOREIGNMEMORY,
	LB_KIND_DEVICEMODEL,
	LB_KIND_CONTROL, /* libxenctrl, lbctl */
	LB_KIND_GUEST, /* lb.h: a virtual machine's memory and virtual CPUs */
};

enum lb_op {
	LB_HELLO = 1,
	/* Event channels */
	LB_EVTCHN_ADOPT,
	LB_EVTCHN_BIND_UNBOUND,
	LB_EVTCHN_BIND_INTERDOMAIN,
	LB_EVTCHN_BIND_VIRQ,
	LB_EVTCHN_UNBIND,
	LB_EVTCHN_PEER,
	LB_RESTRICT,
	/* Grants */
	LB_GNT_MAP,
	LB_GNT_UNMAP,
	LB_GNT_MEMORY,
	LB_GNT_SHARE,
	LB_GNT_UNSHARE,
	/* Domains */
	LB_DOM_CREATE,
	LB_DOM_DESTROY,
	LB_DOM_PAUSE,
	LB_DOM_UNPAUSE,
	LB_DOM_SHUTDOWN,
	LB_DOM_INFO,
	LB_CLIENTS,
	/* Foreign memory */
	LB_MEM_MAP,
	LB_MEM_UNMAP,
	LB_MEM_RESOURCE,
	/* Device model */
	LB_DM_CREATE,
	LB_DM_DESTROY,
	LB_DM_INFO,
	LB_DM_MAP_RANGE,
	LB_DM_UNMAP_RANGE,
	LB_DM_MAP_MEM_TYPE,
	LB_DM_STATE,
	LB_DM_INTX,
	LB_DM_ISA_IRQ,
	LB_DM_MSI,
	LB_DM_MODIFIED,
	LB_DM_SET_MEM_TYPE,
	LB_DM_NR_VCPUS,
	LB_DM_SHUTDOWN,
	LB_DM_RELOCATE,
	LB_DM_PARAM,
	/* The guest's own side (lb.h) */
	LB_GUEST_ATTACH,
	LB_GUEST_BALLOON,
	LB_GUEST_GRANT,
	LB_GUEST_UNGRANT,
	LB_GUEST_SERVER,
	LB_GUEST_DIRTY,
	LB_OP_COUNT,
};

/* One packet; a request's reply has the same op. What a[] holds is said beside each handler. */
struct lb_msg {
	uint32_t op;
	int32_t result; /* reply: 0 or more, or a negative errno */
	uint64_t a[6];
	uint32_t count; /* elements that follow */
	uint32_t pad;
};

/* LB_HELLO reply: a[0] slot of the domain, a[1] event channel handle; fds: shared memory, eventfd */

struct lb_gnt_ref {
	uint32_t domid;
	uint32_t ref;
};

struct lb_gnt_page {
	uint32_t fd_index; /* which of the descriptors that came along */
	uint32_t pfn;
};

enum lb_domain_type { LB_TYPE_PV, LB_TYPE_PVH, LB_TYPE_HVM };

struct lb_dom_info {
	uint32_t domid;
	uint32_t type;
	uint32_t vcpus;
	uint32_t paused; /* how often */
	uint32_t dying;
	uint32_t shutdown;
	uint32_t shutdown_reason;
	uint32_t grants_mapped; /* pages of it that others have mapped */
	uint32_t foreign_mapped;
	uint32_t store_port;
	uint64_t pages;
	uint64_t store_pfn;
	uint8_t uuid[16];
};

struct lb_client_info {
	uint32_t kind;
	uint32_t domid;
	int32_t pid;
	uint32_t ports;
	uint32_t maps; /* pages mapped */
	uint32_t shares; /* pages granted */
};

/* ---- shared memory ---- */

enum lb_port_state { LB_PORT_FREE, LB_PORT_UNBOUND, LB_PORT_INTERDOMAIN, LB_PORT_VIRQ };

/*
 * Linux masks a port when it hands an event to /dev/xen/evtchn, and unmasks it when the port is
 * written back; what comes in between stays pending and fires then.
 */
#define LB_PORT_MASKED 1u
#define LB_PORT_PENDING 2u
#define LB_PORT_CONSUMED 4u /* masked, and its owner has read it */

struct lb_port {
	_Atomic uint64_t link; /* state | remote slot << 8 | remote port << 32 */
	_Atomic uint32_t flags; /* LB_PORT_* */
	_Atomic uint32_t
		handle; /* whom to wake; 0: nobody. Never used twice, modulo LB_MAX_HANDLES its slot */
};

static inline uint64_t lb_link(enum lb_port_state state, uint32_t slot, uint32_t port)
{
	return (uint64_t)state | (uint64_t)slot << 8 | (uint64_t)port << 32;
}

static inline enum lb_port_state lb_link_state(uint64_t link)
{
	return (enum lb_port_state)(link & 0xff);
}

static inline uint32_t lb_link_slot(uint64_t link)
{
	return (uint32_t)(link >> 8) & 0xffff;
}

static inline uint32_t lb_link_port(uint64_t link)
{
	return (uint32_t)(link >> 32);
}

/* Grant entries: GTF_* | domid << 16 | pfn << 32, as grant table version 1 has them. */
static inline uint64_t lb_grant(uint16_t flags, uint16_t domid, uint32_t pfn)
{
	return (uint64_t)flags | (uint64_t)domid << 16 | (uint64_t)pfn << 32;
}

struct lb_handle {
	_Atomic uint64_t delivered[LB_MAX_PORTS / 64];
};

/* A range of an ioreq server; only the hypervisor writes it. */
#define LB_MAX_SERVERS 8u
#define LB_MAX_RANGES 256u
enum lb_range_type { LB_RANGE_PORT, LB_RANGE_MEMORY, LB_RANGE_PCI, LB_RANGE_TYPES };

struct lb_range {
	uint64_t start, end; /* inclusive */
};

struct lb_server {
	uint32_t present;
	uint32_t enabled;
	uint32_t mem_type_flags; /* HVMMEM_ioreq_server's accesses, XEN_DMOP_IOREQ_MEM_ACCESS_* */
	uint32_t incarnation; /* changes whenever a server is made here */
	uint32_t nranges[LB_RANGE_TYPES];
	struct lb_range ranges[LB_RANGE_TYPES][LB_MAX_RANGES];
};

/* What a device model did to the guest; only the hypervisor writes it. */
enum lb_injection_type { LB_INJECTED_MSI, LB_INJECTED_INTX, LB_INJECTED_ISA, LB_INJECTED_SHUTDOWN };

struct lb_injection {
	uint32_t type;
	uint32_t data; /* MSI data; or the level, or the reason */
	uint64_t address; /* MSI address; INTx: device << 2 | pin; or the ISA line */
};

#define LB_MAX_INJECTIONS 1024u
#define LB_MAX_TYPED 64u
#define LB_MAX_MOVED 16u

/* A page that was relocated to where no RAM is. */
struct lb_moved {
	uint64_t at;
	uint64_t page; /* whose memory it is */
};

struct lb_domain {
	_Atomic uint32_t domid; /* LB_NO_DOMAIN: the slot is free, or its domain is dying */
	_Atomic uint32_t incarnation;
	_Atomic uint32_t servers_seq; /* odd while servers or memory types change */
	_Atomic uint32_t paused;
	_Atomic uint32_t cf8; /* the guest's last write to port cf8h */
	_Atomic uint32_t intx[4]; /* levels of each pin: a bit for each device of bus 0 */
	_Atomic uint64_t injected; /* how many; the last LB_MAX_INJECTIONS are kept */
	struct lb_injection injections[LB_MAX_INJECTIONS];
	uint32_t vcpus;
	uint64_t pages;
	uint32_t ntyped;
	struct lb_range typed[LB_MAX_TYPED]; /* pages of type HVMMEM_ioreq_server */
	uint32_t nmoved;
	struct lb_moved moved[LB_MAX_MOVED];
	struct lb_port ports[LB_MAX_PORTS];
	_Atomic uint64_t grants[LB_MAX_GRANTS];
	struct lb_server servers[LB_MAX_SERVERS];
};

struct lb_shared {
	struct lb_handle handles[LB_MAX_HANDLES]; /* [0] is nobody */
	struct lb_domain domains[LB_MAX_DOMAINS];
};

/* The slot of domain domid, or -1. */
static inline int lb_slot_of(struct lb_shared *shared, uint32_t domid)
{
	for (unsigned int i = 0; i < LB_MAX_DOMAINS; i++)
		if (atomic_load(&shared->domains[i].domid) == domid && domid != LB_NO_DOMAIN)
			return (int)i;
	return -1;
}

/* The page whose memory is at page `at`: itself, but for those that were relocated there. */
static inline bool lb_moved_to(const struct lb_domain *d, uint64_t at, uint64_t *page)
{
	for (uint32_t i = 0; i < d->nmoved && i < LB_MAX_MOVED; i++) {
		if (d->moved[i].at != at)
			continue;
		*page = d->moved[i].page;
		return true;
	}
	return false;
}

/* An event arrives at port p; true: it has to be delivered to p's handle now. */
static inline bool lb_port_set_pending(struct lb_port *p)
{
	uint32_t f = atomic_load(&p->flags);

	for (;;) {
		uint32_t nf = f & LB_PORT_MASKED ? f | LB_PORT_PENDING : f | LB_PORT_MASKED;

		if (atomic_compare_exchange_weak(&p->flags, &f, nf))
			return !(f & LB_PORT_MASKED);
	}
}

/* The owner has dealt with the event; true: another one came meanwhile and is to be delivered. */
static inline bool lb_port_unmask(struct lb_port *p)
{
	uint32_t f = atomic_load(&p->flags);

	for (;;) {
		if (!(f & LB_PORT_CONSUMED))
			return false;
		if (atomic_compare_exchange_weak(&p->flags, &f,
						 f & LB_PORT_PENDING ? LB_PORT_MASKED : 0))
			return f & LB_PORT_PENDING;
	}
}

static inline void lb_mark_delivered(struct lb_shared *shared, uint32_t handle, uint32_t port)
{
	atomic_fetch_or(&shared->handles[handle % LB_MAX_HANDLES].delivered[port / 64],
			1ull << (port % 64));
}

/* Port 0 is none: on a guest's handle it says that something was injected. */
#define LB_PORT_INJECTED 0u

static inline bool lb_unmark_delivered(struct lb_shared *shared, uint32_t handle, uint32_t port)
{
	uint64_t bit = 1ull << (port % 64);

	return atomic_fetch_and(&shared->handles[handle % LB_MAX_HANDLES].delivered[port / 64],
				~bit) &
	       bit;
}

#endif
