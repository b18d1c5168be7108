/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-ioemu itself, on the loopback: the test is its launcher, its drive
 * and the guest's virtual CPU. Commands over AHCI and IDE; killed at every named
 * point and started again, the guest sees nothing and the drive each command once.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <xendevicemodel.h>

#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/ioemu_control.h"
#include "base/ledger.h"
#include "base/link.h"
#include "base/worker.h"
#include "lb.h"

enum {
	DEVICE = 27,
	BDF = DEVICE << 3,
	ABAR = 0xf2000000,
	PORT = ABAR + 0x100,
	LIST = 0x200000,
	FISES = 0x201000,
	TABLE = 0x202000,
	BUFFER = 0x300000,
	CMD = 0xc200,
	CTL = 0xc210,
	BM = 0xc220,
	BLOCKS = 16,
	BYTES = BLOCKS * 2048,
};

struct worker {
	const char *bus;
	int control;
	int worker_end; /* of the control channel, kept for successors */
	int ledger;
	int client_fd, arena;
	struct xo_link server; /* the drive's end */
	pid_t pid;
	unsigned int starts;
	int signal; /* that ended the last one */
	uint64_t tags[XO_IOEMU_LINK_SLOTS];
	union xo_link_message replies[XO_IOEMU_LINK_SLOTS];
	unsigned int executed;
	uint8_t disc[64 * 2048];
	struct lb_guest *guest;
	struct lb_vcpu *cpu;
};

static uint32_t guest_domid;

/* --- the launcher --- */

static void child_exec(struct worker *w)
{
	/* High first, so that no number is overwritten before it was copied. */
	int fds[] = { w->worker_end, w->ledger, w->client_fd, w->arena };
	const char *domid = getenv("TEST_DOMID");
	char path[512];

	for (int i = 0; i < 4; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, 100);
	for (int i = 0; i < 4; i++)
		dup2(fds[i], XO_FD_CONTROL + i);
	snprintf(path, sizeof(path), "%s/xenoptic-ioemu", getenv("top_builddir"));
	execl(path, "xenoptic-ioemu", "--domid", domid, "--name", "guest", "--bus", w->bus,
	      "--device", "27", "--link", "5,6,8,524288", "--user", "nobody", (char *)NULL);
	_exit(127);
}

static void worker_start(struct worker *w)
{
	w->starts++;
	w->pid = fork();
	if (w->pid == 0)
		child_exec(w);
	assert_true(w->pid > 0);
}

static void drive_serve(struct worker *w);

static json_t *await(struct worker *w, const char *key)
{
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message;
	size_t count;

	for (int i = 0; i < 4000; i++) {
		int r = xo_control_receive(w->control, &message, fds, &count);

		drive_serve(w); /* its INQUIRY */
		if (r == 1 && json_object_get(message, key))
			return message;
		assert_true(r >= 0);
		if (r == 0)
			usleep(2000);
		else
			json_decref(message);
	}
	fail_msg("the worker does not answer");
	return NULL;
}

