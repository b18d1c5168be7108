/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-ioemu under a guest that is saved: a command that the drive has not ended is given up at "stop", nothing
 * reaches the guest's memory after that, and a worker that loads the state tells the guest what has become of it. And
 * under a guest whose drive goes and comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "ioemu_stage.h"

enum {
	ERROR = 0x51, /* DRDY, DSC, ERR */
	DATA_READY = 0x58,
	NOT_READY = 0x2, /* sense keys */
	UNIT_ATTENTION = 0x6,
	IS_TFES = 1 << 30,
	SENSE = 18,
};

static const uint8_t test_unit_ready[12] = { 0x00 };
static const uint8_t request_sense[12] = { 0x03, 0, 0, 0, SENSE };

/* A guest at a command: how it begins, what it finds when that has failed, and how it goes on. */
struct way {
	const char *bus;
	const char *name;
	bool dma;
	bool write;
	void (*begin)(struct worker *w, const struct way *way);
	/* The status, and the error register behind it. */
	uint16_t (*end)(struct worker *w);
	uint16_t (*command)(struct worker *w, const uint8_t *cdb, uint32_t bytes);
	void (*transfer)(struct worker *w, const uint8_t *cdb, bool write, uint32_t bytes);
};

static void fill(struct worker *w)
{
	memset(ram(w, BUFFER, BYTES), 0xa5, BYTES);
}

static void transfer_cdb(uint8_t cdb[12], bool write)
{
	block_cdb(cdb, write ? 0x2a : 0x28, 3);
}

/* --- AHCI --- */

static void ahci_begin(struct worker *w, const struct way *way)
{
	uint8_t cdb[12];

	transfer_cdb(cdb, way->write);
	ahci_prepare(w, cdb, way->write, BYTES);
	set(w, PORT + 0x38, 1);
	assert_int_equal(get(w, PORT + 0x20) & 0x80, 0x80);
}

static bool ahci_ended(struct worker *w)
{
	return !(get(w, PORT + 0x20) & 0x80);
}

static bool interrupted(struct worker *w)
{
	return lb_guest_intx(w->guest, DEVICE, 0);
}

/* As a driver recovers (AHCI 1.3.1 6.2.2.1): what PxIS says, then ST off and on again. */
static uint16_t ahci_end(struct worker *w)
{
	uint32_t tfd;

	wait_for(w, ahci_ended);
	/* The registers are shown first. */
	wait_for(w, interrupted);
	tfd = get(w, PORT + 0x20);
	assert_int_equal(!!(get(w, PORT + 0x10) & IS_TFES), tfd & 1);
	if (tfd & 1) {
		assert_int_equal(get(w, PORT + 0x38), 1);
		set(w, PORT + 0x18, 0x16);
		assert_int_equal(get(w, PORT + 0x38), 0);
		set(w, PORT + 0x18, 0x17);
	}
	ahci_acknowledge(w);
	return (uint16_t)tfd;
}

static uint16_t ahci_status_of(struct worker *w, const uint8_t *cdb, uint32_t bytes)
{
	ahci_prepare(w, cdb, false, bytes ? bytes : 2);
	if (!bytes)
		xo_put_le16(ram(w, LIST, 32) + 2, 0);
	set(w, PORT + 0x38, 1);
	return ahci_end(w);
}

/* --- IDE --- */

static void ide_begin(struct worker *w, const struct way *way)
{
	uint8_t cdb[12];

	transfer_cdb(cdb, way->write);
	if (way->dma)
		ide_dma_prepare(w, BYTES);
	ide_packet(w, cdb, way->dma);
	if (way->dma)
		ide_dma_run(w, way->write);
	else if (way->write)
		for (uint32_t at = 0; at < BYTES; at += 0x2000)
			finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
							     .write = true,
							     .is_ptr = true,
							     .address = CMD,
							     .size = 2,
							     .count = 0x1000,
							     .data = BUFFER + at });
	assert_int_equal(in(w, CTL + 2) & 0x80, 0x80);
}

