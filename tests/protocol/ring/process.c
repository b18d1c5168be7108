/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real xenoptic-ring on the loopback: served, shut in, asked, killed and deceived. */
#include <dirent.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "../drive/fake_sgio.h"
#include "stage.h"

enum { TO_DEVICE = 1, FROM_DEVICE = 2, NO_DATA = 3 };

#define HOST(host) (XEN_VSCSIIF_RSLT_HOST_##host << 16)

static unsigned int channels = 1; /* of the stages to come */

static struct stage *new_stage(unsigned int pages, unsigned int luns)
{
	struct stage *stage = stage_new(pages, luns);

	stage_add_channels(stage, channels);
	return stage;
}

static void put_tur(struct stage *stage, uint16_t rqid, uint16_t id)
{
	static const uint8_t cdb[6];

	stage_command(stage, rqid, cdb, sizeof(cdb), NO_DATA, 0, 0)->id = id;
}

static void put_rw(struct stage *stage, uint16_t rqid, bool write, unsigned int page,
		   uint32_t length)
{
	uint8_t cdb[10] = { write ? 0x2a : 0x28 };

	xo_put_be16(cdb + 7, length / 2048);
	stage_command(stage, rqid, cdb, sizeof(cdb), write ? TO_DEVICE : FROM_DEVICE, page, length);
}

static void expect(struct stage *stage, uint16_t rqid, int32_t rslt)
{
	struct vscsiif_response response;

	assert_true(stage_response(stage, &response));
	assert_int_equal(response.rqid, rqid);
	assert_int_equal(response.rslt, rslt);
}

static unsigned long status_field(pid_t pid, const char *field, int base)
{
	char path[64], line[256];
	unsigned long value = ~0ul;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			value = strtoul(line + strlen(field), NULL, base);
	fclose(file);
	return value;
}

/* Sockets, memory, events and what it was started with: nothing that leads to a file or a device. */
static void check_descriptors(pid_t pid)
{
	static const char *const kinds[] = { "socket:", "anon_inode:", "/memfd:", "pipe:" };
	char path[64], target[256];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		bool known = atoi(entry->d_name) <= 2;
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		for (unsigned int i = 0; i < XO_ARRAY_SIZE(kinds); i++)
			known |= !strncmp(target, kinds[i], strlen(kinds[i]));
		if (!known && n >= 0)
			fail_msg("descriptor %s is %s", entry->d_name, target);
	}
	closedir(dir);
}

/* Before the first request: filter, no user, no capabilities, no way back. */
static void check_shut_in(const struct stage *stage)
{
	assert_int_equal(status_field(stage->pid, "Seccomp:", 10), 2);
	assert_int_equal(status_field(stage->pid, "NoNewPrivs:", 10), 1);
	assert_int_equal(status_field(stage->pid, "CapEff:", 16), 0);
	assert_int_equal(status_field(stage->pid, "CapPrm:", 16), 0);
	check_descriptors(stage->pid);
	if (geteuid() == 0) {
		const struct passwd *nobody = getpwnam("nobody");

		assert_non_null(nobody);
		assert_int_equal(status_field(stage->pid, "Uid:", 10), nobody->pw_uid);
		assert_int_equal(status_field(stage->pid, "Gid:", 10), nobody->pw_gid);
	}
}

static struct stage *started_with(unsigned int pages, unsigned int luns, const char *extra)
{
	struct stage *stage = new_stage(pages, luns);

	stage->extra = extra;
	stage_start(stage);
	assert_string_equal(stage->error, "");
	assert_true(stage->ready);
	check_shut_in(stage);
	return stage;
}

static struct stage *started(unsigned int pages, unsigned int luns)
{
	return started_with(pages, luns, NULL);
}

static void move_data(struct stage *stage)
{
	static const uint32_t sizes[] = { 2048, 65536, 131072, 524288 };

	put_tur(stage, 1, 0);
	stage_push(stage);
	expect(stage, 1, 0);
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(sizes); i++) {
		uint8_t *data = stage->data + 4096;

		memset(stage->data, 0, STAGE_DATA_PAGES * 4096);
		put_rw(stage, 2, false, 1, sizes[i]);
		stage_push(stage);
		expect(stage, 2, 0);
		for (uint32_t j = 0; j < sizes[i]; j++)
			assert_int_equal(data[j], stage_pattern(j));
		assert_int_equal(data[sizes[i]], 0);
		stage->luns[0].written = 0;
		put_rw(stage, 3, true, 1, sizes[i]);
		stage_push(stage);
		expect(stage, 3, 0);
		assert_int_equal(stage->luns[0].written, sizes[i]);
	}
}

