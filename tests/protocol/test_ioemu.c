/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-ioemu itself, on the loopback: the test is its launcher, its drive
 * and the guest's virtual CPU. Commands over AHCI and IDE; killed at every named
 * point and started again, the guest sees nothing and the drive each command once.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <xendevicemodel.h>

#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>

#include "base/bytes.h"
#include "base/control.h"
#include "ioemu_stage.h"

/* A read, a write and a read; what the guest and the disc have, and that each reached the drive once. */
static void session(struct worker *w)
{
	void (*transfer)(struct worker *, const uint8_t *, bool, uint32_t);
	unsigned int before;
	uint8_t cdb[12];

	if (!strcmp(w->bus, "ide")) {
		ide_start(w);
		transfer = w->dma ? ide_dma : ide_command;
	} else {
		ahci_start(w);
		transfer = ahci_command;
	}
	before = w->executed;
	block_cdb(cdb, 0x28, 3);
	transfer(w, cdb, false, BYTES);
	assert_memory_equal(ram(w, BUFFER, BYTES), w->disc + 3 * 2048, BYTES);
	for (uint32_t i = 0; i < BYTES; i++)
		ram(w, BUFFER, BYTES)[i] = (uint8_t)(i * 11 + 5);
	block_cdb(cdb, 0x2a, 20);
	transfer(w, cdb, true, BYTES);
	memset(ram(w, BUFFER, BYTES), 0, BYTES);
	block_cdb(cdb, 0x28, 20);
	transfer(w, cdb, false, BYTES);
	for (uint32_t i = 0; i < BYTES; i++)
		assert_int_equal(ram(w, BUFFER, BYTES)[i], (uint8_t)(i * 11 + 5));
	assert_int_equal(w->executed - before, 3);
}

/* The ways of a command's data. */
static const struct {
	const char *bus;
	bool dma;
} ways[] = { { "ahci", true }, { "ide", false }, { "ide", true } };

static void both_buses_read_and_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(ways); i++) {
		struct worker *w = worker_new(ways[i].bus);

		w->dma = ways[i].dma;
		session(w);
		assert_int_equal(w->starts, 1);
		worker_free(w);
	}
}

static void assert_text(const uint8_t id[512], unsigned int word, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		assert_int_equal(id[2 * word + (i ^ 1)], i < strlen(text) ? text[i] : ' ');
}

/* IDENTIFY's strings: the drive's, from its INQUIRY, which is asked for once; or ours, and nobody asks. */
static void the_identity_is_the_drives_or_generic(void **state)
{
	static const char *const buses[] = { "ahci", "ide" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool generic = i & 1;
		struct worker *w = worker_new_as(buses[i / 2], generic ? "generic" : "drive");
		uint8_t before[512];
		uint8_t id[512];
		uint8_t sum = 0;

		assert_int_equal(w->executed, generic ? 0 : 1);
		if (i / 2)
			ide_start(w);
		else
			ahci_start(w);
		identify(w, id);
		assert_int_equal(xo_get_le16(id), 0x85c0);
		assert_text(id, 27, generic ? "XENOPTIC DVD/BD DRIVE" : "TESTDRV Burner of tests",
			    40);
		assert_text(id, 23, generic ? "1.00" : "1.23", 8);
		assert_text(id, 10, "", 20);
		/* DMA and its modes, PACKET, and Serial ATA where it is: the same for both. */
		assert_int_equal(xo_get_le16(id + 2 * 49), 0x0f00);
		assert_int_equal(xo_get_le16(id + 2 * 63), 0x0007);
		assert_int_equal(xo_get_le16(id + 2 * 88), 0x203f);
		assert_int_equal(xo_get_le16(id + 2 * 82), 0x0210);
		assert_int_equal(xo_get_le16(id + 2 * 76), i / 2 ? 0 : 0x0002);
		for (int k = 0; k < 512; k++)
			sum = (uint8_t)(sum + id[k]);
		assert_int_equal(sum, 0);
		/* A successor says the same and does not ask again. */
		memcpy(before, id, sizeof(id));
		kill(w->pid, SIGKILL);
		identify(w, id);
		assert_int_equal(w->starts, 2);
		assert_memory_equal(id, before, sizeof(id));
		assert_int_equal(w->executed, generic ? 0 : 1);
		worker_free(w);
	}
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
	/* At home it stays there, until the guest stands still. */
	command(w, "log-dirty");
	command(w, "log-clean");
	kill(w->pid, SIGKILL);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	worker_start(w);
	set(w, ABAR + 0x04, 0x80000000);
	assert_int_equal(exits_to_read(w, ABAR + 0x04, 0x80000000), 1);
	command(w, "stop");
	command(w, "cont");
	assert_int_equal(exits_to_read(w, ABAR + 0x04, 0x80000000), 0);
	session(w);
	worker_free(w);
}

