// SPDX-License-Identifier: GPL-2.0-or-later
/* xenoptic-guest: a guest's optical drive without a driver. Options and subcommands. */
#include "guest.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "config.h"

static const struct guest_command *const commands[] = {
	&guest_info, &guest_read, &guest_burn, &guest_blank, &guest_eject, &guest_raw, &guest_exec,
};

static volatile sig_atomic_t interrupted;

void guest_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("xenoptic-guest: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

static void note_signal(int number)
{
	(void)number;
	interrupted = 1;
}

bool guest_interrupted(void)
{
	return interrupted;
}

void guest_catch_signals(void)
{
	const struct sigaction action = { .sa_handler = note_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int guest_usage(const struct guest_command *command)
{
	fprintf(stderr, "usage: xenoptic-guest [--device N[:UNIT]] %s %s\n", command->name,
		command->arguments);
	if (command->help)
		fputs(command->help, stderr);
	return EXIT_USAGE;
}

static void help(FILE *to)
{
	fputs("usage: xenoptic-guest [OPTION]… COMMAND [ARGUMENT]…\n"
	      "Uses the optical drive that this Xen guest was given, without a driver in the "
	      "kernel.\n"
	      "\n"
	      "Commands:\n",
	      to);
	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-6s %-26s %s\n", commands[i]->name, commands[i]->arguments,
			commands[i]->summary);
	fputs("\n"
	      "Options:\n"
	      "  -d, --device N[:UNIT]  device/vscsi/N or device/vcd/N, and its unit dev-UNIT\n"
	      "  -j, --json             machine-readable output\n"
	      "  -h, --help             this text; COMMAND --help: that command's\n"
	      "  -V, --version          the version\n"
	      "\n"
	      "Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 no device or no\n"
	      "connection; 4 no medium, or the wrong one; 130 interrupted. exec: the program's.\n",
	      to);
}

static bool parse_device(const char *text, struct guest_options *options)
{
	char *end;

	options->devid = (unsigned int)strtoul(text, &end, 10);
	if (end == text || text[0] < '0' || text[0] > '9')
		return false;
	options->device_given = true;
	if (*end == ':') {
		text = end + 1;
		options->unit = (unsigned int)strtoul(text, &end, 10);
		options->unit_given = end != text;
	}
	return *end == '\0';
}

static int run(const struct guest_options *options, int argc, char *argv[])
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i]->name, argv[0]) != 0)
			continue;
		if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
			printf("usage: xenoptic-guest [--device N[:UNIT]] %s %s\n%s\n%s",
			       commands[i]->name, commands[i]->arguments, commands[i]->summary,
			       commands[i]->help ? commands[i]->help : "");
			return EXIT_OK;
		}
		optind = 0; /* the subcommand parses anew */
		return commands[i]->run(options, argc, argv);
	}
	guest_say("%s: no such command; see xenoptic-guest --help", argv[0]);
	return EXIT_USAGE;
}

int main(int argc, char *argv[])
{
	static const struct option known[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct guest_options options = { 0 };
	int c;

	xo_log_open("xenoptic-guest", XO_LOG_WARNING);
	while ((c = getopt_long(argc, argv, "+d:jhV", known, NULL)) != -1) {
		switch (c) {
		case 'd':
			if (parse_device(optarg, &options))
				break;
			guest_say("--device %s: not a device number N or N:UNIT", optarg);
			return EXIT_USAGE;
		case 'j':
			options.json = true;
			break;
		case 'h':
			help(stdout);
			return EXIT_OK;
		case 'V':
			puts(PACKAGE_STRING);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		help(stderr);
		return EXIT_USAGE;
	}
	return run(&options, argc - optind, argv + optind);
}
