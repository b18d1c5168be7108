/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The front's own parts: store, handshake, pages, ring. */
#ifndef XO_FRONT_H
#define XO_FRONT_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

/* What <xen/io/ring.h> wants of its user: full, read and write barriers against the backend's CPUs. */
#define xen_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#include <xen/io/protocols.h>
#include <xen/io/ring.h>
#include <xen/io/vscsiif.h>
#include <xen/io/xenbus.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "frontend/frontend.h"

#define XO_FRONT_PAGE 4096u
#define XO_FRONT_PATH_MAX 256
/* Requests of our own, beside those of slots: ABORT and RESET. */
#define XO_FRONT_CONTROLS 2
#define XO_FRONT_RING_PAGES 4
#define XO_FRONT_CHANNELS 8
#define XO_FRONT_REQUESTS_MAX (XO_FRONT_SLOTS_MAX + XO_FRONT_CONTROLS)

struct xo_front_pool;

/* How far a command in flight has come when it does not come back. */
enum xo_front_patience {
	XO_PATIENCE_WAIT, /* for the response */
	XO_PATIENCE_ABORT, /* an ABORT was sent */
	XO_PATIENCE_RESET, /* a RESET was sent */
};

struct xo_front_slot {
	struct xo_front_command command; /* first: the caller's pointer is this one */
	struct xo_front_pool *pool;
	struct xo_front *front; /* NULL when the connection that it belongs to is gone */
	uint32_t *refs; /* grants of the data pages */
	uint32_t indirect_ref; /* grant of a page for segments; valid with `indirect` */
	struct scsiif_request_segment *indirect; /* NULL: no such page */
	void *start; /* as shared: data pages, then the indirect page */
	unsigned int pages; /* data pages */
	bool taken;
	bool in_flight;
	uint16_t rqid;
	uint64_t deadline; /* ns */
	enum xo_front_patience patience;
};

/* The pages of one connection; outlives it while commands of it are taken. */
struct xo_front_pool {
	xengntshr_handle *gntshr;
	bool retired;
	unsigned int taken;
	unsigned int count;
	struct xo_front_slot slots[XO_FRONT_SLOTS_MAX];
};

/* An ABORT or RESET in flight. */
struct xo_front_control {
	bool in_flight;
	uint16_t rqid;
};

/* What the handshake waits for. */
enum xo_front_phase {
	XO_PHASE_ABSENT, /* no backend: its state appears */
	XO_PHASE_SETTLE, /* an earlier connection is undone: the backend closes */
	XO_PHASE_BEGIN, /* we wrote 1: the backend waits for us */
	XO_PHASE_OFFER, /* we wrote 3 and the ring: the backend connects */
	XO_PHASE_USE, /* connected */
	XO_PHASE_CLOSING, /* we or the backend close */
	XO_PHASE_CLOSED,
	XO_PHASE_BROKEN,
};

struct xo_front {
	struct xo_front_options options;
	char error[XO_FRONT_ERROR_MAX];
	int epoll_fd, timer_fd, lock_fd;
	uint64_t armed; /* ns that the timer is set to; 0: it is not */

	/* xenstore */
	struct xs_handle *xs;
	bool vcd; /* the class that has more negotiated */
	char path[XO_FRONT_PATH_MAX]; /* device/vscsi/N: relative to the guest's own home */
	char backend[XO_FRONT_PATH_MAX];
	unsigned int backend_id;
	unsigned int state; /* as we last wrote it */
	enum xo_front_phase phase;
	struct xo_front_unit units[XO_FRONT_UNITS_MAX];
	unsigned int unit_count;

