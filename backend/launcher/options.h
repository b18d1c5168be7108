/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of `-optical` and of `xenoptic attach`: drive=… bus=… mode=…
 * backend=… slot=… identity=… interrupt=… name=…, one table, pure.
 */
#ifndef XO_BACKEND_OPTIONS_H
#define XO_BACKEND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "schema/schema.h"

#define XO_OPTIONS_MAX 8 /* drives of one guest */
#define XO_OPTION_TEXT 128

enum xo_bus {
	XO_BUS_DEFAULT, /* ahci for HVM, vscsi for others */
	XO_BUS_VSCSI,
	XO_BUS_VCD,
	XO_BUS_AHCI,
	XO_BUS_IDE,
};

struct xo_options {
	char drive[XO_DRIVE_NAME_MAX + 1]; /* "/dev/…" or "virtual:NAME" */
	enum xo_bus bus; /* the first given */
	enum xo_bus second_bus; /* XO_BUS_DEFAULT: given once at most */
	bool read_only;
	bool generic_identity;
	bool msi; /* AHCI may signal by messages */
	int slot; /* PCI slot; -1: not given */
	char backend[XO_OPTION_TEXT]; /* domain id, name or UUID; empty: this domain */
	char name[XO_OPTION_TEXT]; /* for messages; empty: the guest's own */
};

void xo_options_init(struct xo_options *options);

/*
 * One "KEY=VALUE". -EINVAL with the reason in error[size]: what was wrong and
 * what is expected.
 */
int xo_options_set(struct xo_options *options, const char *text, char *error, size_t size);

/* "KEY=VALUE[,KEY=VALUE…]", all of it, then xo_options_check. */
int xo_options_parse(struct xo_options *options, const char *text, char *error, size_t size);

/* Whether they make sense together. */
int xo_options_check(const struct xo_options *options, char *error, size_t size);

const char *xo_bus_name(enum xo_bus bus);

/* Whether it is a controller that xenoptic-ioemu emulates. */
bool xo_bus_emulated(enum xo_bus bus);

/* The bus where none was given. */
enum xo_bus xo_options_default_bus(const struct xo_options *options, bool hvm);

#endif
