// SPDX-License-Identifier: GPL-2.0-or-later
/* A backend that does what a test tells it. */
#include "fake_backend.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/bytes.h"

#define PAGE 4096

void fake_become(unsigned int domid)
{
	const char *dir = getenv("XENOPTIC_LOOPBACK_DIR");
	char text[16], path[512];

	assert_non_null(dir);
	(void)snprintf(text, sizeof(text), "%u", domid);
	setenv("XENOPTIC_LOOPBACK_DOMID", text, 1);
	if (domid == 0)
		(void)snprintf(path, sizeof(path), "%s/socket", dir);
	else
		(void)snprintf(path, sizeof(path), "%s/xenbus-%u", dir, domid);
	setenv("XENSTORED_PATH", path, 1);
	setenv("XENOPTIC_RUNDIR", dir, 1);
}

void fake_write(struct fake *fake, const char *dir, const char *node, const char *value)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, node);
	assert_true(xs_write(fake->xs, XBT_NULL, path, value, (unsigned int)strlen(value)));
}

unsigned int fake_read(struct fake *fake, const char *dir, const char *node)
{
	char path[256], *value;
	unsigned int length, number;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, node);
	value = xs_read(fake->xs, XBT_NULL, path, &length);
	number = value ? (unsigned int)strtoul(value, NULL, 10) : 0;
	free(value);
	return number;
}

void fake_write_number(struct fake *fake, const char *dir, const char *node, unsigned int value)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", value);
	fake_write(fake, dir, node, text);
}

void fake_state(struct fake *fake, unsigned int state)
{
	fake_write_number(fake, FAKE_BACKEND, "state", state);
}

void fake_unit_state(struct fake *fake, unsigned int state)
{
	fake_write_number(fake, FAKE_BACKEND "/vscsi-devs/dev-0", "state", state);
}

