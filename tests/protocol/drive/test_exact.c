/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exactly once: the drive process is killed at each of its named points, and at
 * seeded moments, in the middle of a burn. Its clients notice nothing, and the
 * drive has carried out each command once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "drive/disc.h"
#include "harness.h"
#include "mmc/opcode.h"
#include "mmc/sense.h"

#define UUID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define UUID_B "bbbbbbbb-0000-0000-0000-000000000002"
#define BLOCKS 16
#define WRITES 48
#define DEPTH 4

/* The process asks the drive who it is, once in the ledger's life. */
#define IDENTIFY 1

static struct harness h;

static void insert_blank(unsigned int media)
{
	static struct xo_disc disc;

	assert_int_equal(xo_disc_make(&disc, media, 0), 0);
	disc.timing = (struct xo_disc_timing){ .sync = 0 };
	harness_insert(&h, &disc);
}

static void start(bool burner, const char *kill)
{
	harness_init(&h, burner);
	h.kill = kill;
	harness_start(&h);
	if (burner)
		insert_blank(XO_MEDIA_BD_R);
}

static struct client *attach(void)
{
	struct client *a = harness_client(&h, 1, 1, UUID_A);

	assert_string_equal(client_add_surely(a), "held");
	return a;
}

static void expect_good(struct client *c, unsigned int slot)
{
	const struct xo_link_reply *reply = client_wait(c, slot);

	if (reply->transport || reply->status || reply->residual)
		fail_msg("slot %u: transport %u, status %u, %06x, residual %u", slot,
			 reply->transport, reply->status, reply_kcq(reply), reply->residual);
}

static void make_ready(struct client *c)
{
	for (unsigned int i = 0; i < 5; i++)
		if (client_tur(c)->status == 0)
			return;
	fail_msg("the drive does not become ready: %06x", reply_kcq(&c->slot[0].reply));
}

/* Sequential writes, several at a time. */
static void burn(struct client *c, uint16_t blocks, unsigned int kill_every)
{
	for (unsigned int i = 0; i < WRITES; i++) {
		unsigned int slot = i % DEPTH;

		if (i >= DEPTH)
			expect_good(c, slot);
		client_write10(c, slot, i * blocks, blocks, 5);
		if (kill_every && i % kill_every == kill_every - 1) {
			harness_kill(&h);
			harness_start(&h);
		}
	}
	for (unsigned int slot = 0; slot < DEPTH; slot++)
		expect_good(c, slot);
}

static void compare(struct client *c, uint16_t blocks)
{
	uint8_t expected[FAKE_SECTOR_SIZE];

	for (unsigned int i = 0; i < WRITES; i++) {
		uint8_t cdb[10] = { XO_OP_READ_10 };

		xo_put_be32(cdb + 2, i * blocks);
		xo_put_be16(cdb + 7, blocks);
		memset(client_data(c, 0), 0, blocks * FAKE_SECTOR_SIZE);
		client_do(c, cdb, sizeof(cdb), XO_DIR_IN, blocks * FAKE_SECTOR_SIZE);
		expect_good(c, 0);
		for (unsigned int n = 0; n < blocks; n++) {
			fill_sector(expected, i * blocks + n, 5);
			assert_memory_equal(client_data(c, 0) + n * FAKE_SECTOR_SIZE, expected,
					    sizeof(expected));
		}
	}
}

static const char *kill_at(const char *point, unsigned int pass)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s=%u", point, pass);
	return text;
}

/* Whether that pass of the point is reached at all is said by `hit`. */
static void check_killed(const char *point, unsigned int pass, bool hit)
{
	if (h.starts != (hit ? 2 : 1))
		fail_msg("%s=%u: the process was started %u times", point, pass, h.starts);
}

static void burn_killed(bool burner, const char *point, unsigned int pass, uint16_t blocks)
{
	struct client *a;

	start(burner, kill_at(point, pass));
	a = attach();
	make_ready(a);
	burn(a, blocks, 0);
	client_do(a, (uint8_t[10]){ XO_OP_SYNCHRONIZE_CACHE }, 10, XO_DIR_NONE, 0);
	compare(a, blocks);
	check_killed(point, pass, true);
	if (burner)
		assert_int_equal(harness_counter(&h, "burner-commands"), h.commands + IDENTIFY);
	for (unsigned int i = 0; !burner && i < WRITES * blocks; i++)
		assert_int_equal(h.fake->written[i], 1);
	harness_stop(&h);
	harness_fini(&h);
}

static void test_burner_points(void **state)
{
	static const char *const points[] = {
		"drive.received", "drive.accepted", "drive.issued",	"drive.result",
		"drive.done",	  "drive.replied",  "drive.freed",	"drive.lease",
		"drive.linked",	  "burner.done",    "burner.committed",
	};
	static const unsigned int passes[] = { 1, 2, 5, 23 };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(points); i++)
		for (size_t n = 0; n < XO_ARRAY_SIZE(passes); n++)
			if (passes[n] == 1 ||
			    (strcmp(points[i], "drive.lease") && strcmp(points[i], "drive.linked")))
				burn_killed(true, points[i], passes[n], BLOCKS);
}

/* In front of and behind the ioctl, and between the parts of a command that is split. */
static void test_device_points(void **state)
{
	static const char *const points[] = { "drive.issued", "drive.submit", "drive.returned",
					      "drive.result", "drive.part" };
	static const unsigned int passes[] = { 2, 3, 4, 5, 23 };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(points); i++)
		for (size_t n = 0; n < XO_ARRAY_SIZE(passes); n++)
			burn_killed(false, points[i], passes[n], 80);
}

