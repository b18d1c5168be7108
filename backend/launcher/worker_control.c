/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The launcher's side of the control channel to a worker: commands, answers, events. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/log.h"
#include "base/loop.h"
#include "worker_private.h"

#define PACKETS_AT_ONCE 16

static void packet_free(struct xo_worker_packet *packet)
{
	for (size_t i = 0; i < packet->count; i++)
		close(packet->fds[i]);
	json_decref(packet->message);
	free(packet);
}

void xo_worker_write_all(struct xo_worker *w)
{
	while (!STAILQ_EMPTY(&w->queue)) {
		struct xo_worker_packet *packet = STAILQ_FIRST(&w->queue);
		int r = xo_control_send(w->control, packet->message, packet->fds, packet->count);

		if (r == -EAGAIN)
			break;
		STAILQ_REMOVE_HEAD(&w->queue, entry);
		w->queued--;
		packet_free(packet);
	}
	xo_worker_poll_control(w, !STAILQ_EMPTY(&w->queue));
}

/* Keeps a packet until the worker reads. `message` is consumed. */
static int packet_queue(struct xo_worker *w, json_t *message, const int *fds, size_t count)
{
	struct xo_worker_packet *packet;

	if (w->queued >= XO_WORKER_QUEUE_MAX || count > XO_ARRAY_SIZE(packet->fds)) {
		json_decref(message);
		return -EAGAIN;
	}
	packet = calloc(1, sizeof(*packet));
	if (!packet) {
		json_decref(message);
		return -ENOMEM;
	}
	packet->message = message;
	for (size_t i = 0; i < count; i++) {
		packet->fds[i] = dup(fds[i]);
		if (packet->fds[i] < 0) {
			packet_free(packet);
			return -EMFILE;
		}
		packet->count++;
	}
	STAILQ_INSERT_TAIL(&w->queue, packet, entry);
	w->queued++;
	xo_worker_poll_control(w, true);
	return 0;
}

static int packet_send(struct xo_worker *w, json_t *message, const int *fds, size_t count)
{
	int r = -EAGAIN;

	if (STAILQ_EMPTY(&w->queue))
		r = xo_control_send(w->control, message, fds, count);
	if (r == -EAGAIN)
		return packet_queue(w, message, fds, count);
	json_decref(message);
	return r;
}

int xo_worker_command(struct xo_worker *worker, const char *command, json_t *arguments,
		      const int *fds, size_t count, xo_worker_reply *reply, void *priv)
{
	struct xo_worker_pending *pending = calloc(1, sizeof(*pending));
	uint64_t id = worker->next_id++ & INT64_MAX;
	json_t *message = json_pack("{s:s,s:I,s:o}", "execute", command, "id", (json_int_t)id,
				    "arguments", arguments ? arguments : json_object());
	int r;

	if (!pending || !message || worker->control < 0) {
		free(pending);
		json_decref(message);
		return worker->control < 0 ? -EPIPE : -ENOMEM;
	}
	r = packet_send(worker, message, fds, count);
	if (r) {
		xo_warning("%s %s: %s: not sent: %s", worker->ops->role, worker->name, command,
			   strerror(-r));
		free(pending);
		return r;
	}
	pending->id = id;
	pending->reply = reply;
	pending->priv = priv;
	STAILQ_INSERT_TAIL(&worker->pending, pending, entry);
	return 0;
}

static struct xo_worker_pending *pending_take(struct xo_worker *w, uint64_t id)
{
	struct xo_worker_pending *pending;

	STAILQ_FOREACH (pending, &w->pending, entry)
		if (pending->id == id)
			break;
	if (pending)
		STAILQ_REMOVE(&w->pending, pending, xo_worker_pending, entry);
	return pending;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void handle_answer(struct xo_worker *w, const json_t *message, int *fds, size_t count)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(message, "id"));
	const json_t *data = json_object_get(message, "return");
	const json_t *error = json_object_get(message, "error");
	struct xo_worker_pending *pending = pending_take(w, id);

	if (!pending)
		return; /* asked by a former launcher */
	if (pending->reply && data)
		pending->reply(pending->priv, data, NULL, NULL, fds, count);
	else if (pending->reply)
		pending->reply(pending->priv, NULL, text_of(error, "class"), text_of(error, "desc"),
			       fds, count);
	free(pending);
}