static uint16_t ide_end(struct worker *w)
{
	uint16_t error;
	uint8_t status;

	wait_for(w, ide_done);
	assert_true(lb_guest_intx(w->guest, DEVICE, 0));
	out(w, BM, 1, 0);
	error = in(w, CMD + 1);
	status = in(w, CMD + 7);
	assert_false(lb_guest_intx(w->guest, DEVICE, 0));
	return (uint16_t)(error << 8 | status);
}

static uint16_t ide_status_of(struct worker *w, const uint8_t *cdb, uint32_t bytes)
{
	ide_packet(w, cdb, false);
	if (!bytes)
		return ide_end(w);
	wait_for(w, ide_done);
	assert_int_equal(in(w, CMD + 7), DATA_READY);
	finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
					     .is_ptr = true,
					     .address = CMD,
					     .size = 2,
					     .count = bytes / 2,
					     .data = BUFFER });
	return ide_end(w);
}

static const struct way ways[] = {
	{ "ahci", "AHCI, READ", true, false, ahci_begin, ahci_end, ahci_status_of, ahci_command },
	{ "ahci", "AHCI, WRITE", true, true, ahci_begin, ahci_end, ahci_status_of, ahci_command },
	{ "ide", "IDE, READ by DMA", true, false, ide_begin, ide_end, ide_status_of, ide_dma },
	{ "ide", "IDE, WRITE by DMA", true, true, ide_begin, ide_end, ide_status_of, ide_dma },
	{ "ide", "IDE, READ by PIO", false, false, ide_begin, ide_end, ide_status_of, ide_command },
	{ "ide", "IDE, WRITE by PIO", false, true, ide_begin, ide_end, ide_status_of, ide_command },
};

/* --- the guest's memory, which stands still --- */

static uint8_t *copy_memory(struct worker *w)
{
	size_t size = lb_guest_size(w->guest);
	uint8_t *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, ram(w, 0, size), size);
	return copy;
}

static void assert_unchanged(struct worker *w, uint8_t *copy)
{
	assert_int_equal(memcmp(ram(w, 0, lb_guest_size(w->guest)), copy, lb_guest_size(w->guest)),
			 0);
	free(copy);
}

/* --- the tests --- */

static void assert_sense(struct worker *w, const struct way *way, uint8_t key, uint8_t asc,
			 uint8_t ascq)
{
	const uint8_t *sense = ram(w, BUFFER, SENSE);

	assert_int_equal(way->command(w, request_sense, SENSE), 0x50);
	assert_int_equal(sense[0] & 0x7f, 0x70);
	assert_int_equal(sense[2] & 0xf, key);
	assert_int_equal(sense[12], asc);
	assert_int_equal(sense[13], ascq);
}

/* It ended with a NOT READY, becoming ready, which drivers try again (SPC-4, 04h/01h). */
static void assert_given_up(struct worker *w, const struct way *way)
{
	assert_int_equal(way->end(w), NOT_READY << 12 | ERROR);
	assert_sense(w, way, NOT_READY, 0x04, 0x01);
}

/* It ended as one without a drive (SPC-4, 3Ah/00h). */
static void assert_lost(struct worker *w, const struct way *way)
{
	assert_int_equal(way->end(w), NOT_READY << 12 | ERROR);
	assert_sense(w, way, NOT_READY, 0x3a, 0x00);
}

static void assert_works(struct worker *w, const struct way *way)
{
	uint8_t cdb[12];

	transfer_cdb(cdb, false);
	fill(w);
	way->transfer(w, cdb, false, BYTES);
	assert_memory_equal(ram(w, BUFFER, BYTES), w->disc + 3 * 2048, BYTES);
	memset(ram(w, BUFFER, BYTES), 0x3c, BYTES);
	transfer_cdb(cdb, true);
	way->transfer(w, cdb, true, BYTES);
	assert_memory_equal(ram(w, BUFFER, BYTES), w->disc + 3 * 2048, BYTES);
}

static void assert_works_after_attention(struct worker *w, const struct way *way)
{
	assert_int_equal(way->command(w, test_unit_ready, 0), UNIT_ATTENTION << 12 | ERROR);
	assert_sense(w, way, UNIT_ATTENTION, 0x28, 0x00);
	assert_int_equal(way->command(w, test_unit_ready, 0), 0x50);
	assert_works(w, way);
}

