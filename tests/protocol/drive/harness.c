/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A launcher and its clients for tests of the drive process; see harness.h. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/ledger.h"
#include "base/worker.h"
#include "drive/disc.h"
#include "mmc/sense.h"

/* Long enough for a machine that is busy with other things; nothing is expected within it. */
#define PATIENCE_MS 120000

#define USER "nobody"

static void pump(struct harness *h, int ms);

static int above(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 40);

	assert_true(high >= 0);
	close(fd);
	return high;
}

void harness_init(struct harness *h, bool burner)
{
	const char *top = getenv("top_builddir");
	static char path[512];

	memset(h, 0, sizeof(*h));
	snprintf(path, sizeof(path), "%s/%s", top ? top : ".",
		 burner ? "xenoptic-drive" : "tests/protocol/drive/fake-sgio");
	h->program = path;
	h->burner = burner;
	h->control = -1;
	h->disc = -1;
	h->description = -1;
	h->restart = true;
	h->slots = HARNESS_SLOTS;
	h->slot_size = HARNESS_SLOT_SIZE;
	h->events = json_array();
	h->ledger = above(xo_ledger_create(XO_DRIVE_REGION_SIZE));
	h->log = above(memfd_create("log", MFD_CLOEXEC));
	h->device = above(memfd_create("device", MFD_CLOEXEC));
	assert_int_equal(ftruncate(h->device, sizeof(struct fake_device)), 0);
	h->fake = mmap(NULL, sizeof(struct fake_device), PROT_READ | PROT_WRITE, MAP_SHARED,
		       h->device, 0);
	assert_ptr_not_equal(h->fake, MAP_FAILED);
	h->fake->max_transfer = 64u << 10;
	h->fake->disc_status = 0x0e; /* complete */
	harness_arg(h, "--name");
	harness_arg(h, "test");
	harness_arg(h, "--user");
	harness_arg(h, USER);
	harness_arg(h, "--poll-ms");
	harness_arg(h, "0");
	if (burner) {
		harness_arg(h, "--burner");
		return;
	}
	harness_arg(h, "--device");
	harness_arg(h, "5");
	harness_arg(h, "--path");
	harness_arg(h, "/dev/fake");
}

void harness_arg(struct harness *h, const char *arg)
{
	assert_true(h->arg_count + 2 < HARNESS_ARGS);
	h->args[h->arg_count++] = arg;
}

/* In the child: the descriptors where the worker expects them, and nothing else. */
static void become_drive(struct harness *h, const int control[2])
{
	const char *argv[HARNESS_ARGS + 2];
	unsigned int n = 0;

	if (dup2(h->log, 1) < 0 || dup2(h->log, 2) < 0 || dup2(control[1], XO_FD_CONTROL) < 0 ||
	    dup2(h->ledger, XO_FD_LEDGER) < 0 || (!h->burner && dup2(h->device, XO_FD_FIRST) < 0))
		_exit(99);
	argv[n++] = h->program;
	for (unsigned int i = 0; i < h->arg_count; i++)
		argv[n++] = h->args[i];
	argv[n] = NULL;
	if (h->kill)
		setenv("XENOPTIC_KILL", h->kill, 1);
	else
		unsetenv("XENOPTIC_KILL");
	/* A report about the trap of a kill point would only cost time. */
	setenv("ASAN_OPTIONS", "handle_sigill=0:handle_segv=1:detect_leaks=0", 1);
	execv(h->program, (char *const *)(uintptr_t)argv);
	_exit(98);
}

static void spawn(struct harness *h)
{
	int control[2];

	if (h->control >= 0)
		close(h->control);
	assert_int_equal(xo_control_pair(control), 0);
	control[0] = above(control[0]);
	control[1] = above(control[1]);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (h->pid == 0)
		become_drive(h, control);
	close(control[1]);
	h->control = control[0];
	h->starts++;
}

