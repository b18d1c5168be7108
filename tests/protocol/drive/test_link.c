/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The drive process as its launcher and its clients see it: commands and their
 * results, duplicates, aborts, a slow drive, clients that lie, stall and die.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "harness.h"
#include "mmc/opcode.h"
#include "mmc/sense.h"

#define UUID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define UUID_B "bbbbbbbb-0000-0000-0000-000000000002"

static const uint8_t read_one[10] = { XO_OP_READ_10, 0, 0, 0, 0, 16, 0, 0, 1 };
static const uint8_t blank[12] = { XO_OP_BLANK };

static struct harness h;
static struct client *a;

static int setup(void **state)
{
	(void)state;
	harness_init(&h, false);
	harness_start(&h);
	harness_check_sandbox(&h);
	a = harness_client(&h, 1, 1, UUID_A);
	assert_string_equal(client_add(a), "held");
	while (!a->hellos)
		harness_pump(&h, 100);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	h.restart = false;
	if (h.pid > 0)
		harness_stop(&h);
	harness_fini(&h);
	return 0;
}

static void arm(uint8_t opcode, struct fake_fate fate)
{
	fate.opcode = opcode;
	for (unsigned int i = 0; i < FAKE_SCRIPT; i++)
		if (!h.fake->script[i].armed) {
			h.fake->script[i] = fate;
			h.fake->script[i].armed = 1;
			return;
		}
	fail();
}

/* A call that is not on its list is its end. */
static void test_forbidden_calls(void **state)
{
	(void)state;
	for (uint32_t call = 1; call <= 7; call++) {
		int status;

		h.fake->misbehave = call;
		client_send(a, 0, (uint8_t[6]){ 0 }, 6, XO_DIR_NONE, 0);
		status = harness_wait_end(&h);
		h.fake->misbehave = 0;
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("forbidden call %u ended with status %x", call, status);
		harness_start(&h);
		client_wait(a, 0);
	}
	assert_int_equal(h.commands, h.fake->commands - 1);
}

static void test_read_and_write(void **state)
{
	const struct xo_link_reply *reply;
	uint8_t expected[FAKE_SECTOR_SIZE];

	(void)state;
	client_write10(a, 3, 16, 4, 99);
	reply = client_wait(a, 3);
	assert_int_equal(reply->transport, 0);
	assert_int_equal(reply->status, 0);
	assert_int_equal(reply->residual, 0);
	reply = client_do(a, read_one, sizeof(read_one), XO_DIR_IN, 4096);
	assert_int_equal(reply->status, 0);
	assert_int_equal(reply->residual, 2048);
	fill_sector(expected, 16, 99);
	assert_memory_equal(client_data(a, 0), expected, sizeof(expected));
	assert_int_equal(a->hellos, 1);
	assert_int_equal(a->max_transfer, 64 << 10);
	assert_true(a->notices & 1u << XO_NOTICE_LEASE_HELD);
}

/* The drive's time-out is the longer of the table's and the client's, in ms. */
static void test_timeout(void **state)
{
	const struct fake_logged *last;

	(void)state;
	client_tur(a);
	last = &h.fake->log[h.fake->logged - 1];
	assert_int_equal(last->timeout, 240000);
	client_do(a, blank, sizeof(blank), XO_DIR_NONE, 0);
	assert_int_equal(h.fake->log[h.fake->logged - 1].timeout, 18000000);
}