static void make_directory(struct fake *fake, const char *path, unsigned int owner,
			   unsigned int reader)
{
	struct xs_permissions permissions[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	(void)xs_rm(fake->xs, XBT_NULL, path);
	assert_true(xs_mkdir(fake->xs, XBT_NULL, path));
	assert_true(xs_set_permissions(fake->xs, XBT_NULL, path, permissions, 2));
}

static void open_all(struct fake *fake, const char *frontend)
{
	memset(fake, 0, sizeof(*fake));
	fake->frontend = frontend;
	fake_become(0);
	fake->xs = xs_open(0);
	fake->gnttab = xengnttab_open(NULL, 0);
	fake->evtchn = xenevtchn_open(NULL, 0);
	assert_non_null(fake->xs);
	assert_non_null(fake->gnttab);
	assert_non_null(fake->evtchn);
	assert_int_equal(fcntl(xenevtchn_fd(fake->evtchn), F_SETFL, O_NONBLOCK), 0);
	make_directory(fake, FAKE_BACKEND, 0, FAKE_DOMID);
	make_directory(fake, fake->frontend, FAKE_DOMID, 0);
	fake_write(fake, FAKE_BACKEND, "frontend", fake->frontend);
}

static void make_device(struct fake *fake, unsigned int sg_grant)
{
	fake_write_number(fake, FAKE_BACKEND, "feature-sg-grant", sg_grant);
	fake_write(fake, FAKE_BACKEND, "vscsi-devs/dev-0/p-dev", "virtual:test");
	fake_write(fake, FAKE_BACKEND, "vscsi-devs/dev-0/v-dev", "0:0:2:1");
	fake_unit_state(fake, XenbusStateInitialising);
	fake_state(fake, XenbusStateInitialising);
	fake_write(fake, fake->frontend, "backend", FAKE_BACKEND);
	fake_write(fake, fake->frontend, "backend-id", "0");
	fake_write(fake, fake->frontend, "state", "1");
	fake_become(FAKE_DOMID);
}

void fake_new(struct fake *fake, unsigned int sg_grant)
{
	open_all(fake, FAKE_VSCSI);
	make_device(fake, sg_grant);
}

void fake_new_vcd(struct fake *fake, unsigned int order, unsigned int max_transfer)
{
	open_all(fake, FAKE_VCD);
	fake_write_number(fake, FAKE_BACKEND, "max-ring-page-order", order);
	fake_write_number(fake, FAKE_BACKEND, "max-transfer", max_transfer);
	if (order)
		fake_write_number(fake, FAKE_BACKEND, "max-event-channels", 5);
	fake_write(fake, FAKE_BACKEND, "feature-persistent", "1");
	fake_write(fake, FAKE_BACKEND, "feature-media-events", "1");
	make_device(fake, 128);
}

void fake_disconnect(struct fake *fake)
{
	if (!fake->shared)
		return;
	assert_int_equal(xengnttab_unmap(fake->gnttab, fake->shared, fake->pages), 0);
	while (fake->channels)
		(void)xenevtchn_unbind(fake->evtchn, fake->ports[--fake->channels]);
	fake->shared = NULL;
}

void fake_free(struct fake *fake)
{
	fake_disconnect(fake);
	(void)xs_rm(fake->xs, XBT_NULL, FAKE_BACKEND);
	(void)xs_rm(fake->xs, XBT_NULL, fake->frontend);
	xenevtchn_close(fake->evtchn);
	xengnttab_close(fake->gnttab);
	xs_close(fake->xs);
}

static void bind_channels(struct fake *fake)
{
	unsigned int count = strcmp(fake->frontend, FAKE_VCD) == 0
				     ? fake_read(fake, fake->frontend, "event-channels")
				     : 1;
	char node[20] = "event-channel";

	assert_in_range(count, 1, XO_FRONT_CHANNELS);
	for (fake->channels = 0; fake->channels < count; fake->channels++) {
		xenevtchn_port_or_error_t port;

		if (fake->channels)
			(void)snprintf(node, sizeof(node), "event-channel%u", fake->channels % 10);
		port = xenevtchn_bind_interdomain(fake->evtchn, FAKE_DOMID,
						  fake_read(fake, fake->frontend, node));
		assert_true(port > 0);
		fake->ports[fake->channels] = (evtchn_port_t)port;
	}
}

void fake_connect(struct fake *fake)
{
	unsigned int order = fake_read(fake, fake->frontend, "ring-page-order");
	uint32_t refs[XO_FRONT_RING_PAGES];
	char node[16];

	assert_in_range(order, 0, 2);
	fake->pages = 1u << order;
	refs[0] = fake_read(fake, fake->frontend, "ring-ref");
	for (unsigned int i = 0; order && i < fake->pages; i++) {
		(void)snprintf(node, sizeof(node), "ring-ref%u", i % 10);
		refs[i] = fake_read(fake, fake->frontend, node);
	}
	fake->shared = xengnttab_map_domain_grant_refs(fake->gnttab, fake->pages, FAKE_DOMID, refs,
						       PROT_READ | PROT_WRITE);
	assert_non_null(fake->shared);
	bind_channels(fake);
	fake->ring = (struct vscsiif_back_ring){
		.nr_ents = (unsigned int)__RING_SIZE(fake->shared, (long)fake->pages * PAGE),
		.sring = fake->shared,
	};
}

bool fake_take(struct fake *fake, struct vscsiif_request *request)
{
	xen_rmb();
	if (fake->ring.req_cons == fake->shared->req_prod)
		return false;
	RING_COPY_REQUEST(&fake->ring, fake->ring.req_cons, request);
	fake->ring.req_cons++;
	fake->shared->req_event = fake->ring.req_cons + 1;
	return true;
}

void fake_notify(struct fake *fake)
{
	assert_int_equal(xenevtchn_notify(fake->evtchn, fake->ports[0]), 0);
}

void fake_put(struct fake *fake, const struct vscsiif_response *response)
{
	*RING_GET_RESPONSE(&fake->ring, fake->ring.rsp_prod_pvt) = *response;
	fake->ring.rsp_prod_pvt++;
	RING_PUSH_RESPONSES(&fake->ring);
	fake_notify(fake);
}

void fake_overrun(struct fake *fake, unsigned int by)
{
	fake->shared->rsp_prod += by;
	fake_notify(fake);
}

void fake_good(struct fake *fake, const struct vscsiif_request *request)
{
	struct vscsiif_response response = { .rqid = request->rqid };

	fake_put(fake, &response);
}

static void copy_one(struct fake *fake, const struct scsiif_request_segment *segment, void *data,
		     uint32_t length, bool to_guest)
{
	xengnttab_grant_copy_segment_t copy = { .len = (uint16_t)length };

	if (to_guest) {
		copy.source.virt = data;
		copy.dest.foreign.ref = segment->gref;
		copy.dest.foreign.offset = segment->offset;
		copy.dest.foreign.domid = FAKE_DOMID;
		copy.flags = GNTCOPY_dest_gref;
	} else {
		copy.dest.virt = data;
		copy.source.foreign.ref = segment->gref;
		copy.source.foreign.offset = segment->offset;
		copy.source.foreign.domid = FAKE_DOMID;
		copy.flags = GNTCOPY_source_gref;
	}
	assert_int_equal(xengnttab_grant_copy(fake->gnttab, 1, &copy), 0);
	assert_int_equal(copy.status, GNTST_okay);
}

uint32_t fake_copy(struct fake *fake, const struct vscsiif_request *request, void *data,
		   uint32_t size, bool to_guest)
{
	struct scsiif_request_segment segments[VSCSIIF_SG_PER_PAGE];
	unsigned int count = request->nr_segments;
	uint8_t *at = data;
	uint32_t done = 0;

	assert_in_range(count & ~VSCSIIF_SG_GRANT, 0, VSCSIIF_SG_TABLESIZE);
	memcpy(segments, request->seg, sizeof(request->seg));
	if (count & VSCSIIF_SG_GRANT) {
		assert_int_equal(count, VSCSIIF_SG_GRANT | 1);
		copy_one(fake, &request->seg[0], segments, request->seg[0].length, false);
		count = request->seg[0].length / (unsigned int)sizeof(segments[0]);
	}
	for (unsigned int i = 0; i < count; i++) {
		uint32_t length = XO_MIN(segments[i].length, size - done);

		if (length)
			copy_one(fake, &segments[i], at + done, length, to_guest);
		done += length;
	}
	return done;
}
