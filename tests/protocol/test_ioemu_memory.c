/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-ioemu and the guest's memory: which pages it says that it changed, what becomes of transfers to pages that
 * are not there, its cache of mappings, and string instructions over pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "ioemu_stage.h"

enum {
	PAGE = 0x1000,
	CHUNK = 16 * PAGE, /* mapped at once */
	COMPARED = 16 << 20, /* bytes of memory that tests touch, but for FAR */
	FAR = BUFFER + (256 << 20), /* as many chunks away as there are in the cache */
	NO_RAM = 0xe0000000,
	REGIONS_MAX = 48,
	TABLE_BYTES = 0x400,
	IS_HBFS = 1 << 29,
	BM_ERROR = 2,
};

/* --- where a command's data lie --- */

struct region {
	uint32_t address;
	uint32_t length;
};

struct layout {
	struct region regions[REGIONS_MAX];
	unsigned int count;
};

static void layout_add(struct layout *layout, uint32_t address, uint32_t length)
{
	layout->regions[layout->count++] = (struct region){ address, length };
}

/* Three regions that begin and end within pages; the middle one has a word at the end of one and one of the next. */
static struct layout crossing(void)
{
	struct layout layout = { .count = 0 };

	layout_add(&layout, BUFFER + 0x0ffe, 0x3004);
	layout_add(&layout, BUFFER + 0x6ffe, 0x0004);
	layout_add(&layout, BUFFER + 0x9002, BYTES - 0x3008);
	return layout;
}

/* More pieces than are reported at once, downwards, with a page between each and the next. */
static struct layout scattered(void)
{
	struct layout layout = { .count = 0 };
	uint32_t left = BYTES;

	for (uint32_t i = 0; left; i++) {
		uint32_t n = XO_MIN(left, 820u);

		layout_add(&layout, BUFFER + (2 * REGIONS_MAX - 2 * i) * PAGE + 10, n);
		left -= n;
	}
	return layout;
}

static struct layout one_region(uint32_t address)
{
	struct layout layout = { .count = 0 };

	layout_add(&layout, address, BYTES);
	return layout;
}

/* The data between the regions and `data`. */
static void exchange(struct worker *w, const struct layout *layout, uint8_t *data, bool to_guest)
{
	for (unsigned int i = 0; i < layout->count; i++) {
		const struct region *region = &layout->regions[i];
		uint8_t *memory = ram(w, region->address, region->length);

		memcpy(to_guest ? memory : data, to_guest ? data : memory, region->length);
		data += region->length;
	}
}

static void assert_read(struct worker *w, const struct layout *layout, const uint8_t *expected)
{
	static uint8_t data[BYTES];

	exchange(w, layout, data, false);
	assert_memory_equal(data, expected, BYTES);
}

/* --- commands with such data --- */

static void ahci_issue(struct worker *w, const struct layout *layout, const uint8_t *cdb,
		       bool write)
{
	uint8_t *entry = ram(w, TABLE, TABLE_BYTES) + 0x80;

	ahci_prepare(w, cdb, write, BYTES);
	xo_put_le16(ram(w, LIST, 32) + 2, (uint16_t)layout->count);
	for (unsigned int i = 0; i < layout->count; i++, entry += 16) {
		memset(entry, 0, 16);
		xo_put_le32(entry, layout->regions[i].address);
		xo_put_le32(entry + 12, layout->regions[i].length - 1);
	}
	set(w, PORT + 0x38, 1);
}

static void ahci_run(struct worker *w, const struct layout *layout, const uint8_t *cdb, bool write)
{
	ahci_issue(w, layout, cdb, write);
	wait_for(w, ahci_done);
	ahci_acknowledge(w);
}

static bool ahci_fatal(struct worker *w)
{
	return get(w, PORT + 0x10) & IS_HBFS;
}

static void ahci_recover(struct worker *w)
{
	set(w, PORT + 0x18, 0x16);
	set(w, PORT + 0x18, 0x17);
	ahci_acknowledge(w);
}

