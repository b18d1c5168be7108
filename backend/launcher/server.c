/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's clients, lines and answers; the commands are in commands.c. */
#include "server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "text.h"

#define BACKLOG 8
#define QUEUE_MAX (4u << 20) /* bytes that a client may leave unread */

struct xo_client {
	LIST_ENTRY(xo_client) entry;
	struct xo_server *server;
	uint64_t number;
	uv_pipe_t pipe;
	bool events;
	bool closing;
	size_t length;
	char line[XO_SERVER_LINE_MAX];
};

static void client_free(uv_handle_t *handle)
{
	struct xo_client *client = handle->data;

	free(client);
}

static void client_close(struct xo_client *client)
{
	if (client->closing)
		return;
	client->closing = true;
	LIST_REMOVE(client, entry);
	client->server->client_count--;
	uv_close((uv_handle_t *)&client->pipe, client_free);
}

struct write {
	uv_write_t request;
	char *text;
};

static void written(uv_write_t *request, int status)
{
	struct write *write = (struct write *)request;

	(void)status;
	free(write->text);
	free(write);
}

/* `message` is consumed. */
static void client_send(struct xo_client *client, json_t *message)
{
	struct write *write = calloc(1, sizeof(*write));
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;
	uv_buf_t buffer;

	json_decref(message);
	if (!write || !text || client->closing ||
	    uv_stream_get_write_queue_size((uv_stream_t *)&client->pipe) > QUEUE_MAX) {
		free(write);
		free(text);
		return;
	}
	text[length++] = '\n'; /* in place of the terminator: the text is a counted buffer now */
	write->text = text;
	buffer = uv_buf_init(text, (unsigned int)length);
	if (uv_write(&write->request, (uv_stream_t *)&client->pipe, &buffer, 1, written)) {
		free(write);
		free(text);
		client_close(client);
	}
}

static struct xo_client *client_find(const struct xo_server *server, uint64_t number)
{
	struct xo_client *client;

	LIST_FOREACH (client, &server->clients, entry)
		if (client->number == number)
			return client;
	return NULL;
}

static void request_finish(struct xo_request *request, json_t *message)
{
	struct xo_client *client = client_find(request->server, request->client);

	if (message && request->id)
		json_object_set(message, "id", request->id);
	if (client)
		client_send(client, message);
	else
		json_decref(message);
	json_decref(request->id);
	free(request);
}

void xo_request_return(struct xo_request *request, json_t *data)
{
	if (request->answered)
		request->answered(request->priv, NULL, NULL);
	request_finish(request, json_pack("{s:o}", "return", data ? data : json_object()));
}

void xo_request_error(struct xo_request *request, const char *error_class, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	xo_text_clean(text); /* what it quotes may have been cut off */
	if (request->answered)
		request->answered(request->priv, error_class, text);
	request_finish(request,
		       json_pack("{s:{s:s,s:s}}", "error", "class", error_class, "desc", text));
}

void xo_request_subscribe(struct xo_request *request)
{
	struct xo_client *client = client_find(request->server, request->client);

	if (client)
		client->events = true;
}

static json_t *event_message(const char *event, json_t *data)
{
	return json_pack("{s:s,s:o,s:I}", "event", event, "data", data ? data : json_object(),
			 "timestamp", (json_int_t)time(NULL));
}

bool xo_server_event_to(struct xo_server *server, uint64_t client, const char *event, json_t *data)
{
	struct xo_client *to = client_find(server, client);

	if (to)
		client_send(to, event_message(event, data));
	else
		json_decref(data);
	return to != NULL;
}

