/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of xenoptic-ioemu, as base/ioemu_control.h has it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/worker.h"
#include "host.h"

enum {
	OPT_DOMID = 256,
	OPT_NAME,
	OPT_BUS,
	OPT_DEVICE,
	OPT_LINK,
	OPT_IDENTITY,
	OPT_INTERRUPT,
	OPT_DIRTY_PAGES,
	OPT_USER,
	OPT_VERBOSE,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "domid", required_argument, NULL, OPT_DOMID },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "bus", required_argument, NULL, OPT_BUS },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "link", required_argument, NULL, OPT_LINK },
	{ "identity", required_argument, NULL, OPT_IDENTITY },
	{ "interrupt", required_argument, NULL, OPT_INTERRUPT },
	{ "dirty-pages", required_argument, NULL, OPT_DIRTY_PAGES },
	{ "user", required_argument, NULL, OPT_USER },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static bool take_number(const char *text, unsigned long min, unsigned long max,
			unsigned long *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return !errno && !*end && *value >= min && *value <= max;
}

/* "FD,ARENA,SLOTS,SIZE" */
static bool take_link(struct xo_ioemu_options *options, const char *text)
{
	unsigned int slots;
	unsigned int size;
	int end = 0;

	if (sscanf(text, "%d,%d,%u,%u%n", &options->link_fd, &options->arena_fd, &slots, &size,
		   &end) != 4 ||
	    text[end])
		return false;
	options->slots = slots;
	options->slot_size = size;
	return options->link_fd >= XO_FD_FIRST && options->arena_fd >= XO_FD_FIRST &&
	       slots >= XO_IOEMU_LINK_SLOTS;
}

static bool take_option(struct xo_ioemu_options *options, int option, const char *text)
{
	unsigned long value;

	switch (option) {
	case OPT_DOMID:
		options->domid = take_number(text, 1, 0x7fef, &value) ? (uint16_t)value : 0;
		return options->domid;
	case OPT_NAME:
		options->name = text;
		return true;
	case OPT_BUS:
		options->bus = !strcmp(text, "ahci")  ? XO_BUS_AHCI
			       : !strcmp(text, "ide") ? XO_BUS_IDE
						      : 0;
		return options->bus;
	case OPT_DEVICE:
		options->device = take_number(text, 1, 31, &value) ? (uint8_t)value : 0;
		return options->device;
	case OPT_LINK:
		return take_link(options, text);
	case OPT_IDENTITY:
		options->generic_identity = !strcmp(text, "generic");
		return options->generic_identity || !strcmp(text, "drive");
	case OPT_INTERRUPT:
		options->msi = !strcmp(text, "msi");
		return options->msi || !strcmp(text, "intx");
	case OPT_DIRTY_PAGES:
		options->dirty_if_logged = !strcmp(text, "logged");
		return options->dirty_if_logged || !strcmp(text, "always");
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

static void print_help(void)
{
	puts("Usage: xenoptic-ioemu --domid D --name TEXT --bus ahci|ide --device N\n"
	     "           --link FD,ARENA,SLOTS,SIZE [--identity drive|generic]\n"
	     "           [--interrupt intx|msi] [--dirty-pages always|logged]\n"
	     "           [--user USER] [--verbose]\n"
	     "An emulated controller with an optical drive for one HVM guest. Started by "
	     "xenopticd.");
}

int xo_ioemu_options_parse(struct xo_ioemu_options *options, int argc, char **argv,
			   const char **error)
{
	int option;

	*options =
		(struct xo_ioemu_options){ .name = "guest", .user = XO_WORKER_USER, .link_fd = -1 };
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			print_help();
			exit(EXIT_SUCCESS);
		}
		if (!take_option(options, option, optarg)) {
			*error = optarg ? optarg : "unknown option";
			return -EINVAL;
		}
	}
	*error = "--domid, --bus, --device and --link are needed";
	if (optind != argc || !options->domid || !options->bus || !options->device ||
	    options->link_fd < 0)
		return -EINVAL;
	return 0;
}
