/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process around the emulated controller: ioreq server, guest memory, drive link, ledger. */
#ifndef XO_IOEMU_HOST_H
#define XO_IOEMU_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>

#include "base/ioemu_control.h"
#include "base/ledger.h"
#include "base/link.h"
#include "base/loop.h"
#include "base/point.h"
#include "model/ahci.h"
#include "model/ide.h"

#define XO_IOEMU_LEDGER_KIND "ioemu"
#define XO_IOEMU_LEDGER_LAYOUT 2
#define XO_IOEMU_VCPUS_MAX 128
#define XO_IOEMU_RANGES_MAX 8

/* Named points (base/point.h). */
enum xo_ioemu_point {
	XO_IOEMU_POINT_TAKEN, /* an access is INPROCESS, nothing was done */
	XO_IOEMU_POINT_DONE, /* the model has done it, nothing is committed */
	XO_IOEMU_POINT_COMMITTED, /* committed, the vCPU still waits */
	XO_IOEMU_POINT_ANSWERED, /* RESPONSE, not yet notified */
	XO_IOEMU_POINT_SENT, /* commands of the access are on the link */
	XO_IOEMU_POINT_REPLIED, /* a reply was read from the link, nothing was done with it */
	XO_IOEMU_POINT_COMPLETED, /* the model knows the reply, nothing is committed */
	XO_IOEMU_POINT_MAPPED, /* a range is recorded and mapped */
	XO_IOEMU_POINT_MOVING, /* the window is recorded as away, and is not yet */
	XO_IOEMU_POINT_MOVED, /* the window is moved, its type is not yet set, or was taken back */
	XO_IOEMU_POINT_NOTICED, /* a notice was read from the link, the guest is not told */
	XO_IOEMU_POINT_COUNT,
};

enum xo_handle_state {
	XO_HANDLE_FREE = 0,
	XO_HANDLE_HELD, /* the device fills or empties the buffer */
	XO_HANDLE_SENT, /* with the drive */
};

/* A slot of the link. */
struct xo_ioemu_handle {
	uint64_t tag;
	uint32_t length;
	uint8_t state;
	uint8_t dropped; /* the device lost interest: free when the reply is there */
	uint8_t direction;
	uint8_t cdb_length;
	uint8_t cdb[XO_CDB_MAX];
};

/* What a vCPU's last access came to; committed together with its effects. */
struct xo_ioemu_access {
	uint64_t sequence;
	uint64_t data;
};

/* Everything that changes with an access or a reply: flat, switched as a whole. */
struct xo_ioemu_state {
	union {
		struct xo_ide_state ide;
		struct xo_ahci_state ahci;
	};
	struct xo_ioemu_handle handles[XO_IOEMU_LINK_SLOTS];
	uint64_t next_tag;
	uint64_t commands;
	struct xo_ioemu_access
		accesses[XO_IOEMU_VCPUS_MAX]; /* last: a commit copies as many as there are */
};

/* A range that the ioreq server may have mapped: recorded before it is. */
struct xo_ioemu_range {
	uint32_t used;
	uint32_t space;
	uint64_t base;
	uint64_t size;
};

/* Why the window stays at home. */
enum {
	XO_WINDOW_STOPPED = 1, /* the guest is being saved: what its memory holds goes along */
	XO_WINDOW_LOG_DIRTY = 2, /* Xen does not log dirty pages of a guest with such a page */
};

/* Where the page of guest memory that shows registers may be (window.c). */
enum xo_window_place {
	XO_WINDOW_HOME = 0,
	XO_WINDOW_AWAY, /* at `at`, or still at home */
	XO_WINDOW_TYPED, /* at `at`, and writes to it come to us */
};

struct xo_ioemu_window {
	uint32_t found; /* 1: `home` is valid */
	uint32_t away; /* enum xo_window_place */
	uint32_t hidden; /* XO_WINDOW_* */
	uint32_t reserved;
	uint64_t home; /* page numbers */
	uint64_t at;
};

/*
 * The ledger. An access is taken by counting up `sequence` of its vCPU; it is
 * done exactly when the active snapshot has that number for it, and then
 * answered from there, not done again.
 */
struct xo_ioemu_ledger {
	uint32_t active; /* 0: none yet; else snapshot active - 1 is valid */
	uint32_t server; /* 1: ioservid is valid */
	uint32_t ioservid;
	uint32_t bus; /* enum xo_ioemu_bus */
	struct xo_ata_identity identity;
	uint32_t identified;
	struct xo_ioemu_range ranges[XO_IOEMU_RANGES_MAX];
	struct xo_ioemu_window window;
	uint64_t sequences[XO_IOEMU_VCPUS_MAX];
	uint64_t accesses; /* counted for "query" */
	struct xo_ioemu_state snapshots[2];
	uint64_t
		arena; /* where the data of the handles lie (xo_host.arena); 0: an older worker did not say */
};

