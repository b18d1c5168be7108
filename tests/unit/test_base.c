/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/: readers and writers, link messages, the ledger and its kill points, the loop, the control channel. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/ledger.h"
#include "base/link.h"
#include "base/loop.h"
#include "base/point.h"

static void reader_never_passes_the_end(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
	struct xo_reader r = xo_reader(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(xo_read_be16(&r), 0x0102);
	assert_int_equal(xo_read_be24(&r), 0x030405);
	assert_false(r.failed);
	assert_int_equal(xo_read_u8(&r), 0);
	assert_true(r.failed);
	assert_null(xo_read_bytes(&r, SIZE_MAX));
	assert_int_equal(xo_reader_left(&r), 0);
}

static void writer_truncates_and_counts(void **state)
{
	uint8_t bytes[5];
	struct xo_writer w = xo_writer(bytes, 4);

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	xo_write_be24(&w, 0x010203);
	xo_write_be32(&w, 0x04050607);
	xo_write_zeros(&w, 9);
	assert_int_equal(w.needed, 16);
	assert_int_equal(xo_writer_used(&w), 4);
	assert_memory_equal(bytes, "\1\2\3\4\xff", 5);
}

static void range_within_does_not_wrap(void **state)
{
	(void)state;
	assert_true(xo_range_within(0, 0, 0));
	assert_true(xo_range_within(3, 2, 5));
	assert_false(xo_range_within(3, 3, 5));
	assert_false(xo_range_within(UINT64_MAX, 2, 5));
	assert_false(xo_range_within(2, UINT64_MAX, 5));
}

static void open_pair(struct xo_link *client, struct xo_link *server)
{
	int fds[2];
	int arena;

	assert_int_equal(xo_link_create(4, 65536, fds, &arena), 0);
	assert_int_equal(xo_link_open(client, fds[0], arena, 4, 65536), 0);
	assert_int_equal(xo_link_open(server, fds[1], dup(arena), 4, 65536), 0);
}

static struct xo_link_request write_request(void)
{
	return (struct xo_link_request){
		.type = XO_LINK_REQUEST,
		.kind = XO_LINK_COMMAND,
		.direction = XO_DIR_OUT,
		.cdb_length = 10,
		.slot = 3,
		.tag = 7,
		.length = 65536,
		.cdb = { 0x2a },
	};
}

static void link_carries_messages_and_data(void **state)
{
	union xo_link_message out = { .request = write_request() };
	union xo_link_message in;
	struct xo_link client;
	struct xo_link server;

	(void)state;
	open_pair(&client, &server);
	memset(xo_link_data(&client, 3), 0x5a, 65536);
	assert_int_equal(xo_link_receive(&server, &in), 0);
	assert_int_equal(xo_link_send(&client, &out), 0);
	assert_int_equal(xo_link_receive(&server, &in), 1);
	assert_memory_equal(&in.request, &out.request, sizeof(in.request));
	assert_int_equal(xo_link_data(&server, 3)[65535], 0x5a);
	assert_int_equal(ftruncate(client.arena_fd, 0), -1);
	xo_link_close(&client);
	assert_int_equal(xo_link_receive(&server, &in), -EPIPE);
	assert_int_equal(xo_link_send(&server, &out), -EPIPE);
	xo_link_close(&server);
}

static void link_refuses_a_foreign_arena(void **state)
{
	struct xo_link link;
	int fds[2];
	int arena;
	int unsealed = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(unsealed, 4 * 65536), 0);
	assert_int_equal(xo_link_create(4, 65536, fds, &arena), 0);
	assert_int_equal(xo_link_open(&link, fds[0], arena, 8, 65536), -EINVAL);
	assert_int_equal(xo_link_open(&link, fds[0], unsealed, 4, 65536), -EINVAL);
	assert_int_equal(xo_link_create(XO_LINK_SLOTS_MAX + 1, 4096, fds, &arena), -EINVAL);
	assert_int_equal(xo_link_create(1, 4097, fds, &arena), -EINVAL);
	close(unsealed);
	close(arena);
	close(fds[0]);
	close(fds[1]);
}

#define REFUSED(change)                                                                       \
	do {                                                                                  \
		union xo_link_message m = { .request = write_request() };                     \
		change;                                                                       \
		assert_int_equal(xo_link_validate(&m, sizeof(m.request), 4, 65536), -EPROTO); \
	} while (0)

static void link_checks_every_field(void **state)
{
	union xo_link_message good = { .request = write_request() };

	(void)state;
	assert_int_equal(xo_link_validate(&good, sizeof(good.request), 4, 65536), 0);
	assert_int_equal(xo_link_validate(&good, sizeof(good.request) - 1, 4, 65536), -EPROTO);
	assert_int_equal(xo_link_validate(&good, 0, 4, 65536), -EPROTO);
	REFUSED(m.request.type = 0);
	REFUSED(m.request.type = 99);
	REFUSED(m.request.kind = 0);
	REFUSED(m.request.kind = 4);
	REFUSED(m.request.direction = 3);
	REFUSED(m.request.direction = XO_DIR_NONE);
	REFUSED(m.request.length = 0);
	REFUSED(m.request.length = 65537);
	REFUSED(m.request.cdb_length = 5);
	REFUSED(m.request.cdb_length = XO_CDB_MAX + 1);
	REFUSED(m.request.slot = 4);
	REFUSED(m.request.tag = 0);
	REFUSED(m.request.reserved = 1);
	REFUSED(m.request.target_tag = 1);
	REFUSED(m.request.kind = XO_LINK_RESET);
	REFUSED(m.request.kind = XO_LINK_ABORT);
}

