/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of drives and of guests' devices from the daemon's "list". */
#include "list.h"

#include <stdio.h>
#include <string.h>

static const char *text(const json_t *object, const char *key, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : otherwise;
}

static int number(const json_t *object, const char *key)
{
	return (int)json_integer_value(json_object_get(object, key));
}

/* Who has the drive: "web (3)". */
static void holder(const json_t *lease, char *out, size_t size)
{
	if (!json_object_get(lease, "name"))
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%s (%d)", text(lease, "name", "?"), number(lease, "domid"));
}

/* What it does: "WRITE (10), 12 s" or "-". */
static void doing(const json_t *process, char *out, size_t size)
{
	const json_t *running = json_object_get(process, "running");
	const char *opcode = text(running, "opcode", NULL);

	if (json_is_true(json_object_get(process, "gone")))
		snprintf(out, size, "unplugged");
	else if (opcode)
		snprintf(out, size, "%s, %d s", opcode, number(running, "ms") / 1000);
	else if (json_is_true(json_object_get(process, "write-session")))
		snprintf(out, size, "burning");
	else
		snprintf(out, size, "-");
}

static void print_drive(const json_t *drive)
{
	const json_t *process = json_object_get(drive, "process");
	const json_t *lease = json_object_get(process ? process : drive, "lease");
	const char *state = text(drive, "state", "?");
	char who[64];
	char what[64];

	/* A drive whose last guest has gone is closing; while that guest's command runs in it, that is what counts. */
	if (!strcmp(state, "running") || !strcmp(text(lease, "state", ""), "draining"))
		state = text(lease, "state", state);
	holder(lease, who, sizeof(who));
	doing(process, what, sizeof(what));
	printf("%-24s %-9s %-20s %-8s %s\n", text(drive, "drive", "?"), state, who,
	       text(process, "medium", "-"), what);
	if (text(drive, "disc", NULL))
		printf("  disc %s%s\n", text(drive, "disc", ""),
		       !strcmp(text(process, "medium", ""), "absent") ? ", in the open tray" : "");
}

static void print_device(const json_t *device)
{
	const json_t *units = json_object_get(device, "units");
	const json_t *unit;
	size_t i;

	if (!json_array_size(units))
		printf("%-20s %5d/%-3d %-6s %-13s -\n", text(device, "guest", "?"),
		       number(device, "domid"), number(device, "devid"), text(device, "type", "?"),
		       text(device, "state", "?"));
	json_array_foreach (units, i, unit) {
		printf("%-20s %5d/%-3d %-6s %-13s %-20s %s\n", text(device, "guest", "?"),
		       number(device, "domid"), number(device, "devid"), text(device, "type", "?"),
		       text(device, "state", "?"), text(unit, "drive", "?"),
		       text(unit, "mode", "?"));
		if (text(unit, "error", NULL))
			printf("  error: %s\n", text(unit, "error", ""));
	}
	if (text(device, "error", NULL))
		printf("  error: %s\n", text(device, "error", ""));
}

/* The guest has no such device, nor perhaps a domain. */
static void print_refused(const json_t *refused)
{
	printf("%-20s %5d/%-3s %-6s %-13s %-20s %s\n  error: %s\n", text(refused, "guest", "?"),
	       number(refused, "domid"), "-", text(refused, "type", "-"), "refused",
	       text(refused, "drive", "-"), text(refused, "mode", "-"),
	       text(refused, "error", "?"));
}

void xo_list_print(const json_t *list)
{
	const json_t *item;
	size_t i;

	printf("%-24s %-9s %-20s %-8s %s\n", "DRIVE", "STATE", "GUEST", "MEDIUM", "DOING");
	json_array_foreach (json_object_get(list, "drives"), i, item)
		print_drive(item);
	printf("\n%-20s %-9s %-6s %-13s %-20s %s\n", "GUEST", "DEVICE", "BUS", "STATE", "DRIVE",
	       "MODE");
	json_array_foreach (json_object_get(list, "guests"), i, item)
		print_device(item);
	json_array_foreach (json_object_get(list, "refused"), i, item)
		print_refused(item);
}
