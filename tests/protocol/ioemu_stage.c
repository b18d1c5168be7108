/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Launcher, drive, CPU and drivers; see ioemu_stage.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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
#include "ioemu_stage.h"

uint32_t guest_domid;
void (*stage_execute)(const struct xo_link_request *request, uint8_t *data,
		      struct xo_link_reply *reply);

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
	      "--device", "27", "--link", "5,6,8,524288", "--identity", w->identity, "--interrupt",
	      w->interrupt, "--dirty-pages", w->dirty_pages ? w->dirty_pages : "logged", "--user",
	      "nobody", (char *)NULL);
	_exit(127);
}

void worker_start(struct worker *w)
{
	w->starts++;
	w->pid = fork();
	if (w->pid == 0)
		child_exec(w);
	assert_true(w->pid > 0);
}

static void worker_kill(struct worker *w)
{
	int status;

	kill(w->pid, SIGKILL);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
}

void worker_restart(struct worker *w)
{
	worker_kill(w);
	worker_start(w);
	json_decref(await(w, "event"));
}

static void link_new(struct worker *w)
{
	int link[2];

	assert_int_equal(
		xo_link_create(XO_IOEMU_LINK_SLOTS, XO_IOEMU_LINK_SLOT_SIZE, link, &w->arena), 0);
	w->client_fd = link[0];
	assert_int_equal(xo_link_open(&w->server, link[1], dup(w->arena), XO_IOEMU_LINK_SLOTS,
				      XO_IOEMU_LINK_SLOT_SIZE),
			 0);
	memset(w->tags, 0, sizeof(w->tags));
}

void worker_relink(struct worker *w)
{
	worker_kill(w);
	xo_link_close(&w->server);
	close(w->client_fd);
	close(w->arena);
	link_new(w);
	worker_start(w);
	json_decref(await(w, "event"));
}

