/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver for the AHCI controller at its registers: what the tests of it have in common. */
#ifndef XO_TESTS_AHCI_DRIVER_H
#define XO_TESTS_AHCI_DRIVER_H

#include "rig_board.h"

enum {
	GHC = 0x04,
	IS = 0x08,
	P = 0x100,
	CLB = P + 0x00,
	CLBU = P + 0x04,
	FB = P + 0x08,
	PIS = P + 0x10,
	PIE = P + 0x14,
	CMD = P + 0x18,
	TFD = P + 0x20,
	SIG = P + 0x24,
	SSTS = P + 0x28,
	SCTL = P + 0x2c,
	SERR = P + 0x30,
	CI = P + 0x38,
	SNTF = P + 0x3c,
	ST = 1,
	FRE = 0x10,
	DHRS = 1,
	PSS = 2,
	SDBS = 8,
	HBFS = 1 << 29,
	TFES = 1 << 30,
	LIST = 0x200000,
	FISES = 0x201000,
	TABLES = 0x210000, /* 64 KiB a slot */
	BUFFER = 0x800000,
};
#define ABAR 0xf2000000u

/* For cmocka: a board whose port runs, or whose controller lies nowhere yet. */
int setup(void **state);
int setup_unplaced(void **state);

uint32_t get(struct board *b, uint32_t reg);
void set(struct board *b, uint32_t reg, uint32_t value);
void start_port(struct board *b);
uint32_t table_of(unsigned int slot);
void region(struct board *b, unsigned int slot, unsigned int index, uint64_t address,
	    uint32_t bytes);
/* A command in a slot: header, FIS and packet; `regions` were or will be set. */
void prepare(struct board *b, unsigned int slot, uint8_t command, uint8_t feature,
	     const uint8_t *cdb, unsigned int regions, uint16_t flags);
void read10(uint8_t cdb[12], uint32_t lba, uint16_t blocks);
/* The drive answers whatever waits. */
void run(struct board *b);
void assert_pattern(struct board *b, uint32_t address, uint32_t lba, uint32_t bytes);
void clear_causes(struct board *b);
/* After a reset of the port the device identifies itself and reads. */
void assert_alive(struct board *b);

#endif
