/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of an attachment: a row each in a table. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static const char *const bus_names[] = {
	[XO_BUS_DEFAULT] = "default", [XO_BUS_VSCSI] = "vscsi", [XO_BUS_VCD] = "vcd",
	[XO_BUS_AHCI] = "ahci",	      [XO_BUS_IDE] = "ide",
};

const char *xo_bus_name(enum xo_bus bus)
{
	return bus_names[bus];
}

void xo_options_init(struct xo_options *options)
{
	*options = (struct xo_options){ .slot = -1 };
}

static int set_drive(struct xo_options *options, const char *value)
{
	return xo_schema_text(XO_OPTICAL_UNIT_P_DEV, value, strlen(value), options->drive,
			      sizeof(options->drive));
}

static int set_bus(struct xo_options *options, const char *value)
{
	for (unsigned int i = XO_BUS_VSCSI; i <= XO_BUS_IDE; i++) {
		if (strcmp(value, bus_names[i]) != 0)
			continue;
		if (options->bus == XO_BUS_DEFAULT)
			options->bus = (enum xo_bus)i;
		else if (options->second_bus == XO_BUS_DEFAULT && options->bus != i)
			options->second_bus = (enum xo_bus)i;
		else
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

/* One of two words. */
static int set_choice(bool *field, const char *value, const char *no, const char *yes)
{
	*field = !strcmp(value, yes);
	return *field || !strcmp(value, no) ? 0 : -EINVAL;
}

static int set_mode(struct xo_options *options, const char *value)
{
	return set_choice(&options->read_only, value, "rw", "ro");
}

static int set_identity(struct xo_options *options, const char *value)
{
	return set_choice(&options->generic_identity, value, "drive", "generic");
}

static int set_interrupt(struct xo_options *options, const char *value)
{
	return set_choice(&options->msi, value, "intx", "msi");
}

static int set_slot(struct xo_options *options, const char *value)
{
	char *end;
	long slot = strtol(value, &end, 0);

	if (!*value || *end || slot < 1 || slot > 31)
		return -EINVAL;
	options->slot = (int)slot;
	return 0;
}

/* A name of a domain, or a text for messages: what the schema allows as a name. */
static int set_text(char *field, const char *value)
{
	if (!*value || strlen(value) >= XO_OPTION_TEXT ||
	    xo_schema_check(XO_OPTICAL_NAME, value, strlen(value)))
		return -EINVAL;
	strcpy(field, value);
	return 0;
}

static int set_backend(struct xo_options *options, const char *value)
{
	return set_text(options->backend, value);
}

static int set_name(struct xo_options *options, const char *value)
{
	return set_text(options->name, value);
}

static const struct {
	const char *key;
	int (*set)(struct xo_options *options, const char *value);
	const char *expected;
} rows[] = {
	{ "drive", set_drive, "/dev/… or virtual:NAME" },
	{ "bus", set_bus, "ahci, ide, vscsi or vcd, at most two different ones" },
	{ "mode", set_mode, "rw or ro" },
	{ "identity", set_identity, "drive or generic" },
	{ "interrupt", set_interrupt, "intx or msi" },
	{ "slot", set_slot, "a PCI slot from 1 to 31" },
	{ "backend", set_backend, "a domain's id, name or UUID" },
	{ "name", set_name, "a text" },
};

int xo_options_set(struct xo_options *options, const char *text, char *error, size_t size)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	int used;

	for (size_t i = 0; i < XO_ARRAY_SIZE(rows); i++) {
		if (strlen(rows[i].key) != length || memcmp(rows[i].key, text, length) != 0)
			continue;
		if (equals && !rows[i].set(options, equals + 1))
			return 0;
		snprintf(error, size, "option \"%s\": expected %s=%s", text, rows[i].key,
			 rows[i].expected);
		return -EINVAL;
	}
	used = snprintf(error, size, "option \"%s\": not known; there are", text);
	for (size_t i = 0; i < XO_ARRAY_SIZE(rows) && used >= 0 && (size_t)used < size; i++)
		used += snprintf(error + used, size - (size_t)used, "%s %s", i ? "," : "",
				 rows[i].key);
	return -EINVAL;
}

bool xo_bus_emulated(enum xo_bus bus)
{
	return bus == XO_BUS_AHCI || bus == XO_BUS_IDE;
}

enum xo_bus xo_options_default_bus(const struct xo_options *options, bool hvm)
{
	/* A driver domain has no other. */
	return hvm && !options->backend[0] ? XO_BUS_AHCI : XO_BUS_VSCSI;
}

int xo_options_check(const struct xo_options *options, char *error, size_t size)
{
	if (!options->drive[0]) {
		snprintf(error, size, "no drive given: drive=/dev/sr0 or drive=virtual:NAME");
		return -EINVAL;
	}
	if (options->backend[0] &&
	    (xo_bus_emulated(options->bus) || xo_bus_emulated(options->second_bus))) {
		snprintf(error, size,
			 "backend=%s with bus=%s: emulation needs privilege over the guest, which "
			 "a "
			 "driver domain has not; use bus=vscsi or bus=vcd",
			 options->backend,
			 xo_bus_name(xo_bus_emulated(options->bus) ? options->bus
								   : options->second_bus));
		return -EINVAL;
	}
	if (options->msi && options->bus != XO_BUS_DEFAULT && options->bus != XO_BUS_AHCI &&
	    options->second_bus != XO_BUS_AHCI) {
		snprintf(error, size, "interrupt=msi with bus=%s: only bus=ahci has it",
			 xo_bus_name(options->bus));
		return -EINVAL;
	}
	return 0;
}

int xo_options_parse(struct xo_options *options, const char *text, char *error, size_t size)
{
	char *copy = strdup(text);
	char *rest = copy;
	int r = copy ? 0 : -ENOMEM;
	char *item;

	while (!r && (item = strsep(&rest, ",")))
		r = xo_options_set(options, item, error, size);
	free(copy);
	return r ? r : xo_options_check(options, error, size);
}
