/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a unit does itself while its drive is lent to it: the guest's link has the lease, and the launcher gave
 * the descriptor. The commands that a guest gives most go to the drive without its process in between; all
 * others go to that, which notes what has to be undone. One way at a time, in the guest's order:
 *
 *	a command goes directly	when none is with the drive's process; until then it waits
 *	any other goes there	when none goes directly; until then it waits
 *	whatever comes		waits behind those that wait already
 *
 * A WRITE goes directly only after one went by the drive's process and nothing else has since: so the
 * process knows of the write session before it begins, whatever ended the one before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "mmc/cdb.h"
#include "ring.h"

static const struct xo_opcode *opcode_of(const struct xo_ring_entry *entry)
{
	return xo_opcode_find(entry->request.cmnd, entry->request.cmd_len);
}

static bool is_write(const struct xo_ring_entry *entry)
{
	return opcode_of(entry)->class == XO_CLASS_WRITE;
}

bool xo_ring_goes_directly(const struct xo_ring_lun *lun, const struct xo_ring_entry *entry)
{
	return lun->lent && !lun->recalled && entry->kind == XO_LINK_COMMAND &&
	       opcode_of(entry)->direct && entry->length <= lun->lent_max &&
	       (!is_write(entry) || lun->write_noted);
}

void xo_ring_went_by_link(struct xo_ring_lun *lun, const struct xo_ring_entry *entry)
{
	if (!lun->lent || entry->kind == XO_LINK_ABORT ||
	    (entry->kind == XO_LINK_COMMAND && opcode_of(entry)->direct))
		return;
	lun->write_noted = false;
	lun->cold_tag = entry->tag;
}

void xo_ring_link_replied(struct xo_ring_lun *lun, const struct xo_ring_entry *entry, bool good)
{
	if (lun->lent && entry->kind == XO_LINK_COMMAND && is_write(entry))
		lun->write_noted = good && entry->tag > lun->cold_tag;
}

static void give_back(struct xo_ring_lun *lun)
{
	if (lun->lent)
		close(lun->device);
	lun->lent = false;
	lun->recalled = false;
	lun->write_noted = false;
}

void xo_ring_lend(struct xo_ring *ring, struct xo_ring_lun *lun, int fd, uint32_t max_transfer)
{
	size_t size = (size_t)lun->link.slots * lun->link.slot_size;

	if (lun->direct) {
		/* The same drive again, from a launcher that does not know whether we have it. */
		close(fd);
		lun->recalled = false;
		return;
	}
	give_back(lun);
	/* What the kernel writes for a process that is being killed must not need a page first. */
	if (madvise(lun->link.arena, size, MADV_POPULATE_WRITE) < 0)
		xo_debug("arena of link %u: not pre-faulted: %m", lun->number);
	lun->device = fd;
	lun->lent = true;
	/* What it was given until now was not looked at. */
	lun->cold_tag = ring->ledger->next_tag - 1;
	lun->lent_max = max_transfer;
}

void xo_ring_recall(struct xo_ring_lun *lun)
{
	lun->recalled = true;
	if (!lun->direct)
		give_back(lun);
}

bool xo_ring_direct_waits(const struct xo_ring *ring)
{
	for (unsigned int i = 0; i < ring->luns_end; i++)
		if (ring->luns[i].direct)
			return true;
	return false;
}

bool xo_ring_all_direct(const struct xo_ring *ring)
{
	bool any = false;

	for (unsigned int i = 0; i < ring->luns_end; i++) {
		const struct xo_ring_lun *lun = &ring->luns[i];

		if (!lun->used)
			continue;
		if (!lun->lent || lun->recalled || lun->pending || lun->held || lun->greet ||
		    lun->lost)
			return false;
		any = true;
	}
	return any;
}

struct xo_ring_entry *xo_ring_direct_next(struct xo_ring *ring, struct xo_ring_lun **lun)
{
	struct xo_ring_entry *first = NULL;

	for (unsigned int i = 0; i < ring->luns_end; i++) {
		struct xo_ring_entry *entry;

		if (!ring->luns[i].direct)
			continue;
		entry = xo_ring_first(ring, ring->luns[i].direct);
		if (first && first->tag < entry->tag)
			continue;
		first = entry;
		*lun = &ring->luns[i];
	}
	return first;
}

