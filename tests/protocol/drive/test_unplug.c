/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A drive that is unplugged under the drive process, and comes back: what client and launcher are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "harness.h"
#include "mmc/opcode.h"
#include "mmc/sense.h"

#define UUID "aaaaaaaa-0000-0000-0000-000000000001"

static struct harness h;
static struct client *a;

static int setup(void **state)
{
	(void)state;
	harness_init(&h, false);
	harness_start(&h);
	harness_check_sandbox(&h);
	a = harness_client(&h, 1, 1, UUID);
	assert_string_equal(client_add(a), "held");
	while (!a->hellos)
		harness_pump(&h, 100);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	harness_fini(&h);
	return 0;
}

/* The drive is back: its new device for the process, and what the guest is told of it. */
static void plug_in(void)
{
	static const uint8_t get_event[10] = { XO_OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8 };
	int fd = dup(h.device);

	h.fake->gone = 0;
	json_decref(
		harness_call(&h, XO_DRIVE_DEVICE, json_pack("{s:s}", "path", "/dev/back"), &fd, 1));
	close(fd);
	/* Answered in spite of it (MMC-6 4.1.6). */
	client_do(a, get_event, sizeof(get_event), XO_DIR_IN, 8);
	assert_int_equal(a->slot[0].reply.status, 0);
	client_tur(a);
	assert_int_equal(reply_kcq(&a->slot[0].reply), XO_SENSE_POWER_ON_OR_RESET);
	client_tur(a);
	assert_int_equal(reply_kcq(&a->slot[0].reply), XO_SENSE_MEDIUM_CHANGED);
	client_tur(a);
	assert_int_equal(a->slot[0].reply.transport, 0);
	assert_int_equal(a->slot[0].reply.status, 0);
	assert_true(a->notices & 1u << XO_NOTICE_DRIVE_BACK);
}

static void expect_gone(void)
{
	client_tur(a);
	assert_int_equal(reply_kcq(&a->slot[0].reply), XO_SENSE_NO_MEDIUM);
	client_tur(a);
	assert_int_equal(a->slot[0].reply.transport, XO_TRANSPORT_NO_CONNECT);
	assert_true(a->notices & 1u << XO_NOTICE_DRIVE_GONE);
}

static bool drive_is_gone(void)
{
	json_t *query = harness_query(&h);
	bool gone = json_is_true(json_object_get(query, "gone"));

	json_decref(query);
	return gone;
}

static void test_unplugged(void **state)
{
	static const uint8_t lock[6] = { XO_OP_PREVENT_ALLOW, 0, 0, 0, 1 };

	(void)state;
	client_do(a, lock, sizeof(lock), XO_DIR_NONE, 0);
	assert_int_equal(a->slot[0].reply.status, 0);
	assert_false(drive_is_gone());
	h.fake->gone = 1;
	expect_gone();
	json_decref(harness_event(&h, XO_DRIVE_EVENT_GONE));
	assert_true(drive_is_gone());
	plug_in();
	assert_false(drive_is_gone());
	/* Its door is no longer locked by this guest: nothing of that is undone in another drive. */
	h.fake->logged = 0;
	assert_null(client_remove(a, true));
	harness_wait_lease(&h, "none");
	for (uint32_t i = 0; i < h.fake->logged; i++)
		assert_int_not_equal(h.fake->log[i].cdb[0], XO_OP_PREVENT_ALLOW);
}

/* The launcher saw it first; no command of the guest has to fail before. */
static void test_unplugged_unused(void **state)
{
	(void)state;
	json_decref(harness_call(&h, XO_DRIVE_UNPLUG, NULL, NULL, 0));
	json_decref(harness_event(&h, XO_DRIVE_EVENT_GONE));
	assert_true(drive_is_gone());
	expect_gone();
	json_decref(harness_call(&h, XO_DRIVE_UNPLUG, NULL, NULL, 0));
	assert_true(drive_is_gone());
	plug_in();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unplugged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unplugged_unused, setup, teardown),
	};

	return cmocka_run_group_tests_name("unplugged", tests, NULL, NULL);
}
