/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leader and follower: every job runs once and alone, quick ones cost no
 * hand-over, and the loop goes on while a slow one runs; an event that is waited
 * for alone is never lost, nor anything else that the loop has to do.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

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

static const struct xo_runner_ops ops = {
	.next = next, .slow = slow, .run = run, .finish = finish
};

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

/* ---- an event that a thread waits for alone ---- */

struct rings {
	struct world world; /* its jobs are one for each time that the bell was rung */
	struct xo_watch bell; /* an eventfd, which counts */
	struct xo_runner_event event;
	struct xo_watch errand; /* an eventfd: what else the loop has to do */
	unsigned int rung; /* heard */
	unsigned int waits; /* for the bell alone */
	unsigned int errands, errands_told;
	unsigned int slow_errands; /* done while a job ran */
	bool busy; /* the bell is not waited for alone */
};

static struct rings *rings_of(void *priv)
{
	return priv; /* the world is its first member */
}

/* As a guest's event: what it is for is there before it, and it is read before that is looked for. */
static void heard(struct rings *rings, uint64_t count)
{
	rings->rung += (unsigned int)count;
	rings->world.count = rings->rung;
}

static void bell_ready(struct xo_watch *watch, uint32_t events)
{
	struct rings *rings = watch->priv;
	uint64_t count;

	(void)events;
	enter(&rings->world);
	assert_int_equal(read(watch->fd, &count, sizeof(count)), sizeof(count));
	heard(rings, count);
	leave(&rings->world);
}

static bool is_quiet(void *priv)
{
	bool quiet;

	enter(priv);
	quiet = !rings_of(priv)->busy;
	leave(priv);
	return quiet;
}

static uint64_t waited_for; /* by the one thread that may wait */

static int wait_for_bell(void *priv)
{
	struct rings *rings = priv;

	if (read(rings->bell.fd, &waited_for, sizeof(waited_for)) != sizeof(waited_for))
		return -errno;
	return 1;
}

static void bell_arrived(void *priv)
{
	enter(priv);
	rings_of(priv)->waits++;
	heard(priv, waited_for);
	leave(priv);
}

static void errand_ready(struct xo_watch *watch, uint32_t events)
{
	struct rings *rings = watch->priv;
	uint64_t count;

	(void)events;
	enter(&rings->world);
	assert_int_equal(read(watch->fd, &count, sizeof(count)), sizeof(count));
	rings->errands += (unsigned int)count;
	if (rings->world.runner.active)
		rings->slow_errands++;
	/* Now and then there is more to come than the bell. */
	rings->busy = rings->errands % 4 == 1;
	leave(&rings->world);
}

/* Ends when all was rung for and done; the bell of the end lets the thread go that waits for it. */
static void finish_rung(void *priv, void *what)
{
	struct rings *rings = priv;

	enter(priv);
	((struct job *)what)->finishes++;
	__atomic_add_fetch(&rings->world.done, 1, __ATOMIC_SEQ_CST);
	leave(priv);
}

static void signal_of(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

struct ringer {
	struct rings *rings;
	unsigned int count;
	unsigned int every; /* so many rings, then an errand */
	bool await; /* each ring's job before the next */
};

/* The guest, and whoever else wants something of the loop. */
static void *ring(void *arg)
{
	const struct ringer *ringer = arg;
	struct rings *rings = ringer->rings;

	for (unsigned int i = 0; i < ringer->count; i++) {
		signal_of(rings->bell.fd);
		while (ringer->await && __atomic_load_n(&rings->world.done, __ATOMIC_SEQ_CST) <= i)
			sched_yield();
		if (ringer->every && i % ringer->every == 0) {
			rings->errands_told++;
			signal_of(rings->errand.fd);
		}
	}
	while (__atomic_load_n(&rings->world.done, __ATOMIC_SEQ_CST) < ringer->count)
		sched_yield();
	xo_runner_quit(&rings->world.runner);
	signal_of(rings->bell.fd);
	signal_of(rings->errand.fd);
	return NULL;
}

static const struct xo_runner_ops rung_ops = {
	.next = next, .slow = slow, .run = run, .finish = finish_rung
};

static void run_rings(struct rings *rings, struct job *jobs, struct ringer *ringer)
{
	struct world *world = &rings->world;
	pthread_t thread;

	alarm(60);
	*rings = (struct rings){ .world.jobs = jobs };
	rings->bell = (struct xo_watch){
		.fd = eventfd(0, 0), .events = EPOLLIN, .ready = bell_ready, .priv = rings
	};
	rings->errand = (struct xo_watch){
		.fd = eventfd(0, 0), .events = EPOLLIN, .ready = errand_ready, .priv = rings
	};
	rings->event = (struct xo_runner_event){
		.watch = &rings->bell,
		.quiet = is_quiet,
		.wait = wait_for_bell,
		.arrived = bell_arrived,
	};
	ringer->rings = rings;
	assert_int_equal(xo_loop_new(&world->loop), 0);
	assert_int_equal(xo_runner_init(&world->runner, world->loop, &rung_ops, rings), 0);
	assert_int_equal(xo_runner_wait_for(&world->runner, &rings->event), 0);
	assert_int_equal(xo_loop_add(world->loop, &rings->errand), 0);
	assert_int_equal(xo_runner_start(&world->runner), 0);
	assert_int_equal(pthread_create(&thread, NULL, ring, ringer), 0);
	assert_int_equal(xo_runner_run(&world->runner), 0);
	pthread_join(thread, NULL);
	xo_runner_fini(&world->runner);
	xo_loop_free(world->loop);
	close(rings->bell.fd);
	close(rings->errand.fd);
	alarm(0);
	assert_false(world->wrong);
	for (unsigned int i = 0; i < ringer->count; i++) {
		assert_int_equal(jobs[i].runs, 1);
		assert_int_equal(jobs[i].finishes, 1);
	}
}

/* One ring, one job: nearly all are waited for alone, and no hand-over is made. */
static void test_event(void **state)
{
	static struct job jobs[20000];
	struct ringer ringer = { .count = 20000, .await = true };
	struct rings rings;

	(void)state;
	memset(jobs, 0, sizeof(jobs));
	run_rings(&rings, jobs, &ringer);
	assert_true(rings.waits > 19000);
}

/* The loop's other events come while its owner waits, works, or runs a job; and as fast as they can. */
static void test_event_and_loop(void **state)
{
	static struct job jobs[20000];
	struct rings rings;

	(void)state;
	for (unsigned int every = 1; every <= 40; every = every * 3 + 1) {
		struct ringer ringer = { .count = 5000, .every = every, .await = every > 1 };

		memset(jobs, 0, sizeof(jobs));
		run_rings(&rings, jobs, &ringer);
		assert_true(rings.errands + 1 >= rings.errands_told);
		if (every == 40)
			assert_true(rings.waits > 0);
	}
}

/* A job that lasts does not keep the loop from the rest, whether that was known or not. */
static void test_event_and_slow_jobs(void **state)
{
	static struct job jobs[400];
	struct ringer ringer = { .count = 400, .every = 1 };
	struct rings rings;

	(void)state;
	memset(jobs, 0, sizeof(jobs));
	for (unsigned int i = 0; i < 400; i++) {
		jobs[i].slow = i % 50 == 7;
		jobs[i].ms = i % 100 == 57 ? 200 : i % 50 == 7 ? 20 : i % 3 == 0;
	}
	run_rings(&rings, jobs, &ringer);
	assert_true(rings.world.runner.handovers >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_event_and_loop),
		cmocka_unit_test(test_event_and_slow_jobs),
		cmocka_unit_test(test_quick),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_mixed),
	};

	return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
