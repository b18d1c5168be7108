/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loopback's hypervisor: what it knows of domains, connections, event channels, grants, foreign
 * mappings and ioreq servers. Everything of a connection is undone when its socket closes.
 */
#ifndef XO_LOOPBACK_HV_H
#define XO_LOOPBACK_HV_H

#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "proto.h"

struct hv_conn;
struct hv_domain;

/* What the loop waits for. It must outlive the round in which it is found dead. */
struct hv_source {
	void (*ready)(struct hv_source *source);
};

/* An open /dev/xen/evtchn: one eventfd, wherever its descriptor has gone. */
struct hv_handle {
	uint32_t id; /* modulo LB_MAX_HANDLES its slot in the shared memory */
	int event_fd;
	unsigned int event_id; /* the kernel's own number of the eventfd */
	unsigned int refs; /* connections that use it */
	uint32_t restrict_domid;
	struct hv_domain *domain;
};

struct hv_port {
	struct hv_handle *handle;
	uint32_t remote_domid; /* unbound: who may bind */
	uint32_t virq;
};

struct hv_grant {
	uint32_t maps;
	bool revoked; /* goes when the last mapping does */
};

struct hv_notify {
	uint32_t offset; /* LB_PAGE or more: none */
	uint32_t port; /* -1: none */
};

/* Pages that gntalloc shares, as one area of the domain's heap. */
struct hv_share {
	LIST_ENTRY(hv_share) link;
	uint32_t id, count, pfn;
	uint32_t *refs;
	struct hv_notify notify;
};

/* Pages of others that gntdev has mapped for a connection. */
struct hv_map {
	LIST_ENTRY(hv_map) link;
	uint32_t id, count;
	struct hv_notify notify;
	struct {
		struct hv_domain *domain;
		uint32_t ref;
	} pages[];
};

/* Foreign memory or a resource mapped for a connection. */
struct hv_foreign {
	LIST_ENTRY(hv_foreign) link;
	uint32_t id;
	uint32_t count;
	struct hv_domain *domain;
};

struct hv_server {
	int pages_fd; /* frame 0 buffered, frame 1 synchronous */
	struct ioreq *slots;
	void *pages;
	uint32_t owner_domid;
	bool bufioreq;
	uint32_t bufioreq_port;
	uint32_t vcpu_ports[128];
};

#define HV_MAX_BOARDS 8u
#define HV_IOREQ_PAGES 8u
/* In heap_used: relocated, and no RAM here as long. */
#define HV_HEAP_AWAY 2u

struct hv_domain {
	uint32_t slot, domid, incarnation;
	bool dying;
	enum lb_domain_type type;
	uint32_t vcpus, paused, shutdown, shutdown_reason;
	uint8_t uuid[16];
	uint64_t pages; /* of RAM, from 0 */
	uint8_t *ballooned;
	int memory_fd;
	size_t memory_size;
	uint32_t grants_mapped, foreign_mapped;
	struct hv_port ports[LB_MAX_PORTS];
	struct hv_grant grants[LB_MAX_GRANTS];
	uint8_t heap_used[LB_HEAP_PAGES];
	uint32_t shared_refs;
	uint32_t store_port, store_pfn;
	uint32_t
		ioreq_pfn; /* HVM: the first of HV_IOREQ_PAGES for servers that are mapped the old way */
	struct lb_domain *shared;
	struct hv_server *servers[LB_MAX_SERVERS];
	uint8_t *dirty; /* a bit for each page of RAM */
	struct hv_xenbus *xenbus; /* the guest kernel's store driver; none in Dom0 */
	struct hv_handle *vcpu_handles[128]; /* who runs a virtual CPU */
	struct hv_handle *boards[HV_MAX_BOARDS]; /* who wants to hear of injections */
};

struct hv_conn {
	struct hv_source source;
	LIST_ENTRY(hv_conn) link;
	int fd;
	bool dead; /* closed as soon as the current call is over */
	enum lb_kind kind;
	pid_t pid;
	struct hv_domain *domain;
	struct hv_handle *handle;
	uint32_t restrict_domid;
	uint32_t next_id;
	bool attached; /* as a virtual CPU or as a board */
	LIST_HEAD(, hv_share) shares;
	LIST_HEAD(, hv_map) maps;
	LIST_HEAD(, hv_foreign) foreign;
};

/* A request being answered: what follows it, and what goes back. */
struct hv_call {
	struct lb_msg *msg; /* request; becomes the reply */
	const void *in;
	size_t in_len;
	int in_fd;
	void *out; /* LB_MAX_PAYLOAD bytes */
	size_t out_len;
	int fds[LB_MAX_FDS]; /* sent along, not closed */
	unsigned int nfds;
};

