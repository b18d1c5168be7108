/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scripted drive of the register-level tests; see fake_drive.h. */
#include "fake_drive.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "mmc/sense.h"

static int fake_begin(void *priv)
{
	struct fake_drive *fake = priv;

	for (int i = 0; i < FAKE_HANDLES; i++) {
		if (fake->used[i])
			continue;
		fake->used[i] = true;
		fake->dropped[i] = false;
		memset(fake->buffers[i], 0, FAKE_BUFFER);
		return i;
	}
	return -EBUSY;
}

static uint8_t *fake_buffer(void *priv, int handle)
{
	struct fake_drive *fake = priv;

	return fake->buffers[handle];
}

static void fake_submit(void *priv, int handle, const uint8_t cdb[XO_CDB_MAX], uint8_t cdb_length,
			uint8_t direction, uint32_t length)
{
	struct fake_drive *fake = priv;

	(void)cdb_length;
	memcpy(fake->cdb[handle], cdb, XO_CDB_MAX);
	fake->direction[handle] = direction;
	fake->length[handle] = length;
	if (!fake->with_drive[handle])
		fake->commands++;
	fake->with_drive[handle] = true;
}

static void fake_end(void *priv, int handle)
{
	struct fake_drive *fake = priv;

	if (fake->with_drive[handle])
		fake->dropped[handle] = true;
	else
		fake->used[handle] = false;
}

static const struct xo_packet_drive_ops fake_ops = {
	.begin = fake_begin,
	.buffer = fake_buffer,
	.submit = fake_submit,
	.end = fake_end,
};

void fake_drive_init(struct fake_drive *fake, struct xo_packet_drive *drive)
{
	memset(fake, 0, offsetof(struct fake_drive, buffers));
	*drive = (struct xo_packet_drive){ .ops = &fake_ops,
					   .priv = fake,
					   .buffer_size = FAKE_BUFFER };
}

uint8_t fake_pattern(uint32_t lba, uint32_t at)
{
	return (uint8_t)(lba * 7 + at * 3 + (at >> 8) + 1);
}

int fake_pending(const struct fake_drive *fake)
{
	for (int i = 0; i < FAKE_HANDLES; i++)
		if (fake->with_drive[i])
			return i;
	return -1;
}

static void take_data(struct fake_drive *fake, int handle, uint32_t length)
{
	uint32_t n = XO_MIN(length, FAKE_WRITTEN - fake->written_bytes);

	memcpy(fake->written + fake->written_bytes, fake->buffers[handle], n);
	fake->written_bytes += n;
}

static void give_data(struct fake_drive *fake, int handle, uint32_t length)
{
	uint32_t lba = xo_get_be32(fake->cdb[handle] + 2);

	for (uint32_t i = 0; i < length; i++)
		fake->buffers[handle][i] = fake_pattern(lba + i / 2048, i % 2048);
}

void fake_answer(struct fake_drive *fake, struct xo_packet *packet, uint32_t kcq, uint32_t residual)
{
	int handle = fake_pending(fake);
	struct xo_packet_result result = { .residual = residual };
	uint32_t moved;

	if (handle < 0)
		return;
	moved = fake->length[handle] - XO_MIN(residual, fake->length[handle]);
	if (fake->direction[handle] == XO_DIR_OUT)
		take_data(fake, handle, moved);
	else
		give_data(fake, handle, moved);
	if (kcq) {
		struct xo_sense sense = xo_sense_make(kcq);

		result.status = XO_STATUS_CHECK_CONDITION;
		result.sense_length =
			(uint8_t)xo_sense_build(&sense, false, result.sense, sizeof(result.sense));
	}
	fake->with_drive[handle] = false;
	if (fake->dropped[handle]) {
		fake->used[handle] = false;
		return;
	}
	xo_packet_complete(packet, handle, &result);
}

void fake_run(struct fake_drive *fake, struct xo_packet *packet)
{
	while (fake_pending(fake) >= 0)
		fake_answer(fake, packet, 0, 0);
}