static bool dead(struct harness *h)
{
	int status;

	if (h->pid <= 0)
		return true;
	if (waitpid(h->pid, &status, WNOHANG) != h->pid)
		return false;
	if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGILL && WTERMSIG(status) != SIGKILL)) {
		char *log = harness_log(h);

		print_error("the drive ended with status %x:\n%s\n", status, log);
		free(log);
		fail();
	}
	h->pid = 0;
	return true;
}

static bool begin(struct harness *h)
{
	json_t *event;
	bool alive = true;

	spawn(h);
	json_array_clear(h->events);
	event = harness_event(h, XO_DRIVE_EVENT_READY);
	if (!event)
		return false;
	json_decref(event);
	if (h->inserted) {
		int fds[2] = { h->disc, h->description };
		json_t *answer =
			harness_call(h, XO_DRIVE_INSERT, json_pack("{s:b}", "again", 1), fds, 2);

		alive = answer != NULL;
		json_decref(answer);
	}
	for (unsigned int i = 0; i < HARNESS_LINKS && alive; i++)
		if (h->clients[i].added)
			alive = client_add(&h->clients[i]) != NULL;
	return alive;
}

void harness_start(struct harness *h)
{
	for (unsigned int tries = 0; tries < 50; tries++)
		if (begin(h))
			return;
	fail_msg("the drive does not start");
}

/* Starts it again if it was killed, and that is what the test wants. */
static bool revive(struct harness *h)
{
	if (!dead(h))
		return false;
	if (h->restart)
		harness_start(h);
	return true;
}

int harness_wait_end(struct harness *h)
{
	int status = 0;

	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	h->pid = 0;
	return status;
}

void harness_stop(struct harness *h)
{
	json_t *answer;
	int status;

	do
		answer = harness_call(h, XO_DRIVE_SHUTDOWN, NULL, NULL, 0);
	while (!answer);
	json_decref(answer);
	status = harness_wait_end(h);
	if (status) {
		char *log = harness_log(h);

		print_error("%s\n", log);
		free(log);
	}
	assert_int_equal(status, 0);
}

void harness_kill(struct harness *h)
{
	kill(h->pid, SIGKILL);
	harness_wait_end(h);
}

void harness_fini(struct harness *h)
{
	if (h->pid > 0)
		harness_kill(h);
	for (unsigned int i = 0; i < HARNESS_LINKS; i++) {
		struct client *c = &h->clients[i];

		if (!c->harness)
			continue;
		xo_link_close(&c->link);
		close(c->server_fd);
		close(c->arena_fd);
	}
	json_decref(h->events);
	munmap(h->fake, sizeof(*h->fake));
	close(h->device);
	close(h->ledger);
	close(h->log);
	close(h->control);
	if (h->disc >= 0)
		close(h->disc);
	if (h->description >= 0)
		close(h->description);
}

