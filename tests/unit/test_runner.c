/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leader and follower: every job runs once and alone, quick ones cost no
 * hand-over, and the loop goes on while a slow one runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/runner.h"

struct job {
	unsigned int ms;
	bool slow;
	unsigned int runs;
	unsigned int finishes;
};

struct world {
	struct xo_loop *loop;
	struct xo_runner runner;
	struct xo_timer timer;
	struct job *jobs;
	unsigned int count;
	unsigned int next;
	unsigned int done;
	unsigned int running; /* jobs at this moment; by the threads that run them */
	unsigned int owners; /* threads in the owner's callbacks at this moment */
	unsigned int ticks; /* of the loop while a job ran */
	bool wrong;
};

static void enter(struct world *world)
{
	if (__atomic_fetch_add(&world->owners, 1, __ATOMIC_SEQ_CST))
		world->wrong = true;
}

static void leave(struct world *world)
{
	__atomic_fetch_sub(&world->owners, 1, __ATOMIC_SEQ_CST);
}

static void *next(void *priv)
{
	struct world *world = priv;
	void *job;

	enter(world);
	job = world->next < world->count ? &world->jobs[world->next++] : NULL;
	leave(world);
	return job;
}

static bool slow(void *priv, void *job)
{
	(void)priv;
	return ((struct job *)job)->slow;
}

static void run(void *priv, void *what)
{
	struct world *world = priv;
	struct job *job = what;
	struct timespec pause = { .tv_sec = job->ms / 1000, .tv_nsec = job->ms % 1000 * 1000000L };

	if (__atomic_fetch_add(&world->running, 1, __ATOMIC_SEQ_CST))
		world->wrong = true;
	if (job->ms)
		nanosleep(&pause, NULL);
	job->runs++;
	__atomic_fetch_sub(&world->running, 1, __ATOMIC_SEQ_CST);
}

static void finish(void *priv, void *what)
{
	struct world *world = priv;
	struct job *job = what;

	enter(world);
	job->finishes++;
	if (++world->done == world->count)
		xo_runner_quit(&world->runner);
	leave(world);
}

static void tick(struct xo_timer *timer)
{
	struct world *world = timer->priv;

	enter(world);
	if (world->runner.active)
		world->ticks++;
	xo_loop_arm(world->loop, timer, 1000000);
	leave(world);
}

static const struct xo_runner_ops ops = { next, slow, run, finish };

static void run_world(struct world *world, struct job *jobs, unsigned int count)
{
	memset(world, 0, sizeof(*world));
	world->jobs = jobs;
	world->count = count;
	assert_int_equal(xo_loop_new(&world->loop), 0);
	assert_int_equal(xo_runner_init(&world->runner, world->loop, &ops, world), 0);
	world->timer = (struct xo_timer){ .expired = tick, .priv = world };
	xo_loop_arm(world->loop, &world->timer, 1000000);
	assert_int_equal(xo_runner_start(&world->runner), 0);
	assert_int_equal(xo_runner_run(&world->runner), 0);
	xo_runner_fini(&world->runner);
	xo_loop_free(world->loop);
	assert_false(world->wrong);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(jobs[i].runs, 1);
		assert_int_equal(jobs[i].finishes, 1);
	}
}

static void test_quick(void **state)
{
	static struct job jobs[20000];
	struct world world;

	(void)state;
	memset(jobs, 0, sizeof(jobs));
	run_world(&world, jobs, 20000);
}

/* Known to be slow: the loop is handed over at once. Not known: it is taken. */
static void test_slow(void **state)
{
	struct job known = { .ms = 200, .slow = true };
	struct job unknown = { .ms = 400 };
	struct world world;

	(void)state;
	run_world(&world, &known, 1);
	assert_int_equal(world.runner.handovers, 1);
	assert_true(world.ticks > 0);
	run_world(&world, &unknown, 1);
	assert_int_equal(world.runner.handovers, 1);
	assert_true(world.ticks > 0);
}

static void test_mixed(void **state)
{
	static struct job jobs[600];
	struct world world;
	uint32_t random = 12345;

	(void)state;
	memset(jobs, 0, sizeof(jobs));
	for (unsigned int i = 0; i < 600; i++) {
		random = random * 1664525u + 1013904223u;
		jobs[i].slow = random >> 30 == 0;
		if ((random >> 16 & 31) == 0)
			jobs[i].ms = 1 + (random >> 8) % 40;
	}
	run_world(&world, jobs, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quick),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_mixed),
	};

	return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