static void test_commands(void **state)
{
	struct stage *stage = started(1, 2);

	(void)state;
	move_data(stage);
	put_tur(stage, 4, 1);
	put_tur(stage, 5, 2);
	stage_push(stage);
	expect(stage, 5, HOST(NO_CONNECT));
	expect(stage, 4, 0);
	assert_int_equal(stage->luns[1].executed, 1);
	stage_free(stage);
}

/* Units come and go while others work; the worker tells what it has. */
static void test_luns(void **state)
{
	struct stage *stage = started(1, 1);
	json_t *data;
	int fds[2];

	(void)state;
	stage_make_lun(stage, 1);
	fds[0] = stage->luns[1].fds[0];
	fds[1] = stage->luns[1].arena_fd;
	assert_true(stage_execute(stage, "add-lun",
				  json_pack("{s:s, s:i, s:i, s:i}", "lun", "0:1:0", "link", 2,
					    "slots", 16, "slot-size", (int)STAGE_SLOT_SIZE),
				  fds, 2));
	assert_false(stage_execute(stage, "add-lun",
				   json_pack("{s:s, s:i, s:i, s:i}", "lun", "0:1:0", "link", 3,
					     "slots", 16, "slot-size", (int)STAGE_SLOT_SIZE),
				   fds, 2));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(stage->reply, "error"), "class")),
		"DeviceExists");
	assert_false(stage_execute(stage, "add-lun", json_object(), NULL, 0));
	put_tur(stage, 1, 1);
	stage_push(stage);
	expect(stage, 1, 0);
	assert_int_equal(stage->luns[1].executed, 1);
	assert_int_equal(stage->luns[0].hellos, 1);
	assert_int_equal(stage->luns[1].hellos, 1);

	/* Removal waits for what is in flight; what is new is not connected. */
	stage->luns[1].silent = true;
	put_tur(stage, 2, 1);
	stage_push(stage);
	assert_true(stage_execute(stage, "query", json_object(), NULL, 0));
	data = json_object_get(stage->reply, "return");
	assert_int_equal(json_array_size(json_object_get(data, "luns")), 2);
	assert_true(json_is_true(json_object_get(data, "sandboxed")));
	stage->luns[1].silent = false;
	assert_true(
		stage_execute(stage, "remove-lun", json_pack("{s:s}", "lun", "0:1:0"), NULL, 0));
	expect(stage, 2, 0);
	put_tur(stage, 3, 1);
	stage_push(stage);
	expect(stage, 3, HOST(NO_CONNECT));
	assert_false(
		stage_execute(stage, "remove-lun", json_pack("{s:s}", "lun", "0:1:0"), NULL, 0));
	assert_false(stage_execute(stage, "no-such-command", json_object(), NULL, 0));
	stage_free(stage);
}

/* "disconnect" answers what was sent, and lets go of ring and port. */
static void test_disconnect(void **state)
{
	struct stage *stage = started(2, 1);
	struct vscsiif_response response;

	(void)state;
	for (uint16_t i = 0; i < 32; i++)
		put_rw(stage, i, true, 1 + i, 4096);
	stage_push(stage);
	assert_true(stage_execute(stage, "disconnect", json_object(), NULL, 0));
	while (!stage->ended)
		assert_true(stage_pump(stage));
	assert_true(stage->hung_up);
	assert_true(WIFEXITED(stage->status));
	assert_int_equal(WEXITSTATUS(stage->status), 0);
	for (unsigned int i = 0; i < stage->luns[0].executed; i++)
		assert_true(stage_response(stage, &response));
	assert_int_equal(stage->front.rsp_cons, stage->sring->rsp_prod);
	stage_free(stage);
}

/* With force it does not wait for a drive that says nothing. */
static void test_disconnect_by_force(void **state)
{
	struct stage *stage = started(1, 1);

	(void)state;
	stage->luns[0].silent = true;
	put_tur(stage, 1, 0);
	stage_push(stage);
	assert_true(stage_execute(stage, "disconnect", json_pack("{s:b}", "force", 1), NULL, 0));
	while (!stage->ended)
		assert_true(stage_pump(stage));
	assert_true(stage->hung_up);
	assert_true(WIFEXITED(stage->status) && WEXITSTATUS(stage->status) == 0);
	stage_free(stage);
}

