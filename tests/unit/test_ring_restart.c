/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring worker that dies at any named point leaves nothing undone and nothing
 * done twice: workers are children that trap, the guest and its drives live on
 * in shared memory.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "ring_rig.h"

#define REQUESTS 60
#define AT_ONCE 16 /* a full ring: responses lie where the next requests come */
#define WINDOW 10 /* pages of a request: one indirect, eight of data, one to spare */
#define DATA_BYTES 32768u

enum { TO_DEVICE = 1, FROM_DEVICE = 2, NO_DATA = 3 };

/* The kinds of requests take turns. */
enum kind { TUR, READ, WRITE, BAD, READ_OTHER, ABORT, RESET, WRITE_INDIRECT, KINDS };

/* No drive is lent here; see test_ring_direct.c. */
static bool of_lent_drives(unsigned int point)
{
	return point == XO_RING_POINT_ISSUED || point == XO_RING_POINT_RETURNED;
}

static unsigned int data_page(unsigned int i)
{
	return i * WINDOW + 1;
}

static void put(struct rig *rig, unsigned int i)
{
	struct rig_world *world = rig->world;
	const enum kind kind = (enum kind)(i % KINDS);
	const bool write = kind == WRITE || kind == WRITE_INDIRECT;
	struct vscsiif_request *request;
	uint8_t cdb[10] = { write ? 0x2a : 0x28, [8] = DATA_BYTES / 2048 };
	uint8_t *buffer = world->pages[data_page(i)];

	for (uint32_t j = 0; j < DATA_BYTES; j++)
		buffer[j] = write ? rig_pattern(j) : 0;
	switch (kind) {
	case READ:
	case READ_OTHER:
		request = rig_command(rig, (uint16_t)i, cdb, 10, FROM_DEVICE, data_page(i),
				      DATA_BYTES);
		request->id = kind == READ_OTHER;
		break;
	case WRITE:
		rig_command(rig, (uint16_t)i, cdb, 10, TO_DEVICE, data_page(i), DATA_BYTES);
		break;
	case WRITE_INDIRECT:
		request =
			rig_command(rig, (uint16_t)i, cdb, 10, TO_DEVICE, data_page(i), DATA_BYTES);
		memcpy(world->pages[data_page(i) - 1], request->seg, sizeof(request->seg));
		request->seg[0] = (vscsiif_segment_t){
			.gref = RIG_REF + data_page(i) - 1,
			.length = 8 * DATA_BYTES / 4096,
		};
		request->nr_segments = 1 | VSCSIIF_SG_GRANT;
		break;
	case ABORT:
	case RESET:
		request = rig_request(rig);
		request->rqid = (uint16_t)i;
		request->act = kind == ABORT ? VSCSIIF_ACT_SCSI_ABORT : VSCSIIF_ACT_SCSI_RESET;
		request->ref_rqid = (uint16_t)(i - 3);
		break;
	case BAD:
		request = rig_command(rig, (uint16_t)i, cdb, 10, FROM_DEVICE, data_page(i),
				      DATA_BYTES);
		request->seg[2].offset = 1;
		break;
	default:
		rig_command(rig, (uint16_t)i, cdb, 6, NO_DATA, 0, 0)->cmnd[0] = 0;
	}
}

/* The frontend takes what is there, checks READs' data at once, and asks for more. */
static void guest(struct rig *rig)
{
	struct rig_world *world = rig->world;
	struct vscsiif_response response;

	while (rig_response(rig, &response)) {
		const enum kind kind = (enum kind)(response.rqid % KINDS);
		const uint8_t *buffer = world->pages[data_page(response.rqid)];

		world->answers[response.rqid]++;
		world->rslt[response.rqid] = response.rslt;
		for (uint32_t j = 0; j < DATA_BYTES && (kind == READ || kind == READ_OTHER); j++)
			if (buffer[j] != rig_pattern(j))
				_exit(3);
	}
	while (world->step < world->goal && world->req_prod_pvt - world->rsp_cons < AT_ONCE)
		put(rig, world->step++);
	rig_push(rig);
}

/* One worker's life: until all is answered, or until it dies. */
static void worker(struct rig *rig, const char *kills)
{
	struct rig_world *world = rig->world;
	struct xo_ledger ledger = { .header = &world->header };
	unsigned int turn = 0;

	signal(SIGILL, SIG_DFL); /* cmocka has one of its own */
	setenv("XENOPTIC_KILL", kills, 1);
	if (xo_point_init(xo_ring_points, XO_RING_POINT_COUNT, &ledger) || rig_start(rig))
		_exit(2);
	while (world->rsp_cons < world->goal) {
		guest(rig);
		if (xo_ring_serve(&rig->ring) == XO_RING_BROKEN)
			_exit(4);
		rig_drives_take(rig);
		if (turn++ % 3)
			rig_drive_reply(rig, 0);
		rig_drive_reply(rig, turn % RIG_LUNS);
		xo_ring_publish(&rig->ring);
	}
	_exit(0);
}

