/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI functions: sizing, half-written and moved base addresses, and nothing mapped that should not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig_board.h"

#define NOWHERE 0xffffffffu

/* AHCI's version register, where the BAR is believed to be. */
static bool abar_at(struct board *b, uint32_t base)
{
	return rig_read(&b->rig, base + 0x10, 4) == 0x00010301;
}

static void sizing_maps_nothing(void **state)
{
	struct board *b = board_new(RIG_AHCI);

	(void)state;
	rig_config_write(&b->rig, 4, 2, 7); /* decoding on, as some firmware has it */
	assert_false(abar_at(b, 0));
	rig_config_write(&b->rig, 0x24, 4, 0xffffffff);
	assert_int_equal(rig_config_read(&b->rig, 0x24, 4), 0xfffff000);
	assert_false(abar_at(b, 0xfffff000));
	for (unsigned int bar = 0; bar < 5; bar++) {
		rig_config_write(&b->rig, 0x10 + 4 * bar, 4, 0xffffffff);
		assert_int_equal(rig_config_read(&b->rig, 0x10 + 4 * bar, 4), 0);
	}
	rig_config_write(&b->rig, 0x30, 4, 0xfffffffe); /* no ROM */
	assert_int_equal(rig_config_read(&b->rig, 0x30, 4), 0);
	rig_config_write(&b->rig, 0x24, 4, 0xf3000000);
	assert_true(abar_at(b, 0xf3000000));
	rig_config_write(&b->rig, 0x24, 4, 0xf4000000);
	assert_false(abar_at(b, 0xf3000000));
	assert_true(abar_at(b, 0xf4000000));
	rig_config_write(&b->rig, 4, 2, 5);
	assert_false(abar_at(b, 0xf4000000));
	board_free(b);
}

static void half_written_addresses_are_not_mapped(void **state)
{
	struct board *b = board_new(RIG_AHCI);

	(void)state;
	rig_config_write(&b->rig, 0x24, 4, 0xf3000000);
	rig_config_write(&b->rig, 4, 2, 6);
	rig_config_write(&b->rig, 0x24, 2, 0x1000);
	assert_false(abar_at(b, 0xf3000000));
	assert_false(abar_at(b, 0xf3001000));
	rig_config_write(&b->rig, 0x26, 1, 0x55);
	assert_false(abar_at(b, 0xf3551000));
	rig_config_write(&b->rig, 0x27, 1, 0xf6);
	assert_true(abar_at(b, 0xf6551000));
	board_free(b);
}

static void ports_are_sized_and_bounded(void **state)
{
	static const uint32_t sizes[] = { 0xfffffff9, 0xfffffffd, 0xfffffff9,
					  0xfffffffd, 0xfffffff1, 0 };
	struct board *b = board_new(RIG_IDE);

	(void)state;
	for (unsigned int bar = 0; bar < 6; bar++) {
		rig_config_write(&b->rig, 0x10 + 4 * bar, 4, 0xffffffff);
		assert_int_equal(rig_config_read(&b->rig, 0x10 + 4 * bar, 4), sizes[bar]);
	}
	rig_config_write(&b->rig, 4, 2, 5);
	rig_config_write(&b->rig, 0x10, 4, 0x10001c000 & 0xffffffff);
	assert_int_equal(rig_in(&b->rig, 0xc000, 2), 0xffff);
	rig_config_write(&b->rig, 0x10, 4, 0xc000);
	assert_int_equal(rig_in(&b->rig, 0xc004, 2), 0xeb14);
	/* Two registers at one address: the second is refused, the first stays. */
	rig_config_write(&b->rig, 0x20, 4, 0xc000);
	assert_int_equal(rig_in(&b->rig, 0xc004, 2), 0xeb14);
	rig_config_write(&b->rig, 0x20, 4, 0xc010);
	assert_int_equal(rig_in(&b->rig, 0xc012, 1), 0x60);
	assert_int_equal(rig_config_read(&b->rig, 0x40, 4),
			 0); /* Linux looks there: it is an IDE-R */
	rig_config_write(&b->rig, 0x40, 2, 0x8000);
	assert_int_equal(rig_config_read(&b->rig, 0x40, 4), 0);
	assert_int_equal(rig_config_read(&b->rig, 0xf8, 4), 0);
	board_free(b);
}

