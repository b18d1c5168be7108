/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl's stored JSON, whatever it holds, to the options of each device: the first byte says the guest's type. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xl_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

/* It goes into JSON and into xenstore: whole characters, none of them a control character. */
static void check_text(const char *text)
{
	size_t more = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		require(c >= ' ' && c != 0x7f);
		require((more > 0) == ((c & 0xc0) == 0x80));
		if (more)
			more--;
		else if (c >= 0xc0)
			more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	}
	require(!more);
}

static void check_line(const struct xo_line *line, int hvm)
{
	char error[XO_LINES_ERROR_MAX];

	require(memchr(line->error, '\0', sizeof(line->error)) != NULL);
	check_text(line->error);
	if (line->error[0])
		return;
	/* What has no error can be made: its options are whole, and its bus is one of the ring's. */
	require(!xo_options_check(&line->options, error, sizeof(error)));
	require(line->options.bus == XO_BUS_VSCSI || line->options.bus == XO_BUS_VCD);
	require(line->options.second_bus == XO_BUS_DEFAULT);
	require(!hvm || line->options.bus != XO_BUS_DEFAULT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xo_lines lines;
	char error[256] = "";
	char *copy;
	int hvm;

	if (!size)
		return 0;
	hvm = data[0] & 1;
	size--;
	copy = malloc(size ? size : 1); /* no byte behind it */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size);
	if (xo_lines_parse(copy, size, hvm, &lines, error, sizeof(error))) {
		require(error[0]);
		require(lines.count == 0);
		check_text(error);
	}
	require(lines.count <= XO_LINES_ITEMS_MAX);
	for (size_t i = 0; i < lines.count; i++)
		check_line(&lines.items[i], hvm);
	free(copy);
	return 0;
}
