/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drive behind a kernel that has none: xenoptic-drive is linked with an ioctl()
 * that answers SG_IO out of a shared memfd. What the memfd holds outlives the
 * process, as a drive does, and the test looks into it.
 */
#ifndef XO_TEST_FAKE_SGIO_H
#define XO_TEST_FAKE_SGIO_H

#include <stdint.h>

#define FAKE_SECTORS 4096
#define FAKE_SECTOR_SIZE 2048
#define FAKE_LOG 8192
#define FAKE_SCRIPT 64

/* What happens to the next command with that opcode instead of being carried out. */
struct fake_fate {
	uint32_t armed;
	uint8_t opcode;
	uint8_t status;
	uint16_t host_status;
	uint16_t driver_status;
	uint8_t sense_length;
	uint8_t sense[32];
	int32_t resid;
	int32_t error; /* errno of the ioctl; nothing else is looked at */
	uint32_t carried_out; /* it is carried out all the same */
};

struct fake_logged {
	uint8_t cdb[16];
	uint8_t cdb_length;
	uint8_t direction; /* '-', 'R', 'W' */
	uint32_t length;
	uint32_t timeout; /* ms */
};

struct fake_device {
	uint32_t max_transfer;
	uint32_t gone;
	uint64_t commands; /* carried out, also those with a fate */
	uint64_t writes;
	uint32_t locked;
	uint32_t event; /* media event code that waits */
	uint32_t delay_ms[256];
	uint32_t running;
	uint32_t outlives; /* a process that ends stays until its command has ended */
	uint32_t
		misbehave; /* the next command makes a call that the sandbox must not let through */
	uint32_t disc_status; /* byte 2 of READ DISC INFORMATION */
	uint8_t mode_page_5[16];
	struct fake_fate script[FAKE_SCRIPT];
	uint32_t logged;
	struct fake_logged log[FAKE_LOG];
	uint32_t written[FAKE_SECTORS]; /* how often */
	uint8_t sector[FAKE_SECTORS][FAKE_SECTOR_SIZE];
};

#endif
