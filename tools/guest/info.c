// SPDX-License-Identifier: GPL-2.0-or-later
/* xenoptic-guest info: the devices, and the drive and disc behind one of them. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disc.h"
#include "mmc/profile.h"

#define DEVICES_MAX 32

/* What there is to say about a connected device. */
struct report {
	bool connected, ready;
	struct drive_facts drive;
	struct disc_facts disc;
};

/* Connecting is not worth an error for a device that the kernel or somebody else uses. */
static void look(const struct guest_options *options, unsigned int devid, struct report *report)
{
	struct guest_options one = *options;
	struct drive drive = { 0 };

	one.device_given = true;
	one.devid = devid;
	*report = (struct report){ 0 };
	if (drive_open(&drive, &one, 1, 65536) != EXIT_OK)
		return;
	report->connected = read_drive_facts(&drive, &report->drive) == EXIT_OK;
	report->ready = report->connected && drive_ready(&drive, true) == EXIT_OK &&
			read_disc_facts(&drive, &report->disc) == EXIT_OK;
	drive_close(&drive);
}

static json_t *disc_json(const struct report *report)
{
	const struct disc_facts *disc = &report->disc;

	return json_pack("{s:s, s:s, s:b, s:i, s:i, s:I, s:I}", "profile",
			 xo_profile_name(report->drive.profile), "status",
			 disc_status_text(disc->status), "erasable", disc->erasable, "sessions",
			 (int)disc->sessions, "last-track", (int)disc->last_track, "blocks",
			 (json_int_t)disc->capacity, "free-blocks",
			 (json_int_t)(disc->nwa_valid ? disc->free_blocks : 0));
}

static json_t *device_json(const struct xo_front_device *device, const struct report *report)
{
	json_t *object =
		json_pack("{s:s, s:i, s:i, s:s, s:s, s:b, s:s}", "type", device->type, "device",
			  (int)device->devid, "backend-domain", (int)device->backend_id,
			  "backend-state", xo_front_state_name(device->backend_state), "drive",
			  device->drive, "kernel-driver", device->kernel, "error", device->error);

	if (object && report->connected) {
		json_object_set_new(object, "vendor", json_string(report->drive.vendor));
		json_object_set_new(object, "product", json_string(report->drive.product));
		json_object_set_new(object, "revision", json_string(report->drive.revision));
		json_object_set_new(object, "disc",
				    report->ready ? disc_json(report) : json_null());
	}
	return object;
}

static void print_disc(const struct report *report)
{
	const struct disc_facts *disc = &report->disc;

	printf("  disc      %s, %s%s\n", xo_profile_name(report->drive.profile),
	       disc_status_text(disc->status), disc->erasable ? ", erasable" : "");
	if (disc->status != 0)
		printf("  contents  %u session%s, %u track%s, %.1f MB readable\n", disc->sessions,
		       disc->sessions == 1 ? "" : "s", disc->last_track,
		       disc->last_track == 1 ? "" : "s", disc->capacity * (double)BLOCK_SIZE / 1e6);
	if (disc->nwa_valid)
		printf("  free      %.1f MB\n", disc->free_blocks * (double)BLOCK_SIZE / 1e6);
}

static void print_device(const struct xo_front_device *device, const struct report *report)
{
	printf("device %u (%s): %s in domain %u, %s\n", device->devid, device->type,
	       device->drive[0] ? device->drive : "no drive", device->backend_id,
	       xo_front_state_name(device->backend_state));
	if (device->error[0])
		printf("  error     %s\n", device->error);
	if (device->kernel)
		printf("  driver    this guest's kernel has it: use its /dev/sr0\n");
	if (!report->connected)
		return;
	printf("  drive     %s %s, revision %s\n", report->drive.vendor, report->drive.product,
	       report->drive.revision);
	if (report->ready)
		print_disc(report);
	else
		printf("  disc      none\n");
}

static int run(const struct guest_options *options, int argc, char *argv[])
{
	static const struct option known[] = { { "list", no_argument, NULL, 'l' }, { 0 } };
	struct xo_front_device devices[DEVICES_MAX];
	struct report report;
	bool list = false, found = false;
	json_t *array = json_array();
	char *error;
	int n, c;

	while ((c = getopt_long(argc, argv, "l", known, NULL)) != -1) {
		if (c != 'l')
			return guest_usage(&guest_info);
		list = true;
	}
	n = xo_front_list(devices, DEVICES_MAX, &error);
	if (n < 0)
		guest_say("%s", error ? error : strerror(-n));
	for (int i = 0; i < n; i++) {
		if (options->device_given && devices[i].devid != options->devid)
			continue;
		found = true;
		report = (struct report){ 0 };
		if (!list && !devices[i].kernel)
			look(options, devices[i].devid, &report);
		if (options->json)
			json_array_append_new(array, device_json(&devices[i], &report));
		else
			print_device(&devices[i], &report);
	}
	if (options->json && n >= 0) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (n >= 0 && !found) {
		guest_say("this guest has no %s (see device/vscsi and device/vcd in xenstore)",
			  options->device_given ? "such device" : "optical drive");
	}
	json_decref(array);
	free(error);
	return found ? EXIT_OK : EXIT_NO_DEVICE;
}

const struct guest_command guest_info = {
	.name = "info",
	.arguments = "[--list]",
	.summary = "the drive, and the disc in it",
	.help = "  -l, --list  only what xenstore says; connects to nothing\n",
	.run = run,
};
