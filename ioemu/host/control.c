/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the launcher asks of an ioemu worker; base/ioemu_control.h lists it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/log.h"
#include "base/worker.h"
#include "host.h"

struct command {
	const char *name;
	void (*run)(struct xo_host *host, const json_t *id, const int *fds, size_t count);
};

static void fail(const json_t *id, const char *error_class, const char *why)
{
	xo_control_error(XO_FD_CONTROL, id, error_class, "%s", why);
}

static void run_stop(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	(void)fds;
	(void)count;
	xo_host_stop(host);
	xo_control_return(XO_FD_CONTROL, id, NULL);
}

static void run_cont(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	(void)fds;
	(void)count;
	xo_host_continue(host);
	xo_control_return(XO_FD_CONTROL, id, NULL);
}

static void run_runs(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	(void)fds;
	(void)count;
	xo_host_runs(host);
	xo_control_return(XO_FD_CONTROL, id, NULL);
}

static void run_save(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	json_t *message;
	int fd;

	(void)fds;
	(void)count;
	if (!host->stopped) {
		fail(id, "InvalidState", "save comes after stop");
		return;
	}
	fd = xo_host_save(host);
	if (fd < 0) {
		fail(id, "Failed", strerror(-fd));
		return;
	}
	message = json_pack("{s:{}}", "return");
	if (id)
		json_object_set_new(message, "id", json_deep_copy(id));
	xo_control_send(XO_FD_CONTROL, message, &fd, 1);
	json_decref(message);
	close(fd);
}

static void run_load(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	if (count != 1) {
		fail(id, "InvalidImage", "one descriptor is needed");
		return;
	}
	if (host->record->accesses) {
		fail(id, "InvalidState", "the guest runs already");
		return;
	}
	if (xo_host_load(host, fds[0]))
		fail(id, "InvalidImage", "not a state of this controller and version");
	else
		xo_control_return(XO_FD_CONTROL, id, NULL);
}

static void run_log_dirty(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	(void)fds;
	(void)count;
	xo_host_log_dirty(host, true);
	xo_control_return(XO_FD_CONTROL, id, NULL);
}

static void run_log_clean(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	(void)fds;
	(void)count;
	xo_host_log_dirty(host, false);
	xo_control_return(XO_FD_CONTROL, id, NULL);
}

static void run_query(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	(void)fds;
	(void)count;
	xo_control_return(XO_FD_CONTROL, id,
			  json_pack("{s:i,s:i,s:i,s:i,s:I,s:I,s:i,s:b,s:b}", "slots",
				    (int)host->link.slots, "slot-size", (int)host->link.slot_size,
				    "ioservid", (int)host->ioservid, "vcpus", (int)host->vcpus,
				    "accesses", (json_int_t)host->record->accesses, "commands",
				    (json_int_t)host->state.commands, "generation",
				    (int)host->ledger.header->generation, "sandboxed",
				    host->sandboxed, "window", host->memory.window != 0));
}

static void run_quit(struct xo_host *host, const json_t *id, const int *fds, size_t count)
{
	(void)fds;
	(void)count;
	xo_server_close(host, true);
	xo_control_return(XO_FD_CONTROL, id, NULL);
	xo_loop_quit(host->loop, 0);
}

static const struct command commands[] = {
	{ "stop", run_stop },		{ "cont", run_cont },		{ "runs", run_runs },
	{ "log-dirty", run_log_dirty }, { "log-clean", run_log_clean }, { "save", run_save },
	{ "load", run_load },		{ "query", run_query },		{ "quit", run_quit },
};

static void dispatch(struct xo_host *host, const json_t *message, const int *fds, size_t count)
{
	const char *name = json_string_value(json_object_get(message, "execute"));
	const json_t *id = json_object_get(message, "id");

	for (size_t i = 0; name && i < XO_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name))
			continue;
		commands[i].run(host, id, fds, count);
		return;
	}
	fail(id, "CommandNotFound", "there is no such command");
}

void xo_host_control_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_host *host = watch->priv;
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message;
	size_t count;
	int r;

	(void)events;
	r = xo_control_receive(XO_FD_CONTROL, &message, fds, &count);
	if (r == -EPIPE) {
		/* The launcher is gone for good: a successor of ours would be started by another. */
		xo_loop_quit(host->loop, 0);
		return;
	}
	if (r != 1)
		return;
	dispatch(host, message, fds, count);
	json_decref(message);
	while (count)
		close(fds[--count]);
}
