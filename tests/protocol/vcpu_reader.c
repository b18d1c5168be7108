/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_reader DOMID DEVICE ahci|ide IMAGE [ROUNDS]: a guest's driver on the loopback's
 * virtual CPU: sets up the controller and reads the disc whole, as often as
 * asked, each time comparing it with IMAGE. Prints "read" after each round.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
#define BLOCKS 8u
#define BYTES (BLOCKS * 2048u)
#define TRIES 20000 /* looks at a command that runs; a worker's restart lies between them */

static struct lb_guest *guest;
static struct lb_vcpu *cpu;
static unsigned int bdf;

static void die(const char *what)
{
	fprintf(stderr, "vcpu_reader: %s\n", what);
	exit(1);
}

static uint32_t get(uint64_t address)
{
	uint64_t value;

	if (lb_read(cpu, address, 4, &value))
		die("a read is not answered");
	return (uint32_t)value;
}

static void set(uint64_t address, uint32_t value)
{
	if (lb_write(cpu, address, 4, value))
		die("a write is not answered");
}

static uint8_t in(uint32_t port)
{
	uint32_t value;

	if (lb_in(cpu, port, 1, &value))
		die("an input is not answered");
	return (uint8_t)value;
}

static void out(uint32_t port, unsigned int size, uint32_t value)
{
	if (lb_out(cpu, port, size, value))
		die("an output is not answered");
}

static void config(unsigned int reg, unsigned int size, uint32_t value)
{
	if (lb_pci_write(cpu, bdf, reg, size, value))
		die("configuration space is not answered");
}

static void ahci_start(void)
{
	config(0x24, 4, ABAR);
	config(4, 2, 6);
	if (get(ABAR + 0x10) != 0x00010301)
		die("no AHCI controller");
	set(PORT + 0x00, LIST);
	set(PORT + 0x08, FISES);
	set(PORT + 0x30, 0xffffffff);
	set(PORT + 0x14, 0xffffffff);
	set(PORT + 0x18, 0x16);
	set(PORT + 0x18, 0x17);
	set(ABAR + 0x04, 0x80000002);
}

/* 0: good; 1: check condition. */
static int ahci_command(const uint8_t *cdb, uint32_t bytes)
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
	xo_put_le32(header, bytes ? 0x10025u : 0x25u);
	xo_put_le32(header + 8, TABLE);
	set(PORT + 0x38, 1);
	/* A failed command stays in PxCI (AHCI 1.3.1 §6.2.2). */
	for (i = 0; i < TRIES && get(PORT + 0x38) && !(get(PORT + 0x20) & 1); i++)
		usleep(500);
	if (i == TRIES)
		die("a command does not end");
	failed = get(PORT + 0x20) & 1;
	if (failed) {
		set(PORT + 0x18, 0x16);
		set(PORT + 0x30, 0xffffffff);
		set(PORT + 0x18, 0x17);
	}
	set(PORT + 0x10, 0xffffffff);
	set(ABAR + 0x08, 1);
	return failed;
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
	for (int i = 0; i < TRIES && in(CTL + 2) & 0x80; i++)
		usleep(500);
	if (in(CMD + 5) != 0xeb)
		die("no ATAPI drive on the IDE controller");
}

static int ide_wait(void)
{
	for (int i = 0; i < TRIES; i++) {
		if (!(in(CTL + 2) & 0x80))
			return in(CMD + 7) & 1;
		usleep(500);
	}
	die("a command does not end");
	return 1;
}

/* PIO by `rep insw`. */
static int ide_command(const uint8_t *cdb, uint32_t bytes)
{
	uint32_t at = 0;

	out(CMD + 1, 1, 0);
	out(CMD + 4, 1, 0x00);
	out(CMD + 5, 1, 0x20);
	out(CMD + 7, 1, 0xa0);
	for (int i = 0; i < 12; i += 2)
		out(CMD, 2, xo_get_le16(cdb + i));
	while (at < bytes) {
		uint32_t block;

		if (ide_wait())
			return 1;
		block = in(CMD + 4) | (uint32_t)in(CMD + 5) << 8;
		if (!block || block > bytes - at)
			die("a wrong byte count");
		if (lb_ins(cpu, CMD, 2, BUFFER + at, block / 2, false))
			die("rep insw is not answered");
		at += block;
	}
	return ide_wait();
}

static int (*command)(const uint8_t *cdb, uint32_t bytes);

/* UNIT ATTENTION and BECOMING READY pass. */
static void wait_ready(void)
{
	const uint8_t test_unit_ready[12] = { 0 };

	for (int i = 0; i < 200; i++) {
		if (!command(test_unit_ready, 0))
			return;
		usleep(10000);
	}
	die("the drive does not become ready");
}

static void read_disc(const uint8_t *image, size_t size)
{
	uint8_t *buffer = lb_guest_memory(guest, BUFFER, BYTES);

	for (size_t at = 0; at < size; at += BYTES) {
		uint32_t bytes = size - at < BYTES ? (uint32_t)(size - at) : BYTES;
		uint8_t cdb[12] = { 0x28 };

		xo_put_be32(cdb + 2, (uint32_t)(at / 2048));
		xo_put_be16(cdb + 7, (uint16_t)(bytes / 2048));
		memset(buffer, 0xa5, BYTES);
		if (command(cdb, bytes))
			die("READ (10) failed");
		if (memcmp(buffer, image + at, bytes) != 0)
			die("the disc reads differently");
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 5 ? atoi(argv[5]) : 1;
	uint8_t *image;
	struct stat st;
	int fd;

	if (argc < 5)
		die("DOMID DEVICE ahci|ide IMAGE [ROUNDS]");
	guest = lb_guest_open((uint32_t)atoi(argv[1]));
	cpu = lb_vcpu_open((uint32_t)atoi(argv[1]), 0);
	bdf = (unsigned int)atoi(argv[2]) << 3;
	fd = open(argv[4], O_RDONLY);
	if (!guest || !cpu || fd < 0 || fstat(fd, &st) < 0)
		die("cannot open the domain or the image");
	image = malloc((size_t)st.st_size);
	if (!image || read(fd, image, (size_t)st.st_size) != st.st_size)
		die("cannot read the image");
	command = strcmp(argv[3], "ide") ? ahci_command : ide_command;
	if (command == ide_command)
		ide_start();
	else
		ahci_start();
	for (int i = 0; i < rounds; i++) {
		wait_ready();
		read_disc(image, (size_t)st.st_size);
		puts("read");
		fflush(stdout);
	}
	free(image);
	close(fd);
	lb_vcpu_close(cpu);
	lb_guest_close(guest);
	return 0;
}
