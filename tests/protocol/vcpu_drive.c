/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's driver of an emulated drive; see vcpu_drive.h. */
#include "vcpu_drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "lb.h"

#define ABAR 0xf0000000u
#define PORT (ABAR + 0x100)
#define CMD 0xc000u
#define CTL 0xc010u
#define BM 0xc020u
#define LIST 0x10000u
#define FISES 0x11000u
#define TABLE 0x12000u
#define BUFFER 0x100000u
#define TRIES 20000 /* looks at a command that runs; a worker's restart lies between them */

#define STATUS_ERROR 0x01
#define STATUS_DATA 0x08
#define STATUS_BUSY 0x80
#define REASON_TO_HOST 0x02

static struct lb_guest *guest;
static struct lb_vcpu *cpu;
static unsigned int bdf;
static bool ide;

void vcpu_drive_die(const char *what)
{
	fprintf(stderr, "vcpu_drive: %s\n", what);
	exit(1);
}

static uint32_t get(uint64_t address)
{
	uint64_t value;

	if (lb_read(cpu, address, 4, &value))
		vcpu_drive_die("a read is not answered");
	return (uint32_t)value;
}

static void set(uint64_t address, uint32_t value)
{
	if (lb_write(cpu, address, 4, value))
		vcpu_drive_die("a write is not answered");
}

static uint8_t in(uint32_t port)
{
	uint32_t value;

	if (lb_in(cpu, port, 1, &value))
		vcpu_drive_die("an input is not answered");
	return (uint8_t)value;
}

static void out(uint32_t port, unsigned int size, uint32_t value)
{
	if (lb_out(cpu, port, size, value))
		vcpu_drive_die("an output is not answered");
}

static void config(unsigned int reg, unsigned int size, uint32_t value)
{
	if (lb_pci_write(cpu, bdf, reg, size, value))
		vcpu_drive_die("configuration space is not answered");
}

static void ahci_start(void)
{
	config(0x24, 4, ABAR);
	config(4, 2, 6);
	if (get(ABAR + 0x10) != 0x00010301)
		vcpu_drive_die("no AHCI controller");
	set(PORT + 0x00, LIST);
	set(PORT + 0x08, FISES);
	set(PORT + 0x30, 0xffffffff);
	set(PORT + 0x14, 0xffffffff);
	set(PORT + 0x18, 0x16);
	set(PORT + 0x18, 0x17);
	set(ABAR + 0x04, 0x80000002);
}

static bool ahci_command(const uint8_t *cdb, bool write, uint32_t bytes)
{
	uint8_t *table = lb_guest_memory(guest, TABLE, 0x100);
	uint8_t *header = lb_guest_memory(guest, LIST, 32);
	bool failed;
	int i;

	memset(table, 0, 0x100);
	memcpy(table, "\x27\x80\xa0\x01", 4);
	memcpy(table + 0x40, cdb, 12);
	xo_put_le32(table + 0x80, BUFFER);
	xo_put_le32(table + 0x8c, bytes ? bytes - 1 : 0);
	xo_put_le32(header, (bytes ? 0x10025u : 0x25u) | (write ? 0x40u : 0));
	xo_put_le32(header + 8, TABLE);
	set(PORT + 0x38, 1);
	/* A failed command stays in PxCI (AHCI 1.3.1 §6.2.2). */
	for (i = 0; i < TRIES && get(PORT + 0x38) && !(get(PORT + 0x20) & STATUS_ERROR); i++)
		usleep(500);
	if (i == TRIES)
		vcpu_drive_die("a command does not end");
	failed = get(PORT + 0x20) & STATUS_ERROR;
	if (failed) {
		set(PORT + 0x18, 0x16);
		set(PORT + 0x30, 0xffffffff);
		set(PORT + 0x18, 0x17);
	}
	set(PORT + 0x10, 0xffffffff);
	set(ABAR + 0x08, 1);
	return !failed;
}

/* Until the drive is not busy; its status. */
static uint8_t ide_wait(void)
{
	for (int i = 0; i < TRIES; i++) {
		if (!(in(CTL + 2) & STATUS_BUSY))
			return in(CMD + 7);
		usleep(500);
	}
	vcpu_drive_die("a command does not end");
}

static void ide_start(void)
{
	config(0x10, 4, CMD);
	config(0x14, 4, CTL);
	config(0x20, 4, BM);
	config(4, 2, 5);
	/* SRST brings the signature back, whatever was done before (ATA8-ACS 9.2). */
	out(CTL + 2, 1, 0x06);
	out(CTL + 2, 1, 0x02);
	ide_wait();
	if (in(CMD + 5) != 0xeb)
		vcpu_drive_die("no ATAPI drive on the IDE controller");
}

/* A block by `rep insw` or `rep outsw`, the way that the interrupt reason says. */
static void ide_move(uint32_t address, uint32_t block)
{
	if (in(CMD + 2) & REASON_TO_HOST ? lb_ins(cpu, CMD, 2, address, block / 2, false)
					 : lb_outs(cpu, CMD, 2, address, block / 2, false))
		vcpu_drive_die("rep insw or outsw is not answered");
}

/* PIO. A drive that asks for more than the buffer has goes through it again. */
static bool ide_command(const uint8_t *cdb)
{
	uint32_t at = 0;
	uint8_t status;

	out(CMD + 1, 1, 0);
	out(CMD + 4, 1, 0x00);
	out(CMD + 5, 1, 0x20);
	out(CMD + 7, 1, 0xa0);
	for (int i = 0; i < 12; i += 2)
		out(CMD, 2, xo_get_le16(cdb + i));
	while ((status = ide_wait()) & STATUS_DATA) {
		uint32_t block = in(CMD + 4) | (uint32_t)in(CMD + 5) << 8;

		if (!block || block > VCPU_DRIVE_BYTES)
			vcpu_drive_die("a wrong byte count");
		at = at + block > VCPU_DRIVE_BYTES ? 0 : at;
		ide_move(BUFFER + at, block + (block & 1));
		at += block;
	}
	return !(status & STATUS_ERROR);
}

void vcpu_drive_open(uint32_t domid, unsigned int device, const char *bus)
{
	guest = lb_guest_open(domid);
	cpu = lb_vcpu_open(domid, 0);
	bdf = device << 3;
	ide = !strcmp(bus, "ide");
	if (!guest || !cpu)
		vcpu_drive_die("cannot open the domain");
	if (ide)
		ide_start();
	else
		ahci_start();
}

void vcpu_drive_close(void)
{
	lb_vcpu_close(cpu);
	lb_guest_close(guest);
}

uint8_t *vcpu_drive_buffer(void)
{
	return lb_guest_memory(guest, BUFFER, VCPU_DRIVE_BYTES);
}

bool vcpu_drive_command(const uint8_t cdb[12], bool write, uint32_t bytes)
{
	return ide ? ide_command(cdb) : ahci_command(cdb, write, bytes);
}

void vcpu_drive_ready(void)
{
	const uint8_t test_unit_ready[12] = { 0 };

	for (int i = 0; i < 200; i++) {
		if (vcpu_drive_command(test_unit_ready, false, 0))
			return;
		usleep(10000);
	}
	vcpu_drive_die("the drive does not become ready");
}