_Static_assert(sizeof(struct xo_ioemu_ledger) <= XO_IOEMU_LEDGER_REGION, "the launcher makes the "
									 "region");

enum xo_ioemu_bus {
	XO_BUS_AHCI = 1,
	XO_BUS_IDE,
};

struct xo_ioemu_options {
	uint16_t domid;
	const char *name;
	enum xo_ioemu_bus bus;
	uint8_t device;
	int link_fd, arena_fd;
	uint32_t slots, slot_size;
	bool generic_identity;
	bool msi; /* offered by AHCI beside INTA# */
	bool dirty_if_logged; /* changed pages are told of only while "log-dirty" holds */
	const char *user;
	bool verbose;
};

/*
 * Guest memory mapped in chunks of pages, a bounded number of them: the pages of
 * a transfer lie anywhere in the guest, and mapping a chunk costs more than a
 * command, so there are enough for 256 MiB.
 */
#define XO_CHUNK_PAGES 16u
#define XO_CHUNKS 4096u
/* Ranges of pages that were written and not reported yet. */
#define XO_DIRTY_MAX 32u

struct xo_chunk {
	uint64_t number; /* of the chunk in guest physical memory */
	uint8_t *memory; /* NULL: none */
	uint32_t absent; /* a bit for each page that is not there */
};

struct xo_guest_memory {
	xenforeignmemory_handle *handle;
	xendevicemodel_handle *devicemodel;
	uint16_t domid;
	uint64_t window; /* the page that shows registers, no RAM to bus masters; 0: none */
	struct xo_chunk chunks[XO_CHUNKS];
	struct xen_dm_op_modified_memory_extent dirty[XO_DIRTY_MAX];
	uint32_t dirty_count;
	bool quiet; /* nobody logs which pages were written */
};

/* An interrupt that waits for the commit: the guest must find what it tells of. */
struct xo_ioemu_interrupt {
	bool message;
	bool line;
	bool level;
	uint32_t data;
	uint64_t address;
};

/* Whether looking for the next access pays (access.c). */
struct xo_linger {
	uint64_t gap; /* ns until it came, lately; 0: unknown */
	uint32_t credit;
	uint32_t skipped;
};

struct xo_host {
	struct xo_ioemu_options options;
	struct xo_loop *loop;
	struct xo_ledger ledger;
	struct xo_ioemu_ledger *record;
	struct xo_ioemu_state state; /* what the model works on; committed to a snapshot */
	struct xo_bus bus;
	union {
		struct xo_ide ide;
		struct xo_ahci ahci;
	};
	struct xo_guest_memory memory;
	xendevicemodel_handle *devicemodel;
	xenevtchn_handle *evtchn;
	xenforeignmemory_resource_handle *resource;
	shared_iopage_t *iopage;
	struct xo_ioemu_interrupt interrupt;
	struct xo_linger linger;
	uint32_t *window; /* the page that shows registers; NULL: there is none */
	uint32_t shown[XO_AHCI_REGISTERS_SIZE / 4]; /* what it holds, while it is shown */
	uint16_t ioservid;
	uint32_t inherited; /* a bit for each of the record's ranges that only a predecessor had */
	unsigned int vcpus;
	evtchn_port_t ports[XO_IOEMU_VCPUS_MAX];
	struct xo_link link;
	uint64_t arena; /* which file the link's arena is: every link has one of its own */
	bool link_lost;
	uint64_t unsent; /* handles whose request waits for the commit or for the link */
	struct xo_watch link_watch;
	struct xo_watch event_watch;
	struct xo_watch control_watch;
	bool stopped; /* XO_WINDOW_STOPPED of the record */
	bool notice_due; /* the guest is to look at its drive when it goes on */
	bool sandboxed;
	bool started; /* the model is set up */
	bool resuming; /* from the state of a predecessor, under a guest that runs and maps nothing now */
};

extern const char *const xo_ioemu_points[XO_IOEMU_POINT_COUNT];

/* options.c */
int xo_ioemu_options_parse(struct xo_ioemu_options *options, int argc, char **argv,
			   const char **error);

/* memory.c: accesses as bus masters make them; the whole range or -EFAULT. */
int xo_guest_memory_open(struct xo_guest_memory *memory, uint16_t domid,
			 xendevicemodel_handle *devicemodel);
