/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend's half of xenbus as pure functions: from what is known of a
 * device (or of one logical unit in it) to the one thing to do next. They keep
 * no state, so a launcher that was restarted goes on from what it reads.
 */
#ifndef XO_BACKEND_XENBUS_H
#define XO_BACKEND_XENBUS_H

#include <stdbool.h>

/* xen/io/xenbus.h */
enum xo_xenbus_state {
	XO_XENBUS_UNKNOWN = 0, /* absent, or not a state */
	XO_XENBUS_INITIALISING = 1,
	XO_XENBUS_INIT_WAIT = 2,
	XO_XENBUS_INITIALISED = 3,
	XO_XENBUS_CONNECTED = 4,
	XO_XENBUS_CLOSING = 5,
	XO_XENBUS_CLOSED = 6,
	XO_XENBUS_RECONFIGURING = 7,
	XO_XENBUS_RECONFIGURED = 8,
};

const char *xo_xenbus_state_name(enum xo_xenbus_state state);

/* What is done with a device's units: each unit is taken through a phase by itself. */
enum xo_phase {
	XO_PHASE_PREPARE, /* before the ring worker starts: attach the drives */
	XO_PHASE_HOTPLUG, /* the ring worker serves and the frontend waits: add and remove */
	XO_PHASE_CONFIRM, /* the frontend has said which units it took */
	XO_PHASE_RESET, /* the connection is over: new links, state 1 */
	XO_PHASE_RELEASE, /* the device goes: give the drives back */
	XO_PHASE_COUNT
};

/* The drive of a unit. */
enum xo_attach_state {
	XO_ATTACH_NONE,
	XO_ATTACH_PENDING, /* asked for */
	XO_ATTACH_HELD, /* there is a link */
	XO_ATTACH_REFUSED, /* an error was written */
	XO_ATTACH_LEAVING, /* being given back */
};

/* The unit in the ring worker. */
enum xo_unit_ring {
	XO_UNIT_OUT,
	XO_UNIT_ADDING,
	XO_UNIT_IN,
	XO_UNIT_REMOVING,
};

struct xo_unit_facts {
	enum xo_xenbus_state frontend; /* as the guest wrote it */
	enum xo_xenbus_state backend; /* UNKNOWN: its nodes are gone */
	enum xo_attach_state attach;
	enum xo_unit_ring ring;
	bool used; /* the link has served a ring worker that is no more */
};

enum xo_unit_action {
	XO_UNIT_DONE, /* nothing (more) in this phase */
	XO_UNIT_WAIT, /* something is under way */
	XO_UNIT_ATTACH,
	XO_UNIT_DETACH,
	XO_UNIT_ADD, /* to the ring worker */
	XO_UNIT_REMOVE, /* from it */
	XO_UNIT_SWITCH, /* write `state` */
};

struct xo_unit_step {
	enum xo_unit_action action;
	enum xo_xenbus_state state;
};

struct xo_unit_step xo_unit_next(const struct xo_unit_facts *facts, enum xo_phase phase);

/* The ring worker of a device. */
enum xo_ring_state {
	XO_RING_NONE,
	XO_RING_STARTING, /* also: died and is being replaced */
	XO_RING_READY,
	XO_RING_STOPPING,
};

/* How far all units of a device are through a phase. */
enum xo_progress {
	XO_PROGRESS_DONE,
	XO_PROGRESS_WAIT, /* no unit has anything to do now, some are not done */
	XO_PROGRESS_ACT, /* at least one unit has something to do */
};

struct xo_device_facts {
	enum xo_xenbus_state frontend;
	enum xo_xenbus_state backend;
	enum xo_ring_state ring;
	bool online; /* the toolstack wants the device */
	bool failed; /* an error was written, the device closes; until the frontend begins anew */
	bool stale; /* the ring serves another connection than the frontend's nodes name */
	enum xo_progress units[XO_PHASE_COUNT];
};

enum xo_device_action {
	XO_DEVICE_WAIT, /* nothing to do until something changes */
	XO_DEVICE_RUN, /* take the units on in `phase` */
	XO_DEVICE_START, /* the ring worker */
	XO_DEVICE_STOP, /* let it disconnect */
	XO_DEVICE_LOST, /* the connection cannot go on: fail the device */
	XO_DEVICE_SWITCH, /* write `state` */
};

struct xo_device_step {
	enum xo_device_action action;
	enum xo_phase phase;
	enum xo_xenbus_state state;
};

/* To be asked again after each step was carried out, or begun, until it says WAIT. */
struct xo_device_step xo_device_next(const struct xo_device_facts *facts);

#endif