/* What the kernel says about a command, and what the guest gets. */
static void test_results(void **state)
{
	static const struct {
		struct fake_fate fate;
		uint8_t transport;
		uint8_t status;
		uint32_t kcq;
		uint32_t residual;
	} cases[] = {
		{ { .status = 2,
		    .driver_status = 8,
		    .sense_length = 18,
		    .resid = 2048,
		    .sense = { 0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x11, 5 } },
		  0,
		  2,
		  0x031105,
		  2048 },
		/* a time-out comes with status 0 */
		{ { .host_status = 3 }, XO_TRANSPORT_TIMEOUT, 0, 0, 0 },
		{ { .driver_status = 6 }, XO_TRANSPORT_TIMEOUT, 0, 0, 0 },
		{ { .host_status = 2 }, XO_TRANSPORT_BUSY, 0, 0, 0 },
		{ { .host_status = 5 }, XO_TRANSPORT_ABORTED, 0, 0, 0 },
		{ { .host_status = 7 }, XO_TRANSPORT_ERROR, 0, 0, 0 },
		{ { .host_status = 8 }, XO_TRANSPORT_RESET, 0, 0, 0 },
		{ { .host_status = 0x4711 }, XO_TRANSPORT_ERROR, 0, 0, 0 },
		{ { .error = EINVAL }, XO_TRANSPORT_ERROR, 0, 0, 2048 },
		{ { .error = ENOMEM }, XO_TRANSPORT_BUSY, 0, 0, 2048 },
		{ { .status = 8 }, 0, 8, 0, 0 },
		/* numbers out of their range; above the length it is an overflow, and all is there */
		{ { .resid = 2047 }, 0, 0, 0, 2047 },
		{ { .resid = 2048 + 14 }, 0, 0, 0, 0 },
		{ { .resid = INT_MAX }, 0, 0, 0, 0 },
		{ { .resid = INT_MIN }, 0, 0, 0, 0 },
		{ { .resid = -5 }, 0, 0, 0, 0 },
		{ { .status = 2,
		    .sense_length = 255,
		    .sense = { 0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 4, 8 } },
		  0,
		  2,
		  0x020408,
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++) {
		const struct xo_link_reply *reply;

		arm(XO_OP_READ_10, cases[i].fate);
		reply = client_do(a, read_one, sizeof(read_one), XO_DIR_IN, 2048);
		if (reply->transport != cases[i].transport || reply->status != cases[i].status ||
		    reply_kcq(reply) != cases[i].kcq || reply->residual != cases[i].residual ||
		    reply->sense_length > XO_SENSE_MAX)
			fail_msg("case %zu: transport %u, status %u, %06x, residual %u", i,
				 reply->transport, reply->status, reply_kcq(reply),
				 reply->residual);
	}
}

/* A resent command is answered from what is kept; the drive does not see it again. */
static void test_duplicates(void **state)
{
	union xo_link_message message;
	uint64_t commands;

	(void)state;
	client_write10(a, 5, 100, 1, 1);
	client_wait(a, 5);
	commands = h.fake->commands;
	for (unsigned int i = 0; i < 3; i++) {
		message.request = a->slot[5].request;
		client_send_raw(a, &message, sizeof(message.request));
		a->slot[5].sent = true;
		client_wait(a, 5);
	}
	assert_int_equal(a->slot[5].replies, 4);
	assert_int_equal(h.fake->commands, commands);
	assert_int_equal(h.fake->written[100], 1);
	assert_int_equal(harness_counter(&h, "duplicates"), 3);
	/* An older tag is dropped without a word. */
	client_write10(a, 5, 101, 1, 1);
	client_wait(a, 5);
	client_send_raw(a, &message, sizeof(message.request));
	client_tur(a);
	assert_int_equal(h.fake->written[100], 1);
}

/* While the drive is busy for long: duplicates, new requests, aborts and queries. */
static void test_slow_drive(void **state)
{
	union xo_link_message message;
	json_t *query;

	(void)state;
	h.fake->delay_ms[XO_OP_BLANK] = 1500;
	client_send(a, 0, blank, sizeof(blank), XO_DIR_NONE, 0);
	while (!__atomic_load_n(&h.fake->running, __ATOMIC_SEQ_CST))
		usleep(1000);
	message.request = a->slot[0].request;
	client_send_raw(a, &message, sizeof(message.request));
	client_write10(a, 1, 7, 1, 1);
	client_write10(a, 2, 8, 1, 1);
	client_send_kind(a, 3, XO_LINK_ABORT, 1);
	client_send_kind(a, 4, XO_LINK_ABORT, 0);
	client_wait(a, 3);
	assert_false(a->slot[1].sent); /* the target's reply comes first */
	assert_int_equal(a->slot[1].reply.transport, XO_TRANSPORT_ABORTED);
	query = harness_query(&h);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(query, "running"), "opcode")),
		"BLANK");
	json_decref(query);
	assert_true(a->slot[0].sent);
	assert_true(a->slot[4].sent);
	client_wait(a, 4);
	assert_false(a->slot[0].sent);
	assert_int_equal(a->slot[0].reply.status, 0);
	client_wait(a, 2);
	assert_int_equal(h.fake->written[7], 0);
	assert_int_equal(h.fake->written[8], 1);
	assert_int_equal(a->slot[0].replies, 1);
}

