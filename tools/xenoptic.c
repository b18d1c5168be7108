/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenoptic: the host's command: what there is, attach and detach, discs, traces. */
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/list.h"
#include "disc.h"

struct subcommand {
	const char *name;
	const char *arguments;
	const char *help;
	int (*run)(struct xo_cli *cli, int argc, char **argv);
};

static const struct subcommand subcommands[];

static int usage_error(const struct subcommand *command, const char *what)
{
	if (what)
		fprintf(stderr, "xenoptic: %s\n", what);
	fprintf(stderr, "usage: xenoptic %s %s\n", command->name, command->arguments);
	return XO_EXIT_USAGE;
}

static const struct subcommand *find(const char *name)
{
	const struct subcommand *command = subcommands;

	while (command->name && strcmp(command->name, name) != 0)
		command++;
	return command->name ? command : NULL;
}

/* Takes out "--flag" wherever it stands; the rest moves up. */
static bool take_flag(int *argc, char **argv, const char *flag)
{
	bool found = false;
	int n = 0;

	for (int i = 0; i < *argc; i++) {
		if (!strcmp(argv[i], flag))
			found = true;
		else
			argv[n++] = argv[i];
	}
	*argc = n;
	return found;
}

static const char *unknown_option(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (argv[i][0] == '-')
			return argv[i];
	return NULL;
}

/* Calls the daemon when nobody wants to see the answer. */
static int call(struct xo_cli *cli, const char *command, json_t *arguments)
{
	int code;

	json_decref(xo_cli_call(cli, command, arguments, &code));
	return code;
}

static int print_json(json_t *data)
{
	json_dumpf(data, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(data);
	return XO_EXIT_OK;
}

static int run_list(struct xo_cli *cli, int argc, char **argv)
{
	bool json = take_flag(&argc, argv, "--json");
	json_t *list;
	int code;

	if (argc)
		return usage_error(find("list"), NULL);
	list = xo_cli_call(cli, "list", NULL, &code);
	if (!list)
		return code;
	if (json)
		return print_json(list);
	xo_list_print(list);
	json_decref(list);
	return XO_EXIT_OK;
}

static int run_attach(struct xo_cli *cli, int argc, char **argv)
{
	bool json = take_flag(&argc, argv, "--json");
	json_t *options = json_array();
	json_t *answer;
	int code;

	if (argc < 2 || unknown_option(argc, argv)) {
		json_decref(options);
		return usage_error(find("attach"), NULL);
	}
	for (int i = 1; i < argc; i++)
		json_array_append_new(options, json_string(argv[i]));
	answer = xo_cli_call(cli, "attach",
			     json_pack("{s:s,s:o}", "domain", argv[0], "options", options), &code);
	if (!answer)
		return code;
	if (json)
		return print_json(answer);
	printf("device %d of domain %d\n",
	       (int)json_integer_value(json_object_get(answer, "devid")),
	       (int)json_integer_value(json_object_get(answer, "domid")));
	json_decref(answer);
	return XO_EXIT_OK;
}

static int run_detach(struct xo_cli *cli, int argc, char **argv)
{
	bool force = take_flag(&argc, argv, "--force");
	json_t *arguments;
	char *end = NULL;

	if (argc < 1 || argc > 2 || unknown_option(argc, argv))
		return usage_error(find("detach"), NULL);
	arguments = json_pack("{s:s,s:b}", "domain", argv[0], "force", force);
	if (argc == 2) {
		long number = strtol(argv[1], &end, 10);

		if (!*argv[1] || *end || number < 0 || number > INT_MAX) {
			json_decref(arguments);
			return usage_error(find("detach"), "DEVICE is a number, see xenoptic list");
		}
		json_object_set_new(arguments, "devid", json_integer(number));
	}
	return call(cli, "detach", arguments);
}

static int disc_insert(struct xo_cli *cli, int argc, char **argv)
{
	bool read_only = take_flag(&argc, argv, "--read-only");
	char path[PATH_MAX];

	if (argc != 2)
		return usage_error(find("disc"), NULL);
	if (!realpath(argv[1], path)) {
		perror(argv[1]);
		return XO_EXIT_REFUSED;
	}
	return call(cli, "insert",
		    json_pack("{s:s,s:s,s:b}", "drive", argv[0], "disc", path, "read-only",
			      read_only));
}

static int disc_eject(struct xo_cli *cli, int argc, char **argv)
{
	bool force = take_flag(&argc, argv, "--force");

	if (argc != 1)
		return usage_error(find("disc"), NULL);
	return call(cli, "eject", json_pack("{s:s,s:b}", "drive", argv[0], "force", force));
}

static int run_disc(struct xo_cli *cli, int argc, char **argv)
{
	if (argc > 0 && (!strcmp(argv[0], "new") || !strcmp(argv[0], "info")))
		return disc_main(argc, argv); /* files only, no daemon */
	if (argc > 1 && !strcmp(argv[0], "insert"))
		return disc_insert(cli, argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[0], "eject"))
		return disc_eject(cli, argc - 1, argv + 1);
	return usage_error(find("disc"), NULL);
}

