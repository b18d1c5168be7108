/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every xenstore node that is read or written, and the checks of its values.
 * The table comes from the .json files here (generate). Values are
 * checked before anybody looks at them, for a guest may have written them.
 */
#ifndef XO_SCHEMA_SCHEMA_H
#define XO_SCHEMA_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "schema/nodes.h"

enum xo_schema_type {
	XO_SCHEMA_FLAG, /* 0 or 1 */
	XO_SCHEMA_STATE, /* xenbus state */
	XO_SCHEMA_NUMBER, /* decimal, min to max */
	XO_SCHEMA_WORD, /* one of words */
	XO_SCHEMA_TEXT, /* up to max bytes, no control characters */
	XO_SCHEMA_PATH, /* absolute path in xenstore */
	XO_SCHEMA_DRIVE, /* "/dev/…" or "virtual:NAME" */
	XO_SCHEMA_UNIT, /* "HOST:CHANNEL:TARGET:LUN" */
	XO_SCHEMA_UUID, /* 8-4-4-4-12 hexadecimal digits, or nothing */
};

struct xo_schema_node {
	const char *schema;
	const char *path; /* below the device's directory; N stands for a number */
	enum xo_schema_type type;
	uint64_t min;
	uint64_t max;
	const char *const *words; /* ends with NULL */
	const char *fallback; /* what an absent node means; NULL: it must be there */
};

extern const struct xo_schema_node xo_schema_nodes[XO_NODE_COUNT];

#define XO_SCHEMA_VALUE_MAX 1024
#define XO_SCHEMA_PATH_MAX 256
#define XO_DRIVE_NAME_MAX 200

/* Address of a logical unit in a guest; a ring's request names the last three. */
struct xo_unit_address {
	uint16_t host;
	uint16_t channel;
	uint16_t target;
	uint16_t lun;
};

/* 0, or -EINVAL: `length` bytes at `value` are no value of this node. Embedded zeros are none. */
int xo_schema_check(enum xo_node node, const char *value, size_t length);

/*
 * The value as a number (FLAG, STATE, NUMBER) or as index of the word (WORD).
 * `value` NULL stands for an absent node. 0, -EINVAL, or -ENOENT: absent and required.
 */
int xo_schema_number(enum xo_node node, const char *value, size_t length, uint64_t *number);

/* A text of any type, terminated; `size` holds at least XO_SCHEMA_VALUE_MAX. Errors as above. */
int xo_schema_text(enum xo_node node, const char *value, size_t length, char *text, size_t size);

/* A value of type UNIT. -EINVAL. */
int xo_schema_unit(const char *value, size_t length, struct xo_unit_address *unit);

/* A name of a virtual drive or disc: [A-Za-z0-9._-], not starting with a dot or dash, up to 64 bytes. */
int xo_schema_name_check(const char *name, size_t length);

/* What is expected, for a message: "a number from 1 to 131071". Returns `text`. */
const char *xo_schema_expected(enum xo_node node, char *text, size_t size);

/* The node's path with `n` in place of N. Returns `path`; size: XO_SCHEMA_PATH_MAX. */
const char *xo_schema_path(enum xo_node node, unsigned int n, char *path, size_t size);

#endif