/* Before the guest's first access; see tests/shut-in. */
static void shut_in(struct worker *w)
{
	char program[512], pid[16];
	int status;
	pid_t child;

	snprintf(program, sizeof(program), "%s/tests/shut-in", getenv("top_srcdir"));
	snprintf(pid, sizeof(pid), "%d", (int)w->pid);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		execl(program, "shut-in", "--worker", "ioemu", pid, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static struct worker *worker_new(const char *bus)
{
	struct worker *w = calloc(1, sizeof(*w));
	int control[2];
	int link[2];

	w->bus = bus;
	assert_int_equal(xo_control_pair(control), 0);
	w->control = control[0];
	w->worker_end = control[1];
	w->ledger = xo_ledger_create(XO_IOEMU_LEDGER_REGION);
	assert_int_equal(
		xo_link_create(XO_IOEMU_LINK_SLOTS, XO_IOEMU_LINK_SLOT_SIZE, link, &w->arena), 0);
	w->client_fd = link[0];
	assert_int_equal(xo_link_open(&w->server, link[1], dup(w->arena), XO_IOEMU_LINK_SLOTS,
				      XO_IOEMU_LINK_SLOT_SIZE),
			 0);
	for (size_t i = 0; i < sizeof(w->disc); i++)
		w->disc[i] = (uint8_t)(i * 7 + (i >> 8));
	worker_start(w);
	json_decref(await(w, "event"));
	shut_in(w);
	w->guest = lb_guest_open(guest_domid);
	w->cpu = lb_vcpu_open(guest_domid, 0);
	assert_non_null(w->guest);
	assert_non_null(w->cpu);
	return w;
}

static void worker_free(struct worker *w)
{
	json_t *quit = json_pack("{s:s,s:i}", "execute", "quit", "id", 1);
	int status;

	lb_vcpu_close(w->cpu);
	lb_guest_close(w->guest);
	assert_int_equal(xo_control_send(w->control, quit, NULL, 0), 0);
	json_decref(quit);
	json_decref(await(w, "return"));
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	xo_link_close(&w->server);
	close(w->control);
	close(w->worker_end);
	close(w->ledger);
	close(w->client_fd);
	close(w->arena);
	free(w);
}

/* Starts the worker again if it died. */
static void supervise(struct worker *w)
{
	int status;

	if (waitpid(w->pid, &status, WNOHANG) != w->pid)
		return;
	if (!WIFSIGNALED(status))
		fail_msg("the worker ended with status %x", status);
	w->signal = WTERMSIG(status);
	worker_start(w);
}

/* --- the drive --- */

static void drive_execute(struct worker *w, const struct xo_link_request *request)
{
	uint8_t *data = xo_link_data(&w->server, request->slot);
	union xo_link_message *reply = &w->replies[request->slot];
	uint32_t at = xo_get_be32(request->cdb + 2) * 2048;

	memset(reply, 0, sizeof(*reply));
	reply->reply.type = XO_LINK_REPLY;
	reply->reply.slot = request->slot;
	reply->reply.tag = request->tag;
	w->executed++;
	if (request->cdb[0] == 0x12)
		memcpy(data, "\x05\x80\x05\x32\x1f\0\0\0TESTDRV Burner of tests 1.23", 36);
	else if (request->cdb[0] == 0x28 && xo_range_within(at, request->length, sizeof(w->disc)))
		memcpy(data, w->disc + at, request->length);
	else if (request->cdb[0] == 0x2a && xo_range_within(at, request->length, sizeof(w->disc)))
		memcpy(w->disc + at, data, request->length);
}

static void drive_serve(struct worker *w)
{
	union xo_link_message message;

	while (xo_link_receive(&w->server, &message) == 1) {
		const struct xo_link_request *request = &message.request;

		if (request->type != XO_LINK_REQUEST || request->tag < w->tags[request->slot])
			continue;
		if (request->tag > w->tags[request->slot]) {
			w->tags[request->slot] = request->tag;
			drive_execute(w, request);
		}
		assert_int_equal(xo_link_send(&w->server, &w->replies[request->slot]), 0);
	}
}

/* --- the guest --- */

static uint64_t finish_access(struct worker *w, struct lb_access access)
{
	int r = lb_vcpu_start(w->cpu, &access);

	assert_true(r >= 0);
	for (int i = 0; r == 1 && i < 12000; i++) {
		r = lb_vcpu_finish(w->cpu, &access, 10);
		if (r != -ETIMEDOUT)
			break;
		supervise(w);
		drive_serve(w);
		r = 1;
	}
	assert_int_equal(r, 0);
	return access.data;
}

static uint64_t access_one(struct worker *w, enum lb_access_type type, bool write, uint64_t address,
			   uint32_t size, uint64_t data)
{
	return finish_access(w, (struct lb_access){ .type = type,
						    .write = write,
						    .address = address,
						    .size = size,
						    .count = 1,
						    .data = data });
}

static uint32_t get(struct worker *w, uint64_t address)
{
	return (uint32_t)access_one(w, LB_ACCESS_MEMORY, false, address, 4, 0);
}

static void set(struct worker *w, uint64_t address, uint32_t value)
{
	access_one(w, LB_ACCESS_MEMORY, true, address, 4, value);
}

static uint8_t in(struct worker *w, uint32_t port)
{
	return (uint8_t)access_one(w, LB_ACCESS_PORT, false, port, 1, 0);
}

static void out(struct worker *w, uint32_t port, uint32_t size, uint32_t value)
{
	access_one(w, LB_ACCESS_PORT, true, port, size, value);
}

static void config(struct worker *w, uint32_t reg, uint32_t size, uint32_t value)
{
	access_one(w, LB_ACCESS_PORT, true, 0xcf8, 4, 0x80000000u | BDF << 8 | reg);
	access_one(w, LB_ACCESS_PORT, true, 0xcfc + (reg & 3), size, value);
}

static uint8_t *ram(struct worker *w, uint64_t address, size_t length)
{
	uint8_t *p = lb_guest_memory(w->guest, address, length);

	assert_non_null(p);
	return p;
}

static void wait_for(struct worker *w, bool (*ready)(struct worker *w))
{
	for (int i = 0; i < 120000; i++) {
		drive_serve(w);
		supervise(w);
		if (ready(w))
			return;
		usleep(500);
	}
	fail_msg("the command does not end");
}

static void ahci_start(struct worker *w)
{
	config(w, 0x24, 4, ABAR);
	config(w, 4, 2, 6);
	assert_int_equal(get(w, ABAR + 0x10), 0x00010301);
	set(w, PORT + 0x00, LIST);
	set(w, PORT + 0x08, FISES);
	set(w, PORT + 0x30, 0xffffffff);
	set(w, PORT + 0x14, 0xffffffff);
	set(w, PORT + 0x18, 0x16);
	set(w, PORT + 0x18, 0x17);
	set(w, ABAR + 0x04, 0x80000002);
}

static bool ahci_done(struct worker *w)
{
	return !get(w, PORT + 0x38);
}

static void ahci_prepare(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes)
{
	uint8_t *table = ram(w, TABLE, 0x100);
	uint8_t *header = ram(w, LIST, 32);

	memset(table, 0, 0x100);
	memcpy(table, "\x27\x80\xa0\x01", 4);
	memcpy(table + 0x40, cdb, 12);
	xo_put_le32(table + 0x80, BUFFER);
	xo_put_le32(table + 0x8c, bytes - 1);
	xo_put_le32(header, 0x10025u | (write ? 0x40 : 0));
	xo_put_le32(header + 8, TABLE);
}

static void ahci_command(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes)
{
	ahci_prepare(w, cdb, write, bytes);
	set(w, PORT + 0x38, 1);
	wait_for(w, ahci_done);
	set(w, PORT + 0x10, 0xffffffff);
	set(w, ABAR + 0x08, 1);
	assert_false(lb_guest_intx(w->guest, DEVICE, 0));
}

static void ide_start(struct worker *w)
{
	config(w, 0x10, 4, CMD);
	config(w, 0x14, 4, CTL);
	config(w, 0x20, 4, BM);
	config(w, 4, 2, 5);
	assert_int_equal(in(w, CMD + 5), 0xeb);
}

static bool ide_done(struct worker *w)
{
	return !(in(w, CTL + 2) & 0x80);
}

/* PIO with `rep insw` and `rep outsw`, a block of 8 KiB at a time. */
static void ide_command(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes)
{
	uint32_t at = 0;

	out(w, CMD + 1, 1, 0);
	out(w, CMD + 4, 1, 0x00);
	out(w, CMD + 5, 1, 0x20);
	out(w, CMD + 7, 1, 0xa0);
	for (int i = 0; i < 12; i += 2)
		out(w, CMD, 2, xo_get_le16(cdb + i));
	while (at < bytes) {
		uint32_t block;

		wait_for(w, ide_done);
		block = in(w, CMD + 4) | (uint32_t)in(w, CMD + 5) << 8;
		assert_int_equal(in(w, CMD + 7) & 9, 8);
		finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
						     .write = write,
						     .is_ptr = true,
						     .address = CMD,
						     .size = 2,
						     .count = block / 2,
						     .data = BUFFER + at });
		at += block;
	}
	wait_for(w, ide_done);
	assert_int_equal(in(w, CMD + 7) & 0x89, 0);
	assert_false(lb_guest_intx(w->guest, DEVICE, 0));
}

