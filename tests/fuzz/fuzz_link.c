/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drive links: two clients made of bytes on a drive process with the virtual burner, all in this
 * process. Input: operations, a byte each and what it needs (see step()). Whatever the clients do,
 * each reply answers a request that was sent, every command reaches the burner at most once,
 * and a client that keeps to the rules is served.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "control.h"
#include "drive/disc.h"
#include "drive/burner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOTS 4
#define SLOT_SIZE 8192
#define CLIENTS 2
#define STEPS_MAX 96

struct client {
	int fds[2]; /* ours, and a duplicate of the drive's */
	int arena_fd;
	uint8_t *arena;
	uint32_t id;
	uint64_t tag; /* the highest that was sent */
	uint64_t sent; /* commands that may have reached the burner */
};

static struct {
	struct xo_drive drive;
	struct xo_drive_options options;
	int control; /* the launcher's end */
	int ledger;
	int disc;
	struct client clients[CLIENTS];
	uint32_t ids;
	uint64_t sent;
} world;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void expired(struct xo_timer *timer)
{
	(void)timer;
}

/* Everything that is there is handled; nothing is waited for. */
static void pump(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct xo_timer timer = { .expired = expired };

		xo_loop_arm(world.drive.loop, &timer, 0);
		require(xo_runner_step(&world.drive.runner) == 0);
		xo_loop_disarm(world.drive.loop, &timer);
	}
}

static void drain_control(void)
{
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message;
	size_t count;
	int r;

	while ((r = xo_control_receive(world.control, &message, fds, &count)) > 0) {
		json_decref(message);
		while (count)
			close(fds[--count]);
	}
	require(r == 0);
}

static void call(const char *command, json_t *arguments, const int *fds, size_t count)
{
	json_t *message = json_pack("{s:s,s:o}", "execute", command, "arguments", arguments);

	require(xo_control_send(world.control, message, fds, count) == 0);
	json_decref(message);
	pump();
	drain_control();
}

static void add(const struct client *c)
{
	int fds[2] = { c->fds[1], c->arena_fd };

	call(XO_DRIVE_ADD_LINK,
	     json_pack("{s:i,s:i,s:s,s:s,s:s,s:s,s:i,s:i}", "link", (int)c->id, "domid",
		       (int)(c - world.clients), "name", "guest", "uuid", "", "mode", "rw", "path",
		       "vscsi", "slots", SLOTS, "slot-size", SLOT_SIZE),
	     fds, 2);
}

static void new_client(struct client *c)
{
	require(xo_link_create(SLOTS, SLOT_SIZE, c->fds, &c->arena_fd) == 0);
	c->arena =
		mmap(NULL, SLOTS * SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->arena_fd, 0);
	require(c->arena != MAP_FAILED);
	c->id = ++world.ids;
	c->tag = 0;
	add(c);
}

static void free_client(struct client *c)
{
	munmap(c->arena, SLOTS * SLOT_SIZE);
	close(c->fds[0]);
	close(c->fds[1]);
	close(c->arena_fd);
}

static void start(void)
{
	int control[2];

	require(xo_control_pair(control) == 0);
	world.control = control[0];
	require(xo_drive_init(&world.drive, &world.options, control[1], dup(world.ledger)) == 0);
	require(xo_drive_start(&world.drive) == 0);
}

static void stop(void)
{
	xo_drive_fini(&world.drive);
	close(world.control);
}

/* The process ends between two events and another goes on. */
static void restart(void)
{
	stop();
	start();
	call(XO_DRIVE_INSERT, json_pack("{s:b}", "again", 1), &world.disc, 1);
	for (unsigned int i = 0; i < CLIENTS; i++)
		add(&world.clients[i]);
}

static void take_replies(struct client *c)
{
	union xo_link_message message;
	ssize_t n;

	while ((n = recv(c->fds[0], &message, sizeof(message), MSG_DONTWAIT)) > 0) {
		require(xo_link_validate(&message, (size_t)n, SLOTS, SLOT_SIZE) == 0);
		require(message.type != XO_LINK_REQUEST);
		if (message.type == XO_LINK_REPLY)
			require(message.reply.tag && message.reply.tag <= c->tag);
	}
}

