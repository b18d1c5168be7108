// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's drive as the subcommands use it. */
#include "drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "mmc/opcode.h"

#define CONNECT_SECONDS 30
#define DEVICES_MAX 32
#define ATTENTIONS 5
#define READY_SECONDS 60

/* ---- which device ---- */

/* The one that was named, or the only device there is: its number is one of either class. */
static int choose(const struct guest_options *options, struct xo_front_device *device)
{
	struct xo_front_device devices[DEVICES_MAX];
	char *error;
	int n;

	n = xo_front_list(devices, DEVICES_MAX, &error);
	if (n < 0) {
		guest_say("%s", error ? error : strerror(-n));
		free(error);
		return EXIT_NO_DEVICE;
	}
	if (n == 0) {
		guest_say("this guest has no optical drive (nothing under device/vscsi or "
			  "device/vcd)");
		return EXIT_NO_DEVICE;
	}
	for (int i = 0; i < n && options->device_given; i++) {
		if (devices[i].devid != options->devid)
			continue;
		*device = devices[i];
		return EXIT_OK;
	}
	if (options->device_given) {
		guest_say("device %u: no such device in this guest; `xenoptic-guest info` lists "
			  "what there is",
			  options->devid);
		return EXIT_NO_DEVICE;
	}
	if (n > 1) {
		guest_say("this guest has %d devices: choose one with --device "
			  "(`xenoptic-guest info` lists them)",
			  n);
		return EXIT_USAGE;
	}
	*device = devices[0];
	return EXIT_OK;
}

/* The one that was named, or the first that is ready; NULL: none. */
static const struct xo_front_unit *wanted(const struct drive *drive,
					  const struct guest_options *options, unsigned int *index)
{
	const struct xo_front_unit *units;
	unsigned int count;

	units = xo_front_units(drive->front, &count);
	for (unsigned int i = 0; i < count; i++) {
		if (options->unit_given ? units[i].number != options->unit : !units[i].ready)
			continue;
		*index = i;
		return &units[i];
	}
	return NULL;
}

bool drive_find_again(struct drive *drive, const struct guest_options *options)
{
	const struct xo_front_unit *unit = wanted(drive, options, &drive->unit);

	return unit && unit->ready;
}

static int find_unit(struct drive *drive, const struct guest_options *options)
{
	const struct xo_front_unit *unit = wanted(drive, options, &drive->unit);

	if (unit && unit->ready)
		return EXIT_OK;
	if (unit) {
		guest_say("unit dev-%u: %s", unit->number, unit->error);
		return EXIT_NO_DEVICE;
	}
	guest_say("the device has no unit dev-%u", options->unit);
	return EXIT_NO_DEVICE;
}

int drive_open(struct drive *drive, const struct guest_options *options, unsigned int slots,
	       uint32_t slot_size)
{
	struct xo_front_options front_options = {
		.slots = slots,
		.slot_size = slot_size,
		.reconnect = drive->reconnect,
		.event = drive->event,
		.priv = drive,
	};
	struct xo_front_device device;
	char *error;
	int r;

	r = choose(options, &device);
	if (r != EXIT_OK)
		return r;
	front_options.type = device.type;
	front_options.devid = device.devid;
	if (drive->large && strcmp(device.type, "vcd") == 0)
		front_options.slot_size = XO_FRONT_SLOT_SIZE_MAX;
	r = xo_front_new(&drive->front, &front_options, &error);
	if (r < 0) {
		guest_say("%s", error ? error : strerror(-r));
		free(error);
		return EXIT_NO_DEVICE;
	}
	r = xo_front_wait(drive->front, CONNECT_SECONDS);
	if (r < 0) {
		guest_say("%s", xo_front_error(drive->front));
		drive_close(drive);
		return EXIT_NO_DEVICE;
	}
	r = find_unit(drive, options);
	drive->command = r == EXIT_OK ? xo_front_take(drive->front) : NULL;
	if (r != EXIT_OK)
		drive_close(drive);
	return r;
}

void drive_close(struct drive *drive)
{
	xo_front_give(drive->command);
	xo_front_free(drive->front);
	*drive = (struct drive){ 0 };
}

/* ---- outcomes ---- */

void outcome_of(const struct xo_front_command *command, struct outcome *outcome)
{
	*outcome = (struct outcome){
		.status = command->status,
		.transport = command->transport,
		.sense_length = command->sense_length,
		.residual = command->residual,
		.good = command->transport == XO_TRANSPORT_OK && command->status == XO_STATUS_GOOD,
	};
	memcpy(outcome->raw_sense, command->sense, command->sense_length);
	if (command->transport == XO_TRANSPORT_OK)
		(void)xo_sense_parse(command->sense, command->sense_length, &outcome->sense);
}

static const char *transport_text(uint8_t transport)
{
	switch (transport) {
	case XO_TRANSPORT_NO_CONNECT:
		return "there is no drive (any more)";
	case XO_TRANSPORT_BUSY:
		return "the drive is busy with another command, or lent to somebody else";
	case XO_TRANSPORT_TIMEOUT:
		return "no answer in time";
	case XO_TRANSPORT_ABORTED:
		return "given up before it reached the drive";
	case XO_TRANSPORT_RESET:
		return "ended by a reset";
	default:
		return "the backend could not carry it out";
	}
}

