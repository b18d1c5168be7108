/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drive for register-level tests: takes commands and answers when the test
 * says so. Read data are a pattern, written data are kept.
 */
#ifndef XO_TESTS_FAKE_DRIVE_H
#define XO_TESTS_FAKE_DRIVE_H

#include "model/packet.h"

#define FAKE_BUFFER (128u << 10)
#define FAKE_HANDLES 4
#define FAKE_WRITTEN (4u << 20)

struct fake_drive {
	bool used[FAKE_HANDLES]; /* by the device or by the drive */
	bool with_drive[FAKE_HANDLES];
	bool dropped[FAKE_HANDLES]; /* the device lost interest */
	uint8_t cdb[FAKE_HANDLES][XO_CDB_MAX];
	uint8_t direction[FAKE_HANDLES];
	uint32_t length[FAKE_HANDLES];
	unsigned int commands; /* that reached the drive */
	uint32_t written_bytes;
	/* Last, because these two are large: fake_drive_init() leaves them as they are. */
	uint8_t buffers[FAKE_HANDLES][FAKE_BUFFER]; /* zeros when a command gets one */
	uint8_t written[FAKE_WRITTEN];
};

void fake_drive_init(struct fake_drive *fake, struct xo_packet_drive *drive);
/* Byte `at` of block `lba`, as every read has it. */
uint8_t fake_pattern(uint32_t lba, uint32_t at);
/* The handle of the oldest command that waits for an answer, or -1. */
int fake_pending(const struct fake_drive *fake);
/* Answers it: GOOD, or a CHECK CONDITION with `kcq`; `residual` bytes short. */
void fake_answer(struct fake_drive *fake, struct xo_packet *packet, uint32_t kcq,
		 uint32_t residual);
/* Answers whatever comes with GOOD until nothing waits. */
void fake_run(struct fake_drive *fake, struct xo_packet *packet);

#endif
