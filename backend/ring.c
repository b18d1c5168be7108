/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on their way from the shared ring through the ledger to the drive links. */
#include "ring.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/point.h"
#include "mmc/opcode.h"
#include "mmc/profile.h"

/* So many requests fit, by <xen/io/ring.h>'s own reckoning. */
#define ENTRIES_PER_PAGE 16u
#define ENTRIES(pages) __CONST_RING_SIZE(vscsiif, (pages)*VSCSIIF_PAGE_SIZE)
_Static_assert(ENTRIES(1) == ENTRIES_PER_PAGE && ENTRIES(2) == 2 * ENTRIES_PER_PAGE &&
		       ENTRIES(4) == XO_RING_ENTRIES_MAX,
	       "entries of the rings");

const char *const xo_ring_points[XO_RING_POINT_COUNT] = {
	[XO_RING_POINT_COPIED] = "ring.copied",
	[XO_RING_POINT_TAKEN] = "ring.taken",
	[XO_RING_POINT_FETCHED] = "ring.fetched",
	[XO_RING_POINT_SENT] = "ring.sent",
	[XO_RING_POINT_LINKED] = "ring.linked",
	[XO_RING_POINT_ISSUED] = "ring.issued",
	[XO_RING_POINT_RETURNED] = "ring.returned",
	[XO_RING_POINT_REPLIED] = "ring.replied",
	[XO_RING_POINT_STORED] = "ring.stored",
	[XO_RING_POINT_PUBLISHING] = "ring.publishing",
	[XO_RING_POINT_INTENDED] = "ring.intended",
	[XO_RING_POINT_PUSHED] = "ring.pushed",
	[XO_RING_POINT_PUBLISHED] = "ring.published",
	[XO_RING_POINT_NOTIFIED] = "ring.notified",
};

