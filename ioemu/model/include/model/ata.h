/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ATA side of an ATAPI device (ATA8-ACS, PACKET feature set): status and
 * error bits, signature, IDENTIFY PACKET DEVICE, SET FEATURES. Shared by the
 * IDE and AHCI controllers.
 */
#ifndef XO_MODEL_ATA_H
#define XO_MODEL_ATA_H

#include <stdbool.h>
#include <stdint.h>

enum {
	XO_ATA_ST_ERR = 0x01, /* CHK for PACKET */
	XO_ATA_ST_DRQ = 0x08,
	XO_ATA_ST_DSC = 0x10, /* SERV in overlapped use */
	XO_ATA_ST_DF = 0x20,
	XO_ATA_ST_DRDY = 0x40,
	XO_ATA_ST_BSY = 0x80,

	XO_ATA_ER_ABRT = 0x04,

	/* Interrupt reason, in the sector count register. */
	XO_ATA_IR_COD = 0x01,
	XO_ATA_IR_IO = 0x02,

	XO_ATA_CMD_NOP = 0x00,
	XO_ATA_CMD_DEVICE_RESET = 0x08,
	XO_ATA_CMD_DIAGNOSTIC = 0x90,
	XO_ATA_CMD_PACKET = 0xa0,
	XO_ATA_CMD_IDENTIFY_PACKET = 0xa1,
	XO_ATA_CMD_IDLE_IMMEDIATE = 0xe1,
	XO_ATA_CMD_STANDBY_IMMEDIATE = 0xe0,
	XO_ATA_CMD_CHECK_POWER = 0xe5,
	XO_ATA_CMD_SLEEP = 0xe6,
	XO_ATA_CMD_IDENTIFY = 0xec,
	XO_ATA_CMD_SET_FEATURES = 0xef,
};

/* What the device says of itself; from the real drive's INQUIRY, or generic. ASCII, space padded. */
struct xo_ata_identity {
	char model[40];
	char firmware[8];
	char serial[20];
};

/* Flat: survives a restart. */
struct xo_ata_state {
	uint8_t transfer_mode; /* of SET FEATURES 03h: 0x08+ PIO, 0x20+ MW DMA, 0x40+ UDMA */
	uint8_t notification; /* SATA asynchronous notification enabled */
	uint8_t reserved[6];
};

void xo_ata_reset(struct xo_ata_state *state, bool power_on);

/* 512 bytes of IDENTIFY PACKET DEVICE. `sata` selects the words of a SATA device. */
void xo_ata_identify(const struct xo_ata_state *state, const struct xo_ata_identity *identity,
		     bool sata, uint8_t data[512]);

/* SET FEATURES with its Features and Count registers. False: aborted. */
bool xo_ata_set_features(struct xo_ata_state *state, bool sata, uint8_t feature, uint8_t count);

#endif
