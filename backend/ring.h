/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring's core: takes vscsiif requests from a shared ring into the ledger,
 * passes them to drive links, and publishes the responses. It works on memory
 * and on the operations that its host gives it, so that tests and fuzzers drive
 * the very code that faces guests.
 */
#ifndef XO_BACKEND_RING_H
#define XO_BACKEND_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <xengnttab.h>

#include "base/link.h"
#include "ring_ledger.h"

struct xo_ring;

/* A logical unit of the virtual host: one drive link. */
struct xo_ring_lun {
	uint16_t channel, id, lun; /* the unit's address in the guest */
	uint32_t number; /* of the link (base/ring_control.h) */
	uint32_t max_transfer; /* the drive's, from its HELLO; 0 before */
	struct xo_link link;
	uint64_t pending; /* entries whose reply is awaited */
	uint64_t unsent; /* those of them that the socket did not take yet */
	bool used;
	bool greet; /* HELLO is still to be sent */
	bool lost; /* the link broke: NO_CONNECT */
	bool leaving; /* "remove-lun" came: NO_CONNECT for what is new */
	bool eject_told; /* the guest knows of a pressed button by other means than its next poll */
	/* ring_direct.c */
	bool lent; /* `device` is the drive's descriptor */
	bool recalled; /* no new command goes by it, and it is closed when none does */
	bool write_noted; /* while lent: the drive's process knows of the write session */
	uint64_t cold_tag; /* while lent: of the last command by the link that may have ended one */
	int device;
	uint32_t lent_max; /* bytes that it takes in one command */
	uint64_t direct; /* entries that go by it, in the order of tags */
	uint64_t held; /* entries that wait until those, or the pending ones, are done */
	void *priv; /* the host's */
};

/* What the core needs from the process around it. */
struct xo_ring_ops {
	/*
	 * Copies between guest and arena as xengnttab_grant_copy does: 0 with a
	 * status in each segment, or -errno when nothing is known of any.
	 */
	int (*copy)(void *priv, xengnttab_grant_copy_segment_t *segments, unsigned int count);
	void (*notify)(void *priv); /* the guest, of responses */
	/* -EAGAIN: later, when the host has called xo_ring_writable(). */
	int (*send)(void *priv, struct xo_ring_lun *lun, const union xo_link_message *message);
	void (*lost)(void *priv, struct xo_ring_lun *lun, const char *why);
	void (*notice)(void *priv, struct xo_ring_lun *lun, const struct xo_link_notice *notice);
};

struct xo_ring {
	struct xo_ring_ledger *ledger;
	struct vscsiif_back_ring back; /* its indices are the ledger's */
	struct xo_ring_lun luns[XO_RING_LUNS_MAX];
	unsigned int luns_end; /* places from there on were never used */
	const struct xo_ring_ops *ops;
	void *priv;
	uint16_t domid; /* the guest */
	unsigned int sg_grant; /* segments offered by feature-sg-grant; 0: none */
	uint64_t free; /* entries, by index */
	uint64_t replied; /* those whose response waits to be published */
	bool stopped; /* takes no more requests */
	const char *broken; /* why the ring cannot go on; NULL while it can */
};

/* What xo_ring_serve found. */
enum xo_ring_work {
	XO_RING_IDLE, /* nothing new */
	XO_RING_UNASKED, /* commands for a lent drive wait: the host serves again when they are done */
	XO_RING_SERVED,
	XO_RING_MORE, /* there is more; come back after other events had their turn */
	XO_RING_BROKEN, /* ring->broken says why */
};

struct xo_ring_setup {
	void *region; /* of the ledger, XO_RING_LEDGER_REGION bytes */
	void *shared; /* the ring, mapped */
	unsigned int pages; /* of it: 1, 2 or 4 */
	unsigned int sg_grant; /* as offered: 0 to XO_RING_SG_GRANT */
	uint16_t domid;
	const struct xo_ring_ops *ops;
	void *priv;
};

/*
 * A region in use is gone on with, after the units were added, by xo_ring_recover().
 * -EINVAL: bad geometry; -EPROTO: the region is not one of such a ring.
 */
int xo_ring_init(struct xo_ring *ring, const struct xo_ring_setup *setup);

/*
 * Adds a unit; the link is moved into it. NULL with *error: -EEXIST (address or link number),
 * -ENOSPC, -EINVAL (fewer slots than the ring has entries).
 */
struct xo_ring_lun *xo_ring_add_lun(struct xo_ring *ring, uint16_t channel, uint16_t id,
				    uint16_t lun, uint32_t number, const struct xo_link *link,
				    int *error);
struct xo_ring_lun *xo_ring_find_lun(struct xo_ring *ring, uint16_t channel, uint16_t id,
				     uint16_t lun);
/* Forgets a unit that nothing is in flight for, and closes its link. */
void xo_ring_drop_lun(struct xo_ring_lun *lun);

/*
 * Once, after the units were added: finishes what a predecessor began, and
 * greets the drives. Of a fresh ledger too.
 */
void xo_ring_recover(struct xo_ring *ring);

/*
 * Takes requests and sends them on; publishes what was answered at once. An event was asked for
 * when it returns IDLE or SERVED, unless the ring is stopped.
 */
