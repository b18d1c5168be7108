/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between controllers.c and controller_worker.c. */
#ifndef XO_BACKEND_CONTROLLERS_PRIVATE_H
#define XO_BACKEND_CONTROLLERS_PRIVATE_H

#include "controllers.h"

extern const struct xo_worker_ops xo_controller_worker_ops;

struct xo_controller *xo_controller_new(struct xo_controllers *controllers, unsigned int domid,
					unsigned int device);
/* The request, if there is one, must have been answered. */
void xo_controller_free(struct xo_controller *controller);

/* The drive's answers, for xo_attachment_new and xo_attachment_claim. */
void xo_controller_attached(void *priv, enum xo_attachment_event event, const char *message);

/* Starts the worker, with the drive's link or without a drive. */
void xo_controller_start(struct xo_controller *controller);
/* The worker ended for good; `why` NULL: as it was told. */
void xo_controller_ended(struct xo_controller *controller, const char *why);
/* The worker serves. */
void xo_controller_ready(struct xo_controller *controller);

/*
 * Tells the worker, or its successor if it does not live to answer. `reply` is called exactly once, unless this
 * fails with -errno; with an error when there will be no successor.
 */
int xo_controller_order(struct xo_controller *controller, const char *command,
			xo_worker_reply *reply, void *priv);
/* The worker takes what has waited for it. */
void xo_controller_orders_give(struct xo_controller *controller);
/* There will be no worker. XO_WORKER_DIED: nor a controller. */
void xo_controller_orders_drop(struct xo_controller *controller, const char *error_class,
			       const char *why);

/* Takes an order to end, as whoever asks for a controller's end has it. */
void xo_controller_quit(struct xo_controller *controller);

/* The link without a drive: made when needed. 0 or -errno. */
int xo_controller_dead_link(struct xo_controller *controller);

#endif
