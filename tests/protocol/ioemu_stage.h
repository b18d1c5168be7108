/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stage for xenoptic-ioemu itself, on the loopback: the test is its launcher, its drive, the guest's virtual CPU and
 * its drivers of AHCI and IDE.
 */
#ifndef XO_TESTS_IOEMU_STAGE_H
#define XO_TESTS_IOEMU_STAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ioemu_control.h"
#include "base/link.h"
#include "lb.h"

enum {
	DEVICE = 27,
	BDF = DEVICE << 3,
	ABAR = 0xf2000000,
	PORT = ABAR + 0x100,
	LIST = 0x200000,
	FISES = 0x201000,
	TABLE = 0x202000,
	BUFFER = 0x300000,
	CMD = 0xc200,
	CTL = 0xc210,
	BM = 0xc220,
	BLOCKS = 16,
	BYTES = BLOCKS * 2048,
};

struct worker {
	const char *bus;
	const char *identity;
	const char *interrupt;
	const char *dirty_pages; /* of a successor; NULL: "logged" */
	bool dma; /* on IDE: by the bus master, not by PIO */
	bool slow; /* the drive leaves what comes on the link */
	int control;
	int passed; /* the descriptor that came with the last message, or -1 */
	int worker_end; /* of the control channel, kept for successors */
	int ledger;
	int client_fd, arena;
	struct xo_link server; /* the drive's end */
	pid_t pid;
	unsigned int starts;
	int signal; /* that ended the last one */
	uint64_t tags[XO_IOEMU_LINK_SLOTS];
	union xo_link_message replies[XO_IOEMU_LINK_SLOTS];
	unsigned int executed;
	uint8_t disc[64 * 2048];
	struct lb_guest *guest;
	struct lb_vcpu *cpu;
};

extern uint32_t guest_domid;
/* A drive instead of the stage's own, which has INQUIRY, and READ and WRITE of `disc`; NULL: that. */
extern void (*stage_execute)(const struct xo_link_request *request, uint8_t *data,
			     struct xo_link_reply *reply);

/* xenoptic-ioemu with a drive on that bus ("ahci", "ide"), started, and shut in. */
struct worker *worker_new(const char *bus);
/* The same with an identity: "drive", as worker_new() has it, or "generic". */
struct worker *worker_new_as(const char *bus, const char *identity);
/* The same, whose interrupts are "intx" or "msi". */
struct worker *worker_new_interrupting(const char *bus, const char *interrupt);
void worker_free(struct worker *w);

/* Starts it, or its successor. */
void worker_start(struct worker *w);
/* Kills it, and starts its successor. */
void worker_restart(struct worker *w);

/* The same with another link, as that of a drive that has come back: an empty arena, and a drive that knows no tags. */
void worker_relink(struct worker *w);

/* The next message of the worker's with that key; owned. */
json_t *await(struct worker *w, const char *key);

/* A command of the launcher's, and its answer. */
void command(struct worker *w, const char *name);

/* One that it refuses, with a descriptor or -1: the error; owned. */
json_t *ask_in_vain(struct worker *w, const char *name, int fd);
/* What was sent to it on the link has been done. */
void settle(struct worker *w);
/* "save", whose descriptor is the caller's, and "load". */
int worker_save(struct worker *w);
void worker_load(struct worker *w, int fd);

/* What has come by the link is carried out on `disc`. */
void drive_serve(struct worker *w);
void drive_notice(struct worker *w, enum xo_notice notice);

/* A virtual CPU's accesses; workers that die meanwhile are started again. */
uint32_t get(struct worker *w, uint64_t address);
void set(struct worker *w, uint64_t address, uint32_t value);
void config(struct worker *w, uint32_t reg, uint32_t size, uint32_t value);
uint8_t in(struct worker *w, uint32_t port);
void out(struct worker *w, uint32_t port, uint32_t size, uint32_t value);
uint64_t finish_access(struct worker *w, struct lb_access access);

/* The guest's memory. */
uint8_t *ram(struct worker *w, uint64_t address, size_t length);

/* Until `ready`. */
void wait_for(struct worker *w, bool (*ready)(struct worker *w));

/* The controllers' drivers. */
void ahci_start(struct worker *w);
void ahci_prepare(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes);
bool ahci_done(struct worker *w);
void ahci_command(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes);
void ahci_acknowledge(struct worker *w);
/* An ATA command without data. */
void ahci_ata(struct worker *w, uint8_t command, uint8_t feature, uint8_t count);
void ide_start(struct worker *w);
bool ide_done(struct worker *w);
/* The packet, not its data. */
void ide_packet(struct worker *w, const uint8_t *cdb, bool dma);
void ide_command(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes);
/* By the bus master: PRDs in TABLE, in pieces that are neither of a page nor in a row. */
void ide_dma_prepare(struct worker *w, uint32_t bytes);
void ide_dma_run(struct worker *w, bool write);
void ide_dma(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes);

/* IDENTIFY PACKET DEVICE on either, after its start. */
void identify(struct worker *w, uint8_t id[512]);

/* READ or WRITE of BLOCKS blocks. */
void block_cdb(uint8_t cdb[12], uint8_t opcode, uint32_t lba);

#endif
