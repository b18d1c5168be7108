/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the stack of a drive from its options: bottom first, then the filters over it. */
#include "stack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "drive.h"
#include "drive/burner.h"

#define PAGE 4096u

/* By the thread that runs the command; the owner takes it when the job is over. */
static void save_description(void *priv, const char *json, size_t length)
{
	struct xo_drive *drive = priv;
	char *copy = malloc(length + 1);

	if (!copy) {
		xo_error("no memory for the description of the disc");
		return;
	}
	memcpy(copy, json, length);
	copy[length] = 0;
	free(drive->description);
	drive->description = copy;
	drive->description_length = length;
}

static void burner_point(void *priv, enum xo_burner_point point)
{
	(void)priv;
	xo_point(point == XO_BURNER_DONE ? XO_POINT_BURNER_DONE : XO_POINT_BURNER_COMMITTED);
}

static void tray(void *priv, bool open)
{
	struct xo_drive *drive = priv;

	drive->tray_moved = true;
	drive->tray_open = open;
}

static int burner_new(struct xo_drive *drive)
{
	struct xo_burner_host host = {
		.priv = drive,
		.save_description = save_description,
		.tray = tray,
		.point = burner_point,
	};
	uint8_t *region = (uint8_t *)drive->ledger.region + XO_RECORD_BURNER;

	if (XO_RECORD_BURNER + xo_burner_region_size() > XO_DRIVE_REGION_SIZE) {
		xo_error("the burner's region does not fit into the ledger");
		return -ENOSPC;
	}
	drive->max_transfer = XO_LINK_SLOT_SIZE_MAX;
	return xo_burner_new(&drive->bottom, region, &host);
}

uint32_t xo_device_limit(int fd, uint32_t max_transfer, uint32_t max_segments)
{
	unsigned short sectors = 0;

	if (!max_transfer && ioctl(fd, BLKSECTGET, &sectors) == 0)
		max_transfer = sectors * 512u;
	/* The arena's pages lie anywhere: a segment each at worst. */
	if (max_segments && max_segments < XO_LINK_SLOT_SIZE_MAX / PAGE)
		max_transfer = XO_MIN(max_transfer ? max_transfer : XO_LINK_SLOT_SIZE_MAX,
				      max_segments * PAGE);
	if (!max_transfer)
		max_transfer = 65536; /* every host takes that */
	return XO_MIN(max_transfer, XO_LINK_SLOT_SIZE_MAX);
}

static int device_new(struct xo_drive *drive)
{
	const struct xo_drive_options *options = drive->options;
	struct xo_device device = { .fd = options->device_fd, .path = options->path };
	int r = options->unplugged ? 0 : xo_passthrough_check(device.fd);

	if (r) {
		xo_error("%s: not a device that takes SG_IO", options->path);
		return r;
	}
	drive->max_transfer =
		xo_device_limit(device.fd, options->max_transfer, options->max_segments);
	return xo_passthrough_new(&drive->bottom, &device);
}

/* SPEC[,SPEC…] */
static int faults_new(struct xo_unit **top, const char *specs)
{
	char one[128];

	while (specs && *specs) {
		size_t length = strcspn(specs, ",");
		int r;

		if (length >= sizeof(one))
			return -EINVAL;
		memcpy(one, specs, length);
		one[length] = 0;
		r = xo_fault_new(top, *top, one);
		if (r) {
			xo_error("--fault: \"%s\" is not SEED:PERMILLE:KIND[:OPCODE]", one);
			return r;
		}
		specs += length + (specs[length] == ',');
	}
	return 0;
}

static int filters_new(struct xo_drive *drive)
{
	const struct xo_drive_options *options = drive->options;
	struct xo_unit **top = &drive->top;
	int r = 0;

	if (options->delay || options->speed) {
		r = xo_delay_new(top, *top, options->delay, options->speed, options->buffer * 1024);
		if (r)
			xo_error("--delay: \"%s\" is not OPCODE=MS[,…]",
				 options->delay ? options->delay : "");
		drive->delay = r ? NULL : *top;
	}
	if (!r)
		r = faults_new(top, options->fault);
	if (!r)
		r = xo_split_new(top, *top, drive->max_transfer, drive->record);
	drive->split = *top;
	if (!r)
		r = xo_handover_new(top, *top, drive->record);
	drive->handover = *top;
	if (!r)
		r = xo_events_new(top, *top, drive->record);
	drive->events = *top;
	if (!r)
		r = xo_attention_new(top, *top, drive->record);
	if (!r)
		r = xo_policy_new(top, *top, &options->policy);
	drive->policy = *top;
	if (!r)
		r = xo_trace_new(top, *top, options->trace, options->trace_fd);
	drive->trace = *top;
	return r;
}

int xo_stack_new(struct xo_drive *drive)
{
	int r = drive->options->burner ? burner_new(drive) : device_new(drive);

	if (r)
		return r;
	drive->top = drive->bottom;
	r = filters_new(drive);
	if (r) {
		xo_unit_free(drive->top);
		drive->top = NULL;
	}
	return r;
}
