// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations that go on after the command that started them was answered
 * (IMMED): their work is done at once, what takes time is only the answer
 * "not ready yet", with progress, until the modelled end.
 */
#include "virtual.h"

#define NS_PER_MS 1000000u

void vb_start(struct vb *vb, enum vb_operation operation, uint32_t ms)
{
	if (!ms)
		return;
	vb->s->operation = (uint8_t)operation;
	vb->s->operation_start = vb_now();
	vb->s->operation_end = vb->s->operation_start + (uint64_t)ms * NS_PER_MS;
}

bool vb_busy(struct vb *vb)
{
	if (vb->s->operation == VB_IDLE)
		return false;
	if (vb_now() < vb->s->operation_end)
		return true;
	vb->s->operation = VB_IDLE;
	return false;
}

/* MMC-6 4.1.8, table 9: which not-ready code says what. */
uint32_t vb_busy_sense(struct vb *vb)
{
	static const uint32_t codes[] = {
		[VB_IDLE] = XO_SENSE_NOT_READY,
		[VB_SYNC] = XO_SENSE_LONG_WRITE_IN_PROGRESS,
		[VB_CLOSE] = XO_SENSE_OPERATION_IN_PROGRESS,
		[VB_FORMAT] = XO_SENSE_FORMAT_IN_PROGRESS,
		[VB_BLANK] = XO_SENSE_OPERATION_IN_PROGRESS,
		[VB_LOAD] = XO_SENSE_BECOMING_READY,
	};
	const struct vb_state *s = vb->s;
	uint64_t all = s->operation_end - s->operation_start;
	uint64_t done = vb_now() - s->operation_start;

	vb->sense.has_progress = s->operation != VB_LOAD;
	if (all)
		vb->sense.progress = (uint16_t)(XO_MIN(done, all) * 65535u / all);
	return codes[s->operation < XO_ARRAY_SIZE(codes) ? s->operation : VB_IDLE];
}
