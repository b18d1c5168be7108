/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon as a whole. */
#ifndef XO_BACKEND_LAUNCHER_H
#define XO_BACKEND_LAUNCHER_H

#include <uv.h>

#include "configured.h"
#include "controllers.h"
#include "daemon_config.h"
#include "devices.h"
#include "drives.h"
#include "holds.h"
#include "hotplug.h"
#include "keeper.h"
#include "refusals.h"
#include "server.h"
#include "store.h"
#include "worker.h"

struct xo_launcher {
	uv_loop_t loop;
	struct xo_config config;
	struct xo_store store;
	struct xo_keeper keeper;
	struct xo_workers workers;
	struct xo_drives drives;
	struct xo_hotplug hotplug;
	struct xo_devices devices;
	struct xo_controllers controllers;
	struct xo_refusals refusals;
	struct xo_configured configured; /* with the toolstack role only */
	struct xo_holds holds;
	struct xo_server server;
	uv_timer_t clean_timer;
	bool stop_workers; /* at the end */
	int lock_fd; /* of the run directory */
	int result;
};

/* Ends the loop; the workers go on unless `stop_workers`. */
void xo_launcher_quit(struct xo_launcher *launcher, bool stop_workers);

/* The commands of the control socket. */
extern const struct xo_server_command xo_launcher_commands[];

#endif