enum { P_FIRST, P_SECOND };
static const char *const test_points[] = { [P_FIRST] = "test.first", [P_SECOND] = "test.second" };

/* A child that passes the first point five times; how it ended. */
static int run_child(int fd)
{
	struct xo_ledger ledger;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGILL, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		if (xo_ledger_open(&ledger, dup(fd), "test", 1, 100) ||
		    xo_point_init(test_points, 2, &ledger))
			_exit(1);
		for (int i = 0; i < 5; i++)
			xo_point(P_FIRST);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_point_kills_once_across_restarts(void **state)
{
	struct xo_ledger ledger;
	int fd = xo_ledger_create(100);

	(void)state;
	assert_true(fd >= 0);
	setenv("XENOPTIC_KILL", "other.point=1,test.first=3,test.first=6", 1);
	assert_true(WIFSIGNALED(run_child(fd)));
	assert_true(WIFSIGNALED(run_child(fd)));
	assert_true(WIFEXITED(run_child(fd)));
	unsetenv("XENOPTIC_KILL");
	assert_int_equal(xo_ledger_open(&ledger, fd, "test", 1, 100), 0);
	assert_int_equal(ledger.header->generation, 4);
	assert_int_equal(ledger.header->point_hits[P_FIRST], 3 + 3 + 5);
	xo_ledger_close(&ledger);
}

static void a_malformed_kill_is_refused(void **state)
{
	static const char *const bad[] = { "test.first", "test.first=", "test.first=0", "=x",
					   "a=1;b=2" };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(bad); i++) {
		setenv("XENOPTIC_KILL", bad[i], 1);
		assert_int_equal(xo_point_init(test_points, 2, NULL), -EINVAL);
	}
	unsetenv("XENOPTIC_KILL");
	assert_int_equal(xo_point_init(test_points, 2, NULL), 0);
}

static void the_ledger_is_refused_by_others(void **state)
{
	struct xo_ledger ledger;
	int fd = xo_ledger_create(100);
	int unsealed = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(xo_ledger_open(&ledger, dup(fd), "test", 1, 100), 0);
	memset(ledger.region, 0xaa, 100);
	xo_ledger_close(&ledger);
	assert_int_equal(xo_ledger_open(&ledger, fd, "other", 1, 100), -EPROTO);
	assert_int_equal(xo_ledger_open(&ledger, fd, "test", 2, 100), -EPROTO);
	assert_int_equal(xo_ledger_open(&ledger, fd, "test", 1, 101), -EPROTO);
	assert_int_equal(xo_ledger_open(&ledger, fd, "test", 1, 100000), -EPROTO);
	assert_int_equal(ftruncate(unsealed, (off_t)xo_ledger_size(100)), 0);
	assert_int_equal(xo_ledger_open(&ledger, unsealed, "test", 1, 100), -EPROTO);
	assert_int_equal(xo_ledger_open(&ledger, fd, "test", 1, 100), 0);
	assert_int_equal(((uint8_t *)ledger.region)[99], 0xaa);
	xo_ledger_close(&ledger);
	close(unsealed);
}

struct loop_test {
	struct xo_loop *loop;
	struct xo_watch a;
	struct xo_watch b;
	struct xo_timer late;
	struct xo_timer early;
	char order[8];
	size_t events;
	int pa[2];
	int pb[2];
};

/* Two watches that are both readable. */
static void loop_begin(struct loop_test *test,
		       void (*ready)(struct xo_watch *watch, uint32_t events))
{
	assert_int_equal(pipe(test->pa), 0);
	assert_int_equal(pipe(test->pb), 0);
	alarm(60); /* what waits for ever fails */
	assert_int_equal(xo_loop_new(&test->loop), 0);
	test->a = (struct xo_watch){
		.fd = test->pa[0], .events = EPOLLIN, .ready = ready, .priv = test
	};
	test->b = test->a;
	test->b.fd = test->pb[0];
	assert_int_equal(xo_loop_add(test->loop, &test->a), 0);
	assert_int_equal(xo_loop_add(test->loop, &test->b), 0);
	assert_int_equal(write(test->pa[1], "x", 1), 1);
	assert_int_equal(write(test->pb[1], "x", 1), 1);
}

static void loop_end(struct loop_test *test)
{
	xo_loop_free(test->loop);
	alarm(0);
	for (int i = 0; i < 2; i++) {
		close(test->pa[i]);
		close(test->pb[i]);
	}
}

static void on_readable(struct xo_watch *watch, uint32_t events)
{
	struct loop_test *test = watch->priv;

	assert_true(events & EPOLLIN);
	test->events++;
	/* Whichever comes first takes away the other, whose event was read already. */
	xo_loop_remove(test->loop, watch == &test->a ? &test->b : &test->a);
	xo_loop_remove(test->loop, watch);
}

