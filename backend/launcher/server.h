/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: one JSON object a line in the manner of QMP, for root.
 *
 *	{"execute": NAME, "arguments": {…}, "id": ANY}
 *	{"return": {…}, "id": ANY}	{"error": {"class": TEXT, "desc": TEXT}, "id": ANY}
 *	{"event": NAME, "data": {…}, "timestamp": SECONDS}
 *
 * A client gets events after the command "events" only.
 */
#ifndef XO_BACKEND_SERVER_H
#define XO_BACKEND_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#define XO_SERVER_LINE_MAX 65536
#define XO_SERVER_CLIENTS_MAX 32

struct xo_client;

struct xo_server {
	uv_loop_t *loop;
	uv_pipe_t *listener;
	char *path;
	LIST_HEAD(, xo_client) clients;
	unsigned int client_count;
	uint64_t next_client;
	const struct xo_server_command *commands; /* ends with a NULL name */
	void *priv;
};

/* A command under way. It is answered exactly once, however late; its client may be gone by then. */
struct xo_request {
	struct xo_server *server;
	uint64_t client;
	json_t *id;
	/* May be NULL: when it is answered, whether or not anybody is there to hear it. NULL, NULL: no error. */
	void (*answered)(void *priv, const char *error_class, const char *error);
	void *priv;
};

struct xo_server_command {
	const char *name;
	void (*run)(void *priv, const json_t *arguments, struct xo_request *request);
};

/* Listens at `path`, replacing a socket that nobody serves. 0 or -errno (logged). */
int xo_server_open(struct xo_server *server, uv_loop_t *loop, const char *path,
		   const struct xo_server_command *commands, void *priv);
void xo_server_close(struct xo_server *server);

/* Answers; the request is freed. `data` is consumed; NULL: {}. */
void xo_request_return(struct xo_request *request, json_t *data);
void xo_request_error(struct xo_request *request, const char *error_class, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* To every client that wants events; `data` is consumed. */
void xo_server_event(struct xo_server *server, const char *event, json_t *data);

/* To this client alone, whether it wants events or not. False: it has gone. */
bool xo_server_event_to(struct xo_server *server, uint64_t client, const char *event, json_t *data);

/* The client of this request gets events from now on. */
void xo_request_subscribe(struct xo_request *request);

#endif