/* An index of the shared ring, read once. */
static uint32_t shared_index(const RING_IDX *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/*
 * A fresh ledger begins where the ring's last backend ended: everything up to
 * the shared rsp_prod was answered. Tags begin with the clock, so that they
 * grow over connections, should a link outlive one.
 */
static void ledger_begin(struct xo_ring *ring)
{
	struct xo_ring_ledger *ledger = ring->ledger;
	uint32_t at = shared_index(&ring->back.sring->rsp_prod);

	ledger->ring_entries = ring->back.nr_ents;
	ledger->req_cons = at;
	ledger->rsp_prod = at;
	ledger->rsp_intended = at;
	ledger->next_tag = xo_now_ns() | 1;
	xo_ledger_commit(&ledger->begun, 1);
}

int xo_ring_init(struct xo_ring *ring, const struct xo_ring_setup *setup)
{
	if ((setup->pages != 1 && setup->pages != 2 && setup->pages != 4) ||
	    setup->sg_grant > XO_RING_SG_GRANT)
		return -EINVAL;
	*ring = (struct xo_ring){
		.ledger = setup->region,
		.ops = setup->ops,
		.priv = setup->priv,
		.domid = setup->domid,
		.sg_grant = setup->sg_grant,
	};
	ring->back.sring = setup->shared;
	ring->back.nr_ents = setup->pages * ENTRIES_PER_PAGE;
	ring->free = ring->back.nr_ents == 64 ? ~0ull : (1ull << ring->back.nr_ents) - 1;
	if (!xo_ledger_state(&ring->ledger->begun))
		ledger_begin(ring);
	if (ring->ledger->ring_entries != ring->back.nr_ents ||
	    ring->ledger->req_cons - ring->ledger->rsp_prod > ring->back.nr_ents)
		return -EPROTO;
	ring->back.req_cons = ring->ledger->req_cons;
	ring->back.rsp_prod_pvt = ring->ledger->rsp_prod;
	return 0;
}

struct xo_ring_lun *xo_ring_find_lun(struct xo_ring *ring, uint16_t channel, uint16_t id,
				     uint16_t lun)
{
	for (unsigned int i = 0; i < XO_RING_LUNS_MAX; i++) {
		struct xo_ring_lun *at = &ring->luns[i];

		if (at->used && at->channel == channel && at->id == id && at->lun == lun)
			return at;
	}
	return NULL;
}

struct xo_ring_lun *xo_ring_lun_of(struct xo_ring *ring, const struct xo_ring_entry *entry)
{
	for (unsigned int i = 0; i < XO_RING_LUNS_MAX; i++)
		if (ring->luns[i].used && ring->luns[i].number == entry->link)
			return &ring->luns[i];
	return NULL;
}

/* Tells a drive that a client has (re)started; one that does not read hears it with the requests. */
void xo_ring_greet(struct xo_ring *ring, struct xo_ring_lun *lun)
{
	const union xo_link_message hello = {
		.hello = { .type = XO_LINK_HELLO, .version = XO_LINK_VERSION },
	};
	int r = ring->ops->send(ring->priv, lun, &hello);

	lun->greet = r == -EAGAIN;
	if (r && r != -EAGAIN)
		xo_ring_link_lost(ring, lun, "its other end is gone");
}

struct xo_ring_lun *xo_ring_add_lun(struct xo_ring *ring, uint16_t channel, uint16_t id,
				    uint16_t lun, uint32_t number, const struct xo_link *link,
				    int *error)
{
	struct xo_ring_lun *place = NULL;

	*error = -EEXIST;
	for (unsigned int i = 0; i < XO_RING_LUNS_MAX; i++) {
		if (!ring->luns[i].used)
			place = place ? place : &ring->luns[i];
		else if (ring->luns[i].number == number)
			return NULL;
	}
	if (xo_ring_find_lun(ring, channel, id, lun))
		return NULL;
	*error = -ENOSPC;
	if (!place)
		return NULL;
	*error = -EINVAL;
	if (link->slots < ring->back.nr_ents)
		return NULL;
	*error = 0;
	*place = (struct xo_ring_lun){
		.channel = channel,
		.id = id,
		.lun = lun,
		.number = number,
		.link = *link,
		.used = true,
	};
	ring->luns_end = XO_MAX(ring->luns_end, (unsigned int)(place - ring->luns) + 1);
	return place;
}

void xo_ring_drop_lun(struct xo_ring_lun *lun)
{
	xo_ring_recall(lun);
	xo_link_close(&lun->link);
	*lun = (struct xo_ring_lun){ 0 };
}

static void build_message(const struct xo_ring_entry *entry, unsigned int slot,
			  union xo_link_message *message)
{
	*message = (union xo_link_message){
		.request = {
			.type = XO_LINK_REQUEST,
			.kind = entry->kind,
			.slot = (uint8_t)slot,
			.tag = entry->tag,
		},
	};
	if (entry->kind == XO_LINK_COMMAND) {
		message->request.direction = entry->direction;
		message->request.cdb_length = entry->request.cmd_len;
		message->request.length = entry->length;
		message->request.timeout = entry->request.timeout_per_command;
		memcpy(message->request.cdb, entry->request.cmnd, sizeof(message->request.cdb));
	} else if (entry->kind == XO_LINK_ABORT) {
		message->request.target_tag = entry->target_tag;
		message->request.target_slot = entry->target;
	}
}

static void send_or_defer(struct xo_ring *ring, struct xo_ring_lun *lun,
			  struct xo_ring_entry *entry)
{
	const unsigned int slot = xo_ring_slot(ring, entry);
	union xo_link_message message;
	int r;

	if (lun->unsent & ~(1ull << slot)) { /* keeps their order */
		lun->unsent |= 1ull << slot;
		return;
	}
	build_message(entry, slot, &message);
	r = ring->ops->send(ring->priv, lun, &message);
	if (!r) {
		lun->unsent &= ~(1ull << slot);
		xo_point(XO_RING_POINT_LINKED);
	} else if (r == -EAGAIN) {
		lun->unsent |= 1ull << slot;
	} else {
		xo_ring_link_lost(ring, lun, "its other end is gone");
	}
}

/* Sends what is deferred, in the order of tags, as far as the socket takes it. */
void xo_ring_writable(struct xo_ring *ring, struct xo_ring_lun *lun)
{
	if (lun->greet)
		xo_ring_greet(ring, lun);
	if (lun->greet)
		return;
	while (lun->unsent && !lun->lost) {
		const uint64_t waiting = lun->unsent;
		struct xo_ring_entry *first = xo_ring_first(ring, waiting);

		lun->unsent = 1ull << xo_ring_slot(ring, first);
		send_or_defer(ring, lun, first);
		if (lun->lost)
			return;
		lun->unsent |= waiting & ~(1ull << xo_ring_slot(ring, first));
		if (lun->unsent == waiting)
			return;
	}
}

struct xo_ring_entry *xo_ring_first(const struct xo_ring *ring, uint64_t mask)
{
	struct xo_ring_entry *first = NULL;

	for (; mask; mask &= mask - 1) {
		struct xo_ring_entry *entry = &ring->ledger->entries[__builtin_ctzll(mask)];

		if (!first || entry->tag < first->tag)
			first = entry;
	}
	return first;
}

/* The answer to an ABORT or RESET that no drive needs to hear. */
static void answer_alone(struct xo_ring *ring, struct xo_ring_entry *entry, bool success)
{
	if (entry->kind == XO_LINK_COMMAND) {
		entry->rslt = XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_NO_CONNECT);
		entry->residual = entry->offered;
	} else {
		entry->rslt =
			success ? XEN_VSCSIIF_RSLT_RESET_SUCCESS : XEN_VSCSIIF_RSLT_RESET_FAILED;
	}
	xo_ring_replied(ring, entry);
}