enum xo_ring_work xo_ring_serve(struct xo_ring *ring);
/* As well, but asks for no event while commands wait for a lent drive: UNASKED then. */
enum xo_ring_work xo_ring_serve_on(struct xo_ring *ring);
/* Asks for an event as well, but takes nothing. False: there are requests already, or the ring is broken. */
bool xo_ring_ask(struct xo_ring *ring);

/* A message came by a unit's link (checked by xo_link_validate). Publishes nothing yet. */
void xo_ring_message(struct xo_ring *ring, struct xo_ring_lun *lun,
		     const union xo_link_message *message);

/* The link takes messages again. */
void xo_ring_writable(struct xo_ring *ring, struct xo_ring_lun *lun);

/* The link is gone or broke the protocol: what is pending on it is answered with NO_CONNECT. */
void xo_ring_link_lost(struct xo_ring *ring, struct xo_ring_lun *lun, const char *why);

/* Publishes every response that may be published, with at most one notification. */
void xo_ring_publish(struct xo_ring *ring);

/* ---- a drive that is lent to a unit (ring_direct.c) ---- */

/* Takes over the descriptor. */
void xo_ring_lend(struct xo_ring *ring, struct xo_ring_lun *lun, int fd, uint32_t max_transfer);
/* No command goes by it any more; it is closed when the last has ended. */
void xo_ring_recall(struct xo_ring_lun *lun);
/* The next command to run; NULL: none. The unit stays until it is done. */
struct xo_ring_entry *xo_ring_direct_next(struct xo_ring *ring, struct xo_ring_lun **lun);
bool xo_ring_direct_waits(const struct xo_ring *ring);
/* Every unit has its drive lent, and nothing is under way by a link. */
bool xo_ring_all_direct(const struct xo_ring *ring);
/* Runs it, by any thread: touches the entry's `io` and the slot only. What xo_sgio_run() returns. */
int xo_ring_direct_run(struct xo_ring *ring, struct xo_ring_lun *lun, struct xo_ring_entry *entry);
/* It has run, with that result. Publishes nothing yet. */
void xo_ring_direct_done(struct xo_ring *ring, struct xo_ring_lun *lun, struct xo_ring_entry *entry,
			 int error);

/* Requests taken and not answered yet. */
unsigned int xo_ring_in_flight(const struct xo_ring *ring);
/* Those of them that concern a unit. */
unsigned int xo_ring_lun_in_flight(const struct xo_ring *ring, const struct xo_ring_lun *lun);

/* ---- between the core's own files ---- */

/*
 * Judges the copy in entry->request and fills the entry from it, indirect
 * segments included. False: it is answered by entry->rslt without the drive.
 */
bool xo_ring_judge(struct xo_ring *ring, struct xo_ring_entry *entry);

/* Moves `length` bytes between the guest's segments and `data`. 0 or -errno. */
int xo_ring_move(struct xo_ring *ring, const struct xo_ring_entry *entry, uint8_t *data,
		 uint32_t length, bool to_guest);

/* The entry is answered: rslt, residual and sense stand. */
void xo_ring_replied(struct xo_ring *ring, struct xo_ring_entry *entry);

/* Sends a TAKEN or SENT entry to its drive; a TAKEN one's data are fetched first. */
void xo_ring_submit(struct xo_ring *ring, struct xo_ring_entry *entry);

/* The drive's answer becomes the entry's. */
void xo_ring_reply_to(struct xo_ring *ring, struct xo_ring_lun *lun, struct xo_ring_entry *entry,
		      const struct xo_link_reply *reply);

/* ring_direct.c's part of the way: whether a command goes directly; one that goes by the link; its reply. */
bool xo_ring_goes_directly(const struct xo_ring_lun *lun, const struct xo_ring_entry *entry);
void xo_ring_went_by_link(struct xo_ring_lun *lun, const struct xo_ring_entry *entry);
void xo_ring_link_replied(struct xo_ring_lun *lun, const struct xo_ring_entry *entry, bool good);
/* An ABORT or RESET has come: what waits and is meant by it is answered, and never reaches the drive. */
void xo_ring_abort_held(struct xo_ring *ring, struct xo_ring_lun *lun,
			const struct xo_ring_entry *by);
/* What waits goes on, in the guest's order; it may have to wait again. */
void xo_ring_release_held(struct xo_ring *ring, struct xo_ring_lun *lun);
/* The answer in the entry's `io`. */
void xo_ring_direct_reply(const struct xo_ring *ring, const struct xo_ring_entry *entry,
			  struct xo_link_reply *reply);

/* The entry of the smallest tag among those of the mask. */
struct xo_ring_entry *xo_ring_first(const struct xo_ring *ring, uint64_t mask);

/* HELLO to the drive. */
void xo_ring_greet(struct xo_ring *ring, struct xo_ring_lun *lun);

struct xo_ring_lun *xo_ring_lun_of(struct xo_ring *ring, const struct xo_ring_entry *entry);

/* The request that an event was last asked for: req_event. */
static inline uint32_t xo_ring_asked(const struct xo_ring *ring)
{
	return ring->back.req_cons + 1;
}

static inline unsigned int xo_ring_slot(const struct xo_ring *ring,
					const struct xo_ring_entry *entry)
{
	return (unsigned int)(entry - ring->ledger->entries);
}

#define XO_RING_RSLT_HOST(host) ((int32_t)(host) << 16)

#endif
