/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The launcher's channel: commands dispatched by a table, events merged while it is slow. */
#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

static void watch_for(struct xo_drive *drive)
{
	uint32_t events = drive->out_count || drive->events_due ? EPOLLOUT : EPOLLIN;

	if (drive->control.events != events)
		xo_loop_change(drive->loop, &drive->control, events);
}

static void control_lost(struct xo_drive *drive)
{
	if (drive->control_closed)
		return;
	drive->control_closed = true;
	xo_loop_remove(drive->loop, &drive->control);
	xo_notice("the launcher has closed its channel: ending");
	xo_drive_end(drive);
}

/* False: no room now. */
static bool send_now(struct xo_drive *drive, const json_t *message, int fd)
{
	int r;

	if (drive->control_closed)
		return true;
	r = xo_control_send(drive->control.fd, message, &fd, fd >= 0);
	if (r == -EAGAIN)
		return false;
	if (r == -EPIPE)
		control_lost(drive);
	else if (r)
		xo_error("control channel: %s", strerrordesc_np(-r));
	return true;
}

void xo_control_send_or_keep(struct xo_drive *drive, json_t *message, int fd)
{
	bool sent = message && !drive->out_count && send_now(drive, message, fd);

	if (message && !sent && drive->out_count < XO_CONTROL_OUT) {
		drive->out[drive->out_count++] = (struct xo_control_out){ message, fd };
		watch_for(drive);
		return;
	}
	if (!sent)
		xo_error("control channel: a message was lost");
	json_decref(message);
	if (fd >= 0)
		close(fd);
}

static json_t *with_id(json_t *message, const json_t *id)
{
	if (message && id)
		json_object_set_new(message, "id", json_deep_copy(id));
	return message;
}

void xo_control_reply(struct xo_drive *drive, const json_t *id, json_t *data, int fd)
{
	xo_control_send_or_keep(
		drive, with_id(json_pack("{s:o}", "return", data ? data : json_object()), id), fd);
}

void xo_control_refuse(struct xo_drive *drive, const json_t *id, const char *class,
		       const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	xo_control_send_or_keep(
		drive,
		with_id(json_pack("{s:{s:s,s:s}}", "error", "class", class, "desc", text), id), -1);
}

int xo_control_text_fd(const char *text, size_t length)
{
	int fd = memfd_create("xenoptic-description", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < length;) {
		ssize_t n = pwrite(fd, text + at, length - at, (off_t)at);

		if (n <= 0) {
			close(fd);
			return -EIO;
		}
		at += (size_t)n;
	}
	return fd;
}

static json_t *due_ready(struct xo_drive *drive)
{
	return json_pack("{s:i}", "generation", (int)drive->ledger.header->generation);
}

static json_t *due_medium(struct xo_drive *drive)
{
	return json_pack("{s:s}", "medium", drive->medium == 1 ? "present" : "absent");
}

static json_t *due_tray(struct xo_drive *drive)
{
	return json_pack("{s:b}", "open", drive->tray_open);
}

static json_t *due_description(struct xo_drive *drive)
{
	return json_pack("{s:I}", "length", (json_int_t)drive->known_length);
}

static json_t *due_gone(struct xo_drive *drive)
{
	return json_pack("{s:s?}", "path", drive->options->path);
}

static const struct {
	const char *name;
	json_t *(*data)(struct xo_drive *drive);
} dues[XO_DUE_COUNT] = {
	[XO_DUE_READY] = { XO_DRIVE_EVENT_READY, due_ready },
	[XO_DUE_LEASE] = { XO_DRIVE_EVENT_LEASE, xo_query_lease },
	[XO_DUE_MEDIUM] = { XO_DRIVE_EVENT_MEDIUM, due_medium },
	[XO_DUE_TRAY] = { XO_DRIVE_EVENT_TRAY, due_tray },
	[XO_DUE_DESCRIPTION] = { XO_DRIVE_EVENT_DESCRIPTION, due_description },
	[XO_DUE_GONE] = { XO_DRIVE_EVENT_GONE, due_gone },
};

/* False: no room now. */
static bool send_due(struct xo_drive *drive, enum xo_due due)
{
	json_t *message =
		json_pack("{s:s,s:o}", "event", dues[due].name, "data", dues[due].data(drive));
	int fd = -1;
	bool sent;

	if (due == XO_DUE_DESCRIPTION)
		fd = xo_control_text_fd(drive->known_description, drive->known_length);
	sent = send_now(drive, message, fd);
	json_decref(message);
	if (fd >= 0)
		close(fd);
	return sent; /* the successor of a process that is killed before tells again: "insert" with "again" */
}

void xo_control_flush(struct xo_drive *drive)
{
	unsigned int sent = 0;

	while (sent < drive->out_count &&
	       send_now(drive, drive->out[sent].message, drive->out[sent].fd)) {
		json_decref(drive->out[sent].message);
		if (drive->out[sent].fd >= 0)
			close(drive->out[sent].fd);
		sent++;
	}
	drive->out_count -= sent;
	memmove(drive->out, drive->out + sent, drive->out_count * sizeof(drive->out[0]));
	for (unsigned int due = 0; due < XO_DUE_COUNT && !drive->out_count; due++)
		if (drive->events_due >> due & 1) {
			if (!send_due(drive, due))
				break;
			drive->events_due &= ~(1u << due);
		}
	if (!drive->control_closed)
		watch_for(drive);
	if (drive->ending)
		xo_drive_end(drive);
}

