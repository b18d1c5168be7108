// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The drive as a device: identity, readiness, sense, tray and lock, events.
 */
#include <string.h>

#include "virtual.h"

#define VENDOR "XENOPTIC" /* 8 characters */
#define PRODUCT "VIRTUAL BURNER  " /* 16 */
#define REVISION "1.00" /* 4 */
#define SERIAL "XOVB00000001"

#define INQUIRY_LENGTH 64 /* with three version descriptors */

uint32_t vb_test_unit_ready(struct vb *vb)
{
	(void)vb;
	return 0; /* the dispatcher has judged it */
}

/*
 * Sense travels with each command's status, so there is none left to fetch,
 * except what REQUEST SENSE finds now (SPC-4 6.39): a unit attention, an
 * operation in progress, an empty drive.
 */
static uint32_t present_condition(struct vb *vb)
{
	struct vb_state *s = vb->s;

	if (s->attention & VB_UA_RESET) {
		s->attention &= (uint8_t)~VB_UA_RESET;
		return XO_SENSE_POWER_ON_OR_RESET;
	}
	if (s->tray_open)
		return XO_SENSE_NO_MEDIUM_TRAY_OPEN;
	if (s->disc.media == XO_MEDIA_NONE)
		return XO_SENSE_NO_MEDIUM_TRAY_CLOSED;
	if (s->attention & VB_UA_MEDIUM && !(s->attention & VB_UA_NO_MEDIUM)) {
		s->attention &= (uint8_t)~VB_UA_MEDIUM;
		return XO_SENSE_MEDIUM_CHANGED;
	}
	return vb_busy(vb) ? vb_busy_sense(vb) : XO_SENSE_NONE;
}

uint32_t vb_request_sense(struct vb *vb)
{
	uint8_t data[XO_SENSE_FIXED_LEN];
	uint32_t kcq = present_condition(vb);
	struct xo_sense sense = vb->sense;
	size_t length;

	sense.key = (uint8_t)(kcq >> 16);
	sense.asc = (uint8_t)(kcq >> 8);
	sense.ascq = (uint8_t)kcq;
	length = xo_sense_build(&sense, false, data, sizeof(data));
	vb_reply(vb, data, length, vb->command->cdb[4]);
	return 0;
}

/* Vital product data (SPC-4 7.8): supported pages, serial number, identification. */
static uint32_t inquiry_vpd(struct vb *vb, uint32_t allocation)
{
	static const uint8_t pages[] = { 0x00, 0x80, 0x83 };
	uint8_t data[64] = { 0x05, vb->command->cdb[2] };
	size_t n = 0;

	switch (vb->command->cdb[2]) {
	case 0x00:
		n = sizeof(pages);
		memcpy(data + 4, pages, n);
		break;
	case 0x80:
		n = strlen(SERIAL);
		memcpy(data + 4, SERIAL, n);
		break;
	case 0x83: /* one designator: T10 vendor identification, of the logical unit */
		n = 4 + strlen(VENDOR PRODUCT SERIAL);
		data[4] = 0x02; /* ASCII */
		data[5] = 0x01;
		data[7] = (uint8_t)(n - 4);
		memcpy(data + 8, VENDOR PRODUCT SERIAL, n - 4);
		break;
	default:
		return vb_bad_cdb(vb, 2, -1);
	}
	xo_put_be16(data + 2, (unsigned int)n);
	vb_reply(vb, data, n + 4, allocation);
	return 0;
}

uint32_t vb_inquiry(struct vb *vb)
{
	static const uint16_t versions[] = {
		0x0080, /* SAM-4 */
		0x0460, /* SPC-4 */
		0x04e0, /* MMC-6 */
	};
	const uint8_t *cdb = vb->command->cdb;
	uint32_t allocation = xo_get_be16(cdb + 3);
	uint8_t data[INQUIRY_LENGTH] = { 0x05, 0x80, 0x06, 0x02, INQUIRY_LENGTH - 5 };

	if (cdb[1] & 1)
		return inquiry_vpd(vb, allocation);
	if (cdb[2])
		return vb_bad_cdb(vb, 2, -1);
	memcpy(data + 8, VENDOR PRODUCT REVISION, 28);
	for (size_t i = 0; i < XO_ARRAY_SIZE(versions); i++)
		xo_put_be16(data + 58 + 2 * i, versions[i]);
	vb_reply(vb, data, sizeof(data), allocation);
	return 0;
}

static void load_tray(struct vb *vb)
{
	struct vb_state *s = vb->s;

	if (!s->tray_open)
		return;
	s->tray_open = false;
	if (s->disc.media == XO_MEDIA_NONE)
		return;
	s->attention |= VB_UA_MEDIUM;
	s->media_event = VB_EVENT_NEW_MEDIA;
	s->operational_event = true;
	vb_start(vb, VB_LOAD, s->disc.timing.load);
}

static uint32_t eject_tray(struct vb *vb)
{
	struct vb_state *s = vb->s;

	if (s->prevented)
		return XO_SENSE_MEDIUM_REMOVAL_PREVENTED;
	if (s->tray_open)
		return 0;
	if (s->sao.active && s->sao.begun)
		return XO_SENSE_COMMAND_SEQUENCE;
	s->tray_open = true;
	if (s->disc.media == XO_MEDIA_NONE)
		return 0;
	if (s->unsynced && vb_file_flush(vb))
		return XO_SENSE_WRITE_ERROR;
	vb_sao_drop(vb);
	s->test_active = false;
	s->attention &= (uint8_t) ~(VB_UA_MEDIUM | VB_UA_NO_MEDIUM);
	s->media_event = VB_EVENT_MEDIA_REMOVAL;
	s->operational_event = true;
	vb_changed(vb);
	return 0;
}

