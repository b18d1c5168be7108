// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ring: requests out, responses in. A response is copied before it is
 * looked at, and believed only as far as it can be checked.
 */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "mmc/opcode.h"

/* sc_data_direction, as vscsiif.h lists it. */
enum { DMA_TO_DEVICE = 1, DMA_FROM_DEVICE = 2, DMA_NONE = 3 };

/* What we allow beyond the backend's own time-out, which is the same: it answers first. */
#define GRACE 30u
#define SECOND_NS UINT64_C(1000000000)

/* rqid: the slot or control in the low bits, a count above, so that an old response does not fit. */
#define RQID_BITS 6
#define RQID_INDEX(rqid) ((rqid) & ((1u << RQID_BITS) - 1))
_Static_assert(XO_FRONT_REQUESTS_MAX <= 1 << RQID_BITS, "each request has an index");

static uint16_t new_rqid(struct xo_front *front, unsigned int index)
{
	return (uint16_t)(front->generation++ << RQID_BITS | index);
}

static int open_channels(struct xo_front *front)
{
	for (unsigned int i = 0; i < front->channels; i++) {
		xenevtchn_port_or_error_t port =
			xenevtchn_bind_unbound_port(front->evtchn, front->backend_id);

		if (port < 0 && i == 0)
			return errno ? -errno : -ENXIO;
		if (port < 0)
			front->channels = i; /* as many as there are to be had */
		else
			front->ports[i] = (evtchn_port_t)port;
	}
	return 0;
}

