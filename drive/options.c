/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argv of xenoptic-drive. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/worker.h"

static const char usage[] =
	"Usage: xenoptic-drive --name NAME BOTTOM [OPTION…]\n"
	"The process of one optical drive. xenopticd starts it, with descriptors 3 (control) and "
	"4\n"
	"(ledger).\n"
	"\n"
	"  --name NAME          of the drive, for messages\n"
	"  BOTTOM is one of:\n"
	"  --device FD          a block device that takes SG_IO, or\n"
	"  --unplugged          the same, when it comes back; with\n"
	"    --path PATH        its path, for messages\n"
	"  --max-transfer BYTES what its host adapter takes in one command\n"
	"  --max-segments N     and in how many pieces\n"
	"  --burner             a virtual burner\n"
	"  --mode rw|ro         ro: nothing may be written\n"
	"  --user USER          to become (default " XO_WORKER_USER ")\n"
	"  --allow NAME         permit what is refused by default (may be repeated)\n"
	"  --trace              a line per command, at log level 7\n"
	"  --trace-fd FD        a line per command to FD\n"
	"  --speed KBPS         no faster than that many 1000 bytes a second\n"
	"  --buffer KIB         and a write buffer of that size, whose state \"query\" tells\n"
	"  --delay OP=MS[,…]    commands take that long; OP: two hex digits, or \"all\"\n"
	"  --fault SPEC[,…]     errors at seeded commands: SEED:PERMILLE:KIND[:OP]\n"
	"  --poll-ms MS         interval of the poll for media events (default 2000; 0: none)\n"
	"  --log LEVEL          3 (errors) to 7 (debug)\n"
	"  --ledger-size        print the size of the ledger's region and end\n"
	"  --help\n";

enum option_code {
	OPT_NAME = 1,
	OPT_DEVICE,
	OPT_UNPLUGGED,
	OPT_PATH,
	OPT_MAX_TRANSFER,
	OPT_MAX_SEGMENTS,
	OPT_BURNER,
	OPT_MODE,
	OPT_USER,
	OPT_ALLOW,
	OPT_TRACE,
	OPT_TRACE_FD,
	OPT_SPEED,
	OPT_BUFFER,
	OPT_DELAY,
	OPT_FAULT,
	OPT_POLL_MS,
	OPT_LOG,
	OPT_LEDGER_SIZE,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "unplugged", no_argument, NULL, OPT_UNPLUGGED },
	{ "path", required_argument, NULL, OPT_PATH },
	{ "max-transfer", required_argument, NULL, OPT_MAX_TRANSFER },
	{ "max-segments", required_argument, NULL, OPT_MAX_SEGMENTS },
	{ "burner", no_argument, NULL, OPT_BURNER },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "user", required_argument, NULL, OPT_USER },
	{ "allow", required_argument, NULL, OPT_ALLOW },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "trace-fd", required_argument, NULL, OPT_TRACE_FD },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "delay", required_argument, NULL, OPT_DELAY },
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "poll-ms", required_argument, NULL, OPT_POLL_MS },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "ledger-size", no_argument, NULL, OPT_LEDGER_SIZE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int number(const char *what, const char *text, unsigned long min, unsigned long max,
		  uint32_t *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || n < min || n > max) {
		fprintf(stderr, "xenoptic-drive: --%s: \"%s\" is not a number from %lu to %lu\n",
			what, text, min, max);
		return -EINVAL;
	}
	*value = (uint32_t)n;
	return 0;
}

static int descriptor(const char *what, const char *text, int *fd)
{
	uint32_t n = 0;
	int r = number(what, text, XO_FD_FIRST, INT_MAX, &n);

	if (!r)
		*fd = (int)n;
	return r;
}

static int mode(struct xo_policy *policy, const char *text)
{
	policy->read_only = strcmp(text, "ro") == 0;
	if (policy->read_only || strcmp(text, "rw") == 0)
		return 0;
	fprintf(stderr, "xenoptic-drive: --mode: \"%s\" is neither rw nor ro\n", text);
	return -EINVAL;
}