char *harness_log(struct harness *h)
{
	off_t size = lseek(h->log, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	assert_non_null(text);
	assert_int_equal(pread(h->log, text, (size_t)size, 0), size);
	return text;
}

/* Takes one message off the control channel: an answer is returned, an event kept. -1: it died. */
static int take_control(struct harness *h, json_t **answer)
{
	int fds[XO_CONTROL_FDS_MAX];
	size_t count = 0;
	json_t *message;
	int r = xo_control_receive(h->control, &message, fds, &count);

	*answer = NULL;
	if (r == 0)
		return 0;
	if (r < 0) {
		assert_int_equal(r, -EPIPE);
		return -1;
	}
	if (count && !json_object_get(message, "return")) {
		/* The description: kept for the next start. */
		if (h->description >= 0)
			close(h->description);
		h->description = above(fds[0]);
	} else if (count) {
		close(fds[0]);
	}
	if (json_object_get(message, "event")) {
		json_array_append_new(h->events, message);
		return 1;
	}
	*answer = message;
	return 1;
}

static json_t *take_event(struct harness *h, const char *name)
{
	for (size_t i = 0; i < json_array_size(h->events); i++) {
		json_t *event = json_array_get(h->events, i);

		if (strcmp(json_string_value(json_object_get(event, "event")), name))
			continue;
		json_incref(event);
		json_array_remove(h->events, i);
		return event;
	}
	return NULL;
}

static bool wait_control(struct harness *h)
{
	struct pollfd poll_fd = { .fd = h->control, .events = POLLIN };
	int n = poll(&poll_fd, 1, PATIENCE_MS);

	if (n == 0)
		fail_msg("the drive does not answer its launcher");
	return true;
}

json_t *harness_event(struct harness *h, const char *name)
{
	json_t *event;
	json_t *answer;

	while (!(event = take_event(h, name))) {
		wait_control(h);
		if (take_control(h, &answer) < 0) {
			while (!dead(h))
				poll(NULL, 0, 1);
			return NULL;
		}
		json_decref(answer);
	}
	return event;
}

json_t *harness_call(struct harness *h, const char *command, json_t *arguments, const int *fds,
		     size_t count)
{
	json_t *message = json_pack("{s:s,s:i}", "execute", command, "id", 7);
	json_t *answer = NULL;
	int r;

	if (arguments)
		json_object_set_new(message, "arguments", arguments);
	r = xo_control_send(h->control, message, fds, count);
	json_decref(message);
	while (!r && !answer) {
		wait_control(h);
		if (take_control(h, &answer) < 0)
			r = -EPIPE;
	}
	if (r) {
		assert_int_equal(r, -EPIPE);
		while (!dead(h))
			poll(NULL, 0, 1);
		if (h->restart && strcmp(command, XO_DRIVE_ADD_LINK) &&
		    strcmp(command, XO_DRIVE_INSERT))
			harness_start(h);
	}
	return answer;
}

void harness_post(struct harness *h, const char *command, json_t *arguments)
{
	json_t *message =
		json_pack("{s:s,s:i,s:o*}", "execute", command, "id", 8, "arguments", arguments);

	assert_int_equal(xo_control_send(h->control, message, NULL, 0), 0);
	json_decref(message);
}

const char *harness_try(struct harness *h, const char *command, json_t *arguments)
{
	static char class[64];
	json_t *answer = harness_call(h, command, arguments, NULL, 0);
	json_t *error = json_object_get(answer, "error");

	assert_non_null(answer);
	class[0] = 0;
	if (error)
		snprintf(class, sizeof(class), "%s",
			 json_string_value(json_object_get(error, "class")));
	json_decref(answer);
	return error ? class : NULL;
}

json_t *harness_query(struct harness *h)
{
	json_t *answer;
	json_t *data;

	while (!(answer = harness_call(h, XO_DRIVE_QUERY, NULL, NULL, 0)))
		assert_true(h->restart);
	data = json_object_get(answer, "return");
	assert_non_null(data);
	json_incref(data);
	json_decref(answer);
	return data;
}

const char *harness_lease(struct harness *h)
{
	static char state[16];
	json_t *query = harness_query(h);

	snprintf(state, sizeof(state), "%s",
		 json_string_value(json_object_get(json_object_get(query, "lease"), "state")));
	json_decref(query);
	return state;
}

void harness_wait_lease(struct harness *h, const char *state)
{
	for (unsigned int i = 0; strcmp(harness_lease(h), state); i++) {
		if (i == PATIENCE_MS)
			fail_msg("the lease does not become %s", state);
		poll(NULL, 0, 1);
	}
}

int64_t harness_counter(struct harness *h, const char *name)
{
	json_t *query = harness_query(h);
	int64_t value =
		json_integer_value(json_object_get(json_object_get(query, "counters"), name));

	json_decref(query);
	return value;
}

void harness_insert(struct harness *h, const struct xo_disc *disc)
{
	static char text[XO_DISC_JSON_MAX];
	ssize_t length = xo_disc_print(disc, text, sizeof(text));
	json_t *answer;
	int fds[2];

	assert_true(length > 0);
	h->disc = above(memfd_create("disc", MFD_CLOEXEC));
	h->description = above(memfd_create("description", MFD_CLOEXEC));
	assert_int_equal(write(h->description, text, (size_t)length), length);
	fds[0] = h->disc;
	fds[1] = h->description;
	answer = harness_call(h, XO_DRIVE_INSERT, NULL, fds, 2);
	assert_non_null(answer);
	if (json_object_get(answer, "error"))
		fail_msg("insert: %s", json_dumps(answer, 0));
	json_decref(answer);
	h->inserted = true;
}

char *harness_description(struct harness *h)
{
	off_t size = lseek(h->description, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	assert_non_null(text);
	assert_int_equal(pread(h->description, text, (size_t)size, 0), size);
	return text;
}

const char *client_add_surely(struct client *c)
{
	const char *standing;

	while (!(standing = client_add(c)))
		harness_start(c->harness);
	return standing;
}

struct client *harness_client(struct harness *h, uint32_t id, uint32_t domid, const char *uuid)
{
	struct client *c = NULL;
	int fds[2];

	for (unsigned int i = 0; i < HARNESS_LINKS && !c; i++)
		if (!h->clients[i].harness)
			c = &h->clients[i];
	assert_non_null(c);
	*c = (struct client){ .harness = h, .id = id, .domid = domid, .uuid = uuid };
	c->name = "guest";
	c->mode = "rw";
	assert_int_equal(xo_link_create(h->slots, h->slot_size, fds, &c->arena_fd), 0);
	c->arena_fd = above(c->arena_fd);
	c->client_fd = above(fds[0]);
	c->server_fd = above(fds[1]);
	assert_int_equal(
		xo_link_open(&c->link, c->client_fd, dup(c->arena_fd), h->slots, h->slot_size), 0);
	return c;
}

const char *client_add(struct client *c)
{
	static char standing[64];
	int fds[2] = { c->server_fd, c->arena_fd };
	json_t *arguments =
		json_pack("{s:i,s:i,s:s,s:s,s:s,s:s,s:i,s:i,s:b,s:b}", "link", (int)c->id, "domid",
			  (int)c->domid, "name", c->name, "uuid", c->uuid, "mode", c->mode, "path",
			  "vscsi", "slots", (int)c->link.slots, "slot-size", (int)c->link.slot_size,
			  "resume", c->resume, "lend", c->lend);
	json_t *answer = harness_call(c->harness, XO_DRIVE_ADD_LINK, arguments, fds, 2);
	json_t *error = json_object_get(answer, "error");

	if (!answer)
		return NULL;
	snprintf(standing, sizeof(standing), "%s",
		 error ? json_string_value(json_object_get(error, "class"))
		       : json_string_value(
				 json_object_get(json_object_get(answer, "return"), "lease")));
	json_decref(answer);
	c->added = !error;
	return standing;
}

const char *client_remove(struct client *c, bool force)
{
	const char *class = harness_try(c->harness, XO_DRIVE_REMOVE_LINK,
					json_pack("{s:i,s:b,s:b}", "link", (int)c->id, "force",
						  force, "resume", c->resume));

	if (!class)
		c->added = false;
	return class;
}

uint8_t *client_data(struct client *c, unsigned int slot)
{
	return xo_link_data(&c->link, slot);
}

void client_send_raw(struct client *c, const void *bytes, size_t size)
{
	ssize_t n = send(c->link.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)n; /* a link that the drive has closed takes nothing */
}

static void send_request(struct client *c, unsigned int slot)
{
	union xo_link_message message = { .request = c->slot[slot].request };

	while (xo_link_send(&c->link, &message) == -EAGAIN)
		pump(c->harness, 10);
}

static void send_new(struct client *c, unsigned int slot, const struct xo_link_request *request)
{
	c->slot[slot].request = *request;
	c->slot[slot].request.type = XO_LINK_REQUEST;
	c->slot[slot].request.slot = (uint8_t)slot;
	c->slot[slot].request.tag = ++c->tag;
	c->slot[slot].sent = true;
	c->slot[slot].replies = 0;
	send_request(c, slot);
}

void client_send(struct client *c, unsigned int slot, const void *cdb, size_t cdb_length,
		 enum xo_direction direction, uint32_t length)
{
	struct xo_link_request request = {
		.kind = XO_LINK_COMMAND,
		.direction = (uint8_t)direction,
		.cdb_length = (uint8_t)cdb_length,
		.length = length,
	};

	memcpy(request.cdb, cdb, cdb_length);
	c->harness->commands++;
	send_new(c, slot, &request);
}

void client_send_kind(struct client *c, unsigned int slot, enum xo_link_kind kind,
		      unsigned int target)
{
	struct xo_link_request request = { .kind = (uint8_t)kind };

	if (kind == XO_LINK_ABORT) {
		request.target_slot = target;
		request.target_tag = c->slot[target].request.tag;
	}
	send_new(c, slot, &request);
}

/* All that is not answered, in the order in which it was sent first. */
static void resend(struct client *c)
{
	uint64_t last = 0;

	for (;;) {
		unsigned int next = HARNESS_SLOTS;

		for (unsigned int slot = 0; slot < HARNESS_SLOTS; slot++) {
			uint64_t tag = c->slot[slot].request.tag;

			if (c->slot[slot].sent && tag > last &&
			    (next == HARNESS_SLOTS || tag < c->slot[next].request.tag))
				next = slot;
		}
		if (next == HARNESS_SLOTS)
			return;
		last = c->slot[next].request.tag;
		send_request(c, next);
	}
}

static void take_message(struct client *c, const union xo_link_message *message)
{
	const struct xo_link_reply *reply = &message->reply;

	switch (message->type) {
	case XO_LINK_HELLO:
		c->hellos++;
		c->max_transfer = message->hello.max_transfer;
		resend(c);
		break;
	case XO_LINK_NOTICE:
		c->notices |= 1u << message->notice.notice;
		break;
	case XO_LINK_REPLY:
		if (reply->tag != c->slot[reply->slot].request.tag)
			break; /* of a command that has been answered already */
		c->slot[reply->slot].reply = *reply;
		c->slot[reply->slot].sent = false;
		c->slot[reply->slot].replies++;
		break;
	default:
		fail_msg("the drive sent a message of type %u", message->type);
	}
}

static void take_all(struct client *c)
{
	union xo_link_message message;
	int r;

	while (c->link.arena && (r = xo_link_receive(&c->link, &message)) != 0) {
		if (r < 0)
			return;
		take_message(c, &message);
	}
}

static void pump(struct harness *h, int ms)
{
	struct pollfd fds[HARNESS_LINKS + 1];
	json_t *answer;
	nfds_t n = 0;
	int r;

	for (unsigned int i = 0; i < HARNESS_LINKS; i++)
		if (h->clients[i].harness && h->clients[i].added)
			fds[n++] = (struct pollfd){ .fd = h->clients[i].link.fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = h->control, .events = POLLIN };
	poll(fds, n, ms);
	while ((r = take_control(h, &answer)) > 0)
		json_decref(answer);
	if (r < 0)
		while (!revive(h))
			poll(NULL, 0, 1);
	for (unsigned int i = 0; i < HARNESS_LINKS; i++)
		if (h->clients[i].harness && h->clients[i].added)
			take_all(&h->clients[i]);
}

void harness_pump(struct harness *h, int ms)
{
	pump(h, ms);
}

const struct xo_link_reply *client_wait(struct client *c, unsigned int slot)
{
	for (unsigned int i = 0; c->slot[slot].sent; i++) {
		if (i == PATIENCE_MS / 100)
			fail_msg("no reply on link %u, slot %u", c->id, slot);
		pump(c->harness, 100);
	}
	return &c->slot[slot].reply;
}

const struct xo_link_reply *client_do(struct client *c, const void *cdb, size_t cdb_length,
				      enum xo_direction direction, uint32_t length)
{
	client_send(c, 0, cdb, cdb_length, direction, length);
	return client_wait(c, 0);
}

const struct xo_link_reply *client_tur(struct client *c)
{
	static const uint8_t cdb[6];

	return client_do(c, cdb, sizeof(cdb), XO_DIR_NONE, 0);
}

void fill_sector(uint8_t *sector, uint32_t lba, uint32_t seed)
{
	uint32_t x = lba * 2654435761u ^ seed;

	for (unsigned int i = 0; i < FAKE_SECTOR_SIZE; i += 4) {
		x = x * 1664525u + 1013904223u;
		xo_put_le32(sector + i, x);
	}
}

void client_write10(struct client *c, unsigned int slot, uint32_t lba, uint16_t blocks,
		    uint32_t seed)
{
	uint8_t cdb[10] = { 0x2a };

	xo_put_be32(cdb + 2, lba);
	xo_put_be16(cdb + 7, blocks);
	for (unsigned int i = 0; i < blocks; i++)
		fill_sector(client_data(c, slot) + i * FAKE_SECTOR_SIZE, lba + i, seed);
	client_send(c, slot, cdb, sizeof(cdb), XO_DIR_OUT, blocks * FAKE_SECTOR_SIZE);
}

uint32_t reply_kcq(const struct xo_link_reply *reply)
{
	struct xo_sense sense;

	if (reply->transport || reply->status != XO_STATUS_CHECK_CONDITION ||
	    xo_sense_parse(reply->sense, reply->sense_length, &sense))
		return 0;
	return xo_sense_kcq(&sense);
}

static void status_line(struct harness *h, const char *name, char *value, size_t size)
{
	char path[64];
	char line[256];
	FILE *f;

	value[0] = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)h->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':') {
			const char *text = line + strlen(name) + 1;

			snprintf(value, size, "%s", text + strspn(text, " \t"));
			value[strcspn(value, "\n")] = 0;
		}
	fclose(f);
}

