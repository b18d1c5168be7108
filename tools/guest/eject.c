// SPDX-License-Identifier: GPL-2.0-or-later
/* xenoptic-guest eject: the tray. */
#include <getopt.h>
#include <stdio.h>

#include "drive.h"
#include "mmc/opcode.h"

static int run(const struct guest_options *options, int argc, char *argv[])
{
	static const struct option known[] = { { "load", no_argument, NULL, 'l' }, { 0 } };
	struct packet unlock = packet_none(XO_OP_PREVENT_ALLOW, 6);
	struct packet move = packet_none(XO_OP_START_STOP_UNIT, 6);
	struct outcome outcome;
	struct drive drive = { 0 };
	int c, status;

	move.cdb[4] = 0x02; /* LoEj */
	while ((c = getopt_long(argc, argv, "l", known, NULL)) != -1) {
		if (c != 'l')
			return guest_usage(&guest_eject);
		move.cdb[4] = 0x03; /* LoEj, Start */
	}
	if (optind != argc)
		return guest_usage(&guest_eject);
	status = drive_open(&drive, options, 1, 4096);
	if (status != EXIT_OK)
		return status;
	(void)drive_try(&drive, &unlock, &outcome); /* our own lock; a refusal shows in the next */
	status = drive_must(&drive, &move);
	drive_close(&drive);
	return status;
}

const struct guest_command guest_eject = {
	.name = "eject",
	.arguments = "[--load]",
	.summary = "opens the tray, or closes it",
	.help = "  -l, --load  close it\n",
	.run = run,
};
