/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend/xenbus.c: every step of the device's and the units' handshakes, then
 * whole lives against a model of xen-scsifront, with rubbish in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "xenbus.h"

#define ACT XO_PROGRESS_ACT
#define WAITS XO_PROGRESS_WAIT

#define SWITCH(to) XO_DEVICE_SWITCH, 0, to
#define RUN(phase) XO_DEVICE_RUN, phase, 0
#define DO(action) action, 0, 0

static const struct {
	const char *name;
	struct xo_device_facts facts;
	enum xo_device_action action;
	enum xo_phase phase;
	enum xo_xenbus_state state;
} device_cases[] = {
#define FACTS(fe, be, r, ...)                                                           \
	{                                                                               \
		.online = true, .frontend = fe, .backend = be, .ring = r, ##__VA_ARGS__ \
	}
	{ "made by the toolstack", FACTS(1, 1, XO_RING_NONE, .units[XO_PHASE_PREPARE] = ACT),
	  RUN(XO_PHASE_PREPARE) },
	{ "drive is being opened", FACTS(1, 1, XO_RING_NONE, .units[XO_PHASE_PREPARE] = WAITS),
	  DO(XO_DEVICE_WAIT) },
	{ "drives there", FACTS(1, 1, XO_RING_NONE), SWITCH(2) },
	{ "waiting for the frontend", FACTS(1, 2, XO_RING_NONE), DO(XO_DEVICE_WAIT) },
	{ "frontend was faster", FACTS(3, 1, XO_RING_NONE), SWITCH(2) },
	{ "connect", FACTS(3, 2, XO_RING_NONE), DO(XO_DEVICE_START) },
	{ "connect, drive not yet there",
	  FACTS(3, 2, XO_RING_NONE, .units[XO_PHASE_PREPARE] = WAITS), DO(XO_DEVICE_WAIT) },
	{ "ring starts", FACTS(3, 2, XO_RING_STARTING), DO(XO_DEVICE_WAIT) },
	{ "ring serves", FACTS(3, 2, XO_RING_READY, .units[XO_PHASE_HOTPLUG] = ACT),
	  RUN(XO_PHASE_HOTPLUG) },
	{ "units announced", FACTS(3, 2, XO_RING_READY), SWITCH(4) },
	{ "announced", FACTS(3, 4, XO_RING_READY), DO(XO_DEVICE_WAIT) },
	{ "frontend connected", FACTS(4, 4, XO_RING_READY, .units[XO_PHASE_CONFIRM] = ACT),
	  RUN(XO_PHASE_CONFIRM) },
	{ "all connected", FACTS(4, 4, XO_RING_READY), DO(XO_DEVICE_WAIT) },
	{ "ring worker replaced", FACTS(4, 4, XO_RING_STARTING), DO(XO_DEVICE_WAIT) },
	{ "frontend straight to 4", FACTS(4, 2, XO_RING_NONE), DO(XO_DEVICE_START) },
	{ "frontend straight to 4, served", FACTS(4, 2, XO_RING_READY), SWITCH(4) },
	{ "ring lost", FACTS(4, 4, XO_RING_NONE), DO(XO_DEVICE_LOST) },
	{ "ring lost in a hot-plug", FACTS(7, 7, XO_RING_NONE), DO(XO_DEVICE_LOST) },

	{ "new unit is attached first",
	  FACTS(4, 4, XO_RING_READY, .units[XO_PHASE_PREPARE] = ACT,
		.units[XO_PHASE_HOTPLUG] = ACT),
	  RUN(XO_PHASE_PREPARE) },
	{ "new unit waits", FACTS(4, 4, XO_RING_READY, .units[XO_PHASE_HOTPLUG] = ACT), SWITCH(7) },
	{ "new unit is opened", FACTS(4, 4, XO_RING_READY, .units[XO_PHASE_HOTPLUG] = WAITS),
	  DO(XO_DEVICE_WAIT) },
	{ "frontend not yet looking", FACTS(4, 7, XO_RING_READY, .units[XO_PHASE_HOTPLUG] = ACT),
	  DO(XO_DEVICE_WAIT) },
	{ "frontend looks", FACTS(7, 7, XO_RING_READY, .units[XO_PHASE_HOTPLUG] = ACT),
	  RUN(XO_PHASE_HOTPLUG) },
	{ "hot-plug done", FACTS(7, 7, XO_RING_READY), SWITCH(8) },
	{ "frontend adds", FACTS(7, 8, XO_RING_READY), DO(XO_DEVICE_WAIT) },
	{ "frontend added", FACTS(4, 8, XO_RING_READY, .units[XO_PHASE_CONFIRM] = ACT),
	  RUN(XO_PHASE_CONFIRM) },
	{ "hot-plug confirmed", FACTS(4, 8, XO_RING_READY), SWITCH(4) },

	{ "frontend closes: still served", FACTS(5, 4, XO_RING_READY), SWITCH(5) },
	{ "frontend is closing", FACTS(5, 5, XO_RING_READY), DO(XO_DEVICE_WAIT) },
	{ "frontend has closed", FACTS(6, 5, XO_RING_READY), DO(XO_DEVICE_STOP) },
	{ "ring ends", FACTS(6, 5, XO_RING_STOPPING), DO(XO_DEVICE_WAIT) },
	{ "frontend closed at once", FACTS(6, 4, XO_RING_READY), DO(XO_DEVICE_STOP) },
	{ "frontend closed", FACTS(6, 5, XO_RING_NONE, .units[XO_PHASE_RESET] = ACT), SWITCH(6) },
	{ "closed: new links", FACTS(6, 6, XO_RING_NONE, .units[XO_PHASE_RESET] = ACT),
	  RUN(XO_PHASE_RESET) },
	{ "closed: held on", FACTS(6, 6, XO_RING_NONE, .units[XO_PHASE_PREPARE] = ACT),
	  RUN(XO_PHASE_PREPARE) },
	{ "closed", FACTS(6, 6, XO_RING_NONE), DO(XO_DEVICE_WAIT) },
	{ "comes back", FACTS(1, 6, XO_RING_NONE), SWITCH(2) },
	{ "came back unseen", FACTS(3, 6, XO_RING_NONE), SWITCH(2) },
	{ "still thinks it is connected", FACTS(4, 6, XO_RING_NONE), DO(XO_DEVICE_WAIT) },
	{ "frontend crashed and begins", FACTS(1, 4, XO_RING_READY), DO(XO_DEVICE_STOP) },
	{ "frontend began anew", FACTS(1, 4, XO_RING_NONE, .units[XO_PHASE_RESET] = ACT),
	  RUN(XO_PHASE_RESET) },
	{ "another ring, initialised", FACTS(3, 4, XO_RING_READY, .stale = true),
	  DO(XO_DEVICE_STOP) },
	{ "another ring, stopped", FACTS(3, 4, XO_RING_NONE), SWITCH(2) },
	{ "another ring under our feet", FACTS(4, 4, XO_RING_READY, .stale = true),
	  DO(XO_DEVICE_STOP) },
	{ "rubbish", FACTS(0, 4, XO_RING_READY), DO(XO_DEVICE_STOP) },
	{ "rubbish, stopped", FACTS(0, 4, XO_RING_NONE), SWITCH(6) },
#undef FACTS
#define FACTS(fe, be, r, ...)                                                            \
	{                                                                                \
		.online = false, .frontend = fe, .backend = be, .ring = r, ##__VA_ARGS__ \
	}
	{ "taken away", FACTS(4, 4, XO_RING_READY), SWITCH(5) },
	{ "taken away, still served", FACTS(4, 5, XO_RING_READY), DO(XO_DEVICE_WAIT) },
	{ "taken away, frontend went", FACTS(6, 5, XO_RING_READY), DO(XO_DEVICE_STOP) },
	{ "taken away, ring ended", FACTS(6, 5, XO_RING_NONE, .units[XO_PHASE_RELEASE] = ACT),
	  RUN(XO_PHASE_RELEASE) },
	{ "taken away, frontend slow", FACTS(4, 5, XO_RING_NONE), DO(XO_DEVICE_WAIT) },
	{ "taken away, not told yet", FACTS(4, 4, XO_RING_NONE), SWITCH(5) },
	{ "taken away, frontend closing", FACTS(5, 5, XO_RING_NONE), DO(XO_DEVICE_WAIT) },
	{ "taken away, frontend closed", FACTS(6, 5, XO_RING_NONE), SWITCH(6) },
	{ "taken away, done", FACTS(6, 6, XO_RING_NONE), DO(XO_DEVICE_WAIT) },
	{ "taken away before connected", FACTS(1, 5, XO_RING_NONE), SWITCH(6) },
	{ "taken away, frontend gone", FACTS(0, 5, XO_RING_NONE), SWITCH(6) },
#undef FACTS
#define FACTS(fe, be, r, ...)                                                             \
	{                                                                                 \
		.online = true, .failed = true, .frontend = fe, .backend = be, .ring = r, \
		##__VA_ARGS__                                                             \
	}
	{ "failed", FACTS(4, 4, XO_RING_NONE), SWITCH(5) },
	{ "failed, ring there", FACTS(3, 4, XO_RING_READY), DO(XO_DEVICE_STOP) },
	{ "failed, closed by the frontend", FACTS(6, 5, XO_RING_NONE), SWITCH(6) },
	{ "failed, final", FACTS(4, 6, XO_RING_NONE), DO(XO_DEVICE_WAIT) },
#undef FACTS
};

