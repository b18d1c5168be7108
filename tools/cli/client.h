/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command's side of xenopticd's control socket. */
#ifndef XO_TOOLS_CLIENT_H
#define XO_TOOLS_CLIENT_H

#include <jansson.h>
#include <stdio.h>

/* Exit codes of xenoptic(1). */
enum xo_exit {
	XO_EXIT_OK = 0,
	XO_EXIT_REFUSED = 1, /* the daemon said no; its reason was printed */
	XO_EXIT_USAGE = 2,
	XO_EXIT_NO_DAEMON = 3,
};

struct xo_cli {
	const char *socket; /* path */
	FILE *stream; /* NULL: not connected */
	json_int_t next_id;
};

/*
 * Runs a command of the daemon; `arguments` is consumed. The return value is
 * the answer's "return" (the caller's), or NULL: then the reason was printed and *exit_code is set.
 */
json_t *xo_cli_call(struct xo_cli *cli, const char *command, json_t *arguments, int *exit_code);

/* Waits for the next event: the whole message, or NULL at the end. */
json_t *xo_cli_event(struct xo_cli *cli);

void xo_cli_close(struct xo_cli *cli);

#endif
