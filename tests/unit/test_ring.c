/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring's core promises: every request one true answer, whatever the guest wrote. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "ring_expect.h"

enum { TO_DEVICE = 1, FROM_DEVICE = 2, NO_DATA = 3 };

static const uint8_t test_unit_ready[6] = { 0 };

static void cdb_rw(uint8_t cdb[10], bool write, uint32_t bytes)
{
	memset(cdb, 0, 10);
	cdb[0] = write ? 0x2a : 0x28;
	xo_put_be16(cdb + 7, bytes / 2048);
}

static struct vscsiif_request *put_tur(struct rig *rig, uint16_t rqid)
{
	return rig_command(rig, rqid, test_unit_ready, 6, NO_DATA, 0, 0);
}

static struct vscsiif_request *put_rw(struct rig *rig, uint16_t rqid, bool write, unsigned int page,
				      uint32_t bytes)
{
	uint8_t cdb[10];

	cdb_rw(cdb, write, bytes);
	return rig_command(rig, rqid, cdb, sizeof(cdb), write ? TO_DEVICE : FROM_DEVICE, page,
			   bytes);
}

static struct vscsiif_request *put_action(struct rig *rig, uint16_t rqid, uint8_t act,
					  uint16_t ref_rqid)
{
	struct vscsiif_request *request = rig_request(rig);

	request->rqid = rqid;
	request->act = act;
	request->ref_rqid = ref_rqid;
	request->cmd_len = 0;
	return request;
}

static struct rig *started(unsigned int pages)
{
	struct rig *rig = rig_new(pages);

	assert_int_equal(rig_start(rig), 0);
	return rig;
}

/* A command of each shape moves just its data, with one copy call for the data. */
static void test_commands(void **state)
{
	static const uint32_t sizes[] = { 2048, 4096, 65536, 26 * 4096, 131072, 524288 };
	struct rig *rig = started(1);
	uint8_t *buffer = rig->world->pages[2];

	(void)state;
	put_tur(rig, 1);
	rig_push(rig);
	assert_int_equal(xo_ring_serve(&rig->ring), XO_RING_SERVED);
	rig_expect_none(rig);
	rig_settle(rig);
	rig_expect(rig, 1, 0);
	assert_int_equal(rig->world->copied, 0);
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(sizes); i++) {
		uint64_t written = rig->world->drives[0].written;
		unsigned int calls = rig->world->copied;

		memset(rig->world->pages, 0, sizeof(rig->world->pages));
		put_rw(rig, 7, false, 2, sizes[i]);
		rig_push(rig);
		xo_ring_serve(&rig->ring);
		rig_settle(rig);
		rig_expect(rig, 7, 0);
		for (uint32_t j = 0; j < sizes[i]; j++)
			assert_int_equal(buffer[j], rig_pattern(j));
		assert_int_equal(buffer[sizes[i]], 0);
		assert_int_equal(rig->world->copied - calls, sizes[i] > 26 * 4096 ? 2 : 1);
		put_rw(rig, 8, true, 2, sizes[i]);
		rig_push(rig);
		xo_ring_serve(&rig->ring);
		rig_settle(rig);
		rig_expect(rig, 8, 0);
		assert_int_equal(rig->world->drives[0].written - written, sizes[i]);
	}
	assert_int_equal(xo_ring_in_flight(&rig->ring), 0);
	rig_free(rig);
}

/* The guest's buffer is the limit, the CDB's length another; the rest is residual. */
static void test_lengths(void **state)
{
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
	struct vscsiif_response response;
	struct rig *rig = started(1);
	uint8_t cdb[10];

	(void)state;
	rig_command(rig, 1, inquiry, 6, FROM_DEVICE, 2, 96);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	assert_int_equal(rig->world->queue[0].message.request.length, 36);
	rig_settle(rig);
	assert_true(rig_response(rig, &response));
	assert_int_equal(response.residual_len, 60);
	assert_int_equal(rig->world->pages[2][35], rig_pattern(35));
	assert_int_equal(rig->world->pages[2][36], 0);

	cdb_rw(cdb, false, 65536); /* more than the buffer */
	rig_command(rig, 2, cdb, 10, FROM_DEVICE, 2, 4096);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	assert_true(rig->world->queue[0].message.request.length <= 4096);
	rig_settle(rig);
	rig_expect(rig, 2, 0);
	assert_int_equal(rig->world->pages[3][0], 0);
	rig_free(rig);
}

