/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Launcher, frontend and drives around the real xenoptic-ring; see stage.h. */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/worker.h"

#define PUMP_MS 20000
#define DEATHS_MAX 64

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "stage: %s: %s\n", what, strerror(errno));
	exit(99);
}

static struct stage *current;

/* A failed test leaves no process behind. */
static void kill_current(void)
{
	if (current && current->pid)
		kill(current->pid, SIGKILL);
}

uint8_t stage_pattern(uint32_t offset)
{
	return (uint8_t)(offset * 5u + (offset >> 11));
}

static void as_domain(const char *domid)
{
	setenv("XENOPTIC_LOOPBACK_DOMID", domid, 1);
}

static void frontend_open(struct stage *stage)
{
	int port;

	as_domain("1");
	stage->gntshr = xengntshr_open(NULL, 0);
	must(stage->gntshr != NULL, "xengntshr_open (run it by tests/loopback/with -d guest)");
	stage->evtchn = xenevtchn_open(NULL, 0);
	must(stage->evtchn != NULL, "xenevtchn_open");
	as_domain("0");
	stage->sring = xengntshr_share_pages(stage->gntshr, 0, (int)stage->ring_pages,
					     stage->ring_refs, 1);
	stage->data = xengntshr_share_pages(stage->gntshr, 0, STAGE_DATA_PAGES, stage->refs, 1);
	must(stage->sring && stage->data, "share pages");
	port = xenevtchn_bind_unbound_port(stage->evtchn, 0);
	must(port >= 0, "bind an unbound port");
	stage->ports[0] = (evtchn_port_t)port;
	stage->channels = 1;
	SHARED_RING_INIT(stage->sring);
	stage->front.sring = stage->sring;
	stage->front.nr_ents = 16 * stage->ring_pages;
}

void stage_make_lun(struct stage *stage, unsigned int i)
{
	struct stage_lun *lun = &stage->luns[i];
	const uint32_t slots = XO_RING_LINK_SLOTS(stage->ring_pages);

	must(!xo_link_create(slots, STAGE_SLOT_SIZE, lun->fds, &lun->arena_fd), "make a link");
	must(!xo_link_open(&lun->server, dup(lun->fds[1]), dup(lun->arena_fd), slots,
			   STAGE_SLOT_SIZE),
	     "open a link");
	lun->used = true;
}

struct stage *stage_new(unsigned int ring_pages, unsigned int luns)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	if (!current)
		atexit(kill_current);
	else
		kill_current();
	current = stage;
	stage->ring_pages = ring_pages;
	stage->kills = "";
	stage->program = "xenoptic-ring";
	stage->lend_fd = -1;
	stage->own_drives = true;
	stage->pidfd = -1;
	frontend_open(stage);
	stage->ledger_fd = xo_ledger_create(XO_RING_LEDGER_REGION);
	must(stage->ledger_fd >= 0, "make a ledger");
	must(!xo_control_pair(stage->control), "make a control channel");
	for (unsigned int i = 0; i < luns; i++)
		stage_make_lun(stage, i);
	return stage;
}

static void reap(struct stage *stage)
{
	if (!stage->pid)
		return;
	must(waitpid(stage->pid, &stage->status, 0) == stage->pid, "wait for the worker");
	close(stage->pidfd);
	stage->pid = 0;
	stage->pidfd = -1;
	stage->ready = false;
}

void stage_free(struct stage *stage)
{
	if (stage->pid) {
		kill(stage->pid, SIGKILL);
		reap(stage);
	}
	for (unsigned int i = 0; i < STAGE_LUNS; i++) {
		if (!stage->luns[i].used)
			continue;
		xo_link_close(&stage->luns[i].server);
		close(stage->luns[i].fds[0]);
		close(stage->luns[i].fds[1]);
		close(stage->luns[i].arena_fd);
	}
	current = NULL;
	xenevtchn_close(stage->evtchn);
	xengntshr_unshare(stage->gntshr, stage->data, STAGE_DATA_PAGES);
	xengntshr_unshare(stage->gntshr, stage->sring, (int)stage->ring_pages);
	xengntshr_close(stage->gntshr);
	close(stage->ledger_fd);
	close(stage->control[0]);
	close(stage->control[1]);
	json_decref(stage->reply);
	if (stage->lend_fd >= 0)
		close(stage->lend_fd);
	free(stage);
}

