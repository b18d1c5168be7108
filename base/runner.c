/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leader and follower; see base/runner.h. */
#include "base/runner.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/*
 * How often the follower looks; a job that is there at two looks is slow. Each look costs two
 * changes of task (on a PV Dom0 a timer's hypercall as well) beside the quick commands, so they
 * are rare: nothing that waits for the loop minds a tenth of a second.
 */
#define TICK_NS 50000000
/* Looks without a job before the follower sleeps until it is woken. */
#define IDLE_TICKS 2

enum run_state {
	RUN_NONE, /* no job */
	RUN_OWNED, /* its thread owns the loop as well */
	RUN_TAKEN, /* the other thread does */
};

static void futex_wait(uint32_t *word, uint32_t value, const struct timespec *timeout)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
}

static void wake_follower(struct xo_runner *runner)
{
	__atomic_add_fetch(&runner->wake, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &runner->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void complete(struct xo_runner *runner)
{
	void *job = runner->active;

	runner->active = NULL;
	runner->ops->finish(runner->priv, job);
}

static void done_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_runner *runner = watch->priv;
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	if (runner->active && __atomic_load_n(&runner->state, __ATOMIC_ACQUIRE) == RUN_NONE)
		complete(runner);
}

int xo_runner_init(struct xo_runner *runner, struct xo_loop *loop, const struct xo_runner_ops *ops,
		   void *priv)
{
	int r;

	*runner = (struct xo_runner){ .loop = loop, .ops = ops, .priv = priv };
	runner->done = (struct xo_watch){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.events = EPOLLIN,
		.ready = done_ready,
		.priv = runner,
	};
	if (runner->done.fd < 0)
		return -errno;
	r = xo_loop_add(loop, &runner->done);
	if (r)
		close(runner->done.fd);
	return r;
}

/* The job's thread stays the owner of the loop while `state` says RUN_OWNED at the end. */
static bool execute(struct xo_runner *runner, void *job)
{
	bool slow = runner->threaded && runner->ops->slow(runner->priv, job);
	uint32_t expected = RUN_OWNED;
	uint64_t one = 1;

	runner->active = job;
	__atomic_add_fetch(&runner->sequence, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&runner->state, slow ? RUN_TAKEN : RUN_OWNED, __ATOMIC_SEQ_CST);
	if (slow) {
		runner->handovers++;
		__atomic_store_n(&runner->handover, 1, __ATOMIC_SEQ_CST);
		wake_follower(runner);
	} else if (runner->threaded && __atomic_load_n(&runner->asleep, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&runner->asleep, 0, __ATOMIC_SEQ_CST);
		wake_follower(runner);
	}
	runner->ops->run(runner->priv, job);
	if (__atomic_compare_exchange_n(&runner->state, &expected, RUN_NONE, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return true;
	__atomic_store_n(&runner->state, RUN_NONE, __ATOMIC_SEQ_CST);
	if (write(runner->done.fd, &one, sizeof(one)) < 0)
		xo_error("cannot tell the other thread: %m");
	return false;
}

static bool must_quit(struct xo_runner *runner)
{
	return __atomic_load_n(&runner->quit, __ATOMIC_ACQUIRE);
}

/* Runs what is queued; false when the loop was lost on the way. */
static bool run_queue(struct xo_runner *runner)
{
	void *job;

	while (!runner->active && !must_quit(runner) &&
	       (job = runner->ops->next(runner->priv)) != NULL) {
		if (!execute(runner, job))
			return false;
		complete(runner);
	}
	return true;
}

static int lead(struct xo_runner *runner)
{
	int r = 0;

	while (!must_quit(runner) && !r) {
		if (!run_queue(runner))
			return 0;
		if (!must_quit(runner))
			r = xo_loop_step(runner->loop);
	}
	return r;
}

/* Nothing to look after: waits until woken. */
static void sleep_deeply(struct xo_runner *runner, uint32_t wake, uint32_t seen)
{
	__atomic_store_n(&runner->asleep, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&runner->state, __ATOMIC_SEQ_CST) != RUN_OWNED &&
	    __atomic_load_n(&runner->sequence, __ATOMIC_SEQ_CST) == seen &&
	    !__atomic_load_n(&runner->handover, __ATOMIC_SEQ_CST) && !must_quit(runner))
		futex_wait(&runner->wake, wake, NULL);
	__atomic_store_n(&runner->asleep, 0, __ATOMIC_SEQ_CST);
}

/* Returns as the owner of the loop, or to quit. */
static void follow(struct xo_runner *runner)
{
	static const struct timespec tick = { .tv_nsec = TICK_NS };
	uint32_t seen = __atomic_load_n(&runner->sequence, __ATOMIC_SEQ_CST);
	unsigned int idle = 0;

	for (;;) {
		uint32_t wake = __atomic_load_n(&runner->wake, __ATOMIC_SEQ_CST);
		uint32_t sequence;
		uint32_t expected = RUN_OWNED;

		if (must_quit(runner) ||
		    __atomic_exchange_n(&runner->handover, 0, __ATOMIC_SEQ_CST))
			return;
		if (idle >= IDLE_TICKS) {
			sleep_deeply(runner, wake, seen);
			idle = 0;
		} else {
			futex_wait(&runner->wake, wake, &tick);
		}
		sequence = __atomic_load_n(&runner->sequence, __ATOMIC_SEQ_CST);
		if (sequence != seen) {
			seen = sequence;
			idle = 0;
		} else if (__atomic_compare_exchange_n(&runner->state, &expected, RUN_TAKEN, false,
						       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			runner->handovers++;
			return;
		} else {
			idle++;
		}
	}
}

static void *second_thread(void *arg)
{
	struct xo_runner *runner = arg;
	int r = 0;

	__atomic_store_n(&runner->started, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &runner->started, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	while (!must_quit(runner) && !r) {
		follow(runner);
		r = lead(runner);
	}
	if (r)
		xo_error("loop: %s", strerrordesc_np(-r));
	if (!must_quit(runner))
		xo_runner_quit(runner);
	return NULL;
}

int xo_runner_start(struct xo_runner *runner)
{
	int r;

	runner->threaded = true;
	r = pthread_create(&runner->thread, NULL, second_thread, runner);
	if (r) {
		runner->threaded = false;
		return -r;
	}
	/* What a thread does at its start is over then: a sandbox need not let it through. */
	while (!__atomic_load_n(&runner->started, __ATOMIC_SEQ_CST))
		futex_wait(&runner->started, 0, NULL);
	return 0;
}

int xo_runner_run(struct xo_runner *runner)
{
	int r = 0;

	while (!must_quit(runner) && !r) {
		r = lead(runner);
		if (!must_quit(runner) && !r)
			follow(runner);
	}
	return r;
}

void xo_runner_quit(struct xo_runner *runner)
{
	__atomic_store_n(&runner->quit, true, __ATOMIC_SEQ_CST);
	if (runner->threaded)
		wake_follower(runner);
}

void xo_runner_fini(struct xo_runner *runner)
{
	if (runner->threaded)
		pthread_join(runner->thread, NULL);
	xo_loop_remove(runner->loop, &runner->done);
	close(runner->done.fd);
}

int xo_runner_step(struct xo_runner *runner)
{
	run_queue(runner);
	return xo_loop_step(runner->loop);
}
