/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libexec/xenoptic/device-model: what xl runs in QEMU's place (device_model_override).
 * Gets the guest its emulated controllers while it is still paused, then becomes QEMU.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "device-model/arguments.h"
#include "device-model/relay.h"
#include "device-model/trailer.h"

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

/* Why the guest does not start, where the launcher has not said so itself. */
static char failure[512];

/* stderr is qemu-dm-NAME.log. */
static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(failure, sizeof(failure), format, args);
	va_end(args);
	fprintf(stderr, "device-model: %s\n", failure);
}

static const char *control_socket(void)
{
	const char *environment = getenv("XENOPTIC_SOCKET");

	return environment ? environment : XO_CONTROL_SOCKET;
}

/* For its log and list. If it is not there, that is in our log as well. */
static void tell_launcher(int domid)
{
	struct xo_cli cli = { .socket = control_socket() };
	int code;

	json_decref(xo_cli_call(&cli, "attach-failed",
				json_pack("{s:i,s:s}", "domain", domid, "message", failure),
				&code));
	xo_cli_close(&cli);
}

/* One drive on one bus. The reason of a failure was printed. */
static int attach(struct xo_cli *cli, const struct xo_dm_arguments *arguments, json_t *options,
		  json_t *devices, json_t *states)
{
	json_t *answer;
	int code;

	answer = xo_cli_call(cli, "attach",
			     json_pack("{s:i,s:o,s:b,s:b,s:O,s:O?}", "domain", arguments->domid,
				       "options", options, "boot", 1, "relay",
				       arguments->qmp_fd >= 0 || arguments->qmp_path,
				       "device-model", devices, "states", states),
			     &code);
	if (!answer)
		return -EIO;
	json_decref(answer);
	return 0;
}

static int attach_all(const struct xo_dm_arguments *arguments, const char *socket, json_t *states)
{
	struct xo_cli cli = { .socket = socket };
	json_t *devices = xo_dm_devices(arguments);
	int r = 0;

	for (size_t i = 0; i < arguments->optical_count && !r; i++) {
		json_t *options;

		for (size_t n = 0; !r && (options = xo_dm_options(arguments->optical[i], n)); n++)
			r = attach(&cli, arguments, options, devices, states);
		if (r)
			fprintf(stderr, "device-model: -optical %s: refused\n",
				arguments->optical[i]);
	}
	json_decref(devices);
	xo_cli_close(&cli);
	return r;
}

/* What was saved of the controllers, behind QEMU's state. */
static int read_states(const struct xo_dm_arguments *arguments, json_t **states)
{
	int r;

	*states = NULL;
	if (arguments->incoming_fd < 0)
		return 0;
	r = xo_trailer_read(arguments->incoming_fd, states);
	if (r == -ENOENT) {
		/* Saved without them, by another toolstack perhaps: the guest finds fresh controllers. */
		fprintf(stderr, "device-model: the saved guest has no state of optical drives' "
				"controllers\n");
		return 0;
	}
	if (r)
		fail("the saved state of optical drives' controllers: %s", strerror(-r));
	return r;
}

/*
 * Where QEMU was to make libxl's socket, the socket is made here, and QEMU gets it as a
 * descriptor: as if libxl had done so itself.
 */
static int take_path(struct xo_dm_arguments *arguments)
{
	static char option[64];
	int fd = xo_relay_listen(arguments->qmp_path);

	if (fd < 0) {
		fail("%s: %s", arguments->qmp_path, strerror(-fd));
		return fd;
	}
	snprintf(option, sizeof(option), "socket,id=libxl-cmd,fd=%d,server=on,wait=off", fd);
	arguments->qemu[arguments->qmp_at] = option;
	arguments->qmp_fd = fd;
	return 0;
}

/* The drives are there, and the relay stands between libxl and QEMU. 0, or the reason was printed. */
static int prepare(struct xo_dm_arguments *arguments)
{
	const char *socket = control_socket();
	char run_dir[PATH_MAX];
	json_t *states;
	int r = read_states(arguments, &states);

	if (!r)
		r = attach_all(arguments, socket, states);
	json_decref(states);
	if (!r && arguments->qmp_fd < 0 && arguments->qmp_path)
		r = take_path(arguments);
	if (r)
		return r;
	if (arguments->qmp_fd < 0) {
		fprintf(stderr, "device-model: libxl gives no QMP socket: the guest cannot be "
				"saved or migrated\n");
		return 0;
	}
	snprintf(run_dir, sizeof(run_dir), "%s", socket);
	*strrchr(run_dir, '/') = '\0';
	r = xo_relay_start(arguments->qmp_fd, arguments->domid, socket, run_dir);
	if (r)
		fail("the QMP relay cannot be started: %s", strerror(-r));
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
		fail("%s", error);
		if (arguments.domid >= 0)
			tell_launcher(arguments.domid);
		return EXIT_FAILURE;
	}
	/* libxl's probe of the binary has no domain; a PV guest gets its drives by the launcher itself. */
	if (arguments.domid >= 0 && !arguments.pv && arguments.optical_count &&
	    prepare(&arguments)) {
		if (failure[0])
			tell_launcher(arguments.domid);
		xo_dm_arguments_fini(&arguments);
		return EXIT_FAILURE;
	}
	arguments.qemu[0] = (char *)(uintptr_t)qemu; /* it finds its files by that */
	execv(qemu, arguments.qemu);
	fprintf(stderr, "device-model: %s: %s\n", qemu, strerror(errno));
	xo_dm_arguments_fini(&arguments);
	return EXIT_FAILURE;
}
