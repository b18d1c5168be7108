// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disc's description as JSON, format version 1: one object with the members
 * of struct xo_disc, tracks in an array, CD-TEXT packs in hexadecimal.
 * Printing allocates nothing; parsing trusts nothing.
 */
#include "drive/disc.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define FORMAT_NAME "xenoptic-disc"
#define OFFSET_MAX (1ull << 50)

static const char *const mode_names[XO_TRACK_MODES] = { "audio", "mode1", "mode2", "xa" };
static const char *const state_names[XO_TRACK_STATES] = { "closed", "open", "reserved" };

enum field_kind { FIELD_INTEGER, FIELD_BOOLEAN, FIELD_TEXT, FIELD_NAME };

/* A member of a struct and of the object that describes it. */
struct field {
	const char *name;
	enum field_kind kind;
	bool required;
	uint16_t offset;
	uint16_t size; /* of the struct's member */
	uint64_t max; /* FIELD_INTEGER; for FIELD_NAME the number of names */
	const char *const *names;
};

#define INTEGER(type, member, top, need)                                               \
	{                                                                              \
		.name = #member, .kind = FIELD_INTEGER, .required = (need),            \
		.offset = offsetof(type, member), .size = sizeof(((type *)0)->member), \
		.max = (top)                                                           \
	}
#define BOOLEAN(type, member)                                                             \
	{                                                                                 \
		.name = #member, .kind = FIELD_BOOLEAN, .offset = offsetof(type, member), \
		.size = sizeof(((type *)0)->member)                                       \
	}
#define TEXT(type, member)                                                             \
	{                                                                              \
		.name = #member, .kind = FIELD_TEXT, .offset = offsetof(type, member), \
		.size = sizeof(((type *)0)->member)                                    \
	}
#define NAME(type, member, list)                                                       \
	{                                                                              \
		.name = #member, .kind = FIELD_NAME, .required = true,                 \
		.offset = offsetof(type, member), .size = sizeof(((type *)0)->member), \
		.max = XO_ARRAY_SIZE(list), .names = (list)                            \
	}

static const struct field track_fields[] = {
	INTEGER(struct xo_disc_track, session, XO_DISC_TRACKS_MAX, true),
	NAME(struct xo_disc_track, state, state_names),
	NAME(struct xo_disc_track, mode, mode_names),
	INTEGER(struct xo_disc_track, control, 15, false),
	INTEGER(struct xo_disc_track, start, UINT32_MAX, true),
	INTEGER(struct xo_disc_track, size, UINT32_MAX, true),
	INTEGER(struct xo_disc_track, written, UINT32_MAX, true),
	INTEGER(struct xo_disc_track, pregap, UINT32_MAX, false),
	INTEGER(struct xo_disc_track, stored_pregap, UINT32_MAX, false),
	INTEGER(struct xo_disc_track, sector_size, UINT16_MAX, true),
	INTEGER(struct xo_disc_track, subchannel, 96, false),
	INTEGER(struct xo_disc_track, offset, OFFSET_MAX, true),
	TEXT(struct xo_disc_track, isrc),
};

static const struct field timing_fields[] = {
	INTEGER(struct xo_disc_timing, sync, XO_DISC_TIMING_MAX, false),
	INTEGER(struct xo_disc_timing, close, XO_DISC_TIMING_MAX, false),
	INTEGER(struct xo_disc_timing, format, XO_DISC_TIMING_MAX, false),
	INTEGER(struct xo_disc_timing, blank, XO_DISC_TIMING_MAX, false),
	INTEGER(struct xo_disc_timing, load, XO_DISC_TIMING_MAX, false),
};

static const struct field disc_fields[] = {
	INTEGER(struct xo_disc, capacity, UINT32_MAX, true),
	INTEGER(struct xo_disc, serial, UINT32_MAX, false),
	INTEGER(struct xo_disc, sessions_closed, XO_DISC_TRACKS_MAX, false),
	BOOLEAN(struct xo_disc, finished),
	BOOLEAN(struct xo_disc, formatted),
	INTEGER(struct xo_disc, format_type, UINT8_MAX, false),
	TEXT(struct xo_disc, mcn),
};

/* Members of the description that are not simple fields. */
static const char *const other_members[] = { "format", "version", "type",
					     "tracks", "timing",  "cd_text" };

struct printer {
	char *text;
	size_t size;
	size_t at; /* >= size: it did not fit */
};

static void put(struct printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct printer *p, const char *format, ...)
{
	va_list args;
	int n;

	if (p->at >= p->size)
		return;
	va_start(args, format);
	n = vsnprintf(p->text + p->at, p->size - p->at, format, args);
	va_end(args);
	p->at = n < 0 ? p->size : p->at + (size_t)n;
}

