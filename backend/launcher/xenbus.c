/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend's half of xenbus: what comes next for a device and for a unit.
 * The handshakes are those that xen-scsifront expects (vscsiif.h, "Backend/frontend
 * protocol", and Linux drivers/scsi/xen-scsifront.c).
 */
#include "xenbus.h"

const char *xo_xenbus_state_name(enum xo_xenbus_state state)
{
	static const char *const names[] = {
		[XO_XENBUS_UNKNOWN] = "unknown",
		[XO_XENBUS_INITIALISING] = "initialising",
		[XO_XENBUS_INIT_WAIT] = "waiting",
		[XO_XENBUS_INITIALISED] = "initialised",
		[XO_XENBUS_CONNECTED] = "connected",
		[XO_XENBUS_CLOSING] = "closing",
		[XO_XENBUS_CLOSED] = "closed",
		[XO_XENBUS_RECONFIGURING] = "reconfiguring",
		[XO_XENBUS_RECONFIGURED] = "reconfigured",
	};

	return state <= XO_XENBUS_RECONFIGURED ? names[state] : "unknown";
}

static struct xo_unit_step unit(enum xo_unit_action action)
{
	return (struct xo_unit_step){ .action = action };
}

static struct xo_unit_step unit_switch(enum xo_xenbus_state state)
{
	return (struct xo_unit_step){ .action = XO_UNIT_SWITCH, .state = state };
}

static struct xo_unit_step unit_give_back(const struct xo_unit_facts *f)
{
	switch (f->attach) {
	case XO_ATTACH_PENDING:
	case XO_ATTACH_HELD:
		return unit(XO_UNIT_DETACH);
	case XO_ATTACH_LEAVING:
		return unit(XO_UNIT_WAIT);
	default:
		return unit(XO_UNIT_DONE);
	}
}

/* Out of the ring worker, then give the drive back. */
static struct xo_unit_step unit_take_out(const struct xo_unit_facts *f)
{
	switch (f->ring) {
	case XO_UNIT_IN:
		return unit(XO_UNIT_REMOVE);
	case XO_UNIT_ADDING:
	case XO_UNIT_REMOVING:
		return unit(XO_UNIT_WAIT);
	default:
		return unit_give_back(f);
	}
}

/* The same, ending in state 6. */
static struct xo_unit_step unit_close(const struct xo_unit_facts *f)
{
	struct xo_unit_step step = unit_take_out(f);

	return step.action == XO_UNIT_DONE ? unit_switch(XO_XENBUS_CLOSED) : step;
}

/* A unit in state 1 gets its drive; refused, it ends in state 6. DONE: it has it. */
static struct xo_unit_step unit_attach(const struct xo_unit_facts *f)
{
	switch (f->attach) {
	case XO_ATTACH_NONE:
		return unit(XO_UNIT_ATTACH);
	case XO_ATTACH_PENDING:
	case XO_ATTACH_LEAVING:
		return unit(XO_UNIT_WAIT);
	case XO_ATTACH_REFUSED:
		return unit_switch(XO_XENBUS_CLOSED);
	default:
		return unit(XO_UNIT_DONE);
	}
}

static struct xo_unit_step unit_hotplug(const struct xo_unit_facts *f)
{
	struct xo_unit_step step;

	if (f->backend == XO_XENBUS_CLOSING)
		return unit_close(f);
	if (f->backend == XO_XENBUS_CLOSED)
		return unit_take_out(f);
	if (f->backend != XO_XENBUS_INITIALISING)
		return unit(XO_UNIT_DONE);
	step = unit_attach(f);
	if (step.action != XO_UNIT_DONE)
		return step;
	switch (f->ring) {
	case XO_UNIT_OUT:
		return unit(XO_UNIT_ADD);
	case XO_UNIT_IN:
		return unit_switch(XO_XENBUS_INITIALISED);
	default:
		return unit(XO_UNIT_WAIT);
	}
}

static struct xo_unit_step unit_confirm(const struct xo_unit_facts *f)
{
	if (f->backend == XO_XENBUS_CLOSED)
		return unit_take_out(f);
	if (f->backend != XO_XENBUS_INITIALISED)
		return unit(XO_UNIT_DONE);
	if (f->frontend == XO_XENBUS_CONNECTED)
		return unit_switch(XO_XENBUS_CONNECTED);
	if (f->frontend == XO_XENBUS_CLOSED)
		return unit_close(f);
	return unit(XO_UNIT_DONE);
}

/* There is no ring worker. A link that one has used is given back: its successor begins with new tags. */
static struct xo_unit_step unit_reset(const struct xo_unit_facts *f)
{
	if (f->attach == XO_ATTACH_LEAVING)
		return unit(XO_UNIT_WAIT);
	if (f->used && f->attach == XO_ATTACH_HELD)
		return unit(XO_UNIT_DETACH);
	switch (f->backend) {
	case XO_XENBUS_CLOSING:
		return unit_close(f);
	case XO_XENBUS_INITIALISED:
	case XO_XENBUS_CONNECTED:
		return unit_switch(XO_XENBUS_INITIALISING);
	default:
		return unit(XO_UNIT_DONE);
	}
}

struct xo_unit_step xo_unit_next(const struct xo_unit_facts *f, enum xo_phase phase)
{
	if (f->backend == XO_XENBUS_UNKNOWN && phase != XO_PHASE_RELEASE)
		return unit_take_out(f);
	switch (phase) {
	case XO_PHASE_PREPARE:
		return f->backend == XO_XENBUS_INITIALISING ? unit_attach(f) : unit(XO_UNIT_DONE);
	case XO_PHASE_HOTPLUG:
		return unit_hotplug(f);
	case XO_PHASE_CONFIRM:
		return unit_confirm(f);
	case XO_PHASE_RESET:
		return unit_reset(f);
	default:
		return unit_give_back(f);
	}
}

static struct xo_device_step act(enum xo_device_action action)
{
	return (struct xo_device_step){ .action = action };
}

static struct xo_device_step to(const struct xo_device_facts *f, enum xo_xenbus_state state)
{
	if (f->backend == state)
		return act(XO_DEVICE_WAIT);
	return (struct xo_device_step){ .action = XO_DEVICE_SWITCH, .state = state };
}

/* True when the units are not yet through the phase; *step is what to do about it. */
static bool pending(const struct xo_device_facts *f, enum xo_phase phase,
		    struct xo_device_step *step)
{
	if (f->units[phase] == XO_PROGRESS_DONE)
		return false;
	*step = act(XO_DEVICE_WAIT);
	if (f->units[phase] == XO_PROGRESS_ACT)
		*step = (struct xo_device_step){ .action = XO_DEVICE_RUN, .phase = phase };
	return true;
}

/* True while there is a ring worker, which is stopped. */
static bool stopping(const struct xo_device_facts *f, struct xo_device_step *step)
{
	if (f->ring == XO_RING_NONE)
		return false;
	*step = act(f->ring == XO_RING_STOPPING ? XO_DEVICE_WAIT : XO_DEVICE_STOP);
	return true;
}

static bool is_connected(enum xo_xenbus_state frontend)
{
	return frontend == XO_XENBUS_INITIALISED || frontend == XO_XENBUS_CONNECTED ||
	       frontend == XO_XENBUS_RECONFIGURING || frontend == XO_XENBUS_RECONFIGURED;
}

/* Says Closing, if that was not said before, and waits. */
static struct xo_device_step say_closing(const struct xo_device_facts *f)
{
	return f->backend == XO_XENBUS_CLOSED ? act(XO_DEVICE_WAIT) : to(f, XO_XENBUS_CLOSING);
}

/*
 * The toolstack takes the device away, or it failed. A frontend that is told
 * removes its units first, with commands to them: the ring serves until it has closed.
 */
static struct xo_device_step closing(const struct xo_device_facts *f)
{
	bool told = is_connected(f->frontend) || f->frontend == XO_XENBUS_CLOSING;
	struct xo_device_step step;

	if (told && !f->failed && f->ring == XO_RING_READY && f->backend != XO_XENBUS_CLOSED)
		return to(f, XO_XENBUS_CLOSING);
	if (stopping(f, &step) || pending(f, XO_PHASE_RELEASE, &step))
		return step;
	return told ? say_closing(f) : to(f, XO_XENBUS_CLOSED);
}

/* The frontend is away, or wrote what is no state; it may come back. */
static struct xo_device_step frontend_away(const struct xo_device_facts *f)
{
	struct xo_device_step step;

	if (f->frontend == XO_XENBUS_CLOSING)
		return say_closing(f);
	if (stopping(f, &step))
		return step;
	if (f->backend != XO_XENBUS_CLOSED)
		return to(f, XO_XENBUS_CLOSED);
	if (pending(f, XO_PHASE_RESET, &step) || pending(f, XO_PHASE_PREPARE, &step))
		return step;
	return act(XO_DEVICE_WAIT);
}

/* The frontend begins. */
static struct xo_device_step begin(const struct xo_device_facts *f)
{
	struct xo_device_step step;

	if (stopping(f, &step) || pending(f, XO_PHASE_RESET, &step) ||
	    pending(f, XO_PHASE_PREPARE, &step))
		return step;
	return to(f, XO_XENBUS_INIT_WAIT);
}

/* The frontend has told its ring, and no ring worker serves it. */
static struct xo_device_step connect(const struct xo_device_facts *f)
{
	struct xo_device_step step;
	bool fresh = f->frontend == XO_XENBUS_INITIALISED;

	switch (f->backend) {
	case XO_XENBUS_CLOSING:
	case XO_XENBUS_CLOSED:
		return fresh ? begin(f) : act(XO_DEVICE_WAIT);
	case XO_XENBUS_CONNECTED:
	case XO_XENBUS_RECONFIGURING:
	case XO_XENBUS_RECONFIGURED:
		/* It began anew faster than its states were seen here, or the ring's ledger is lost. */
		return fresh ? begin(f) : act(XO_DEVICE_LOST);
	case XO_XENBUS_INIT_WAIT:
		if (pending(f, XO_PHASE_RESET, &step) || pending(f, XO_PHASE_PREPARE, &step))
			return step;
		return act(XO_DEVICE_START);
	default:
		return begin(f);
	}
}

/* The ring worker serves and the frontend is connected or about to be. */
static struct xo_device_step serve(const struct xo_device_facts *f)
{
	struct xo_device_step step;

	switch (f->frontend) {
	case XO_XENBUS_INITIALISED:
		return pending(f, XO_PHASE_HOTPLUG, &step) ? step : to(f, XO_XENBUS_CONNECTED);
	case XO_XENBUS_RECONFIGURING:
		return pending(f, XO_PHASE_HOTPLUG, &step) ? step : to(f, XO_XENBUS_RECONFIGURED);
	case XO_XENBUS_CONNECTED:
		break;
	default:
		return act(XO_DEVICE_WAIT);
	}
	if (f->units[XO_PHASE_CONFIRM] == XO_PROGRESS_ACT && pending(f, XO_PHASE_CONFIRM, &step))
		return step;
	if (f->units[XO_PHASE_PREPARE] == XO_PROGRESS_ACT && pending(f, XO_PHASE_PREPARE, &step))
		return step;
	switch (f->backend) {
	case XO_XENBUS_CONNECTED:
		/* Units came or are to go: the frontend looks when it sees state 7. */
		return f->units[XO_PHASE_HOTPLUG] == XO_PROGRESS_ACT
			       ? to(f, XO_XENBUS_RECONFIGURING)
			       : act(XO_DEVICE_WAIT);
	case XO_XENBUS_RECONFIGURING:
		return act(XO_DEVICE_WAIT);
	case XO_XENBUS_RECONFIGURED:
		return to(f, XO_XENBUS_CONNECTED);
	case XO_XENBUS_CLOSING:
	case XO_XENBUS_CLOSED:
		return act(XO_DEVICE_STOP);
	default: /* the frontend went on to 4 by itself */
		return pending(f, XO_PHASE_HOTPLUG, &step) ? step : to(f, XO_XENBUS_CONNECTED);
	}
}

struct xo_device_step xo_device_next(const struct xo_device_facts *f)
{
	struct xo_device_step step;

	if (f->failed || !f->online)
		return closing(f);
	if (f->frontend == XO_XENBUS_INITIALISING || f->frontend == XO_XENBUS_INIT_WAIT)
		return begin(f);
	if (!is_connected(f->frontend))
		return frontend_away(f);
	if (f->stale && stopping(f, &step))
		return step;
	if (f->ring == XO_RING_NONE)
		return connect(f);
	return f->ring == XO_RING_READY ? serve(f) : act(XO_DEVICE_WAIT);
}
