/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenoptic-drive: from argv to the sandbox, and then the loop. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <malloc.h>
#include <scsi/sg.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/worker.h"
#include "options.h"

/* Beside those of every worker: links and arenas, descriptions, the burner's disc, delays. */
static const int syscalls[] = {
	SCMP_SYS(fcntl),     SCMP_SYS(pread64),	  SCMP_SYS(pwrite64),
	SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(memfd_create),
	SCMP_SYS(mremap),    SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
};

static const unsigned long device_ioctls[] = { SG_IO, SG_GET_VERSION_NUM, BLKSECTGET };

static int start_threads(void *priv)
{
	return xo_runner_start(priv);
}

static int enter_sandbox(struct xo_drive *drive)
{
	const struct xo_drive_options *options = drive->options;
	struct xo_sandbox sandbox = {
		.user = options->user,
		.syscalls = syscalls,
		.syscall_count = XO_ARRAY_SIZE(syscalls),
		.start_threads = start_threads,
		.priv = &drive->runner,
	};

	/* Without it the kernel's own filter refuses MECHANISM STATUS and others on /dev/srN. */
	if (!options->burner) {
		sandbox.keep_caps = 1ull << CAP_SYS_RAWIO;
		sandbox.ioctls = device_ioctls;
		sandbox.ioctl_count = XO_ARRAY_SIZE(device_ioctls);
	}
	return xo_sandbox_enter(&sandbox);
}

static bool descriptors_there(const struct xo_drive_options *options)
{
	const int fds[] = {
		XO_FD_CONTROL,
		XO_FD_LEDGER,
		options->device_fd,
		options->trace_fd,
	};

	for (size_t i = 0; i < XO_ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0 && fcntl(fds[i], F_GETFD) < 0) {
			fprintf(stderr, "xenoptic-drive: descriptor %d is not open\n", fds[i]);
			return false;
		}
	return xo_close_others(fds, XO_ARRAY_SIZE(fds)) == 0;
}

int main(int argc, char **argv)
{
	static struct xo_drive drive;
	struct xo_drive_options options;
	char ident[80];
	int r;

	r = xo_drive_options_parse(&options, argc, argv);
	if (r)
		return r > 0 ? 0 : XO_DRIVE_EXIT_USAGE;
	if (!descriptors_there(&options))
		return XO_DRIVE_EXIT_USAGE;
	snprintf(ident, sizeof(ident), "xenoptic-drive[%s]", options.name);
	xo_log_open(ident, (enum xo_log_level)options.log_level);
	signal(SIGPIPE, SIG_IGN);
	/* One heap for both threads: a second one would need mprotect. */
	mallopt(M_ARENA_MAX, 1);
	json_object_seed(0); /* from the system's random device, while it can be opened */
	r = xo_drive_init(&drive, &options, XO_FD_CONTROL, XO_FD_LEDGER);
	if (r)
		return r == -ENOMEM ? 1 : XO_DRIVE_EXIT_USAGE;
	r = enter_sandbox(&drive);
	if (r)
		return 1;
	/* Nothing that a guest controls has been read before this point. */
	r = xo_drive_start(&drive);
	if (!r)
		r = xo_runner_run(&drive.runner);
	/* Not exit(): the other thread may still be on its way out. */
	_exit(r ? 1 : 0);
}