/* A command that nobody expected to be slow: the other thread notices. */
static void test_unexpectedly_slow(void **state)
{
	json_t *query;

	(void)state;
	h.fake->delay_ms[XO_OP_TEST_UNIT_READY] = 400;
	client_send(a, 0, (uint8_t[6]){ 0 }, 6, XO_DIR_NONE, 0);
	while (!__atomic_load_n(&h.fake->running, __ATOMIC_SEQ_CST))
		usleep(1000);
	query = harness_query(&h);
	assert_true(a->slot[0].sent);
	assert_false(json_is_null(json_object_get(query, "running")));
	json_decref(query);
	client_wait(a, 0);
	h.fake->delay_ms[XO_OP_TEST_UNIT_READY] = 0;
	for (unsigned int i = 0; i < 200; i++)
		client_tur(a);
}

static void test_reset(void **state)
{
	static const uint8_t prevent[6] = { XO_OP_PREVENT_ALLOW, 0, 0, 0, 1 };

	(void)state;
	client_do(a, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	assert_int_equal(h.fake->locked, 1);
	h.fake->delay_ms[XO_OP_BLANK] = 300;
	client_send(a, 0, blank, sizeof(blank), XO_DIR_NONE, 0);
	client_write10(a, 1, 7, 1, 1);
	client_send_kind(a, 2, XO_LINK_RESET, 0);
	client_wait(a, 2);
	assert_int_equal(a->slot[0].reply.transport, 0);
	assert_int_equal(a->slot[1].reply.transport, XO_TRANSPORT_RESET);
	assert_int_equal(h.fake->written[7], 0);
	assert_int_equal(h.fake->locked, 0);
}

static void test_split(void **state)
{
	static const uint8_t read_more[10] = { XO_OP_READ_10, 0, 0, 0, 2, 0, 0, 0, 100 };
	const struct fake_fate busy = {
		.status = 2,
		.driver_status = 8,
		.sense_length = 18,
		.resid = 32 * 2048,
		.sense = { 0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 4, 8 },
	};
	uint8_t expected[FAKE_SECTOR_SIZE];
	const struct xo_link_reply *reply;

	(void)state;
	client_write10(a, 0, 512, 100, 3);
	reply = client_wait(a, 0);
	assert_int_equal(reply->status, 0);
	assert_int_equal(reply->residual, 0);
	for (unsigned int i = 512; i < 612; i++)
		assert_int_equal(h.fake->written[i], 1);
	assert_int_equal(h.fake->writes, 4);
	memset(client_data(a, 0), 0, 100 * 2048);
	client_do(a, read_more, sizeof(read_more), XO_DIR_IN, 100 * 2048);
	for (unsigned int i = 0; i < 100; i++) {
		fill_sector(expected, 512 + i, 3);
		assert_memory_equal(client_data(a, 0) + i * 2048, expected, 2048);
	}
	/* "Not ready yet" on the first part is the guest's, on a later one it is retried. */
	arm(XO_OP_WRITE_10, busy);
	client_write10(a, 0, 1000, 64, 4);
	reply = client_wait(a, 0);
	assert_int_equal(reply_kcq(reply), XO_SENSE_LONG_WRITE_IN_PROGRESS);
	assert_int_equal(reply->residual, 64 * 2048);
	arm(XO_OP_WRITE_10, (struct fake_fate){ .carried_out = 1 });
	arm(XO_OP_WRITE_10, busy);
	arm(XO_OP_WRITE_10, busy);
	client_write10(a, 0, 1000, 64, 4);
	reply = client_wait(a, 0);
	assert_int_equal(reply->status, 0);
	for (unsigned int i = 1000; i < 1064; i++)
		assert_int_equal(h.fake->written[i], 1);
	/* Only the buffer is too large for the host. */
	client_do(a, read_one, sizeof(read_one), XO_DIR_IN, 128 << 10);
	assert_int_equal(a->slot[0].reply.status, 0);
	assert_int_equal(a->slot[0].reply.residual, (128 << 10) - 2048);
	/* What cannot be cut. */
	reply = client_do(a, (uint8_t[10]){ XO_OP_READ_BUFFER, 2, 0, 0, 0, 0, 2 }, 10, XO_DIR_IN,
			  128 << 10);
	assert_int_equal(reply_kcq(reply), XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(harness_counter(&h, "split"), 4);
}

/* A direction against the CDB, and a CDB that is too short. */
static void test_contradictions(void **state)
{
	const struct xo_link_reply *reply;
	uint64_t commands = h.fake->commands;

	(void)state;
	reply = client_do(a, read_one, sizeof(read_one), XO_DIR_OUT, 2048);
	assert_int_equal(reply_kcq(reply), XO_SENSE_INVALID_FIELD_IN_CDB);
	reply = client_do(a, read_one, 6, XO_DIR_IN, 2048);
	assert_int_equal(reply_kcq(reply), XO_SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(h.fake->commands, commands);
}

static void test_policy(void **state)
{
	static const uint8_t firmware[10] = { XO_OP_WRITE_BUFFER, 5 };
	const struct xo_link_reply *reply;
	uint64_t commands = h.fake->commands;
	char *log;

	(void)state;
	reply = client_do(a, firmware, sizeof(firmware), XO_DIR_NONE, 0);
	assert_int_equal(reply_kcq(reply) >> 16, XO_KEY_ILLEGAL_REQUEST);
	for (unsigned int i = 0; i < 1000; i++)
		client_do(a, (uint8_t[12]){ 0xd8 }, 12, XO_DIR_NONE, 0);
	assert_int_equal(reply_kcq(&a->slot[0].reply) >> 16, XO_KEY_ILLEGAL_REQUEST);
	assert_int_equal(h.fake->commands, commands);
	assert_int_equal(harness_counter(&h, "refused"), 1001);
	log = harness_log(&h);
	assert_non_null(strstr(log, "guest: WRITE BUFFER"));
	assert_true(strlen(log) < 10000);
	free(log);
}

static void test_read_only_link(void **state)
{
	const struct xo_link_reply *reply;

	(void)state;
	assert_null(client_remove(a, false));
	a = harness_client(&h, 2, 2, UUID_B);
	a->mode = "ro";
	client_add(a);
	harness_wait_lease(&h, "held");
	client_write10(a, 0, 5, 1, 1);
	reply = client_wait(a, 0);
	assert_int_equal(reply_kcq(reply), XO_SENSE_WRITE_PROTECTED);
	reply = client_do(a, blank, sizeof(blank), XO_DIR_NONE, 0);
	assert_int_equal(reply_kcq(reply), XO_SENSE_WRITE_PROTECTED);
	reply = client_do(a, (uint8_t[10]){ XO_OP_SEND_CUE_SHEET, 0, 0, 0, 0, 0, 0, 0, 8 }, 10,
			  XO_DIR_OUT, 8);
	assert_int_equal(reply_kcq(reply), XO_SENSE_INVALID_OPCODE);
	reply = client_do(a, read_one, sizeof(read_one), XO_DIR_IN, 2048);
	assert_int_equal(reply->status, 0);
	assert_int_equal(h.fake->written[5], 0);
}

/* A client that breaks the rules loses its link; the launcher is told and others go on. */
static void test_liar(void **state)
{
	struct xo_link_request request = { .type = XO_LINK_REQUEST, .kind = XO_LINK_COMMAND };
	json_t *event;

	(void)state;
	client_send_raw(a, &request, sizeof(request));
	event = harness_event(&h, XO_DRIVE_EVENT_LINK_CLOSED);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "data"), "lin"
											    "k")),
			 1);
	json_decref(event);
	assert_string_equal(harness_lease(&h), "held");
	assert_null(client_remove(a, true));
	a = harness_client(&h, 2, 2, UUID_B);
	assert_non_null(client_add(a));
	harness_wait_lease(&h, "held");
	client_tur(a);
	assert_int_equal(a->slot[0].reply.status, 0);
}