/* The worker's command line; descriptors of LUN i are 6 + 2i and 7 + 2i. */
static void exec_worker(const struct stage *stage)
{
	static char program[512];
	char refs[64] = "", ports[96] = "", luns[STAGE_LUNS][64];
	char *argv[64] = { program };
	unsigned int n = 1;
	size_t at = 0;
	int high[5 + 2 * STAGE_LUNS];
	int count = 0;

	snprintf(program, sizeof(program), "%s/%s", getenv("top_builddir"), stage->program);
	for (unsigned int i = 0; i < stage->ring_pages; i++)
		at += (size_t)snprintf(refs + at, sizeof(refs) - at, "%s%u", i ? "," : "",
				       stage->ring_refs[i]);
	at = 0;
	for (unsigned int i = 0; i < stage->channels; i++)
		at += (size_t)snprintf(ports + at, sizeof(ports) - at, "%s%u", i ? "," : "",
				       stage->ports[i]);
#define ARG(text) (argv[n++] = (char *)(uintptr_t)(text))
	ARG("--domid"), ARG("1"), ARG("--devid"), ARG("0"), ARG("--name"), ARG("guest");
	ARG("--type"), ARG("vscsi"), ARG("--ring-ref"), ARG(refs), ARG("--event-channel");
	ARG(ports), ARG("--protocol"), ARG("x86_64-abi"), ARG("--sg-grant"), ARG("128");
	ARG("--user"), ARG("nobody");
	high[count++] = fcntl(stage->control[1], F_DUPFD, 100);
	high[count++] = fcntl(stage->ledger_fd, F_DUPFD, 100);
	for (unsigned int i = 0; i < STAGE_LUNS; i++) {
		if (!stage->luns[i].used)
			continue;
		snprintf(luns[i], sizeof(luns[i]), "0:%u:0,%u,%d,%d,%u,%u", i, i + 1,
			 XO_FD_CONTROL + count, XO_FD_CONTROL + count + 1,
			 XO_RING_LINK_SLOTS(stage->ring_pages), STAGE_SLOT_SIZE);
		ARG("--lun"), ARG(luns[i]);
		high[count++] = fcntl(stage->luns[i].fds[0], F_DUPFD, 100);
		high[count++] = fcntl(stage->luns[i].arena_fd, F_DUPFD, 100);
	}
	if (stage->extra)
		ARG(stage->extra);
	for (int i = 0; i < count; i++)
		dup2(high[i], XO_FD_CONTROL + i);
	for (int i = 0; i < count; i++)
		close(high[i]);
	setenv("XENOPTIC_KILL", stage->kills, 1);
	execv(program, argv);
	_exit(98);
}

static void spawn(struct stage *stage)
{
	stage->pid = fork();
	must(stage->pid >= 0, "fork");
	if (!stage->pid)
		exec_worker(stage);
	stage->pidfd = (int)syscall(SYS_pidfd_open, stage->pid, 0);
	must(stage->pidfd >= 0, "pidfd_open");
}

void stage_start(struct stage *stage)
{
	stage->ended = false;
	stage->error[0] = '\0';
	spawn(stage);
	while (!stage->ready && !stage->ended && !stage->error[0])
		if (!stage_pump(stage))
			must(false, "the worker does not come");
}

static void worker_gone(struct stage *stage)
{
	reap(stage);
	if (WIFSIGNALED(stage->status) && stage->deaths < DEATHS_MAX &&
	    (WTERMSIG(stage->status) == (stage->killed ? SIGKILL : SIGILL))) {
		stage->deaths++;
		stage->killed = false;
		spawn(stage);
	} else {
		stage->ended = true;
	}
}

/* Its answer is not waited for. */
static void lend(struct stage *stage)
{
	json_t *message = json_pack("{s:s, s:{s:s, s:i}}", "execute", "lend", "arguments", "lun",
				    "0:0:0", "max-transfer", (int)STAGE_SLOT_SIZE);

	must(!xo_control_send(stage->control[0], message, &stage->lend_fd, 1), "lend");
	json_decref(message);
}

