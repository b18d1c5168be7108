/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Supervision of workers: start, end, successor. Their control channels are in worker_control.c. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/ledger.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/point.h"
#include "base/worker.h"
#include "points.h"
#include "process.h"
#include "worker_private.h"

#define EXIT_USAGE 2 /* argv or descriptors are wrong: a successor would fare no better */

void xo_spawn_arg(struct xo_spawn *spawn, const char *format, ...)
{
	va_list args;

	if (spawn->argc == XO_SPAWN_ARGS_MAX) {
		spawn->failed = true;
		return;
	}
	va_start(args, format);
	if (vasprintf(&spawn->argv[spawn->argc], format, args) < 0) {
		spawn->argv[spawn->argc] = NULL;
		spawn->failed = true;
	} else {
		spawn->argc++;
	}
	va_end(args);
}

int xo_spawn_fd(struct xo_spawn *spawn, int fd)
{
	if (spawn->fd_count == XO_SPAWN_FDS_MAX) {
		spawn->failed = true;
		return -1;
	}
	spawn->fds[spawn->fd_count] = fd;
	return XO_FD_FIRST + (int)spawn->fd_count++;
}

static void spawn_fini(struct xo_spawn *spawn)
{
	for (unsigned int i = 0; i < spawn->argc; i++)
		free(spawn->argv[i]);
}

int xo_worker_new(struct xo_workers *all, const struct xo_worker_ops *ops, const char *name,
		  void *priv, struct xo_worker **worker)
{
	struct xo_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->all = all;
	w->ops = ops;
	w->priv = priv;
	w->pidfd = -1;
	w->control = -1;
	w->ledger = -1;
	w->next_id = xo_now_ns(); /* not those of a former launcher */
	snprintf(w->name, sizeof(w->name), "%s", name);
	snprintf(w->cookie, sizeof(w->cookie), "%d.%" PRIu64, (int)getpid(), all->next_cookie++);
	xo_rate_init(&w->rate, all->restart_limit, all->restart_window * UINT64_C(1000000000));
	STAILQ_INIT(&w->pending);
	STAILQ_INIT(&w->queue);
	LIST_INSERT_HEAD(&all->list, w, entry);
	*worker = w;
	return 0;
}

/* Control channel and ledger, as the keeper has them. */
static void kept_names(const struct xo_worker *w, struct xo_kept kept[2])
{
	kept[0].fd = w->control;
	kept[1].fd = w->ledger;
	snprintf(kept[0].name, sizeof(kept[0].name), "control %s %.200s", w->ops->role, w->name);
	snprintf(kept[1].name, sizeof(kept[1].name), "ledger %s %.200s", w->ops->role, w->name);
}

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

