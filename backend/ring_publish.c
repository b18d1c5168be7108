/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers on their way to the guest: data into its pages, responses into the
 * ring, one move of rsp_prod and one notification for all that are ready. And
 * what a successor makes of a ledger that it finds half way through this.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "ring.h"

void xo_ring_replied(struct xo_ring *ring, struct xo_ring_entry *entry)
{
	xo_ledger_commit(&entry->state, XO_RING_REPLIED);
	ring->replied |= 1ull << xo_ring_slot(ring, entry);
	xo_point(XO_RING_POINT_REPLIED);
}

static bool unanswered(const struct xo_ring_entry *entry)
{
	switch (xo_ledger_state(&entry->state)) {
	case XO_RING_TAKEN:
	case XO_RING_SENT:
	case XO_RING_REPLIED:
		return true;
	default:
		return false;
	}
}

/*
 * Linux' error handler forgets the commands once ABORT or RESET is answered:
 * their own responses must be in the ring before it.
 */
static bool must_wait(const struct xo_ring *ring, const struct xo_ring_entry *entry)
{
	uint64_t others = ~ring->free & ~(1ull << xo_ring_slot(ring, entry));

	if (entry->kind == XO_LINK_ABORT) {
		const struct xo_ring_entry *victim = &ring->ledger->entries[entry->target];

		return victim->tag == entry->target_tag && unanswered(victim);
	}
	if (entry->kind != XO_LINK_RESET)
		return false;
	for (; others; others &= others - 1) {
		unsigned int slot = (unsigned int)__builtin_ctzll(others);
		const struct xo_ring_entry *other = &ring->ledger->entries[slot];

		if (slot < ring->back.nr_ents && other->kind && other->link == entry->link &&
		    other->tag < entry->tag && unanswered(other))
			return true;
	}
	return false;
}

/* The drive's data go to the guest; a page that cannot be written is an error response. */
static void store_data(struct xo_ring *ring, struct xo_ring_entry *entry)
{
	struct xo_ring_lun *lun = xo_ring_lun_of(ring, entry);
	int r;

	if (!entry->moved)
		return;
	r = lun ? xo_ring_move(ring, entry, xo_link_data(&lun->link, xo_ring_slot(ring, entry)),
			       entry->moved, true)
		: -1;
	if (!r) {
		xo_point(XO_RING_POINT_STORED);
		return;
	}
	entry->rslt = XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_ERROR);
	entry->moved = 0;
	entry->residual = entry->offered;
	entry->sense_length = 0;
}

/* Field by field: what is left of the place is the guest's own request. */
static void write_response(struct xo_ring *ring, struct xo_ring_entry *entry)
{
	struct vscsiif_response *response = RING_GET_RESPONSE(&ring->back, ring->back.rsp_prod_pvt);

	response->rqid = entry->request.rqid;
	response->act = entry->request.act;
	response->sense_len = (uint8_t)entry->sense_length;
	response->rslt = entry->rslt;
	response->residual_len = entry->residual;
	memcpy(response->sense_buffer, entry->sense, entry->sense_length);
	entry->rsp_index = ring->back.rsp_prod_pvt++;
	xo_ledger_commit(&entry->state, XO_RING_PUBLISHING);
	xo_point(XO_RING_POINT_PUBLISHING);
}

/* Moves the shared rsp_prod to the intended one. */
static void push(struct xo_ring *ring, uint64_t batch)
{
	struct xo_ring_ledger *ledger = ring->ledger;
	int notify;

	xo_ledger_commit(&ledger->rsp_intended, ring->back.rsp_prod_pvt);
	xo_point(XO_RING_POINT_INTENDED);
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring->back, notify);
	xo_point(XO_RING_POINT_PUSHED);
	ledger->responses += ring->back.rsp_prod_pvt - ledger->rsp_prod;
	xo_ledger_commit(&ledger->rsp_prod, ring->back.rsp_prod_pvt);
	ring->replied &= ~batch;
	ring->free |= batch;
	for (; batch; batch &= batch - 1) {
		xo_ledger_commit(&ledger->entries[__builtin_ctzll(batch)].state, XO_RING_PUBLISHED);
		xo_point(XO_RING_POINT_PUBLISHED);
	}
	if (notify)
		ring->ops->notify(ring->priv);
	xo_point(XO_RING_POINT_NOTIFIED);
}