void xo_guest_memory_close(struct xo_guest_memory *memory);
void xo_guest_memory_forget(struct xo_guest_memory *memory);
int xo_guest_memory_read(struct xo_guest_memory *memory, uint64_t address, void *buffer,
			 size_t length);
int xo_guest_memory_write(struct xo_guest_memory *memory, uint64_t address, const void *buffer,
			  size_t length);
/*
 * Tells Xen which pages were written, in one call: before what wrote them is committed. Unless it is quiet: Xen would
 * do nothing with it, and each call costs as much as an exit of the guest.
 */
void xo_guest_memory_report(struct xo_guest_memory *memory);

/* The page came or went behind Xen's back: no mapping of it is kept. */
void xo_guest_memory_moved(struct xo_guest_memory *memory, uint64_t page);

/* server.c: the ioreq server. */
int xo_server_open(struct xo_host *host);
void xo_server_close(struct xo_host *host, bool destroy);
int xo_server_map(struct xo_host *host, enum xo_space space, uint64_t base, uint64_t size);
void xo_server_unmap(struct xo_host *host, enum xo_space space, uint64_t base, uint64_t size);
/*
 * What a predecessor had mapped stays so while the model maps its own again, or the guest's other vCPUs would
 * meet nobody there; then what the model did not name goes.
 */
void xo_server_inherit_ranges(struct xo_host *host);
void xo_server_drop_inherited(struct xo_host *host);

/*
 * window.c: a page of the guest's memory in the place of AHCI's registers: the guest reads them there,
 * and only its writes come here. Where Xen does not have it (shadow paging, another server that has the
 * type), every access comes here as before.
 */
/* Before the handles are restricted. Takes over what a predecessor left. */
void xo_window_open(struct xo_host *host);
void xo_window_close(struct xo_host *host, bool destroy);
/* The registers are at this address from now on; no longer. */
void xo_window_place(struct xo_host *host, uint64_t base);
void xo_window_remove(struct xo_host *host);
/* Once the model is as its predecessor's was: the page is where the registers are, or nowhere. */
void xo_window_settle(struct xo_host *host);
/* For one of XO_WINDOW_*, or no longer for it. */
void xo_window_hide(struct xo_host *host, uint32_t reason, bool hide);
/* Where it belongs, unless it is hidden. While the guest stands still, or maps its registers. */
void xo_window_return(struct xo_host *host);
/* After a commit, before anybody is told. */
void xo_window_show(struct xo_host *host);

/* access.c: accesses of vCPUs. */
void xo_access_ready(struct xo_watch *watch, uint32_t events);
/* Finishes the accesses that wait since before the start. */
void xo_access_recover(struct xo_host *host);

/* drive_port.c: the model's way to the drive. */
extern const struct xo_packet_drive_ops xo_drive_port_ops;
void xo_drive_port_ready(struct xo_watch *watch, uint32_t events);
/* After a commit: sends what the model submitted. */
void xo_drive_port_flush(struct xo_host *host);
/* The guest's drive is to be looked at again: tells a guest that waits to be told. */
void xo_drive_port_notify(struct xo_host *host);
/* Whether a command is with the drive. */
bool xo_drive_port_busy(const struct xo_host *host);
/* Once the state is there: nothing of it is left that belongs to another link than this one. */
void xo_drive_port_begin(struct xo_host *host);
/* Everything that may be with the drive is sent again. */
void xo_drive_port_resend(struct xo_host *host);
/* INQUIRY before the guest runs: what the drive calls itself. */
void xo_drive_port_identify(struct xo_host *host, struct xo_ata_identity *identity);

/* machine.c: the model in its machine. */
int xo_machine_start(struct xo_host *host);
void xo_machine_commit(struct xo_host *host);
struct xo_pci *xo_machine_pci(struct xo_host *host);
struct xo_packet *xo_machine_packet(struct xo_host *host);

/* save.c */
/* Ends DMA: commands with the drive are forgotten and answered with an error when the guest goes on. */
void xo_host_stop(struct xo_host *host);
/* Before the guest goes on. */
void xo_host_continue(struct xo_host *host);
/* The guest runs, whatever was said before. */
void xo_host_runs(struct xo_host *host);
/* From the record: whether Xen logs the guest's dirty pages. */
void xo_host_look_at_log(struct xo_host *host);
/* It is about to, or no longer does. */
void xo_host_log_dirty(struct xo_host *host, bool log);
/* A memfd with the state, or -errno. */
int xo_host_save(struct xo_host *host);
int xo_host_load(struct xo_host *host, int fd);

/* control.c */
void xo_host_control_ready(struct xo_watch *watch, uint32_t events);

#endif