/* A worker whose drive has a command and does not answer. */
static struct worker *begun(const struct way *way)
{
	struct worker *w = worker_new(way->bus);

	print_message("           %s\n", way->name);
	w->dma = way->dma;
	if (!strcmp(way->bus, "ide"))
		ide_start(w);
	else
		ahci_start(w);
	/* A machine that was saved has been up: no attention is due in it. */
	assert_int_equal(way->command(w, test_unit_ready, 0), 0x50);
	fill(w);
	w->slow = true;
	way->begin(w, way);
	return w;
}

/* "stop", and then the drive's answer, which nobody waits for any more. */
static void stop_and_answer(struct worker *w)
{
	unsigned int executed = w->executed;
	uint8_t *copy;

	command(w, "stop");
	copy = copy_memory(w);
	w->slow = false;
	drive_serve(w);
	assert_int_equal(w->executed - executed, 1);
	settle(w);
	assert_unchanged(w, copy);
}

/* On the other side: the state of one worker in the next, with a drive of its own. */
static struct worker *moved(struct worker *w)
{
	const char *bus = w->bus;
	bool dma = w->dma;
	int fd = worker_save(w);

	worker_free(w);
	w = worker_new(bus);
	w->dma = dma;
	worker_load(w, fd);
	close(fd);
	return w;
}

static void what_did_not_end_comes_back_as_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(ways); i++) {
		const struct way *way = &ways[i];
		struct worker *w = begun(way);

		stop_and_answer(w);
		w = moved(w);
		assert_given_up(w, way);
		assert_works_after_attention(w, way);
		worker_free(w);
	}
}

/* Saved, and not moved after all: the error of a READ is there, and the medium is the one that it was. */
static void a_guest_that_stays_only_tries_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(ways); i += 2) {
		const struct way *way = &ways[i];
		struct worker *w = begun(way);

		stop_and_answer(w);
		close(worker_save(w));
		command(w, "cont");
		assert_given_up(w, way);
		assert_int_equal(way->command(w, test_unit_ready, 0), 0x50);
		assert_works(w, way);
		worker_free(w);
	}
}

/* Dead while the guest stands still: its successor takes the drive's answer, and leaves the memory alone as well. */
static void a_successor_writes_nothing_either(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(ways); i += 2) {
		const struct way *way = &ways[i];
		struct worker *w = begun(way);
		uint8_t *copy;

		command(w, "stop");
		copy = copy_memory(w);
		worker_restart(w);
		assert_unchanged(w, copy);
		stop_and_answer(w);
		w = moved(w);
		assert_given_up(w, way);
		assert_works_after_attention(w, way);
		worker_free(w);
	}
}

/*
 * The drive goes while the guest stands still, or runs, and comes back: the new link has none of the old one's data, so
 * nothing of it is sent there, above all no WRITE of zeros.
 */
static void another_link_gets_nothing_of_the_last(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * XO_ARRAY_SIZE(ways); i++) {
		const struct way *way = &ways[i / 2];
		struct worker *w = begun(way);
		uint8_t disc[sizeof(w->disc)];
		bool stopped = i % 2;
		unsigned int executed = w->executed;

		memcpy(disc, w->disc, sizeof(disc));
		if (stopped)
			command(w, "stop");
		worker_relink(w);
		w->slow = false;
		settle(w);
		drive_serve(w);
		assert_int_equal(w->executed, executed);
		if (stopped) {
			command(w, "cont");
			assert_given_up(w, way);
		} else {
			assert_lost(w, way);
		}
		assert_memory_equal(w->disc, disc, sizeof(disc));
		assert_works(w, way);
		worker_free(w);
	}
}

/* The guest is in the middle of a block by PIO: the rest of it is on the old link. */
static void a_block_by_pio_does_not_go_on_with_another_link(void **state)
{
	(void)state;
	for (size_t i = 4; i < 6; i++) {
		const struct way *way = &ways[i];
		struct worker *w = worker_new("ide");
		uint8_t cdb[12];
		unsigned int executed;

		ide_start(w);
		fill(w);
		transfer_cdb(cdb, way->write);
		ide_packet(w, cdb, false);
		wait_for(w, ide_done);
		finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
						     .write = way->write,
						     .is_ptr = true,
						     .address = CMD,
						     .size = 2,
						     .count = 100,
						     .data = BUFFER });
		executed = w->executed;
		worker_relink(w);
		assert_lost(w, way);
		assert_int_equal(w->executed, executed);
		assert_works(w, way);
		worker_free(w);
	}
}