void xo_server_event(struct xo_server *server, const char *event, json_t *data)
{
	struct xo_client *client;
	struct xo_client *next;
	json_t *message = event_message(event, data);

	for (client = LIST_FIRST(&server->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		if (client->events)
			client_send(client, json_incref(message));
	}
	json_decref(message);
}

static void run_line(struct xo_client *client, const char *line, size_t length)
{
	struct xo_server *server = client->server;
	json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(message, "execute"));
	struct xo_request *request = calloc(1, sizeof(*request));
	json_t *none = json_object();
	const json_t *arguments = json_object_get(message, "arguments");
	const struct xo_server_command *command = server->commands;

	if (!request || !none)
		goto out;
	request->server = server;
	request->client = client->number;
	request->id = json_incref(json_object_get(message, "id"));
	while (command->name && (!name || strcmp(command->name, name) != 0))
		command++;
	if (!name)
		xo_request_error(request, "GenericError",
				 "expected {\"execute\": NAME, \"arguments\": {…}}");
	else if (!command->name)
		xo_request_error(request, "CommandNotFound",
				 "command %.64s: not known; see query-commands", name);
	else if (arguments && !json_is_object(arguments))
		xo_request_error(request, "GenericError", "arguments: expected an object");
	else
		command->run(server->priv, arguments ? arguments : none, request);
out:
	json_decref(none);
	json_decref(message);
}

static void run_lines(struct xo_client *client)
{
	char *start = client->line;
	size_t left = client->length;
	char *end;

	while (!client->closing && (end = memchr(start, '\n', left))) {
		size_t length = (size_t)(end - start);

		if (length)
			run_line(client, start, length);
		start = end + 1;
		left -= length + 1;
	}
	memmove(client->line, start, left);
	client->length = left;
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct xo_client *client = handle->data;

	(void)suggested;
	*buffer = uv_buf_init(client->line + client->length,
			      (unsigned int)(sizeof(client->line) - client->length));
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct xo_client *client = stream->data;

	(void)buffer;
	if (n < 0) { /* its end, or a line that is too long (ENOBUFS) */
		client_close(client);
		return;
	}
	client->length += (size_t)n;
	run_lines(client);
}

/* Root, or who runs the daemon in a test. */
static bool allowed(uv_pipe_t *pipe)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)pipe, &fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static void connected(uv_stream_t *listener, int status)
{
	struct xo_server *server = listener->data;
	struct xo_client *client;

	if (status < 0)
		return;
	client = calloc(1, sizeof(*client));
	if (!client)
		return;
	client->server = server;
	client->number = server->next_client++;
	uv_pipe_init(server->loop, &client->pipe, 0);
	client->pipe.data = client;
	LIST_INSERT_HEAD(&server->clients, client, entry);
	server->client_count++;
	if (uv_accept(listener, (uv_stream_t *)&client->pipe) ||
	    server->client_count > XO_SERVER_CLIENTS_MAX || !allowed(&client->pipe) ||
	    uv_read_start((uv_stream_t *)&client->pipe, allocate, received))
		client_close(client);
}

static void listener_free(uv_handle_t *handle)
{
	free(handle);
}

int xo_server_open(struct xo_server *server, uv_loop_t *loop, const char *path,
		   const struct xo_server_command *commands, void *priv)
{
	char *aside;
	mode_t mask;
	int r;

	*server = (struct xo_server){ .loop = loop, .commands = commands, .priv = priv };
	server->listener = calloc(1, sizeof(*server->listener));
	if (!server->listener)
		return -ENOMEM;
	uv_pipe_init(loop, server->listener, 0);
	server->listener->data = server;
	server->path = strdup(path);
	if (!server->path || asprintf(&aside, "%s.new", path) < 0)
		return -ENOMEM;
	/* The run directory is locked: nobody else serves it. Who sees the socket can connect. */
	unlink(aside);
	mask = umask(0177);
	r = uv_pipe_bind(server->listener, aside);
	umask(mask);
	if (!r)
		r = uv_listen((uv_stream_t *)server->listener, BACKLOG, connected);
	if (!r && rename(aside, path) < 0)
		r = -errno;
	free(aside);
	if (r)
		xo_error("control socket %s: %s", path, uv_strerror(r));
	return r;
}

void xo_server_close(struct xo_server *server)
{
	while (!LIST_EMPTY(&server->clients))
		client_close(LIST_FIRST(&server->clients));
	if (server->listener)
		uv_close((uv_handle_t *)server->listener, listener_free);
	if (server->listener && server->path)
		unlink(server->path);
	server->listener = NULL;
	free(server->path);
	server->path = NULL;
}
