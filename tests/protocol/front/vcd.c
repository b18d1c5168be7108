// SPDX-License-Identifier: GPL-2.0-or-later
/* What the front negotiates of the class vcd: the ring's pages, large transfers, events. */
#include "rig.h"

#include <poll.h>
#include <stdlib.h>

struct events {
	unsigned int count, unit[4];
	enum xo_front_event event[4];
};

static void note_event(void *priv, unsigned int unit, enum xo_front_event event)
{
	struct events *events = priv;

	assert_in_range(events->count, 0, 3);
	events->unit[events->count] = unit;
	events->event[events->count++] = event;
}

static void vcd_negotiates_all_of_it(void **state)
{
	struct events events = { 0 };
	const struct xo_front_options options = {
		.type = "vcd", .slots = 62, .slot_size = 4096, .event = note_event, .priv = &events
	};
	struct rig *rig = *state;

	rig_start_vcd(rig, 2, 65536, &options);
	assert_int_equal(rig->fake.pages, 4);
	assert_int_equal(rig->fake.channels, 5);
	assert_int_equal(fake_read(&rig->fake, FAKE_VCD, "feature-persistent"), 1);
	assert_int_equal(fake_read(&rig->fake, FAKE_VCD, "feature-media-events"), 1);
	assert_int_equal(events.count, 0);
}

static evtchn_port_t rung(struct fake *fake)
{
	xenevtchn_port_or_error_t port = xenevtchn_pending(fake->evtchn);

	assert_true(port > 0);
	assert_int_equal(xenevtchn_unmask(fake->evtchn, (evtchn_port_t)port), 0);
	return (evtchn_port_t)port;
}

/* A request is announced by the channel that follows from what the backend asked for, and by that alone. */
static void vcd_rings_where_it_is_heard(void **state)
{
	static const struct xo_front_options options = { .type = "vcd",
							 .slots = 1,
							 .slot_size = 4096 };
	struct xo_front_command *command;
	struct vscsiif_request request;
	struct rig *rig = *state;
	struct fake *fake = &rig->fake;
	struct pollfd events = { .events = POLLIN };

	rig_start_vcd(rig, 2, 65536, &options);
	events.fd = xenevtchn_fd(fake->evtchn);
	while (poll(&events, 1, 0)) /* binding is an event */
		rung(fake);
	command = xo_front_take(rig->front);
	command->cdb_length = 6;
	for (unsigned int i = 0; i < 40; i++) {
		const RING_IDX asked = fake->shared->req_event;

		assert_int_equal(xo_front_submit(command), 0);
		assert_int_equal(rung(fake), fake->ports[asked % fake->channels]);
		rig_take(rig, &request);
		fake_good(fake, &request);
		rig_settle(rig);
		assert_int_equal(xo_front_state(rig->front), XO_FRONT_CONNECTED);
	}
	/* What was not asked for is not announced. */
	fake->shared->req_event += 5;
	assert_int_equal(xo_front_submit(command), 0);
	assert_int_equal(poll(&events, 1, 0), 0);
	rig_take(rig, &request);
	fake_good(fake, &request);
	rig_settle(rig);
	assert_int_equal(xo_front_submit(command), 0);
	rung(fake);
	rig_take(rig, &request);
	fake_good(fake, &request);
	rig_settle(rig);
	xo_front_give(command);
}

/* 62 commands at once, of which a ring of one page would hold 16; answered last first. */
static void vcd_fills_four_pages(void **state)
{
	static const struct xo_front_options options = { .type = "vcd",
							 .slots = 62,
							 .slot_size = 4096 };
	struct xo_front_command *commands[XO_FRONT_SLOTS_MAX];
	struct vscsiif_request requests[XO_FRONT_SLOTS_MAX];
	struct rig *rig = *state;
	unsigned int sent = 0;

	rig_start_vcd(rig, 2, 65536, &options);
	while (sent < XO_FRONT_SLOTS_MAX && (commands[sent] = xo_front_take(rig->front))) {
		commands[sent]->cdb_length = 6;
		assert_int_equal(xo_front_submit(commands[sent]), 0);
		rig_take(rig, &requests[sent++]);
	}
	assert_int_equal(sent, XO_FRONT_SLOTS_MAX);
	/* An ABORT has a place even now. */
	assert_int_equal(xo_front_abort(commands[0]), 0);
	while (sent-- > 0)
		fake_good(&rig->fake, &requests[sent]);
	rig_settle(rig);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_CONNECTED);
	assert_int_equal(xo_front_submit(commands[0]), 0);
	xo_front_drop(rig->front, XO_TRANSPORT_NO_CONNECT);
	for (sent = 0; sent < XO_FRONT_SLOTS_MAX; sent++)
		xo_front_give(commands[sent]);
}

