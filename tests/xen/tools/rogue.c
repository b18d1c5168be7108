// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A backend of the class vcd that breaks the protocol: what xen-cdfront must outlive.
 *
 * usage: rogue DOMID DEVID MODE
 * Makes the device's nodes (backend kind "rogue", so that nobody else serves it), connects, and answers as an empty
 * drive until the guest sends MECHANISM STATUS (BDh): then it does what MODE says. Prints "connected" and "provoked".
 */
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#define xen_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#include <xen/xen.h>
#include <xen/io/ring.h>
#include <xen/io/vscsiif.h>

#define PAGE 4096
#define TRIGGER 0xbd
#define NOBODYS_ID 0xfff0
#define STORM_SECONDS 5
#define STATE_CHANGES 400

struct rogue {
	uint32_t domid;
	const struct mode *mode;
	char backend[128], frontend[128];
	struct xs_handle *xs;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	evtchn_port_t port;
	struct vscsiif_back_ring ring;
	bool connected;
	bool deaf; /* answers nothing any more */
	unsigned int changes; /* of states, to come */
	bool hasty; /* no ABORT succeeds, and a RESET before all commands have ended */
};

struct mode {
	const char *name;
	void (*provoke)(struct rogue *rogue, const struct vscsiif_request *request);
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- xenstore --- */

static void put(struct rogue *rogue, const char *dir, const char *node, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, node);
	if (!xs_write(rogue->xs, XBT_NULL, path, value, (unsigned int)strlen(value)))
		die(path);
}

static unsigned int get(struct rogue *rogue, const char *dir, const char *node)
{
	char path[256];
	unsigned int length, number = 0;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", dir, node);
	text = xs_read(rogue->xs, XBT_NULL, path, &length);
	if (text)
		number = (unsigned int)strtoul(text, NULL, 10);
	free(text);
	return number;
}

static void make_directory(struct rogue *rogue, const char *path, uint32_t owner, uint32_t reader)
{
	struct xs_permissions permissions[] = { { owner, XS_PERM_NONE }, { reader, XS_PERM_READ } };

	if (!xs_mkdir(rogue->xs, XBT_NULL, path) ||
	    !xs_set_permissions(rogue->xs, XBT_NULL, path, permissions, 2))
		die(path);
}

static void make_nodes(struct rogue *rogue)
{
	char domid[16];

	snprintf(domid, sizeof(domid), "%u", rogue->domid);
	make_directory(rogue, rogue->backend, 0, rogue->domid);
	make_directory(rogue, rogue->frontend, rogue->domid, 0);
	put(rogue, rogue->backend, "frontend", rogue->frontend);
	put(rogue, rogue->backend, "frontend-id", domid);
	put(rogue, rogue->backend, "feature-sg-grant", "128");
	put(rogue, rogue->backend, "max-transfer", "524288");
	put(rogue, rogue->backend, "feature-media-events", "1");
	put(rogue, rogue->backend, "vscsi-devs/dev-0/v-dev", "0:0:0:0");
	put(rogue, rogue->backend, "vscsi-devs/dev-0/state", "3");
	put(rogue, rogue->backend, "state", "2");
	put(rogue, rogue->frontend, "backend-id", "0");
	put(rogue, rogue->frontend, "backend", rogue->backend);
	put(rogue, rogue->frontend, "state", "1");
}

static void connect_ring(struct rogue *rogue)
{
	int port = (int)get(rogue, rogue->frontend, "event-channel");
	void *page = xengnttab_map_grant_ref(rogue->gnttab, rogue->domid,
					     get(rogue, rogue->frontend, "ring-ref"),
					     PROT_READ | PROT_WRITE);

	if (!page)
		die("ring-ref");
	BACK_RING_INIT(&rogue->ring, (struct vscsiif_sring *)page, PAGE);
	port = xenevtchn_bind_interdomain(rogue->evtchn, rogue->domid, (evtchn_port_t)port);
	if (port < 0)
		die("event-channel");
	rogue->port = (evtchn_port_t)port;
	rogue->connected = true;
	put(rogue, rogue->backend, "state", "4");
	puts("connected");
}

/* --- answers --- */

static struct vscsiif_response *next(struct rogue *rogue)
{
	struct vscsiif_response *response =
		RING_GET_RESPONSE(&rogue->ring, rogue->ring.rsp_prod_pvt);

	rogue->ring.rsp_prod_pvt++;
	memset(response, 0, sizeof(*response));
	return response;
}

static void push(struct rogue *rogue)
{
	RING_PUSH_RESPONSES(&rogue->ring);
	xenevtchn_notify(rogue->evtchn, rogue->port);
}

static void answer_sense(struct rogue *rogue, uint16_t id, uint8_t key, uint8_t asc)
{
	struct vscsiif_response *response = next(rogue);

	response->rqid = id;
	response->rslt = 2;
	response->sense_len = 18;
	response->sense_buffer[0] = 0x70;
	response->sense_buffer[2] = key;
	response->sense_buffer[7] = 10;
	response->sense_buffer[12] = asc;
	push(rogue);
}

