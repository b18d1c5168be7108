/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attaching and detaching take several steps and wait for others: each is a job with a timer. */
#ifndef XO_BACKEND_JOBS_H
#define XO_BACKEND_JOBS_H

#include "launcher.h"
#include "options.h"
#include "toolstack.h"

/*
 * Makes the nodes and waits until the backend has the drive or refuses it; then answers. With
 * `boot` the device stays when it is refused, and the backend tries again when the drive is free.
 */
void xo_job_attach(struct xo_launcher *launcher, const struct xo_domain *domain,
		   const struct xo_options *options, bool boot, struct xo_request *request);

/*
 * Closes the device, waits for the guest, removes the nodes; then answers. Without
 * force it refuses while the drive burns for it, and leaves the device if the guest keeps it.
 */
void xo_job_detach(struct xo_launcher *launcher, const struct xo_device_nodes *nodes, bool force,
		   struct xo_request *request);

/* The same for an emulated controller, which the guest has no way to keep. */
void xo_job_detach_controller(struct xo_launcher *launcher, struct xo_controller *controller,
			      bool force, struct xo_request *request);

#endif