/* A host bus fatal error, which stops the list until ST is cleared (AHCI 1.3.1 6.1.2, 6.2.2.1). */
static void ahci_run_in_vain(struct worker *w, const struct layout *layout, const uint8_t *cdb,
			     bool write)
{
	ahci_issue(w, layout, cdb, write);
	wait_for(w, ahci_fatal);
	assert_true(lb_guest_intx(w->guest, DEVICE, 0));
	ahci_recover(w);
}

static void ide_issue(struct worker *w, const struct layout *layout, const uint8_t *cdb, bool write)
{
	uint8_t *entry = ram(w, TABLE, TABLE_BYTES);

	ide_dma_prepare(w, BYTES);
	for (unsigned int i = 0; i < layout->count; i++, entry += 8) {
		xo_put_le32(entry, layout->regions[i].address);
		xo_put_le32(entry + 4, layout->regions[i].length);
	}
	xo_put_le32(entry - 4, xo_get_le32(entry - 4) | 0x80000000u);
	ide_packet(w, cdb, true);
	ide_dma_run(w, write);
	wait_for(w, ide_done);
	out(w, BM, 1, 0);
}

static void ide_run(struct worker *w, const struct layout *layout, const uint8_t *cdb, bool write)
{
	ide_issue(w, layout, cdb, write);
	assert_int_equal(in(w, BM + 2) & 0x07, 0x04);
	assert_int_equal(in(w, CMD + 7), 0x50);
}

/* The bus master's error, and the command ABORTED (Programming Interface for Bus Master IDE, status bits). */
static void ide_run_in_vain(struct worker *w, const struct layout *layout, const uint8_t *cdb,
			    bool write)
{
	ide_issue(w, layout, cdb, write);
	assert_int_equal(in(w, BM + 2) & 0x07, 0x04 | BM_ERROR);
	assert_int_equal(in(w, CMD + 1), 0xb0);
	assert_int_equal(in(w, CMD + 7), 0x51);
	out(w, BM + 2, 1, 0x06);
}

static const struct bus {
	const char *name;
	void (*start)(struct worker *w);
	void (*run)(struct worker *w, const struct layout *layout, const uint8_t *cdb, bool write);
	void (*run_in_vain)(struct worker *w, const struct layout *layout, const uint8_t *cdb,
			    bool write);
} buses[] = {
	{ "ahci", ahci_start, ahci_run, ahci_run_in_vain },
	{ "ide", ide_start, ide_run, ide_run_in_vain },
};

static struct worker *started(const struct bus *bus)
{
	struct worker *w = worker_new(bus->name);

	bus->start(w);
	/* As in a migration: no page shows registers, and all memory is the guest's. */
	command(w, "log-dirty");
	return w;
}

static void read_blocks(struct worker *w, const struct bus *bus, const struct layout *layout,
			uint32_t lba)
{
	uint8_t cdb[12];

	block_cdb(cdb, 0x28, lba);
	bus->run(w, layout, cdb, false);
	assert_read(w, layout, w->disc + lba * 2048);
}

/* --- dirty pages --- */

static void forget_dirty(struct worker *w)
{
	for (uint64_t pfn = 0; pfn < COMPARED / PAGE; pfn++)
		assert_true(lb_guest_dirty(w->guest, pfn, true) >= 0);
}

/* What is reported is what differs from `before`: neither a page less nor one more. */
static void assert_reported(struct worker *w, const uint8_t *before, unsigned int count)
{
	unsigned int changed = 0;

	for (uint32_t at = 0; at < COMPARED; at += PAGE) {
		bool differs = memcmp(ram(w, at, PAGE), before + at, PAGE);

		if (lb_guest_dirty(w->guest, at / PAGE, false) != (int)differs)
			fail_msg("page %#x is %s", at,
				 differs ? "not reported" : "reported, and the same as before");
		changed += differs;
	}
	assert_int_equal(changed, count);
}

static uint8_t *copy_memory(struct worker *w)
{
	uint8_t *copy = malloc(COMPARED);

	assert_non_null(copy);
	memcpy(copy, ram(w, 0, COMPARED), COMPARED);
	return copy;
}

