/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending and receiving events on a connection that has an eventfd: the hot path of libxenevtchn's
 * stand-in and of the virtual CPUs.
 */
#ifndef XO_LOOPBACK_EVENTS_H
#define XO_LOOPBACK_EVENTS_H

#include "client.h"

#pragma GCC visibility push(hidden)

struct lb_events {
	struct lb_conn conn;
	unsigned int next; /* where take looks first, so that no port starves */
	struct {
		uint32_t handle; /* whose eventfd it is; 0: none yet */
		int fd;
	} peers[LB_MAX_PORTS];
};

void lb_events_init(struct lb_events *e);
/* Closes the peers' descriptors and the connection. */
void lb_events_fini(struct lb_events *e);
/* Forgets the peer of a port that was unbound. */
void lb_events_forget(struct lb_events *e, uint32_t port);
/* 0; -ENOTCONN: the port is not of this handle; -EINVAL: it is no port */
int lb_events_notify(struct lb_events *e, uint32_t port);
/* Waits for an event, if the eventfd does, and returns its port, which is masked now; or -errno. */
int lb_events_take(struct lb_events *e);
void lb_events_unmask(struct lb_events *e, uint32_t port);

#pragma GCC visibility pop

#endif
