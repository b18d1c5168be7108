/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest asks for: the copy of a vscsiif request in the ledger is judged
 * field by field, its segments and the CDB's own idea of its data included.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "mmc/cdb.h"
#include "mmc/sense.h"
#include "ring.h"

/* sc_data_direction, as vscsiif.h lists it (Linux' enum dma_data_direction). */
enum { DMA_TO_DEVICE = 1, DMA_FROM_DEVICE = 2, DMA_NONE = 3 };

/* All of a batch, or -EFAULT: a guest's bad reference is its own mistake (XSA-361). */
static int copy_checked(struct xo_ring *ring, xengnttab_grant_copy_segment_t *segments,
			unsigned int count)
{
	int r = count ? ring->ops->copy(ring->priv, segments, count) : 0;

	for (unsigned int i = 0; i < count && !r; i++) {
		if (segments[i].status == GNTST_okay)
			continue;
		xo_log_limited(XO_LOG_WARNING, "grant copy refused: status %d", segments[i].status);
		r = -EFAULT;
	}
	return r;
}

static void copy_from_guest(struct xo_ring *ring, xengnttab_grant_copy_segment_t *copy,
			    const struct scsiif_request_segment *from, uint32_t length, void *to)
{
	*copy = (xengnttab_grant_copy_segment_t){
		.source.foreign = { .ref = from->gref,
				    .offset = from->offset,
				    .domid = ring->domid },
		.dest.virt = to,
		.len = (uint16_t)length,
		.flags = GNTCOPY_source_gref,
		.status = GNTST_general_error,
	};
}

static void copy_to_guest(struct xo_ring *ring, xengnttab_grant_copy_segment_t *copy,
			  const struct scsiif_request_segment *to, uint32_t length, void *from)
{
	*copy = (xengnttab_grant_copy_segment_t){
		.source.virt = from,
		.dest.foreign = { .ref = to->gref, .offset = to->offset, .domid = ring->domid },
		.len = (uint16_t)length,
		.flags = GNTCOPY_dest_gref,
		.status = GNTST_general_error,
	};
}

int xo_ring_move(struct xo_ring *ring, const struct xo_ring_entry *entry, uint8_t *data,
		 uint32_t length, bool to_guest)
{
	xengnttab_grant_copy_segment_t copies[XO_RING_SEGMENTS_MAX];
	unsigned int count = 0;
	uint32_t at = 0;

	for (unsigned int i = 0; i < entry->segment_count && at < length; i++) {
		const struct scsiif_request_segment *segment = &entry->segments[i];
		uint32_t part = XO_MIN(segment->length, length - at);

		if (!part)
			continue;
		if (to_guest)
			copy_to_guest(ring, &copies[count++], segment, part, data + at);
		else
			copy_from_guest(ring, &copies[count++], segment, part, data + at);
		at += part;
	}
	return at == length ? copy_checked(ring, copies, count) : -EINVAL;
}

static bool segment_valid(const struct scsiif_request_segment *segment)
{
	return (uint32_t)segment->offset + segment->length <= VSCSIIF_PAGE_SIZE;
}

/*
 * VSCSIIF_SG_GRANT: seg[] names arrays of segments in granted pages, copied
 * once into the ledger and judged there (XSA-155).
 */
static int take_indirect(struct xo_ring *ring, struct xo_ring_entry *entry, unsigned int arrays)
{
	const unsigned int limit = XO_MIN(ring->sg_grant, XO_RING_SEGMENTS_MAX);
	xengnttab_grant_copy_segment_t copies[VSCSIIF_SG_TABLESIZE];
	unsigned int count = 0;
	unsigned int total = 0;

	for (unsigned int i = 0; i < arrays; i++) {
		const struct scsiif_request_segment *array = &entry->request.seg[i];
		unsigned int more = array->length / (unsigned int)sizeof(*array);

		if (!segment_valid(array) || array->length % sizeof(*array) || more > limit - total)
			return -EINVAL;
		if (more)
			copy_from_guest(ring, &copies[count++], array, array->length,
					&entry->segments[total]);
		total += more;
	}
	entry->segment_count = (uint16_t)total;
	return copy_checked(ring, copies, count);
}

static int take_segments(struct xo_ring *ring, struct xo_ring_entry *entry)
{
	const struct vscsiif_request *request = &entry->request;
	unsigned int count = request->nr_segments & ~(unsigned int)VSCSIIF_SG_GRANT;
	int r = 0;

	if (count > VSCSIIF_SG_TABLESIZE)
		return -EINVAL;
	if (request->nr_segments & VSCSIIF_SG_GRANT) {
		r = take_indirect(ring, entry, count);
	} else {
		memcpy(entry->segments, request->seg, count * sizeof(request->seg[0]));
		entry->segment_count = (uint16_t)count;
	}
	for (unsigned int i = 0; i < entry->segment_count && !r; i++) {
		if (!segment_valid(&entry->segments[i]))
			r = -EINVAL;
		entry->offered += entry->segments[i].length;
	}
	return r;
}

