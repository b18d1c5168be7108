/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's own view of a drive that the last guest has let go: made true by xenoptic-refresh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "drives_private.h"

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

/* What it had to say it said itself. */
static void refreshed(uv_process_t *process, int64_t status, int signal)
{
	struct xo_drive *drive = process->data;

	(void)status;
	(void)signal;
	uv_close((uv_handle_t *)process, handle_free);
	if (!drive)
		return;
	drive->refresher = NULL;
	xo_drive_refreshed(drive);
}

int xo_host_view_refresh(struct xo_drive *drive)
{
	char program[512];
	char *argv[] = { program, drive->name, NULL };
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
	};
	uv_process_options_t options = {
		.exit_cb = refreshed,
		.file = program,
		.args = argv,
		.stdio = stdio,
		.stdio_count = 3,
	};
	uv_process_t *process = calloc(1, sizeof(*process));
	int r;

	if (!process)
		return -ENOMEM;
	snprintf(program, sizeof(program), "%s/xenoptic-refresh", drive->all->config->libexec_dir);
	process->data = drive;
	r = uv_spawn(drive->all->loop, process, &options);
	if (r) {
		xo_error("%s: %s; drive %s may have a wrong size in this host", program,
			 strerror(-r), drive->name);
		process->data = NULL;
		uv_close((uv_handle_t *)process, handle_free);
		return r;
	}
	drive->refresher = process;
	return 0;
}
