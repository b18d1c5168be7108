/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore as the launcher uses it: libxenstore in a libuv loop, values that
 * are checked by the schema when they are read, writes that do not bring back what was
 * removed. Other domains may change anything between two calls.
 */
#ifndef XO_BACKEND_STORE_H
#define XO_BACKEND_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include <xenstore.h>

#include "schema/schema.h"

#define XO_STORE_PATH_MAX 512
#define XO_STORE_ENTRIES_MAX 1024 /* of a directory; what is beyond is not looked at */
#define XO_STORE_RETRIES 16 /* of a transaction */

struct xo_store {
	struct xs_handle *xs;
	uv_poll_t *poll;
	unsigned int domid; /* our own */
	/* A watch fired. `path` is absolute or special ("@releaseDomain"). */
	void (*changed)(void *priv, const char *path);
	/* The connection is lost: xenstored is gone. */
	void (*lost)(void *priv);
	void *priv;
};

/* Connects and finds out our own domain id. 0 or -errno (logged). */
int xo_store_open(struct xo_store *store, uv_loop_t *loop,
		  void (*changed)(void *priv, const char *path), void (*lost)(void *priv),
		  void *priv);
void xo_store_close(struct xo_store *store);

int xo_store_watch(struct xo_store *store, const char *path);
void xo_store_unwatch(struct xo_store *store, const char *path);

/* base "/" path of the node; "" when it does not fit. Returns `out` (XO_STORE_PATH_MAX bytes). */
char *xo_store_join(char *out, const char *base, enum xo_node node, unsigned int n);

/*
 * A node's value, checked. 0; -ENOENT: absent (or not for us to read) and without default;
 * -EINVAL: not a value of this node. `n` as in xo_schema_path.
 */
int xo_store_number(struct xo_store *store, const char *base, enum xo_node node, unsigned int n,
		    uint64_t *number);
int xo_store_text(struct xo_store *store, const char *base, enum xo_node node, unsigned int n,
		  char *text, size_t size);

/* Any text, unchecked but for its length: terminated, control characters are refused. */
int xo_store_read(struct xo_store *store, const char *path, char *text, size_t size);

bool xo_store_exists(struct xo_store *store, const char *path);

/*
 * Writes nodes below `base` in one transaction, provided that `guard` (a path) is
 * still there: -ENOENT otherwise. -EAGAIN: try later (quota, or others kept interfering).
 */
struct xo_store_write {
	enum xo_node node;
	unsigned int n;
	const char *value; /* NULL: remove it */
};
int xo_store_write(struct xo_store *store, const char *guard, const char *base,
		   const struct xo_store_write *writes, size_t count);

/*
 * The numbers that are names in a directory (other names are passed over), at most
 * `max`; returns how many, or -ENOENT.
 */
int xo_store_numbers(struct xo_store *store, const char *path, const char *prefix,
		     unsigned int *numbers, size_t max);

/* Whether a domain is there at all (its home; for one without privilege: as far as it can see). */
bool xo_store_domain_exists(struct xo_store *store, unsigned int domid);

/* Whether xenstored still serves the domain: no more once it is dying, though its nodes may be there. */
bool xo_store_domain_alive(struct xo_store *store, unsigned int domid);

#endif
