/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers by declaration: every width at every offset merges as bytes would; overlap is refused; regions too. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/bus.h"
#include "model/regs.h"

enum { SIZE = 32 };

static struct xo_reg_write last;
static unsigned int writes;

static void note_write(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	(void)priv;
	(void)reg;
	last = *write;
	writes++;
}

static const struct xo_reg table[] = {
	{ .offset = 0,
	  .width = 4,
	  .name = "rw",
	  .reset = 0x11223344,
	  .rw = 0xffffffff,
	  .written = note_write },
	{ .offset = 4, .width = 2, .name = "ro", .reset = 0xabcd },
	{ .offset = 6, .width = 1, .name = "w1c", .reset = 0xff, .rw1c = 0x0f },
	{ .offset = 7, .width = 1, .name = "w1s", .reset = 0x01, .rw1s = 0x70 },
	{ .offset = 12,
	  .width = 4,
	  .name = "mixed",
	  .reset = 0x00ff00ff,
	  .rw = 0x0000ff00,
	  .rw1c = 0x000000ff },
	{ .offset = 16, .width = 2, .name = "half", .reset = 0x5a5a, .rw = 0xffff },
};

/* The same registers as bytes, each with its masks. */
struct byte_model {
	uint8_t value[SIZE];
	uint8_t rw[SIZE];
	uint8_t w1c[SIZE];
	uint8_t w1s[SIZE];
};

static void model_init(struct byte_model *m)
{
	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < XO_ARRAY_SIZE(table); i++) {
		for (unsigned int b = 0; b < table[i].width; b++) {
			m->value[table[i].offset + b] = (uint8_t)(table[i].reset >> 8 * b);
			m->rw[table[i].offset + b] = (uint8_t)(table[i].rw >> 8 * b);
			m->w1c[table[i].offset + b] = (uint8_t)(table[i].rw1c >> 8 * b);
			m->w1s[table[i].offset + b] = (uint8_t)(table[i].rw1s >> 8 * b);
		}
	}
}

static void model_write(struct byte_model *m, uint32_t offset, unsigned int width, uint64_t value)
{
	for (unsigned int b = 0; b < width; b++) {
		uint8_t v = (uint8_t)(value >> 8 * b);
		uint8_t *p = &m->value[offset + b];

		*p = (uint8_t)((*p & ~m->rw[offset + b]) | (v & m->rw[offset + b]));
		*p = (uint8_t)(*p & ~(v & m->w1c[offset + b]));
		*p |= v & m->w1s[offset + b];
	}
}

static uint64_t model_read(const struct byte_model *m, uint32_t offset, unsigned int width)
{
	uint64_t value = 0;

	for (unsigned int b = 0; b < width; b++)
		value |= (uint64_t)m->value[offset + b] << 8 * b;
	return value;
}

static void every_access_merges_as_bytes_would(void **state)
{
	uint8_t bytes[SIZE];
	struct byte_model model;
	struct xo_regs regs;
	uint64_t seed = 1;

	(void)state;
	assert_int_equal(xo_regs_init(&regs, table, XO_ARRAY_SIZE(table), bytes, SIZE, NULL), 0);
	for (unsigned int width = 1; width <= 8; width++) {
		for (uint32_t offset = 0; offset + width <= SIZE; offset++) {
			for (int n = 0; n < 20; n++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				if (n == 0) {
					xo_regs_reset(&regs);
					model_init(&model);
				}
				xo_regs_write(&regs, offset, width, seed);
				model_write(&model, offset, width, seed);
				for (unsigned int w = 1; w <= 8; w++)
					for (uint32_t o = 0; o + w <= SIZE; o++)
						assert_int_equal(xo_regs_read(&regs, o, w),
								 model_read(&model, o, w));
			}
		}
	}
}

static void a_side_effect_sees_whole_registers(void **state)
{
	uint8_t bytes[SIZE];
	struct xo_regs regs;

	(void)state;
	xo_regs_init(&regs, table, XO_ARRAY_SIZE(table), bytes, SIZE, NULL);
	xo_regs_reset(&regs);
	writes = 0;
	xo_regs_write(&regs, 2, 4, 0xaabbccdd);
	assert_int_equal(writes, 1);
	assert_int_equal(last.old, 0x11223344);
	assert_int_equal(last.now, 0xccdd3344);
	assert_int_equal(last.written, 0xccdd0000);
	assert_int_equal(last.mask, 0xffff0000);
	xo_regs_write(&regs, SIZE - 1, 2, 0);
	assert_int_equal(writes, 1);
	assert_int_equal(xo_regs_read(&regs, SIZE - 1, 2), 0xffff);
	assert_int_equal(xo_regs_read(&regs, UINT32_MAX, 4), 0xffffffff);
}