/* A button's event that the guest has by its backend's counter is not in its next poll's answer as well. */
static void test_told_event(void **state)
{
	static const uint8_t poll[10] = { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 };
	static const uint8_t pressed[8] = { 0, 6, 4, 0x10, 0x01, 0x02 };
	static const uint8_t changed[8] = { 0, 6, 4, 0x10, 0x02, 0x02 };
	/* told before the poll, what the drive says, the code that the guest reads */
	static const struct {
		bool told;
		const uint8_t *says;
		uint8_t code;
	} polls[] = {
		{ false, pressed, 1 }, { true, pressed, 0 },  { false, pressed, 1 },
		{ true, changed, 2 },  { false, pressed, 1 },
	};
	struct rig *rig = started(1);

	(void)state;
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(polls); i++) {
		const uint16_t rqid = (uint16_t)i;

		if (polls[i].told)
			rig->ring.luns[0].eject_told = true;
		rig->world->drives[0].answer = polls[i].says;
		rig_command(rig, rqid, poll, sizeof(poll), FROM_DEVICE, 2, 8);
		rig_push(rig);
		xo_ring_serve(&rig->ring);
		rig_settle(rig);
		rig_expect(rig, rqid, 0);
		assert_int_equal(rig->world->pages[2][4], polls[i].code);
		assert_int_equal(rig->world->pages[2][5], 0x02);
	}
	rig_free(rig);
}

/* Status, sense and residual reach the guest unchanged; nothing is moved. */
static void test_check_condition(void **state)
{
	struct vscsiif_response response;
	struct rig *rig = started(1);

	(void)state;
	rig->world->drives[0].status = 2;
	put_rw(rig, 3, false, 2, 4096);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	rig_settle(rig);
	assert_true(rig_response(rig, &response));
	assert_int_equal(response.rslt, 2);
	assert_int_equal(response.sense_len, 18);
	assert_int_equal(response.sense_buffer[0], 0x70);
	assert_int_equal(response.residual_len, 4096);
	assert_int_equal(rig->world->pages[2][0], 0);
	rig_free(rig);
}

struct malformed {
	const char *name;
	void (*spoil)(struct rig *rig, struct vscsiif_request *request);
	int32_t rslt;
};

static void spoil_act(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->act = VSCSIIF_ACT_SCSI_SG_PRESET;
}
static void spoil_act_0(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->act = 0;
}
static void spoil_cmd_len_17(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->cmd_len = 17;
}
static void spoil_cmd_len_255(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->cmd_len = 255;
}
static void spoil_cmd_len_0(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->cmd_len = 0;
}
static void spoil_cmd_len_short(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->cmd_len = 6; /* of a READ(10) */
}
static void spoil_direction_0(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->sc_data_direction = 0;
}
static void spoil_direction_4(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->sc_data_direction = 4;
}
static void spoil_direction_out(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->sc_data_direction = TO_DEVICE;
}
static void spoil_segments_27(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->nr_segments = 27;
}
static void spoil_segments_127(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->nr_segments = 127;
}
static void spoil_indirect_27(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->nr_segments = 27 | VSCSIIF_SG_GRANT;
}
static void spoil_offset(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->seg[0].offset = 1;
}
static void spoil_offset_wraps(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->seg[0].offset = 0xffff;
	r->seg[0].length = 0xffff;
}
static void spoil_length(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->seg[1].length = 4097;
}
static void spoil_ref(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->seg[1].gref = 5;
}
static void spoil_revoked(struct rig *rig, struct vscsiif_request *r)
{
	(void)r;
	rig->world->revoked[3] = true;
}
static void spoil_read_only(struct rig *rig, struct vscsiif_request *r)
{
	(void)r;
	rig->world->read_only[3] = true;
}
static void make_indirect(struct rig *rig, struct vscsiif_request *r, uint16_t offset,
			  uint16_t length)
{
	vscsiif_segment_t *segments = (void *)rig->world->pages[1];

	for (unsigned int i = 0; i < VSCSIIF_SG_PER_PAGE; i++)
		segments[i] = (vscsiif_segment_t){ .gref = RIG_REF + 2, .length = 4096 };
	r->nr_segments = 1 | VSCSIIF_SG_GRANT;
	r->seg[0] = (vscsiif_segment_t){ .gref = RIG_REF + 1, .offset = offset, .length = length };
}
static void spoil_indirect_odd(struct rig *rig, struct vscsiif_request *r)
{
	make_indirect(rig, r, 0, 17);
}
static void spoil_indirect_offset(struct rig *rig, struct vscsiif_request *r)
{
	make_indirect(rig, r, 4088, 16);
}
static void spoil_indirect_129(struct rig *rig, struct vscsiif_request *r)
{
	make_indirect(rig, r, 0, 129 * 8);
}
static void spoil_indirect_twice(struct rig *rig, struct vscsiif_request *r)
{
	make_indirect(rig, r, 0, 100 * 8);
	r->nr_segments++;
	r->seg[1] = r->seg[0];
}
static void spoil_indirect_ref(struct rig *rig, struct vscsiif_request *r)
{
	make_indirect(rig, r, 0, 16);
	r->seg[0].gref = 1;
}
static void spoil_indirect_entry(struct rig *rig, struct vscsiif_request *r)
{
	vscsiif_segment_t *segments = (void *)rig->world->pages[1];

	make_indirect(rig, r, 0, 16);
	segments[1].offset = 4096;
	segments[1].length = 1;
}
static void spoil_lun(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->lun = 1;
}
static void spoil_channel(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->channel = 0x100;
}
static void spoil_id(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->id = 2;
}
static void spoil_reset_lun(struct rig *rig, struct vscsiif_request *r)
{
	(void)rig;
	r->act = VSCSIIF_ACT_SCSI_RESET;
	r->lun = 3;
}