/* A ring of one page bounds the slots, whatever was asked for. */
static void vcd_with_little_offered(void **state)
{
	static const struct xo_front_options options = { .type = "vcd",
							 .slots = 62,
							 .slot_size = 512 << 10 };
	struct xo_front_command *commands[XO_FRONT_SLOTS_MAX];
	struct rig *rig = *state;
	unsigned int slots = 0;

	rig_start_vcd(rig, 0, 65536 + 100, &options);
	assert_int_equal(rig->fake.pages, 1);
	assert_int_equal(rig->fake.channels, 1);
	assert_int_equal(xo_front_max_transfer(rig->front), 65536);
	while (slots < XO_FRONT_SLOTS_MAX && (commands[slots] = xo_front_take(rig->front)))
		slots++;
	assert_int_equal(slots, RING_SIZE(&rig->fake.ring) - XO_FRONT_CONTROLS);
	while (slots-- > 0)
		xo_front_give(commands[slots]);
}

static void vcd_moves_512_kib(void **state)
{
	static const struct xo_front_options options = { .type = "vcd",
							 .slots = 1,
							 .slot_size = 512 << 10 };
	const uint32_t size = 512 << 10;
	struct vscsiif_request request;
	struct xo_front_command *command;
	struct rig *rig = *state;
	uint8_t *data = malloc(size);

	rig_start_vcd(rig, 2, 1 << 20, &options);
	assert_int_equal(xo_front_max_transfer(rig->front), size);
	command = xo_front_take(rig->front);
	for (uint32_t i = 0; i < size; i++)
		command->data[i] = (uint8_t)(i * 7 + i / 4096);
	command->cdb[0] = 0x2a;
	command->cdb_length = 10;
	command->direction = XO_DIR_OUT;
	command->length = size;
	assert_int_equal(xo_front_submit(command), 0);
	rig_take(rig, &request);
	assert_int_equal(fake_copy(&rig->fake, &request, data, size, false), size);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(data[i], (uint8_t)(i * 7 + i / 4096));
	fake_good(&rig->fake, &request);
	rig_settle(rig);
	xo_front_give(command);
	free(data);
}

static void vcd_tells_events(void **state)
{
	struct events events = { 0 };
	const struct xo_front_options options = { .type = "vcd",
						  .event = note_event,
						  .priv = &events };
	struct rig *rig = *state;

	rig_start_vcd(rig, 2, 65536, &options);
	fake_write_number(&rig->fake, RIG_UNIT, "media-changes", 7);
	rig_settle(rig);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.event[0], XO_FRONT_MEDIUM_CHANGED);
	fake_write_number(&rig->fake, RIG_UNIT, "eject-requests", 1);
	rig_settle(rig);
	assert_int_equal(events.count, 2);
	assert_int_equal(events.event[1], XO_FRONT_EJECT_REQUESTED);
	assert_int_equal(events.unit[1], 0);
	/* Something else of the unit changes. */
	fake_write(&rig->fake, RIG_UNIT, "error", "none");
	rig_settle(rig);
	assert_int_equal(events.count, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_setup_empty, rig_teardown)

int rig_run_vcd(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vcd_negotiates_all_of_it), TEST(vcd_rings_where_it_is_heard),
		TEST(vcd_fills_four_pages),	TEST(vcd_with_little_offered),
		TEST(vcd_moves_512_kib),	TEST(vcd_tells_events),
	};

	return cmocka_run_group_tests_name("vcd", tests, NULL, NULL);
}
