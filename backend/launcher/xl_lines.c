/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From libxl's JSON to the options of each device. */
#include "xl_lines.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define OPTICAL_TEXT_MAX 1023u

static struct xo_line *item_new(struct xo_lines *config)
{
	if (config->count == XO_LINES_ITEMS_MAX)
		return NULL;
	config->items[config->count] = (struct xo_line){ .error = "" };
	return &config->items[config->count++];
}

static void refuse(struct xo_lines *config, const struct xo_options *options, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));

static void refuse(struct xo_lines *config, const struct xo_options *options, const char *format,
		   ...)
{
	struct xo_line *item = item_new(config);
	va_list args;

	if (!item)
		return;
	if (options)
		item->options = *options;
	else
		xo_options_init(&item->options);
	va_start(args, format);
	vsnprintf(item->error, sizeof(item->error), format, args);
	va_end(args);
	xo_text_clean(item->error);
}

/* The options on one of their buses. */
static void add_bus(struct xo_lines *config, const struct xo_options *options, enum xo_bus bus,
		    bool hvm)
{
	struct xo_line *item;

	if (xo_bus_emulated(bus)) {
		if (!hvm)
			refuse(config, options,
			       "-optical: bus=%s: only HVM guests have emulated controllers; use "
			       "bus=vscsi or bus=vcd",
			       xo_bus_name(bus));
		return;
	}
	item = item_new(config);
	if (!item)
		return;
	item->options = *options;
	item->options.bus = bus;
	item->options.second_bus = XO_BUS_DEFAULT;
}

static void add_optical(struct xo_lines *config, const json_t *value, bool hvm)
{
	const char *text = json_string_value(value);
	struct xo_options options;
	char error[XO_LINES_ERROR_MAX];

	if (!text) {
		refuse(config, NULL, "-optical: its options are missing: drive=…[,bus=…]");
		return;
	}
	if (json_string_length(value) > OPTICAL_TEXT_MAX) {
		refuse(config, NULL, "-optical: its options have %zu bytes, the most are %u",
		       json_string_length(value), OPTICAL_TEXT_MAX);
		return;
	}
	xo_options_init(&options);
	if (xo_options_parse(&options, text, error, sizeof(error))) {
		xo_text_clean(error);
		refuse(config, &options, "-optical: %s", error);
		return;
	}
	add_bus(config, &options, options.bus ? options.bus : xo_options_default_bus(&options, hvm),
		hvm);
	if (options.second_bus != XO_BUS_DEFAULT)
		add_bus(config, &options, options.second_bus, hvm);
}

/* As the device-model wrapper takes it: with one dash or two. */
static bool is_optical(const json_t *argument)
{
	const char *text = json_string_value(argument);

	return text && (!strcmp(text, "-optical") || !strcmp(text, "--optical"));
}

/* One of the lists of arguments; absent where xl's configuration had none. */
static void add_arguments(struct xo_lines *config, const json_t *list, bool hvm)
{
	size_t count = json_array_size(list);
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_optical(json_array_get(list, i)))
			continue;
		if (found++ == XO_OPTIONS_MAX) {
			refuse(config, NULL, "-optical: given more than %d times", XO_OPTIONS_MAX);
			return;
		}
		add_optical(config, json_array_get(list, ++i), hvm);
	}
}

int xo_lines_parse(const char *text, size_t length, bool hvm, struct xo_lines *config, char *error,
		   size_t size)
{
	json_error_t where;
	const json_t *build;
	json_t *json;

	config->count = 0;
	if (length > XO_LINES_JSON_MAX) {
		snprintf(error, size, "%zu bytes, the most are %u", length, XO_LINES_JSON_MAX);
		return -E2BIG;
	}
	if (length && !text[length - 1])
		length--; /* libxl stores the terminator of its string, too */
	json = json_loadb(text, length, 0, &where);
	if (!json) {
		snprintf(error, size, "line %d: %s", where.line, where.text);
		xo_text_clean(error); /* it quotes what it could not read, cut off wherever */
		return -EINVAL;
	}
	build = json_object_get(json, "b_info");
	if (!json_is_object(build)) {
		snprintf(error, size, "no object b_info");
		json_decref(json);
		return -EINVAL;
	}
	/* xl.cfg(5): device_model_args, and those for one type of guest. */
	add_arguments(config, json_object_get(build, "extra"), hvm);
	add_arguments(config, json_object_get(build, hvm ? "extra_hvm" : "extra_pv"), hvm);
	json_decref(json);
	return 0;
}
