/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver for the IDE controller at its registers: what the tests of it have in common. */
#ifndef XO_TESTS_IDE_DRIVER_H
#define XO_TESTS_IDE_DRIVER_H

#include "rig_board.h"

enum {
	CMD = 0xc000, /* where the tests put BAR 0, 1 and 4 */
	CTL = 0xc010,
	BM = 0xc020,
	DATA = CMD,
	ERR = CMD + 1,
	COUNT = CMD + 2,
	LOW = CMD + 3,
	MID = CMD + 4,
	HIGH = CMD + 5,
	DEV = CMD + 6,
	STATUS = CMD + 7,
	ALT = CTL + 2,
	NIEN = 2,
	SRST = 4,
	TABLE = 0x200000, /* physical region descriptors */
	BUFFER = 0x300000,
	BM_READ = 9,
	BM_WRITE = 1,
};

/* For cmocka: a board whose controller lies where the tests want it, or nowhere yet. */
int setup(void **state);
int setup_unplaced(void **state);

uint8_t in(struct board *b, uint16_t port);
void out(struct board *b, uint16_t port, uint8_t value);
/* PACKET with its 12 bytes; a `limit` of PIO blocks, or 0 for DMA. */
void packet(struct board *b, const uint8_t cdb[12], uint16_t limit);
void region(struct board *b, unsigned int index, uint32_t address, uint32_t word);
void start_dma(struct board *b, uint8_t command);
void read10(uint8_t cdb[12], uint32_t lba, uint16_t blocks);
/* The device works: IDENTIFY PACKET DEVICE by PIO gives a valid checksum, and a read gives its data. */
void assert_alive(struct board *b);

#endif