static int allow(struct xo_policy *policy, const char *text)
{
	const char *bad;
	size_t length;
	uint32_t permit = 0;
	int r = xo_permission_parse(text, &permit, &bad, &length);

	policy->permit |= permit;
	if (r)
		fprintf(stderr, "xenoptic-drive: --allow: there is no permission \"%.*s\"\n",
			(int)length, bad);
	return r;
}

static int take_number(struct xo_drive_options *options, int option, const char *text)
{
	const struct {
		int option;
		const char *name;
		unsigned long min;
		unsigned long max;
		uint32_t *to;
	} numbers[] = {
		{ OPT_MAX_TRANSFER, "max-transfer", 512, UINT32_MAX, &options->max_transfer },
		{ OPT_MAX_SEGMENTS, "max-segments", 1, UINT32_MAX, &options->max_segments },
		{ OPT_SPEED, "speed", 1, UINT32_MAX, &options->speed },
		{ OPT_BUFFER, "buffer", 1, 65536, &options->buffer },
		{ OPT_POLL_MS, "poll-ms", 0, 3600000, &options->poll_ms },
		{ OPT_LOG, "log", XO_LOG_ERROR, XO_LOG_DEBUG, &options->log_level },
	};

	for (size_t i = 0; i < XO_ARRAY_SIZE(numbers); i++)
		if (numbers[i].option == option)
			return number(numbers[i].name, text, numbers[i].min, numbers[i].max,
				      numbers[i].to);
	return -EINVAL;
}

/* 1: done, the process ends well. */
static int take(struct xo_drive_options *options, int option, const char *text)
{
	switch (option) {
	case OPT_NAME:
		options->name = text;
		return 0;
	case OPT_DEVICE:
		return descriptor("device", text, &options->device_fd);
	case OPT_UNPLUGGED:
		options->unplugged = true;
		return 0;
	case OPT_PATH:
		options->path = text;
		return 0;
	case OPT_BURNER:
		options->burner = true;
		return 0;
	case OPT_MODE:
		return mode(&options->policy, text);
	case OPT_USER:
		options->user = text;
		return 0;
	case OPT_ALLOW:
		return allow(&options->policy, text);
	case OPT_TRACE:
		options->trace = true;
		return 0;
	case OPT_TRACE_FD:
		options->trace = true;
		return descriptor("trace-fd", text, &options->trace_fd);
	case OPT_DELAY:
		options->delay = text;
		return 0;
	case OPT_FAULT:
		options->fault = text;
		return 0;
	case OPT_LEDGER_SIZE:
		printf("%u\n", XO_DRIVE_REGION_SIZE);
		return 1;
	case OPT_HELP:
		fputs(usage, stdout);
		return 1;
	case '?':
		return -EINVAL;
	default:
		return take_number(options, option, text);
	}
}

static int check(const struct xo_drive_options *options, int left)
{
	const char *wrong = NULL;

	if (left)
		wrong = "takes no arguments but options";
	else if (!options->name)
		wrong = "--name is missing";
	else if (options->burner + options->unplugged + (options->device_fd >= 0) != 1)
		wrong = "one of --device, --unplugged and --burner";
	else if (!options->burner && !options->path)
		wrong = "--device and --unplugged need --path";
	else if (options->buffer && !options->speed)
		wrong = "--buffer needs --speed";
	if (wrong)
		fprintf(stderr, "xenoptic-drive: %s (see --help)\n", wrong);
	return wrong ? -EINVAL : 0;
}

int xo_drive_options_parse(struct xo_drive_options *options, int argc, char **argv)
{
	*options = (struct xo_drive_options){
		.user = XO_WORKER_USER,
		.device_fd = -1,
		.trace_fd = -1,
		.poll_ms = 2000,
		.log_level = XO_LOG_INFO,
	};
	for (;;) {
		int option = getopt_long(argc, argv, "", long_options, NULL);
		int r;

		if (option < 0)
			return check(options, argc - optind);
		r = take(options, option, optarg);
		if (r)
			return r;
	}
}
