/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MODE SELECT parameter lists. Input: a byte (low bit: the six-byte command; the rest: which
 * medium), then the list. The pages must stay such that they can be sent back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "burner_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All pages but the capabilities are sent back as they are: that must always be possible. */
static void send_back(struct rig *rig)
{
	static const uint8_t pages[] = { 0x01, 0x05, 0x08, 0x0d, 0x0e, 0x1a, 0x1d };

	for (size_t i = 0; i < sizeof(pages); i++) {
		uint8_t sense[10] = { 0x5a, 0, pages[i], 0, 0, 0, 0, 0, 255 };
		uint8_t select[10] = { 0x55, 0x10 };
		uint32_t length;

		if (rig_run(rig, sense, sizeof(sense), XO_DIR_IN, 255))
			abort();
		length = 255 - rig->command.residual;
		xo_put_be16(rig->data, 0);
		xo_put_be16(select + 7, length);
		if (rig_run(rig, select, sizeof(select), XO_DIR_OUT, length))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t media[] = { XO_MEDIA_CD_R, XO_MEDIA_DVD_PLUS_R, XO_MEDIA_BD_R };
	static const uint8_t ready[6] = { 0 };
	uint8_t cdb[10] = { 0x55, 0x10 };
	bool six = size && data[0] & 1;
	struct rig rig;

	if (!size || size - 1 > (six ? 255 : 65535))
		return 0;
	rig_open(&rig, media[(data[0] >> 1) % sizeof(media)]);
	rig_run(&rig, ready, sizeof(ready), XO_DIR_NONE, 0);
	size--;
	memcpy(rig.data, data + 1, size);
	cdb[0] = six ? 0x15 : 0x55;
	if (six)
		cdb[4] = (uint8_t)size;
	else
		xo_put_be16(cdb + 7, (unsigned int)size);
	rig_run(&rig, cdb, six ? 6 : 10, size ? XO_DIR_OUT : XO_DIR_NONE, (uint32_t)size);
	send_back(&rig);
	rig_close(&rig);
	return 0;
}
