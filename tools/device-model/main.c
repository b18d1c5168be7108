/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libexec/xenoptic/device-model: what xl runs in QEMU's place (device_model_override).
 * Gets the guest its emulated controllers while it is still paused, then becomes QEMU.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "device-model/arguments.h"

/* Where distributions have the QEMU that libxl would run. */
static const char *const candidates[] = {
	XO_QEMU,
	"/usr/libexec/xen-qemu-system-i386",
	"/usr/lib/xen-4.17/bin/qemu-system-i386",
	"/usr/lib/xen/bin/qemu-system-i386",
	"/usr/local/lib/xen/bin/qemu-system-i386",
	NULL,
};

static const char *find_qemu(void)
{
	const char *environment = getenv("XENOPTIC_QEMU");

	if (environment)
		return environment;
	for (const char *const *path = candidates; *path; path++)
		if (**path && !access(*path, X_OK))
			return *path;
	return NULL;
}

/* One drive on one bus. The reason of a failure was printed. */
static int attach(struct xo_cli *cli, int domid, json_t *options)
{
	json_t *answer;
	int code;

	answer = xo_cli_call(
		cli, "attach",
		json_pack("{s:i,s:o,s:b}", "domain", domid, "options", options, "boot", 1), &code);
	if (!answer)
		return -EIO;
	json_decref(answer);
	return 0;
}

static int attach_all(const struct xo_dm_arguments *arguments)
{
	const char *environment = getenv("XENOPTIC_SOCKET");
	struct xo_cli cli = { .socket = environment ? environment : XO_CONTROL_SOCKET };
	int r = 0;

	for (size_t i = 0; i < arguments->optical_count && !r; i++) {
		json_t *options;

		for (size_t n = 0; !r && (options = xo_dm_options(arguments->optical[i], n)); n++)
			r = attach(&cli, arguments->domid, options);
		if (r)
			fprintf(stderr, "device-model: -optical %s: refused\n",
				arguments->optical[i]);
	}
	xo_cli_close(&cli);
	return r;
}

int main(int argc, char **argv)
{
	struct xo_dm_arguments arguments;
	const char *qemu = find_qemu();
	char error[256];

	if (!qemu) {
		fprintf(stderr, "device-model: no QEMU for Xen is installed (package "
				"qemu-system-xen)\n");
		return EXIT_FAILURE;
	}
	if (xo_dm_arguments_parse(&arguments, argc, argv, error, sizeof(error))) {
		fprintf(stderr, "device-model: %s\n", error);
		return EXIT_FAILURE;
	}
	/* libxl's probe of the binary has no domain; a PV guest gets its drives by the launcher itself. */
	if (arguments.domid >= 0 && !arguments.pv && attach_all(&arguments))
		return EXIT_FAILURE;
	execv(qemu, arguments.qemu);
	fprintf(stderr, "device-model: %s: %s\n", qemu, strerror(errno));
	xo_dm_arguments_fini(&arguments);
	return EXIT_FAILURE;
}
