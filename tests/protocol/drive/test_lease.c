/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has the drive: two guests, two ways of one guest, reboot and migration,
 * a guest that goes in the middle of a long command, and what each leaves behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "harness.h"
#include "mmc/opcode.h"
#include "mmc/sense.h"

#define UUID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define UUID_B "bbbbbbbb-0000-0000-0000-000000000002"

static const uint8_t prevent[6] = { XO_OP_PREVENT_ALLOW, 0, 0, 0, 1 };
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
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	harness_fini(&h);
	return 0;
}

static bool logged(uint8_t opcode)
{
	for (uint32_t i = 0; i < h.fake->logged; i++)
		if (h.fake->log[i].cdb[0] == opcode)
			return true;
	return false;
}

/* The second guest sees an empty drive, and has it when the first is gone. */
static void test_two_guests(void **state)
{
	static const uint8_t inquiry[6] = { XO_OP_INQUIRY, 0, 0, 0, 36 };
	static const uint8_t request_sense[6] = { XO_OP_REQUEST_SENSE, 0, 0, 0, 18 };
	struct client *b = harness_client(&h, 2, 2, UUID_B);
	uint64_t commands;

	(void)state;
	assert_string_equal(client_add(b), "waiting");
	commands = h.fake->commands;
	client_tur(b);
	assert_int_equal(reply_kcq(&b->slot[0].reply), XO_SENSE_NO_MEDIUM);
	client_do(b, inquiry, sizeof(inquiry), XO_DIR_IN, 36);
	assert_int_equal(b->slot[0].reply.status, 0);
	assert_memory_equal(client_data(b, 0) + 8, "FAKE    TEST DRIVE", 18);
	client_do(b, request_sense, sizeof(request_sense), XO_DIR_IN, 18);
	assert_int_equal(client_data(b, 0)[12], 0x3a);
	client_write10(b, 0, 3, 1, 1);
	client_wait(b, 0);
	client_send_kind(b, 1, XO_LINK_RESET, 0);
	client_wait(b, 1);
	assert_int_equal(h.fake->commands, commands);
	assert_int_equal(h.fake->written[3], 0);
	assert_null(client_remove(a, false));
	harness_wait_lease(&h, "held");
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
	assert_true(b->notices >> XO_NOTICE_LEASE_HELD & 1);
}

/* Nothing holds up the link of a guest without the lease while another's BLANK runs. */
static void test_waiting_guest_is_answered(void **state)
{
	struct client *b = harness_client(&h, 2, 2, UUID_B);

	(void)state;
	client_add(b);
	h.fake->delay_ms[XO_OP_BLANK] = 700;
	client_send(a, 0, blank, sizeof(blank), XO_DIR_NONE, 0);
	while (!__atomic_load_n(&h.fake->running, __ATOMIC_SEQ_CST))
		usleep(1000);
	client_tur(b);
	assert_int_equal(reply_kcq(&b->slot[0].reply), XO_SENSE_NO_MEDIUM);
	assert_true(a->slot[0].sent);
	client_wait(a, 0);
}

