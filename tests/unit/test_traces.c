/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle for CDB rules: direction and length computed from each CDB that real burning programs
 * sent (tests/data/traces) agree with the buffer that the program gave.
 */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "mmc/cdb.h"
#include "mmc/sense.h"

/* Commands whose length does not stand in the CDB, with the reason. */
static const struct {
	const char *trace;
	uint8_t opcode;
	const char *reason;
} exceptions[] = {
	{ "peerA-wodim-toc.cdb", 0xe5, "vendor specific: only the guest's buffer tells" },
};

struct line {
	uint8_t cdb[XO_CDB_MAX];
	size_t cdb_len;
	struct xo_guest_buffer buffer;
	unsigned status;
	uint32_t count;
	uint32_t step;
	uint8_t params[512];
	size_t params_len;
};

static size_t unhex(const char *hex, uint8_t *out, size_t size)
{
	size_t len = 0;

	while (len < size && sscanf(hex + 2 * len, "%2" SCNx8, &out[len]) == 1)
		len++;
	return len;
}

static void parse_line(const char *text, struct line *line)
{
	char cdb[2 * XO_CDB_MAX + 1], dir, params[1025] = "";
	int at = 0;

	memset(line, 0, sizeof(*line));
	line->count = 1;
	assert_int_equal(4, sscanf(text, "%32s %c %" SCNu32 " %x%n", cdb, &dir,
				   &line->buffer.length, &line->status, &at));
	if (sscanf(text + at, " x%" SCNu32 " +%" SCNu32, &line->count, &line->step) < 2)
		sscanf(text + at, " %1024s", params);
	line->cdb_len = unhex(cdb, line->cdb, sizeof(line->cdb));
	line->params_len = unhex(params, line->params, sizeof(line->params));
	line->buffer.dir = dir == 'R' ? XO_DIR_IN : dir == 'W' ? XO_DIR_OUT : XO_DIR_NONE;
}

static bool is_exception(const char *trace, const struct line *line)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(exceptions); i++)
		if (!strcmp(exceptions[i].trace, trace) && exceptions[i].opcode == line->cdb[0])
			return true;
	return false;
}

static bool agrees(const struct line *line, const struct xo_transfer *xfer)
{
	return xfer->length == line->buffer.length && xfer->dir == line->buffer.dir &&
	       !xfer->mismatch;
}

static unsigned check_line(const char *trace, struct line *line, struct xo_blocks *blocks)
{
	const struct xo_cdb_context blind = { .blocks = blocks };
	const struct xo_cdb_context seeing = { .blocks = blocks, .buffer = &line->buffer };
	struct xo_transfer xfer;

	for (uint32_t i = 0; i < line->count; i++) {
		char text[160];

		if (line->step)
			xo_put_be32(line->cdb + 2,
				    xo_get_be32(line->cdb + 2) + (i ? line->step : 0));
		xo_cdb_format(text, sizeof(text), line->cdb, line->cdb_len);
		assert_int_equal(0, xo_cdb_transfer(line->cdb, line->cdb_len, &blind, &xfer));
		if (agrees(line, &xfer) == is_exception(trace, line))
			fail_msg("%s: %s: %u bytes, direction %d by the CDB; the program had %u, "
				 "%d",
				 trace, text, xfer.length, (int)xfer.dir, line->buffer.length,
				 (int)line->buffer.dir);
		assert_int_equal(0, xo_cdb_transfer(line->cdb, line->cdb_len, &seeing, &xfer));
		if (!agrees(line, &xfer))
			fail_msg("%s: %s: differs when the buffer is known", trace, text);
	}
	if (line->status == XO_STATUS_GOOD)
		xo_blocks_note(blocks, line->cdb, line->cdb_len, line->params, line->params_len);
	return line->count;
}

static unsigned check_trace(const char *folder, const char *name)
{
	char path[4608], text[4096];
	struct xo_blocks blocks;
	struct line line;
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	assert_non_null(file);
	xo_blocks_init(&blocks);
	while (fgets(text, sizeof(text), file)) {
		parse_line(text, &line);
		count += check_line(name, &line, &blocks);
	}
	fclose(file);
	return count;
}

static void programs_agree(void **state)
{
	unsigned traces = 0, commands = 0;
	struct dirent *entry;
	char folder[4000];
	DIR *dir;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/tests/data/traces",
		 getenv("top_srcdir") ? getenv("top_srcdir") : ".");
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".cdb"))
			continue;
		commands += check_trace(folder, entry->d_name);
		traces++;
	}
	closedir(dir);
	print_message("%u commands of %u traces\n", commands, traces);
	/* The folder as it was imported; fewer would mean that the test sees only a part. */
	assert_true(traces >= 31 && commands >= 8000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