/*
 * While nobody serves, the guest goes on: it takes what was published, and
 * spoils the buffers of WRITEs whose data must have been copied by now.
 */
static void meanwhile(struct rig *rig)
{
	const struct xo_ring_ledger *ledger = (void *)rig->world->region;

	for (unsigned int i = 0; i < 16; i++) {
		const struct xo_ring_entry *entry = &ledger->entries[i];

		if (entry->state == XO_RING_SENT && entry->direction == XO_DIR_OUT)
			memset(rig->world->pages[data_page(entry->request.rqid)], 0xee, 4096);
	}
	guest(rig);
}

/* Workers one after another; returns how many died. */
static unsigned int workers(struct rig *rig, const char *kills)
{
	unsigned int deaths = 0;

	for (;;) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			worker(rig, kills);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return deaths;
		}
		if (WTERMSIG(status) != SIGILL && WTERMSIG(status) != SIGTRAP)
			fail_msg("%s: worker ended by signal %d", kills, WTERMSIG(status));
		assert_true(++deaths <= 100);
		meanwhile(rig);
	}
}

static void check(const struct rig_world *world)
{
	unsigned int commands[RIG_LUNS] = { 0, 0 };
	unsigned int writes = 0;

	for (unsigned int i = 0; i < world->goal; i++) {
		const enum kind kind = (enum kind)(i % KINDS);
		int32_t rslt = 0;

		assert_int_equal(world->answers[i], 1);
		if (kind == BAD)
			rslt = XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_ERROR);
		if (kind == ABORT || kind == RESET)
			rslt = XEN_VSCSIIF_RSLT_RESET_SUCCESS;
		assert_int_equal(world->rslt[i], rslt);
		if (kind != BAD && kind != ABORT && kind != RESET)
			commands[kind == READ_OTHER]++;
		writes += kind == WRITE || kind == WRITE_INDIRECT;
	}
	for (unsigned int i = 0; i < RIG_LUNS; i++)
		assert_int_equal(world->drives[i].executed, commands[i]);
	assert_int_equal(world->drives[0].written, (uint64_t)writes * DATA_BYTES);
}

static void run(const char *kills, unsigned int requests, unsigned int expected)
{
	struct rig *rig = rig_new(1);
	unsigned int deaths;

	rig->world->goal = requests;
	deaths = workers(rig, kills);
	check(rig->world);
	if (deaths < expected)
		fail_msg("%s: %u deaths", kills, deaths);
	rig_free(rig);
}

static void test_alive(void **state)
{
	(void)state;
	run("", REQUESTS, 0);
}

/* Six deaths at one point, some of them while the last death's work is taken up again. */
static void test_each_point(void **state)
{
	static const unsigned int passes[] = { 1, 2, 3, 5, 8, 13 };

	(void)state;
	for (unsigned int p = 0; p < XO_RING_POINT_COUNT; p++) {
		if (of_lent_drives(p))
			continue;
		char kills[256] = "";
		size_t at = 0;

		for (unsigned int i = 0; i < XO_ARRAY_SIZE(passes); i++)
			at += (size_t)snprintf(kills + at, sizeof(kills) - at, "%s%s=%u",
					       i ? "," : "", xo_ring_points[p], passes[i]);
		run(kills, REQUESTS, XO_ARRAY_SIZE(passes));
	}
}

/* The first two requests, a TEST UNIT READY and a READ: nothing comes after that would hide a loss. */
static void test_last(void **state)
{
	(void)state;
	for (unsigned int p = 0; p < XO_RING_POINT_COUNT; p++) {
		if (of_lent_drives(p))
			continue;
		char kills[64];

		snprintf(kills, sizeof(kills), "%s=1", xo_ring_points[p]);
		run(kills, 2, 1);
	}
}

/* Deaths at random points and passes, ten in a life. */
static void test_seeded(void **state)
{
	uint32_t seed = 4711;

	(void)state;
	for (unsigned int round = 0; round < 60; round++) {
		char kills[512] = "";
		size_t at = 0;

		for (unsigned int i = 0; i < 10; i++) {
			seed = seed * 1664525u + 1013904223u;
			at += (size_t)snprintf(kills + at, sizeof(kills) - at, "%s%s=%u",
					       i ? "," : "",
					       xo_ring_points[(seed >> 24) % XO_RING_POINT_COUNT],
					       1 + (seed >> 8) % 50);
		}
		run(kills, REQUESTS, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_each_point),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_seeded),
	};

	xo_log_open("test_ring_restart", XO_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
