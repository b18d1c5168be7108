/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore in a libuv loop, with values checked by the schema. */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

#define WATCHES_AT_ONCE 256

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

static void watch_ready(uv_poll_t *poll, int status, int events)
{
	struct xo_store *store = poll->data;

	(void)events;
	if (!store || status < 0)
		return;
	for (unsigned int i = 0; i < WATCHES_AT_ONCE; i++) {
		char **event = xs_check_watch(store->xs);

		if (!event) {
			if (errno == EAGAIN)
				return;
			xo_error("xenstore: the connection is lost: %s", strerror(errno));
			uv_poll_stop(poll);
			store->lost(store->priv);
			return;
		}
		store->changed(store->priv, event[XS_WATCH_PATH]);
		free(event);
	}
}

/* Our own domain id; every domain finds it in its home (relative paths start there). */
static int own_domid(struct xo_store *store)
{
	char text[16];
	int r = xo_store_read(store, "domid", text, sizeof(text));
	uint64_t domid = 0;

	if (!r)
		r = xo_schema_number(XO_OPTICAL_FRONTEND_ID, text, strlen(text), &domid);
	if (r && r != -ENOENT)
		return r;
	store->domid = (unsigned int)domid; /* a Dom0 whose toolstack wrote none is 0 */
	return 0;
}

int xo_store_open(struct xo_store *store, uv_loop_t *loop,
		  void (*changed)(void *priv, const char *path), void (*lost)(void *priv),
		  void *priv)
{
	int r;

	*store = (struct xo_store){ .changed = changed, .lost = lost, .priv = priv };
	store->xs = xs_open(0);
	if (!store->xs) {
		r = errno ? -errno : -ENOENT;
		xo_error("xenstore: cannot connect: %s; is xenstored running, is this a Xen "
			 "domain?",
			 strerror(-r));
		return r;
	}
	r = own_domid(store);
	if (r) {
		xo_error("xenstore: our own domain id is not readable: %s", strerror(-r));
		goto fail;
	}
	r = -ENOMEM;
	store->poll = calloc(1, sizeof(*store->poll));
	if (!store->poll)
		goto fail;
	r = uv_poll_init(loop, store->poll, xs_fileno(store->xs));
	if (r) {
		free(store->poll);
		store->poll = NULL;
		goto fail;
	}
	store->poll->data = store;
	uv_poll_start(store->poll, UV_READABLE, watch_ready);
	return 0;
fail:
	xo_store_close(store);
	return r;
}

void xo_store_close(struct xo_store *store)
{
	if (store->poll) {
		store->poll->data = NULL;
		uv_close((uv_handle_t *)store->poll, handle_free);
	}
	if (store->xs)
		xs_close(store->xs);
	store->poll = NULL;
	store->xs = NULL;
}

int xo_store_watch(struct xo_store *store, const char *path)
{
	int r;

	if (xs_watch(store->xs, path, path))
		return 0;
	r = -errno;
	xo_warning("xenstore: %s cannot be watched: %s", path, strerror(-r));
	return r;
}

void xo_store_unwatch(struct xo_store *store, const char *path)
{
	xs_unwatch(store->xs, path, path);
}

char *xo_store_join(char *out, const char *base, enum xo_node node, unsigned int n)
{
	char path[XO_SCHEMA_PATH_MAX];

	xo_schema_path(node, n, path, sizeof(path));
	if (snprintf(out, XO_STORE_PATH_MAX, "%s/%s", base, path) >= XO_STORE_PATH_MAX)
		out[0] = '\0';
	return out;
}

/* The raw value; NULL and length 0 when it is absent. The caller frees. */
static char *read_node(struct xo_store *store, const char *base, enum xo_node node, unsigned int n,
		       unsigned int *length)
{
	char path[XO_STORE_PATH_MAX];

	*length = 0;
	return xs_read(store->xs, XBT_NULL, xo_store_join(path, base, node, n), length);
}

int xo_store_number(struct xo_store *store, const char *base, enum xo_node node, unsigned int n,
		    uint64_t *number)
{
	unsigned int length;
	char *value = read_node(store, base, node, n, &length);
	int r = xo_schema_number(node, value, length, number);

	free(value);
	return r;
}

