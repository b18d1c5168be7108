/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of xenstore values against the generated table. */
#include "schema/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LENGTH 64
#define NUMBER_DIGITS_MAX 10
#define UNIT_FIELDS 4

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Decimal digits, all of them, at most NUMBER_DIGITS_MAX. */
static int parse_number(const char *value, size_t length, uint64_t max, uint64_t *number)
{
	uint64_t n = 0;

	if (!length || length > NUMBER_DIGITS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (!is_digit(value[i]))
			return -EINVAL;
		n = n * 10 + (uint64_t)(value[i] - '0');
	}
	if (n > max)
		return -EINVAL;
	*number = n;
	return 0;
}

static int parse_word(const char *const *words, const char *value, size_t length, uint64_t *number)
{
	for (uint64_t i = 0; words[i]; i++) {
		if (strlen(words[i]) == length && !memcmp(words[i], value, length)) {
			*number = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int text_check(const char *value, size_t length, uint64_t max)
{
	if (length > max)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return -EINVAL;
	return 0;
}

/* What xenstored takes as a path, absolute, without a trailing or doubled slash. */
static int path_check(const char *value, size_t length)
{
	if (length < 2 || length >= XO_SCHEMA_PATH_MAX || value[0] != '/' ||
	    value[length - 1] == '/')
		return -EINVAL;
	for (size_t i = 1; i < length; i++) {
		if (value[i] == '/' && value[i - 1] == '/')
			return -EINVAL;
		if (!is_letter(value[i]) && !is_digit(value[i]) && !strchr("-/_@", value[i]))
			return -EINVAL;
		if (!value[i])
			return -EINVAL;
	}
	return 0;
}

int xo_schema_name_check(const char *name, size_t length)
{
	if (!length || length > NAME_MAX_LENGTH || name[0] == '.' || name[0] == '-')
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (!name[i])
			return -EINVAL;
		if (!is_letter(name[i]) && !is_digit(name[i]) && !strchr("._-", name[i]))
			return -EINVAL;
	}
	return 0;
}

/* No "..", so that what begins with /dev/ stays there. */
static int device_check(const char *value, size_t length)
{
	if (length < 6 || length > XO_DRIVE_NAME_MAX || memcmp(value, "/dev/", 5) != 0 ||
	    text_check(value, length, length))
		return -EINVAL;
	for (size_t i = 0; i + 1 < length; i++)
		if (value[i] == '.' && value[i + 1] == '.')
			return -EINVAL;
	return 0;
}

static int drive_check(const char *value, size_t length)
{
	static const char virtual[] = "virtual:";
	const size_t prefix = sizeof(virtual) - 1;

	if (length > prefix && !memcmp(value, virtual, prefix))
		return xo_schema_name_check(value + prefix, length - prefix);
	return device_check(value, length);
}

static int uuid_check(const char *value, size_t length)
{
	if (!length)
		return 0;
	if (length != 36)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? value[i] != '-' : !is_hex(value[i]))
			return -EINVAL;
	}
	return 0;
}

int xo_schema_unit(const char *value, size_t length, struct xo_unit_address *unit)
{
	uint64_t field[UNIT_FIELDS];
	size_t at = 0;

	for (unsigned int i = 0; i < UNIT_FIELDS; i++) {
		size_t end = at;

		while (end < length && value[end] != ':')
			end++;
		if ((end == length) != (i == UNIT_FIELDS - 1) ||
		    parse_number(value + at, end - at, UINT16_MAX, &field[i]))
			return -EINVAL;
		at = end + 1;
	}
	*unit = (struct xo_unit_address){
		.host = (uint16_t)field[0],
		.channel = (uint16_t)field[1],
		.target = (uint16_t)field[2],
		.lun = (uint16_t)field[3],
	};
	return 0;
}

static int value_check(const struct xo_schema_node *info, const char *value, size_t length,
		       uint64_t *number)
{
	struct xo_unit_address unit;
	int r;

	switch (info->type) {
	case XO_SCHEMA_FLAG:
	case XO_SCHEMA_STATE:
	case XO_SCHEMA_NUMBER:
		r = parse_number(value, length, info->max, number);
		return r || *number < info->min ? -EINVAL : 0;
	case XO_SCHEMA_WORD:
		return parse_word(info->words, value, length, number);
	case XO_SCHEMA_TEXT:
		return text_check(value, length, info->max);
	case XO_SCHEMA_PATH:
		return path_check(value, length);
	case XO_SCHEMA_DRIVE:
		return drive_check(value, length);
	case XO_SCHEMA_UNIT:
		return xo_schema_unit(value, length, &unit);
	case XO_SCHEMA_UUID:
		return uuid_check(value, length);
	}
	return -EINVAL;
}

int xo_schema_check(enum xo_node node, const char *value, size_t length)
{
	uint64_t number;

	return value_check(&xo_schema_nodes[node], value, length, &number);
}

int xo_schema_number(enum xo_node node, const char *value, size_t length, uint64_t *number)
{
	const struct xo_schema_node *info = &xo_schema_nodes[node];

	*number = 0;
	if (!value) {
		if (!info->fallback)
			return -ENOENT;
		value = info->fallback;
		length = strlen(value);
	}
	return value_check(info, value, length, number);
}

int xo_schema_text(enum xo_node node, const char *value, size_t length, char *text, size_t size)
{
	const struct xo_schema_node *info = &xo_schema_nodes[node];

	if (!value) {
		if (!info->fallback)
			return -ENOENT;
		value = info->fallback;
		length = strlen(value);
	}
	if (length >= size || xo_schema_check(node, value, length))
		return -EINVAL;
	memcpy(text, value, length);
	text[length] = '\0';
	return 0;
}

static const char *words_expected(const struct xo_schema_node *info, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned int i = 0; info->words[i] && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? " or " : "",
				       info->words[i]);
	return text;
}

const char *xo_schema_expected(enum xo_node node, char *text, size_t size)
{
	static const char *const kinds[] = {
		[XO_SCHEMA_FLAG] = "0 or 1",
		[XO_SCHEMA_PATH] = "a path in xenstore",
		[XO_SCHEMA_DRIVE] = "/dev/… or virtual:NAME",
		[XO_SCHEMA_UNIT] = "HOST:CHANNEL:TARGET:LUN",
		[XO_SCHEMA_UUID] = "a UUID",
	};
	const struct xo_schema_node *info = &xo_schema_nodes[node];

	switch (info->type) {
	case XO_SCHEMA_STATE:
	case XO_SCHEMA_NUMBER:
		snprintf(text, size, "a number from %" PRIu64 " to %" PRIu64, info->min, info->max);
		return text;
	case XO_SCHEMA_TEXT:
		snprintf(text, size, "a text of up to %" PRIu64 " bytes", info->max);
		return text;
	case XO_SCHEMA_WORD:
		return words_expected(info, text, size);
	default:
		snprintf(text, size, "%s", kinds[info->type]);
		return text;
	}
}

const char *xo_schema_path(enum xo_node node, unsigned int n, char *path, size_t size)
{
	const char *from = xo_schema_nodes[node].path;
	const char *mark = strchr(from, 'N');

	if (mark)
		snprintf(path, size, "%.*s%u%s", (int)(mark - from), from, n, mark + 1);
	else
		snprintf(path, size, "%s", from);
	return path;
}