static void block_cdb(uint8_t cdb[12], uint8_t opcode, uint32_t lba)
{
	memset(cdb, 0, 12);
	cdb[0] = opcode;
	xo_put_be32(cdb + 2, lba);
	xo_put_be16(cdb + 7, BLOCKS);
}

/* A read, a write and a read; what the guest and the disc have, and that each reached the drive once. */
static void session(struct worker *w)
{
	void (*command)(struct worker *, const uint8_t *, bool, uint32_t);
	unsigned int before;
	uint8_t cdb[12];

	if (!strcmp(w->bus, "ide")) {
		ide_start(w);
		command = ide_command;
	} else {
		ahci_start(w);
		command = ahci_command;
	}
	before = w->executed;
	block_cdb(cdb, 0x28, 3);
	command(w, cdb, false, BYTES);
	assert_memory_equal(ram(w, BUFFER, BYTES), w->disc + 3 * 2048, BYTES);
	for (uint32_t i = 0; i < BYTES; i++)
		ram(w, BUFFER, BYTES)[i] = (uint8_t)(i * 11 + 5);
	block_cdb(cdb, 0x2a, 20);
	command(w, cdb, true, BYTES);
	memset(ram(w, BUFFER, BYTES), 0, BYTES);
	block_cdb(cdb, 0x28, 20);
	command(w, cdb, false, BYTES);
	for (uint32_t i = 0; i < BYTES; i++)
		assert_int_equal(ram(w, BUFFER, BYTES)[i], (uint8_t)(i * 11 + 5));
	assert_int_equal(w->executed - before, 3);
}