static uint64_t get_integer(const void *object, const struct field *field)
{
	const uint8_t *at = (const uint8_t *)object + field->offset;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (field->size) {
	case 8:
		memcpy(&u64, at, sizeof(u64));
		return u64;
	case 4:
		memcpy(&u32, at, sizeof(u32));
		return u32;
	case 2:
		memcpy(&u16, at, sizeof(u16));
		return u16;
	default:
		return *at;
	}
}

static void set_integer(void *object, const struct field *field, uint64_t value)
{
	uint8_t *at = (uint8_t *)object + field->offset;
	uint32_t u32 = (uint32_t)value;
	uint16_t u16 = (uint16_t)value;

	switch (field->size) {
	case 8:
		memcpy(at, &value, sizeof(value));
		break;
	case 4:
		memcpy(at, &u32, sizeof(u32));
		break;
	case 2:
		memcpy(at, &u16, sizeof(u16));
		break;
	default:
		*at = (uint8_t)value;
	}
}

/* Texts hold only what xo_disc_check lets pass: no quoting is needed. */
static void print_fields(struct printer *p, const void *object, const struct field *fields,
			 size_t count, const char *separator)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *f = &fields[i];
		const char *between = i ? separator : "";
		uint64_t value = f->kind == FIELD_TEXT ? 0 : get_integer(object, f);

		switch (f->kind) {
		case FIELD_INTEGER:
			put(p, "%s\"%s\": %" PRIu64, between, f->name, value);
			break;
		case FIELD_BOOLEAN:
			put(p, "%s\"%s\": %s", between, f->name, value ? "true" : "false");
			break;
		case FIELD_TEXT:
			put(p, "%s\"%s\": \"%.*s\"", between, f->name, f->size - 1,
			    (const char *)object + f->offset);
			break;
		case FIELD_NAME:
			put(p, "%s\"%s\": \"%s\"", between, f->name,
			    f->names[value < f->max ? value : 0]);
			break;
		}
	}
}

ssize_t xo_disc_print(const struct xo_disc *disc, char *text, size_t size)
{
	struct printer p = { .text = text, .size = size };

	put(&p, "{\n  \"format\": \"%s\",\n  \"version\": %d,\n  \"type\": \"%s\",\n  ",
	    FORMAT_NAME, XO_DISC_VERSION, xo_medium(disc->media)->name);
	print_fields(&p, disc, disc_fields, XO_ARRAY_SIZE(disc_fields), ",\n  ");
	put(&p, ",\n  \"timing\": { ");
	print_fields(&p, &disc->timing, timing_fields, XO_ARRAY_SIZE(timing_fields), ", ");
	put(&p, " },\n  \"tracks\": [");
	for (uint32_t i = 0; i < disc->track_count && i < XO_DISC_TRACKS_MAX; i++) {
		put(&p, "%s\n    { ", i ? "," : "");
		print_fields(&p, &disc->track[i], track_fields, XO_ARRAY_SIZE(track_fields), ", ");
		put(&p, " }");
	}
	put(&p, "%s],\n  \"cd_text\": \"", disc->track_count ? "\n  " : "");
	for (uint32_t i = 0; i < disc->cd_text_length && i < XO_DISC_CD_TEXT_MAX; i++)
		put(&p, "%02x", disc->cd_text[i]);
	put(&p, "\"\n}\n");
	return p.at < p.size ? (ssize_t)p.at : -ENOSPC;
}

/* Sets the reason once and yields -EINVAL. */
static int fail(char **error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(char **error, const char *format, ...)
{
	va_list args;

	if (*error)
		return -EINVAL;
	va_start(args, format);
	if (vasprintf(error, format, args) < 0)
		*error = NULL;
	va_end(args);
	return -EINVAL;
}

static int parse_text(void *object, const struct field *f, const json_t *value, char **error)
{
	size_t length = json_string_length(value);

	if (!json_is_string(value) || length >= f->size)
		return fail(error, "%s: not a text of at most %d characters", f->name, f->size - 1);
	memcpy((char *)object + f->offset, json_string_value(value), length);
	return 0;
}

static int parse_name(void *object, const struct field *f, const json_t *value, char **error)
{
	for (size_t i = 0; json_is_string(value) && i < f->max; i++) {
		if (!strcmp(f->names[i], json_string_value(value))) {
			set_integer(object, f, i);
			return 0;
		}
	}
	return fail(error, "%s: not one of the names that it can have", f->name);
}

static int parse_field(void *object, const struct field *f, const json_t *value, char **error)
{
	switch (f->kind) {
	case FIELD_INTEGER:
		if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		    (uint64_t)json_integer_value(value) > f->max)
			return fail(error, "%s: not a number from 0 to %" PRIu64, f->name, f->max);
		set_integer(object, f, (uint64_t)json_integer_value(value));
		return 0;
	case FIELD_BOOLEAN:
		if (!json_is_boolean(value))
			return fail(error, "%s: neither true nor false", f->name);
		set_integer(object, f, json_is_true(value));
		return 0;
	case FIELD_TEXT:
		return parse_text(object, f, value, error);
	default:
		return parse_name(object, f, value, error);
	}
}

