/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CDBs, parameter lists and sense data as a guest or a drive may make them, against what mmc
 * promises of every one of them. Input: length of the CDB, flags, four bytes of buffer length, the
 * CDB, then what is taken for a parameter list and for sense data.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "mmc/cdb.h"
#include "mmc/policy.h"
#include "mmc/sense.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PARTS_MAX 4096

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_transfer(const struct xo_transfer *xfer, const struct xo_guest_buffer *buffer)
{
	require((xfer->length == 0) == (xfer->dir == XO_DIR_NONE));
	if (!buffer)
		return;
	require(xfer->length <= buffer->length);
	require(xfer->length == 0 || xfer->dir == buffer->dir);
	require(!xfer->mismatch || xfer->length == 0);
}

/* The parts lie one behind the other and are the whole. */
static void check_split(const uint8_t *cdb, size_t len, const struct xo_transfer *xfer,
			const struct xo_cdb_context *ctx, uint32_t max)
{
	struct xo_part part = { .last = false };
	struct xo_split split;
	uint32_t offset = 0;
	int r = xo_cdb_split(&split, cdb, len, xfer, max);

	require(r != 0 || xfer->length <= max);
	if (r < 0)
		return;
	for (unsigned i = 0; i < PARTS_MAX && xo_cdb_split_next(&split, &part); i++) {
		const struct xo_guest_buffer buffer = { xfer->dir, part.length };
		const struct xo_cdb_context part_ctx = { ctx->blocks, &buffer };
		struct xo_transfer again;

		require(part.offset == offset && part.length <= max);
		require(xo_opcode_find(part.cdb, len) == xo_opcode_find(cdb, len));
		require(xo_cdb_transfer(part.cdb, len, &part_ctx, &again) == 0);
		require(again.length == part.length && again.dir == xfer->dir);
		require(r == 0 || !again.exact || again.cdb_length == part.length);
		offset += part.length;
		require(part.last == (offset == xfer->length));
	}
	require(!part.last || offset == xfer->length);
}

/* More permission never forbids, and mode=ro never permits. */
static void check_policy(const uint8_t *cdb, size_t len, uint32_t permit)
{
	const struct xo_policy some = { .permit = permit }, all = { .permit = UINT32_MAX };
	const struct xo_policy ro = { .permit = permit, .read_only = true };
	struct xo_refusal why;

	if (xo_policy_judge(&ro, cdb, len, &why) == XO_ALLOW) {
		require(xo_policy_judge(&some, cdb, len, &why) == XO_ALLOW);
		require(!xo_cdb_writes(cdb, len));
	}
	if (xo_policy_judge(&some, cdb, len, &why) == XO_ALLOW)
		require(xo_policy_judge(&all, cdb, len, &why) == XO_ALLOW);
	else
		require(why.sense.key == XO_KEY_ILLEGAL_REQUEST && why.reason);
	require((xo_policy_judge(&all, cdb, len, &why) == XO_REFUSE) == !!xo_cdb_check(cdb, len));
}

static void check_format(const uint8_t *cdb, size_t len)
{
	char text[256], small[24];
	int n = xo_cdb_format(text, sizeof(text), cdb, len);

	require(n > 0 && (size_t)n < sizeof(text) && strlen(text) == (size_t)n);
	require(xo_cdb_format(small, sizeof(small), cdb, len) == n);
	require(strlen(small) == XO_MIN((size_t)n, sizeof(small) - 1));
	require(memcmp(small, text, strlen(small)) == 0);
}

static bool same_sense(const struct xo_sense *a, const struct xo_sense *b)
{
	return xo_sense_kcq(a) == xo_sense_kcq(b) && a->deferred == b->deferred &&
	       a->ili == b->ili && a->has_information == b->has_information &&
	       a->information == b->information && a->has_progress == b->has_progress &&
	       a->progress == b->progress && a->has_field == b->has_field && a->field == b->field &&
	       a->field_in_cdb == b->field_in_cdb && a->has_bit == b->has_bit && a->bit == b->bit;
}

/* What was understood can be said again, in either format. */
static void check_sense(const uint8_t *data, size_t size)
{
	struct xo_sense sense, again;
	uint8_t buf[64];
	char text[300];

	if (xo_sense_parse(data, size, &sense))
		return;
	require(xo_sense_text(&sense, text, sizeof(text)) > 0);
	for (int descriptor = 0; descriptor < 2; descriptor++) {
		size_t len = xo_sense_build(&sense, descriptor, buf, sizeof(buf));

		require(xo_sense_parse(buf, len, &again) == 0);
		if (descriptor || sense.information <= UINT32_MAX)
			require(same_sense(&sense, &again));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xo_guest_buffer buffer;
	struct xo_cdb_context ctx;
	struct xo_transfer xfer;
	struct xo_blocks blocks;
	uint8_t *cdb;
	uint32_t arg;
	size_t len;

	if (size < 6)
		return 0;
	len = XO_MIN((size_t)data[0], XO_MIN(size - 6, (size_t)XO_CDB_MAX + 1));
	arg = xo_get_be32(data + 2);
	buffer.dir = (enum xo_direction)(data[1] % 3);
	buffer.length = buffer.dir == XO_DIR_NONE ? 0 : arg;
	cdb = malloc(len + 1); /* of its own, so that a byte too far is seen */
	if (!cdb)
		return 0;
	memcpy(cdb, data + 6, len);
	xo_blocks_init(&blocks);
	ctx.blocks = data[1] & 0x10 ? &blocks : NULL;
	ctx.buffer = data[1] & 0x20 ? NULL : &buffer;

	/* The list may belong to this CDB or, as a page 05h or a cue sheet, to one before it. */
	xo_blocks_note(&blocks, cdb, len, data + 6 + len, size - 6 - len);
	if (xo_cdb_transfer(cdb, len, &ctx, &xfer) == 0) {
		check_transfer(&xfer, ctx.buffer);
		check_split(cdb, len, &xfer, &ctx, data[1] & 0x40 ? 4096 : 131072);
	} else {
		require(xfer.length == 0 && xo_cdb_check(cdb, len));
	}
	check_policy(cdb, len, arg);
	check_format(cdb, len);
	check_sense(data + 6, size - 6);
	free(cdb);
	return 0;
}