#define HOST_ERROR XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_ERROR)
#define HOST_NO_CONNECT XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_NO_CONNECT)
#define CHECK_CONDITION 2

static const struct malformed malformed[] = {
	{ "deprecated action", spoil_act, HOST_ERROR },
	{ "action 0", spoil_act_0, HOST_ERROR },
	{ "cmd_len 17", spoil_cmd_len_17, HOST_ERROR },
	{ "cmd_len 255", spoil_cmd_len_255, HOST_ERROR },
	{ "cmd_len 0", spoil_cmd_len_0, HOST_ERROR },
	{ "cmd_len shorter than the opcode's", spoil_cmd_len_short, CHECK_CONDITION },
	{ "direction 0", spoil_direction_0, HOST_ERROR },
	{ "direction 4", spoil_direction_4, HOST_ERROR },
	{ "a READ to the device", spoil_direction_out, CHECK_CONDITION },
	{ "27 segments", spoil_segments_27, HOST_ERROR },
	{ "127 segments", spoil_segments_127, HOST_ERROR },
	{ "27 indirect pages", spoil_indirect_27, HOST_ERROR },
	{ "offset + length over the page", spoil_offset, HOST_ERROR },
	{ "offset + length wraps", spoil_offset_wraps, HOST_ERROR },
	{ "length over the page", spoil_length, HOST_ERROR },
	{ "bad reference", spoil_ref, HOST_ERROR },
	{ "revoked reference", spoil_revoked, HOST_ERROR },
	{ "read-only page for a READ", spoil_read_only, HOST_ERROR },
	{ "indirect length odd", spoil_indirect_odd, HOST_ERROR },
	{ "indirect over the page", spoil_indirect_offset, HOST_ERROR },
	{ "indirect, 129 segments", spoil_indirect_129, HOST_ERROR },
	{ "indirect, 200 segments in two pages", spoil_indirect_twice, HOST_ERROR },
	{ "indirect, bad reference", spoil_indirect_ref, HOST_ERROR },
	{ "indirect, bad segment", spoil_indirect_entry, HOST_ERROR },
	{ "no such lun", spoil_lun, HOST_NO_CONNECT },
	{ "no such channel", spoil_channel, HOST_NO_CONNECT },
	{ "no such id", spoil_id, HOST_NO_CONNECT },
	{ "reset of no such lun", spoil_reset_lun, XEN_VSCSIIF_RSLT_RESET_FAILED },
};

/* Each mistake has an error response, and a good request after it works. */
static void test_malformed(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(malformed); i++) {
		struct vscsiif_response response;
		struct rig *rig = started(1);

		malformed[i].spoil(rig, put_rw(rig, 40, false, 2, 8192));
		put_tur(rig, 41);
		rig_push(rig);
		xo_ring_serve(&rig->ring);
		rig_settle(rig);
		assert_true(rig_response(rig, &response));
		if (response.rqid != 40 || response.rslt != malformed[i].rslt)
			fail_msg("%s: rqid %u, rslt %#x", malformed[i].name, response.rqid,
				 (unsigned int)response.rslt);
		assert_int_equal(rig->world->pages[2 + 2][0], 0);
		rig_expect(rig, 41, 0);
		rig_free(rig);
	}
}

