// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frontend's half of xenbus: 1, then the ring's nodes and 3, then 4, and the
 * way back by 5 and 6. An earlier connection that was left behind is undone
 * first, the way a kernel does after kexec.
 */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

const char *xo_front_state_name(unsigned int state)
{
	static const char *const names[] = {
		[XenbusStateUnknown] = "unknown",
		[XenbusStateInitialising] = "initialising",
		[XenbusStateInitWait] = "waiting",
		[XenbusStateInitialised] = "initialised",
		[XenbusStateConnected] = "connected",
		[XenbusStateClosing] = "closing",
		[XenbusStateClosed] = "closed",
		[XenbusStateReconfiguring] = "reconfiguring",
		[XenbusStateReconfigured] = "reconfigured",
	};

	return names[state < XO_ARRAY_SIZE(names) ? state : 0];
}

static void write_state(struct xo_front *front, unsigned int state)
{
	int r = xo_store_write_number(front->xs, XBT_NULL, front->path, "state", state);

	if (r < 0)
		xo_front_say(front, "%s/state: cannot be written: %s", front->path, strerror(-r));
	front->state = state;
}

static unsigned int backend_state(struct xo_front *front)
{
	return xo_store_state(front->xs, front->backend, "state");
}

/* The backend's own words for why it closed, or what else is known. */
static void say_refused(struct xo_front *front)
{
	char why[XO_FRONT_ERROR_MAX / 2];

	(void)xo_store_text(front->xs, front->backend, "error", why, sizeof(why));
	xo_front_say(front, "%s: the backend in domain %u closed the device%s%s", front->path,
		     front->backend_id, why[0] ? ": " : "", why);
}