static void killed_at_every_point(void **state)
{
	static const char *const points[] = { "ioemu.taken",	 "ioemu.done",	"ioemu.committed",
					      "ioemu.answered",	 "ioemu.sent",	"ioemu.replied",
					      "ioemu.completed", "ioemu.mapped" };

	(void)state;
	for (size_t b = 0; b < XO_ARRAY_SIZE(ways); b++) {
		for (size_t p = 0; p < XO_ARRAY_SIZE(points); p++) {
			char kill[1024] = "";
			struct worker *w;

			/* Several passes each: every few accesses, and the first commands. */
			for (int n = 1; n <= 29; n += p < 4 ? 7 : 1)
				snprintf(kill + strlen(kill), sizeof(kill) - strlen(kill),
					 "%s%s=%d", n == 1 ? "" : ",", points[p], n);
			setenv("XENOPTIC_KILL", kill, 1);
			w = worker_new(ways[b].bus);
			w->dma = ways[b].dma;
			session(w);
			if (w->starts < 2)
				fail_msg("%s was not passed on %s", points[p], ways[b].bus);
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

static bool interrupted(struct worker *w)
{
	return lb_guest_intx(w->guest, DEVICE, 0);
}

/* Others may share the line: nobody could lower it any more. */
static void a_worker_that_quits_leaves_its_line_low(void **state)
{
	static void (*const starts[])(struct worker *) = { ahci_start, ide_start };
	struct lb_guest *guest = lb_guest_open(guest_domid);
	uint8_t cdb[12];

	(void)state;
	assert_non_null(guest);
	block_cdb(cdb, 0x28, 3);
	for (size_t i = 0; i < 2; i++) {
		struct worker *w = worker_new(i ? "ide" : "ahci");

		starts[i](w);
		if (i) {
			ide_packet(w, cdb, false);
		} else {
			ahci_prepare(w, cdb, false, BYTES);
			set(w, PORT + 0x38, 1);
		}
		wait_for(w, interrupted);
		worker_free(w);
		assert_false(lb_guest_intx(guest, DEVICE, 0));
	}
	lb_guest_close(guest);
}

/* --- media events --- */

enum { SDB = 0x58, PX_IS = 0x10, PX_SNTF = 0x3c, IS_SDBS = 8 };

/* SET FEATURES, enable use of Serial ATA feature, asynchronous notification. */
static void notification_on(struct worker *w)
{
	ahci_ata(w, 0xef, 0x10, 5);
	memset(ram(w, FISES + SDB, 8), 0, 8);
}

/* The Set Device Bits FIS with N and I, PxSNTF, the cause and the interrupt; all acknowledged. */
static void assert_notified(struct worker *w)
{
	static const uint8_t fis[8] = { 0xa1, 0xc0 };

	wait_for(w, interrupted);
	assert_memory_equal(ram(w, FISES + SDB, 8), fis, 8);
	assert_int_equal(get(w, PORT + PX_SNTF), 1);
	assert_int_equal(get(w, PORT + PX_IS), IS_SDBS);
	assert_int_equal(get(w, ABAR + 0x08), 1);
	set(w, PORT + PX_SNTF, 1);
	assert_int_equal(get(w, PORT + PX_SNTF), 0);
	ahci_acknowledge(w);
	memset(ram(w, FISES + SDB, 8), 0, 8);
}

static void assert_not_notified(struct worker *w)
{
	settle(w);
	assert_int_equal(ram(w, FISES + SDB, 8)[0], 0);
	assert_int_equal(get(w, PORT + PX_SNTF), 0);
	assert_false(interrupted(w));
}

static const enum xo_notice media_notices[] = {
	XO_NOTICE_MEDIUM_CHANGED, XO_NOTICE_EJECT_REQUEST, XO_NOTICE_MEDIUM_REMOVED,
	XO_NOTICE_LEASE_HELD,	  XO_NOTICE_DRIVE_GONE,	   XO_NOTICE_DRIVE_BACK,
};

/* A guest that has it polls no more: whatever polling would find is told. */
static void every_media_event_notifies(void **state)
{
	struct worker *w = worker_new("ahci");

	(void)state;
	ahci_start(w);
	ahci_acknowledge(w);
	for (size_t i = 0; i < XO_ARRAY_SIZE(media_notices); i++)
		drive_notice(w, media_notices[i]);
	assert_not_notified(w);
	notification_on(w);
	for (size_t i = 0; i < XO_ARRAY_SIZE(media_notices); i++) {
		drive_notice(w, media_notices[i]);
		assert_notified(w);
	}
	drive_notice(w, XO_NOTICE_LEASE_LOST);
	assert_not_notified(w);
	/* The drive's end: there is no medium from now on. */
	shutdown(w->server.fd, SHUT_RDWR);
	assert_notified(w);
	worker_free(w);
}

/* IDE cannot tell: its drivers poll. What they do is not disturbed. */
static void media_events_leave_ide_alone(void **state)
{
	struct worker *w = worker_new("ide");

	(void)state;
	ide_start(w);
	for (size_t i = 0; i < XO_ARRAY_SIZE(media_notices); i++)
		drive_notice(w, media_notices[i]);
	settle(w);
	assert_false(interrupted(w));
	session(w);
	worker_free(w);
}

static void a_notice_outlives_its_worker(void **state)
{
	struct worker *w;

	(void)state;
	setenv("XENOPTIC_KILL", "ioemu.noticed=1", 1);
	w = worker_new("ahci");
	ahci_start(w);
	notification_on(w);
	drive_notice(w, XO_NOTICE_MEDIUM_REMOVED);
	assert_notified(w);
	assert_int_equal(w->starts, 2);
	unsetenv("XENOPTIC_KILL");
	worker_free(w);
}

/* While the guest stands still nothing is written to its memory, and a successor keeps to that. */
static void a_stopped_guest_is_notified_when_it_goes_on(void **state)
{
	struct worker *w = worker_new("ahci");

	(void)state;
	ahci_start(w);
	notification_on(w);
	command(w, "stop");
	drive_notice(w, XO_NOTICE_MEDIUM_REMOVED);
	assert_not_notified(w);
	command(w, "cont");
	assert_notified(w);
	command(w, "stop");
	worker_restart(w);
	drive_notice(w, XO_NOTICE_MEDIUM_CHANGED);
	assert_not_notified(w);
	command(w, "stop");
	command(w, "cont");
	assert_notified(w);
	worker_free(w);
}

/* --- message interrupts --- */

enum { MSI_AT = 0x80, MSI_ADDRESS = 0xfee03000, MSI_DATA = 0x4061 };

static void assert_message(struct worker *w)
{
	struct lb_injection injection;

	do
		assert_int_equal(lb_guest_injection(w->guest, &injection, 10000), 1);
	while (injection.type != LB_INJECTED_MSI);
	assert_int_equal(injection.address, MSI_ADDRESS);
	assert_int_equal(injection.data, MSI_DATA);
}

/* One message for each command, and the line stays low. */
static void a_message_tells_of_a_command(void **state)
{
	struct worker *w = worker_new_interrupting("ahci", "msi");
	struct lb_injection injection;
	uint8_t cdb[12];

	(void)state;
	ahci_start(w);
	config(w, MSI_AT + 4, 4, MSI_ADDRESS);
	config(w, MSI_AT + 8, 4, 0);
	config(w, MSI_AT + 12, 2, MSI_DATA);
	config(w, MSI_AT + 2, 2, 1);
	for (unsigned int i = 0; i < 3; i++) {
		block_cdb(cdb, 0x28, i);
		ahci_prepare(w, cdb, false, BYTES);
		set(w, PORT + 0x38, 1);
		wait_for(w, ahci_done);
		assert_message(w);
		assert_memory_equal(ram(w, BUFFER, BYTES), w->disc + i * 2048, BYTES);
		ahci_acknowledge(w);
		settle(w);
		while (lb_guest_injection(w->guest, &injection, 0))
			assert_int_not_equal(injection.type, LB_INJECTED_MSI);
	}
	worker_free(w);
}

int main(void)
{
	const char *domid = getenv("TEST_DOMID");
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_buses_read_and_write),
		cmocka_unit_test(the_identity_is_the_drives_or_generic),
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
		cmocka_unit_test(a_worker_that_quits_leaves_its_line_low),
		cmocka_unit_test(every_media_event_notifies),
		cmocka_unit_test(media_events_leave_ide_alone),
		cmocka_unit_test(a_notice_outlives_its_worker),
		cmocka_unit_test(a_stopped_guest_is_notified_when_it_goes_on),
		cmocka_unit_test(a_message_tells_of_a_command),
	};

	if (!domid) {
		fprintf(stderr, "TEST_DOMID is not set: run ioemu.test\n");
		return 1;
	}
	guest_domid = (uint32_t)atoi(domid);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