static void answer_inquiry(struct rogue *rogue, const struct vscsiif_request *request)
{
	static const uint8_t inquiry[36] = "\x05\x80\x05\x02\x1f\0\0\0XENOPTICROGUE           1.0 ";
	uint8_t *page = xengnttab_map_grant_ref(rogue->gnttab, rogue->domid, request->seg[0].gref,
						PROT_READ | PROT_WRITE);
	struct vscsiif_response *response;

	if (!page)
		die("data");
	memcpy(page + request->seg[0].offset, inquiry, sizeof(inquiry));
	xengnttab_unmap(rogue->gnttab, page, 1);
	response = next(rogue);
	response->rqid = request->rqid;
	if (request->seg[0].length > sizeof(inquiry))
		response->residual_len = request->seg[0].length - (uint32_t)sizeof(inquiry);
	push(rogue);
}

/* An ABORT or RESET. */
static void answer_management(struct rogue *rogue, const struct vscsiif_request *request)
{
	bool fails = rogue->hasty && request->act == VSCSIIF_ACT_SCSI_ABORT;
	struct vscsiif_response *response;

	if (rogue->hasty && !fails)
		answer_sense(rogue, request->ref_rqid, 2, 0x3a);
	response = next(rogue);
	response->rqid = request->rqid;
	response->rslt = fails ? XEN_VSCSIIF_RSLT_RESET_FAILED : XEN_VSCSIIF_RSLT_RESET_SUCCESS;
	push(rogue);
}

static void answer(struct rogue *rogue, const struct vscsiif_request *request)
{
	if (request->act != VSCSIIF_ACT_SCSI_CDB) {
		answer_management(rogue, request);
	} else if (request->cmnd[0] == TRIGGER) {
		puts("provoked");
		rogue->mode->provoke(rogue, request);
	} else if (request->cmnd[0] == 0x12 && !(request->cmnd[1] & 1)) {
		answer_inquiry(rogue, request);
	} else if (request->cmnd[0] == 0x00 || request->cmnd[0] == 0x25) {
		answer_sense(rogue, request->rqid, 2, 0x3a);
	} else {
		answer_sense(rogue, request->rqid, 5, 0x20);
	}
}

/* --- what it does wrong --- */

static void wrong_id(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)request;
	answer_sense(rogue, NOBODYS_ID, 2, 0x3a);
}

static void idle_id(struct rogue *rogue, const struct vscsiif_request *request)
{
	answer_sense(rogue, (uint16_t)(request->rqid ^ 1), 2, 0x3a);
}

static void repeat(struct rogue *rogue, const struct vscsiif_request *request)
{
	answer_sense(rogue, request->rqid, 2, 0x3a);
	rogue->ring.req_cons++; /* what it counts as a second request; the index stays plausible */
	answer_sense(rogue, request->rqid, 2, 0x3a);
}

static void overrun(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)request;
	rogue->ring.rsp_prod_pvt += 1000;
	push(rogue);
}

static void backwards(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)request;
	rogue->ring.rsp_prod_pvt -= 3;
	push(rogue);
}

/* One true answer, then an index that says more and takes it back, for as long as the guest looks. */
static void flicker(struct rogue *rogue, const struct vscsiif_request *request)
{
	volatile RING_IDX *index = &rogue->ring.sring->rsp_prod;
	time_t end = time(NULL) + STORM_SECONDS;

	answer_sense(rogue, request->rqid, 2, 0x3a);
	while (time(NULL) < end) {
		*index = rogue->ring.rsp_prod_pvt + 1;
		xenevtchn_notify(rogue->evtchn, rogue->port);
		*index = rogue->ring.rsp_prod_pvt;
	}
}

/* Numbers that are too large, which the guest clamps: the device goes on. */
static void lengths(struct rogue *rogue, const struct vscsiif_request *request)
{
	struct vscsiif_response *response = next(rogue);

	memset(response, 0xff, sizeof(*response));
	response->rqid = request->rqid;
	push(rogue);
}

static void silent(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)request;
	rogue->deaf = true;
}

/* The ABORT is answered, its command never. */
static void unanswered(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)rogue;
	(void)request;
}

/* With two commands: the RESET is answered, and only the command that it names. */
static void hasty(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)request;
	rogue->hasty = true;
}

static void storm(struct rogue *rogue, const struct vscsiif_request *request)
{
	time_t end = time(NULL) + STORM_SECONDS;

	while (time(NULL) < end)
		xenevtchn_notify(rogue->evtchn, rogue->port);
	answer_sense(rogue, request->rqid, 2, 0x3a);
}