static bool is_other_member(const char *key)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(other_members); i++) {
		if (!strcmp(other_members[i], key))
			return true;
	}
	return false;
}

static const struct field *find_field(const struct field *fields, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(fields[i].name, key))
			return &fields[i];
	}
	return NULL;
}

/* Every member known, every required one there. `top`: the object has other members too. */
static int parse_fields(void *object, const struct field *fields, size_t count, json_t *json,
			bool top, char **error)
{
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return fail(error, "not an object where one is expected");
	json_object_foreach (json, key, value) {
		const struct field *f = find_field(fields, count, key);

		if (f && parse_field(object, f, value, error))
			return -EINVAL;
		if (!f && !(top && is_other_member(key)))
			return fail(error, "%.40s: no such member", key);
	}
	for (size_t i = 0; i < count; i++) {
		if (fields[i].required && !json_object_get(json, fields[i].name))
			return fail(error, "%s: missing", fields[i].name);
	}
	return 0;
}

static int parse_tracks(struct xo_disc *disc, json_t *tracks, char **error)
{
	size_t count = json_array_size(tracks);

	if (!tracks)
		return 0;
	if (!json_is_array(tracks) || count > XO_DISC_TRACKS_MAX)
		return fail(error, "tracks: not an array of at most %d", XO_DISC_TRACKS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (parse_fields(&disc->track[i], track_fields, XO_ARRAY_SIZE(track_fields),
				 json_array_get(tracks, i), false, error))
			return -EINVAL;
	}
	disc->track_count = (uint32_t)count;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int parse_cd_text(struct xo_disc *disc, const json_t *value, char **error)
{
	size_t length = json_string_length(value);
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (!text || length % 36 || length > 2 * XO_DISC_CD_TEXT_MAX)
		return fail(error, "cd_text: not packs of 18 bytes in hexadecimal");
	for (size_t i = 0; i < length / 2; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return fail(error, "cd_text: not hexadecimal");
		disc->cd_text[i] = (uint8_t)(high << 4 | low);
	}
	disc->cd_text_length = (uint32_t)(length / 2);
	return 0;
}

static int parse_head(struct xo_disc *disc, json_t *json, char **error)
{
	const json_t *name = json_object_get(json, "format");
	const json_t *version = json_object_get(json, "version");
	const json_t *type = json_object_get(json, "type");
	const struct xo_medium *medium;

	if (!json_is_string(name) || strcmp(json_string_value(name), FORMAT_NAME))
		return fail(error, "format: not \"%s\": not a description of a disc", FORMAT_NAME);
	if (!json_is_integer(version) || json_integer_value(version) != XO_DISC_VERSION)
		return fail(error, "version: not %d, the only one known", XO_DISC_VERSION);
	medium = json_is_string(type) ? xo_medium_by_name(json_string_value(type)) : NULL;
	if (!medium)
		return fail(error, "type: no such medium");
	return xo_disc_make(disc, medium->media, 0);
}

static int parse_disc(struct xo_disc *disc, json_t *json, char **error)
{
	json_t *timing = json_object_get(json, "timing");
	const char *why;

	if (parse_head(disc, json, error) ||
	    parse_fields(disc, disc_fields, XO_ARRAY_SIZE(disc_fields), json, true, error) ||
	    parse_tracks(disc, json_object_get(json, "tracks"), error) ||
	    parse_cd_text(disc, json_object_get(json, "cd_text"), error))
		return -EINVAL;
	if (timing && parse_fields(&disc->timing, timing_fields, XO_ARRAY_SIZE(timing_fields),
				   timing, false, error))
		return -EINVAL;
	if (xo_disc_check(disc, &why))
		return fail(error, "%s", why);
	return 0;
}

int xo_disc_parse(struct xo_disc *disc, const char *json, size_t length, char **error)
{
	json_error_t where;
	json_t *root;
	int r;

	*error = NULL;
	if (length > XO_DISC_JSON_MAX)
		return fail(error, "longer than %d bytes", XO_DISC_JSON_MAX);
	root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return fail(error, "line %d: %s", where.line, where.text);
	r = parse_disc(disc, root, error);
	json_decref(root);
	return r;
}
