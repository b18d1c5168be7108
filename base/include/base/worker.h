/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the launcher starts a worker: everything in argv, and descriptors at
 * fixed numbers. Each of them is in the keeper as well (base/keeper_control.h),
 * so that the successors of launcher and worker have the same.
 */
#ifndef XO_BASE_WORKER_H
#define XO_BASE_WORKER_H

enum xo_worker_fd {
	/*
	 * The worker's end of its control channel (base/control.h). Its other end is closed when launcher
	 * and keeper are gone: then nobody can go on where this worker is, and it ends.
	 */
	XO_FD_CONTROL = 3,
	XO_FD_LEDGER = 4, /* base/ledger.h */
	XO_FD_FIRST = 5, /* what argv names: links, arenas, devices, files */
};

/* The unprivileged user of the workers, unless --user says another. */
#define XO_WORKER_USER "xenoptic"

#endif