static bool victim_runs(const struct xo_ring *ring, const struct xo_ring_entry *entry)
{
	const struct xo_ring_entry *victim = &ring->ledger->entries[entry->target];

	return victim->tag == entry->target_tag && xo_ledger_state(&victim->state) == XO_RING_SENT;
}

/* Data of the guest into the slot, and the entry is committed as being on its way. False: it is answered. */
static bool fetch(struct xo_ring *ring, struct xo_ring_lun *lun, struct xo_ring_entry *entry,
		  bool directly)
{
	if (entry->direction == XO_DIR_OUT &&
	    xo_ring_move(ring, entry, xo_link_data(&lun->link, xo_ring_slot(ring, entry)),
			 entry->length, false)) {
		ring->ledger->bad_requests++;
		entry->rslt = XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_ERROR);
		entry->residual = entry->offered;
		xo_ring_replied(ring, entry);
		return false;
	}
	xo_point(XO_RING_POINT_FETCHED);
	xo_sgio_reset(&entry->io);
	entry->direct = directly;
	xo_ledger_commit(&entry->state, XO_RING_SENT);
	xo_point(XO_RING_POINT_SENT);
	return true;
}

/* A predecessor gave it to the drive itself: its answer is there, or the drive has not seen it. */
static bool settle_direct(struct xo_ring *ring, struct xo_ring_lun *lun,
			  struct xo_ring_entry *entry)
{
	struct xo_link_reply reply;

	if (!entry->direct || !xo_sgio_done(&entry->io))
		return false;
	xo_ring_direct_reply(ring, entry, &reply);
	xo_ring_reply_to(ring, lun, entry, &reply);
	return true;
}

void xo_ring_submit(struct xo_ring *ring, struct xo_ring_entry *entry)
{
	struct xo_ring_lun *lun = xo_ring_lun_of(ring, entry);
	const uint64_t bit = 1ull << xo_ring_slot(ring, entry);
	bool taken = xo_ledger_state(&entry->state) == XO_RING_TAKEN;
	bool directly;

	if (lun && !taken && settle_direct(ring, lun, entry))
		return;
	if (lun && entry->kind != XO_LINK_COMMAND)
		xo_ring_abort_held(ring, lun, entry);
	if (!lun || lun->lost || (entry->kind == XO_LINK_ABORT && !victim_runs(ring, entry))) {
		/* A victim that does not run is aborted enough. */
		answer_alone(ring, entry, entry->kind == XO_LINK_ABORT);
		return;
	}
	directly = xo_ring_goes_directly(lun, entry);
	if ((directly ? lun->pending : lun->direct) ||
	    (lun->held && entry->kind == XO_LINK_COMMAND)) {
		lun->held |= bit;
		return;
	}
	if (taken && !fetch(ring, lun, entry, directly))
		return;
	if (!taken && entry->direct != (directly ? 1u : 0u))
		xo_ledger_commit(&entry->direct, directly);
	if (directly) {
		lun->direct |= bit;
		return;
	}
	xo_ring_went_by_link(lun, entry);
	lun->pending |= bit;
	send_or_defer(ring, lun, entry);
}