static void both_buses_read_and_write(void **state)
{
	static const char *const buses[] = { "ahci", "ide" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct worker *w = worker_new(buses[i]);

		session(w);
		assert_int_equal(w->starts, 1);
		worker_free(w);
	}
}

/* --- the page that shows registers --- */

static void command(struct worker *w, const char *name)
{
	json_t *message = json_pack("{s:s,s:i}", "execute", name, "id", 2);

	assert_int_equal(xo_control_send(w->control, message, NULL, 0), 0);
	json_decref(message);
	json_decref(await(w, "return"));
}

/* Exits of a read at `address`, and that it is `expected`. */
static uint64_t exits_to_read(struct worker *w, uint64_t address, uint32_t expected)
{
	uint64_t before = lb_vcpu_exits(w->cpu);

	assert_int_equal(get(w, address), expected);
	return lb_vcpu_exits(w->cpu) - before;
}

/* What the page shows is what the model answers, at every register and behind them. */
static void shown_as_answered(struct worker *w)
{
	uint32_t shown[0x200 / 4];

	for (uint32_t i = 0; i < XO_ARRAY_SIZE(shown); i++) {
		uint64_t before = lb_vcpu_exits(w->cpu);

		shown[i] = get(w, ABAR + 4 * i);
		assert_int_equal(lb_vcpu_exits(w->cpu), before);
	}
	command(w, "log-dirty");
	for (uint32_t i = 0; i < XO_ARRAY_SIZE(shown); i++)
		assert_int_equal(exits_to_read(w, ABAR + 4 * i, shown[i]), 1);
	/* Not under the hands of a guest that runs. */
	command(w, "log-clean");
	assert_int_equal(exits_to_read(w, ABAR + 0x10, 0x00010301), 1);
	command(w, "stop");
	command(w, "cont");
	assert_int_equal(exits_to_read(w, ABAR + 0x10, 0x00010301), 0);
}

static void registers_are_read_without_exits(void **state)
{
	struct worker *w = worker_new("ahci");
	uint8_t cdb[12];

	(void)state;
	ahci_start(w);
	shown_as_answered(w);
	session(w);
	shown_as_answered(w);
	block_cdb(cdb, 0x28, 3);
	ahci_prepare(w, cdb, false, BYTES);
	set(w, PORT + 0x38, 1);
	wait_for(w, ahci_done);
	/* The end of the command is there for who polls, before any write. */
	assert_int_equal(exits_to_read(w, PORT + 0x20, 0x50), 0);
	assert_int_equal(exits_to_read(w, ABAR + 0x08, 1), 0);
	shown_as_answered(w);
	set(w, PORT + 0x10, 0xffffffff);
	set(w, ABAR + 0x08, 1);
	assert_int_equal(exits_to_read(w, ABAR + 0x08, 0), 0);
	worker_free(w);
}

