/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between worker.c and worker_control.c. */
#ifndef XO_BACKEND_WORKER_PRIVATE_H
#define XO_BACKEND_WORKER_PRIVATE_H

#include "worker.h"

#define XO_WORKER_COOKIE "XENOPTIC_WORKER"

/* Packets that are there, a bounded number of them. */
void xo_worker_read_some(struct xo_worker *worker);
/* All that a dead worker left. */
void xo_worker_read_all(struct xo_worker *worker);
/* What could not be sent before. */
void xo_worker_write_all(struct xo_worker *worker);
/* Forgets what is queued and answers every command with XO_WORKER_DIED. */
void xo_worker_drop_all(struct xo_worker *worker);

void xo_worker_poll_control(struct xo_worker *worker, bool write);

#endif