static void dirty_pages_are_those_of_a_read(struct worker *w, const struct bus *bus,
					    const struct layout *layout, unsigned int count)
{
	bool ahci = bus->start == ahci_start;
	uint8_t cdb[12];
	uint8_t *before;

	memset(ram(w, BUFFER, 1 << 20), 0xa5, 1 << 20);
	memset(ram(w, FISES, 0x100), 0, 0x100);
	block_cdb(cdb, 0x28, 5);
	/* Twice, so that the table and the header are there before; then what the command writes is not. */
	bus->run(w, layout, cdb, false);
	memset(ram(w, BUFFER, 1 << 20), 0xa5, 1 << 20);
	memset(ram(w, FISES, 0x100), 0, 0x100);
	xo_put_le32(ram(w, LIST, 32) + 4, 0);
	forget_dirty(w);
	before = copy_memory(w);
	bus->run(w, layout, cdb, false);
	assert_read(w, layout, w->disc + 5 * 2048);
	if (ahci)
		assert_int_equal(xo_get_le32(ram(w, LIST, 32) + 4), BYTES);
	/* On AHCI the page of the FISes and that of the header as well. */
	assert_reported(w, before, count + (ahci ? 2 : 0));
	free(before);
}

static void dirty_pages_are_those_that_changed(void **state)
{
	const struct layout cross = crossing();
	const struct layout scatter = scattered();

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses); i++) {
		struct worker *w = started(&buses[i]);

		/* 0 to 4; 6 and 7; 9 to 13 */
		dirty_pages_are_those_of_a_read(w, &buses[i], &cross, 5 + 2 + 5);
		dirty_pages_are_those_of_a_read(w, &buses[i], &scatter, scatter.count);
		assert_true(scatter.count > 32);
		worker_free(w);
	}
}

static unsigned int dirty_count(struct worker *w)
{
	unsigned int count = 0;

	for (uint64_t pfn = 0; pfn < COMPARED / PAGE; pfn++)
		count += lb_guest_dirty(w->guest, pfn, false) == 1;
	return count;
}

/* Xen would do nothing with it: not before a migration, nor after it, unless nobody would tell us of one. */
static void nobody_is_told_of_pages_that_nobody_logs(void **state)
{
	const struct layout cross = crossing();

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses); i++) {
		struct worker *w = worker_new(buses[i].name);

		buses[i].start(w);
		forget_dirty(w);
		read_blocks(w, &buses[i], &cross, 5);
		assert_int_equal(dirty_count(w), 0);
		command(w, "log-dirty");
		dirty_pages_are_those_of_a_read(w, &buses[i], &cross, 5 + 2 + 5);
		worker_restart(w);
		dirty_pages_are_those_of_a_read(w, &buses[i], &cross, 5 + 2 + 5);
		command(w, "log-clean");
		forget_dirty(w);
		read_blocks(w, &buses[i], &cross, 5);
		assert_int_equal(dirty_count(w), 0);
		w->dirty_pages = "always";
		worker_restart(w);
		dirty_pages_are_those_of_a_read(w, &buses[i], &cross, 5 + 2 + 5);
		worker_free(w);
	}
}

/* What a worker wrote and did not live to tell Xen, its successor writes again, and tells. */
static void no_page_is_lost_with_a_worker(void **state)
{
	static const struct {
		const char *point;
		int first, last, step;
	} rows[] = {
		{ "ioemu.taken", 12, 32, 4 },	  { "ioemu.done", 12, 32, 4 },
		{ "ioemu.committed", 12, 32, 4 }, { "ioemu.answered", 12, 32, 4 },
		{ "ioemu.sent", 1, 2, 1 },	  { "ioemu.replied", 1, 2, 1 },
		{ "ioemu.completed", 1, 2, 1 },
	};
	const struct layout cross = crossing();

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses) * XO_ARRAY_SIZE(rows); i++) {
		const struct bus *bus = &buses[i / XO_ARRAY_SIZE(rows)];
		size_t row = i % XO_ARRAY_SIZE(rows);
		char kill[512] = "";
		struct worker *w;

		for (int n = rows[row].first; n <= rows[row].last; n += rows[row].step)
			snprintf(kill + strlen(kill), sizeof(kill) - strlen(kill), "%s%s=%d",
				 *kill ? "," : "", rows[row].point, n);
		setenv("XENOPTIC_KILL", kill, 1);
		w = started(bus);
		dirty_pages_are_those_of_a_read(w, bus, &cross, 5 + 2 + 5);
		unsetenv("XENOPTIC_KILL");
		if (w->starts < 2)
			fail_msg("%s was not passed on %s", rows[row].point, bus->name);
		worker_restart(w);
		worker_free(w);
	}
}