/* The page goes where the base address register says, and is nowhere else. */
static void the_page_follows_the_register(void **state)
{
	struct worker *w = worker_new("ahci");

	(void)state;
	ahci_start(w);
	config(w, 0x24, 4, 0xffffffff);
	assert_int_equal(exits_to_read(w, ABAR + 0x10, 0xffffffff), 0);
	config(w, 0x24, 4, ABAR + 0x5000);
	assert_int_equal(exits_to_read(w, ABAR + 0x5010, 0x00010301), 0);
	assert_int_equal(exits_to_read(w, ABAR + 0x10, 0xffffffff), 0);
	config(w, 4, 2, 4);
	assert_int_equal(exits_to_read(w, ABAR + 0x5010, 0xffffffff), 0);
	config(w, 4, 2, 6);
	assert_int_equal(exits_to_read(w, ABAR + 0x5010, 0x00010301), 0);
	/* Powered down, and up again. */
	config(w, 0x74, 2, 3);
	assert_int_equal(exits_to_read(w, ABAR + 0x5010, 0xffffffff), 0);
	config(w, 0x74, 2, 0);
	assert_int_equal(exits_to_read(w, ABAR + 0x5010, 0x00010301), 0);
	/* Over RAM nothing is put: the guest has its memory there. */
	memset(ram(w, BUFFER, 0x1000), 0x5a, 0x1000);
	config(w, 0x24, 4, BUFFER);
	assert_int_equal(exits_to_read(w, BUFFER + 0x10, 0x5a5a5a5a), 0);
	config(w, 0x24, 4, ABAR);
	assert_int_equal(ram(w, BUFFER, 0x1000)[0xfff], 0x5a);
	/* Saved, or not after all: what is in the guest's memory is none of ours. */
	command(w, "stop");
	command(w, "cont");
	assert_int_equal(exits_to_read(w, ABAR + 0x10, 0x00010301), 0);
	session(w);
	worker_free(w);
}

static void the_page_is_no_memory_to_commands(void **state)
{
	struct worker *w = worker_new("ahci");
	uint8_t cdb[12];

	(void)state;
	ahci_start(w);
	block_cdb(cdb, 0x28, 3);
	ahci_prepare(w, cdb, false, BYTES);
	xo_put_le32(ram(w, TABLE, 0x100) + 0x80, ABAR);
	set(w, PORT + 0x38, 1);
	for (int i = 0; i < 4000 && !get(w, PORT + 0x10); i++) {
		drive_serve(w);
		usleep(500);
	}
	assert_int_equal(get(w, PORT + 0x10) & 1u << 29, 1u << 29);
	shown_as_answered(w);
	worker_free(w);
}

/* Where another server has the memory type, every access comes to the worker, and all is as it was. */
static void without_the_page_all_is_the_same(void **state)
{
	xendevicemodel_handle *devicemodel = xendevicemodel_open(NULL, 0);
	struct worker *w;
	ioservid_t server;

	(void)state;
	assert_non_null(devicemodel);
	assert_int_equal(xendevicemodel_create_ioreq_server(devicemodel, (domid_t)guest_domid, 0,
							    &server),
			 0);
	assert_int_equal(xendevicemodel_map_mem_type_to_ioreq_server(
				 devicemodel, (domid_t)guest_domid, server, HVMMEM_ioreq_server,
				 XEN_DMOP_IOREQ_MEM_ACCESS_WRITE),
			 0);
	w = worker_new("ahci");
	session(w);
	assert_int_equal(exits_to_read(w, ABAR + 0x10, 0x00010301), 1);
	worker_free(w);
	xendevicemodel_destroy_ioreq_server(devicemodel, (domid_t)guest_domid, server);
	xendevicemodel_close(devicemodel);
}

/* It is moved with every change of the register: killed in between, the next one finds it. */
static void killed_while_the_page_moves(void **state)
{
	static const char *const points[] = { "ioemu.moving", "ioemu.moved" };

	(void)state;
	for (size_t p = 0; p < XO_ARRAY_SIZE(points); p++) {
		char kill[256] = "";
		struct worker *w;

		for (int n = 1; n <= 12; n++)
			snprintf(kill + strlen(kill), sizeof(kill) - strlen(kill), "%s%s=%d",
				 n == 1 ? "" : ",", points[p], n);
		setenv("XENOPTIC_KILL", kill, 1);
		w = worker_new("ahci");
		for (int i = 0; i < 12; i++) {
			ahci_start(w);
			config(w, 4, 2, 4);
			assert_int_equal(get(w, ABAR + 0x10), 0xffffffff);
		}
		assert_true(w->starts > 6);
		unsetenv("XENOPTIC_KILL");
		session(w);
		/* A dead worker's server answers as well. */
		worker_free(w);
	}
}

