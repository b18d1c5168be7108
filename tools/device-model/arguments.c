/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking `-optical` out of the device model's command line. */
#include "arguments.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* "-optical" as xl passes it on, or with two dashes as QEMU takes its own options. */
static bool is_option(const char *argument, const char *name)
{
	if (!argument || *argument++ != '-')
		return false;
	if (*argument == '-')
		argument++;
	return !strcmp(argument, name);
}

static int take_optical(struct xo_dm_arguments *a, const char *value, char *error, size_t size)
{
	if (!value) {
		snprintf(error, size, "-optical: its options are missing: drive=…[,bus=…]");
		return -EINVAL;
	}
	if (a->optical_count == XO_OPTICAL_MAX) {
		snprintf(error, size, "-optical: given more than %d times", XO_OPTICAL_MAX);
		return -EINVAL;
	}
	a->optical[a->optical_count++] = value;
	return 0;
}

static int take_domid(struct xo_dm_arguments *a, const char *value, char *error, size_t size)
{
	char *end;
	long domid = value ? strtol(value, &end, 10) : -1;

	if (!value || !*value || *end || domid < 1 || domid > 0x7fef) {
		snprintf(error, size, "-xen-domid %s: not a domain", value ? value : "");
		return -EINVAL;
	}
	a->domid = (int)domid;
	return 0;
}

/* Where an item of a QEMU option begins, up to `end`; NULL: it is not there. */
static const char *item(const char *value, const char *name, const char **end)
{
	const char *at = strstr(value, name);

	if (!at)
		return NULL;
	at += strlen(name);
	*end = at + strcspn(at, ",");
	return at;
}

/*
 * libxl's own monitor: "socket,id=libxl-cmd,fd=N,server=on,wait=off" of a
 * deprivileged QEMU, with path=PATH in place of fd=N of any other. `at` is
 * where the option goes in QEMU's command line.
 */
static void take_chardev(struct xo_dm_arguments *a, const char *value, int at)
{
	const char *end;
	const char *fd;
	const char *path;

	if (strncmp(value, "socket,id=libxl-cmd,", 20))
		return;
	fd = item(value, ",fd=", &end);
	if (fd) {
		long n = strtol(fd, NULL, 10);

		if (end > fd && strspn(fd, "0123456789") == (size_t)(end - fd) && n > 2 &&
		    n < 65536)
			a->qmp_fd = (int)n;
	}
	path = item(value, ",path=", &end);
	if (!fd && path && end > path && !a->qmp_path)
		a->qmp_path = strndup(path, (size_t)(end - path));
	a->qmp_at = at;
}

/* "fd:N" */
static int take_incoming(const char *value)
{
	char *end;
	long n = strncmp(value, "fd:", 3) ? -1 : strtol(value + 3, &end, 10);

	return n > 2 && !*end && n < 65536 ? (int)n : -1;
}

static bool machine_is_pv(const char *value)
{
	return !strncmp(value, "xenpv", 5) && (!value[5] || value[5] == ',');
}

int xo_dm_arguments_parse(struct xo_dm_arguments *a, int argc, char **argv, char *error,
			  size_t size)
{
	int count = 0;
	int r = 0;

	*a = (struct xo_dm_arguments){ .domid = -1, .qmp_fd = -1, .incoming_fd = -1 };
	a->qemu = calloc((size_t)argc + 1, sizeof(*a->qemu));
	if (!a->qemu) {
		snprintf(error, size, "out of memory");
		return -ENOMEM;
	}
	for (int i = 0; i < argc && !r; i++) {
		const char *next = argv[i + 1]; /* NULL behind the last */

		if (i && is_option(argv[i], "optical")) {
			r = take_optical(a, next, error, size);
			i++;
			continue;
		}
		if (i && is_option(argv[i], "xen-domid"))
			r = take_domid(a, next, error, size);
		else if (i && next && (is_option(argv[i], "machine") || is_option(argv[i], "M")))
			a->pv = a->pv || machine_is_pv(next);
		else if (i && next && is_option(argv[i], "chardev") && a->qmp_fd < 0)
			take_chardev(a, next, count + 1);
		else if (i && next && is_option(argv[i], "incoming"))
			a->incoming_fd = take_incoming(next);
		a->qemu[count++] = argv[i];
	}
	if (r)
		xo_dm_arguments_fini(a);
	return r;
}

void xo_dm_arguments_fini(struct xo_dm_arguments *arguments)
{
	free(arguments->qemu);
	free(arguments->qmp_path);
	arguments->qemu = NULL;
	arguments->qmp_path = NULL;
}

json_t *xo_dm_devices(const struct xo_dm_arguments *arguments)
{
	static const char *const names[] = { "machine", "M", "vga", "device" };
	json_t *list = json_array();

	for (char **argument = arguments->qemu; *argument && argument[1]; argument++) {
		json_t *value = NULL;

		for (size_t i = 0; i < XO_ARRAY_SIZE(names) && !value; i++)
			if (is_option(*argument, names[i]))
				value = json_string(argument[1]);
		if (!value) /* another option, or not UTF-8 */
			continue;
		json_array_append_new(list, json_string(*argument));
		json_array_append_new(list, value);
	}
	return list;
}

/* The launcher makes these when it finds the line in libxl's stored configuration. */
static bool is_ring(const char *bus)
{
	return !strcmp(bus, "vscsi") || !strcmp(bus, "vcd");
}

json_t *xo_dm_options(const char *optical, size_t n)
{
	char *copy = strdup(optical);
	char *rest = copy;
	json_t *options = json_array();
	size_t controllers = 0;
	bool other = false; /* it names another way in: then there is no default controller */
	char *item;

	while (copy && (item = strsep(&rest, ","))) {
		if (!strncmp(item, "bus=", 4) && is_ring(item + 4)) {
			other = true;
			continue;
		}
		if (!strncmp(item, "bus=", 4) && controllers++ != n)
			continue;
		other = other || !strncmp(item, "backend=", 8);
		json_array_append_new(options, json_string(item));
	}
	/* Without a bus the launcher chooses one. */
	if (!copy || n >= (controllers || other ? controllers : 1)) {
		json_decref(options);
		options = NULL;
	}
	free(copy);
	return options;
}