void xo_ring_publish(struct xo_ring *ring)
{
	uint64_t waiting = ring->replied;
	uint64_t batch = 0;

	while (waiting && !ring->broken) {
		struct xo_ring_entry *entry = xo_ring_first(ring, waiting);
		const uint64_t bit = 1ull << xo_ring_slot(ring, entry);

		waiting &= ~bit;
		/* In the order of tags, so what an ABORT or RESET waits for comes before it. */
		if (must_wait(ring, entry))
			continue;
		store_data(ring, entry);
		write_response(ring, entry);
		batch |= bit;
	}
	if (batch)
		push(ring, batch);
}

/*
 * A predecessor died between two batches, or in one. Once it had committed the
 * end of its batch to rsp_intended, all responses up to there were in the ring:
 * the guest gets them by the same store, whether or not it has them already.
 * Before, the batch is made again; the guest saw nothing of it.
 */
static void settle_batch(struct xo_ring *ring)
{
	struct xo_ring_ledger *ledger = ring->ledger;

	if (ledger->rsp_intended != ledger->rsp_prod) {
		ledger->responses += ledger->rsp_intended - ledger->rsp_prod;
		__atomic_store_n(&ring->back.sring->rsp_prod, ledger->rsp_intended,
				 __ATOMIC_RELEASE);
		xo_ledger_commit(&ledger->rsp_prod, ledger->rsp_intended);
	}
	ring->back.rsp_prod_pvt = ledger->rsp_prod;
}

/* Whether index `a` comes before `b` on a ring of so many entries. */
static bool before(const struct xo_ring *ring, uint32_t a, uint32_t b)
{
	return a != b && b - a <= ring->back.nr_ents;
}

/* Only req_cons makes an entry ours, and it had not passed the last one: the ring is read there again. */
static bool was_being_taken(const struct xo_ring *ring, const struct xo_ring_entry *entry)
{
	return entry->req_index == ring->ledger->req_cons &&
	       entry->tag + 1 == ring->ledger->next_tag;
}

/* What an entry's state means to a successor. */
static void settle_entry(struct xo_ring *ring, struct xo_ring_entry *entry)
{
	const uint64_t bit = 1ull << xo_ring_slot(ring, entry);

	switch (xo_ledger_state(&entry->state)) {
	case XO_RING_TAKEN:
		if (was_being_taken(ring, entry))
			xo_ledger_commit(&entry->state, XO_RING_FREE);
		else
			ring->free &= ~bit;
		break;
	case XO_RING_PUBLISHING:
		if (before(ring, entry->rsp_index, ring->ledger->rsp_prod)) {
			xo_ledger_commit(&entry->state, XO_RING_PUBLISHED);
			break;
		}
		xo_ledger_commit(&entry->state, XO_RING_REPLIED);
		/* fall through */
	case XO_RING_REPLIED:
		ring->replied |= bit;
		/* fall through */
	case XO_RING_SENT:
		ring->free &= ~bit;
		break;
	default:
		break;
	}
}

void xo_ring_recover(struct xo_ring *ring)
{
	uint64_t again = 0;

	settle_batch(ring);
	for (unsigned int i = 0; i < ring->back.nr_ents; i++) {
		settle_entry(ring, &ring->ledger->entries[i]);
		if (!(ring->free & 1ull << i) && !(ring->replied & 1ull << i))
			again |= 1ull << i;
	}
	for (unsigned int i = 0; i < XO_RING_LUNS_MAX; i++)
		if (ring->luns[i].used)
			xo_ring_greet(ring, &ring->luns[i]);
	while (again) {
		struct xo_ring_entry *entry = xo_ring_first(ring, again);

		again &= ~(1ull << xo_ring_slot(ring, entry));
		if (entry->kind)
			xo_ring_submit(ring, entry);
		else
			xo_ring_replied(ring, entry); /* judged before; the answer stands in it */
	}
	xo_ring_publish(ring);
	/* The predecessor may have owed one; a spurious event does no harm. */
	ring->ops->notify(ring->priv);
}