static void send_message(struct client *c, const void *bytes, size_t size)
{
	if (send(c->fds[0], bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	world.sent++;
	pump();
	take_replies(c);
	drain_control();
}

static void send_raw(struct client *c, struct xo_reader *in)
{
	union xo_link_message message;
	size_t size = xo_read_u8(in) % (sizeof(message) + 8);
	uint8_t bytes[sizeof(message) + 8] = { 0 };
	const uint8_t *from = xo_read_bytes(in, XO_MIN(size, xo_reader_left(in)));

	if (from)
		memcpy(bytes, from, XO_MIN(size, (size_t)(in->data + in->at - from)));
	memcpy(&message, bytes, sizeof(message));
	if (message.type == XO_LINK_REQUEST)
		c->tag = XO_MAX(c->tag, message.request.tag);
	send_message(c, bytes, size);
}

/* Well formed but for what the input says. */
static void send_request(struct client *c, struct xo_reader *in)
{
	uint8_t how = xo_read_u8(in);
	struct xo_link_request request = {
		.type = XO_LINK_REQUEST,
		.kind = how & 0x80 ? (how & 3) + 1 : XO_LINK_COMMAND,
		.direction = (uint8_t)(how % 3),
		.cdb_length = (uint8_t)(6 + how / 4 % 11),
		.slot = xo_read_u8(in) % SLOTS,
		.length = xo_read_be16(in) % (SLOT_SIZE + 1),
	};
	const uint8_t *cdb = xo_read_bytes(in, XO_MIN(request.cdb_length, xo_reader_left(in)));

	if (cdb)
		memcpy(request.cdb, cdb,
		       XO_MIN(request.cdb_length, (size_t)(in->data + in->at - cdb)));
	if (!request.direction)
		request.length = 0;
	if (!request.length)
		request.direction = XO_DIR_NONE;
	if (request.kind != XO_LINK_COMMAND) {
		request.cdb_length = 0;
		request.direction = XO_DIR_NONE;
		request.length = 0;
	}
	if (request.kind == XO_LINK_ABORT) {
		request.target_slot = xo_read_u8(in) % SLOTS;
		request.target_tag = 1 + xo_read_u8(in);
	}
	/* Mostly a new tag, sometimes one that was there. */
	request.tag = how & 0x40 && c->tag > 1 ? c->tag - how / 4 % 4 % c->tag : c->tag + 1;
	c->tag = XO_MAX(c->tag, request.tag);
	send_message(c, &request, sizeof(request));
}

static void fill_arena(struct client *c, struct xo_reader *in)
{
	size_t at = xo_read_be16(in) % (SLOTS * SLOT_SIZE);
	size_t length = XO_MIN((size_t)xo_read_u8(in), SLOTS * SLOT_SIZE - at);
	const uint8_t *from;

	length = XO_MIN(length, xo_reader_left(in));
	from = xo_read_bytes(in, length);
	if (from)
		memcpy(c->arena + at, from, length);
}

static void replace(struct client *c)
{
	call(XO_DRIVE_REMOVE_LINK, json_pack("{s:i,s:b}", "link", (int)c->id, "force", 1), NULL, 0);
	free_client(c);
	new_client(c);
}

static void step(struct xo_reader *in)
{
	uint8_t op = xo_read_u8(in);
	struct client *c = &world.clients[op & 1];

	switch (op >> 1 & 7) {
	case 0:
		send_raw(c, in);
		break;
	case 1:
		fill_arena(c, in);
		break;
	case 2:
		replace(c);
		break;
	case 3:
		restart();
		break;
	default:
		send_request(c, in);
	}
}

/* New links on the same drive: it works. */
static void check_alive(void)
{
	union xo_link_message message;
	struct client *c = &world.clients[0];
	struct xo_link_request request = {
		.type = XO_LINK_REQUEST,
		.kind = XO_LINK_COMMAND,
		.cdb_length = 6,
		.tag = 1,
	};
	bool answered = false;

	replace(c);
	replace(&world.clients[1]);
	pump();
	require(send(c->fds[0], &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
	world.sent++;
	pump();
	while (recv(c->fds[0], &message, sizeof(message), MSG_DONTWAIT) > 0)
		answered |= message.type == XO_LINK_REPLY && message.reply.tag == 1;
	require(answered);
}

static void insert_blank(void)
{
	static struct xo_disc disc;
	static char text[XO_DISC_JSON_MAX];
	int fds[2];
	ssize_t length;

	require(xo_disc_make(&disc, XO_MEDIA_CD_R, 0) == 0);
	length = xo_disc_print(&disc, text, sizeof(text));
	world.disc = memfd_create("disc", MFD_CLOEXEC);
	fds[0] = world.disc;
	fds[1] = memfd_create("description", MFD_CLOEXEC);
	require(length > 0 && write(fds[1], text, (size_t)length) == length);
	call(XO_DRIVE_INSERT, json_object(), fds, 2);
	close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xo_reader in = xo_reader(data, size);

	xo_log_open("fuzz", (enum xo_log_level)0);
	world.options = (struct xo_drive_options){
		.name = "fuzz",
		.burner = true,
		.device_fd = -1,
		.trace_fd = -1,
	};
	world.ids = 0;
	world.sent = 0;
	world.ledger = xo_ledger_create(XO_DRIVE_REGION_SIZE);
	require(world.ledger >= 0);
	start();
	insert_blank();
	for (unsigned int i = 0; i < CLIENTS; i++)
		new_client(&world.clients[i]);
	for (unsigned int i = 0; i < STEPS_MAX && xo_reader_left(&in); i++)
		step(&in);
	check_alive();
	/* Hand-overs bring commands of the drive's own: those have ids of their own. */
	require(xo_burner_commands(world.drive.bottom) <=
		world.sent + 1 + world.drive.record->inner_ids / XO_JOURNAL_STEPS);
	stop();
	for (unsigned int i = 0; i < CLIENTS; i++)
		free_client(&world.clients[i]);
	close(world.disc);
	close(world.ledger);
	return 0;
}