/*
 * The page goes home while the guest's CPUs run. In the middle of that a register is still the controller's: what is
 * written to it waits, and is not left in the page.
 */
static void a_write_is_not_left_in_the_page_that_moves(void **state)
{
	struct lb_access access = { .type = LB_ACCESS_MEMORY,
				    .write = true,
				    .address = ABAR + 0x04,
				    .size = 4,
				    .count = 1,
				    .data = 0x80000000 };
	json_t *message = json_pack("{s:s,s:i}", "execute", "log-dirty", "id", 2);
	struct worker *w;
	int status;

	(void)state;
	setenv("XENOPTIC_KILL", "ioemu.moved=2", 1);
	w = worker_new("ahci");
	ahci_start(w);
	unsetenv("XENOPTIC_KILL");
	assert_int_equal(exits_to_read(w, ABAR + 0x04, 0x80000002), 0);
	assert_int_equal(xo_control_send(w->control, message, NULL, 0), 0);
	json_decref(message);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(lb_vcpu_start(w->cpu, &access), 1);
	worker_start(w);
	assert_int_equal(lb_vcpu_finish(w->cpu, &access, 20000), 0);
	assert_int_equal(get(w, ABAR + 0x04), 0x80000000);
	session(w);
	worker_free(w);
}

/* Nor is it moved for a successor: registers are read without an exit before it has begun, and after. */
static void a_successor_leaves_the_page_where_it_is(void **state)
{
	struct worker *w = worker_new("ahci");
	int status;

	(void)state;
	ahci_start(w);
	kill(w->pid, SIGKILL);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_int_equal(exits_to_read(w, ABAR + 0x04, 0x80000002), 0);
	worker_start(w);
	/* Served by it: a register that is not shown as it was. */
	set(w, ABAR + 0x04, 0x80000000);
	assert_int_equal(exits_to_read(w, ABAR + 0x04, 0x80000000), 0);
	session(w);
	worker_free(w);
}

static void killed_at_every_point(void **state)
{
	static const char *const points[] = { "ioemu.taken",	 "ioemu.done",	"ioemu.committed",
					      "ioemu.answered",	 "ioemu.sent",	"ioemu.replied",
					      "ioemu.completed", "ioemu.mapped" };
	static const char *const buses[] = { "ahci", "ide" };

	(void)state;
	for (size_t b = 0; b < 2; b++) {
		for (size_t p = 0; p < XO_ARRAY_SIZE(points); p++) {
			char kill[1024] = "";
			struct worker *w;

			/* Several passes each: every few accesses, and the first commands. */
			for (int n = 1; n <= 29; n += p < 4 ? 7 : 1)
				snprintf(kill + strlen(kill), sizeof(kill) - strlen(kill),
					 "%s%s=%d", n == 1 ? "" : ",", points[p], n);
			setenv("XENOPTIC_KILL", kill, 1);
			w = worker_new(buses[b]);
			session(w);
			if (w->starts < 2)
				fail_msg("%s was not passed on %s", points[p], buses[b]);
			unsetenv("XENOPTIC_KILL");
			worker_free(w);
		}
	}
}

/* The port is the controller's, even if nobody serves it now: an access waits, and ends when somebody does. */
static void waits_for_a_worker(struct worker *w, uint32_t port)
{
	struct lb_access access = {
		.type = LB_ACCESS_PORT, .address = port, .size = 1, .count = 1
	};

	assert_int_equal(lb_vcpu_start(w->cpu, &access), 1);
	worker_start(w);
	assert_int_equal(lb_vcpu_finish(w->cpu, &access, 20000), 0);
	assert_int_not_equal(access.data & 0xff, 0xff);
}

/*
 * A successor sets itself up while the guest's other CPUs run: what they access meanwhile is not lost. It dies
 * there as well, so that there is time to access.
 */
