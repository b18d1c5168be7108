/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest and its drives around the ring's core; see ring_rig.h. */
#include "ring_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"

uint8_t rig_pattern(uint32_t offset)
{
	return (uint8_t)(offset * 7u + (offset >> 9));
}

/* As Xen does it: each segment has a fate of its own. */
static int rig_copy(void *priv, xengnttab_grant_copy_segment_t *segments, unsigned int count)
{
	struct rig *rig = priv;
	struct rig_world *world = rig->world;

	world->copied++;
	for (unsigned int i = 0; i < count; i++) {
		xengnttab_grant_copy_segment_t *s = &segments[i];
		const bool from = s->flags & GNTCOPY_source_gref;
		uint32_t ref = from ? s->source.foreign.ref : s->dest.foreign.ref;
		unsigned int domid = from ? s->source.foreign.domid : s->dest.foreign.domid;
		unsigned int offset = from ? s->source.foreign.offset : s->dest.foreign.offset;

		s->status = GNTST_bad_gntref;
		if (ref < RIG_REF || ref >= RIG_REF + RIG_PAGES || world->revoked[ref - RIG_REF])
			continue;
		s->status = GNTST_permission_denied;
		if (!from && world->read_only[ref - RIG_REF])
			continue;
		s->status = GNTST_bad_domain;
		if (domid != RIG_DOMID)
			continue;
		s->status = GNTST_bad_copy_arg;
		if (offset + s->len > VSCSIIF_PAGE_SIZE)
			continue;
		s->status = GNTST_okay;
		if (from)
			memcpy(s->dest.virt, world->pages[ref - RIG_REF] + offset, s->len);
		else
			memcpy(world->pages[ref - RIG_REF] + offset, s->source.virt, s->len);
	}
	return 0;
}

static void rig_notify(void *priv)
{
	struct rig *rig = priv;

	rig->world->notified++;
}

static int rig_send(void *priv, struct xo_ring_lun *lun, const union xo_link_message *message)
{
	struct rig *rig = priv;
	struct rig_world *world = rig->world;

	if (message->type == XO_LINK_HELLO)
		return 0;
	if (world->queued == RIG_MESSAGES || (world->accept && world->queued >= world->accept))
		return -EAGAIN;
	world->queue[world->queued].lun = lun->number - 1;
	world->queue[world->queued++].message = *message;
	return 0;
}

static void rig_lost(void *priv, struct xo_ring_lun *lun, const char *why)
{
	struct rig *rig = priv;

	(void)lun;
	(void)why;
	rig->world->lost++;
}

static const struct xo_ring_ops rig_ops = {
	.copy = rig_copy,
	.notify = rig_notify,
	.send = rig_send,
	.lost = rig_lost,
};

struct rig *rig_new(unsigned int pages)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->world = mmap(NULL, sizeof(*rig->world), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rig->world == MAP_FAILED)
		abort();
	rig->world->ring_pages = pages;
	SHARED_RING_INIT(&rig->world->shared.sring);
	return rig;
}

void rig_free(struct rig *rig)
{
	munmap(rig->world, sizeof(*rig->world));
	free(rig);
}

int rig_start(struct rig *rig)
{
	struct rig_world *world = rig->world;
	const struct xo_ring_setup setup = {
		.region = world->region,
		.shared = &world->shared,
		.pages = world->ring_pages,
		.sg_grant = XO_RING_SG_GRANT,
		.domid = RIG_DOMID,
		.ops = &rig_ops,
		.priv = rig,
	};
	int r = xo_ring_init(&rig->ring, &setup);

	for (unsigned int i = 0; i < RIG_LUNS && !r; i++) {
		const struct xo_link link = {
			.fd = -1,
			.arena_fd = -1,
			.arena = world->arena[i][0],
			.slots = world->ring_pages * 16,
			.slot_size = RIG_SLOT_SIZE,
		};

		xo_ring_add_lun(&rig->ring, 0, (uint16_t)i, 0, i + 1, &link, &r);
	}
	if (!r)
		xo_ring_recover(&rig->ring);
	return r;
}

struct vscsiif_request *rig_request(struct rig *rig)
{
	struct rig_world *world = rig->world;
	unsigned int at = world->req_prod_pvt++ & (world->ring_pages * 16 - 1);
	struct vscsiif_sring *sring = &world->shared.sring;
	struct vscsiif_request *request = &sring->ring[at].req;

	memset(request, 0, sizeof(*request));
	return request;
}

void rig_push(struct rig *rig)
{
	xen_wmb();
	rig->world->shared.sring.req_prod = rig->world->req_prod_pvt;
}

bool rig_response(struct rig *rig, struct vscsiif_response *response)
{
	struct rig_world *world = rig->world;
	struct vscsiif_sring *sring = &world->shared.sring;
	unsigned int at = world->rsp_cons & (world->ring_pages * 16 - 1);

	if (world->rsp_cons == world->shared.sring.rsp_prod)
		return false;
	*response = sring->ring[at].rsp;
	world->rsp_cons++;
	return true;
}