/* A handler returns 0 or more, or a negative errno: the reply's result. */
typedef int hv_handler(struct hv_conn *conn, struct hv_call *call);

extern struct lb_shared *hv_shared;
extern int hv_shared_fd;
extern struct hv_domain *hv_domains[LB_MAX_DOMAINS];

LIST_HEAD(hv_conns, hv_conn);
extern struct hv_conns hv_conns;

void hv_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

int hv_poll(struct hv_source *source, int fd);
const char *hv_directory(void); /* where the socket is */
#define hv_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* hv_xenbus.c */
/* Serves DIRECTORY/xenbus-DOMID: the store as the domain's programs see it. */
struct hv_xenbus *hv_xenbus_new(struct hv_domain *d);
void hv_xenbus_free(struct hv_xenbus *xenbus);
/* At the end of a round: frees clients that have gone, or all of it when the domain has. */
void hv_xenbus_bury(struct hv_xenbus *xenbus);

/* hv_domain.c */
struct hv_domain *hv_domain_find(uint32_t domid); /* alive */
struct hv_domain *hv_domain_create(uint32_t domid, enum lb_domain_type type, uint64_t pages,
				   uint32_t vcpus, const uint8_t uuid[16]);
/* A dying domain goes when nobody has its pages mapped any more. */
void hv_domain_release(struct hv_domain *d);
bool hv_domain_is_ram(const struct hv_domain *d, uint64_t pfn);
/* count contiguous pages of the kernel's own; 0: none left */
uint32_t hv_heap_alloc(struct hv_domain *d, uint32_t count);
void hv_heap_free(struct hv_domain *d, uint32_t pfn, uint32_t count);
/* Writes into a page of it. */
void hv_domain_poke(struct hv_domain *d, uint64_t address, const void *data, size_t len);
hv_handler hv_dom_create, hv_dom_destroy, hv_dom_pause, hv_dom_unpause, hv_dom_shutdown,
	hv_dom_info, hv_clients;

/* hv_evtchn.c */
struct hv_handle *hv_handle_new(struct hv_domain *d);
void hv_handle_put(struct hv_handle *handle);
int hv_port_new(struct hv_domain *d, struct hv_handle *handle, uint32_t remote_domid);
int hv_port_bind(struct hv_domain *d, struct hv_handle *handle, uint32_t remote_domid,
		 uint32_t remote_port);
void hv_port_close(struct hv_domain *d, uint32_t port);
/* An event arrives at port. */
void hv_port_raise(struct hv_domain *d, uint32_t port);
/* What holder of port does to its peer. */
void hv_port_send(struct hv_domain *d, uint32_t port);
void hv_virq(uint32_t virq);
void hv_ports_give(struct hv_domain *d, uint32_t port, struct hv_handle *handle);
unsigned int hv_handle_ports(const struct hv_handle *handle);
hv_handler hv_evtchn_adopt, hv_evtchn_bind_unbound, hv_evtchn_bind_interdomain, hv_evtchn_bind_virq,
	hv_evtchn_unbind, hv_evtchn_peer, hv_restrict;

/* hv_grant.c */
int hv_grant_new(struct hv_domain *d, uint32_t first, uint32_t domid, uint32_t pfn, bool writable);
/* 0, or 1 when it is still mapped and goes later. */
int hv_grant_end(struct hv_domain *d, uint32_t ref);
void hv_grant_conn_close(struct hv_conn *conn);
hv_handler hv_gnt_map, hv_gnt_unmap, hv_gnt_memory, hv_gnt_share, hv_gnt_unshare, hv_guest_grant,
	hv_guest_ungrant;

/* hv_memory.c */
/* May conn do something to domain domid? 0 and *d, or -errno. */
int hv_privileged(const struct hv_conn *conn, uint64_t domid, struct hv_domain **d);
void hv_memory_conn_close(struct hv_conn *conn);
hv_handler hv_mem_map, hv_mem_unmap, hv_mem_resource, hv_guest_balloon, hv_guest_dirty;

/* hv_ioreq.c */
void hv_ioreq_domain_kill(struct hv_domain *d);
void hv_guest_conn_close(struct hv_conn *conn);
hv_handler hv_dm_create, hv_dm_destroy, hv_dm_info, hv_dm_map_range, hv_dm_unmap_range,
	hv_dm_map_mem_type, hv_dm_state, hv_dm_intx, hv_dm_isa_irq, hv_dm_msi, hv_dm_modified,
	hv_dm_set_mem_type, hv_dm_nr_vcpus, hv_dm_shutdown, hv_dm_relocate, hv_dm_param,
	hv_guest_attach, hv_guest_server;

#endif