/* A slot that is under way is used again: a lie as well. */
static void test_slot_reused(void **state)
{
	(void)state;
	h.fake->delay_ms[XO_OP_BLANK] = 200;
	client_send(a, 0, blank, sizeof(blank), XO_DIR_NONE, 0);
	client_send(a, 0, blank, sizeof(blank), XO_DIR_NONE, 0);
	json_decref(harness_event(&h, XO_DRIVE_EVENT_LINK_CLOSED));
}

/* A client that does not read: it is not read from either, and costs nobody else anything. */
static void test_stall(void **state)
{
	struct client *b;
	union xo_link_message message;
	unsigned int sent = 0;

	(void)state;
	client_tur(a);
	message.request = a->slot[0].request;
	while (xo_link_send(&a->link, &message) == 0 && sent < 100000) {
		sent++;
		if (sent % 64 == 0)
			usleep(1000);
	}
	assert_true(sent < 100000);
	b = harness_client(&h, 2, 2, UUID_B);
	a->added = false; /* not read by the harness */
	assert_string_equal(client_add(b), "waiting");
	assert_null(client_remove(a, true));
	harness_wait_lease(&h, "held");
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
}

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Malformed in one field each, or from end to end. */
static void malform(struct xo_link_request *request, size_t *size, uint32_t *random)
{
	uint32_t pick = random_next(random);

	*request = (struct xo_link_request){ .type = XO_LINK_REQUEST,
					     .kind = XO_LINK_COMMAND,
					     .cdb_length = 6,
					     .tag = 1000000 + random_next(random) };
	*size = sizeof(*request);
	switch (pick % 10) {
	case 0:
		request->slot = (uint8_t)(HARNESS_SLOTS + pick / 16 % 200);
		break;
	case 1:
		request->direction = (uint8_t)(3 + pick / 16 % 200);
		break;
	case 2:
		request->length = 1 + pick / 16;
		break;
	case 3:
		request->direction = XO_DIR_IN;
		request->length = HARNESS_SLOT_SIZE + 1 + pick / 16;
		break;
	case 4:
		request->cdb_length = (uint8_t)(pick / 16 % 6);
		break;
	case 5:
		request->cdb_length = (uint8_t)(17 + pick / 16 % 200);
		break;
	case 6:
		request->reserved = 1 + pick / 16;
		break;
	case 7:
		request->type = pick & 16 ? 0 : 3 + pick / 16;
		break;
	case 8:
		*size = pick / 16 % sizeof(*request);
		break;
	default:
		for (size_t i = 0; i < sizeof(*request); i++)
			((uint8_t *)request)[i] = (uint8_t)random_next(random);
	}
}

