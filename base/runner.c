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
/* Quiet turns of the loop before its owner waits for the event alone: to begin with it and to end it cost a wake-up. */
#define CALM_TURNS 16

enum run_state {
	RUN_NONE, /* no job */
	RUN_OWNED, /* its thread owns the loop as well */
	RUN_TAKEN, /* the other thread does */
	RUN_PARKED, /* no job, and no owner: the loop is taken by whoever needs it first */
};

/* What a thread has to say that waited for the event. */
enum came {
	CAME_NOT, /* nothing */
	CAME_BACK, /* it did not wait: the loop has something */
	CAME_EVENT,
	CAME_ENDED, /* without the event */
};

static void futex_wait(uint32_t *word, uint32_t value, const struct timespec *timeout)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
}

static void count_up(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		xo_error("cannot tell the other thread: %m");
}

static void wake_follower(struct xo_runner *runner)
{
	__atomic_add_fetch(&runner->wake, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &runner->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	if (runner->aside_fd >= 0)
		count_up(runner->nudge_fd);
}

static void complete(struct xo_runner *runner)
{
	void *job = runner->active;

	runner->active = NULL;
	runner->ops->finish(runner->priv, job);
}

/* The owner hears what the thread that waited has to say. */
static void hear(struct xo_runner *runner)
{
	enum came came = __atomic_exchange_n(&runner->came, CAME_NOT, __ATOMIC_SEQ_CST);

	if (came == CAME_NOT)
		return;
	runner->waiting = false;
	if (came == CAME_ENDED)
		runner->calm = 0;
	if (came == CAME_EVENT && !runner->forgotten)
		runner->event->arrived(runner->priv);
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
	hear(runner);
}

int xo_runner_init(struct xo_runner *runner, struct xo_loop *loop, const struct xo_runner_ops *ops,
		   void *priv)
{
	int r;

	*runner = (struct xo_runner){
		.loop = loop, .ops = ops, .priv = priv, .nudge_fd = -1, .aside_fd = -1
	};
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

int xo_runner_wait_for(struct xo_runner *runner, const struct xo_runner_event *event)
{
	struct epoll_event nudged = { .events = EPOLLIN };
	struct epoll_event loop = { .events = EPOLLIN, .data.fd = xo_loop_fd(runner->loop) };

	runner->nudge_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (runner->nudge_fd < 0)
		return -errno;
	runner->aside_fd = epoll_create1(EPOLL_CLOEXEC);
	if (runner->aside_fd < 0)
		return -errno;
	nudged.data.fd = runner->nudge_fd;
	if (epoll_ctl(runner->aside_fd, EPOLL_CTL_ADD, nudged.data.fd, &nudged) < 0 ||
	    epoll_ctl(runner->aside_fd, EPOLL_CTL_ADD, loop.data.fd, &loop) < 0)
		return -errno;
	runner->event = event;
	return xo_loop_add(runner->loop, event->watch);
}

void xo_runner_forget_event(struct xo_runner *runner)
{
	xo_loop_remove(runner->loop, runner->event->watch);
	runner->forgotten = true;
}

/* The job's thread stays the owner of the loop while `state` says RUN_OWNED at the end. */
static bool execute(struct xo_runner *runner, void *job)
{
	bool slow = runner->threaded && runner->ops->slow(runner->priv, job);
	uint32_t expected = RUN_OWNED;

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
	count_up(runner->done.fd);
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

/* The loop that nobody owns: whether it is ours now. */
static bool take_loop(struct xo_runner *runner)
{
	uint32_t expected = RUN_PARKED;

	return __atomic_compare_exchange_n(&runner->state, &expected, RUN_NONE, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool is_wanted(struct xo_runner *runner)
{
	return __atomic_load_n(&runner->wanted, __ATOMIC_SEQ_CST);
}

static bool may_wait_alone(struct xo_runner *runner)
{
	if (!runner->event || runner->forgotten)
		return false;
	if (runner->active || !runner->event->quiet(runner->priv)) {
		/* Unless what is left to be done is due. */
		if (runner->calm && !xo_loop_due(runner->loop))
			runner->calm = 0;
		return false;
	}
	if (is_wanted(runner) || xo_loop_due(runner->loop))
		return false;
	if (runner->calm == CALM_TURNS)
		return runner->threaded;
	runner->calm++;
	return false;
}

/* The other thread waits for the event, and has the loop when it is there. True: it is there. */
static bool give_back(struct xo_runner *runner)
{
	__atomic_store_n(&runner->state, RUN_PARKED, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&runner->came, __ATOMIC_SEQ_CST) || !take_loop(runner))
		return false;
	hear(runner);
	return true;
}

/* Waits for the event alone. False: the loop was lost on the way. */
static bool wait_alone(struct xo_runner *runner)
{
	const struct xo_runner_event *event = runner->event;
	enum came came = CAME_BACK;

	if (!runner->parking) {
		xo_loop_remove(runner->loop, event->watch);
		__atomic_store_n(&runner->parking, 1, __ATOMIC_SEQ_CST);
		wake_follower(runner);
	}
	if (runner->waiting)
		return give_back(runner);
	runner->waiting = true;
	__atomic_store_n(&runner->state, RUN_PARKED, __ATOMIC_SEQ_CST);
	if (!is_wanted(runner))
		came = event->wait(runner->priv) > 0 ? CAME_EVENT : CAME_ENDED;
	__atomic_store_n(&runner->came, came, __ATOMIC_SEQ_CST);
	if (take_loop(runner)) {
		hear(runner);
		return true;
	}
	count_up(runner->done.fd);
	return false;
}

static int step(struct xo_runner *runner)
{
	int r = 0;

	if (__atomic_exchange_n(&runner->wanted, 0, __ATOMIC_SEQ_CST)) {
		r = xo_loop_poll(runner->loop);
		wake_follower(runner);
		return r;
	}
	if (runner->parking) {
		if (xo_loop_due(runner->loop))
			return xo_loop_step(runner->loop);
		__atomic_store_n(&runner->parking, 0, __ATOMIC_SEQ_CST);
		wake_follower(runner);
	}
	if (runner->event && !runner->event->watch->added && !runner->forgotten && !runner->waiting)
		r = xo_loop_add(runner->loop, runner->event->watch);
	return r ? r : xo_loop_step(runner->loop);
}

static int lead(struct xo_runner *runner)
{
	int r = 0;

	if (!must_quit(runner) && runner->active && runner->ops->taken)
		runner->ops->taken(runner->priv);
	while (!must_quit(runner) && !r) {
		if (!run_queue(runner))
			return 0;
		if (must_quit(runner))
			break;
		if (!may_wait_alone(runner))
			r = step(runner);
		else if (!wait_alone(runner))
			return 0;
	}
	return r;
}

/*
 * Until woken, for a tick, or until the loop has something, if nobody else looks: then it is wanted, and once that is
 * said the loop is not looked at again until its owner has.
 */
static void pause_follower(struct xo_runner *runner, uint32_t wake, bool tick)
{
	static const struct timespec time = { .tv_nsec = TICK_NS };
	struct epoll_event events[2];
	uint64_t count;
	int n;

	if (is_wanted(runner) || !__atomic_load_n(&runner->parking, __ATOMIC_SEQ_CST)) {
		futex_wait(&runner->wake, wake, tick || is_wanted(runner) ? &time : NULL);
		return;
	}
	n = epoll_wait(runner->aside_fd, events, 2, tick ? TICK_NS / 1000000 : -1);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd != runner->nudge_fd)
			__atomic_store_n(&runner->wanted, 1, __ATOMIC_SEQ_CST);
		else if (read(runner->nudge_fd, &count, sizeof(count)) < 0)
			xo_error("cannot hear the other thread: %m");
	}
}

/* Nothing to look after: waits until woken. */
static void sleep_deeply(struct xo_runner *runner, uint32_t wake, uint32_t seen)
{
	__atomic_store_n(&runner->asleep, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&runner->state, __ATOMIC_SEQ_CST) != RUN_OWNED &&
	    __atomic_load_n(&runner->sequence, __ATOMIC_SEQ_CST) == seen &&
	    !__atomic_load_n(&runner->handover, __ATOMIC_SEQ_CST) && !must_quit(runner))
		pause_follower(runner, wake, false);
	__atomic_store_n(&runner->asleep, 0, __ATOMIC_SEQ_CST);
}

/* Returns as the owner of the loop, or to quit. */
static void follow(struct xo_runner *runner)
{
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
			pause_follower(runner, wake, true);
		}
		if (is_wanted(runner) && take_loop(runner))
			return;
		/* Its owner looks at it by now, and did when it was found: or it would stay wanted until the next event. */
		if (!__atomic_load_n(&runner->parking, __ATOMIC_SEQ_CST))
			__atomic_store_n(&runner->wanted, 0, __ATOMIC_SEQ_CST);
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
	if (r && runner->event)
		runner->event->fail(runner->priv, r);
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
	if (runner->nudge_fd >= 0)
		close(runner->nudge_fd);
	if (runner->aside_fd >= 0)
		close(runner->aside_fd);
}

int xo_runner_step(struct xo_runner *runner)
{
	run_queue(runner);
	return xo_loop_step(runner->loop);
}
