/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the relay asks of xenopticd, which may be away for a moment: it is being started again, or updated, in the
 * middle of a save.
 */
#ifndef XO_TOOLS_DAEMON_H
#define XO_TOOLS_DAEMON_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/client.h"

#define XO_DM_OWED_MAX 2

struct xo_dm_daemon {
	struct xo_cli cli;
	int domid;
	int watch; /* of the folder of its socket; readable when there may be a new one */
	const char *name; /* of the socket in there */
	const char *owed[XO_DM_OWED_MAX]; /* commands that it did not get */
};

/* `socket` must remain. Without a watch (logged) it is not waited for. */
void xo_dm_daemon_init(struct xo_dm_daemon *daemon, const char *socket, int domid);

/* Asks it, and waits a few seconds for one that is away. NULL: the reason was printed. */
json_t *xo_dm_daemon_ask(struct xo_dm_daemon *daemon, const char *command);

/* It was not there to be asked: it is told this as soon as it is. Twice is as good as once. */
void xo_dm_daemon_owe(struct xo_dm_daemon *daemon, const char *command);
void xo_dm_daemon_owe_no_more(struct xo_dm_daemon *daemon, const char *command);
bool xo_dm_daemon_is_owed(const struct xo_dm_daemon *daemon);
/* The watch is readable. */
void xo_dm_daemon_came(struct xo_dm_daemon *daemon);

#endif
