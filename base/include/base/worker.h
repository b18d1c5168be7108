/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the launcher starts a worker: everything in argv, and descriptors at
 * fixed numbers, so that a launcher which was restarted can fetch them back
 * from the living worker with pidfd_getfd(2).
 */
#ifndef XO_BASE_WORKER_H
#define XO_BASE_WORKER_H

enum xo_worker_fd {
	XO_FD_CONTROL = 3, /* the worker's end of its control channel (base/control.h) */
	XO_FD_ESCROW =
		4, /* the launcher's end of the same, held for the launcher's successor; never used here */
	XO_FD_LEDGER = 5, /* base/ledger.h */
	XO_FD_FIRST = 6, /* what argv names: links, arenas, devices, files */
};

/* The unprivileged user of the workers, unless --user says another. */
#define XO_WORKER_USER "xenoptic"

#endif