const char *outcome_text(const struct outcome *outcome, char text[OUTCOME_TEXT])
{
	if (outcome->transport != XO_TRANSPORT_OK)
		(void)snprintf(text, OUTCOME_TEXT, "%s", transport_text(outcome->transport));
	else if (outcome->status == XO_STATUS_CHECK_CONDITION)
		(void)xo_sense_text(&outcome->sense, text, OUTCOME_TEXT);
	else
		(void)snprintf(text, OUTCOME_TEXT, "status %02xh", outcome->status);
	return text;
}

void outcome_say(const char *what, const struct outcome *outcome)
{
	char text[OUTCOME_TEXT];

	guest_say("%s: %s", what, outcome_text(outcome, text));
}

/* ---- commands ---- */

int drive_run(struct drive *drive, const struct packet *packet, struct outcome *outcome)
{
	struct xo_front_command *command = drive->command;
	int r;

	memcpy(command->cdb, packet->cdb, sizeof(command->cdb));
	command->cdb_length = packet->cdb_length;
	command->direction = packet->length ? packet->direction : XO_DIR_NONE;
	command->length = packet->length;
	command->timeout = packet->timeout;
	command->unit = drive->unit;
	if (command->direction == XO_DIR_OUT)
		memcpy(command->data, packet->data, packet->length);
	r = xo_front_run(command);
	if (r < 0) {
		if (xo_front_error(drive->front)[0])
			guest_say("%s", xo_front_error(drive->front));
		else
			guest_say("%s: %s", xo_opcode_find(packet->cdb, packet->cdb_length)->name,
				  strerror(-r));
		return r;
	}
	outcome_of(command, outcome);
	if (command->direction == XO_DIR_IN && packet->data &&
	    outcome->transport == XO_TRANSPORT_OK)
		memcpy(packet->data, command->data, packet->length - outcome->residual);
	return 0;
}

int drive_try(struct drive *drive, const struct packet *packet, struct outcome *outcome)
{
	*outcome = (struct outcome){ 0 };
	for (int i = 0; i < ATTENTIONS; i++) {
		if (drive_run(drive, packet, outcome) < 0)
			return EXIT_FAILED;
		if (outcome->good)
			return EXIT_OK;
		if (outcome->sense.key != XO_KEY_UNIT_ATTENTION)
			break;
	}
	return EXIT_FAILED;
}

int drive_must(struct drive *drive, const struct packet *packet)
{
	struct outcome outcome;
	int r = drive_try(drive, packet, &outcome);

	if (r != EXIT_OK && (outcome.status || outcome.transport))
		outcome_say(xo_opcode_find(packet->cdb, packet->cdb_length)->name, &outcome);
	return r;
}

struct packet packet_none(unsigned int opcode, unsigned int cdb_length)
{
	return (struct packet){ .cdb = { (uint8_t)opcode }, .cdb_length = (uint8_t)cdb_length };
}

struct packet packet_in(unsigned int opcode, unsigned int cdb_length, void *data, uint32_t length)
{
	struct packet packet = packet_none(opcode, cdb_length);

	packet.direction = XO_DIR_IN;
	packet.data = data;
	packet.length = length;
	return packet;
}

struct packet packet_out(unsigned int opcode, unsigned int cdb_length, void *data, uint32_t length)
{
	struct packet packet = packet_in(opcode, cdb_length, data, length);

	packet.direction = XO_DIR_OUT;
	return packet;
}

/* ---- waiting ---- */

static void pause_ms(unsigned int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&time, NULL);
}

int drive_ready(struct drive *drive, bool quiet)
{
	const struct packet packet = packet_none(XO_OP_TEST_UNIT_READY, 6);
	struct outcome outcome = { 0 };

	for (int i = 0; i < READY_SECONDS * 2 && !guest_interrupted(); i++) {
		if (drive_try(drive, &packet, &outcome) == EXIT_OK)
			return EXIT_OK;
		if (outcome.sense.key != XO_KEY_NOT_READY)
			break;
		if (outcome.sense.asc == 0x3a) {
			if (!quiet)
				guest_say("there is no disc in the drive%s",
					  outcome.sense.ascq == 2 ? "; its tray is open" : "");
			return EXIT_MEDIUM;
		}
		if (outcome.sense.asc != 0x04)
			break;
		pause_ms(500);
	}
	if (outcome.status || outcome.transport)
		outcome_say("the drive does not become ready", &outcome);
	return EXIT_FAILED;
}

/* 02/04/xx: an operation goes on. Its progress stands in the sense (SPC-4 4.5.2.4.4). */
static bool in_progress(const struct outcome *outcome)
{
	return outcome->sense.key == XO_KEY_NOT_READY && outcome->sense.asc == 0x04;
}

int drive_finish(struct drive *drive, const char *what,
		 void (*progress)(void *priv, const char *what, unsigned int done), void *priv)
{
	const struct packet packet = packet_none(XO_OP_TEST_UNIT_READY, 6);
	unsigned int wait = 20; /* ms; most operations of a virtual drive end at once */
	struct outcome outcome;

	while (drive_try(drive, &packet, &outcome) != EXIT_OK) {
		if (!in_progress(&outcome)) {
			if (outcome.status || outcome.transport)
				outcome_say(what, &outcome);
			return EXIT_FAILED;
		}
		if (progress && outcome.sense.has_progress)
			progress(priv, what, outcome.sense.progress);
		pause_ms(wait);
		wait = XO_MIN(wait * 2, 500);
	}
	return EXIT_OK;
}