/* Addresses are written one after another: what overlaps meanwhile is mapped as soon as it no longer does. */
static void an_overlap_that_ends_leaves_all_mapped(void **state)
{
	struct board *b = board_new(RIG_IDE);

	(void)state;
	for (unsigned int bar = 0; bar < 5; bar++)
		rig_config_write(&b->rig, 0x10 + 4 * bar, 4, 0xc000 + 0x10 * bar);
	rig_config_write(&b->rig, 4, 2, 5);
	assert_int_equal(rig_in(&b->rig, 0xc004, 2), 0xeb14);
	/* Up by one place each: into that of the next, which then leaves it. */
	for (unsigned int bar = 0; bar < 5; bar++)
		rig_config_write(&b->rig, 0x10 + 4 * bar, 4, 0xc010 + 0x10 * bar);
	assert_int_equal(rig_in(&b->rig, 0xc014, 2), 0xeb14);
	assert_int_equal(rig_in(&b->rig, 0xc052, 1), 0x60);
	assert_int_equal(rig_in(&b->rig, 0xc004, 2), 0xffff);
	/* And down again from the last one. */
	for (unsigned int bar = 5; bar-- > 0;)
		rig_config_write(&b->rig, 0x10 + 4 * bar, 4, 0xc000 + 0x10 * bar);
	assert_int_equal(rig_in(&b->rig, 0xc004, 2), 0xeb14);
	assert_int_equal(rig_in(&b->rig, 0xc042, 1), 0x60);
	assert_int_equal(rig_in(&b->rig, 0xc014, 2), 0xffff);
	board_free(b);
}

static void d3_decodes_nothing_and_keeps_its_state(void **state)
{
	struct board *b = board_new(RIG_AHCI);

	(void)state;
	rig_config_write(&b->rig, 0x24, 4, 0xf3000000);
	rig_config_write(&b->rig, 4, 2, 6);
	rig_write(&b->rig, 0xf3000100, 4, 0x200000);
	rig_config_write(&b->rig, 0x74, 2, 1); /* D1 is not supported */
	assert_int_equal(rig_config_read(&b->rig, 0x74, 2), 8);
	rig_config_write(&b->rig, 0x74, 2, 3);
	assert_false(abar_at(b, 0xf3000000));
	rig_config_write(&b->rig, 0x74, 2, 0);
	assert_true(abar_at(b, 0xf3000000));
	assert_int_equal(rig_read(&b->rig, 0xf3000100, 4), 0x200000);
	board_free(b);
}

/* hvmloader's order of accesses (sizes every BAR and the ROM, line, BARs, command 7), twice. */
static void hvmloader_finds_and_places_it(void **state)
{
	struct board *b = board_new(RIG_AHCI);

	(void)state;
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(rig_config_read(&b->rig, 0, 4), 0x29228086);
		assert_int_equal(rig_config_read(&b->rig, 0x0a, 2), 0x0106);
		rig_config_write(&b->rig, 4, 2, 0);
		for (unsigned int reg = 0x10; reg <= 0x30; reg += 4) {
			uint32_t old;

			if (reg == 0x28 || reg == 0x2c)
				continue;
			old = rig_config_read(&b->rig, reg, 4);
			rig_config_write(&b->rig, reg, 4, NOWHERE);
			rig_config_read(&b->rig, reg, 4);
			rig_config_write(&b->rig, reg, 4, old);
		}
		assert_int_equal(rig_config_read(&b->rig, 0x3d, 1), 1);
		rig_config_write(&b->rig, 0x3c, 1, 5);
		rig_config_write(&b->rig, 0x24, 4, 0xf3051000);
		rig_config_write(&b->rig, 4, 2, 7);
		assert_true(abar_at(b, 0xf3051000));
	}
	board_free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizing_maps_nothing),
		cmocka_unit_test(half_written_addresses_are_not_mapped),
		cmocka_unit_test(ports_are_sized_and_bounded),
		cmocka_unit_test(an_overlap_that_ends_leaves_all_mapped),
		cmocka_unit_test(d3_decodes_nothing_and_keeps_its_state),
		cmocka_unit_test(hvmloader_finds_and_places_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