/* The guest is destroyed while its command runs: draining, and nobody waits but the next guest. */
static void test_draining(void **state)
{
	struct client *b = harness_client(&h, 2, 2, UUID_B);

	(void)state;
	client_do(a, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	h.fake->delay_ms[XO_OP_BLANK] = 700;
	client_send(a, 0, blank, sizeof(blank), XO_DIR_NONE, 0);
	client_write10(a, 1, 9, 1, 1);
	while (!__atomic_load_n(&h.fake->running, __ATOMIC_SEQ_CST))
		usleep(1000);
	assert_string_equal(client_remove(a, false), XO_DRIVE_ERROR_BUSY);
	assert_null(client_remove(a, true));
	assert_string_equal(harness_lease(&h), "draining");
	assert_true(h.fake->running);
	assert_string_equal(client_add(b), "next");
	client_tur(b);
	assert_int_equal(reply_kcq(&b->slot[0].reply), XO_SENSE_NO_MEDIUM);
	assert_int_equal(h.fake->locked, 1);
	harness_wait_lease(&h, "held");
	assert_int_equal(h.fake->locked, 0);
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
	assert_int_equal(h.fake->written[9], 0);
}

/* The same, and the process is killed and started again meanwhile. */
static void test_draining_restart(void **state)
{
	struct client *b = harness_client(&h, 2, 2, UUID_B);

	(void)state;
	client_do(a, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	h.fake->delay_ms[XO_OP_BLANK] = 300;
	client_send(a, 0, blank, sizeof(blank), XO_DIR_NONE, 0);
	while (!__atomic_load_n(&h.fake->running, __ATOMIC_SEQ_CST))
		usleep(1000);
	assert_null(client_remove(a, true));
	assert_string_equal(client_add(b), "next");
	harness_kill(&h);
	harness_start(&h);
	harness_check_sandbox(&h);
	harness_wait_lease(&h, "held");
	assert_int_equal(h.fake->locked, 0);
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
}

/* What the lease says: whether the drive may be lent, and the link that it is wanted back from. */
static bool may_lend(void)
{
	json_t *query = harness_query(&h);
	bool lend = json_is_true(json_object_get(json_object_get(query, "lease"), "lend"));

	json_decref(query);
	return lend;
}

static json_int_t wanted_back(void)
{
	json_t *query = harness_query(&h);
	json_int_t link = json_integer_value(json_object_get(json_object_get(query, "lease"), "reca"
											      "l"
											      "l"));

	json_decref(query);
	return link;
}

static void returned(const struct client *c)
{
	assert_null(harness_try(&h, XO_DRIVE_RETURNED, json_pack("{s:i}", "link", (int)c->id)));
}

/* In the place of `a`, whose launcher does not lend. */
static struct client *lent_to(uint32_t id)
{
	struct client *c = harness_client(&h, id, id, UUID_B);

	assert_false(may_lend());
	assert_null(client_remove(a, true));
	harness_wait_lease(&h, "none");
	c->lend = true;
	assert_string_equal(client_add(c), "held");
	assert_true(may_lend());
	return c;
}

/* The drive may be lent to whoever has it. It goes to nobody else, and nothing is undone, before it is back. */
static void test_lent(void **state)
{
	struct client *b = lent_to(2);
	struct client *c = harness_client(&h, 3, 3, UUID_A);
	json_t *event;

	(void)state;
	client_do(b, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	assert_int_equal(h.fake->locked, 1);
	assert_null(client_remove(b, true));
	assert_string_equal(client_add(c), "next");
	harness_pump(&h, 50);
	assert_string_equal(harness_lease(&h), "draining");
	assert_int_equal(wanted_back(), 2);
	assert_int_equal(h.fake->locked, 1);
	/* Nor by a successor, which asks again by itself. */
	harness_kill(&h);
	json_array_clear(h.events);
	harness_start(&h);
	event = harness_event(&h, XO_DRIVE_EVENT_LEASE);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "data"), "recal"
											    "l")),
			 2);
	json_decref(event);
	assert_int_equal(wanted_back(), 2);
	assert_int_equal(h.fake->locked, 1);
	returned(b);
	harness_wait_lease(&h, "held");
	assert_int_equal(h.fake->locked, 0);
	assert_false(may_lend());
	client_tur(c);
	assert_int_equal(c->slot[0].reply.status, 0);
}

/* A client that died has nothing any more; its successor may have it again. */
static void test_lent_again(void **state)
{
	struct client *b = lent_to(2);

	(void)state;
	returned(b);
	assert_true(may_lend());
	assert_null(client_remove(b, true));
	assert_int_equal(wanted_back(), 2);
	returned(b);
	harness_wait_lease(&h, "none");
	assert_int_equal(wanted_back(), 0);
}

/* Not what somebody watches, nor what a filter has to do with. */
static void test_not_lent(void **state)
{
	static const char *const options[][2] = {
		{ "--delay", "28=1" },
		{ "--speed", "100000" },
		{ "--mode", "ro" },
		{ "--fault", "1:0:busy" },
	};
	struct client *b = lent_to(2);
	int pipe_fds[2];
	json_t *answer;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	answer = harness_call(&h, XO_DRIVE_TRACE, NULL, &pipe_fds[1], 1);
	assert_non_null(json_object_get(answer, "return"));
	json_decref(answer);
	assert_false(may_lend());
	assert_null(harness_try(&h, XO_DRIVE_TRACE, NULL));
	assert_true(may_lend());
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_null(client_remove(b, true));
	returned(b);
	for (size_t i = 0; i < XO_ARRAY_SIZE(options); i++) {
		harness_stop(&h);
		harness_fini(&h);
		harness_init(&h, false);
		harness_arg(&h, options[i][0]);
		harness_arg(&h, options[i][1]);
		harness_start(&h);
		a = harness_client(&h, 1, 1, UUID_A);
		a->lend = true;
		assert_string_equal(client_add(a), "held");
		if (may_lend())
			fail_msg("lent with %s", options[i][0]);
	}
}