void xo_control_due(struct xo_drive *drive, enum xo_due event)
{
	drive->events_due |= 1u << event;
	xo_control_flush(drive);
}

void xo_control_link_closed(struct xo_drive *drive, uint32_t link, const char *reason)
{
	xo_control_send_or_keep(drive,
				json_pack("{s:s,s:{s:I,s:s}}", "event", XO_DRIVE_EVENT_LINK_CLOSED,
					  "data", "link", (json_int_t)link, "reason", reason),
				-1);
}

static struct xo_control_job *new_job(struct xo_drive *drive)
{
	for (unsigned int i = 0; i < XO_CONTROL_JOBS; i++)
		if (!drive->control_jobs[i].used)
			return &drive->control_jobs[i];
	return NULL;
}

/* The command waits for the drive: its arguments and descriptors are kept until then. */
static void queue_command(struct xo_control_call *call, const struct xo_control_command *command)
{
	struct xo_control_job *job = new_job(call->drive);

	if (!job) {
		xo_control_refuse(call->drive, call->id, XO_DRIVE_ERROR_BUSY,
				  "too many commands wait for the drive");
		return;
	}
	*job = (struct xo_control_job){
		.job.kind = XO_JOB_CONTROL,
		.used = true,
		.id = json_incref(call->id),
		.command = command,
		.arguments = json_incref(call->arguments),
	};
	for (size_t i = 0; i < XO_ARRAY_SIZE(job->fds); i++) {
		job->fds[i] = i < call->fd_count ? call->fds[i] : -1;
		if (i < call->fd_count)
			call->fds[i] = -1;
	}
	job->fd_count = XO_MIN(call->fd_count, XO_ARRAY_SIZE(job->fds));
	xo_drive_queue(call->drive, &job->job);
}

void xo_control_run(struct xo_drive *drive, struct xo_control_job *job)
{
	job->result = job->command->run(drive, job);
}

void xo_control_finish(struct xo_drive *drive, struct xo_control_job *job)
{
	job->command->finish(drive, job);
	for (size_t i = 0; i < XO_ARRAY_SIZE(job->fds); i++)
		if (job->fds[i] >= 0)
			close(job->fds[i]);
	json_decref(job->id);
	json_decref(job->arguments);
	free(job->error);
	job->used = false;
}

static void handle_call(struct xo_control_call *call, const char *name)
{
	const struct xo_control_command *command = xo_control_find(name);

	if (!command) {
		xo_control_refuse(call->drive, call->id, XO_DRIVE_ERROR_COMMAND,
				  "there is no command \"%s\"", name);
	} else if (call->fd_count < command->fds_min || call->fd_count > command->fds_max) {
		xo_control_refuse(call->drive, call->id, XO_DRIVE_ERROR_ARGUMENTS,
				  "%s needs %zu descriptors, %zu came", name, command->fds_min,
				  call->fd_count);
	} else if (command->handle) {
		command->handle(call);
	} else if (!command->applies || command->applies(call)) {
		queue_command(call, command);
	}
}

static void handle_message(struct xo_drive *drive, json_t *message, int *fds, size_t count)
{
	json_t *arguments = json_object_get(message, "arguments");
	const char *name = json_string_value(json_object_get(message, "execute"));
	struct xo_control_call call = {
		.drive = drive,
		.id = json_object_get(message, "id"),
		.arguments = arguments,
		.fds = fds,
		.fd_count = count,
	};

	if (!name || (arguments && !json_is_object(arguments)))
		xo_control_refuse(drive, call.id, XO_DRIVE_ERROR_ARGUMENTS,
				  "not {\"execute\": NAME, \"arguments\": {…}}");
	else
		handle_call(&call, name);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void control_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_drive *drive = watch->priv;
	int fds[XO_CONTROL_FDS_MAX];
	size_t count = 0;
	json_t *message;
	int r;

	if (events & EPOLLOUT)
		xo_control_flush(drive);
	if (drive->control_closed || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	r = xo_control_receive(watch->fd, &message, fds, &count);
	if (r > 0) {
		handle_message(drive, message, fds, count);
		json_decref(message);
	} else if (r == -EPROTO) {
		xo_control_refuse(drive, NULL, XO_DRIVE_ERROR_ARGUMENTS, "not a JSON object");
	} else if (r < 0) {
		control_lost(drive);
	}
}

int xo_control_init(struct xo_drive *drive, int fd)
{
	drive->control = (struct xo_watch){
		.fd = fd,
		.events = EPOLLIN,
		.ready = control_ready,
		.priv = drive,
	};
	return xo_loop_add(drive->loop, &drive->control);
}

void xo_control_fini(struct xo_drive *drive)
{
	for (unsigned int i = 0; i < drive->out_count; i++) {
		json_decref(drive->out[i].message);
		if (drive->out[i].fd >= 0)
			close(drive->out[i].fd);
	}
	drive->out_count = 0;
	for (unsigned int i = 0; i < XO_CONTROL_JOBS; i++) {
		struct xo_control_job *job = &drive->control_jobs[i];

		if (!job->used)
			continue;
		for (size_t n = 0; n < XO_ARRAY_SIZE(job->fds); n++)
			if (job->fds[n] >= 0)
				close(job->fds[n]);
		json_decref(job->id);
		json_decref(job->arguments);
		free(job->error);
	}
	xo_loop_remove(drive->loop, &drive->control);
	close(drive->control.fd);
}