	/* the connection */
	xenevtchn_handle *evtchn;
	evtchn_port_t ports[XO_FRONT_CHANNELS]; /* valid with evtchn; the backend rings the first */
	unsigned int channels; /* so many of them */
	xengntshr_handle *gntshr; /* the ring's */
	void *ring_start;
	unsigned int ring_pages;
	uint32_t ring_refs[XO_FRONT_RING_PAGES];
	struct vscsiif_front_ring ring;
	unsigned int sg_grant; /* segments the backend takes */
	uint32_t max_transfer;
	bool persistent; /* the backend may keep our pages mapped; they are the connection's anyway */
	bool media_events; /* it counts events in the units' nodes */
	struct xo_front_pool *pool;
	struct xo_front_control controls[XO_FRONT_CONTROLS];
	uint16_t generation; /* in the upper bits of rqid */
};

/* front.c */
void xo_front_say(struct xo_front *front, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Ends the connection; commands in flight complete with `transport`. The handshake stays. */
void xo_front_drop(struct xo_front *front, enum xo_transport transport);
/* The backend broke the protocol (the message is said): drop, and tell it that we close. */
void xo_front_broken(struct xo_front *front, const char *why);
/* Sets the timer to the earliest deadline. */
void xo_front_arm(struct xo_front *front);
uint64_t xo_front_now(void);
/* The timer went off: sees to commands that took too long. */
void xo_front_overdue(struct xo_front *front);
/* The event channel was opened. */
int xo_front_watch_events(struct xo_front *front);

/* store.c: values that others wrote are checked as they are read */
int xo_store_open(struct xs_handle **xs, char **error);
/* A number from 0 to `max`; `otherwise` if the node is absent or no such number. */
uint32_t xo_store_number(struct xs_handle *xs, const char *dir, const char *node, uint32_t max,
			 uint32_t otherwise);
/* Text without control characters, cut to size; "" if absent. False when it was absent or cut. */
bool xo_store_text(struct xs_handle *xs, const char *dir, const char *node, char *text,
		   size_t size);
/* A xenbus state, 0 if absent or none. */
unsigned int xo_store_state(struct xs_handle *xs, const char *dir, const char *node);
int xo_store_write(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *node,
		   const char *text);
int xo_store_write_number(struct xs_handle *xs, xs_transaction_t t, const char *dir,
			  const char *node, uint32_t value);
/* Takes what watches fired out of the handle; true if any did. */
bool xo_store_changed(struct xs_handle *xs);

/* handshake.c */
int xo_handshake_start(struct xo_front *front);
/* Goes on from what the store says now. */
void xo_handshake_step(struct xo_front *front);
/* Says that we close, and why we would not come back. */
void xo_handshake_close(struct xo_front *front, enum xo_front_phase phase);
/* True when the backend has nothing of ours any more. */
bool xo_handshake_ended(struct xo_front *front);

/* units.c */
void xo_units_read(struct xo_front *front);
/* Tells the backend of each unit that it offers or takes away that we know. */
void xo_units_confirm(struct xo_front *front);
/* Whether the backend's nodes of the units are watched, for their events. */
void xo_units_watch(struct xo_front *front, bool on);
/* Reads the units anew and tells of the events among them. */
void xo_units_events(struct xo_front *front);

/* pool.c */
int xo_pool_new(struct xo_front_pool **pool, struct xo_front *front);
/* The connection ended: freed now, or when the last command is given back. Accepts NULL. */
void xo_pool_retire(struct xo_front_pool *pool);

/* ring.c */
int xo_ring_open(struct xo_front *front);
void xo_ring_close(struct xo_front *front);
/* Takes responses from the ring. 0, or -EPROTO (said). */
int xo_ring_responses(struct xo_front *front);
/* Called when the event channel is readable. */
int xo_ring_event(struct xo_front *front);
int xo_ring_send_command(struct xo_front *front, struct xo_front_slot *slot);
int xo_ring_send_control(struct xo_front *front, uint8_t action, unsigned int unit,
			 uint16_t ref_rqid);
void xo_ring_complete(struct xo_front_slot *slot);

static inline struct xo_front_slot *xo_front_slot_of(struct xo_front_command *command)
{
	return (struct xo_front_slot *)(void *)command;
}

#endif