static void check_status(struct harness *h, const char *name, const char *expected)
{
	char value[128];

	status_line(h, name, value, sizeof(value));
	if (strcmp(value, expected))
		fail_msg("%s is \"%s\", not \"%s\"", name, value, expected);
}

static unsigned int count_descriptors(struct harness *h)
{
	char path[64];
	unsigned int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)h->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

void harness_check_sandbox(struct harness *h)
{
	struct passwd *pw = getpwnam(USER);
	char uids[64];
	unsigned int links = 0;

	check_status(h, "Seccomp", "2");
	check_status(h, "NoNewPrivs", "1");
	check_status(h, "Threads", "2");
	/* 0 1 2, control, ledger, epoll, timerfd, eventfd, the device; socket and arena of links */
	for (unsigned int i = 0; i < HARNESS_LINKS; i++)
		links += h->clients[i].added;
	assert_int_equal(count_descriptors(h), (h->burner ? 8 : 9) + 2 * links);
	if (geteuid() != 0 || !pw)
		return;
	snprintf(uids, sizeof(uids), "%u\t%u\t%u\t%u", pw->pw_uid, pw->pw_uid, pw->pw_uid,
		 pw->pw_uid);
	check_status(h, "Uid", uids);
	check_status(h, "Groups", "");
	check_status(h, "CapEff", h->burner ? "0000000000000000" : "0000000000020000");
	check_status(h, "CapPrm", h->burner ? "0000000000000000" : "0000000000020000");
	check_status(h, "CapInh", "0000000000000000");
	check_status(h, "CapBnd", "0000000000000000");
}
