/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving and restoring the controllers of a guest. What is asked of a worker that dies is asked of its successor, and
 * the answer waits for that.
 */
#ifndef XO_BACKEND_MIGRATION_H
#define XO_BACKEND_MIGRATION_H

#include "controllers.h"

/* Ends the DMA of all controllers of a domain, or lets them go on. Answered when all did. */
void xo_controllers_stop(struct xo_controllers *controllers, unsigned int domid, bool stop,
			 struct xo_request *request);

/* It is not known what they were told last, and the guest runs (already): they go on. */
void xo_controllers_run(struct xo_controllers *controllers, unsigned int domid,
			struct xo_request *request);

/* Before Xen logs the domain's dirty pages for a live migration, and when that has ended. */
void xo_controllers_log_dirty(struct xo_controllers *controllers, unsigned int domid, bool log,
			      struct xo_request *request);

/* After stop: answered with {"controllers": [{"device": N, "state": TEXT}, …]}. */
void xo_controllers_save(struct xo_controllers *controllers, unsigned int domid,
			 struct xo_request *request);

/* The state of `device` among those that xo_controllers_save gave, as a memfd. -ENOENT, -EINVAL, -errno. */
int xo_controller_state_fd(const json_t *states, unsigned int device);

#endif
