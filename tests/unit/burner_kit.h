/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual burner in a test's own process: a region, a sector file in a
 * memfd, commands as lines. Memory is filled with 0xff first, so that what the
 * burner does not write is seen.
 */
#ifndef TESTS_BURNER_KIT_H
#define TESTS_BURNER_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drive/burner.h"
#include "drive/disc.h"

#define KIT_DATA (1u << 20)

/*
 * Every command is carried out three times: the process dies just before the store that
 * makes it done, does it again, dies just after, and is asked again. All must answer the same.
 */
extern bool kit_killing;

struct kit {
	void *region;
	struct xo_unit *unit;
	int fd; /* a second descriptor of the sector file */
	char *json; /* the last description saved */
	unsigned int saves;
	bool tray_open;
	uint64_t id; /* of the last command */
	struct xo_command command; /* the last */
	uint8_t *data; /* KIT_DATA bytes */
};

/* A new burner, without a disc; its power-on attention is not taken yet. */
void kit_open(struct kit *kit);
/* With a blank disc in it, ready. capacity 0: the usual. All operations end at once. */
void kit_open_with(struct kit *kit, unsigned int media, uint32_t capacity);
void kit_insert_json(struct kit *kit, const char *json);
void kit_close(struct kit *kit);

/* The process dies and comes back on the same region. */
void kit_restart(struct kit *kit);

/*
 * Runs a command given as hexadecimal text ("2a 00 00 00 …"). Returns 0 or sense key,
 * ASC, ASCQ in one number. kit_in leaves the data in kit->data, kit_out sends `data`.
 */
uint32_t kit_none(struct kit *kit, const char *cdb);
uint32_t kit_in(struct kit *kit, const char *cdb, uint32_t length);
uint32_t kit_out(struct kit *kit, const char *cdb, const void *data, uint32_t length);
uint32_t kit_run(struct kit *kit, const uint8_t *cdb, size_t cdb_length, unsigned int direction,
		 uint32_t length);
/* Bytes that the last command moved. */
uint32_t kit_moved(const struct kit *kit);

/* Sense of a command that failed, or 0. */
uint32_t kit_sense(const struct kit *kit);

/* WRITE(10) and READ(10) of blocks that a seed makes; a mismatch fails the test. */
uint32_t kit_write(struct kit *kit, int32_t lba, uint32_t count, uint32_t block, unsigned int seed);
void kit_check_read(struct kit *kit, uint32_t lba, uint32_t count, unsigned int seed);
/* The bytes of one block. */
void kit_block(uint8_t *to, uint32_t block, int32_t lba, unsigned int seed);

/* MODE SELECT of the write parameters page. */
uint32_t kit_write_parameters(struct kit *kit, unsigned int write_type, unsigned int track_mode,
			      unsigned int block_type);

#endif
