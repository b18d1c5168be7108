/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Talking to xenopticd: a JSON object a line, each way. */
#include "client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool connect_daemon(struct xo_cli *cli)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *why;
	int fd;

	if (cli->stream)
		return true;
	if (strlen(cli->socket) >= sizeof(address.sun_path)) {
		fprintf(stderr, "xenoptic: %s: the path is too long\n", cli->socket);
		return false;
	}
	strcpy(address.sun_path, cli->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)))
		cli->stream = fdopen(fd, "r");
	if (cli->stream)
		return true;
	why = errno == EACCES				 ? "only root may"
	      : errno == ENOENT || errno == ECONNREFUSED ? "is xenopticd running? (systemctl "
							   "status xenopticd)"
							 : strerror(errno);
	fprintf(stderr, "xenoptic: cannot talk to the daemon at %s: %s\n", cli->socket, why);
	if (fd >= 0)
		close(fd);
	return false;
}

static json_t *read_message(struct xo_cli *cli)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n = getline(&line, &room, cli->stream);
	json_t *message = n > 0 ? json_loadb(line, (size_t)n, 0, NULL) : NULL;

	free(line);
	return message;
}

/* Past the stream, which is for reading: a stream cannot turn round on a socket. */
static bool send_message(struct xo_cli *cli, json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;
	size_t sent = 0;

	json_decref(message);
	if (!text)
		return false;
	text[length++] = '\n';
	while (sent < length) {
		ssize_t n = send(fileno(cli->stream), text + sent, length - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	free(text);
	return sent == length;
}

json_t *xo_cli_call(struct xo_cli *cli, const char *command, json_t *arguments, int *exit_code)
{
	json_int_t id = ++cli->next_id;
	json_t *message = json_pack("{s:s,s:o,s:I}", "execute", command, "arguments",
				    arguments ? arguments : json_object(), "id", id);
	json_t *data = NULL;
	json_t *answer = NULL;

	*exit_code = XO_EXIT_NO_DAEMON;
	if (!connect_daemon(cli)) {
		json_decref(message);
		return NULL;
	}
	if (send_message(cli, message))
		while ((answer = read_message(cli)) &&
		       json_integer_value(json_object_get(answer, "id")) != id)
			json_decref(answer); /* an event */
	if (!answer) {
		fprintf(stderr, "xenoptic: the daemon went away before it answered\n");
		return NULL;
	}
	data = json_incref(json_object_get(answer, "return"));
	*exit_code = data ? XO_EXIT_OK : XO_EXIT_REFUSED;
	if (!data) {
		const char *text =
			json_string_value(json_object_get(json_object_get(answer, "error"), "des"
											    "c"));

		fprintf(stderr, "xenoptic: %s\n", text ? text : "the daemon gave no reason");
	}
	json_decref(answer);
	return data;
}

json_t *xo_cli_event(struct xo_cli *cli)
{
	json_t *message;

	while ((message = read_message(cli)) && !json_object_get(message, "event"))
		json_decref(message);
	return message;
}

void xo_cli_close(struct xo_cli *cli)
{
	if (cli->stream)
		fclose(cli->stream);
	cli->stream = NULL;
}