static void bad_tables_are_refused(void **state)
{
	static const struct xo_reg overlap[] = { { .offset = 0, .width = 4 },
						 { .offset = 2, .width = 2 } };
	static const struct xo_reg order[] = { { .offset = 4, .width = 4 },
					       { .offset = 0, .width = 4 } };
	static const struct xo_reg unaligned[] = { { .offset = 2, .width = 4 } };
	static const struct xo_reg beyond[] = { { .offset = SIZE, .width = 1 } };
	static const struct xo_reg odd[] = { { .offset = 0, .width = 3 } };
	uint8_t bytes[SIZE];
	struct xo_regs regs;

	(void)state;
	assert_int_equal(xo_regs_init(&regs, overlap, 2, bytes, SIZE, NULL), -EINVAL);
	assert_int_equal(xo_regs_init(&regs, order, 2, bytes, SIZE, NULL), -EINVAL);
	assert_int_equal(xo_regs_init(&regs, unaligned, 1, bytes, SIZE, NULL), -EINVAL);
	assert_int_equal(xo_regs_init(&regs, beyond, 1, bytes, SIZE, NULL), -EINVAL);
	assert_int_equal(xo_regs_init(&regs, odd, 1, bytes, SIZE, NULL), -EINVAL);
}

static uint64_t echo_read(struct xo_region *region, uint64_t offset, unsigned int width)
{
	(void)region;
	return offset << 8 | width;
}

static void drop_write(struct xo_region *region, uint64_t offset, unsigned int width,
		       uint64_t value)
{
	(void)region;
	(void)offset;
	(void)width;
	(void)value;
}

static void regions_do_not_overlap(void **state)
{
	static const struct xo_machine_ops none = { 0 };
	static const struct xo_region_ops ops = { .read = echo_read, .write = drop_write };
	struct xo_bus bus = { .machine.ops = &none };
	struct xo_region a = { .name = "a", .space = XO_SPACE_PORT, .size = 8, .ops = &ops };
	struct xo_region b = a;
	struct xo_region m = { .name = "m", .space = XO_SPACE_MEMORY, .size = 4096, .ops = &ops };
	uint64_t value;

	(void)state;
	assert_int_equal(xo_bus_map(&bus, &a, 0x1f0), 0);
	assert_int_equal(xo_bus_map(&bus, &a, 0x2f0), -EALREADY);
	assert_int_equal(xo_bus_map(&bus, &b, 0x1f7), -EEXIST);
	assert_int_equal(xo_bus_map(&bus, &b, 0x1e9), -EEXIST);
	assert_int_equal(xo_bus_map(&bus, &b, 0xfff9), -ERANGE);
	assert_int_equal(xo_bus_map(&bus, &b, 0x1f8), 0);
	assert_int_equal(xo_bus_map(&bus, &m, UINT64_MAX - 100), -ERANGE);
	assert_int_equal(xo_bus_map(&bus, &m, 0x1f0), 0);
	assert_true(xo_bus_read(&bus, XO_SPACE_PORT, 0x1f4, 4, &value));
	assert_int_equal(value, 4 << 8 | 4);
	assert_false(xo_bus_read(&bus, XO_SPACE_PORT, 0x1f6, 4, &value)); /* spans two regions */
	assert_int_equal(value, UINT64_MAX);
	assert_false(xo_bus_read(&bus, XO_SPACE_PORT, 0x1f0, 3, &value));
	assert_false(xo_bus_write(&bus, XO_SPACE_MEMORY, 0x1f0 + 4093, 4, 0));
	xo_bus_unmap(&bus, &a);
	xo_bus_unmap(&bus, &a);
	assert_false(xo_bus_read(&bus, XO_SPACE_PORT, 0x1f4, 1, &value));
	assert_true(xo_bus_read(&bus, XO_SPACE_PORT, 0x1f8, 1, &value));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_access_merges_as_bytes_would),
		cmocka_unit_test(a_side_effect_sees_whole_registers),
		cmocka_unit_test(bad_tables_are_refused),
		cmocka_unit_test(regions_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