/* The guest's fault that a drive would report itself: CHECK CONDITION, 05/24/00. */
static bool refuse_cdb(struct xo_ring_entry *entry)
{
	struct xo_sense sense = xo_sense_make(XO_SENSE_INVALID_FIELD_IN_CDB);

	entry->rslt = XO_STATUS_CHECK_CONDITION;
	entry->residual = entry->offered;
	entry->sense_length =
		(uint32_t)xo_sense_build(&sense, false, entry->sense, sizeof(entry->sense));
	return false;
}

/* A malformed request: nothing of it is carried out. */
static bool refuse(struct xo_ring *ring, struct xo_ring_entry *entry, const char *why)
{
	xo_log_limited(XO_LOG_WARNING, "request %u refused: %s", entry->request.rqid, why);
	ring->ledger->bad_requests++;
	entry->rslt = XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_ERROR);
	entry->residual = entry->offered;
	entry->segment_count = 0;
	return false;
}

static bool judge_command(struct xo_ring *ring, struct xo_ring_entry *entry,
			  const struct xo_ring_lun *lun)
{
	struct vscsiif_request *request = &entry->request;
	struct xo_guest_buffer buffer = { .dir = XO_DIR_NONE };
	struct xo_cdb_context context = { .buffer = &buffer };
	struct xo_transfer transfer;

	if (request->cmd_len < 6 || request->cmd_len > VSCSIIF_MAX_COMMAND_SIZE)
		return refuse(ring, entry, "length of the CDB");
	memset(request->cmnd + request->cmd_len, 0, sizeof(request->cmnd) - request->cmd_len);
	switch (request->sc_data_direction) {
	case DMA_TO_DEVICE:
		buffer.dir = XO_DIR_OUT;
		break;
	case DMA_FROM_DEVICE:
		buffer.dir = XO_DIR_IN;
		break;
	case DMA_NONE:
		request->nr_segments = 0;
		break;
	default:
		return refuse(ring, entry, "sc_data_direction");
	}
	if (take_segments(ring, entry))
		return refuse(ring, entry, "segments");
	buffer.length = entry->offered;
	if (!buffer.length)
		buffer.dir = XO_DIR_NONE;
	if (xo_cdb_transfer(request->cmnd, request->cmd_len, &context, &transfer) ||
	    transfer.mismatch)
		return refuse_cdb(entry);
	if (transfer.length > lun->link.slot_size || transfer.length > entry->offered)
		return refuse(ring, entry, "more data than a slot of the link holds");
	entry->kind = XO_LINK_COMMAND;
	entry->length = transfer.length;
	entry->direction = (uint8_t)(transfer.length ? transfer.dir : XO_DIR_NONE);
	return true;
}

/* ABORT names its victim by rqid. One that is not running is a success (SAM-5 7.2). */
static bool judge_abort(struct xo_ring *ring, struct xo_ring_entry *entry,
			const struct xo_ring_lun *lun)
{
	uint64_t candidates = (lun->pending | lun->direct | lun->held | ring->replied) &
			      ~(1ull << xo_ring_slot(ring, entry));

	entry->rslt = XEN_VSCSIIF_RSLT_RESET_SUCCESS;
	for (; candidates; candidates &= candidates - 1) {
		unsigned int slot = (unsigned int)__builtin_ctzll(candidates);
		const struct xo_ring_entry *victim = &ring->ledger->entries[slot];

		if (victim->link != lun->number ||
		    victim->request.rqid != entry->request.ref_rqid ||
		    victim->request.act != VSCSIIF_ACT_SCSI_CDB)
			continue;
		entry->target = slot;
		entry->target_tag = victim->tag;
		entry->kind = XO_LINK_ABORT;
		return xo_ledger_state(&victim->state) == XO_RING_SENT || lun->held & 1ull << slot;
	}
	return false;
}

bool xo_ring_judge(struct xo_ring *ring, struct xo_ring_entry *entry)
{
	const struct vscsiif_request *request = &entry->request;
	struct xo_ring_lun *lun =
		xo_ring_find_lun(ring, request->channel, request->id, request->lun);
	bool command = request->act == VSCSIIF_ACT_SCSI_CDB;

	if (!command && request->act != VSCSIIF_ACT_SCSI_ABORT &&
	    request->act != VSCSIIF_ACT_SCSI_RESET)
		return refuse(ring, entry, "unknown action");
	if (!lun || lun->lost || lun->leaving) {
		entry->rslt = command ? XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_NO_CONNECT)
				      : XEN_VSCSIIF_RSLT_RESET_FAILED;
		return false;
	}
	entry->link = lun->number;
	if (command)
		return judge_command(ring, entry, lun);
	if (request->act == VSCSIIF_ACT_SCSI_ABORT)
		return judge_abort(ring, entry, lun);
	entry->kind = XO_LINK_RESET;
	return true;
}
