/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a domain's configuration, as libxl stores it, says of optical drives:
 * every `-optical` among the device model's arguments, one item for each bus. Pure.
 */
#ifndef XO_BACKEND_XL_LINES_H
#define XO_BACKEND_XL_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

#define XO_LINES_JSON_MAX (1u << 20) /* libxl's own for a guest with a few devices has 3 KiB */
#define XO_LINES_ITEMS_MAX (2 * XO_OPTIONS_MAX)
#define XO_LINES_ERROR_MAX 512 /* as the backend's error node takes it */

struct xo_line {
	struct xo_options options; /* `bus` is decided, `second_bus` not used */
	char error[XO_LINES_ERROR_MAX]; /* why there is no such device; empty: there is */
};

struct xo_lines {
	struct xo_line items[XO_LINES_ITEMS_MAX];
	size_t count;
};

/*
 * Reads the JSON. `hvm`: the guest's type, which decides the default bus and which
 * arguments count; an HVM guest's emulated controllers are left out, the device-model wrapper asks
 * for them. 0; -E2BIG, -EINVAL with the reason in error[size].
 */
int xo_lines_parse(const char *text, size_t length, bool hvm, struct xo_lines *config, char *error,
		   size_t size);

#endif