/* One request becomes the guest's claim on us with the store to req_cons. */
static void take(struct xo_ring *ring)
{
	struct xo_ring_ledger *ledger = ring->ledger;
	const unsigned int slot = (unsigned int)__builtin_ctzll(ring->free);
	struct xo_ring_entry *entry = &ledger->entries[slot];
	bool for_drive;

	memset(entry, 0, offsetof(struct xo_ring_entry, sense));
	RING_COPY_REQUEST(&ring->back, ring->back.req_cons, &entry->request);
	entry->req_index = ring->back.req_cons;
	entry->tag = ledger->next_tag;
	xo_ledger_commit64(&ledger->next_tag, entry->tag + 1);
	for_drive = xo_ring_judge(ring, entry);
	xo_ledger_commit(&entry->state, XO_RING_TAKEN);
	xo_point(XO_RING_POINT_COPIED);
	xo_ledger_commit(&ledger->req_cons, ++ring->back.req_cons);
	ledger->requests++;
	ring->free &= ~(1ull << slot);
	xo_point(XO_RING_POINT_TAKEN);
	if (for_drive)
		xo_ring_submit(ring, entry);
	else
		xo_ring_replied(ring, entry);
}

/* Requests waiting, judged against what the ring can hold. -EPROTO: it cannot be. */
static int waiting(struct xo_ring *ring)
{
	uint32_t count = shared_index(&ring->back.sring->req_prod) - ring->back.req_cons;
	uint32_t room = ring->back.nr_ents - (ring->back.req_cons - ring->back.rsp_prod_pvt);

	if (count <= room && (!count || ring->free))
		return (int)count;
	ring->broken = "the frontend's req_prod is beyond the ring";
	return -EPROTO;
}

/* Asks for an event, then looks again (RING_FINAL_CHECK_FOR_REQUESTS). */
static int ask(struct xo_ring *ring)
{
	ring->back.sring->req_event = xo_ring_asked(ring);
	xen_mb();
	return waiting(ring);
}

bool xo_ring_ask(struct xo_ring *ring)
{
	return ring->stopped || (!ring->broken && !ask(ring));
}

static enum xo_ring_work turn(struct xo_ring *ring, bool on)
{
	/* Enough for a full ring; then others have their turn, however fast the guest refills it. */
	unsigned int budget = ring->back.nr_ents;
	unsigned int taken = 0;
	int count = 0;

	while (!ring->stopped && !ring->broken) {
		count = waiting(ring);
		if (!count && on && xo_ring_direct_waits(ring))
			return XO_RING_UNASKED;
		if (count <= 0)
			count = ask(ring);
		if (count <= 0 || taken >= budget)
			break;
		for (; count > 0 && taken < budget; count--, taken++)
			take(ring);
		xo_ring_publish(ring);
	}
	if (ring->broken)
		return XO_RING_BROKEN;
	if (count > 0 && !ring->stopped)
		return XO_RING_MORE;
	return taken ? XO_RING_SERVED : XO_RING_IDLE;
}

enum xo_ring_work xo_ring_serve(struct xo_ring *ring)
{
	return turn(ring, false);
}

enum xo_ring_work xo_ring_serve_on(struct xo_ring *ring)
{
	return turn(ring, true);
}

void xo_ring_reply_to(struct xo_ring *ring, struct xo_ring_lun *lun, struct xo_ring_entry *entry,
		      const struct xo_link_reply *reply)
{
	const bool ok = reply->transport == XO_TRANSPORT_OK;

	lun->pending &= ~(1ull << xo_ring_slot(ring, entry));
	lun->unsent &= ~(1ull << xo_ring_slot(ring, entry));
	if (entry->kind != XO_LINK_COMMAND) {
		entry->rslt = ok ? XEN_VSCSIIF_RSLT_RESET_SUCCESS : XEN_VSCSIIF_RSLT_RESET_FAILED;
	} else if (ok) {
		uint32_t moved = entry->length - XO_MIN(reply->residual, entry->length);

		entry->rslt = reply->status;
		entry->moved = entry->direction == XO_DIR_IN ? moved : 0;
		entry->residual = entry->offered - moved;
		entry->sense_length = reply->sense_length;
		memcpy(entry->sense, reply->sense, reply->sense_length);
	} else {
		/* enum xo_transport has the numbers of vscsiif's host bytes. */
		entry->rslt = XO_RING_RSLT_HOST(reply->transport);
		entry->residual = entry->offered;
	}
	xo_ring_replied(ring, entry);
}