/* Half of a PIO block is in the guest, or the bus master was not started yet. */
static void ide_is_saved_between_its_accesses(void **state)
{
	const struct way *pio = &ways[4];
	const struct way *dma = &ways[2];
	struct worker *w;
	uint8_t cdb[12];

	(void)state;
	w = begun(pio);
	w->slow = false;
	wait_for(w, ide_done);
	finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
					     .is_ptr = true,
					     .address = CMD,
					     .size = 2,
					     .count = 100,
					     .data = BUFFER });
	command(w, "stop");
	w = moved(w);
	assert_given_up(w, pio);
	assert_works_after_attention(w, pio);
	worker_free(w);

	w = worker_new("ide");
	ide_start(w);
	transfer_cdb(cdb, false);
	ide_dma_prepare(w, BYTES);
	ide_packet(w, cdb, true);
	command(w, "stop");
	w = moved(w);
	/* It goes to the drive only now, so it is the one that is told of the medium. */
	ide_dma_run(w, false);
	assert_int_equal(ide_end(w), UNIT_ATTENTION << 12 | ERROR);
	assert_works(w, dma);
	worker_free(w);
}

/* Who waits to be told of media looks for itself no more: it is told that there may be another. */
static void a_restored_guest_is_notified(void **state)
{
	static const uint8_t fis[8] = { 0xa1, 0xc0 };
	struct worker *w = worker_new("ahci");

	(void)state;
	ahci_start(w);
	ahci_ata(w, 0xef, 0x10, 5);
	command(w, "stop");
	memset(ram(w, FISES + 0x58, 8), 0, 8);
	w = moved(w);
	assert_memory_equal(ram(w, FISES + 0x58, 8), fis, 8);
	assert_int_equal(get(w, PORT + 0x3c), 1);
	assert_true(lb_guest_intx(w->guest, DEVICE, 0));
	set(w, PORT + 0x3c, 1);
	ahci_acknowledge(w);
	worker_free(w);
}

static const char *load_error(struct worker *w, int fd)
{
	static char text[64];
	json_t *answer = ask_in_vain(w, "load", fd);

	snprintf(text, sizeof(text), "%s",
		 json_string_value(json_object_get(json_object_get(answer, "error"), "class")));
	json_decref(answer);
	return text;
}

/* A state comes from another host: what does not belong here is refused, and the worker serves on. */
static void a_foreign_state_is_refused(void **state)
{
	struct worker *w = worker_new("ahci");
	int fd;

	(void)state;
	json_decref(ask_in_vain(w, "save", -1));
	command(w, "stop");
	fd = worker_save(w);
	worker_free(w);
	w = worker_new("ide");
	assert_string_equal(load_error(w, -1), "InvalidImage");
	assert_string_equal(load_error(w, fd), "InvalidImage");
	ide_start(w);
	assert_works(w, &ways[2]);
	worker_free(w);
	w = worker_new("ahci");
	ahci_start(w);
	assert_string_equal(load_error(w, fd), "InvalidState");
	assert_works(w, &ways[0]);
	worker_free(w);
	close(fd);
}

int main(void)
{
	const char *domid = getenv("TEST_DOMID");
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_did_not_end_comes_back_as_an_error),
		cmocka_unit_test(a_guest_that_stays_only_tries_again),
		cmocka_unit_test(a_successor_writes_nothing_either),
		cmocka_unit_test(another_link_gets_nothing_of_the_last),
		cmocka_unit_test(a_block_by_pio_does_not_go_on_with_another_link),
		cmocka_unit_test(ide_is_saved_between_its_accesses),
		cmocka_unit_test(a_restored_guest_is_notified),
		cmocka_unit_test(a_foreign_state_is_refused),
	};

	if (!domid) {
		fprintf(stderr, "TEST_DOMID is not set: run ioemu-save.test\n");
		return 1;
	}
	guest_domid = (uint32_t)atoi(domid);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