static void watch(struct xo_front *front, const char *dir, bool on)
{
	char path[XO_FRONT_PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/state", dir);
	if (on)
		(void)xs_watch(front->xs, path, "state");
	else
		(void)xs_unwatch(front->xs, path, "state");
}

/* Where the device's nodes say that its backend is. */
static int find_backend(struct xo_front *front)
{
	char backend[XO_FRONT_PATH_MAX];
	uint32_t id = xo_store_number(front->xs, front->path, "backend-id",
				      DOMID_FIRST_RESERVED - 1, UINT32_MAX);

	if (!xo_store_text(front->xs, front->path, "backend", backend, sizeof(backend)) ||
	    backend[0] != '/' || id == UINT32_MAX) {
		xo_front_say(front,
			     "%s: no such device in this guest; `xenoptic-guest info` lists "
			     "what there is",
			     front->path);
		return -ENODEV;
	}
	if (strcmp(backend, front->backend) != 0) {
		if (front->backend[0])
			watch(front, front->backend, false);
		memcpy(front->backend, backend, sizeof(backend));
		watch(front, front->backend, true);
	}
	front->backend_id = id;
	return 0;
}

int xo_handshake_start(struct xo_front *front)
{
	int r = find_backend(front);

	if (r < 0)
		return r;
	watch(front, front->path, true);
	front->state = xo_store_state(front->xs, front->path, "state");
	xo_units_read(front);
	if (front->state == XenbusStateInitialising) {
		front->phase = XO_PHASE_BEGIN;
	} else {
		front->phase = XO_PHASE_SETTLE;
		if (front->state != XenbusStateClosed)
			write_state(front, XenbusStateClosing);
	}
	xo_handshake_step(front);
	return 0;
}

/* One page as ring-ref; of the class vcd, several as ring-ref0, ring-ref1 … */
static int write_ring(struct xo_front *front, xs_transaction_t t)
{
	char node[32];
	int r = 0;

	if (front->vcd)
		r = xo_store_write_number(front->xs, t, front->path, "ring-page-order",
					  (uint32_t)__builtin_ctz(front->ring_pages));
	if (r == 0 && front->ring_pages == 1)
		return xo_store_write_number(front->xs, t, front->path, "ring-ref",
					     front->ring_refs[0]);
	for (unsigned int i = 0; i < front->ring_pages && r == 0; i++) {
		(void)snprintf(node, sizeof(node), "ring-ref%u", i);
		r = xo_store_write_number(front->xs, t, front->path, node, front->ring_refs[i]);
	}
	return r;
}

/* The first as event-channel; of the class vcd, more as event-channel1, event-channel2 … */
static int write_channels(struct xo_front *front, xs_transaction_t t)
{
	char node[32];
	int r = xo_store_write_number(front->xs, t, front->path, "event-channel", front->ports[0]);

	if (r == 0 && front->vcd)
		r = xo_store_write_number(front->xs, t, front->path, "event-channels",
					  front->channels);
	for (unsigned int i = 1; i < front->channels && r == 0; i++) {
		(void)snprintf(node, sizeof(node), "event-channel%u", i);
		r = xo_store_write_number(front->xs, t, front->path, node, front->ports[i]);
	}
	return r;
}

static int write_features(struct xo_front *front, xs_transaction_t t)
{
	int r;

	if (!front->vcd)
		return 0;
	r = xo_store_write_number(front->xs, t, front->path, "feature-persistent",
				  front->persistent);
	return r ? r
		 : xo_store_write_number(front->xs, t, front->path, "feature-media-events",
					 front->media_events);
}

/* The transaction's part: everything the backend needs to connect, and the state that says so. */
static int write_offer(struct xo_front *front, xs_transaction_t t)
{
	int r;

	r = write_ring(front, t);
	if (r == 0)
		r = write_features(front, t);
	if (r == 0)
		r = write_channels(front, t);
	if (r == 0)
		r = xo_store_write(front->xs, t, front->path, "protocol", XEN_IO_PROTO_ABI_NATIVE);
	if (r == 0)
		r = xo_store_write_number(front->xs, t, front->path, "state",
					  XenbusStateInitialised);
	return r;
}

static int publish_offer(struct xo_front *front)
{
	xs_transaction_t t;
	int r;

	for (int tries = 0; tries < 16; tries++) {
		t = xs_transaction_start(front->xs);
		if (t == XBT_NULL)
			return -errno;
		r = write_offer(front, t);
		if (xs_transaction_end(front->xs, t, r < 0))
			return r;
		if (errno != EAGAIN)
			return -errno;
	}
	return -EAGAIN;
}

/* What the class vcd has beyond vscsi (xenstore-schemas/optical.json). */
static void negotiate_vcd(struct xo_front *front)
{
	uint32_t order = xo_store_number(front->xs, front->backend, "max-ring-page-order", 2, 0);
	uint32_t bytes = xo_store_number(front->xs, front->backend, "max-transfer", UINT32_MAX, 0);

	front->ring_pages = 1u << order;
	front->channels =
		xo_store_number(front->xs, front->backend, "max-event-channels", UINT32_MAX, 1);
	front->channels = XO_MAX(XO_MIN(front->channels, XO_FRONT_CHANNELS), 1u);
	if (bytes >= XO_FRONT_PAGE)
		front->max_transfer =
			XO_MIN(front->max_transfer, bytes / XO_FRONT_PAGE * XO_FRONT_PAGE);
	front->persistent =
		xo_store_number(front->xs, front->backend, "feature-persistent", 1, 0) != 0;
	front->media_events = front->options.event && xo_store_number(front->xs, front->backend,
								      "feature-media-events", 1, 0);
}

/* What the backend takes in one request, cut to what was asked for; whole pages. */
static void negotiate(struct xo_front *front)
{
	uint32_t segments;

	front->ring_pages = 1;
	front->channels = 1;
	front->persistent = front->media_events = false;

	front->sg_grant =
		xo_store_number(front->xs, front->backend, "feature-sg-grant", UINT16_MAX, 0);
	segments = XO_MAX(front->sg_grant, VSCSIIF_SG_TABLESIZE);
	front->max_transfer = XO_MIN(front->options.slot_size, segments * XO_FRONT_PAGE);
	if (front->vcd)
		negotiate_vcd(front);
}

static void offer(struct xo_front *front)
{
	int r;

	negotiate(front);
	r = xo_ring_open(front);
	if (r < 0) {
		xo_front_say(front,
			     "%s: no shared page or event channel: %s; are /dev/xen/gntalloc and "
			     "/dev/xen/evtchn there (modprobe xen-gntalloc xen-evtchn)?",
			     front->path, strerror(-r));
	} else {
		r = xo_pool_new(&front->pool, front);
		if (r < 0)
			xo_front_say(front, "%s: no pages to share: %s", front->path, strerror(-r));
	}
	if (r == 0) {
		r = xo_front_watch_events(front);
		if (r == 0)
			r = publish_offer(front);
		if (r < 0)
			xo_front_say(front, "%s: cannot offer the ring: %s", front->path,
				     strerror(-r));
	}
	if (r < 0) {
		xo_handshake_close(front, XO_PHASE_BROKEN);
		return;
	}
	front->state = XenbusStateInitialised;
	front->phase = XO_PHASE_OFFER;
}

/* What an earlier user of the device left: 5, then 6, then 1, each when the backend has followed. */
static void settle(struct xo_front *front, unsigned int theirs)
{
	bool away = theirs == XenbusStateInitialising || theirs == XenbusStateInitWait;

	/* A backend in state 2 may be about to take the ring of whoever was killed: it has to follow. */
	if (front->state == XenbusStateClosing &&
	    (theirs == XenbusStateClosing || theirs == XenbusStateClosed))
		write_state(front, XenbusStateClosed);
	if (front->state == XenbusStateClosed && (away || theirs == XenbusStateClosed)) {
		write_state(front, XenbusStateInitialising);
		front->phase = XO_PHASE_BEGIN;
	}
}

static void connected(struct xo_front *front)
{
	if (front->media_events && front->phase == XO_PHASE_OFFER)
		xo_units_watch(front, true);
	xo_units_confirm(front);
	front->phase = XO_PHASE_USE;
	front->error[0] = '\0';
	write_state(front, XenbusStateConnected);
}

/* The backend has let go of the ring, or never took it. */
static void lost(struct xo_front *front)
{
	say_refused(front);
	xo_front_drop(front, XO_TRANSPORT_NO_CONNECT);
	write_state(front, XenbusStateClosed);
	front->phase = XO_PHASE_CLOSED;
}

static void use(struct xo_front *front, unsigned int theirs)
{
	switch (theirs) {
	case XenbusStateConnected:
		xo_units_events(front);
		if (front->state == XenbusStateReconfiguring)
			connected(front);
		break;
	case XenbusStateReconfiguring: /* units go */
		if (front->state == XenbusStateConnected) {
			xo_units_confirm(front);
			write_state(front, XenbusStateReconfiguring);
		}
		break;
	case XenbusStateReconfigured: /* units came */
		if (front->state == XenbusStateReconfiguring)
			connected(front);
		break;
	default:
		lost(front);
		break;
	}
}

static void ours_changed(struct xo_front *front)
{
	/* Somebody made the device anew (restore, migration): nothing of the old one is there. */
	xo_front_drop(front, XO_TRANSPORT_NO_CONNECT);
	front->state = XenbusStateInitialising;
	front->phase = find_backend(front) < 0 ? XO_PHASE_BROKEN : XO_PHASE_BEGIN;
}

static void one_step(struct xo_front *front)
{
	unsigned int theirs = backend_state(front);
	bool gone = theirs == XenbusStateClosing || theirs == XenbusStateClosed ||
		    theirs == XenbusStateUnknown;

	if (front->state != XenbusStateInitialising &&
	    xo_store_state(front->xs, front->path, "state") == XenbusStateInitialising) {
		ours_changed(front);
		return;
	}
	switch (front->phase) {
	case XO_PHASE_SETTLE:
		settle(front, theirs);
		break;
	case XO_PHASE_BEGIN:
		if (theirs == XenbusStateInitWait)
			offer(front);
		break;
	case XO_PHASE_OFFER:
		if (theirs == XenbusStateConnected)
			connected(front);
		else if (gone)
			lost(front);
		break;
	case XO_PHASE_USE:
		use(front, theirs);
		break;
	case XO_PHASE_CLOSING:
	case XO_PHASE_BROKEN:
		if (gone && front->state == XenbusStateClosing) {
			xo_front_drop(front, XO_TRANSPORT_NO_CONNECT);
			write_state(front, XenbusStateClosed);
		}
		break;
	case XO_PHASE_CLOSED:
		if (front->options.reconnect &&
		    (theirs == XenbusStateClosed || theirs == XenbusStateInitWait)) {
			write_state(front, XenbusStateInitialising);
			front->phase = XO_PHASE_BEGIN;
		}
		break;
	default:
		break;
	}
}

void xo_handshake_step(struct xo_front *front)
{
	enum xo_front_phase before;
	unsigned int state;

	/* One step may allow the next: none of them goes in circles without the backend. */
	for (int i = 0; i < 8; i++) {
		before = front->phase;
		state = front->state;
		one_step(front);
		if (front->phase == before && front->state == state)
			break;
	}
}

void xo_handshake_close(struct xo_front *front, enum xo_front_phase phase)
{
	front->phase = phase;
	if (front->state != XenbusStateClosed && front->state != XenbusStateClosing)
		write_state(front, XenbusStateClosing);
}

bool xo_handshake_ended(struct xo_front *front)
{
	unsigned int theirs = backend_state(front);

	return theirs != XenbusStateConnected && theirs != XenbusStateReconfiguring &&
	       theirs != XenbusStateReconfigured && theirs != XenbusStateInitialised;
}