/*
 * A guest that has the event of a pressed button by its backend's counter gets it
 * by GET EVENT STATUS NOTIFICATION (MMC-6 6.6.2.6) once more, from the drive: then
 * its next answer says that nothing is new. A desktop opens the tray for each.
 */
static void drop_told_event(const struct xo_ring *ring, struct xo_ring_lun *lun,
			    const struct xo_ring_entry *entry, const struct xo_link_reply *reply)
{
	enum { EJECT_REQUEST = 1, EVENT_SIZE = 8 };
	uint8_t *event = xo_link_data(&lun->link, xo_ring_slot(ring, entry));

	if (!lun->eject_told || entry->kind != XO_LINK_COMMAND || reply->transport ||
	    reply->status || reply->residual > entry->length ||
	    entry->length - reply->residual < EVENT_SIZE ||
	    xo_opcode_find(entry->request.cmnd, entry->request.cmd_len)->own != XO_OWN_EVENTS ||
	    (event[2] & 7) != XO_EVENT_MEDIA)
		return;
	lun->eject_told = false;
	if ((event[4] & 0xf) == EJECT_REQUEST)
		event[4] &= 0xf0;
}

void xo_ring_message(struct xo_ring *ring, struct xo_ring_lun *lun,
		     const union xo_link_message *message)
{
	struct xo_ring_entry *entry;

	switch (message->type) {
	case XO_LINK_HELLO: /* a drive process (re)started: everything pending goes out again */
		lun->max_transfer = message->hello.max_transfer;
		lun->unsent = lun->pending;
		xo_ring_writable(ring, lun);
		break;
	case XO_LINK_REPLY:
		entry = &ring->ledger->entries[message->reply.slot];
		/* A reply that was asked for twice comes twice: the second finds nothing pending. */
		if (lun->pending & 1ull << message->reply.slot &&
		    entry->tag == message->reply.tag) {
			xo_ring_link_replied(lun, entry,
					     !message->reply.transport && !message->reply.status);
			drop_told_event(ring, lun, entry, &message->reply);
			xo_ring_reply_to(ring, lun, entry, &message->reply);
			if (!lun->pending)
				xo_ring_release_held(ring, lun);
		}
		break;
	case XO_LINK_NOTICE:
		if (ring->ops->notice)
			ring->ops->notice(ring->priv, lun, &message->notice);
		break;
	default:
		xo_log_limited(XO_LOG_WARNING, "drive link: a request from the drive's side");
	}
}

void xo_ring_link_lost(struct xo_ring *ring, struct xo_ring_lun *lun, const char *why)
{
	uint64_t pending = lun->pending | lun->held;

	if (lun->lost)
		return;
	lun->lost = true;
	lun->pending = 0;
	lun->held = 0;
	lun->unsent = 0;
	for (; pending; pending &= pending - 1) {
		struct xo_ring_entry *entry = &ring->ledger->entries[__builtin_ctzll(pending)];

		answer_alone(ring, entry, entry->kind == XO_LINK_ABORT);
	}
	ring->ops->lost(ring->priv, lun, why);
}

unsigned int xo_ring_in_flight(const struct xo_ring *ring)
{
	return ring->back.req_cons - ring->back.rsp_prod_pvt;
}

unsigned int xo_ring_lun_in_flight(const struct xo_ring *ring, const struct xo_ring_lun *lun)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < ring->back.nr_ents; i++) {
		const struct xo_ring_entry *entry = &ring->ledger->entries[i];

		count += !(ring->free & 1ull << i) && entry->kind && entry->link == lun->number;
	}
	return count;
}