/* A ring that cannot be served is reported, once, and left alone. */
static void test_broken_ring(void **state)
{
	struct stage *stage = started(1, 1);

	(void)state;
	stage->sring->req_prod = 40;
	xenevtchn_notify(stage->evtchn, stage->ports[0]);
	while (!stage->error[0])
		assert_true(stage_pump(stage));
	assert_non_null(strstr(stage->error, "req_prod"));
	assert_true(stage_execute(stage, "query", json_object(), NULL, 0));
	assert_true(stage_execute(stage, "disconnect", json_object(), NULL, 0));
	stage_free(stage);
}

/* What cannot be connected is an "error" event and exit status 1. */
static void test_cannot_connect(void **state)
{
	struct stage *stage = new_stage(1, 1);

	(void)state;
	stage->ring_refs[0] += 100000;
	stage_start(stage);
	while (!stage->ended)
		assert_true(stage_pump(stage));
	assert_non_null(strstr(stage->error, "ring-ref"));
	assert_true(WIFEXITED(stage->status) && WEXITSTATUS(stage->status) == 1);
	stage->ring_refs[0] -= 100000;
	stage->ports[0] += 1000;
	stage_start(stage);
	while (!stage->ended)
		assert_true(stage_pump(stage));
	assert_non_null(strstr(stage->error, "event-channel"));
	stage->ports[0] -= 1000;
	stage->extra = "--unheard-of";
	stage_start(stage);
	assert_true(WIFEXITED(stage->status) && WEXITSTATUS(stage->status) == 2);
	stage->extra = NULL;
	stage_start(stage); /* none of this spoilt anything */
	put_tur(stage, 1, 0);
	stage_push(stage);
	expect(stage, 1, 0);
	stage_free(stage);
}