uint32_t vb_start_stop_unit(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;

	if (cdb[4] & 0xf0) /* POWER CONDITION: the drive has but one; IDLE and STANDBY are wishes */
		return (cdb[4] >> 4) == 0x5 ? XO_SENSE_INVALID_FIELD_IN_CDB : 0;
	if (cdb[4] & 0x04) /* FL: format-layer jump, of hybrid discs only */
		return vb_bad_cdb(vb, 4, 2);
	switch (cdb[4] & 0x03) {
	case 0x02:
		return eject_tray(vb);
	case 0x03:
		load_tray(vb);
		return 0;
	default: /* spinning up and down is nothing here */
		return 0;
	}
}

/* MMC-6 6.14. Persistent Prevent would outlive its client: the drive does not have it. */
uint32_t vb_prevent_allow(struct vb *vb)
{
	uint8_t prevent = vb->command->cdb[4] & 0x03;

	if (prevent & 0x02)
		return vb_bad_cdb(vb, 4, 1);
	vb->s->prevented = prevent & 1;
	return 0;
}

static uint8_t next_media_event(struct vb_state *s)
{
	/* Removal first: what came after it shows in the next answer. */
	static const struct {
		uint8_t bit;
		uint8_t code;
	} events[] = {
		{ VB_EVENT_MEDIA_REMOVAL, 3 },
		{ VB_EVENT_NEW_MEDIA, 2 },
		{ VB_EVENT_EJECT_REQUEST, 1 },
	};

	for (size_t i = 0; i < XO_ARRAY_SIZE(events); i++) {
		if (s->media_event & events[i].bit) {
			s->media_event &= (uint8_t)~events[i].bit;
			return events[i].code;
		}
	}
	return 0;
}

#define SUPPORTED_CLASSES                                                    \
	(1 << XO_EVENT_OPERATIONAL_CHANGE | 1 << XO_EVENT_POWER_MANAGEMENT | \
	 1 << XO_EVENT_EXTERNAL_REQUEST | 1 << XO_EVENT_MEDIA | 1 << XO_EVENT_DEVICE_BUSY)

static bool event_waits(struct vb *vb, unsigned int class)
{
	switch (class) {
	case XO_EVENT_OPERATIONAL_CHANGE:
		return vb->s->operational_event;
	case XO_EVENT_MEDIA:
		return vb->s->media_event != 0;
	default:
		return false;
	}
}

/* The requested class with an event, or the first one requested (MMC-6 6.6.2.4). */
static unsigned int choose_class(struct vb *vb, unsigned int requested)
{
	for (unsigned int class = 0; class < 8; class ++) {
		if (requested & 1u << class && event_waits(vb, class))
			return class;
	}
	return requested ? (unsigned int)__builtin_ctz(requested) : 0;
}

static void device_busy_event(struct vb *vb, uint8_t *event)
{
	uint64_t left;

	if (!vb_busy(vb))
		return;
	left = (vb->s->operation_end - vb_now()) / 100000000u; /* 100 ms */
	event[0] = 1;
	event[1] = 1;
	xo_put_be16(event + 2, (unsigned int)XO_MIN(left + 1, (uint64_t)UINT16_MAX));
}

static void fill_event(struct vb *vb, unsigned int class, uint8_t *event)
{
	struct vb_state *s = vb->s;

	switch (class) {
	case XO_EVENT_OPERATIONAL_CHANGE:
		event[0] = s->operational_event ? 2 : 0; /* the features changed */

		event[3] = s->operational_event ? 1 : 0;
		s->operational_event = false;
		break;
	case XO_EVENT_POWER_MANAGEMENT:
		event[1] = 1; /* active */
		break;
	case XO_EVENT_MEDIA:
		event[0] = next_media_event(s);
		event[1] = (uint8_t)((s->disc.media != XO_MEDIA_NONE && !s->tray_open ? 2 : 0) |
				     (s->tray_open ? 1 : 0));
		break;
	case XO_EVENT_DEVICE_BUSY:
		device_busy_event(vb, event);
		break;
	default:
		break;
	}
}

uint32_t vb_get_event_status(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	uint32_t allocation = xo_get_be16(cdb + 7);
	unsigned int requested = cdb[4] & SUPPORTED_CLASSES;
	uint8_t data[8] = { 0, 2, 0x80, SUPPORTED_CLASSES };
	unsigned int class;

	if (!(cdb[1] & 1)) /* asynchronous: only queued commands could wait for an event */
		return vb_bad_cdb(vb, 1, 0);
	if (!requested) {
		vb_reply(vb, data, 4, allocation); /* NEA: none of these classes */
		return 0;
	}
	class = choose_class(vb, requested);
	data[1] = 6;
	data[2] = (uint8_t) class;
	if (allocation > 4) /* with less, only the classes are asked for, and events stay */
		fill_event(vb, class, data + 4);
	vb_reply(vb, data, sizeof(data), allocation);
	return 0;
}

uint32_t vb_mechanism_status(struct vb *vb)
{
	uint8_t data[8] = { 0 };

	if (vb->s->tray_open)
		data[1] = 0x10; /* door open */
	vb_reply(vb, data, sizeof(data), xo_get_be16(vb->command->cdb + 8));
	return 0;
}
