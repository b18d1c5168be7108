/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's drive as the subcommands use it: one command at a time, results in words. */
#ifndef XO_GUEST_DRIVE_H
#define XO_GUEST_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/frontend.h"
#include "guest.h"
#include "mmc/sense.h"

struct drive {
	struct xo_front *front;
	unsigned int unit; /* index into xo_front_units() */
	struct xo_front_command *command; /* a slot kept for drive_run() */
	bool reconnect; /* set before drive_open(): go on when the backend comes back */
	bool large; /* set before drive_open(): the class vcd may have the largest slots */
	/* set before drive_open(): what a backend of the class vcd tells; `priv` is the drive */
	void (*event)(void *priv, unsigned int unit, enum xo_front_event event);
};

/* What became of a command. */
struct outcome {
	bool good;
	uint8_t status;
	uint8_t transport;
	uint8_t sense_length;
	uint8_t raw_sense[XO_SENSE_MAX];
	struct xo_sense sense; /* zero if there was none */
	uint32_t residual;
};

/* A packet command in the making. */
struct packet {
	uint8_t cdb[XO_CDB_MAX];
	uint8_t cdb_length;
	uint8_t direction; /* enum xo_direction */
	uint32_t length;
	void *data;
	uint32_t timeout; /* s; 0: the table's */
};

/*
 * Connects to the chosen device (or the only one) with `slots` commands in
 * flight and `slot_size` bytes each (0: defaults), and finds the unit. EXIT_OK, or the exit
 * status after a message. `drive` is zero but for what is set before.
 */
int drive_open(struct drive *drive, const struct guest_options *options, unsigned int slots,
	       uint32_t slot_size);
void drive_close(struct drive *drive);

/* Finds the unit again after the device was connected anew. False: it is not there (yet). */
bool drive_find_again(struct drive *drive, const struct guest_options *options);

/* Runs it as it is. 0 when it was tried, -errno after a message when the connection is lost. */
int drive_run(struct drive *drive, const struct packet *packet, struct outcome *outcome);

/* The same for a command that must succeed: tried again after UNIT ATTENTION; 0 or EXIT_FAILED after a message. */
int drive_must(struct drive *drive, const struct packet *packet);
/* The same without a message. */
int drive_try(struct drive *drive, const struct packet *packet, struct outcome *outcome);

/* Fills in an outcome from a completed command. */
void outcome_of(const struct xo_front_command *command, struct outcome *outcome);
/* "Not Ready, Medium not present (02/3a/00)". Returns `text`. */
#define OUTCOME_TEXT 256
const char *outcome_text(const struct outcome *outcome, char text[OUTCOME_TEXT]);
/* Says "WHAT: the outcome in words". */
void outcome_say(const char *what, const struct outcome *outcome);

/*
 * Waits until the drive is ready, up to a minute while it is becoming so.
 * EXIT_OK, EXIT_MEDIUM (no medium: said unless `quiet`), EXIT_FAILED.
 */
int drive_ready(struct drive *drive, bool quiet);

/*
 * Waits for the end of an operation started with IMMED; `progress` is told how
 * far it is (of 65536). EXIT_OK, or EXIT_FAILED after a message that begins with `what`.
 */
int drive_finish(struct drive *drive, const char *what,
		 void (*progress)(void *priv, const char *what, unsigned int done), void *priv);

/* Packets of commands without data. */
struct packet packet_none(unsigned int opcode, unsigned int cdb_length);
struct packet packet_in(unsigned int opcode, unsigned int cdb_length, void *data, uint32_t length);
struct packet packet_out(unsigned int opcode, unsigned int cdb_length, void *data, uint32_t length);

#endif