/* One of STATE_CHANGES, then the last. The drive goes on meanwhile. */
static void change_state(struct rogue *rogue)
{
	static const char *const values[] = { "0", "1", "2", "3",  "4", "5",	      "6",
					      "7", "8", "9", "-1", "",	"4294967299", "x" };
	static const char *const units[] = { "0:0:0:0", "0:0:0:1", "0:9:9:9",
					     "",	":::",	   "0:0:0:4294967296" };
	static unsigned int seed = 1;
	const char *value =
		values[(unsigned int)rand_r(&seed) % (sizeof(values) / sizeof(values[0]))];

	switch (rand_r(&seed) % 5) {
	case 0: /* not those that end it at once */
		if (strcmp(value, "5") != 0 && strcmp(value, "6") != 0)
			put(rogue, rogue->backend, "state", value);
		break;
	case 1:
		put(rogue, rogue->backend, "vscsi-devs/dev-0/state", value);
		break;
	case 2:
		put(rogue, rogue->backend, "vscsi-devs/dev-1/state", value);
		break;
	case 3:
		put(rogue, rogue->backend,
		    rogue->changes & 1 ? "vscsi-devs/dev-0/v-dev" : "vscsi-devs/dev-1/v-dev",
		    units[(unsigned int)rand_r(&seed) % (sizeof(units) / sizeof(units[0]))]);
		break;
	default:
		put(rogue, rogue->backend, "vscsi-devs/dev-0/media-changes", value);
		break;
	}
	if (!--rogue->changes)
		put(rogue, rogue->backend, "state", "6");
}

static void states(struct rogue *rogue, const struct vscsiif_request *request)
{
	answer_sense(rogue, request->rqid, 2, 0x3a);
	rogue->changes = STATE_CHANGES;
}

static void vanish(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)rogue;
	(void)request;
	exit(0);
}

static void unplug(struct rogue *rogue, const struct vscsiif_request *request)
{
	(void)request;
	xs_rm(rogue->xs, XBT_NULL, rogue->frontend);
	xs_rm(rogue->xs, XBT_NULL, rogue->backend);
	exit(0);
}

static const struct mode modes[] = {
	{ "wrong-id", wrong_id }, { "idle-id", idle_id },	{ "repeat", repeat },
	{ "overrun", overrun },	  { "backwards", backwards },	{ "lengths", lengths },
	{ "silent", silent },	  { "unanswered", unanswered }, { "storm", storm },
	{ "states", states },	  { "vanish", vanish },		{ "unplug", unplug },
	{ "flicker", flicker },	  { "hasty", hasty },
};

/* --- the loop --- */

static void serve(struct rogue *rogue)
{
	struct vscsiif_request request;
	int port = xenevtchn_pending(rogue->evtchn);
	int more = 1;

	while (port >= 0 && more && !rogue->deaf) {
		while (!rogue->deaf && RING_HAS_UNCONSUMED_REQUESTS(&rogue->ring)) {
			RING_COPY_REQUEST(&rogue->ring, rogue->ring.req_cons, &request);
			rogue->ring.req_cons++;
			answer(rogue, &request);
		}
		RING_FINAL_CHECK_FOR_REQUESTS(&rogue->ring, more);
	}
	if (port >= 0)
		xenevtchn_unmask(rogue->evtchn, (evtchn_port_t)port);
}

static void store_changed(struct rogue *rogue)
{
	unsigned int count;

	free(xs_read_watch(rogue->xs, &count));
	if (!rogue->connected && get(rogue, rogue->frontend, "state") == 3)
		connect_ring(rogue);
}

int main(int argc, char **argv)
{
	struct rogue rogue = { 0 };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char watched[160];

	for (size_t i = 0; argc == 4 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, argv[3]))
			rogue.mode = &modes[i];
	if (!rogue.mode) {
		fprintf(stderr, "usage: rogue DOMID DEVID MODE\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	rogue.domid = (uint32_t)strtoul(argv[1], NULL, 10);
	snprintf(rogue.backend, sizeof(rogue.backend), "/local/domain/0/backend/rogue/%.8s/%.8s",
		 argv[1], argv[2]);
	snprintf(rogue.frontend, sizeof(rogue.frontend), "/local/domain/%.8s/device/vcd/%.8s",
		 argv[1], argv[2]);
	rogue.xs = xs_open(0);
	rogue.gnttab = xengnttab_open(NULL, 0);
	rogue.evtchn = xenevtchn_open(NULL, 0);
	if (!rogue.xs || !rogue.gnttab || !rogue.evtchn)
		die("Xen");
	make_nodes(&rogue);
	snprintf(watched, sizeof(watched), "%s/state", rogue.frontend);
	if (!xs_watch(rogue.xs, watched, "state"))
		die("watch");
	fds[0].fd = xs_fileno(rogue.xs);
	fds[1].fd = xenevtchn_fd(rogue.evtchn);
	while (poll(fds, 2, rogue.changes ? 0 : -1) >= 0) {
		if (rogue.changes)
			change_state(&rogue);
		if (fds[0].revents)
			store_changed(&rogue);
		if (fds[1].revents)
			serve(&rogue);
	}
	return 1;
}
