// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading and writing the guest's own nodes and the backend's, with values checked. */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int xo_store_open(struct xs_handle **xs, char **error)
{
	int r;

	*xs = xs_open(0);
	if (*xs)
		return 0;
	r = errno ? -errno : -ENXIO;
	if (asprintf(error,
		     "xenstore: %s; is this a Xen guest, and do you have the right to use "
		     "/dev/xen/xenbus?",
		     strerror(-r)) < 0)
		*error = NULL;
	return r;
}

/* The node's bytes and a NUL (libxenstore adds it), or NULL. */
static char *read_node(struct xs_handle *xs, const char *dir, const char *node,
		       unsigned int *length)
{
	char path[XO_FRONT_PATH_MAX * 2];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, node);

	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	return xs_read(xs, XBT_NULL, path, length);
}

uint32_t xo_store_number(struct xs_handle *xs, const char *dir, const char *node, uint32_t max,
			 uint32_t otherwise)
{
	unsigned int length;
	char *value = read_node(xs, dir, node, &length), *end;
	unsigned long long number;

	if (!value)
		return otherwise;
	errno = 0;
	number = strtoull(value, &end, 10);
	if (errno || end == value || *end != '\0' || value[0] < '0' || value[0] > '9' ||
	    number > max)
		number = otherwise;
	free(value);
	return (uint32_t)number;
}

bool xo_store_text(struct xs_handle *xs, const char *dir, const char *node, char *text, size_t size)
{
	unsigned int length;
	char *value = read_node(xs, dir, node, &length);
	bool whole;

	text[0] = '\0';
	if (!value)
		return false;
	whole = strlen(value) < size;
	(void)snprintf(text, size, "%s", value);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	free(value);
	return whole;
}

unsigned int xo_store_state(struct xs_handle *xs, const char *dir, const char *node)
{
	return xo_store_number(xs, dir, node, XenbusStateReconfigured, XenbusStateUnknown);
}

int xo_store_write(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *node,
		   const char *text)
{
	char path[XO_FRONT_PATH_MAX * 2];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, node);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return xs_write(xs, t, path, text, (unsigned int)strlen(text)) ? 0 : -errno;
}

int xo_store_write_number(struct xs_handle *xs, xs_transaction_t t, const char *dir,
			  const char *node, uint32_t value)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", value);
	return xo_store_write(xs, t, dir, node, text);
}

bool xo_store_changed(struct xs_handle *xs)
{
	bool any = false;
	char **event;

	while ((event = xs_check_watch(xs))) {
		free(event);
		any = true;
	}
	return any;
}