/* Stops and closes a handle; it frees itself. */
static void handle_close(void *handle)
{
	uv_handle_t *h = handle;

	if (!h)
		return;
	h->data = NULL;
	uv_close(h, handle_free);
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What belongs to one process of the worker; the ledger stays. */
static void process_forget(struct xo_worker *w)
{
	handle_close(w->control_poll);
	handle_close(w->pid_poll);
	handle_close(w->process);
	w->control_poll = NULL;
	w->pid_poll = NULL;
	w->process = NULL;
	fd_close(&w->control);
	fd_close(&w->pidfd);
	w->pid = 0;
	w->ready = false;
	xo_worker_drop_all(w);
}

void xo_worker_free(struct xo_worker *worker)
{
	struct xo_workers *all;
	struct xo_kept kept[2];

	if (!worker)
		return;
	all = worker->all;
	LIST_REMOVE(worker, entry);
	all->changed(all);
	kept_names(worker, kept);
	xo_keeper_drop(all->keeper, kept, XO_ARRAY_SIZE(kept));
	process_forget(worker);
	fd_close(&worker->ledger);
	free(worker);
}

static const char *exit_text(int64_t status, int signal, char *text, size_t size)
{
	if (signal)
		snprintf(text, size, "killed by signal %d", signal);
	else
		snprintf(text, size, "ended with status %" PRId64, status);
	return text;
}

/* The process is dead. Its last words first, then a successor, or none. */
static void process_dead(struct xo_worker *w, const char *how, bool restart)
{
	char why[128];
	bool stopping;
	bool replaced;

	xo_point(XO_POINT_ENDED);
	xo_worker_read_all(w);
	stopping = w->stopping;
	replaced = w->replaced;
	w->replaced = false;
	process_forget(w);
	if (stopping) {
		w->all->changed(w->all);
		w->ops->ended(w, NULL);
		return;
	}
	if (!restart) {
		snprintf(why, sizeof(why), "%s %s", w->ops->program, how);
	} else if (!replaced && !xo_rate_allows(&w->rate, xo_now_ns())) {
		snprintf(why, sizeof(why), "%s %s, more than %u times in %u s", w->ops->program,
			 how, w->all->restart_limit, w->all->restart_window);
	} else {
		xo_warning("%s %s: %s; starting its successor", w->ops->role, w->name, how);
		if (!xo_worker_start(w))
			return;
		snprintf(why, sizeof(why), "%s cannot be started", w->ops->program);
	}
	xo_error("%s %s: %s; giving up", w->ops->role, w->name, why);
	w->all->changed(w->all);
	w->ops->ended(w, why);
}

static void child_exited(uv_process_t *process, int64_t status, int signal)
{
	struct xo_worker *w = process->data;
	char text[64];

	if (w)
		process_dead(w, exit_text(status, signal, text, sizeof(text)),
			     signal || status != EXIT_USAGE);
}

static void adopted_exited(uv_poll_t *poll, int status, int events)
{
	struct xo_worker *w = poll->data;

	(void)status;
	(void)events;
	if (w)
		process_dead(w, "ended", true);
}

static void control_ready(uv_poll_t *poll, int status, int events)
{
	struct xo_worker *w = poll->data;

	if (!w || status < 0)
		return;
	if (events & UV_WRITABLE)
		xo_worker_write_all(w);
	if (events & UV_READABLE)
		xo_worker_read_some(w);
}

static int poll_start(struct xo_worker *w, uv_poll_t **poll, int fd, int events, uv_poll_cb cb)
{
	uv_poll_t *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	r = uv_poll_init(w->all->loop, p, fd);
	if (r) {
		free(p);
		return r;
	}
	p->data = w;
	*poll = p;
	return uv_poll_start(p, events, cb);
}

void xo_worker_poll_control(struct xo_worker *w, bool write)
{
	if (w->control_poll)
		uv_poll_start(w->control_poll, UV_READABLE | (write ? UV_WRITABLE : 0),
			      control_ready);
}

char **xo_worker_environment(char *cookie)
{
	extern char **environ;
	size_t count = 0;
	size_t n = 0;
	char **env;

	while (environ[count])
		count++;
	env = calloc(count + 2, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0 &&
		    strncmp(environ[i], XO_WORKER_COOKIE "=", sizeof(XO_WORKER_COOKIE)) != 0)
			env[n++] = environ[i];
	env[n] = cookie;
	return env;
}

static int spawn_process(struct xo_worker *w, struct xo_spawn *spawn, int worker_end)
{
	uv_stdio_container_t stdio[XO_FD_FIRST + XO_SPAWN_FDS_MAX];
	uv_process_options_t options = {
		.exit_cb = child_exited,
		.file = spawn->argv[0],
		.args = spawn->argv,
		.stdio = stdio,
		.stdio_count = XO_FD_FIRST + (int)spawn->fd_count,
	};
	const int fixed[XO_FD_FIRST] = {
		[STDIN_FILENO] = -1,
		[STDOUT_FILENO] = STDERR_FILENO,
		[STDERR_FILENO] = STDERR_FILENO,
		[XO_FD_CONTROL] = worker_end,
		[XO_FD_LEDGER] = w->ledger,
	};
	char cookie[sizeof(XO_WORKER_COOKIE) + sizeof(w->cookie)];
	int r;

	for (int i = 0; i < options.stdio_count; i++) {
		int fd = i < XO_FD_FIRST ? fixed[i] : spawn->fds[i - XO_FD_FIRST];

		stdio[i].flags = fd < 0 ? UV_IGNORE : UV_INHERIT_FD;
		stdio[i].data.fd = fd;
	}
	snprintf(cookie, sizeof(cookie), "%s=%s", XO_WORKER_COOKIE, w->cookie);
	options.env = xo_worker_environment(cookie);
	w->process = calloc(1, sizeof(*w->process));
	if (!w->process || !options.env) {
		free(options.env);
		return -ENOMEM;
	}
	w->process->data = w;
	r = uv_spawn(w->all->loop, w->process, &options);
	free(options.env);
	return r;
}

static int start_with(struct xo_worker *w, struct xo_spawn *spawn)
{
	int pair[2] = { -1, -1 };
	struct xo_kept kept[2];
	int r = 0;

	if (w->ledger < 0) {
		w->ledger = xo_ledger_create(w->ops->ledger_region);
		if (w->ledger < 0)
			return w->ledger;
	}
	r = xo_control_pair(pair);
	if (r)
		return r;
	w->control = pair[0];
	kept_names(w, kept);
	xo_keeper_put(w->all->keeper, kept, XO_ARRAY_SIZE(kept));
	w->all->changed(w->all); /* planned: pid 0 */
	xo_point(XO_POINT_PLANNED);
	r = spawn_process(w, spawn, pair[1]);
	close(pair[1]);
	if (r)
		return r;
	w->pid = w->process->pid;
	xo_point(XO_POINT_SPAWNED);
	if (xo_process_start_time(w->pid, &w->start_time))
		w->start_time = 0; /* dead already; its end is seen next */
	return poll_start(w, &w->control_poll, w->control, UV_READABLE, control_ready);
}

int xo_worker_start(struct xo_worker *worker)
{
	struct xo_spawn spawn = { 0 };
	int r = -E2BIG;

	worker->stopping = false;
	xo_spawn_arg(&spawn, "%s/%s", worker->all->libexec_dir, worker->ops->program);
	worker->ops->build(worker, &spawn);
	if (!spawn.failed)
		r = start_with(worker, &spawn);
	if (r) {
		xo_error("%s %s: %s cannot be started: %s", worker->ops->role, worker->name,
			 spawn.argv[0] ? spawn.argv[0] : worker->ops->program, strerror(-r));
		process_forget(worker);
	}
	spawn_fini(&spawn);
	worker->all->changed(worker->all);
	if (r)
		return r;
	worker->starts++;
	xo_point(XO_POINT_RECORDED);
	worker->ops->started(worker);
	return 0;
}

static int adopt_process(struct xo_worker *worker, const struct xo_worker_record *record)
{
	uint64_t start_time = record->start_time;
	pid_t pid = record->pid;

	if (!pid)
		pid = xo_process_find(record->cookie, &start_time);
	worker->pidfd = pid > 0 ? xo_process_open(pid, start_time) : -ESRCH;
	if (worker->pidfd < 0)
		return worker->pidfd;
	worker->pid = pid;
	worker->start_time = start_time;
	return poll_start(worker, &worker->pid_poll, worker->pidfd, UV_READABLE, adopted_exited);
}

int xo_worker_adopt(struct xo_worker *worker, const struct xo_worker_record *record)
{
	struct xo_kept kept[2];
	int r;

	snprintf(worker->cookie, sizeof(worker->cookie), "%s", record->cookie);
	worker->starts = 1;
	worker->stopping = record->stopping;
	r = adopt_process(worker, record);
	worker->died = r == -ESRCH;
	if (r && r != -ESRCH)
		return r;
	kept_names(worker, kept);
	r = xo_keeper_get(worker->all->keeper, kept, XO_ARRAY_SIZE(kept));
	if (r)
		return r;
	worker->control = kept[0].fd;
	worker->ledger = kept[1].fd;
	if (worker->died)
		return 0;
	return poll_start(worker, &worker->control_poll, worker->control, UV_READABLE,
			  control_ready);
}

void xo_workers_revive(struct xo_workers *all)
{
	struct xo_worker *worker;

	/* From the front each time: what ends may take others with it. */
	do {
		LIST_FOREACH (worker, &all->list, entry)
			if (worker->died)
				break;
		if (worker) {
			worker->died = false;
			process_dead(worker, "ended while the launcher was away", true);
		}
	} while (worker);
}

void xo_worker_expect_end(struct xo_worker *worker)
{
	worker->stopping = true;
	worker->all->changed(worker->all);
}

void xo_worker_hand_over(struct xo_worker *worker, const struct xo_worker_ops *ops, void *priv)
{
	struct xo_kept before[2];
	struct xo_kept kept[2];

	kept_names(worker, before);
	worker->ops = ops;
	worker->priv = priv;
	snprintf(worker->name, sizeof(worker->name), "%s", worker->cookie);
	kept_names(worker, kept);
	/* Under both names while the state is written: a successor of ours looks for what that says. */
	xo_keeper_put(worker->all->keeper, kept, XO_ARRAY_SIZE(kept));
	xo_worker_expect_end(worker);
	xo_keeper_drop(worker->all->keeper, before, XO_ARRAY_SIZE(before));
}

static void send_kill(const struct xo_worker *worker)
{
	if (worker->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0);
	else if (worker->pid > 0)
		kill(worker->pid, SIGKILL); /* our child, not yet waited for */
}

void xo_worker_replace(struct xo_worker *worker)
{
	worker->replaced = true;
	send_kill(worker);
}

void xo_worker_kill(struct xo_worker *worker)
{
	xo_worker_expect_end(worker);
	send_kill(worker);
}