static void handle_packet(struct xo_worker *w, const json_t *message, int *fds, size_t count)
{
	const char *event = json_string_value(json_object_get(message, "event"));

	if (!event) {
		handle_answer(w, message, fds, count);
		return;
	}
	if (!strcmp(event, "ready"))
		w->ready = true;
	w->ops->event(w, event, json_object_get(message, "data"), fds, count);
}

/* 1: there was a packet; 0: none; -errno. */
static int read_one(struct xo_worker *w)
{
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message;
	size_t count = 0;
	int r = xo_control_receive(w->control, &message, fds, &count);

	if (r == -EPROTO) {
		xo_log_limited(XO_LOG_WARNING, "%s %s: what came is no JSON object", w->ops->role,
			       w->name);
		return 1;
	}
	if (r <= 0)
		return r;
	handle_packet(w, message, fds, count);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	json_decref(message);
	return 1;
}

void xo_worker_read_some(struct xo_worker *worker)
{
	for (unsigned int i = 0; i < PACKETS_AT_ONCE && worker->control >= 0; i++) {
		int r = read_one(worker);

		if (r > 0)
			continue;
		if (r < 0) /* it ends; wait for that, not for its channel */
			uv_poll_stop(worker->control_poll);
		if (r == -EPIPE && worker->ops->closed)
			worker->ops->closed(worker);
		return;
	}
}

void xo_worker_read_all(struct xo_worker *worker)
{
	for (unsigned int i = 0; i < 1024 && worker->control >= 0; i++)
		if (read_one(worker) <= 0)
			return;
}

void xo_worker_drop_all(struct xo_worker *worker)
{
	while (!STAILQ_EMPTY(&worker->queue)) {
		struct xo_worker_packet *packet = STAILQ_FIRST(&worker->queue);

		STAILQ_REMOVE_HEAD(&worker->queue, entry);
		packet_free(packet);
	}
	worker->queued = 0;
	while (!STAILQ_EMPTY(&worker->pending)) {
		struct xo_worker_pending *pending = STAILQ_FIRST(&worker->pending);

		STAILQ_REMOVE_HEAD(&worker->pending, entry);
		if (pending->reply)
			pending->reply(pending->priv, NULL, XO_WORKER_DIED,
				       "the worker ended before it answered", NULL, 0);
		free(pending);
	}
}

struct ask {
	json_t *data;
	bool answered;
};

static void ask_reply(void *priv, const json_t *data, const char *error_class, const char *error,
		      int *fds, size_t count)
{
	struct ask *ask = priv;

	(void)error_class;
	(void)error;
	(void)fds;
	(void)count;
	ask->data = data ? json_deep_copy(data) : NULL;
	ask->answered = true;
}

static int ms_until(uint64_t end)
{
	uint64_t now = xo_now_ns();

	return now >= end ? 0 : (int)((end - now) / 1000000) + 1;
}

/* Its end of the channel is closed: it is ending, and its pidfd tells when it has. */
static void await_end(struct xo_worker *worker, uint64_t end)
{
	struct pollfd p = { .fd = worker->pidfd, .events = POLLIN };

	worker->died = worker->pidfd >= 0 && poll(&p, 1, ms_until(end)) > 0;
}

/* The next packet. */
static int ask_step(struct xo_worker *worker, uint64_t end)
{
	struct pollfd p = { .fd = worker->control, .events = POLLIN };
	int timeout = ms_until(end);

	if (!timeout)
		return -ETIMEDOUT;
	if (poll(&p, 1, timeout) < 0)
		return -errno;
	return read_one(worker);
}

json_t *xo_worker_ask(struct xo_worker *worker, const char *command, unsigned int timeout_ms)
{
	uint64_t end = xo_now_ns() + timeout_ms * UINT64_C(1000000);
	struct ask *ask = calloc(1, sizeof(*ask));
	struct xo_worker_pending *pending;
	json_t *data;
	int r;

	if (!ask)
		return NULL;
	r = xo_worker_command(worker, command, NULL, NULL, 0, ask_reply, ask);
	while (r >= 0 && !ask->answered)
		r = ask_step(worker, end);
	if (!ask->answered && r == -EPIPE)
		await_end(worker, end);
	STAILQ_FOREACH (pending, &worker->pending, entry)
		if (pending->priv == ask)
			pending->reply = NULL;
	data = ask->data;
	free(ask);
	return data;
}
