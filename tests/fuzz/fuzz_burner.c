/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any commands in any order to the virtual burner, on each kind of disc, with restarts and
 * exchanges of the disc in between. Input: a byte for the medium, then records: a byte (see
 * below), and for a command its CDB, two bytes of length, and the first data bytes.
 */
#include <string.h>

#include "base/bytes.h"
#include "burner_rig.h"

#define RECORDS_MAX 200u
#define DATA_MAX 512u /* of a command's data that the input brings; the rest repeats it */

/* The first byte of a record: what happens. */
enum { META_RESTART = 0xf8, META_EJECT, META_EJECT_FORCED, META_INSERT, META_RELEASE, META_AGAIN };

static const uint8_t media[] = { XO_MEDIA_CD_R, XO_MEDIA_DVD_PLUS_R, XO_MEDIA_BD_R };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t cdb_length(uint8_t opcode)
{
	static const uint8_t lengths[8] = { 6, 10, 10, 12, 16, 12, 12, 12 };

	return lengths[opcode >> 5];
}

static void fill(struct rig *rig, struct xo_reader *in, uint32_t length, size_t count)
{
	const uint8_t *bytes = xo_read_bytes(in, count);

	memset(rig->data, 0, RIG_DATA);
	if (!bytes || !count)
		return;
	for (uint32_t at = 0; at < length; at += (uint32_t)count)
		memcpy(rig->data + at, bytes, XO_MIN(count, (size_t)(length - at)));
}

/* Direction in the low bits of the record's byte, how many data bytes the input has in the rest. */
static void run_command(struct rig *rig, struct xo_reader *in, uint8_t how)
{
	uint8_t cdb[16] = { 0 };
	uint32_t length;
	size_t n;
	const uint8_t *bytes;

	if (!xo_reader_left(in))
		return;
	n = cdb_length(in->data[in->at]);
	bytes = xo_read_bytes(in, n);
	if (!bytes)
		return;
	memcpy(cdb, bytes, n);
	length = xo_read_be16(in);
	fill(rig, in, length, XO_MIN((size_t)(how >> 2) * 8, (size_t)DATA_MAX));
	rig_run(rig, cdb, n, how & 3, length);
}

static void again(struct rig *rig)
{
	struct xo_command c = rig->command;

	if (rig->id)
		xo_unit_execute(rig->unit, &c); /* the same id: answered, not done */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xo_reader in = xo_reader(data, size);
	uint8_t medium = media[xo_read_u8(&in) % XO_ARRAY_SIZE(media)];
	struct rig rig;

	rig_open(&rig, medium);
	for (unsigned int i = 0; i < RECORDS_MAX && xo_reader_left(&in); i++) {
		uint8_t what = xo_read_u8(&in);

		if (what < META_RESTART)
			run_command(&rig, &in, what);
		else if (what == META_RESTART)
			rig_restart(&rig);
		else if (what == META_EJECT || what == META_EJECT_FORCED)
			xo_burner_eject(rig.unit, what == META_EJECT_FORCED);
		else if (what == META_INSERT && !xo_burner_loaded(rig.unit))
			rig_insert(&rig, media[xo_read_u8(&in) % XO_ARRAY_SIZE(media)]);
		else if (what == META_RELEASE)
			rig.unit->ops->release(rig.unit);
		else if (what == META_AGAIN)
			again(&rig);
	}
	rig_close(&rig);
	return 0;
}