/* Killed again and again, wherever it is. */
static void test_burner_anywhere(void **state)
{
	(void)state;
	for (unsigned int every = 1; every < 8; every++) {
		struct client *a;

		start(true, NULL);
		a = attach();
		make_ready(a);
		burn(a, BLOCKS, every);
		compare(a, BLOCKS);
		assert_int_equal(h.starts, WRITES / every + 1);
		assert_int_equal(harness_counter(&h, "burner-commands"), h.commands + IDENTIFY);
		harness_stop(&h);
		harness_fini(&h);
	}
}

/* Between command and description: the launcher gets the newest all the same. */
static void test_description(void **state)
{
	static const char *const points[] = { "burner.committed", "drive.result", "drive.done" };
	struct client *a;

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(points); i++) {
		/* INQUIRY of our own, TEST UNIT READY twice or three times, WRITE, CLOSE */
		for (unsigned int pass = 5; pass < 8; pass++) {
			char *text;

			start(true, kill_at(points[i], pass));
			a = attach();
			make_ready(a);
			client_write10(a, 0, 0, 32, 5);
			expect_good(a, 0);
			client_do(a, (uint8_t[10]){ XO_OP_CLOSE_TRACK_SESSION, 0, 1, 0, 0, 1 }, 10,
				  XO_DIR_NONE, 0);
			expect_good(a, 0);
			client_do(a, (uint8_t[10]){ XO_OP_CLOSE_TRACK_SESSION, 0, 6 }, 10,
				  XO_DIR_NONE, 0);
			expect_good(a, 0);
			while (strstr(text = harness_description(&h), "\"finished\": false")) {
				free(text);
				harness_pump(&h, 100);
			}
			free(text);
			assert_int_equal(harness_counter(&h, "burner-commands"),
					 h.commands + IDENTIFY);
			harness_stop(&h);
			harness_fini(&h);
		}
	}
}

/* An event that was polled and not given yet when the process died. */
static void test_kept_event(void **state)
{
	static const char *const points[] = { "drive.submit", "drive.returned", "drive.polled",
					      "drive.kept" };
	static const uint8_t get_event[10] = { XO_OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8 };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(points); i++) {
		/* The first two are passed by INQUIRY as well. */
		unsigned int pass = i < 2 ? 2 : 1;
		struct client *a;

		harness_init(&h, false);
		harness_arg(&h, "--poll-ms");
		harness_arg(&h, "20");
		h.kill = kill_at(points[i], pass);
		h.fake->event = 2;
		harness_start(&h);
		a = attach();
		while (h.fake->event || !(a->notices >> XO_NOTICE_MEDIUM_CHANGED & 1)) {
			harness_pump(&h, 10);
			/* A notice that was not sent is not sent again; the event is kept. */
			if (h.starts > 1 && !h.fake->event)
				break;
		}
		client_do(a, get_event, sizeof(get_event), XO_DIR_IN, 8);
		assert_int_equal(client_data(a, 0)[2] & 0x87, 4);
		assert_int_equal(client_data(a, 0)[4], 2);
		client_do(a, get_event, sizeof(get_event), XO_DIR_IN, 8);
		assert_int_equal(client_data(a, 0)[4], 0);
		check_killed(points[i], pass, true);
		harness_stop(&h);
		harness_fini(&h);
	}
}

/* Killed while the drive changes hands: what the first guest left is undone for the second. */
static void test_handover(void **state)
{
	static const char *const points[] = { "drive.lease", "drive.submit", "drive.returned",
					      "drive.undone" };
	static const uint8_t prevent[6] = { XO_OP_PREVENT_ALLOW, 0, 0, 0, 1 };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(points); i++) {
		for (unsigned int pass = 1; pass < 4; pass++) {
			struct client *a;
			struct client *b;

			/* Up to the hand-over there are INQUIRY, PREVENT; lease: the first attachment. */
			start(false, kill_at(points[i], i == 3	 ? 1
							: i == 0 ? 1 + pass % 3
								 : 2 + pass));
			a = attach();
			client_do(a, prevent, sizeof(prevent), XO_DIR_NONE, 0);
			client_write10(a, 0, 0, 1, 5);
			expect_good(a, 0);
			b = harness_client(&h, 2, 2, UUID_B);
			client_add_surely(b);
			a->added = false;
			json_decref(harness_call(&h, XO_DRIVE_REMOVE_LINK,
						 json_pack("{s:i,s:b}", "link", 1, "force", 1),
						 NULL, 0));
			json_decref(harness_call(&h, XO_DRIVE_REMOVE_LINK,
						 json_pack("{s:i,s:b}", "link", 1, "force", 1),
						 NULL, 0));
			harness_wait_lease(&h, "held");
			client_tur(b);
			expect_good(b, 0);
			assert_int_equal(h.fake->locked, 0);
			check_killed(points[i], pass, true);
			harness_stop(&h);
			harness_fini(&h);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burner_points),	cmocka_unit_test(test_device_points),
		cmocka_unit_test(test_burner_anywhere), cmocka_unit_test(test_description),
		cmocka_unit_test(test_kept_event),	cmocka_unit_test(test_handover),
	};

	return cmocka_run_group_tests_name("exactly once", tests, NULL, NULL);
}
