/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest made of bytes; see fuzz_controller.h. */
#include "fuzz_controller.h"

#include <stdlib.h>
#include <string.h>

#include "../protocol/fake_drive.h"
#include "base/bytes.h"
#include "mmc/sense.h"

#define STEPS_MAX 400

enum step {
	STEP_WRITE,
	STEP_READ,
	STEP_MEMORY,
	STEP_ANSWER,
	STEP_CONFIG,
	STEP_STRING,
	STEP_NOTIFY,
	STEP_RESTART,
	STEP_COUNT,
};

/* Flags of a string's and a configuration access's step. */
enum {
	STRING_READ = 1,
	STRING_DATA = 2,
	STRING_BYTES = 64,
	CONFIG_READ = 0x80,
};

static struct fake_drive fake;
static struct xo_packet_drive drive;
static struct rig rig;

static void access_register(struct xo_reader *r, bool write)
{
	uint32_t reg = xo_read_be16(r);
	unsigned int width = 1u << (xo_read_u8(r) & 3);
	uint32_t value = write ? xo_read_be32(r) : 0;

	if (rig.kind == RIG_IDE) {
		uint16_t port = (uint16_t)(FUZZ_PORTS + reg % 0x30);

		if (write)
			rig_out(&rig, port, XO_MIN(width, 4u), value);
		else
			rig_in(&rig, port, XO_MIN(width, 4u));
		return;
	}
	if (write)
		rig_write(&rig, FUZZ_ABAR + reg % 0x1000, width, value * 0x100000001ull);
	else
		rig_read(&rig, FUZZ_ABAR + reg % 0x1000, width);
}

static void write_memory(struct xo_reader *r)
{
	uint32_t offset = xo_read_be16(r);
	uint32_t length = xo_read_u8(r) & 0x3f;
	const uint8_t *bytes = xo_read_bytes(r, length);
	uint8_t *ram = rig_ram(&rig, FUZZ_MEMORY + offset, length);

	if (bytes && ram)
		memcpy(ram, bytes, length);
}

static void answer(struct xo_reader *r)
{
	static const uint32_t senses[] = { 0, XO_SENSE_NO_MEDIUM, XO_SENSE_INVALID_FIELD_IN_CDB };
	uint32_t kcq = senses[xo_read_u8(r) % XO_ARRAY_SIZE(senses)];

	fake_answer(&fake, rig_packet(&rig), kcq, (uint32_t)xo_read_u8(r) * 64);
}

/* What a string writes: the begin of it from the input, then zeros. */
static void string_data(struct xo_reader *r, uint8_t *elements, size_t size, uint32_t length)
{
	size_t n = XO_MIN(XO_MIN(length, (uint32_t)STRING_BYTES), xo_reader_left(r));
	const uint8_t *bytes = xo_read_bytes(r, n);

	memset(elements, 0, size);
	if (bytes)
		memcpy(elements, bytes, n);
}

static void string_access(struct xo_reader *r)
{
	static uint8_t elements[4 * 1024];
	uint16_t port = (uint16_t)(FUZZ_PORTS + xo_read_u8(r) % 0x30);
	unsigned int width = 1u << xo_read_u8(r) % 3;
	uint32_t count = xo_read_be16(r) % 1024;
	uint8_t flags = xo_read_u8(r);

	if (flags & STRING_READ) {
		xo_bus_read_string(&rig.bus, port, width, elements, count);
		return;
	}
	string_data(r, elements, sizeof(elements), flags & STRING_DATA ? width * count : 0);
	xo_bus_write_string(&rig.bus, port, width, elements, count);
}

static void access_config(struct xo_reader *r)
{
	uint8_t offset = xo_read_u8(r);
	uint8_t flags = xo_read_u8(r);
	unsigned int width = 1u << (flags & 0x7f) % 3;

	if (flags & CONFIG_READ)
		rig_config_read(&rig, offset, width);
	else
		rig_config_write(&rig, offset, width, xo_read_be32(r));
}

static void run_step(struct xo_reader *r)
{
	switch ((enum step)(xo_read_u8(r) % STEP_COUNT)) {
	case STEP_WRITE:
		access_register(r, true);
		break;
	case STEP_READ:
		access_register(r, false);
		break;
	case STEP_MEMORY:
		write_memory(r);
		break;
	case STEP_ANSWER:
		answer(r);
		break;
	case STEP_CONFIG:
		access_config(r);
		break;
	case STEP_STRING:
		string_access(r);
		break;
	case STEP_NOTIFY:
		if (rig.kind == RIG_AHCI)
			xo_ahci_notify(&rig.ahci);
		break;
	case STEP_RESTART:
		rig_restart(&rig, &drive);
		break;
	case STEP_COUNT:
		break;
	}
}

/* A reset must bring back a device with its signature. */
static void assert_reset_works(void)
{
	fake_run(&fake, rig_packet(&rig));
	if (rig.kind == RIG_IDE) {
		xo_ide_reset(&rig.ide);
		fuzz_map(&rig);
		if (rig_in(&rig, FUZZ_PORTS + 4, 2) != 0xeb14)
			abort();
	} else {
		xo_ahci_reset(&rig.ahci);
		fuzz_map(&rig);
		if (rig_read(&rig, FUZZ_ABAR + 0x124, 4) != 0xeb140101)
			abort();
	}
}

int fuzz_controller(enum rig_controller kind, const uint8_t *data, size_t size)
{
	struct xo_reader r = xo_reader(data, size);

	fake_drive_init(&fake, &drive);
	if (rig_init(&rig, kind, &drive))
		abort();
	fuzz_map(&rig);
	for (int i = 0; i < STEPS_MAX && xo_reader_left(&r); i++)
		run_step(&r);
	assert_reset_works();
	rig_fini(&rig);
	return 0;
}