static void control_message(struct stage *stage)
{
	int fds[XO_CONTROL_FDS_MAX];
	size_t count = 0;
	json_t *message = NULL;
	const char *event;
	int r = xo_control_receive(stage->control[0], &message, fds, &count);

	stage->hung_up = r == -EPIPE;
	if (r != 1)
		return;
	event = json_string_value(json_object_get(message, "event"));
	if (!event) {
		json_decref(stage->reply);
		stage->reply = json_incref(message);
	} else if (!strcmp(event, "ready")) {
		stage->ready = true;
		if (stage->lend_fd >= 0)
			lend(stage);
	} else if (!strcmp(event, "error")) {
		snprintf(stage->error, sizeof(stage->error), "%s",
			 json_string_value(json_object_get(json_object_get(message, "data"), "messa"
											     "g"
											     "e")));
	} else if (!strcmp(event, "lun-lost")) {
		snprintf(stage->lun_lost, sizeof(stage->lun_lost), "%s",
			 json_string_value(json_object_get(json_object_get(message, "data"), "lu"
											     "n")));
	}
	json_decref(message);
}

static void drive_execute(struct stage_lun *lun, unsigned int slot)
{
	const struct xo_link_request *request = &lun->slots[slot].request.request;
	uint8_t *data = xo_link_data(&lun->server, slot);

	lun->slots[slot].reply = (union xo_link_message){
		.reply = { .type = XO_LINK_REPLY, .slot = (uint8_t)slot, .tag = request->tag },
	};
	lun->slots[slot].done = true;
	lun->resets += request->kind == XO_LINK_RESET;
	lun->aborts += request->kind == XO_LINK_ABORT;
	if (request->kind != XO_LINK_COMMAND)
		return;
	lun->executed++;
	for (uint32_t i = 0; i < request->length && request->direction == XO_DIR_IN; i++)
		data[i] = stage_pattern(i);
	for (uint32_t i = 0; i < request->length && request->direction == XO_DIR_OUT; i++)
		lun->written += data[i] == stage_pattern(i);
}

/* A request is carried out at once, a repeated one answered from the kept reply. */
static void drive_message(struct stage_lun *lun)
{
	union xo_link_message message;
	unsigned int slot;

	if (xo_link_receive(&lun->server, &message) != 1)
		return;
	lun->hellos += message.type == XO_LINK_HELLO;
	if (message.type != XO_LINK_REQUEST)
		return;
	slot = message.request.slot;
	if (message.request.tag < lun->slots[slot].tag)
		return;
	if (message.request.tag == lun->slots[slot].tag) {
		lun->repeated++;
	} else {
		lun->slots[slot].tag = message.request.tag;
		lun->slots[slot].request = message;
		drive_execute(lun, slot);
	}
	xo_link_send(&lun->server, &lun->slots[slot].reply);
}

bool stage_pump(struct stage *stage)
{
	struct pollfd fds[3 + STAGE_LUNS] = {
		{ .fd = xenevtchn_fd(stage->evtchn), .events = POLLIN },
		{ .fd = stage->hung_up ? -1 : stage->control[0], .events = POLLIN },
		{ .fd = stage->pidfd, .events = POLLIN },
	};

	for (unsigned int i = 0; i < STAGE_LUNS; i++) {
		const bool answer =
			stage->luns[i].used && stage->own_drives && !stage->luns[i].silent;

		fds[3 + i] = (struct pollfd){ .fd = answer ? stage->luns[i].server.fd : -1,
					      .events = POLLIN };
	}
	if (poll(fds, XO_ARRAY_SIZE(fds), PUMP_MS) <= 0)
		return false;
	if (fds[0].revents) {
		int port = xenevtchn_pending(stage->evtchn);

		if (port >= 0)
			xenevtchn_unmask(stage->evtchn, (evtchn_port_t)port);
	}
	if (fds[1].revents)
		control_message(stage);
	else if (fds[2].revents) /* after its last words */
		worker_gone(stage);
	for (unsigned int i = 0; i < STAGE_LUNS; i++)
		if (fds[3 + i].revents)
			drive_message(&stage->luns[i]);
	return true;
}

struct vscsiif_request *stage_request(struct stage *stage)
{
	struct vscsiif_request *request =
		RING_GET_REQUEST(&stage->front, stage->front.req_prod_pvt++);

