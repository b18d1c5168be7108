/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of xenoptic-ring, as base/ring_control.h has it. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/worker.h"
#include "ring_worker.h"

enum {
	OPT_DOMID = 256,
	OPT_DEVID,
	OPT_NAME,
	OPT_TYPE,
	OPT_RING_REF,
	OPT_EVENT_CHANNEL,
	OPT_PROTOCOL,
	OPT_LUN,
	OPT_SG_GRANT,
	OPT_FEATURE,
	OPT_USER,
	OPT_VERBOSE,
};

static const struct option long_options[] = {
	{ "domid", required_argument, NULL, OPT_DOMID },
	{ "devid", required_argument, NULL, OPT_DEVID },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "ring-ref", required_argument, NULL, OPT_RING_REF },
	{ "event-channel", required_argument, NULL, OPT_EVENT_CHANNEL },
	{ "protocol", required_argument, NULL, OPT_PROTOCOL },
	{ "lun", required_argument, NULL, OPT_LUN },
	{ "sg-grant", required_argument, NULL, OPT_SG_GRANT },
	{ "feature", required_argument, NULL, OPT_FEATURE },
	{ "user", required_argument, NULL, OPT_USER },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ NULL, 0, NULL, 0 },
};

/* A decimal number up to `max` that ends at `end`; moves *text behind that. */
static bool take_number(const char **text, char end, unsigned long max, unsigned long *value)
{
	char *after;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*value = strtoul(*text, &after, 10);
	if (errno || *value > max || *after != end)
		return false;
	*text = end ? after + 1 : after;
	return true;
}

static bool take_address(const char **text, char end, uint16_t *channel, uint16_t *id,
			 uint16_t *lun)
{
	unsigned long c, t, l;

	if (!take_number(text, ':', UINT16_MAX, &c) || !take_number(text, ':', UINT16_MAX, &t) ||
	    !take_number(text, end, UINT16_MAX, &l))
		return false;
	*channel = (uint16_t)c;
	*id = (uint16_t)t;
	*lun = (uint16_t)l;
	return true;
}

bool xo_lun_parse(const char *text, uint16_t *channel, uint16_t *id, uint16_t *lun)
{
	return take_address(&text, '\0', channel, id, lun);
}

void xo_lun_text(char text[XO_LUN_TEXT_MAX], uint16_t channel, uint16_t id, uint16_t lun)
{
	snprintf(text, XO_LUN_TEXT_MAX, "%u:%u:%u", channel, id, lun);
}

static bool parse_lun(struct xo_ring_options *options, const char *text)
{
	struct xo_lun_option *lun = &options->luns[options->lun_count];
	unsigned long number, fd, arena, slots, size;

	if (options->lun_count == XO_RING_LUNS_MAX ||
	    !take_address(&text, ',', &lun->channel, &lun->id, &lun->lun) ||
	    !take_number(&text, ',', UINT32_MAX, &number) ||
	    !take_number(&text, ',', INT_MAX, &fd) || !take_number(&text, ',', INT_MAX, &arena) ||
	    !take_number(&text, ',', XO_LINK_SLOTS_MAX, &slots) ||
	    !take_number(&text, '\0', XO_LINK_SLOT_SIZE_MAX, &size))
		return false;
	lun->number = (uint32_t)number;
	lun->fd = (int)fd;
	lun->arena_fd = (int)arena;
	lun->slots = (uint32_t)slots;
	lun->slot_size = (uint32_t)size;
	options->lun_count++;
	return true;
}

/* How many numbers there are, separated by commas; 0: too many, or not that. */
static unsigned int parse_list(const char *text, unsigned long max, uint32_t *values,
			       unsigned int room)
{
	unsigned long value;

	for (unsigned int count = 0; count < room;) {
		const bool more = strchr(text, ',') != NULL;

		if (!take_number(&text, more ? ',' : '\0', max, &value))
			return 0;
		values[count++] = (uint32_t)value;
		if (!more)
			return count;
	}
	return 0;
}

static bool parse_u32(const char *text, unsigned long max, uint32_t *value)
{
	unsigned long v;

	if (!take_number(&text, '\0', max, &v))
		return false;
	*value = (uint32_t)v;
	return true;
}

static bool parse_feature(struct xo_ring_options *options, const char *text)
{
	if (!strcmp(text, "persistent-grants"))
		options->persistent_grants = true;
	else if (!strcmp(text, "media-events"))
		options->media_events = true;
	else
		return false;
	return true;
}

static bool parse_one(struct xo_ring_options *options, int option, const char *text)
{
	uint32_t value = 0;
	bool ok = true;

	switch (option) {
	case OPT_DOMID:
		ok = parse_u32(text, DOMID_FIRST_RESERVED - 1, &value);
		options->domid = (uint16_t)value;
		return ok;
	case OPT_DEVID:
		return parse_u32(text, UINT32_MAX, &options->devid);
	case OPT_NAME:
		options->name = text;
		return true;
	case OPT_TYPE:
		options->vcd = !strcmp(text, "vcd");
		return options->vcd || !strcmp(text, "vscsi");
	case OPT_RING_REF:
		options->pages = parse_list(text, UINT32_MAX, options->refs, XO_RING_PAGES_MAX);
		return options->pages && options->pages != 3;
	case OPT_EVENT_CHANNEL:
		options->channels = parse_list(text, INT_MAX, options->ports, XO_RING_CHANNELS_MAX);
		return options->channels;
	case OPT_PROTOCOL:
		/* The requests of vscsiif.h look the same in both. */
		return !strcmp(text, "x86_64-abi") || !strcmp(text, "x86_32-abi");
	case OPT_LUN:
		return parse_lun(options, text);
	case OPT_SG_GRANT:
		ok = parse_u32(text, XO_RING_SG_GRANT, &value);
		options->sg_grant = value;
		return ok;
	case OPT_FEATURE:
		return parse_feature(options, text);
	case OPT_USER:
		options->user = text;
		return true;
	case OPT_VERBOSE:
		options->verbose = true;
		return true;
	default:
		return false;
	}
}

int xo_ring_options_parse(struct xo_ring_options *options, int argc, char **argv,
			  const char **error)
{
	unsigned int seen = 0;
	int option;
	int index;

	*options = (struct xo_ring_options){ .name = "?", .user = XO_WORKER_USER };
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (option == '?' || !parse_one(options, option, optarg)) {
			*error = option == '?' ? argv[optind - 1] : long_options[index].name;
			return -EINVAL;
		}
		seen |= 1u << (option - OPT_DOMID);
	}
	for (option = OPT_DOMID; option <= OPT_PROTOCOL; option++) {
		if (seen & 1u << (option - OPT_DOMID))
			continue;
		*error = long_options[option - OPT_DOMID].name;
		return -EINVAL;
	}
	*error = optind < argc ? argv[optind] : NULL;
	return *error ? -EINVAL : 0;
}