static int run_events(struct xo_cli *cli, int argc, char **argv)
{
	json_t *event;
	int code;

	(void)argv;
	if (argc)
		return usage_error(find("events"), NULL);
	code = call(cli, "events", NULL);
	if (code)
		return code;
	while ((event = xo_cli_event(cli))) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
		json_decref(event);
	}
	return XO_EXIT_OK;
}

static int run_trace(struct xo_cli *cli, int argc, char **argv)
{
	bool json = take_flag(&argc, argv, "--json");
	json_t *event;
	int code;

	if (argc != 1 || unknown_option(argc, argv))
		return usage_error(find("trace"), NULL);
	code = call(cli, "trace", json_pack("{s:s}", "drive", argv[0]));
	if (code)
		return code;
	while ((event = xo_cli_event(cli))) {
		const char *line =
			json_string_value(json_object_get(json_object_get(event, "data"), "line"));

		if (json)
			json_dumpf(event, stdout, JSON_COMPACT);
		else
			fputs(line ? line : "", stdout);
		putchar('\n');
		fflush(stdout);
		json_decref(event);
	}
	fprintf(stderr, "xenoptic: the daemon went away\n");
	return XO_EXIT_NO_DAEMON;
}

static int run_control(struct xo_cli *cli, int argc, char **argv)
{
	json_t *arguments = argc == 2 ? json_loads(argv[1], 0, NULL) : json_object();
	json_t *answer;
	int code;

	if (argc < 1 || argc > 2 || !json_is_object(arguments)) {
		json_decref(arguments);
		return usage_error(find("control"), NULL);
	}
	answer = xo_cli_call(cli, argv[0], arguments, &code);
	return answer ? print_json(answer) : code;
}

static int run_help(struct xo_cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	puts("Usage: xenoptic [--socket PATH] COMMAND …\n"
	     "Optical drives for Xen guests: the host's side.\n");
	for (const struct subcommand *c = subcommands; c->name; c++)
		printf("  %s %s\n      %s\n", c->name, c->arguments, c->help);
	puts("\nExit status: 0 done, 1 refused (the reason was printed), 2 usage, 3 no daemon.\n"
	     "See xenoptic(1), xenopticd(8), xenoptic-xl(5).");
	return XO_EXIT_OK;
}

static const struct subcommand subcommands[] = {
	{ "list", "[--json]", "drives, who has them, and the guests' devices", run_list },
	{ "attach",
	  "DOMAIN drive=/dev/srN|virtual:NAME [bus=ahci|ide|vscsi|vcd] [mode=rw|ro] "
	  "[slot=N] [identity=drive|generic] [interrupt=intx|msi] [backend=DOMAIN] [name=TEXT] "
	  "[--json]",
	  "gives a running guest a drive; DOMAIN is an id, a name or a UUID", run_attach },
	{ "detach", "DOMAIN [DEVICE] [--force]",
	  "takes it away; --force also in the middle of a burn", run_detach },
	{ "disc",
	  "new FILE --type cd-r|dvd+r|bd-r [--size N] | info FILE [--json] | "
	  "insert DRIVE PATH [--read-only] | eject DRIVE [--force]",
	  "makes a blank disc, tells what is on one, puts it into a virtual drive, opens the tray",
	  run_disc },
	{ "trace", "DRIVE [--json]", "the packet commands of a drive by name, as they end",
	  run_trace },
	{ "events", "", "prints what happens as JSON, a line each", run_events },
	{ "control", "COMMAND [JSON]", "any command of the daemon's control socket", run_control },
	{ "help", "", "this", run_help },
	{ NULL, NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	const char *environment = getenv("XENOPTIC_SOCKET");
	struct xo_cli cli = { .socket = environment ? environment : XO_CONTROL_SOCKET };
	const struct subcommand *command;
	int option;
	int code;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == 's') {
			cli.socket = optarg;
		} else if (option == 'h') {
			return run_help(&cli, 0, NULL);
		} else if (option == 'v') {
			puts("xenoptic " XO_VERSION);
			return XO_EXIT_OK;
		} else {
			return XO_EXIT_USAGE;
		}
	}
	command = optind < argc ? find(argv[optind]) : NULL;
	if (!command) {
		fprintf(stderr, "xenoptic: %s; see xenoptic --help\n",
			optind < argc ? "no such command" : "no command given");
		return XO_EXIT_USAGE;
	}
	code = command->run(&cli, argc - optind - 1, argv + optind + 1);
	xo_cli_close(&cli);
	return code;
}
