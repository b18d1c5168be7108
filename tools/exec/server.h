/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server behind the preloaded library: open files, channels and the
 * commands that come on them. What carries a command out is the caller's:
 * the ring in xenoptic-guest, a burner in the same process in a test.
 */
#ifndef XO_EXEC_SERVER_H
#define XO_EXEC_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/link.h"

struct xo_exec_server;

/* One packet command. The server's; the transport fills the results and calls xo_exec_complete(). */
struct xo_exec_command {
	/* in */
	uint8_t cdb[XO_CDB_MAX];
	uint8_t cdb_length; /* 1 to XO_CDB_MAX */
	uint8_t direction; /* enum xo_direction */
	uint32_t length; /* bytes of data, up to the largest transfer; 0 exactly when XO_DIR_NONE */
	uint32_t timeout; /* ms as the program gave it; 0: none given */
	uint8_t *data; /* shared with the program */
	/* out */
	uint8_t status;
	uint8_t transport; /* enum xo_transport */
	uint8_t sense_length;
	uint8_t sense[XO_SENSE_MAX];
	uint32_t residual;
	/* the transport's own */
	void *priv;
};

struct xo_exec_ops {
	/* Takes a command; may complete it before it returns. */
	void (*submit)(void *priv, struct xo_exec_command *command);
};

/*
 * Makes the private folder (under TMPDIR) and listens. `max_transfer` is the
 * largest data length of a command.
 */
int xo_exec_server_new(struct xo_exec_server **server, const struct xo_exec_ops *ops, void *priv,
		       uint32_t max_transfer);
/* Every submitted command must have completed. Removes the folder. */
void xo_exec_server_free(struct xo_exec_server *server);

/* Readable when xo_exec_server_step() has something to do. */
int xo_exec_server_fd(const struct xo_exec_server *server);
/* Does what can be done without waiting. 0 or -errno. */
int xo_exec_server_step(struct xo_exec_server *server);

void xo_exec_complete(struct xo_exec_command *command);

/* Opens of the device that are there now. */
unsigned int xo_exec_server_files(const struct xo_exec_server *server);
/* Commands submitted and not complete. */
unsigned int xo_exec_server_busy(const struct xo_exec_server *server);

/* Shows programs what /proc and /sys would have of `device` (/dev/srN). */
int xo_exec_server_describe(struct xo_exec_server *server, const char *device);
/* Shows programs a file at `path` ("/proc/…", "/sys/…") with this text. */
int xo_exec_server_show(struct xo_exec_server *server, const char *path, const char *text);

/*
 * Starts a program with `preload` (path of the library) in its environment,
 * which stands in for `device`. The program's process id, or -errno: the one
 * of execvp() included.
 */
pid_t xo_exec_server_spawn(struct xo_exec_server *server, const char *preload, const char *device,
			   char *const argv[]);

#endif