static void test_malformed(void **state)
{
	uint32_t random = 4711;

	(void)state;
	h.slots = 1;
	h.slot_size = 4096;
	/* Each ends its link. */
	for (unsigned int i = 0; i < 10000; i++) {
		struct xo_link_request request;
		size_t size;

		malform(&request, &size, &random);
		client_send_raw(a, &request, size);
		json_decref(harness_event(&h, XO_DRIVE_EVENT_LINK_CLOSED));
		json_array_clear(h.events);
		assert_null(client_remove(a, true));
		xo_link_close(&a->link);
		close(a->server_fd);
		close(a->arena_fd);
		memset(a, 0, sizeof(*a));
		a = harness_client(&h, i + 2, 1, UUID_A);
		assert_non_null(client_add(a));
	}
	harness_wait_lease(&h, "held");
	client_tur(a);
	assert_int_equal(a->slot[0].reply.status, 0);
}

/* Well formed, and senseless: the drive answers each, and its neighbours' memory is their own. */
static void test_random_commands(void **state)
{
	uint32_t random = 815;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		unsigned int slot = i % HARNESS_SLOTS;
		uint8_t cdb[16];
		uint32_t pick = random_next(&random);
		enum xo_direction direction = (enum xo_direction)(pick % 3);
		uint32_t length = direction ? 1 + random_next(&random) % HARNESS_SLOT_SIZE : 0;

		for (size_t n = 0; n < sizeof(cdb); n++)
			cdb[n] = (uint8_t)random_next(&random);
		if (cdb[0] == XO_OP_READ_10 || cdb[0] == XO_OP_WRITE_10)
			xo_put_be16(cdb + 7, cdb[8] % 16);
		client_wait(a, slot);
		client_send(a, slot, cdb, 6 + pick / 4 % 11, direction, length);
	}
	for (unsigned int slot = 0; slot < HARNESS_SLOTS; slot++)
		client_wait(a, slot);
	client_tur(a);
	assert_int_equal(a->slot[0].reply.status, 0);
}