	memset(request, 0, sizeof(*request));
	return request;
}

struct vscsiif_request *stage_command(struct stage *stage, uint16_t rqid, const uint8_t *cdb,
				      uint8_t cdb_length, uint8_t direction, unsigned int page,
				      uint32_t length)
{
	struct vscsiif_request *request = stage_request(stage);
	unsigned int count = (length + VSCSIIF_PAGE_SIZE - 1) / VSCSIIF_PAGE_SIZE;
	vscsiif_segment_t *segments = request->seg;

	request->rqid = rqid;
	request->act = VSCSIIF_ACT_SCSI_CDB;
	request->cmd_len = cdb_length;
	memcpy(request->cmnd, cdb, cdb_length);
	request->sc_data_direction = direction;
	request->nr_segments = (uint8_t)count;
	if (count > VSCSIIF_SG_TABLESIZE) {
		segments = (void *)(stage->data + (size_t)(page - 1) * VSCSIIF_PAGE_SIZE);
		request->nr_segments = 1 | VSCSIIF_SG_GRANT;
		request->seg[0].gref = stage->refs[page - 1];
		request->seg[0].length = (uint16_t)(count * sizeof(*segments));
	}
	for (unsigned int i = 0; i < count; i++) {
		uint32_t left = length - i * VSCSIIF_PAGE_SIZE;

		segments[i].gref = stage->refs[page + i];
		segments[i].offset = 0;
		segments[i].length = (uint16_t)XO_MIN(left, (uint32_t)VSCSIIF_PAGE_SIZE);
	}
	return request;
}

/* RING_PUSH_REQUESTS_AND_CHECK_NOTIFY, which does not say what was asked for. */
void stage_push(struct stage *stage)
{
	struct vscsiif_sring *sring = stage->front.sring;
	const RING_IDX before = sring->req_prod;
	const RING_IDX now = stage->front.req_prod_pvt;
	RING_IDX asked;

	__atomic_store_n(&sring->req_prod, now, __ATOMIC_SEQ_CST);
	asked = __atomic_load_n(&sring->req_event, __ATOMIC_SEQ_CST);
	if ((RING_IDX)(now - asked) < (RING_IDX)(now - before))
		xenevtchn_notify(stage->evtchn, stage->ports[asked % stage->channels]);
}

void stage_add_channels(struct stage *stage, unsigned int channels)
{
	must(channels <= XO_RING_CHANNELS_MAX, "so many channels");
	as_domain("1");
	for (; stage->channels < channels; stage->channels++) {
		int port = xenevtchn_bind_unbound_port(stage->evtchn, 0);

		must(port >= 0, "bind an unbound port");
		stage->ports[stage->channels] = (evtchn_port_t)port;
	}
	as_domain("0");
}

bool stage_response(struct stage *stage, struct vscsiif_response *response)
{
	int more = 0;

	for (;;) {
		if (stage->front.rsp_cons !=
		    __atomic_load_n(&stage->sring->rsp_prod, __ATOMIC_ACQUIRE)) {
			RING_COPY_RESPONSE(&stage->front, stage->front.rsp_cons, response);
			stage->front.rsp_cons++;
			return true;
		}
		RING_FINAL_CHECK_FOR_RESPONSES(&stage->front, more);
		if (more)
			continue;
		if (stage->ended || !stage_pump(stage))
			return false;
	}
}

void stage_maybe_kill(struct stage *stage)
{
	if (!stage->kill_seed || stage->killed)
		return;
	stage->kill_seed = stage->kill_seed * 1664525u + 1013904223u;
	if (stage->kill_seed >> 30)
		return;
	stage->killed = true;
	kill(stage->pid, SIGKILL);
}

bool stage_execute(struct stage *stage, const char *name, json_t *arguments, const int *fds,
		   size_t fd_count)
{
	json_t *message =
		json_pack("{s:s, s:o, s:i}", "execute", name, "arguments", arguments, "id", 17);
	int r = xo_control_send(stage->control[0], message, fds, fd_count);

	json_decref(message);
	must(!r, "send a command");
	json_decref(stage->reply);
	stage->reply = NULL;
	while (!stage->reply)
		if (stage->ended || !stage_pump(stage))
			return false;
	return json_object_get(stage->reply, "return") != NULL;
}