int xo_store_text(struct xo_store *store, const char *base, enum xo_node node, unsigned int n,
		  char *text, size_t size)
{
	unsigned int length;
	char *value = read_node(store, base, node, n, &length);
	int r = xo_schema_text(node, value, length, text, size);

	free(value);
	return r;
}

int xo_store_read(struct xo_store *store, const char *path, char *text, size_t size)
{
	unsigned int length = 0;
	char *value = xs_read(store->xs, XBT_NULL, path, &length);
	int r = 0;

	if (!value)
		return -ENOENT;
	if (length >= size || memchr(value, '\0', length)) {
		r = -EINVAL;
	} else {
		memcpy(text, value, length);
		text[length] = '\0';
		for (unsigned int i = 0; i < length; i++)
			if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
				r = -EINVAL;
	}
	free(value);
	return r;
}

bool xo_store_exists(struct xo_store *store, const char *path)
{
	unsigned int length;
	void *value = xs_read(store->xs, XBT_NULL, path, &length);

	free(value);
	return value != NULL;
}

/* xenstored says ENOSPC (quota of nodes), E2BIG (transactions), EBUSY …: none is final. */
static int write_error(int error, const char *path)
{
	if (error == ENOENT || error == EAGAIN)
		return -error;
	xo_log_limited(XO_LOG_WARNING, "xenstore: %s cannot be written: %s; trying again", path,
		       strerror(error));
	return -EAGAIN;
}

static int write_nodes(struct xo_store *store, xs_transaction_t t, const char *guard,
		       const char *base, const struct xo_store_write *writes, size_t count)
{
	char path[XO_STORE_PATH_MAX];
	unsigned int length;
	void *there = xs_read(store->xs, t, guard, &length);

	if (!there)
		return -ENOENT;
	free(there);
	for (size_t i = 0; i < count; i++) {
		xo_store_join(path, base, writes[i].node, writes[i].n);
		if (!writes[i].value) {
			if (!xs_rm(store->xs, t, path) && errno != ENOENT)
				return write_error(errno, path);
		} else if (!xs_write(store->xs, t, path, writes[i].value,
				     (unsigned int)strlen(writes[i].value))) {
			return write_error(errno, path);
		}
	}
	return 0;
}

int xo_store_write(struct xo_store *store, const char *guard, const char *base,
		   const struct xo_store_write *writes, size_t count)
{
	for (unsigned int i = 0; i < XO_STORE_RETRIES; i++) {
		xs_transaction_t t = xs_transaction_start(store->xs);
		int r;

		if (t == XBT_NULL)
			return write_error(errno, base);
		r = write_nodes(store, t, guard, base, writes, count);
		if (xs_transaction_end(store->xs, t, r != 0)) {
			if (r)
				return r;
			return 0;
		}
		if (r)
			return r;
		if (errno != EAGAIN)
			return write_error(errno, base);
	}
	return -EAGAIN;
}

static bool number_of(const char *name, const char *prefix, unsigned int *number)
{
	size_t length = strlen(prefix);
	uint64_t n;

	if (strncmp(name, prefix, length) != 0 || name[length] == '\0' ||
	    (name[length] == '0' && name[length + 1] != '\0') ||
	    xo_schema_number(XO_OPTICAL_FRONTEND_ID, name + length, strlen(name + length), &n))
		return false;
	*number = (unsigned int)n;
	return true;
}

int xo_store_numbers(struct xo_store *store, const char *path, const char *prefix,
		     unsigned int *numbers, size_t max)
{
	unsigned int count = 0;
	char **names = xs_directory(store->xs, XBT_NULL, path, &count);
	size_t found = 0;

	if (!names)
		return -ENOENT;
	for (unsigned int i = 0; i < count && found < max; i++)
		if (number_of(names[i], prefix, &numbers[found]))
			found++;
	free(names);
	return (int)found;
}

bool xo_store_domain_exists(struct xo_store *store, unsigned int domid)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	return xo_store_exists(store, path) || errno == EACCES;
}

bool xo_store_domain_alive(struct xo_store *store, unsigned int domid)
{
	return xs_is_domain_introduced(store->xs, domid);
}