static void test_control_errors(void **state)
{
	(void)state;
	assert_string_equal(harness_try(&h, "no-such", NULL), XO_DRIVE_ERROR_COMMAND);
	assert_string_equal(harness_try(&h, XO_DRIVE_ADD_LINK, json_object()),
			    XO_DRIVE_ERROR_ARGUMENTS);
	assert_string_equal(harness_try(&h, XO_DRIVE_REMOVE_LINK, json_object()),
			    XO_DRIVE_ERROR_ARGUMENTS);
	assert_string_equal(harness_try(&h, XO_DRIVE_QUERY_DESCRIPTION, NULL),
			    XO_DRIVE_ERROR_UNSUPPORTED);
	assert_null(harness_try(&h, XO_DRIVE_REMOVE_LINK, json_pack("{s:i}", "link", 99)));
	assert_null(harness_try(&h, XO_DRIVE_QUERY_COMMANDS, NULL));
	assert_null(harness_try(&h, XO_DRIVE_EJECT, NULL));
}

/* Nobody holds the launcher's end of the channel any more: the process ends by itself. */
static void test_launcher_gone(void **state)
{
	(void)state;
	close(h.control);
	h.control = -1;
	assert_int_equal(harness_wait_end(&h), 0);
}

/* --mode ro, --allow, --trace-fd, --speed, --fault, and the poll. */
static void test_options(void **state)
{
	static const uint8_t firmware[10] = { XO_OP_WRITE_BUFFER, 5, 0, 0, 0, 0, 0, 0, 16 };
	char text[4096] = "";
	int fd = fcntl(memfd_create("trace", MFD_CLOEXEC), F_DUPFD, 60); /* inherited */
	char number[16];

	(void)state;
	harness_init(&h, false);
	harness_arg(&h, "--mode");
	harness_arg(&h, "ro");
	harness_arg(&h, "--allow");
	harness_arg(&h, "microcode");
	harness_arg(&h, "--trace-fd");
	snprintf(number, sizeof(number), "%d", fd);
	harness_arg(&h, number);
	harness_arg(&h, "--fault");
	harness_arg(&h, "1:1000:timeout:1b,1:1000:busy:25");
	harness_arg(&h, "--speed");
	harness_arg(&h, "100000");
	harness_start(&h);
	a = harness_client(&h, 1, 1, UUID_A);
	client_add(a);
	client_write10(a, 0, 5, 1, 1);
	client_wait(a, 0);
	assert_int_equal(reply_kcq(&a->slot[0].reply), XO_SENSE_WRITE_PROTECTED);
	client_do(a, firmware, sizeof(firmware), XO_DIR_OUT, 16);
	assert_int_equal(a->slot[0].reply.status, 0);
	client_do(a, (uint8_t[6]){ XO_OP_START_STOP_UNIT }, 6, XO_DIR_NONE, 0);
	assert_int_equal(a->slot[0].reply.transport, XO_TRANSPORT_TIMEOUT);
	client_do(a, (uint8_t[10]){ XO_OP_READ_CAPACITY }, 10, XO_DIR_IN, 8);
	assert_int_equal(a->slot[0].reply.transport, XO_TRANSPORT_BUSY);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "WRITE_10"));
	assert_non_null(strstr(text, "sense=70000700"));
	close(fd);
}