/* A WRITE changes no data of the guest's. */
static void a_write_dirties_no_data(void **state)
{
	const struct layout layout = crossing();
	uint8_t cdb[12];

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses); i++) {
		struct worker *w = started(&buses[i]);

		block_cdb(cdb, 0x2a, 5);
		forget_dirty(w);
		buses[i].run(w, &layout, cdb, true);
		assert_read(w, &layout, w->disc + 5 * 2048);
		for (uint64_t pfn = 0; pfn < COMPARED / PAGE; pfn++)
			assert_int_equal(lb_guest_dirty(w->guest, pfn, false),
					 i == 0 && (pfn == LIST / PAGE || pfn == FISES / PAGE));
		worker_free(w);
	}
}

/* --- pages that are not there --- */

static void balloon(struct worker *w, uint32_t address, bool away)
{
	assert_int_equal(lb_guest_balloon(w->guest, address / PAGE, 1, away), 0);
}

/* As Xen tells of pages that went; not of those that come. */
static void balloon_out(struct worker *w, uint32_t address)
{
	balloon(w, address, true);
	assert_int_equal(lb_invalidate(w->cpu), 0);
}

static void missing_pages_are_errors_of_the_device(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses); i++) {
		const struct bus *bus = &buses[i];
		const struct layout good = one_region(BUFFER);
		const struct layout bad[] = {
			one_region(NO_RAM), one_region(0xfffffffe),
			one_region((320 << 20) - PAGE), /* ends behind RAM */
		};
		struct worker *w = started(bus);
		unsigned int executed;
		uint8_t cdb[12];

		read_blocks(w, bus, &good, 5);
		for (size_t k = 0; k < XO_ARRAY_SIZE(bad); k++) {
			block_cdb(cdb, 0x28, 5);
			bus->run_in_vain(w, &bad[k], cdb, false);
			read_blocks(w, bus, &good, 6);
		}
		balloon_out(w, BUFFER + 3 * PAGE);
		bus->run_in_vain(w, &good, cdb, false);
		/* What cannot be fetched is not written to the disc. */
		executed = w->executed;
		block_cdb(cdb, 0x2a, 20);
		bus->run_in_vain(w, &good, cdb, true);
		assert_int_equal(w->executed, executed);
		balloon(w, BUFFER + 3 * PAGE, false);
		read_blocks(w, bus, &good, 7);
		assert_int_equal(w->starts, 1);
		worker_free(w);
	}
}

/* The controller's own structures where no RAM is: an error, and a recovery brings it back. */
static void missing_lists_and_tables_are_errors(void **state)
{
	static const uint32_t registers[] = { 0x00, 0x08 }; /* PxCLB, PxFB */
	const struct layout good = one_region(BUFFER);
	struct worker *w = started(&buses[0]);
	uint8_t cdb[12];

	(void)state;
	block_cdb(cdb, 0x28, 5);
	for (size_t i = 0; i < XO_ARRAY_SIZE(registers); i++) {
		uint32_t right = get(w, PORT + registers[i]);

		set(w, PORT + registers[i], NO_RAM);
		ahci_run_in_vain(w, &good, cdb, false);
		set(w, PORT + registers[i], right);
		read_blocks(w, &buses[0], &good, 6);
	}
	ahci_prepare(w, cdb, false, BYTES);
	xo_put_le32(ram(w, LIST, 32) + 8, NO_RAM);
	set(w, PORT + 0x38, 1);
	wait_for(w, ahci_fatal);
	ahci_recover(w);
	ahci_prepare(w, cdb, false, BYTES);
	balloon_out(w, TABLE);
	set(w, PORT + 0x38, 1);
	wait_for(w, ahci_fatal);
	ahci_recover(w);
	balloon(w, TABLE, false);
	read_blocks(w, &buses[0], &good, 7);
	assert_int_equal(w->starts, 1);
	worker_free(w);

	w = started(&buses[1]);
	ide_dma_prepare(w, BYTES);
	out(w, BM + 4, 4, NO_RAM);
	ide_packet(w, cdb, true);
	ide_dma_run(w, false);
	wait_for(w, ide_done);
	assert_int_equal(in(w, BM + 2) & 0x07, 0x04 | BM_ERROR);
	out(w, BM, 1, 0);
	assert_int_equal(in(w, CMD + 7), 0x51);
	read_blocks(w, &buses[1], &good, 7);
	assert_int_equal(w->starts, 1);
	worker_free(w);
}