/* A drive whose link ends: the launcher hears it, the guest gets NO_CONNECT. */
static void test_lost_link(void **state)
{
	struct stage *stage = started(1, 2);

	(void)state;
	stage->luns[0].silent = true;
	put_tur(stage, 1, 0);
	stage_push(stage);
	shutdown(stage->luns[0].fds[1], SHUT_RDWR);
	expect(stage, 1, HOST(NO_CONNECT));
	while (!stage->lun_lost[0])
		assert_true(stage_pump(stage));
	assert_string_equal(stage->lun_lost, "0:0:0");
	put_tur(stage, 2, 1);
	stage_push(stage);
	expect(stage, 2, 0);
	stage_free(stage);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A guest that only rings the bell is heard ten times a second, and served all the same. */
static void test_storm(void **state)
{
	struct stage *stage = started(1, 1);
	double begin = seconds();
	json_int_t events;

	(void)state;
	while (seconds() < begin + 1.0)
		for (unsigned int i = 0; i < 100; i++)
			xenevtchn_notify(stage->evtchn, stage->ports[0]);
	assert_true(stage_execute(stage, "query", json_object(), NULL, 0));
	events = json_integer_value(json_object_get(json_object_get(stage->reply, "return"), "event"
											     "s"));
	/* 16 free, 7 while the delay grows to 0.1 s, then one a delay */
	assert_true((double)events <= 16 + 7 + 2 + (seconds() - begin) * 10);
	put_tur(stage, 1, 0);
	stage_push(stage);
	xenevtchn_notify(stage->evtchn, stage->ports[0]);
	expect(stage, 1, 0);
	stage_free(stage);
}

static uint32_t random_state = 990017;

static uint32_t rnd(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

/* 10,000 random malformed requests through the process: each answered, nothing lost. */
static void test_random(void **state)
{
	struct stage *stage = started(1, 1);
	struct vscsiif_response response;
	unsigned int sent = 0;

	(void)state;
	while (sent < 10000) {
		unsigned int batch = 1 + rnd(16);

		for (unsigned int i = 0; i < batch; i++, sent++) {
			uint8_t *bytes;

			put_rw(stage, (uint16_t)sent, rnd(2), 1 + rnd(8), 2048 * (1 + rnd(40)));
			bytes = (uint8_t *)RING_GET_REQUEST(&stage->front,
							    stage->front.req_prod_pvt - 1);
			for (unsigned int j = 1 + rnd(4); j; j--)
				bytes[2 + rnd(rnd(2) ? 30 : 250)] = (uint8_t)rnd(256);
		}
		stage_push(stage);
		for (unsigned int i = 0; i < batch; i++)
			assert_true(stage_response(stage, &response));
	}
	assert_int_equal(stage->deaths, 0);
	stage_free(stage);
}

#define BURN_WRITES 120

/* A "burn" of WRITEs, as many at once as the ring takes. */
static void burn_only(struct stage *stage)
{
	const unsigned int writes = BURN_WRITES;
	unsigned int sent = 0, answered = 0;
	bool seen[BURN_WRITES] = { false };

	for (uint32_t i = 0; i < 32768; i++)
		for (unsigned int page = 0; page < 16; page++)
			stage->data[page * 32768 + i] = stage_pattern(i);
	while (answered < writes) {
		struct vscsiif_response response;

		for (; sent < writes && sent - answered < 16; sent++)
			put_rw(stage, (uint16_t)sent, true, 8 * (sent % 16), 32768);
		stage_push(stage);
		assert_true(stage_response(stage, &response));
		assert_int_equal(response.rslt, 0);
		assert_true(response.rqid < writes);
		assert_false(seen[response.rqid]);
		seen[response.rqid] = true;
		answered++;
		stage_maybe_kill(stage);
	}
}

static void burn(struct stage *stage)
{
	burn_only(stage);
	assert_int_equal(stage->luns[0].executed, BURN_WRITES);
	assert_int_equal(stage->luns[0].written, (uint64_t)BURN_WRITES * 32768);
}

static bool is_direct(unsigned int point)
{
	return point == XO_RING_POINT_ISSUED || point == XO_RING_POINT_RETURNED;
}

/* Killed at each named point in a burn; its successor goes on, the frontend sees nothing. */
static void test_killed(void **state)
{
	(void)state;
	for (unsigned int p = 0; p < XO_RING_POINT_COUNT; p++) {
		const bool only_reads = p == XO_RING_POINT_STORED;
		struct stage *stage;
		char kills[128];

		if (is_direct(p))
			continue; /* of a drive that is lent */
		stage = new_stage(1, 1);
		snprintf(kills, sizeof(kills), "%s=1,%s=2,%s=7", xo_ring_points[p],
			 xo_ring_points[p], xo_ring_points[p]);
		stage->kills = kills;
		stage_start(stage);
		if (only_reads) {
			for (uint16_t i = 0; i < 10; i++) {
				put_rw(stage, i, false, 1, 65536);
				stage_push(stage);
				expect(stage, i, 0);
			}
			assert_int_equal(stage->luns[0].executed, 10);
		} else {
			burn(stage);
		}
		if (stage->deaths != 3)
			fail_msg("%s: %u deaths", xo_ring_points[p], stage->deaths);
		stage_free(stage);
	}
}

/* Killed from outside at seeded counts of answers, wherever it is by then. */
static void test_killed_anywhere(void **state)
{
	struct stage *stage = started(1, 1);

	(void)state;
	stage->kill_seed = 31337;
	burn(stage);
	assert_true(stage->deaths >= 3);
	stage_free(stage);
}

/* Pages that stay granted: the same data, more pages than the table holds of them, a bad one, kills. */
static void test_persistent_grants(void **state)
{
	struct stage *stage = started_with(4, 1, "--feature=persistent-grants");
	struct vscsiif_request *request;
	const uint8_t cdb[10] = { [0] = 0x28, [8] = 1 };

	(void)state;
	for (int twice = 0; twice < 2; twice++)
		move_data(stage);
	for (unsigned int page = 0; page < STAGE_DATA_PAGES; page += 16) {
		put_rw(stage, 1, true, page, 32768);
		stage_push(stage);
		expect(stage, 1, 0);
	}
	request = stage_command(stage, 2, cdb, sizeof(cdb), FROM_DEVICE, 1, 2048);
	request->seg[0].gref = 0xfffffff0;
	stage_push(stage);
	expect(stage, 2, HOST(ERROR));
	stage->luns[0].executed = 0;
	stage->luns[0].written = 0;
	stage->kill_seed = 4711;
	burn(stage);
	assert_true(stage->deaths >= 3);
	stage_free(stage);
}

/* A worker that has a drive of its own for LUN 0; what it does to that is seen in the memory. */
static struct stage *lent(struct fake_device **device, const char *kills)
{
	struct stage *stage = new_stage(1, 2);

	stage->program = "tests/protocol/ring/fake-sgio";
	stage->kills = kills;
	stage->lend_fd = memfd_create("drive", MFD_CLOEXEC);
	assert_int_equal(ftruncate(stage->lend_fd, sizeof(**device)), 0);
	*device =
		mmap(NULL, sizeof(**device), PROT_READ | PROT_WRITE, MAP_SHARED, stage->lend_fd, 0);
	assert_ptr_not_equal(*device, MAP_FAILED);
	(*device)->max_transfer = STAGE_SLOT_SIZE;
	stage_start(stage);
	assert_true(stage->ready);
	check_shut_in(stage);
	/* Once this is answered it has the drive. */
	assert_true(stage_execute(stage, "query", json_object(), NULL, 0));
	return stage;
}

static void lent_end(struct stage *stage, struct fake_device *device)
{
	munmap(device, sizeof(*device));
	stage_free(stage);
}

static json_t *first_lun(struct stage *stage)
{
	assert_true(stage_execute(stage, "query", json_object(), NULL, 0));
	return json_array_get(json_object_get(json_object_get(stage->reply, "return"), "luns"), 0);
}

/* What a guest gives most goes to the drive that is lent, all else and the other unit's by the link. */
static void test_lent(void **state)
{
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36 };
	struct fake_device *device;
	struct stage *stage = lent(&device, "");

	(void)state;
	assert_true(json_is_true(json_object_get(first_lun(stage), "lent")));
	put_tur(stage, 1, 0);
	put_rw(stage, 2, false, 1, 65536);
	put_tur(stage, 3, 1);
	stage_push(stage);
	for (uint16_t i = 1; i <= 3; i++) {
		struct vscsiif_response response;

		assert_true(stage_response(stage, &response));
		assert_int_equal(response.rslt, 0);
	}
	assert_int_equal(device->commands, 2);
	assert_int_equal(stage->luns[0].executed, 0);
	assert_int_equal(stage->luns[1].executed, 1);
	stage_command(stage, 4, inquiry, sizeof(inquiry), FROM_DEVICE, 1, 36);
	stage_push(stage);
	expect(stage, 4, 0);
	/* The first WRITE is for the drive's process to note. */
	put_rw(stage, 5, true, 1, 4096);
	stage_push(stage);
	expect(stage, 5, 0);
	assert_int_equal(device->commands, 2);
	assert_int_equal(stage->luns[0].executed, 2);
	put_rw(stage, 6, true, 1, 4096);
	stage_push(stage);
	expect(stage, 6, 0);
	assert_int_equal(device->writes, 1);
	assert_memory_equal(device->sector[1], stage->data + 4096 + FAKE_SECTOR_SIZE,
			    FAKE_SECTOR_SIZE);
	assert_true(stage_execute(stage, "recall", json_pack("{s:s}", "lun", "0:0:0"), NULL, 0));
	assert_false(json_is_true(json_object_get(first_lun(stage), "lent")));
	put_tur(stage, 7, 0);
	stage_push(stage);
	expect(stage, 7, 0);
	assert_int_equal(device->commands, 3);
	assert_int_equal(stage->luns[0].executed, 3);
	lent_end(stage, device);
}

/* Killed around commands in the drive: each reaches it once, by the one way or the other. */
static void test_lent_killed(void **state)
{
	static const unsigned int points[] = {
		XO_RING_POINT_FETCHED, XO_RING_POINT_ISSUED,	XO_RING_POINT_RETURNED,
		XO_RING_POINT_REPLIED, XO_RING_POINT_PUBLISHED,
	};

	(void)state;
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(points); i++) {
		const char *name = xo_ring_points[points[i]];
		struct fake_device *device;
		const uint8_t *medium;
		struct stage *stage;
		char kills[128];

		snprintf(kills, sizeof(kills), "%s=1,%s=2,%s=7", name, name, name);
		stage = lent(&device, kills);
		medium = (const uint8_t *)device->sector;
		burn_only(stage);
		if (stage->deaths != 3)
			fail_msg("%s: %u deaths", name, stage->deaths);
		assert_true(device->writes > 0);
		assert_int_equal(stage->luns[0].executed + device->writes, BURN_WRITES);
		for (uint32_t j = 0; j < 32768; j++)
			assert_int_equal(medium[j], stage_pattern(j));
		lent_end(stage, device);
	}
}

