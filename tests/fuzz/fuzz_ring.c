/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the ring's core with a guest that writes anything anywhere at any
 * time, drives that answer in any order, and workers that are replaced. The
 * input is a list of steps; the rig (tests/unit/ring_rig.h) checks each message
 * to a drive, and every request of a ring that is not broken must be answered.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "ring_rig.h"

#define STEPS_MAX 400
#define LISTS 4 /* pages that hold segments */

enum step {
	RAW_REQUEST, /* as many bytes of a request as there are */
	COMMAND, /* a good one of given opcode, direction, length … */
	ACTION, /* ABORT or RESET */
	LIST, /* bytes into a page of segments */
	INDEX, /* an index of the ring, by the guest */
	REPLY, /* a drive answers, truly or not */
	LINK, /* HELLO, a lost link, a full socket, revoked pages */
	RESTART, /* another worker on the same ledger */
	STEPS,
	LENT = 0xe0, /* from this byte on: something with a lent drive */
};

static struct rig *rig;

/* A worker that dies has its lent drives closed by the kernel. */
static void start(void)
{
	for (unsigned int i = 0; i < XO_RING_LUNS_MAX; i++)
		if (rig->ring.luns[i].lent)
			close(rig->ring.luns[i].device);
	if (rig_start(rig))
		abort();
}

static void reset(unsigned int pages)
{
	struct rig_world *world;

	if (!rig) {
		xo_log_open("fuzz_ring", XO_LOG_ERROR);
		rig = rig_new(pages);
	}
	world = rig->world;
	memset(&world->shared, 0, sizeof(world->shared));
	memset(world->pages, 0, LISTS * sizeof(world->pages[0]));
	memset(world->region, 0, sizeof(world->region));
	memset(world->drives, 0, sizeof(world->drives));
	memset(world->revoked, 0, sizeof(world->revoked));
	memset(world->read_only, 0, sizeof(world->read_only));
	world->queued = world->accept = world->lost = 0;
	world->req_prod_pvt = world->rsp_cons = 0;
	world->ring_pages = pages;
	world->blind = true;
	SHARED_RING_INIT(&world->shared.sring);
	start();
}

/* Whether the guest keeps to the ring's size; past that it is free to break it. */
static bool room(void)
{
	return rig->world->req_prod_pvt - rig->world->rsp_cons < rig->world->ring_pages * 16;
}

static void raw_request(struct xo_reader *in)
{
	size_t length = xo_read_u8(in);
	struct vscsiif_request *request = rig_request(rig);
	const uint8_t *bytes;

	length = XO_MIN(length, XO_MIN(sizeof(*request), xo_reader_left(in)));
	bytes = xo_read_bytes(in, length);
	if (bytes)
		memcpy(request, bytes, length);
}

static void command(struct xo_reader *in)
{
	uint8_t cdb[16] = { 0 };
	uint8_t length = xo_read_u8(in) & 15;
	uint8_t how = xo_read_u8(in);
	uint32_t bytes = (uint32_t)xo_read_be16(in) * 8u;
	const uint8_t *given = xo_read_bytes(in, length);
	struct vscsiif_request *request;

	if (given)
		memcpy(cdb, given, length);
	request = rig_command(rig, how & 7, cdb, XO_MAX(length, (uint8_t)6), how >> 6, LISTS,
			      XO_MIN(bytes, (uint32_t)RIG_SLOT_SIZE));
	request->id = how >> 3 & 1;
}

static void action(struct xo_reader *in)
{
	struct vscsiif_request *request = rig_request(rig);
	uint8_t how = xo_read_u8(in);

	request->rqid = 8 + (how & 7);
	request->ref_rqid = how >> 3 & 7;
	request->id = how >> 6 & 1;
	request->act = how >> 7 ? VSCSIIF_ACT_SCSI_ABORT : VSCSIIF_ACT_SCSI_RESET;
}

static void list(struct xo_reader *in)
{
	uint8_t *page = rig->world->pages[xo_read_u8(in) % LISTS];
	size_t offset = xo_read_be16(in) % VSCSIIF_PAGE_SIZE;
	size_t length = xo_read_u8(in);
	const uint8_t *bytes;

	length = XO_MIN(length, XO_MIN(VSCSIIF_PAGE_SIZE - offset, xo_reader_left(in)));
	bytes = xo_read_bytes(in, length);
	if (bytes)
		memcpy(page + offset, bytes, length);
}

static void ring_index(struct xo_reader *in)
{
	struct vscsiif_sring *sring = &rig->world->shared.sring;
	RING_IDX *indices[] = { &sring->req_prod, &sring->req_event, &sring->rsp_prod,
				&sring->rsp_event };
	uint8_t how = xo_read_u8(in);

	*indices[how & 3] += how & 0x80 ? xo_read_be32(in) : (uint32_t)(how >> 2 & 31);
}

static void reply(struct xo_reader *in)
{
	union xo_link_message message = { .reply = { .type = XO_LINK_REPLY } };
	uint8_t how = xo_read_u8(in);
	unsigned int lun = how & 1;

	rig_drives_take(rig);
	if (how & 2) {
		rig_drive_reply(rig, lun);
		return;
	}
	message.reply.slot = xo_read_u8(in);
	message.reply.tag = rig->world->drives[lun].slots[message.reply.slot & 63].tag + (how >> 7);
	message.reply.status = xo_read_u8(in);
	message.reply.transport = how >> 2 & 15;
	message.reply.sense_length = xo_read_u8(in);
	message.reply.residual = xo_read_be24(in);
	if (!xo_link_validate(&message, sizeof(message.reply), rig->world->ring_pages * 16,
			      RIG_SLOT_SIZE))
		xo_ring_message(&rig->ring, &rig->ring.luns[lun], &message);
}

