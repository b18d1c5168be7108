// SPDX-License-Identifier: GPL-2.0-or-later
/* The logical units of a device, as the backend lists them under vscsi-devs. */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static int by_number(const void *a, const void *b)
{
	const struct xo_front_unit *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* "HOST:CHANNEL:TARGET:LUN"; the host is the guest's own business. */
static bool parse_address(const char *text, struct xo_front_unit *unit)
{
	unsigned int host, channel, id, lun;
	char rest;

	if (sscanf(text, "%u:%u:%u:%u%c", &host, &channel, &id, &lun, &rest) != 4 ||
	    channel > UINT16_MAX || id > UINT16_MAX || lun > UINT16_MAX)
		return false;
	unit->channel = (uint16_t)channel;
	unit->id = (uint16_t)id;
	unit->lun = (uint16_t)lun;
	return true;
}

static bool read_unit(struct xo_front *front, const char *name, struct xo_front_unit *unit)
{
	char dir[XO_FRONT_PATH_MAX + 64], address[64];
	unsigned int state;
	char rest;

	memset(unit, 0, sizeof(*unit));
	if (strlen(name) > 16 || sscanf(name, "dev-%u%c", &unit->number, &rest) != 1)
		return false;
	(void)snprintf(dir, sizeof(dir), "%s/vscsi-devs/%s", front->backend, name);
	if (!xo_store_text(front->xs, dir, "v-dev", address, sizeof(address)) ||
	    !parse_address(address, unit))
		return false;
	(void)xo_store_text(front->xs, dir, "p-dev", unit->drive, sizeof(unit->drive));
	(void)xo_store_text(front->xs, dir, "error", unit->error, sizeof(unit->error));
	unit->media_changes = xo_store_number(front->xs, dir, "media-changes", UINT32_MAX, 0);
	unit->eject_requests = xo_store_number(front->xs, dir, "eject-requests", UINT32_MAX, 0);
	state = xo_store_state(front->xs, dir, "state");
	unit->ready = state == XenbusStateInitialised || state == XenbusStateConnected;
	if (!unit->ready && !unit->error[0])
		(void)snprintf(unit->error, sizeof(unit->error), "%s", xo_front_state_name(state));
	return true;
}

void xo_units_read(struct xo_front *front)
{
	char path[XO_FRONT_PATH_MAX + 16];
	unsigned int count = 0;
	char **names;

	front->unit_count = 0;
	(void)snprintf(path, sizeof(path), "%s/vscsi-devs", front->backend);
	names = xs_directory(front->xs, XBT_NULL, path, &count);
	if (!names)
		return;
	for (unsigned int i = 0; i < count && front->unit_count < XO_FRONT_UNITS_MAX; i++)
		if (read_unit(front, names[i], &front->units[front->unit_count]))
			front->unit_count++;
	free(names);
	qsort(front->units, front->unit_count, sizeof(front->units[0]), by_number);
}

static void confirm(struct xo_front *front, const struct xo_front_unit *unit)
{
	char theirs[XO_FRONT_PATH_MAX + 64], ours[XO_FRONT_PATH_MAX + 64];
	unsigned int state, answer;

	(void)snprintf(theirs, sizeof(theirs), "%s/vscsi-devs/dev-%u", front->backend,
		       unit->number);
	(void)snprintf(ours, sizeof(ours), "%s/vscsi-devs/dev-%u", front->path, unit->number);
	state = xo_store_state(front->xs, theirs, "state");
	if (state == XenbusStateInitialised)
		answer = XenbusStateConnected;
	else if (state == XenbusStateClosing)
		answer = XenbusStateClosed;
	else
		return;
	if (xo_store_state(front->xs, ours, "state") != answer)
		(void)xo_store_write_number(front->xs, XBT_NULL, ours, "state", answer);
}

void xo_units_watch(struct xo_front *front, bool on)
{
	char path[XO_FRONT_PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/vscsi-devs", front->backend);
	if (on)
		(void)xs_watch(front->xs, path, "units");
	else
		(void)xs_unwatch(front->xs, path, "units");
}

static const struct xo_front_unit *find_number(const struct xo_front_unit *units,
					       unsigned int count, unsigned int number)
{
	for (unsigned int i = 0; i < count; i++)
		if (units[i].number == number)
			return &units[i];
	return NULL;
}

void xo_units_events(struct xo_front *front)
{
	struct xo_front_unit before[XO_FRONT_UNITS_MAX];
	unsigned int count = front->unit_count;

	memcpy(before, front->units, sizeof(before));
	xo_units_read(front);
	if (!front->media_events)
		return;
	for (unsigned int i = 0; i < front->unit_count; i++) {
		const struct xo_front_unit *unit = &front->units[i];
		const struct xo_front_unit *old = find_number(before, count, unit->number);

		if (old && old->media_changes != unit->media_changes)
			front->options.event(front->options.priv, i, XO_FRONT_MEDIUM_CHANGED);
		if (old && old->eject_requests != unit->eject_requests)
			front->options.event(front->options.priv, i, XO_FRONT_EJECT_REQUESTED);
	}
}

void xo_units_confirm(struct xo_front *front)
{
	xo_units_events(front);
	for (unsigned int i = 0; i < front->unit_count; i++)
		confirm(front, &front->units[i]);
}

const struct xo_front_unit *xo_front_units(const struct xo_front *front, unsigned int *count)
{
	*count = front->unit_count;
	return front->units;
}