/* With a READ in the drive that outlasts the test. */
static struct stage *lent_and_reading(struct fake_device **device)
{
	struct stage *stage = lent(device, "");

	(*device)->delay_ms[0x28] = 3600000;
	put_rw(stage, 1, false, 1, 4096);
	stage_push(stage);
	while (!__atomic_load_n(&(*device)->running, __ATOMIC_SEQ_CST))
		sched_yield();
	return stage;
}

static uint64_t cpu_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &used), 0);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Whether the process does nothing any more: at some time, however slow the machine, it uses no processor for a while. */
static bool comes_to_rest(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 100000000 };

	for (unsigned int i = 0; i < 100; i++) {
		uint64_t before = cpu_ns(pid);

		nanosleep(&pause, NULL);
		if (cpu_ns(pid) - before < 10000000)
			return true;
	}
	return false;
}

/* Beside a command in the drive that outlasts this test, the other unit is there. */
static void test_lent_drive_takes_its_time(void **state)
{
	struct fake_device *device;
	struct stage *stage = lent_and_reading(&device);

	(void)state;
	for (uint16_t i = 2; i < 12; i++) {
		put_tur(stage, i, 1);
		stage_push(stage);
		expect(stage, i, 0);
	}
	assert_true(comes_to_rest(stage->pid));
	assert_true(stage_execute(stage, "disconnect", json_pack("{s:b}", "force", 1), NULL, 0));
	lent_end(stage, device);
}

