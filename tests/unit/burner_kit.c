// SPDX-License-Identifier: GPL-2.0-or-later
/* A virtual burner in a test's own process. */
#include "burner_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"

bool kit_killing;

static void save(void *priv, const char *json, size_t length)
{
	struct kit *kit = priv;

	free(kit->json);
	kit->json = strndup(json, length);
	kit->saves++;
}

static void tray(void *priv, bool open)
{
	((struct kit *)priv)->tray_open = open;
}

static void make_unit(struct kit *kit)
{
	const struct xo_burner_host host = { .priv = kit, .save_description = save, .tray = tray };

	assert_int_equal(xo_burner_new(&kit->unit, kit->region, &host), 0);
}

void kit_open(struct kit *kit)
{
	*kit = (struct kit){ .fd = -1 };
	kit->region = aligned_alloc(64, xo_burner_region_size());
	kit->data = malloc(KIT_DATA);
	assert_non_null(kit->region);
	assert_non_null(kit->data);
	memset(kit->region, 0, xo_burner_region_size());
	make_unit(kit);
}

void kit_insert_json(struct kit *kit, const char *json)
{
	char *error = NULL;

	if (kit->fd >= 0)
		close(kit->fd);
	kit->fd = memfd_create("sectors", MFD_CLOEXEC);
	assert_true(kit->fd >= 0);
	if (xo_burner_insert(kit->unit, dup(kit->fd), json, strlen(json), false, &error))
		fail_msg("insert: %s", error ? error : "refused");
}

void kit_open_with(struct kit *kit, unsigned int media, uint32_t capacity)
{
	struct xo_disc *disc = malloc(sizeof(*disc));
	char text[4096];

	assert_non_null(disc);
	assert_int_equal(xo_disc_make(disc, media, capacity), 0);
	disc->timing = (struct xo_disc_timing){ .sync = 0 };
	assert_true(xo_disc_print(disc, text, sizeof(text)) > 0);
	free(disc);
	kit_open(kit);
	kit_insert_json(kit, text);
	while (kit_none(kit, "00 00 00 00 00 00") >> 16 == 6)
		;
	assert_int_equal(kit_sense(kit), 0);
}

void kit_close(struct kit *kit)
{
	assert_int_equal(xo_burner_commands(kit->unit), kit->id);
	kit->unit->ops->free(kit->unit);
	free(kit->region);
	free(kit->data);
	free(kit->json);
	if (kit->fd >= 0)
		close(kit->fd);
}

void kit_restart(struct kit *kit)
{
	char *error = NULL;

	kit->unit->ops->free(kit->unit);
	make_unit(kit);
	if (xo_burner_loaded(kit->unit))
		assert_int_equal(xo_burner_insert(kit->unit, dup(kit->fd), NULL, 0, true, &error),
				 0);
}

static size_t parse_cdb(const char *text, uint8_t *cdb)
{
	size_t n = 0;

	while (*text && n < XO_CDB_MAX) {
		char *end;

		cdb[n++] = (uint8_t)strtoul(text, &end, 16);
		for (text = end; *text == ' '; text++)
			;
	}
	return n;
}

uint32_t kit_sense(const struct kit *kit)
{
	const uint8_t *s = kit->command.sense;

	if (kit->command.status == 0)
		return 0;
	assert_int_equal(kit->command.status, 2);
	assert_true(kit->command.sense_length >= 14);
	return (uint32_t)(s[2] & 15) << 16 | (uint32_t)s[12] << 8 | s[13];
}

static void execute(struct kit *kit, const struct xo_command *command)
{
	struct xo_command *c = &kit->command;

	*c = *command;
	xo_unit_execute(kit->unit, c);
	assert_int_equal(c->transport, XO_TRANSPORT_OK);
	assert_true(c->residual <= c->length);
}

/* Bytes of sense that do not go by the clock: a progress indication, of NOT READY, does. */
static size_t timeless(const struct xo_command *c)
{
	bool progress = c->sense_length >= 18 && (c->sense[2] & 15) == 2 && c->sense[15] & 0x80;

	return progress ? 16 : c->sense_length;
}

static void assert_same(const struct xo_command *a, const struct xo_command *b)
{
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->residual, b->residual);
	assert_int_equal(a->sense_length, b->sense_length);
	assert_int_equal(timeless(a), timeless(b));
	assert_memory_equal(a->sense, b->sense, timeless(a));
}

