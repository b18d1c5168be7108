/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Supervision of xenoptic-domctl. */
#include "holds.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/domctl_control.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/worker.h"

#define EVENTS_AT_ONCE 64

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

static void set_held(struct xo_holds *holds, unsigned int domid, bool held)
{
	if (held)
		holds->held[domid / 8] |= (uint8_t)(1u << (domid % 8));
	else
		holds->held[domid / 8] &= (uint8_t) ~(1u << (domid % 8));
}

static void forget(struct xo_holds *holds)
{
	if (holds->poll) {
		holds->poll->data = NULL;
		uv_close((uv_handle_t *)holds->poll, handle_free);
	}
	holds->poll = NULL;
	if (holds->process) {
		holds->process->data = NULL;
		uv_close((uv_handle_t *)holds->process, handle_free);
	}
	if (holds->control >= 0)
		close(holds->control);
	holds->process = NULL;
	holds->control = -1;
}

static void start(struct xo_holds *holds);

static void exited(uv_process_t *process, int64_t status, int signal)
{
	struct xo_holds *holds = process->data;

	if (!holds)
		return;
	memset(holds->held, 0, sizeof(holds->held)); /* the successor tells */
	forget(holds);
	/* Not found, not for this Xen, or no right to it: the next would fare no better. */
	if (signal && xo_rate_allows(&holds->rate, xo_now_ns())) {
		xo_warning("xenoptic-domctl: killed by signal %d; starting its successor", signal);
		start(holds);
		return;
	}
	xo_error("xenoptic-domctl: ended with status %d; guests that are restored may lose their "
		 "drives until xenopticd is started again",
		 (int)status);
}

static void release(struct xo_holds *holds, unsigned int domid)
{
	json_t *message = json_pack("{s:s,s:{s:i}}", "execute", XO_DOMCTL_RELEASE, "arguments",
				    "domain", (int)domid);
	int r = message ? xo_control_send(holds->control, message, NULL, 0) : -ENOMEM;

	if (r)
		xo_warning("xenoptic-domctl: domain %u is not released at once: %s", domid,
			   strerror(-r));
	set_held(holds, domid, false);
	json_decref(message);
}

static void handle_message(struct xo_holds *holds, const json_t *message)
{
	const char *event = json_string_value(json_object_get(message, "event"));
	json_int_t domid =
		json_integer_value(json_object_get(json_object_get(message, "data"), "domain"));

	if (!event || domid < 1 || domid >= XO_DOMIDS)
		return;
	set_held(holds, (unsigned int)domid, !strcmp(event, XO_DOMCTL_EVENT_HELD));
	if (!strcmp(event, XO_DOMCTL_EVENT_HELD) &&
	    holds->settled(holds->priv, (unsigned int)domid))
		release(holds, (unsigned int)domid);
}

static void control_ready(uv_poll_t *poll, int status, int events)
{
	struct xo_holds *holds = poll->data;
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message;
	size_t count;
	int r = 1;

	(void)events;
	for (unsigned int i = 0; i < EVENTS_AT_ONCE && r > 0 && holds && !status; i++) {
		r = xo_control_receive(holds->control, &message, fds, &count);
		if (r <= 0)
			break;
		handle_message(holds, message);
		while (count) /* it sends none */
			close(fds[--count]);
		json_decref(message);
	}
	if (r < 0 || status)
		uv_poll_stop(poll); /* its end follows */
}

static int spawn(struct xo_holds *holds, int helper_end)
{
	char program[XO_DOMCTL_PATH_MAX];
	char record[XO_DOMCTL_PATH_MAX];
	char seconds[12];
	char log[12];
	char *argv[] = { program,
			 (char[]){ "--record" },
			 record,
			 (char[]){ "--libxl-dir" },
			 holds->config->libxl_dir,
			 (char[]){ "--seconds" },
			 seconds,
			 (char[]){ "--log" },
			 log,
			 NULL };
	uv_stdio_container_t stdio[XO_FD_CONTROL + 1] = {
		[STDIN_FILENO] = { .flags = UV_IGNORE },
		[STDOUT_FILENO] = { .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
		[STDERR_FILENO] = { .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
		[XO_FD_CONTROL] = { .flags = UV_INHERIT_FD, .data.fd = helper_end },
	};
	const uv_process_options_t options = {
		.exit_cb = exited,
		.file = program,
		.args = argv,
		.stdio = stdio,
		.stdio_count = XO_ARRAY_SIZE(stdio),
	};

	snprintf(program, sizeof(program), "%s/xenoptic-domctl", holds->config->libexec_dir);
	snprintf(record, sizeof(record), "%s/holds", holds->config->run_dir);
	snprintf(seconds, sizeof(seconds), "%u", holds->config->hold_seconds);
	snprintf(log, sizeof(log), "%u", holds->config->log_level);
	holds->process = calloc(1, sizeof(*holds->process));
	if (!holds->process)
		return -ENOMEM;
	holds->process->data = holds;
	return uv_spawn(holds->loop, holds->process, &options);
}

static int poll_start(struct xo_holds *holds)
{
	int r = -ENOMEM;

	holds->poll = calloc(1, sizeof(*holds->poll));
	if (holds->poll)
		r = uv_poll_init(holds->loop, holds->poll, holds->control);
	if (r) {
		free(holds->poll);
		holds->poll = NULL;
		return r;
	}
	holds->poll->data = holds;
	return uv_poll_start(holds->poll, UV_READABLE, control_ready);
}

static void start(struct xo_holds *holds)
{
	int pair[2];
	int r = xo_control_pair(pair);

	if (!r) {
		holds->control = pair[0];
		r = spawn(holds, pair[1]);
		close(pair[1]);
	}
	if (!r)
		r = poll_start(holds);
	if (!r)
		return;
	xo_error("xenoptic-domctl: cannot be started: %s; guests that are restored may lose their "
		 "drives",
		 strerror(-r));
	forget(holds);
}

void xo_holds_init(struct xo_holds *holds)
{
	holds->process = NULL;
	holds->poll = NULL;
	holds->control = -1;
	memset(holds->held, 0, sizeof(holds->held));
	xo_rate_init(&holds->rate, holds->config->restart_limit,
		     holds->config->restart_window * UINT64_C(1000000000));
	start(holds);
}

void xo_holds_fini(struct xo_holds *holds)
{
	forget(holds);
}

void xo_holds_release(struct xo_holds *holds, unsigned int domid)
{
	if (holds->control >= 0 && holds->held[domid / 8] & 1u << (domid % 8))
		release(holds, domid);
}