/* A guest that always has the next command there does not keep the loop from anybody. */
static void test_lent_without_a_pause(void **state)
{
	struct vscsiif_response response;
	struct fake_device *device;
	struct stage *stage = lent(&device, "");
	unsigned int reads = 0;

	(void)state;
	device->delay_ms[0x28] = 2;
	put_rw(stage, 1, false, 1, 4096);
	put_rw(stage, 2, false, 1, 4096);
	stage_push(stage);
	do {
		assert_true(stage_response(stage, &response));
		assert_int_equal(response.rslt, 0);
		if (response.rqid == 100)
			break;
		put_rw(stage, response.rqid, false, 1, 4096);
		if (++reads == 5)
			put_tur(stage, 100, 1);
		stage_push(stage);
	} while (reads < 100);
	assert_int_equal(response.rqid, 100);
	lent_end(stage, device);
}

/* With a command in the drive that outlasts this test, the guest is let go all the same. */
static void test_lent_disconnect_by_force(void **state)
{
	struct fake_device *device;
	struct stage *stage = lent_and_reading(&device);

	(void)state;
	assert_true(stage_execute(stage, "disconnect", json_pack("{s:b}", "force", 1), NULL, 0));
	while (!stage->ended)
		assert_true(stage_pump(stage));
	assert_true(stage->hung_up);
	assert_true(WIFEXITED(stage->status) && WEXITSTATUS(stage->status) == 0);
	assert_int_equal(device->running, 1);
	lent_end(stage, device);
}

/* A guest that rings whatever it likes is heard where it is expected, and nothing else comes of it. */
static void out_of_turn(void)
{
	struct fake_device *device;
	struct stage *stage = lent(&device, "");

	for (uint16_t i = 0; i < 400; i++) {
		for (unsigned int j = rnd(4); j; j--)
			xenevtchn_notify(stage->evtchn, stage->ports[rnd(stage->channels)]);
		put_tur(stage, i, 0);
		stage_push(stage);
		expect(stage, i, 0);
	}
	lent_end(stage, device);
}

/* Several event channels: all that is done with one, and rings at the wrong doors. */
static void test_channels(void **state)
{
	static const unsigned int counts[] = { 2, 3, XO_RING_CHANNELS_MAX };

	for (unsigned int i = 0; i < XO_ARRAY_SIZE(counts); i++) {
		channels = counts[i];
		out_of_turn();
		test_commands(state);
		test_storm(state);
		test_killed_anywhere(state);
		test_lent(state);
		test_lent_killed(state);
		test_lent_drive_takes_its_time(state);
		test_lent_without_a_pause(state);
	}
	channels = 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_luns),
		cmocka_unit_test(test_disconnect),
		cmocka_unit_test(test_disconnect_by_force),
		cmocka_unit_test(test_broken_ring),
		cmocka_unit_test(test_cannot_connect),
		cmocka_unit_test(test_lost_link),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_anywhere),
		cmocka_unit_test(test_persistent_grants),
		cmocka_unit_test(test_lent),
		cmocka_unit_test(test_lent_killed),
		cmocka_unit_test(test_lent_drive_takes_its_time),
		cmocka_unit_test(test_lent_without_a_pause),
		cmocka_unit_test(test_lent_disconnect_by_force),
		cmocka_unit_test(test_channels),
	};

	xo_log_open("ring-process", XO_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