static void execute_killed(struct kit *kit, const struct xo_command *command)
{
	size_t size = xo_burner_region_size();
	uint8_t *before = malloc(size);
	uint8_t *data = malloc(command->length + 1);
	uint64_t commands = xo_burner_commands(kit->unit);
	struct xo_command first;

	assert_non_null(before);
	assert_non_null(data);
	memcpy(before, kit->region, size);
	execute(kit, command);
	first = kit->command;
	memcpy(data, kit->data, command->length);
	/* Nothing of it became valid. */
	memcpy(kit->region, before, size);
	kit_restart(kit);
	assert_int_equal(xo_burner_commands(kit->unit), commands);
	execute(kit, command);
	assert_same(&first, &kit->command);
	assert_memory_equal(data, kit->data, command->length);
	/* It became valid, and nobody heard of it. */
	kit_restart(kit);
	execute(kit, command);
	assert_same(&first, &kit->command);
	assert_int_equal(xo_burner_commands(kit->unit), commands + 1);
	free(before);
	free(data);
}

uint32_t kit_run(struct kit *kit, const uint8_t *cdb, size_t cdb_length, unsigned int direction,
		 uint32_t length)
{
	struct xo_command command;

	assert_true(length <= KIT_DATA);
	memset(&command, 0xff, sizeof(command));
	memset(command.cdb, 0, sizeof(command.cdb));
	memcpy(command.cdb, cdb, cdb_length);
	command.cdb_length = (uint8_t)cdb_length;
	command.direction = (uint8_t)direction;
	command.length = length;
	command.data = length ? kit->data : NULL;
	command.id = ++kit->id;
	if (kit_killing)
		execute_killed(kit, &command);
	else
		execute(kit, &command);
	return kit_sense(kit);
}

uint32_t kit_none(struct kit *kit, const char *text)
{
	uint8_t cdb[XO_CDB_MAX];
	size_t n = parse_cdb(text, cdb);

	return kit_run(kit, cdb, n, XO_DIR_NONE, 0);
}

uint32_t kit_in(struct kit *kit, const char *text, uint32_t length)
{
	uint8_t cdb[XO_CDB_MAX];
	size_t n = parse_cdb(text, cdb);

	memset(kit->data, 0xff, length);
	return kit_run(kit, cdb, n, XO_DIR_IN, length);
}

uint32_t kit_out(struct kit *kit, const char *text, const void *data, uint32_t length)
{
	uint8_t cdb[XO_CDB_MAX];
	size_t n = parse_cdb(text, cdb);

	assert_true(length <= KIT_DATA);
	memcpy(kit->data, data, length);
	return kit_run(kit, cdb, n, XO_DIR_OUT, length);
}

uint32_t kit_moved(const struct kit *kit)
{
	return kit->command.length - kit->command.residual;
}

void kit_block(uint8_t *to, uint32_t block, int32_t lba, unsigned int seed)
{
	uint32_t x = seed * 2654435761u ^ (uint32_t)lba * 40503u ^ 1;

	for (uint32_t i = 0; i < block; i++) {
		x = x * 1664525u + 1013904223u;
		to[i] = (uint8_t)(x >> 24);
	}
}

uint32_t kit_write(struct kit *kit, int32_t lba, uint32_t count, uint32_t block, unsigned int seed)
{
	uint8_t cdb[10] = { 0x2a };

	xo_put_be32(cdb + 2, (uint32_t)lba);
	xo_put_be16(cdb + 7, count);
	for (uint32_t i = 0; i < count; i++)
		kit_block(kit->data + (size_t)i * block, block, lba + (int32_t)i, seed);
	return kit_run(kit, cdb, sizeof(cdb), XO_DIR_OUT, count * block);
}

void kit_check_read(struct kit *kit, uint32_t lba, uint32_t count, unsigned int seed)
{
	uint8_t cdb[10] = { 0x28 };
	uint8_t expected[2048];

	xo_put_be32(cdb + 2, lba);
	xo_put_be16(cdb + 7, count);
	memset(kit->data, 0xff, (size_t)count * 2048);
	assert_int_equal(kit_run(kit, cdb, sizeof(cdb), XO_DIR_IN, count * 2048), 0);
	assert_int_equal(kit_moved(kit), count * 2048);
	for (uint32_t i = 0; i < count; i++) {
		kit_block(expected, 2048, (int32_t)(lba + i), seed);
		assert_memory_equal(kit->data + (size_t)i * 2048, expected, 2048);
	}
}

uint32_t kit_write_parameters(struct kit *kit, unsigned int write_type, unsigned int track_mode,
			      unsigned int block_type)
{
	uint8_t list[60] = { 0 };

	list[8] = 0x05;
	list[9] = 0x32;
	list[10] = (uint8_t)(0x40 | write_type);
	list[11] = (uint8_t)track_mode;
	list[12] = (uint8_t)block_type;
	list[23] = 150;
	return kit_out(kit, "55 10 00 00 00 00 00 00 3c 00", list, sizeof(list));
}
