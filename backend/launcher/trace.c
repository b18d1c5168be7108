/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watching a drive's commands. The drive's process writes lines into a pipe and waits for nobody;
 * what they are worth to the client is between it and the control socket. A client that has gone is noticed
 * at the next line: then the pipe is closed, and so the process stops writing.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/drive_control.h"
#include "base/log.h"

#define LINE_MAX_LENGTH 4096

struct xo_trace {
	struct xo_drive *drive; /* NULL: the handle is being closed */
	struct xo_server *server;
	uint64_t client;
	uv_pipe_t pipe;
	size_t length;
	char text[LINE_MAX_LENGTH];
};

static void trace_free(uv_handle_t *handle)
{
	free(handle->data);
}

void xo_trace_end(struct xo_drive *drive)
{
	struct xo_trace *trace = drive->trace;

	if (!trace)
		return;
	drive->trace = NULL;
	trace->drive = NULL;
	uv_close((uv_handle_t *)&trace->pipe, trace_free);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct xo_trace *trace = handle->data;

	(void)suggested;
	*buffer = uv_buf_init(trace->text + trace->length,
			      (unsigned int)(sizeof(trace->text) - trace->length));
}

static bool tell(const struct xo_trace *trace, const char *line, size_t length)
{
	return xo_server_event_to(trace->server, trace->client, "COMMAND",
				  json_pack("{s:s,s:s%}", "drive", trace->drive->name, "line", line,
					    length));
}

/* The same watcher, with a pipe of its own, for the process that comes next. */
static void follow(struct xo_trace *old)
{
	struct xo_drive *drive = old->drive;
	struct xo_trace *next = calloc(1, sizeof(*next));

	if (next) {
		*next = (struct xo_trace){
			.drive = drive,
			.server = old->server,
			.client = old->client,
		};
		uv_pipe_init(drive->all->loop, &next->pipe, 0);
		next->pipe.data = next;
	}
	xo_trace_end(drive);
	drive->trace = next;
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct xo_trace *trace = stream->data;
	char *start = trace->text;
	char *end;

	(void)buffer;
	if (!trace->drive)
		return;
	if (n < 0) { /* the process has ended */
		follow(trace);
		return;
	}
	trace->length += (size_t)n;
	while ((end = memchr(start, '\n', trace->length))) {
		if (!tell(trace, start, (size_t)(end - start))) {
			xo_trace_end(trace->drive);
			return;
		}
		trace->length -= (size_t)(end + 1 - start);
		start = end + 1;
	}
	if (trace->length == sizeof(trace->text))
		trace->length = 0; /* no line of ours is that long */
	memmove(trace->text, start, trace->length);
}

void xo_trace_started(struct xo_drive *drive)
{
	struct xo_trace *trace = drive->trace;
	int fds[2];
	int r = 0;

	if (!trace)
		return;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
	} else {
		r = uv_pipe_open(&trace->pipe, fds[0]);
		if (r)
			close(fds[0]);
		if (!r)
			r = uv_read_start((uv_stream_t *)&trace->pipe, allocate, received);
		if (!r)
			r = xo_worker_command(drive->worker, XO_DRIVE_TRACE, NULL, &fds[1], 1, NULL,
					      NULL);
		close(fds[1]);
	}
	if (!r)
		return;
	xo_warning("drive %s: its commands cannot be watched: %s", drive->name, strerror(-r));
	xo_trace_end(drive);
}

void xo_trace_begin(struct xo_drive *drive, struct xo_request *request)
{
	struct xo_trace *trace = calloc(1, sizeof(*trace));

	if (!trace) {
		xo_request_error(request, "GenericError", "out of memory");
		return;
	}
	xo_trace_end(drive);
	trace->drive = drive;
	trace->server = request->server;
	trace->client = request->client;
	uv_pipe_init(drive->all->loop, &trace->pipe, 0);
	trace->pipe.data = trace;
	drive->trace = trace;
	xo_request_return(request, NULL);
	if (drive->worker && drive->state == XO_DRIVE_RUNNING)
		xo_trace_started(drive);
}