/*
 * A page that was not there when its neighbours were mapped, and has come since. Xen says nothing of that, and its
 * first transfer is as good as any.
 */
static void a_page_that_came_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses); i++) {
		const struct layout neighbours = one_region(BUFFER);
		const struct layout layout = one_region(BUFFER + 4 * PAGE);
		struct worker *w = started(&buses[i]);

		balloon_out(w, BUFFER + 11 * PAGE);
		read_blocks(w, &buses[i], &neighbours, 5);
		balloon(w, BUFFER + 11 * PAGE, false);
		read_blocks(w, &buses[i], &layout, 6);
		worker_free(w);
	}
}

/* --- the cache of mappings --- */

/* What `lbctl list` says, to be read. */
static FILE *list_domains(pid_t *child)
{
	char program[512];
	int fds[2];

	snprintf(program, sizeof(program), "%s/tests/loopback/lbctl", getenv("top_builddir"));
	assert_int_equal(pipe(fds), 0);
	*child = fork();
	assert_true(*child >= 0);
	if (*child == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(program, "lbctl", "list", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	return fdopen(fds[0], "r");
}

/* Pages of the guest that Dom0 has mapped. */
static unsigned int mapped(void)
{
	static const char what[] = "foreign-mapped=";
	unsigned long pages = 0;
	char line[512];
	pid_t child;
	FILE *list = list_domains(&child);
	int status;

	assert_non_null(list);
	while (fgets(line, sizeof(line), list)) {
		const char *at = strstr(line, what);

		if (at && strtoul(line, NULL, 10) == guest_domid)
			pages = strtoul(at + sizeof(what) - 1, NULL, 10);
	}
	fclose(list);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(pages > 0);
	return (unsigned int)pages;
}

static void the_cache_is_bounded_and_emptied(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(buses); i++) {
		const struct layout near = one_region(BUFFER);
		const struct layout far = one_region(FAR);
		struct worker *w = started(&buses[i]);
		unsigned int alone;

		assert_int_equal(lb_invalidate(w->cpu), 0);
		alone = mapped();
		read_blocks(w, &buses[i], &near, 5);
		/* That of the data, and that of the list and its tables. */
		assert_int_equal(mapped(), alone + 2 * CHUNK / PAGE);
		/* One takes the other's place. */
		read_blocks(w, &buses[i], &far, 6);
		assert_int_equal(mapped(), alone + 2 * CHUNK / PAGE);
		assert_read(w, &near, w->disc + 5 * 2048);
		read_blocks(w, &buses[i], &near, 7);
		assert_read(w, &far, w->disc + 6 * 2048);
		assert_int_equal(lb_invalidate(w->cpu), 0);
		assert_int_equal(mapped(), alone);
		read_blocks(w, &buses[i], &far, 8);
		worker_free(w);
	}
}

/* --- string instructions --- */

enum { STRING_BLOCKS = 4, STRING = STRING_BLOCKS * 2048, FILL = 0xa5 };

/* A `rep ins` or `rep outs` of a block at the data port, elements of `size` from `address` on. */
static void string(struct worker *w, bool write, uint32_t size, uint32_t address, bool down)
{
	finish_access(w, (struct lb_access){ .type = LB_ACCESS_PORT,
					     .write = write,
					     .is_ptr = true,
					     .df = down,
					     .address = CMD,
					     .size = size,
					     .count = STRING / size,
					     .data = address });
}

/* Where byte `i` of a string lies: downwards the elements are, not the bytes in them. */
static uint32_t place_of(uint32_t address, uint32_t size, bool down, uint32_t i)
{
	return down ? address - i / size * size + i % size : address + i;
}

/* A page of the string that is not there, or NO_RAM. An element with a byte in it is lost as a whole. */
static bool lost(uint32_t page, uint32_t address, uint32_t size, bool down, uint32_t i)
{
	uint32_t first = place_of(address, size, down, i / size * size);

	return first + size > page && first < page + PAGE;
}

static void string_command(struct worker *w, bool write, uint32_t size, uint32_t address, bool down,
			   uint32_t page)
{
	uint8_t cdb[12];

	block_cdb(cdb, write ? 0x2a : 0x28, write ? 40 : 5);
	xo_put_be16(cdb + 7, STRING_BLOCKS);
	if (page != NO_RAM)
		balloon_out(w, page);
	ide_packet(w, cdb, false);
	wait_for(w, ide_done);
	assert_int_equal(in(w, CMD + 7), 0x58);
	string(w, write, size, address, down);
	wait_for(w, ide_done);
	assert_int_equal(in(w, CMD + 7), 0x50);
}

static void string_in(struct worker *w, uint32_t size, uint32_t address, bool down, uint32_t page)
{
	const uint8_t *memory = ram(w, 0, BUFFER + 8 * PAGE);

	memset(ram(w, BUFFER, 8 * PAGE), FILL, 8 * PAGE);
	string_command(w, false, size, address, down, page);
	for (uint32_t i = 0; i < STRING; i++) {
		uint32_t at = place_of(address, size, down, i);
		uint8_t expected = w->disc[5 * 2048 + i];

		if (at >= page && at < page + PAGE)
			continue;
		if (lost(page, address, size, down, i))
			expected = FILL;
		if (memory[at] != expected)
			fail_msg("byte %#x of a string at %#x %s, at %#x, is %#x", i, address,
				 down ? "down" : "up", at, memory[at]);
	}
	if (page != NO_RAM)
		balloon(w, page, false);
}

static void string_out(struct worker *w, uint32_t size, uint32_t address, bool down, uint32_t page)
{
	uint8_t *memory = ram(w, BUFFER, 8 * PAGE);
	const uint8_t *disc = w->disc + 40 * 2048;

	for (uint32_t i = 0; i < 8 * PAGE; i++)
		memory[i] = (uint8_t)(i * 13 + (i >> 8));
	string_command(w, true, size, address, down, page);
	for (uint32_t i = 0; i < STRING; i++) {
		uint32_t at = place_of(address, size, down, i) - BUFFER;
		uint8_t expected = (uint8_t)(at * 13 + (at >> 8));

		if (lost(page, address, size, down, i))
			expected = 0xff;
		if (disc[i] != expected)
			fail_msg("byte %#x of a string at %#x %s, at %#x, came as %#x", i, address,
				 down ? "down" : "up", at, disc[i]);
	}
	if (page != NO_RAM)
		balloon(w, page, false);
}

/*
 * Over three pages or four, upwards and downwards, words and long ones, in line with the pages and across. A page
 * that is not there gives ones and takes nothing; the others have theirs all the same.
 */
static void strings_go_up_and_down_over_pages(void **state)
{
	static const uint32_t missing[] = { NO_RAM, BUFFER + PAGE, BUFFER + 2 * PAGE,
					    BUFFER + 3 * PAGE };
	static const uint32_t starts[] = { BUFFER + PAGE, BUFFER + PAGE - 7, BUFFER + 0x456 };
	struct worker *w = started(&buses[1]);

	(void)state;
	for (size_t m = 0; m < XO_ARRAY_SIZE(missing); m++) {
		for (size_t s = 0; s < XO_ARRAY_SIZE(starts); s++) {
			for (uint32_t size = 2; size <= 4; size += 2) {
				string_in(w, size, starts[s], false, missing[m]);
				string_in(w, size, starts[s] + STRING, true, missing[m]);
				string_out(w, size, starts[s], false, missing[m]);
				string_out(w, size, starts[s] + STRING, true, missing[m]);
			}
		}
	}
	assert_int_equal(w->starts, 1);
	worker_free(w);
}

static void copy(struct worker *w, bool write, uint64_t device, uint32_t size, uint32_t address,
		 uint32_t count, bool down)
{
	uint64_t last = (count - 1) * size;

	finish_access(w, (struct lb_access){ .type = LB_ACCESS_MEMORY,
					     .write = write,
					     .is_ptr = true,
					     .df = down,
					     .address = down ? device + last : device,
					     .size = size,
					     .count = count,
					     .data = down ? address + last : address });
}

/* `rep movs` between registers and memory: both sides go up or down (COPY, data_is_ptr). */
static void copies_go_up_and_down_over_pages(void **state)
{
	static const uint32_t values[4] = { LIST + 0x400, 0, FISES + 0x100, 0 };
	struct worker *w = started(&buses[0]);

	(void)state;
	for (uint32_t size = 4; size <= 8; size += 4) {
		for (int down = 0; down < 2; down++) {
			/* An element crosses into the next page. */
			uint32_t address = BUFFER + PAGE - 10;
			uint32_t count = 16 / size;

			for (int i = 0; i < 4; i++)
				xo_put_le32(ram(w, address + 4 * i, 4), values[i]);
			for (int i = 0; i < 4; i++)
				set(w, PORT + 4 * i, 0);
			copy(w, true, PORT, size, address, count, down);
			for (int i = 0; i < 4; i++)
				assert_int_equal(get(w, PORT + 4 * i), values[i]);
			memset(ram(w, address - 8, 32), FILL, 32);
			copy(w, false, PORT, size, address, count, down);
			for (int i = 0; i < 4; i++)
				assert_int_equal(xo_get_le32(ram(w, address + 4 * i, 4)),
						 values[i]);
			assert_int_equal(*ram(w, address - 1, 1), FILL);
			assert_int_equal(*ram(w, address + 16, 1), FILL);
		}
	}
	worker_free(w);
}

/* What is not there reads as ones; what goes there is lost; the elements beside it are not. */
static void copies_leave_out_missing_pages(void **state)
{
	const uint32_t address = BUFFER + PAGE - 8;
	struct worker *w = started(&buses[0]);

	(void)state;
	for (int down = 0; down < 2; down++) {
		set(w, PORT + 0x00, LIST);
		set(w, PORT + 0x08, FISES);
		set(w, PORT + 0x0c, 0);
		memset(ram(w, BUFFER, PAGE), FILL, PAGE);
		balloon_out(w, BUFFER + PAGE);
		copy(w, false, PORT, 4, address, 4, down);
		assert_int_equal(xo_get_le32(ram(w, address, 4)), LIST);
		assert_int_equal(xo_get_le32(ram(w, address + 4, 4)), 0);
		xo_put_le32(ram(w, address, 4), LIST + 0x800);
		xo_put_le32(ram(w, address + 4, 4), 1);
		copy(w, true, PORT, 4, address, 4, down);
		assert_int_equal(get(w, PORT + 0x00), LIST + 0x800);
		assert_int_equal(get(w, PORT + 0x04), 1);
		assert_int_equal(get(w, PORT + 0x08), 0xffffff00);
		assert_int_equal(get(w, PORT + 0x0c), 0xffffffff);
		balloon(w, BUFFER + PAGE, false);
		/* Nothing of it was kept for the page that came in its place. */
		assert_int_equal(xo_get_le32(ram(w, BUFFER + PAGE, 4)), 0);
		set(w, PORT + 0x04, 0);
	}
	assert_int_equal(w->starts, 1);
	worker_free(w);
}

int main(void)
{
	const char *domid = getenv("TEST_DOMID");
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(dirty_pages_are_those_that_changed),
		cmocka_unit_test(nobody_is_told_of_pages_that_nobody_logs),
		cmocka_unit_test(no_page_is_lost_with_a_worker),
		cmocka_unit_test(a_write_dirties_no_data),
		cmocka_unit_test(missing_pages_are_errors_of_the_device),
		cmocka_unit_test(missing_lists_and_tables_are_errors),
		cmocka_unit_test(a_page_that_came_is_found),
		cmocka_unit_test(the_cache_is_bounded_and_emptied),
		cmocka_unit_test(strings_go_up_and_down_over_pages),
		cmocka_unit_test(copies_go_up_and_down_over_pages),
		cmocka_unit_test(copies_leave_out_missing_pages),
	};

	if (!domid) {
		fprintf(stderr, "TEST_DOMID is not set: run ioemu-memory.test\n");
		return 1;
	}
	guest_domid = (uint32_t)atoi(domid);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
