/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking xenopticd, also when it is away for a moment; see daemon.h. */
#include "device-model/daemon.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

/* libxl waits longer for an answer of its device model. */
#define PATIENCE_MS 5000

void xo_dm_daemon_init(struct xo_dm_daemon *daemon, const char *socket, int domid)
{
	const char *slash = strrchr(socket, '/');
	char folder[256];

	*daemon = (struct xo_dm_daemon){ .cli = { .socket = socket }, .domid = domid };
	daemon->name = slash ? slash + 1 : socket;
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - socket) : 1,
		 slash ? socket : ".");
	daemon->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	/* It is put there when it already listens. */
	if (daemon->watch >= 0 && inotify_add_watch(daemon->watch, folder, IN_MOVED_TO) >= 0)
		return;
	fprintf(stderr, "device-model: %s: cannot be watched: %s\n", folder, strerror(errno));
	if (daemon->watch >= 0)
		close(daemon->watch);
	daemon->watch = -1;
}

/* Whether there is a new socket since the last call. */
static bool has_come(struct xo_dm_daemon *daemon)
{
	_Alignas(struct inotify_event) char bytes[4096];
	bool come = false;
	ssize_t n;

	while ((n = read(daemon->watch, bytes, sizeof(bytes))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(bytes + at);

			come = come || (event->mask & IN_Q_OVERFLOW) ||
			       (event->len && !strcmp(event->name, daemon->name));
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return come;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wait_for_it(struct xo_dm_daemon *daemon, int64_t end)
{
	struct pollfd p = { .fd = daemon->watch, .events = POLLIN };

	while (!has_come(daemon)) {
		int64_t left = end - now_ms();

		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			return false;
	}
	return true;
}

static json_t *ask_once(struct xo_dm_daemon *daemon, const char *command, bool *away)
{
	int code;
	json_t *answer = xo_cli_call(&daemon->cli, command,
				     json_pack("{s:i}", "domain", daemon->domid), &code);

	/* The daemon may be another one next time. */
	xo_cli_close(&daemon->cli);
	*away = !answer && code == XO_EXIT_NO_DAEMON;
	return answer;
}

json_t *xo_dm_daemon_ask(struct xo_dm_daemon *daemon, const char *command)
{
	int64_t end = now_ms() + PATIENCE_MS;
	json_t *answer;
	bool away;

	do {
		has_come(daemon); /* until now: what comes from here on is waited for */
		answer = ask_once(daemon, command, &away);
	} while (away && daemon->watch >= 0 && wait_for_it(daemon, end));
	return answer;
}

void xo_dm_daemon_owe_no_more(struct xo_dm_daemon *daemon, const char *command)
{
	for (size_t i = 0; i < XO_DM_OWED_MAX; i++)
		if (daemon->owed[i] && !strcmp(daemon->owed[i], command))
			daemon->owed[i] = NULL;
}

void xo_dm_daemon_owe(struct xo_dm_daemon *daemon, const char *command)
{
	size_t i = 0;

	xo_dm_daemon_owe_no_more(daemon, command);
	while (i < XO_DM_OWED_MAX - 1 && daemon->owed[i])
		i++;
	daemon->owed[i] = command;
}

bool xo_dm_daemon_is_owed(const struct xo_dm_daemon *daemon)
{
	for (size_t i = 0; i < XO_DM_OWED_MAX; i++)
		if (daemon->owed[i])
			return true;
	return false;
}

void xo_dm_daemon_came(struct xo_dm_daemon *daemon)
{
	if (!has_come(daemon))
		return;
	for (size_t i = 0; i < XO_DM_OWED_MAX; i++) {
		bool away = false;

		if (daemon->owed[i])
			json_decref(ask_once(daemon, daemon->owed[i], &away));
		if (!away)
			daemon->owed[i] = NULL;
	}
}