static void link_event(struct xo_reader *in)
{
	const union xo_link_message hello = { .hello = { .type = XO_LINK_HELLO, .version = 1 } };
	uint8_t how = xo_read_u8(in);
	struct xo_ring_lun *lun = &rig->ring.luns[how & 1];

	switch (how >> 1 & 7) {
	case 0:
		xo_ring_message(&rig->ring, lun, &hello);
		break;
	case 1:
		xo_ring_link_lost(&rig->ring, lun, "fuzz");
		break;
	case 2:
		rig->world->accept = how >> 4;
		break;
	case 3:
		xo_ring_writable(&rig->ring, lun);
		break;
	case 4:
		rig->world->revoked[how >> 4] ^= true;
		break;
	case 5:
		rig->world->read_only[how >> 4] ^= true;
		break;
	case 6:
		lun->leaving = true;
		break;
	default:
		rig->ring.stopped = how >> 4 == 15;
	}
}

/* A drive's word on a command, true or not, as the kernel writes it. */
static void answer(struct xo_ring_entry *entry, struct xo_reader *in)
{
	entry->io.hdr = (sg_io_hdr_t){ .status = xo_read_u8(in) };
	entry->io.hdr.host_status = xo_read_u8(in);
	entry->io.hdr.driver_status = xo_read_u8(in);
	entry->io.hdr.sb_len_wr = xo_read_u8(in);
	entry->io.hdr.resid = (int)xo_read_be32(in);
}

/* The next command that goes to a lent drive has run, or was refused. */
static void direct_ends(struct xo_reader *in, int error)
{
	struct xo_ring_lun *lun;
	struct xo_ring_entry *entry = xo_ring_direct_next(&rig->ring, &lun);

	if (!entry)
		return;
	if (!error)
		answer(entry, in);
	xo_ring_direct_done(&rig->ring, lun, entry, error);
	xo_ring_publish(&rig->ring);
	if (!xo_ring_direct_waits(&rig->ring))
		xo_ring_ask(&rig->ring);
}

static void lent(struct xo_reader *in)
{
	static const int errors[] = { -ENODEV, -EBUSY, -EIO, -ENXIO };
	uint8_t how = xo_read_u8(in);
	struct xo_ring_lun *lun = &rig->ring.luns[how & 1];
	struct xo_ring_entry *entry;

	switch (how >> 1 & 7) {
	case 0:
	case 1:
		xo_ring_lend(&rig->ring, lun, open("/dev/null", O_RDWR | O_CLOEXEC),
			     (how >> 4) * 8192u);
		break;
	case 2:
		xo_ring_recall(lun);
		break;
	case 3:
		direct_ends(in, errors[how >> 4 & 3]);
		break;
	case 4: /* the worker dies in it, or when it has ended */
		entry = xo_ring_direct_next(&rig->ring, &lun);
		if (entry && how >> 7)
			answer(entry, in);
		if (!rig->ring.broken)
			start();
		break;
	default:
		direct_ends(in, 0);
	}
}

/* Whatever was lent is back, and what was on its way is answered. */
static void end_direct(void)
{
	struct xo_reader nothing = xo_reader(NULL, 0);

	for (unsigned int i = 0; i < XO_RING_LUNS_MAX; i++)
		if (rig->ring.luns[i].used)
			xo_ring_recall(&rig->ring.luns[i]);
	while (xo_ring_direct_waits(&rig->ring))
		direct_ends(&nothing, 0);
}

static void serve(uint8_t how)
{
	if (!(how & 3))
		return;
	rig_push(rig);
	if (how & 0x80)
		xo_ring_serve_on(&rig->ring);
	else
		xo_ring_serve(&rig->ring);
}

static void step(struct xo_reader *in)
{
	uint8_t what = xo_read_u8(in);

	if (what >= LENT) {
		lent(in);
		what = STEPS;
	} else {
		what %= STEPS;
	}
	switch ((enum step)what) {
	case RAW_REQUEST:
		if (room())
			raw_request(in);
		break;
	case COMMAND:
		if (room())
			command(in);
		break;
	case ACTION:
		if (room())
			action(in);
		break;
	case LIST:
		list(in);
		return;
	case INDEX:
		ring_index(in);
		break;
	case REPLY:
		reply(in);
		break;
	case LINK:
		link_event(in);
		break;
	case RESTART:
		if (!rig->ring.broken)
			start();
		return;
	default:
		break;
	}
	/* The guest announces what it has put there more often than not. */
	serve(xo_read_u8(in));
	xo_ring_publish(&rig->ring);
	rig->world->rsp_cons = rig->ring.back.rsp_prod_pvt; /* the shared one may be a lie */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xo_reader in = xo_reader(data, size);

	reset(1u << xo_read_u8(&in) % 3);
	for (unsigned int i = 0; i < STEPS_MAX && xo_reader_left(&in); i++)
		step(&in);
	rig->world->accept = 0;
	end_direct();
	rig_settle(rig);
	if (!rig->ring.broken && xo_ring_in_flight(&rig->ring))
		abort(); /* a request without an answer */
	return 0;
}