/* Direct segments as far as they go, otherwise one indirect page: the one before `page`. */
struct vscsiif_request *rig_command(struct rig *rig, uint16_t rqid, const uint8_t *cdb,
				    uint8_t cdb_length, uint8_t direction, unsigned int page,
				    uint32_t length)
{
	struct vscsiif_request *request = rig_request(rig);
	unsigned int count = (length + VSCSIIF_PAGE_SIZE - 1) / VSCSIIF_PAGE_SIZE;
	vscsiif_segment_t *segments = request->seg;

	request->rqid = rqid;
	request->act = VSCSIIF_ACT_SCSI_CDB;
	request->cmd_len = cdb_length;
	memcpy(request->cmnd, cdb, cdb_length);
	request->sc_data_direction = direction;
	request->nr_segments = (uint8_t)count;
	if (count > VSCSIIF_SG_TABLESIZE) {
		segments = (void *)rig->world->pages[page - 1];
		request->nr_segments = 1 | VSCSIIF_SG_GRANT;
		request->seg[0].gref = RIG_REF + page - 1;
		request->seg[0].length = (uint16_t)(count * sizeof(*segments));
	}
	for (unsigned int i = 0; i < count; i++) {
		uint32_t left = length - i * VSCSIIF_PAGE_SIZE;

		segments[i].gref = RIG_REF + page + i;
		segments[i].offset = 0;
		segments[i].length = (uint16_t)XO_MIN(left, (uint32_t)VSCSIIF_PAGE_SIZE);
	}
	return request;
}

static void drive_run(struct rig_world *world, unsigned int lun, unsigned int slot)
{
	struct rig_drive *drive = &world->drives[lun];
	const struct xo_link_request *request = &drive->slots[slot].request.request;
	uint8_t *data = world->arena[lun][slot];
	struct xo_link_reply *reply = &drive->slots[slot].reply.reply;

	*reply = (struct xo_link_reply){
		.type = XO_LINK_REPLY,
		.slot = (uint8_t)slot,
		.tag = request->tag,
	};
	drive->slots[slot].done = true;
	if (request->kind != XO_LINK_COMMAND)
		return;
	drive->executed++;
	reply->status = drive->status;
	if (drive->status) {
		reply->sense_length = 18;
		memset(reply->sense, 0x70, 18);
		reply->residual = request->length;
		return;
	}
	if (world->blind)
		return;
	for (uint32_t i = 0; i < request->length && request->direction == XO_DIR_IN; i++)
		data[i] = drive->answer ? drive->answer[i] : rig_pattern(i);
	for (uint32_t i = 0; i < request->length && request->direction == XO_DIR_OUT; i++)
		if (data[i] == rig_pattern(i))
			drive->written++;
}

void rig_drives_take(struct rig *rig)
{
	struct rig_world *world = rig->world;

	for (unsigned int i = 0; i < world->queued; i++) {
		unsigned int lun = world->queue[i].lun;
		const struct xo_link_request *request = &world->queue[i].message.request;
		struct rig_drive *drive = &world->drives[lun];

		if (xo_link_validate(&world->queue[i].message, sizeof(*request),
				     world->ring_pages * 16, RIG_SLOT_SIZE))
			abort();
		if (request->tag == drive->slots[request->slot].tag) {
			drive->repeated++;
			if (drive->slots[request->slot].done)
				xo_ring_message(&rig->ring, &rig->ring.luns[lun],
						&drive->slots[request->slot].reply);
		} else if (request->tag > drive->slots[request->slot].tag) {
			drive->slots[request->slot].tag = request->tag;
			drive->slots[request->slot].done = false;
			drive->slots[request->slot].request = world->queue[i].message;
		}
	}
	world->queued = 0;
}

bool rig_drive_reply(struct rig *rig, unsigned int lun)
{
	struct rig_drive *drive = &rig->world->drives[lun];
	int first = -1;

	for (int i = 0; i < XO_LINK_SLOTS_MAX; i++)
		if (drive->slots[i].tag && !drive->slots[i].done &&
		    (first < 0 || drive->slots[i].tag < drive->slots[first].tag))
			first = i;
	if (first < 0)
		return false;
	drive_run(rig->world, lun, (unsigned int)first);
	xo_ring_message(&rig->ring, &rig->ring.luns[lun], &drive->slots[first].reply);
	return true;
}

void rig_settle(struct rig *rig)
{
	bool more;

	do {
		more = rig->world->queued != 0;
		rig_drives_take(rig);
		for (unsigned int i = 0; i < RIG_LUNS; i++)
			while (rig_drive_reply(rig, i))
				more = true;
		for (unsigned int i = 0; i < RIG_LUNS; i++)
			if (rig->ring.luns[i].unsent)
				xo_ring_writable(&rig->ring, &rig->ring.luns[i]);
		more = more || rig->world->queued;
		xo_ring_publish(&rig->ring);
	} while (more);
}