static uint32_t random_state;

/* xorshift32: the same on every machine. */
static uint32_t rnd(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

static void random_request(struct rig *rig, struct vscsiif_request *request)
{
	uint8_t *bytes = (uint8_t *)request;
	unsigned int spoils = rnd(6);

	if (rnd(4) == 0)
		for (unsigned int i = 0; i < sizeof(*request); i++)
			bytes[i] = (uint8_t)rnd(256);
	for (unsigned int i = 0; i < spoils; i++)
		bytes[rnd(rnd(2) ? 32 : sizeof(*request))] = (uint8_t)rnd(256);
	if (rnd(3) == 0)
		request->act = (uint8_t)(1 + rnd(3));
	if (rnd(2))
		request->channel = request->id = request->lun = 0;
	if (rnd(8) == 0)
		rig->world->revoked[rnd(RIG_PAGES)] ^= true;
}

/* 10,000 random requests: as many responses, and the ring still serves. */
static void test_random(void **state)
{
	const unsigned int rounds = 10000;
	struct rig *rig = started(1);
	struct vscsiif_response response;
	unsigned int sent = 0, got = 0;

	(void)state;
	random_state = 20240607;
	while (sent < rounds) {
		unsigned int batch = 1 + rnd(16);

		for (unsigned int i = 0; i < batch; i++) {
			random_request(rig, put_rw(rig, (uint16_t)sent, rnd(2), 1 + rnd(8),
						   2048 + rnd(120000)));
			sent++;
		}
		rig_push(rig);
		assert_int_not_equal(xo_ring_serve(&rig->ring), XO_RING_BROKEN);
		rig_settle(rig);
		while (rig_response(rig, &response))
			got++;
		assert_int_equal(got, sent);
		assert_int_equal(xo_ring_in_flight(&rig->ring), 0);
	}
	assert_true(rig->ring.ledger->bad_requests > rounds / 10);
	assert_true(rig->world->drives[0].executed > rounds / 100);
	memset(rig->world->revoked, 0, sizeof(rig->world->revoked));
	put_rw(rig, 77, false, 2, 8192);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	rig_settle(rig);
	rig_expect(rig, 77, 0);
	rig_free(rig);
}

/* req_prod outside the ring: the ring is left alone from then on. */
static void test_wild_producer(void **state)
{
	static const uint32_t ahead[] = { 17, 100, 0x80000000u, 0xffffffffu };

	(void)state;
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(ahead); i++) {
		struct rig *rig = started(1);

		put_tur(rig, 1);
		rig_push(rig);
		assert_int_equal(xo_ring_serve(&rig->ring), XO_RING_SERVED);
		rig->world->shared.sring.req_prod = ahead[i];
		assert_int_equal(xo_ring_serve(&rig->ring), XO_RING_BROKEN);
		assert_non_null(rig->ring.broken);
		rig_settle(rig);
		rig_expect_none(rig);
		rig_free(rig);
	}
}