static void ports_are_kept_while_a_successor_starts(void **state)
{
	static const uint32_t ports[] = { CMD + 7, CTL + 2, BM + 2 };

	(void)state;
	for (unsigned int n = 1; n <= 3; n++) {
		for (size_t i = 0; i < XO_ARRAY_SIZE(ports); i++) {
			struct worker *w = worker_new("ide");
			char kill_at[32];
			int status;

			ide_start(w);
			kill(w->pid, SIGKILL);
			assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
			snprintf(kill_at, sizeof(kill_at), "ioemu.mapped=%u", n);
			setenv("XENOPTIC_KILL", kill_at, 1);
			worker_start(w);
			unsetenv("XENOPTIC_KILL");
			assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
			assert_true(WIFSIGNALED(status));
			waits_for_a_worker(w, ports[i]);
			session(w);
			worker_free(w);
		}
	}
}

/* One in so many accesses kills, wherever that is. */
static void killed_at_seeded_counts(void **state)
{
	uint32_t seed = 4711;

	(void)state;
	for (int round = 0; round < 4; round++) {
		char kill[1024] = "";
		unsigned int at = 0;
		struct worker *w;

		for (int n = 0; n < 12; n++) {
			seed = seed * 1664525 + 1013904223;
			at += 1 + (seed >> 16) % 9;
			snprintf(kill + strlen(kill), sizeof(kill) - strlen(kill), "%sioemu.%s=%u",
				 n ? "," : "", (seed >> 30) & 1 ? "done" : "taken", at);
		}
		setenv("XENOPTIC_KILL", kill, 1);
		w = worker_new(round & 1 ? "ide" : "ahci");
		session(w);
		assert_true(w->starts > 3);
		unsetenv("XENOPTIC_KILL");
		worker_free(w);
	}
}

/* Made to call what is not on its list, it is killed by the filter; its successor goes on. */
static void a_trespasser_dies(void **state)
{
	static const char *const points[] = { "ioemu.taken=40!", "ioemu.sent=1!",
					      "ioemu.replied=2!" };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(points); i++) {
		struct worker *w;

		setenv("XENOPTIC_KILL", points[i], 1);
		w = worker_new(i ? "ahci" : "ide");
		session(w);
		assert_int_equal(w->starts, 2);
		assert_int_equal(w->signal, SIGSYS);
		unsetenv("XENOPTIC_KILL");
		worker_free(w);
	}
}

/* Exits of a command in the steady state: one write starts it. */
static void one_exit_starts_an_ahci_command(void **state)
{
	struct worker *w = worker_new("ahci");
	unsigned int executed;
	uint64_t before;
	uint8_t cdb[12];

	(void)state;
	session(w);
	block_cdb(cdb, 0x28, 3);
	ahci_prepare(w, cdb, false, BYTES);
	executed = w->executed;
	before = lb_vcpu_exits(w->cpu);
	set(w, PORT + 0x38, 1);
	for (int i = 0; i < 4000 && !lb_guest_intx(w->guest, DEVICE, 0); i++) {
		drive_serve(w);
		usleep(500);
	}
	/* The doorbell alone: the drive has done it, the data and the interrupt are there. */
	assert_int_equal(lb_vcpu_exits(w->cpu) - before, 1);
	assert_int_equal(w->executed - executed, 1);
	assert_true(lb_guest_intx(w->guest, DEVICE, 0));
	assert_memory_equal(ram(w, BUFFER, BYTES), w->disc + 3 * 2048, BYTES);
	worker_free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_buses_read_and_write),
		cmocka_unit_test(registers_are_read_without_exits),
		cmocka_unit_test(the_page_follows_the_register),
		cmocka_unit_test(the_page_is_no_memory_to_commands),
		cmocka_unit_test(without_the_page_all_is_the_same),
		cmocka_unit_test(killed_while_the_page_moves),
		cmocka_unit_test(a_write_is_not_left_in_the_page_that_moves),
		cmocka_unit_test(a_successor_leaves_the_page_where_it_is),
		cmocka_unit_test(killed_at_every_point),
		cmocka_unit_test(ports_are_kept_while_a_successor_starts),
		cmocka_unit_test(killed_at_seeded_counts),
		cmocka_unit_test(a_trespasser_dies),
		cmocka_unit_test(one_exit_starts_an_ahci_command),
	};

	guest_domid = (uint32_t)atoi(getenv("TEST_DOMID"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