static void device_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(device_cases); i++) {
		struct xo_device_step step = xo_device_next(&device_cases[i].facts);

		if (step.action != device_cases[i].action ||
		    (step.action == XO_DEVICE_RUN && step.phase != device_cases[i].phase) ||
		    (step.action == XO_DEVICE_SWITCH && step.state != device_cases[i].state))
			fail_msg("%s: action %d, phase %d, state %d", device_cases[i].name,
				 step.action, step.phase, step.state);
	}
}

#define UNIT(fe, be, at, in)                                            \
	{                                                               \
		.frontend = fe, .backend = be, .attach = at, .ring = in \
	}
#define USED(fe, be, at, in)                                                          \
	{                                                                             \
		.frontend = fe, .backend = be, .attach = at, .ring = in, .used = true \
	}

static const struct {
	const char *name;
	struct xo_unit_facts facts;
	enum xo_phase phase;
	enum xo_unit_action action;
	enum xo_xenbus_state state;
} unit_cases[] = {
	{ "new", UNIT(0, 1, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_PREPARE, XO_UNIT_ATTACH, 0 },
	{ "opening", UNIT(0, 1, XO_ATTACH_PENDING, XO_UNIT_OUT), XO_PHASE_PREPARE, XO_UNIT_WAIT,
	  0 },
	{ "held", UNIT(0, 1, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_PREPARE, XO_UNIT_DONE, 0 },
	{ "refused", UNIT(0, 1, XO_ATTACH_REFUSED, XO_UNIT_OUT), XO_PHASE_PREPARE, XO_UNIT_SWITCH,
	  6 },
	{ "refused, said", UNIT(0, 6, XO_ATTACH_REFUSED, XO_UNIT_OUT), XO_PHASE_PREPARE,
	  XO_UNIT_DONE, 0 },
	{ "vanished", UNIT(0, 0, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_PREPARE, XO_UNIT_REMOVE, 0 },
	{ "vanished, out", UNIT(0, 0, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_CONFIRM,
	  XO_UNIT_DETACH, 0 },
	{ "vanished, over", UNIT(0, 0, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_HOTPLUG, XO_UNIT_DONE,
	  0 },
	{ "hot-plug", UNIT(0, 1, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_HOTPLUG, XO_UNIT_ATTACH,
	  0 },
	{ "hot-plug, held", UNIT(0, 1, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_HOTPLUG, XO_UNIT_ADD,
	  0 },
	{ "hot-plug, adding", UNIT(0, 1, XO_ATTACH_HELD, XO_UNIT_ADDING), XO_PHASE_HOTPLUG,
	  XO_UNIT_WAIT, 0 },
	{ "hot-plug, in", UNIT(0, 1, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_HOTPLUG, XO_UNIT_SWITCH,
	  3 },
	{ "hot-plug, said", UNIT(0, 3, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_HOTPLUG, XO_UNIT_DONE,
	  0 },
	{ "remove", UNIT(4, 5, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_HOTPLUG, XO_UNIT_REMOVE, 0 },
	{ "removing", UNIT(4, 5, XO_ATTACH_HELD, XO_UNIT_REMOVING), XO_PHASE_HOTPLUG, XO_UNIT_WAIT,
	  0 },
	{ "removed", UNIT(4, 5, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_HOTPLUG, XO_UNIT_DETACH, 0 },
	{ "leaving", UNIT(4, 5, XO_ATTACH_LEAVING, XO_UNIT_OUT), XO_PHASE_HOTPLUG, XO_UNIT_WAIT,
	  0 },
	{ "left", UNIT(6, 5, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_HOTPLUG, XO_UNIT_SWITCH, 6 },
	{ "gone", UNIT(6, 6, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_HOTPLUG, XO_UNIT_DONE, 0 },
	{ "taken", UNIT(4, 3, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_CONFIRM, XO_UNIT_SWITCH, 4 },
	{ "not taken", UNIT(6, 3, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_CONFIRM, XO_UNIT_REMOVE,
	  0 },
	{ "not taken, out", UNIT(6, 3, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_CONFIRM,
	  XO_UNIT_SWITCH, 6 },
	{ "nothing said", UNIT(0, 3, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_CONFIRM, XO_UNIT_DONE,
	  0 },
	{ "in use", UNIT(4, 4, XO_ATTACH_HELD, XO_UNIT_IN), XO_PHASE_CONFIRM, XO_UNIT_DONE, 0 },
	{ "reset", USED(4, 4, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_RESET, XO_UNIT_DETACH, 0 },
	{ "reset, leaving", USED(4, 4, XO_ATTACH_LEAVING, XO_UNIT_OUT), XO_PHASE_RESET,
	  XO_UNIT_WAIT, 0 },
	{ "reset, left", UNIT(4, 4, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_RESET, XO_UNIT_SWITCH,
	  1 },
	{ "reset, unused", UNIT(4, 1, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_RESET, XO_UNIT_DONE,
	  0 },
	{ "reset while removed", UNIT(4, 5, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_RESET,
	  XO_UNIT_DETACH, 0 },
	{ "reset, removed", UNIT(4, 5, XO_ATTACH_NONE, XO_UNIT_OUT), XO_PHASE_RESET, XO_UNIT_SWITCH,
	  6 },
	{ "release", UNIT(4, 4, XO_ATTACH_HELD, XO_UNIT_OUT), XO_PHASE_RELEASE, XO_UNIT_DETACH, 0 },
	{ "release, pending", UNIT(1, 1, XO_ATTACH_PENDING, XO_UNIT_OUT), XO_PHASE_RELEASE,
	  XO_UNIT_DETACH, 0 },
	{ "release, done", UNIT(1, 1, XO_ATTACH_REFUSED, XO_UNIT_OUT), XO_PHASE_RELEASE,
	  XO_UNIT_DONE, 0 },
};

static void unit_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(unit_cases); i++) {
		struct xo_unit_step step = xo_unit_next(&unit_cases[i].facts, unit_cases[i].phase);

		if (step.action != unit_cases[i].action || step.state != unit_cases[i].state)
			fail_msg("%s: action %d, state %d", unit_cases[i].name, step.action,
				 step.state);
	}
}

/* A world: the device with one unit as the launcher has them, and a frontend that is a model of xen-scsifront. */
struct world {
	struct xo_device_facts device;
	struct xo_unit_facts unit;
	bool refuse; /* the drive is not to be had */
	bool lost;
};

static void unit_do(struct world *w, enum xo_phase phase)
{
	struct xo_unit_step step = xo_unit_next(&w->unit, phase);

	switch (step.action) {
	case XO_UNIT_ATTACH:
		w->unit.attach = XO_ATTACH_PENDING;
		w->unit.used = false;
		break;
	case XO_UNIT_DETACH:
		w->unit.attach = XO_ATTACH_LEAVING;
		break;
	case XO_UNIT_ADD:
		w->unit.ring = XO_UNIT_ADDING;
		break;
	case XO_UNIT_REMOVE:
		w->unit.ring = XO_UNIT_REMOVING;
		break;
	case XO_UNIT_SWITCH:
		w->unit.backend = step.state;
		break;
	default:
		break;
	}
}

static void progress(struct world *w)
{
	for (unsigned int p = 0; p < XO_PHASE_COUNT; p++) {
		struct xo_unit_step step = xo_unit_next(&w->unit, (enum xo_phase)p);

		w->device.units[p] = step.action == XO_UNIT_DONE   ? XO_PROGRESS_DONE
				     : step.action == XO_UNIT_WAIT ? XO_PROGRESS_WAIT
								   : XO_PROGRESS_ACT;
	}
}

/* The launcher, until it waits. It must come to rest. */
static void launcher(struct world *w)
{
	for (unsigned int i = 0; i < 64; i++) {
		struct xo_device_step step;

		progress(w);
		step = xo_device_next(&w->device);
		switch (step.action) {
		case XO_DEVICE_WAIT:
			return;
		case XO_DEVICE_RUN:
			unit_do(w, step.phase);
			break;
		case XO_DEVICE_START:
			assert_int_equal(w->device.ring, XO_RING_NONE);
			w->device.ring = XO_RING_STARTING;
			w->device.stale = false;
			if (w->unit.attach == XO_ATTACH_HELD) {
				assert_false(w->unit.used);
				w->unit.ring = XO_UNIT_IN;
			}
			break;
		case XO_DEVICE_STOP:
			w->device.ring = XO_RING_STOPPING;
			break;
		case XO_DEVICE_LOST:
			w->lost = true;
			w->device.failed = true;
			break;
		case XO_DEVICE_SWITCH:
			assert_true(step.state != w->device.backend);
			w->device.backend = step.state;
			break;
		}
	}
	fail_msg("does not come to rest: frontend %d, backend %d, ring %d, unit %d/%d/%d/%d",
		 w->device.frontend, w->device.backend, w->device.ring, w->unit.frontend,
		 w->unit.backend, w->unit.attach, w->unit.ring);
}

/* What takes time ends. */
static void time_passes(struct world *w)
{
	if (w->unit.attach == XO_ATTACH_PENDING)
		w->unit.attach = w->refuse ? XO_ATTACH_REFUSED : XO_ATTACH_HELD;
	if (w->unit.attach == XO_ATTACH_LEAVING)
		w->unit.attach = XO_ATTACH_NONE;
	if (w->unit.ring == XO_UNIT_ADDING)
		w->unit.ring = XO_UNIT_IN;
	if (w->unit.ring == XO_UNIT_REMOVING)
		w->unit.ring = XO_UNIT_OUT;
	if (w->device.ring == XO_RING_STARTING)
		w->device.ring = XO_RING_READY;
	if (w->device.ring == XO_RING_STOPPING) {
		w->device.ring = XO_RING_NONE;
		w->unit.used |= w->unit.ring != XO_UNIT_OUT;
		w->unit.ring = XO_UNIT_OUT;
	}
}

/* scsifront_backend_changed and scsifront_do_lun_hotplug */
static void frontend(struct world *w)
{
	enum xo_xenbus_state *state = &w->device.frontend;

	switch (w->device.backend) {
	case XO_XENBUS_CONNECTED:
	case XO_XENBUS_RECONFIGURED:
		if (*state != XO_XENBUS_INITIALISED && *state != XO_XENBUS_RECONFIGURING)
			break;
		if (w->unit.backend == XO_XENBUS_INITIALISED)
			w->unit.frontend = XO_XENBUS_CONNECTED;
		*state = XO_XENBUS_CONNECTED;
		break;
	case XO_XENBUS_RECONFIGURING:
		if (w->unit.backend == XO_XENBUS_CLOSING)
			w->unit.frontend = XO_XENBUS_CLOSED;
		*state = XO_XENBUS_RECONFIGURING;
		break;
	case XO_XENBUS_CLOSED:
	case XO_XENBUS_CLOSING:
		if (*state == XO_XENBUS_CONNECTED || *state == XO_XENBUS_CLOSING)
			*state = XO_XENBUS_CLOSED;
		break;
	case XO_XENBUS_INIT_WAIT:
		if (*state == XO_XENBUS_INITIALISING)
			*state = XO_XENBUS_INITIALISED;
		break;
	default:
		break;
	}
}

static void settle(struct world *w)
{
	for (unsigned int i = 0; i < 12; i++) {
		launcher(w);
		time_passes(w);
		launcher(w);
		frontend(w);
	}
}

static struct world made(void)
{
	return (struct world){
		.device = { .frontend = 1, .backend = 1, .online = true },
		.unit = { .backend = 1 },
	};
}

static void assert_in_use(const struct world *w)
{
	assert_int_equal(w->device.frontend, XO_XENBUS_CONNECTED);
	assert_int_equal(w->device.backend, XO_XENBUS_CONNECTED);
	assert_int_equal(w->device.ring, XO_RING_READY);
	assert_int_equal(w->unit.backend, XO_XENBUS_CONNECTED);
	assert_int_equal(w->unit.attach, XO_ATTACH_HELD);
	assert_int_equal(w->unit.ring, XO_UNIT_IN);
}

static void life(void **state)
{
	struct world w = made();

	(void)state;
	settle(&w);
	assert_in_use(&w);
	w.unit.backend = XO_XENBUS_CLOSING; /* the unit is to go */
	settle(&w);
	assert_int_equal(w.device.backend, XO_XENBUS_CONNECTED);
	assert_int_equal(w.unit.backend, XO_XENBUS_CLOSED);
	assert_int_equal(w.unit.attach, XO_ATTACH_NONE);
	w.unit = (struct xo_unit_facts){ .backend = 1 }; /* another comes */
	settle(&w);
	assert_in_use(&w);
	w.device.online = false;
	w.device.backend = XO_XENBUS_CLOSING;
	settle(&w);
	assert_int_equal(w.device.backend, XO_XENBUS_CLOSED);
	assert_int_equal(w.device.ring, XO_RING_NONE);
	assert_int_equal(w.unit.attach, XO_ATTACH_NONE);
}

static void refused_drive_does_not_keep_the_device(void **state)
{
	struct world w = made();

	(void)state;
	w.refuse = true;
	settle(&w);
	assert_int_equal(w.device.backend, XO_XENBUS_CONNECTED);
	assert_int_equal(w.unit.backend, XO_XENBUS_CLOSED);
	w.refuse = false; /* the drive was freed: the launcher tries again */
	w.unit.backend = XO_XENBUS_INITIALISING;
	w.unit.attach = XO_ATTACH_NONE;
	w.unit.frontend = XO_XENBUS_UNKNOWN;
	settle(&w);
	assert_in_use(&w);
}

/* Whatever a frontend did before: when it begins anew properly it is served, by a link without a past. */
static void rubbish_then_a_new_life(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		struct world w = made();

		for (unsigned int i = 0; i < 16; i++) {
			seed = seed * 1664525 + 1013904223;
			switch (seed >> 29) {
			case 0:
			case 1:
				w.device.frontend = (enum xo_xenbus_state)((seed >> 16) % 9);
				break;
			case 2:
				w.unit.frontend = (enum xo_xenbus_state)((seed >> 16) % 9);
				break;
			case 3:
				w.device.stale = w.device.ring != XO_RING_NONE;
				break;
			case 4:
				time_passes(&w);
				break;
			case 5: /* the launcher is killed; a ring worker that is not found is lost */
				if (!(seed >> 16 & 7) && w.device.ring != XO_RING_NONE) {
					w.device.ring = XO_RING_NONE;
					w.unit.ring = XO_UNIT_OUT;
					w.unit.used = true;
				}
				break;
			default:
				frontend(&w);
			}
			launcher(&w);
		}
		w.device.frontend = XO_XENBUS_INITIALISING;
		w.device.failed = false;
		w.unit.frontend = XO_XENBUS_UNKNOWN;
		if (w.unit.backend == XO_XENBUS_CLOSED)
			w.unit.backend = XO_XENBUS_INITIALISING;
		settle(&w);
		assert_in_use(&w);
		assert_false(w.unit.used);
		w.device.online = false;
		settle(&w);
		assert_int_equal(w.device.backend, XO_XENBUS_CLOSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_steps),
		cmocka_unit_test(unit_steps),
		cmocka_unit_test(life),
		cmocka_unit_test(refused_drive_does_not_keep_the_device),
		cmocka_unit_test(rubbish_then_a_new_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