/* Nobody polls but us: the client is told at once, and its own poll gets the event. */
static void test_poll(void **state)
{
	static const uint8_t get_event[10] = { XO_OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8 };
	json_t *event;

	(void)state;
	harness_init(&h, false);
	harness_arg(&h, "--poll-ms");
	harness_arg(&h, "20");
	harness_start(&h);
	a = harness_client(&h, 1, 1, UUID_A);
	client_add(a);
	h.fake->event = 1;
	while (!(a->notices >> XO_NOTICE_EJECT_REQUEST & 1))
		harness_pump(&h, 100);
	event = harness_event(&h, XO_DRIVE_EVENT_MEDIUM);
	assert_string_equal(json_string_value(json_object_get(json_object_get(event, "data"), "medi"
											      "u"
											      "m")),
			    "present");
	json_decref(event);
	client_do(a, get_event, sizeof(get_event), XO_DIR_IN, 8);
	assert_int_equal(client_data(a, 0)[4], 1);
	/* Nothing is asked while a write session is open. */
	client_write10(a, 0, 0, 1, 1);
	client_wait(a, 0);
	h.fake->event = 3;
	harness_pump(&h, 100);
	usleep(200000);
	assert_int_equal(h.fake->event, 3);
	client_do(a, (uint8_t[10]){ XO_OP_SYNCHRONIZE_CACHE }, 10, XO_DIR_NONE, 0);
	while (!(a->notices >> XO_NOTICE_MEDIUM_REMOVED & 1))
		harness_pump(&h, 100);
}

static int run_with(const char *const *args)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open("/dev/null", O_WRONLY);

		dup2(fd, 1);
		dup2(fd, 2);
		execv(h.program, (char *const *)(uintptr_t)args);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_usage(void **state)
{
	static const char *const bad[][6] = {
		{ "drive", NULL },
		{ "drive", "--name", "x", NULL },
		{ "drive", "--name", "x", "--burner", "more", NULL },
		{ "drive", "--name", "x", "--device", "2", NULL },
		{ "drive", "--name", "x", "--burner", "--mode=wo", NULL },
		{ "drive", "--name", "x", "--burner", "--allow=everything", NULL },
		{ "drive", "--name", "x", "--burner", "--speed=-1", NULL },
		{ "drive", "--name", "x", "--burner", "--log=9", NULL },
		{ "drive", "--name", "x", "--burner", "--nonsense", NULL },
		{ "drive", "--name", "x", "--burner", NULL }, /* no descriptors */
	};
	static const char *const help[] = { "drive", "--help", NULL };
	static const char *const size[] = { "drive", "--ledger-size", NULL };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(bad); i++)
		if (run_with(bad[i]) != XO_DRIVE_EXIT_USAGE)
			fail_msg("usage case %zu", i);
	assert_int_equal(run_with(help), 0);
	assert_int_equal(run_with(size), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_forbidden_calls),
		TEST(test_read_and_write),
		TEST(test_timeout),
		TEST(test_results),
		TEST(test_duplicates),
		TEST(test_slow_drive),
		TEST(test_unexpectedly_slow),
		TEST(test_reset),
		TEST(test_split),
		TEST(test_contradictions),
		TEST(test_policy),
		TEST(test_read_only_link),
		TEST(test_liar),
		TEST(test_slot_reused),
		TEST(test_stall),
		TEST(test_malformed),
		TEST(test_random_commands),
		TEST(test_control_errors),
		TEST(test_launcher_gone),
		TEST(test_usage),
		cmocka_unit_test_teardown(test_options, teardown),
		cmocka_unit_test_teardown(test_poll, teardown),
	};

	return cmocka_run_group_tests_name("drive link", tests, NULL, NULL);
}
