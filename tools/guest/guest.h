/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenoptic-guest: what its subcommands share. */
#ifndef XO_GUEST_H
#define XO_GUEST_H

#include <stdbool.h>

/* Exit statuses, beside those of a program under `exec`. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* the drive or the medium refused, or a file could not be used */
	EXIT_USAGE = 2,
	EXIT_NO_DEVICE = 3, /* no device, or no connection to its backend */
	EXIT_MEDIUM = 4, /* no medium, or one that does not fit the purpose */
	EXIT_INTERRUPTED = 130,
};

struct guest_options {
	bool device_given;
	unsigned int devid;
	bool unit_given;
	unsigned int unit; /* N of dev-N */
	bool json;
};

struct guest_command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;
	const char *help; /* the options, a line each; may be NULL */
	/* argv[0] is the command's name. The exit status. */
	int (*run)(const struct guest_options *options, int argc, char *argv[]);
};

extern const struct guest_command guest_info, guest_read, guest_burn, guest_blank, guest_eject,
	guest_raw, guest_exec;

/* The usage of one command; returns EXIT_USAGE. */
int guest_usage(const struct guest_command *command);

/* A message for people on stderr: "xenoptic-guest: …". */
void guest_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True once SIGINT or SIGTERM came, after guest_catch_signals(). */
bool guest_interrupted(void);
void guest_catch_signals(void);

#endif