/* "shutdown" waits for the launcher's word, too. */
static void test_lent_to_the_end(void **state)
{
	static const uint8_t sync[10] = { XO_OP_SYNCHRONIZE_CACHE };
	struct client *b = lent_to(2);

	(void)state;
	client_do(b, sync, sizeof(sync), XO_DIR_NONE, 0);
	client_do(b, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	assert_null(client_remove(b, true));
	assert_int_equal(wanted_back(), 2);
	harness_post(&h, XO_DRIVE_SHUTDOWN, NULL);
	harness_pump(&h, 50);
	assert_int_equal(h.fake->locked, 1);
	harness_post(&h, XO_DRIVE_RETURNED, json_pack("{s:i}", "link", (int)b->id));
	assert_int_equal(harness_wait_end(&h), 0);
	assert_int_equal(h.fake->locked, 0);
	harness_start(&h);
}

/* Two ways of one guest: the first has it, the other says so and has it afterwards. */
static void test_second_path(void **state)
{
	struct client *b = harness_client(&h, 2, 1, UUID_A);

	(void)state;
	assert_string_equal(client_add(b), "waiting");
	client_tur(b);
	assert_int_equal(reply_kcq(&b->slot[0].reply), XO_SENSE_NO_MEDIUM);
	assert_null(client_remove(a, false));
	harness_wait_lease(&h, "held");
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
}

/* Reboot: the new domain of the same guest has it at once, and finds the drive as after a reset. */
static void test_reboot(void **state)
{
	struct client *other = harness_client(&h, 2, 9, UUID_B);
	struct client *b = harness_client(&h, 3, 2, UUID_A);

	(void)state;
	client_add(other);
	client_do(a, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	client_add(b);
	harness_wait_lease(&h, "held");
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
	assert_int_equal(h.fake->locked, 0);
	client_tur(a);
	assert_int_equal(reply_kcq(&a->slot[0].reply), XO_SENSE_NO_MEDIUM);
	assert_null(client_remove(a, false));
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
}

/* Migration: the guest goes on where it was; when it fails, so does the source. */
static void test_migration(void **state)
{
	struct client *b = harness_client(&h, 2, 2, UUID_A);

	(void)state;
	b->resume = true;
	client_do(a, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	client_write10(a, 0, 1, 1, 1);
	client_wait(a, 0);
	client_add(b);
	harness_wait_lease(&h, "held");
	client_tur(b);
	assert_int_equal(b->slot[0].reply.status, 0);
	assert_int_equal(h.fake->locked, 1);
	assert_string_equal(client_remove(b, false), XO_DRIVE_ERROR_BUSY);
	assert_null(client_remove(b, true));
	harness_wait_lease(&h, "held");
	client_tur(a);
	assert_int_equal(a->slot[0].reply.status, 0);
	assert_int_equal(h.fake->locked, 1);
	assert_false(logged(XO_OP_SYNCHRONIZE_CACHE));
}

/* Everything that a guest can leave behind. */
static void test_undo(void **state)
{
	static const uint8_t select[10] = { XO_OP_MODE_SELECT_10, 0x10, 0, 0, 0, 0, 0, 0, 24 };
	static const uint8_t speed[12] = { XO_OP_SET_CD_SPEED, 0, 2, 0, 2, 0 };
	static const uint8_t agid[12] = { XO_OP_REPORT_KEY, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0 };
	struct client *b = harness_client(&h, 2, 2, UUID_B);
	uint8_t list[24] = { [8] = 5, [9] = 14, [10] = 0x42 };

	(void)state;
	memcpy(client_data(a, 0), list, sizeof(list));
	client_do(a, select, sizeof(select), XO_DIR_OUT, sizeof(list));
	assert_int_equal(h.fake->mode_page_5[2], 0x42);
	client_do(a, prevent, sizeof(prevent), XO_DIR_NONE, 0);
	client_do(a, speed, sizeof(speed), XO_DIR_NONE, 0);
	client_do(a, agid, sizeof(agid), XO_DIR_IN, 8);
	h.fake->disc_status = 1 | 1 << 2; /* appendable, the last session incomplete */
	client_write10(a, 0, 1, 1, 1);
	client_wait(a, 0);
	h.fake->logged = 0;
	client_add(b);
	assert_string_equal(client_remove(a, false), XO_DRIVE_ERROR_BUSY);
	assert_null(client_remove(a, true));
	harness_wait_lease(&h, "held");
	assert_true(logged(XO_OP_SYNCHRONIZE_CACHE));
	assert_true(logged(XO_OP_CLOSE_TRACK_SESSION));
	assert_true(logged(XO_OP_SET_CD_SPEED));
	assert_true(logged(XO_OP_REPORT_KEY));
	assert_int_equal(h.fake->locked, 0);
	assert_int_equal(h.fake->mode_page_5[2], 0);
	/* Nothing of it is left to undo for the next. */
	h.fake->logged = 0;
	assert_null(client_remove(b, false));
	harness_wait_lease(&h, "none");
	assert_int_equal(h.fake->logged, 0);
}

static void test_none(void **state)
{
	json_t *event;

	(void)state;
	assert_null(client_remove(a, false));
	harness_wait_lease(&h, "none");
	do
		event = harness_event(&h, XO_DRIVE_EVENT_LEASE);
	while (strcmp(json_string_value(json_object_get(json_object_get(event, "data"), "state")),
		      "none") &&
	       (json_decref(event), 1));
	json_decref(event);
	a = harness_client(&h, 7, 7, UUID_B);
	assert_string_equal(client_add(a), "held");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_two_guests),
		TEST(test_waiting_guest_is_answered),
		TEST(test_draining),
		TEST(test_draining_restart),
		TEST(test_second_path),
		TEST(test_reboot),
		TEST(test_migration),
		TEST(test_undo),
		TEST(test_none),
		TEST(test_lent),
		TEST(test_lent_again),
		TEST(test_not_lent),
		TEST(test_lent_to_the_end),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