/* The answer to an ABORT comes after that of its victim, whatever the drive says first. */
static void test_abort_order(void **state)
{
	struct rig *rig = started(1);
	struct rig_drive *drive = &rig->world->drives[0];
	struct xo_ring_lun *lun = &rig->ring.luns[0];
	union xo_link_message reply = { .reply = { .type = XO_LINK_REPLY } };
	const struct xo_link_request *abort_request;

	(void)state;
	put_rw(rig, 5, true, 2, 4096);
	put_tur(rig, 6);
	put_action(rig, 9, VSCSIIF_ACT_SCSI_ABORT, 5);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	assert_int_equal(rig->world->queued, 3);
	abort_request = &rig->world->queue[2].message.request;
	assert_int_equal(abort_request->kind, XO_LINK_ABORT);
	assert_int_equal(abort_request->target_tag, rig->world->queue[0].message.request.tag);
	reply.reply.slot = abort_request->slot;
	reply.reply.tag = abort_request->tag;
	xo_ring_message(&rig->ring, lun, &reply); /* a drive that answers in the wrong order */
	xo_ring_publish(&rig->ring);
	rig_expect_none(rig);
	reply.reply.slot = rig->world->queue[0].message.request.slot;
	reply.reply.tag = rig->world->queue[0].message.request.tag;
	reply.reply.transport = XO_TRANSPORT_ABORTED;
	xo_ring_message(&rig->ring, lun, &reply);
	xo_ring_publish(&rig->ring);
	rig_expect(rig, 5, XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_ABORT));
	rig_expect(rig, 9, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	rig_settle(rig);
	rig_expect(rig, 6, 0);
	(void)drive;

	/* One that is answered already, or never was, is a success. */
	put_action(rig, 10, VSCSIIF_ACT_SCSI_ABORT, 5);
	put_action(rig, 11, VSCSIIF_ACT_SCSI_ABORT, 999);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	rig_expect(rig, 10, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	rig_expect(rig, 11, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	rig_free(rig);
}

/* RESET is answered after everything of its unit that came before it, and disturbs no other. */
static void test_reset_order(void **state)
{
	struct rig *rig = started(1);
	union xo_link_message reply = { .reply = { .type = XO_LINK_REPLY } };
	struct rig_world *world = rig->world;

	(void)state;
	put_rw(rig, 1, false, 2, 4096);
	put_tur(rig, 2)->id = 1;
	put_action(rig, 3, VSCSIIF_ACT_SCSI_RESET, 0);
	put_tur(rig, 4);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	assert_int_equal(world->queued, 4);
	assert_int_equal(world->queue[2].message.request.kind, XO_LINK_RESET);
	for (unsigned int i = 2; i < 4; i++) {
		reply.reply.slot = world->queue[i].message.request.slot;
		reply.reply.tag = world->queue[i].message.request.tag;
		xo_ring_message(&rig->ring, &rig->ring.luns[0], &reply);
	}
	xo_ring_publish(&rig->ring);
	rig_expect(rig, 4, 0);
	rig_expect_none(rig);
	reply.reply.slot = world->queue[0].message.request.slot;
	reply.reply.tag = world->queue[0].message.request.tag;
	reply.reply.transport = XO_TRANSPORT_RESET;
	xo_ring_message(&rig->ring, &rig->ring.luns[0], &reply);
	xo_ring_publish(&rig->ring);
	rig_expect(rig, 1, XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_RESET));
	rig_expect(rig, 3, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	rig_expect_none(rig);
	rig_drives_take(rig);
	assert_true(rig_drive_reply(rig, 1));
	xo_ring_publish(&rig->ring);
	rig_expect(rig, 2, 0);
	rig_free(rig);
}

/* Responses of one turn share a notification, and none is sent when the guest asked for none. */
static void test_batches(void **state)
{
	struct rig *rig = started(1);
	unsigned int before;

	(void)state;
	for (uint16_t i = 0; i < 16; i++)
		put_tur(rig, i);
	rig_push(rig);
	rig->world->shared.sring.rsp_event = 1;
	before = rig->world->notified;
	xo_ring_serve(&rig->ring);
	rig_settle(rig);
	assert_int_equal(rig->world->notified - before, 1);
	for (uint16_t i = 0; i < 16; i++)
		rig_expect(rig, i, 0);
	rig->world->shared.sring.rsp_event = rig->world->rsp_cons + 100;
	put_tur(rig, 99);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	rig_settle(rig);
	assert_int_equal(rig->world->notified - before, 1);
	rig_expect(rig, 99, 0);
	rig_free(rig);
}

/* A drive that does not read gets its requests later, in order, and loses none. */
static void test_full_socket(void **state)
{
	struct rig *rig = started(1);
	uint64_t last = 0;

	(void)state;
	rig->world->accept = 3;
	for (uint16_t i = 0; i < 15; i++)
		put_tur(rig, i);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	assert_int_equal(rig->world->queued, 3);
	last = rig->world->queue[2].message.request.tag;
	rig_drives_take(rig);
	put_tur(rig, 15); /* there is room for it now, but others wait */
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	assert_int_equal(rig->world->queued, 0);
	xo_ring_writable(&rig->ring, &rig->ring.luns[0]);
	for (unsigned int sent = 3; sent < 16;) {
		for (unsigned int i = 0; i < rig->world->queued; i++, sent++) {
			assert_true(rig->world->queue[i].message.request.tag > last);
			last = rig->world->queue[i].message.request.tag;
		}
		rig_drives_take(rig);
		xo_ring_writable(&rig->ring, &rig->ring.luns[0]);
	}
	rig_settle(rig);
	assert_int_equal(rig->world->drives[0].executed, 16);
	assert_int_equal(rig->world->drives[0].repeated, 0);
	for (uint16_t i = 0; i < 16; i++)
		rig_expect(rig, i, 0);
	rig_free(rig);
}

/* A link that breaks answers its requests with NO_CONNECT, those of the other go on. */
static void test_lost_link(void **state)
{
	struct rig *rig = started(1);

	(void)state;
	put_tur(rig, 1);
	put_tur(rig, 2)->id = 1;
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	xo_ring_link_lost(&rig->ring, &rig->ring.luns[0], "test");
	xo_ring_publish(&rig->ring);
	rig_expect(rig, 1, HOST_NO_CONNECT);
	assert_int_equal(rig->world->lost, 1);
	put_tur(rig, 3);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	rig_expect(rig, 3, HOST_NO_CONNECT);
	rig_settle(rig);
	rig_expect(rig, 2, 0);
	rig_free(rig);
}

/* A restarted drive says HELLO and gets everything pending again; nothing is done twice. */
static void test_drive_restarts(void **state)
{
	static const union xo_link_message hello = {
		.hello = { .type = XO_LINK_HELLO,
			   .version = XO_LINK_VERSION,
			   .max_transfer = 65536 },
	};
	struct rig *rig = started(1);

	(void)state;
	for (uint16_t i = 0; i < 5; i++)
		put_tur(rig, i);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	rig_drives_take(rig);
	rig_drive_reply(rig, 0);
	xo_ring_message(&rig->ring, &rig->ring.luns[0], &hello);
	assert_int_equal(rig->world->queued, 4);
	rig_settle(rig);
	assert_int_equal(rig->world->drives[0].executed, 5);
	for (uint16_t i = 0; i < 5; i++)
		rig_expect(rig, i, 0);
	rig_expect_none(rig);
	assert_int_equal(rig->ring.luns[0].max_transfer, 65536);
	rig_free(rig);
}

/* A reply that comes twice, the second time when its slot has another command, answers only its own. */
static void test_late_reply(void **state)
{
	struct rig *rig = started(1);
	union xo_link_message stale = { .reply = { .type = XO_LINK_REPLY } };

	(void)state;
	for (uint16_t i = 0; i < 16; i++)
		put_tur(rig, i);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	stale.reply.slot = rig->world->queue[0].message.request.slot;
	stale.reply.tag = rig->world->queue[0].message.request.tag;
	rig_settle(rig);
	for (uint16_t i = 0; i < 16; i++)
		rig_expect(rig, i, 0);
	for (uint16_t i = 16; i < 32; i++)
		put_tur(rig, i);
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	xo_ring_message(&rig->ring, &rig->ring.luns[0], &stale);
	stale.reply.slot = 63; /* no entry of this ring */
	xo_ring_message(&rig->ring, &rig->ring.luns[0], &stale);
	xo_ring_publish(&rig->ring);
	rig_expect_none(rig);
	rig_settle(rig);
	for (uint16_t i = 16; i < 32; i++)
		rig_expect(rig, i, 0);
	rig_expect_none(rig);
	rig_free(rig);
}

/* All sizes of ring, many times around, full each time. */
static void test_wrap(void **state)
{
	static const unsigned int pages[] = { 1, 2, 4 };

	(void)state;
	for (unsigned int p = 0; p < 3; p++) {
		struct rig *rig = started(pages[p]);

		for (unsigned int round = 0; round < 50; round++) {
			for (uint16_t i = 0; i < pages[p] * 16; i++)
				put_tur(rig, i);
			rig_push(rig);
			xo_ring_serve(&rig->ring);
			rig_settle(rig);
			for (uint16_t i = 0; i < pages[p] * 16; i++)
				rig_expect(rig, i, 0);
		}
		assert_int_equal(rig->world->drives[0].executed, 50 * pages[p] * 16);
		rig_free(rig);
	}
}

/* A ledger in use must be of the same ring. */
static void test_wrong_ledger(void **state)
{
	struct rig *rig = started(1);

	(void)state;
	rig->world->ring_pages = 2;
	assert_int_equal(rig_start(rig), -EPROTO);
	rig->world->ring_pages = 3;
	assert_int_equal(rig_start(rig), -EINVAL);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),       cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_told_event),     cmocka_unit_test(test_check_condition),
		cmocka_unit_test(test_malformed),      cmocka_unit_test(test_random),
		cmocka_unit_test(test_wild_producer),  cmocka_unit_test(test_abort_order),
		cmocka_unit_test(test_reset_order),    cmocka_unit_test(test_batches),
		cmocka_unit_test(test_full_socket),    cmocka_unit_test(test_lost_link),
		cmocka_unit_test(test_drive_restarts), cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_wrap),	       cmocka_unit_test(test_wrong_ledger),
	};

	xo_log_open("test_ring", XO_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