int xo_ring_direct_run(struct xo_ring *ring, struct xo_ring_lun *lun, struct xo_ring_entry *entry)
{
	const struct vscsiif_request *request = &entry->request;
	uint32_t timeout =
		XO_MAX(xo_cdb_timeout(request->cmnd, request->cmd_len),
		       XO_MIN((uint32_t)request->timeout_per_command, XO_SGIO_TIMEOUT_MAX_S));
	int r;

	xo_sgio_prepare(&entry->io, request->cmnd, request->cmd_len, entry->direction,
			xo_link_data(&lun->link, xo_ring_slot(ring, entry)), entry->length,
			timeout);
	xo_point(XO_RING_POINT_ISSUED);
	r = xo_sgio_run(&entry->io, lun->device);
	xo_point(XO_RING_POINT_RETURNED);
	return r;
}

void xo_ring_direct_reply(const struct xo_ring *ring, const struct xo_ring_entry *entry,
			  struct xo_link_reply *reply)
{
	/* Not as a whole: the sense data that are not there are the most of it. */
	reply->type = XO_LINK_REPLY;
	reply->status = entry->io.hdr.status;
	reply->transport = (uint8_t)xo_sgio_transport(&entry->io);
	reply->sense_length = xo_sgio_sense_length(&entry->io);
	reply->slot = (uint8_t)xo_ring_slot(ring, entry);
	reply->tag = entry->tag;
	reply->residual = xo_sgio_residual(&entry->io, entry->length);
	reply->reserved = 0;
	memcpy(reply->sense, entry->io.sense, reply->sense_length);
}

void xo_ring_abort_held(struct xo_ring *ring, struct xo_ring_lun *lun,
			const struct xo_ring_entry *by)
{
	uint64_t victims = lun->held;

	if (by->kind == XO_LINK_ABORT)
		victims &= 1ull << by->target;
	for (; victims; victims &= victims - 1) {
		struct xo_ring_entry *entry = &ring->ledger->entries[__builtin_ctzll(victims)];
		struct xo_link_reply reply = {
			.type = XO_LINK_REPLY,
			.slot = (uint8_t)xo_ring_slot(ring, entry),
			.tag = entry->tag,
			.transport = by->kind == XO_LINK_ABORT ? XO_TRANSPORT_ABORTED
							       : XO_TRANSPORT_RESET,
		};

		if (entry->kind != XO_LINK_COMMAND || entry->tag > by->tag ||
		    (by->kind == XO_LINK_ABORT && entry->tag != by->target_tag))
			continue;
		lun->held &= ~(1ull << reply.slot);
		xo_ring_reply_to(ring, lun, entry, &reply);
	}
}

void xo_ring_release_held(struct xo_ring *ring, struct xo_ring_lun *lun)
{
	uint64_t waiting = lun->held;

	lun->held = 0;
	while (waiting) {
		struct xo_ring_entry *entry = xo_ring_first(ring, waiting);

		waiting &= ~(1ull << xo_ring_slot(ring, entry));
		xo_ring_submit(ring, entry);
	}
}

/* Nothing of it has reached the drive: its process is asked, and finds out what is the matter. */
static void by_link_after_all(struct xo_ring *ring, struct xo_ring_lun *lun,
			      struct xo_ring_entry *entry)
{
	uint64_t others = lun->direct;

	lun->direct = 0;
	give_back(lun);
	lun->held |= others | 1ull << xo_ring_slot(ring, entry);
	for (; others; others &= others - 1)
		xo_ledger_commit(&ring->ledger->entries[__builtin_ctzll(others)].direct, 0);
	xo_ledger_commit(&entry->direct, 0);
	xo_ring_release_held(ring, lun);
}

void xo_ring_direct_done(struct xo_ring *ring, struct xo_ring_lun *lun, struct xo_ring_entry *entry,
			 int error)
{
	struct xo_link_reply reply;

	lun->direct &= ~(1ull << xo_ring_slot(ring, entry));
	xo_ring_direct_reply(ring, entry, &reply);
	if (error)
		reply.transport = (uint8_t)xo_sgio_refused(error);
	if (reply.transport == XO_TRANSPORT_NO_CONNECT ||
	    (error && reply.transport != XO_TRANSPORT_BUSY)) {
		by_link_after_all(ring, lun, entry);
		return;
	}
	xo_ring_reply_to(ring, lun, entry, &reply);
	if (lun->direct)
		return;
	if (lun->recalled)
		give_back(lun);
	xo_ring_release_held(ring, lun);
}