int xo_ring_open(struct xo_front *front)
{
	struct vscsiif_sring *sring;

	front->gntshr = xengntshr_open(NULL, 0);
	if (!front->gntshr)
		return errno ? -errno : -ENXIO;
	front->ring_start = xengntshr_share_pages(front->gntshr, front->backend_id,
						  (int)front->ring_pages, front->ring_refs, 1);
	if (!front->ring_start)
		return errno ? -errno : -ENOMEM;
	sring = front->ring_start;
	SHARED_RING_INIT(sring);
	front->ring = (struct vscsiif_front_ring){
		.nr_ents = (unsigned int)__RING_SIZE(sring,
						     (long)front->ring_pages * (long)XO_FRONT_PAGE),
		.sring = sring,
	};
	front->evtchn = xenevtchn_open(NULL, 0);
	if (!front->evtchn)
		return errno ? -errno : -ENXIO;
	/* An event that epoll told of may be gone when its turn comes: the port was closed. */
	if (fcntl(xenevtchn_fd(front->evtchn), F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return open_channels(front);
}

void xo_ring_close(struct xo_front *front)
{
	if (front->evtchn)
		xenevtchn_close(front->evtchn); /* unbinds the port */
	front->evtchn = NULL;
	if (front->ring_start)
		xengntshr_unshare(front->gntshr, front->ring_start, front->ring_pages);
	front->ring_start = NULL;
	if (front->gntshr)
		xengntshr_close(front->gntshr);
	front->gntshr = NULL;
	memset(front->controls, 0, sizeof(front->controls));
}

static struct vscsiif_request *next_request(struct xo_front *front)
{
	return RING_GET_REQUEST(&front->ring, front->ring.req_prod_pvt);
}

/*
 * RING_PUSH_REQUESTS_AND_CHECK_NOTIFY for one request. Which of the channels the backend listens to follows from the
 * request that it asked to be told of.
 */
static void push(struct xo_front *front)
{
	const RING_IDX prod = ++front->ring.req_prod_pvt;
	RING_IDX event;

	__atomic_store_n(&front->ring.sring->req_prod, prod, __ATOMIC_RELEASE);
	xen_mb(); /* the index before what the backend asked for */
	event = __atomic_load_n(&front->ring.sring->req_event, __ATOMIC_RELAXED);
	if (event == prod)
		(void)xenevtchn_notify(front->evtchn, front->ports[event % front->channels]);
}

static void address(struct vscsiif_request *request, const struct xo_front_unit *unit)
{
	request->channel = unit->channel;
	request->id = unit->id;
	request->lun = unit->lun;
}

/* One segment a page; more than seg[] holds go by way of the slot's page for segments. */
static void segments(struct vscsiif_request *request, struct xo_front_slot *slot)
{
	uint32_t left = slot->command.length, part;
	unsigned int count = (left + XO_FRONT_PAGE - 1) / XO_FRONT_PAGE;
	struct scsiif_request_segment *to = request->seg;

	request->nr_segments = (uint8_t)count;
	if (count > VSCSIIF_SG_TABLESIZE) {
		to = slot->indirect;
		request->nr_segments = 1 | VSCSIIF_SG_GRANT;
		request->seg[0] = (struct scsiif_request_segment){
			.gref = slot->indirect_ref,
			.length = (uint16_t)(count * sizeof(*to)),
		};
	}
	for (unsigned int i = 0; i < count; i++, left -= part) {
		part = XO_MIN(left, XO_FRONT_PAGE);
		to[i] = (struct scsiif_request_segment){
			.gref = slot->refs[i],
			.length = (uint16_t)part,
		};
	}
}

static uint32_t time_out(const struct xo_front_command *command)
{
	return XO_MAX(command->timeout, xo_cdb_timeout(command->cdb, command->cdb_length));
}

int xo_ring_send_command(struct xo_front *front, struct xo_front_slot *slot)
{
	static const uint8_t directions[] = {
		[XO_DIR_NONE] = DMA_NONE,
		[XO_DIR_IN] = DMA_FROM_DEVICE,
		[XO_DIR_OUT] = DMA_TO_DEVICE,
	};
	struct xo_front_command *command = &slot->command;
	uint32_t timeout = time_out(command);
	struct vscsiif_request *request;

	if (RING_FULL(&front->ring))
		return -EAGAIN; /* cannot be: there are more entries than slots and controls */
	request = next_request(front);
	memset(request, 0, sizeof(*request));
	slot->rqid = new_rqid(front, (unsigned int)(slot - front->pool->slots));
	request->rqid = slot->rqid;
	request->act = VSCSIIF_ACT_SCSI_CDB;
	request->cmd_len = command->cdb_length;
	memcpy(request->cmnd, command->cdb, command->cdb_length);
	request->timeout_per_command = (uint16_t)XO_MIN(timeout, UINT16_MAX);
	address(request, &front->units[command->unit]);
	request->sc_data_direction = directions[command->direction];
	segments(request, slot);
	slot->in_flight = true;
	slot->patience = XO_PATIENCE_WAIT;
	slot->deadline = xo_front_now() + (timeout + GRACE) * SECOND_NS;
	push(front);
	return 0;
}

int xo_ring_send_control(struct xo_front *front, uint8_t action, unsigned int unit,
			 uint16_t ref_rqid)
{
	struct vscsiif_request *request;
	unsigned int i = 0;

	while (i < XO_FRONT_CONTROLS && front->controls[i].in_flight)
		i++;
	if (i == XO_FRONT_CONTROLS || RING_FULL(&front->ring))
		return -EAGAIN;
	request = next_request(front);
	memset(request, 0, sizeof(*request));
	front->controls[i].in_flight = true;
	front->controls[i].rqid = new_rqid(front, XO_FRONT_SLOTS_MAX + i);
	request->rqid = front->controls[i].rqid;
	request->act = action;
	request->ref_rqid = ref_rqid;
	request->sc_data_direction = DMA_NONE;
	address(request, &front->units[unit]);
	push(front);
	return 0;
}

/* Marks a command as done, then tells: `done` may take, give and submit. */
void xo_ring_complete(struct xo_front_slot *slot)
{
	slot->in_flight = false;
	if (slot->command.done)
		slot->command.done(&slot->command);
}

static void command_response(struct xo_front_slot *slot, const struct vscsiif_response *response)
{
	struct xo_front_command *command = &slot->command;
	unsigned int host = XEN_VSCSIIF_RSLT_HOST((uint32_t)response->rslt);

	command->status = (uint8_t)XEN_VSCSIIF_RSLT_STATUS((uint32_t)response->rslt);
	command->transport = (uint8_t)(host <= XO_TRANSPORT_RESET ? host : XO_TRANSPORT_ERROR);
	command->sense_length = XO_MIN(response->sense_len, VSCSIIF_SENSE_BUFFERSIZE);
	memcpy(command->sense, response->sense_buffer, command->sense_length);
	command->residual = XO_MIN(response->residual_len, command->length);
	xo_ring_complete(slot);
}

/* A response that belongs to nothing is a broken backend: its other answers cannot be believed either. */
static int dispatch(struct xo_front *front, const struct vscsiif_response *response)
{
	unsigned int index = RQID_INDEX(response->rqid);
	struct xo_front_control *control;
	struct xo_front_slot *slot;

	if (index >= XO_FRONT_SLOTS_MAX) {
		if (index >= XO_FRONT_REQUESTS_MAX)
			return -EPROTO;
		control = &front->controls[index - XO_FRONT_SLOTS_MAX];
		if (!control->in_flight || control->rqid != response->rqid)
			return -EPROTO;
		control->in_flight = false;
		return 0;
	}
	if (index >= front->pool->count)
		return -EPROTO;
	slot = &front->pool->slots[index];
	if (!slot->in_flight || slot->rqid != response->rqid)
		return -EPROTO;
	command_response(slot, response);
	return 0;
}

int xo_ring_responses(struct xo_front *front)
{
	struct vscsiif_front_ring *ring = &front->ring;
	struct vscsiif_response response;
	unsigned int empty = 0;
	RING_IDX produced;
	int more;

	do {
		produced = __atomic_load_n(&ring->sring->rsp_prod, __ATOMIC_ACQUIRE);
		if (produced - ring->rsp_cons > ring->req_prod_pvt - ring->rsp_cons) {
			xo_front_broken(front, "answered more requests than there were");
			return -EPROTO;
		}
		/* An honest backend's index says more only where there is; that may go on as long as `done` submits. */
		if (produced != ring->rsp_cons) {
			empty = 0;
		} else if (empty++ > RING_SIZE(ring)) {
			xo_front_broken(front, "moves its index to and fro");
			return -EPROTO;
		}
		while ((int)(produced - ring->rsp_cons) > 0) {
			RING_COPY_RESPONSE(ring, ring->rsp_cons, &response);
			ring->rsp_cons++;
			if (dispatch(front, &response) < 0) {
				xo_front_broken(front, "answered a request that was not made");
				return -EPROTO;
			}
			if (front->phase != XO_PHASE_USE)
				return 0; /* `done` ended the connection */
		}
		RING_FINAL_CHECK_FOR_RESPONSES(ring, more);
	} while (more);
	return 0;
}

int xo_ring_event(struct xo_front *front)
{
	xenevtchn_port_or_error_t port = xenevtchn_pending(front->evtchn);
	int r;

	if (port < 0)
		return 0; /* somebody was faster, or nothing there */
	r = front->phase == XO_PHASE_USE ? xo_ring_responses(front) : 0;
	/* After the responses were taken: an event storm waits for us, not we for it. */
	if (r == 0 && front->evtchn)
		(void)xenevtchn_unmask(front->evtchn, (evtchn_port_t)port);
	return r;
}