json_t *await(struct worker *w, const char *key)
{
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message;
	size_t count;

	for (int i = 0; i < 4000; i++) {
		int r = xo_control_receive(w->control, &message, fds, &count);

		drive_serve(w); /* its INQUIRY */
		if (r == 1 && json_object_get(message, key)) {
			w->passed = count ? fds[0] : -1;
			return message;
		}
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

static struct worker *worker_new_with(const char *bus, const char *identity, const char *interrupt)
{
	struct worker *w = calloc(1, sizeof(*w));
	int control[2];

	w->bus = bus;
	w->identity = identity;
	w->interrupt = interrupt;
	assert_int_equal(xo_control_pair(control), 0);
	w->control = control[0];
	w->worker_end = control[1];
	w->ledger = xo_ledger_create(XO_IOEMU_LEDGER_REGION);
	link_new(w);
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

struct worker *worker_new(const char *bus)
{
	return worker_new_with(bus, "drive", "intx");
}

struct worker *worker_new_as(const char *bus, const char *identity)
{
	return worker_new_with(bus, identity, "intx");
}

struct worker *worker_new_interrupting(const char *bus, const char *interrupt)
{
	return worker_new_with(bus, "drive", interrupt);
}

void worker_free(struct worker *w)
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
	if (stage_execute)
		stage_execute(request, data, &reply->reply);
	else if (request->cdb[0] == 0x12)
		memcpy(data, "\x05\x80\x05\x32\x1f\0\0\0TESTDRV Burner of tests 1.23", 36);
	else if (request->cdb[0] == 0x28 && xo_range_within(at, request->length, sizeof(w->disc)))
		memcpy(data, w->disc + at, request->length);
	else if (request->cdb[0] == 0x2a && xo_range_within(at, request->length, sizeof(w->disc)))
		memcpy(w->disc + at, data, request->length);
}

void drive_serve(struct worker *w)
{
	union xo_link_message message;

	while (!w->slow && xo_link_receive(&w->server, &message) == 1) {
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

void drive_notice(struct worker *w, enum xo_notice notice)
{
	const union xo_link_message message = { .notice = { .type = XO_LINK_NOTICE,
							    .notice = notice } };

	assert_int_equal(xo_link_send(&w->server, &message), 0);
}

/* --- the guest --- */

uint64_t finish_access(struct worker *w, struct lb_access access)
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

uint32_t get(struct worker *w, uint64_t address)
{
	return (uint32_t)access_one(w, LB_ACCESS_MEMORY, false, address, 4, 0);
}

void set(struct worker *w, uint64_t address, uint32_t value)
{
	access_one(w, LB_ACCESS_MEMORY, true, address, 4, value);
}

uint8_t in(struct worker *w, uint32_t port)
{
	return (uint8_t)access_one(w, LB_ACCESS_PORT, false, port, 1, 0);
}

void out(struct worker *w, uint32_t port, uint32_t size, uint32_t value)
{
	access_one(w, LB_ACCESS_PORT, true, port, size, value);
}

void config(struct worker *w, uint32_t reg, uint32_t size, uint32_t value)
{
	access_one(w, LB_ACCESS_PORT, true, 0xcf8, 4, 0x80000000u | BDF << 8 | reg);
	access_one(w, LB_ACCESS_PORT, true, 0xcfc + (reg & 3), size, value);
}

uint8_t *ram(struct worker *w, uint64_t address, size_t length)
{
	uint8_t *p = lb_guest_memory(w->guest, address, length);

	assert_non_null(p);
	return p;
}

void wait_for(struct worker *w, bool (*ready)(struct worker *w))
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

void ahci_start(struct worker *w)
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

bool ahci_done(struct worker *w)
{
	return !get(w, PORT + 0x38);
}

void ahci_prepare(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes)
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

void ahci_command(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes)
{
	ahci_prepare(w, cdb, write, bytes);
	set(w, PORT + 0x38, 1);
	wait_for(w, ahci_done);
	ahci_acknowledge(w);
}

void ahci_acknowledge(struct worker *w)
{
	set(w, PORT + 0x10, 0xffffffff);
	set(w, ABAR + 0x08, 1);
	assert_false(lb_guest_intx(w->guest, DEVICE, 0));
}

void ahci_ata(struct worker *w, uint8_t command, uint8_t feature, uint8_t count)
{
	uint8_t *table = ram(w, TABLE, 0x100);

	memset(table, 0, 0x100);
	table[0] = 0x27;
	table[1] = 0x80;
	table[2] = command;
	table[3] = feature;
	table[12] = count;
	xo_put_le32(ram(w, LIST, 32), 5);
	xo_put_le32(ram(w, LIST, 32) + 8, TABLE);
	set(w, PORT + 0x38, 1);
	wait_for(w, ahci_done);
	assert_int_equal(get(w, PORT + 0x20) & 0x89, 0);
	ahci_acknowledge(w);
}

void ide_start(struct worker *w)
{
	config(w, 0x10, 4, CMD);
	config(w, 0x14, 4, CTL);
	config(w, 0x20, 4, BM);
	config(w, 4, 2, 5);
	assert_int_equal(in(w, CMD + 5), 0xeb);
}

bool ide_done(struct worker *w)
{
	return !(in(w, CTL + 2) & 0x80);
}

void ide_packet(struct worker *w, const uint8_t *cdb, bool dma)
{
	out(w, CMD + 1, 1, dma);
	out(w, CMD + 4, 1, 0x00);
	out(w, CMD + 5, 1, 0x20);
	out(w, CMD + 7, 1, 0xa0);
	for (int i = 0; i < 12; i += 2)
		out(w, CMD, 2, xo_get_le16(cdb + i));
}

/* PIO with `rep insw` and `rep outsw`, a block of 8 KiB at a time. */
void ide_command(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes)
{
	uint32_t at = 0;

	ide_packet(w, cdb, false);
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

static void ahci_identify(struct worker *w)
{
	uint8_t *header = ram(w, LIST, 32);
	uint8_t cdb[12] = { 0 };

	ahci_prepare(w, cdb, false, 512);
	xo_put_le32(header, 0x10005);
	memcpy(ram(w, TABLE, 4), "\x27\x80\xa1", 4);
	set(w, PORT + 0x38, 1);
	wait_for(w, ahci_done);
	set(w, PORT + 0x10, 0xffffffff);
	set(w, ABAR + 0x08, 1);
}

static void ide_identify(struct worker *w)
{
	out(w, CMD + 7, 1, 0xa1);
	wait_for(w, ide_done);
	assert_int_equal(in(w, CMD + 7) & 9, 8);
	finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
					     .is_ptr = true,
					     .address = CMD,
					     .size = 2,
					     .count = 256,
					     .data = BUFFER });
}

void identify(struct worker *w, uint8_t id[512])
{
	if (!strcmp(w->bus, "ide"))
		ide_identify(w);
	else
		ahci_identify(w);
	memcpy(id, ram(w, BUFFER, 512), 512);
}

void ide_dma_prepare(struct worker *w, uint32_t bytes)
{
	static const uint32_t pieces[] = { 0x1004, 0xffe, 0x2, 0x3000 };
	uint8_t *entry = ram(w, TABLE, 0x100);

	out(w, BM, 1, 0);
	for (uint32_t at = 0, i = 0; at < bytes; i++, entry += 8) {
		uint32_t n = XO_MIN(bytes - at, pieces[i % XO_ARRAY_SIZE(pieces)]);

		xo_put_le32(entry, BUFFER + at);
		xo_put_le32(entry + 4, n | (at + n == bytes ? 0x80000000u : 0));
		at += n;
	}
	out(w, BM + 4, 4, TABLE);
	out(w, BM + 2, 1, 0x06);
}

void ide_dma_run(struct worker *w, bool write)
{
	out(w, BM, 1, write ? 0x01 : 0x09);
}

void ide_dma(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes)
{
	ide_dma_prepare(w, bytes);
	ide_packet(w, cdb, true);
	ide_dma_run(w, write);
	wait_for(w, ide_done);
	/* Active no more, no error, and the interrupt (Programming Interface for Bus Master IDE, status bits). */
	assert_int_equal(in(w, BM + 2) & 0x07, 0x04);
	out(w, BM, 1, 0);
	assert_true(lb_guest_intx(w->guest, DEVICE, 0));
	assert_int_equal(in(w, CMD + 7) & 0x89, 0);
	out(w, BM + 2, 1, 0x04);
	assert_false(lb_guest_intx(w->guest, DEVICE, 0));
}

void block_cdb(uint8_t cdb[12], uint8_t opcode, uint32_t lba)
{
	memset(cdb, 0, 12);
	cdb[0] = opcode;
	xo_put_be32(cdb + 2, lba);
	xo_put_be16(cdb + 7, BLOCKS);
}

static void ask(struct worker *w, const char *name, const int *fd)
{
	json_t *message = json_pack("{s:s,s:i}", "execute", name, "id", 2);

	assert_int_equal(xo_control_send(w->control, message, fd, fd ? 1 : 0), 0);
	json_decref(message);
	json_decref(await(w, "return"));
}

void command(struct worker *w, const char *name)
{
	ask(w, name, NULL);
}

void settle(struct worker *w)
{
	int unread = 1;

	for (int i = 0; i < 4000 && unread; i++) {
		assert_int_equal(ioctl(w->server.fd, SIOCOUTQ, &unread), 0);
		if (unread)
			usleep(1000);
	}
	assert_int_equal(unread, 0);
	/* The last of it was read; it is done when the worker comes to the next thing. */
	command(w, "query");
}

json_t *ask_in_vain(struct worker *w, const char *name, int fd)
{
	json_t *message = json_pack("{s:s,s:i}", "execute", name, "id", 2);

	assert_int_equal(xo_control_send(w->control, message, &fd, fd >= 0 ? 1 : 0), 0);
	json_decref(message);
	return await(w, "error");
}

int worker_save(struct worker *w)
{
	ask(w, "save", NULL);
	assert_true(w->passed >= 0);
	return w->passed;
}

void worker_load(struct worker *w, int fd)
{
	ask(w, "load", &fd);
}
