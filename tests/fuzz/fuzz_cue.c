/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cue sheets: the input is one; if it is accepted, the session is written as the drive wants it
 * for a while, flushed, and closed.
 */
#include <string.h>

#include "base/bytes.h"
#include "burner_rig.h"
#include "mmc/cdb.h"

#define WRITES_MAX 40u
#define BLOCKS 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What READ TRACK INFORMATION says of the next writable address. */
static int32_t next_writable(struct rig *rig)
{
	static const uint8_t cdb[10] = { 0x52, 1, 0, 0, 0, 0xff, 0, 0, 48 };

	memset(rig->data, 0, 48);
	rig_run(rig, cdb, sizeof(cdb), XO_DIR_IN, 48);
	return (int32_t)xo_get_be32(rig->data + 12);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t sync[10] = { 0x35 };
	static const uint8_t close_session[10] = { 0x5b, 0, 2 };
	static const uint8_t ready[6] = { 0 };
	uint8_t cdb[10] = { 0x5d };
	struct xo_blocks blocks;
	struct rig rig;
	int32_t lba;

	if (size > RIG_DATA || size < 8)
		return 0;
	rig_open(&rig, XO_MEDIA_CD_R);
	rig_run(&rig, ready, sizeof(ready), XO_DIR_NONE, 0);
	rig_write_parameters(&rig, 0x42, 0x00, 0);
	lba = next_writable(&rig);
	memcpy(rig.data, data, size);
	xo_put_be24(cdb + 6, (uint32_t)size);
	rig_run(&rig, cdb, sizeof(cdb), XO_DIR_OUT, (uint32_t)size);
	xo_blocks_init(&blocks);
	blocks.write_type = 2;
	xo_blocks_note(&blocks, cdb, sizeof(cdb), data, size);
	for (unsigned int i = 0; i < WRITES_MAX; i++) {
		uint8_t write[10] = { 0x2a };
		uint32_t length = xo_blocks_write_size(&blocks, lba) * BLOCKS;

		xo_put_be32(write + 2, (uint32_t)lba);
		xo_put_be16(write + 7, BLOCKS);
		if (rig_run(&rig, write, sizeof(write), XO_DIR_OUT, XO_MIN(length, RIG_DATA)) == 0)
			lba += (int32_t)BLOCKS;
	}
	rig_run(&rig, sync, sizeof(sync), XO_DIR_NONE, 0);
	rig_run(&rig, close_session, sizeof(close_session), XO_DIR_NONE, 0);
	rig_close(&rig);
	return 0;
}