static void on_timer(struct xo_timer *timer)
{
	struct loop_test *test = timer->priv;
	size_t n = strlen(test->order);

	test->order[n] = timer == &test->early ? 'e' : 'l';
	if (n == 1)
		xo_loop_quit(test->loop, 42);
}

static void loop_delivers_events_and_timers(void **state)
{
	struct loop_test t = { 0 };

	(void)state;
	loop_begin(&t, on_readable);
	t.late = (struct xo_timer){ .expired = on_timer, .priv = &t };
	t.early = (struct xo_timer){ .expired = on_timer, .priv = &t };
	xo_loop_arm(t.loop, &t.late, 2000000);
	xo_loop_arm(t.loop, &t.early, 500000000);
	xo_loop_arm(t.loop, &t.early, 1000000);
	assert_int_equal(xo_loop_run(t.loop), 42);
	assert_int_equal(t.events, 1);
	assert_string_equal(t.order, "el");
	loop_end(&t);
}

/* The kernel's timer stays as it was set when that one is disarmed, and is set anew for the one behind it. */
static void loop_goes_on_after_a_disarmed_timer(void **state)
{
	struct loop_test t = { 0 };

	(void)state;
	loop_begin(&t, on_readable);
	t.late = (struct xo_timer){ .expired = on_timer, .priv = &t };
	t.early = (struct xo_timer){ .expired = on_timer, .priv = &t };
	xo_loop_arm(t.loop, &t.early, 1000000);
	xo_loop_arm(t.loop, &t.late, 2000000);
	xo_loop_disarm(t.loop, &t.early);
	while (!t.order[0])
		assert_int_equal(xo_loop_step(t.loop), 0);
	assert_string_equal(t.order, "l");
	/* Without a delay: in this turn, which does not wait. */
	xo_loop_arm(t.loop, &t.early, 0);
	assert_int_equal(xo_loop_step(t.loop), 0);
	assert_string_equal(t.order, "le");
	loop_end(&t);
}

static void on_skipping(struct xo_watch *watch, uint32_t events)
{
	struct loop_test *test = watch->priv;

	assert_true(events & EPOLLIN);
	test->events++;
	xo_loop_skip(test->loop, watch == &test->a ? &test->b : &test->a);
	xo_loop_remove(test->loop, watch);
}

/* One that is skipped is told of in the next turn. */
static void loop_skips_what_a_turn_has_still_to_say(void **state)
{
	struct loop_test t = { 0 };

	(void)state;
	loop_begin(&t, on_skipping);
	assert_int_equal(xo_loop_step(t.loop), 0);
	assert_int_equal(t.events, 1);
	assert_int_equal(xo_loop_step(t.loop), 0);
	assert_int_equal(t.events, 2);
	loop_end(&t);
}

static void control_carries_objects_and_descriptors(void **state)
{
	json_t *out = json_pack("{s:s,s:i}", "execute", "x", "id", 5);
	json_t *in;
	int got[XO_CONTROL_FDS_MAX];
	size_t count;
	int fds[2];
	int pipes[2];

	(void)state;
	assert_int_equal(xo_control_pair(fds), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(xo_control_receive(fds[1], &in, got, &count), 0);
	assert_int_equal(xo_control_send(fds[0], out, pipes, 2), 0);
	assert_int_equal(xo_control_receive(fds[1], &in, got, &count), 1);
	assert_int_equal(count, 2);
	assert_true(json_equal(in, out));
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(xo_control_error(fds[1], json_object_get(in, "id"), "Busy", "no %d", 3),
			 0);
	json_decref(in);
	close(got[0]);
	close(got[1]);
	assert_int_equal(xo_control_receive(fds[0], &in, got, &count), 1);
	assert_int_equal(json_integer_value(json_object_get(in, "id")), 5);
	json_decref(in);
	assert_int_equal(write(fds[1], "[1]", 3), 3);
	assert_int_equal(xo_control_receive(fds[0], &in, got, &count), -EPROTO);
	close(fds[1]);
	assert_int_equal(xo_control_receive(fds[0], &in, got, &count), -EPIPE);
	json_decref(out);
	close(fds[0]);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_never_passes_the_end),
		cmocka_unit_test(writer_truncates_and_counts),
		cmocka_unit_test(range_within_does_not_wrap),
		cmocka_unit_test(link_carries_messages_and_data),
		cmocka_unit_test(link_refuses_a_foreign_arena),
		cmocka_unit_test(link_checks_every_field),
		cmocka_unit_test(a_point_kills_once_across_restarts),
		cmocka_unit_test(a_malformed_kill_is_refused),
		cmocka_unit_test(the_ledger_is_refused_by_others),
		cmocka_unit_test(loop_delivers_events_and_timers),
		cmocka_unit_test(loop_goes_on_after_a_disarmed_timer),
		cmocka_unit_test(loop_skips_what_a_turn_has_still_to_say),
		cmocka_unit_test(control_carries_objects_and_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
