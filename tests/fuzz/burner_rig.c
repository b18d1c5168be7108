/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtual burner for a fuzz target. */
#include "burner_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void must(int condition)
{
	if (!condition)
		abort();
}

static void make_unit(struct rig *rig)
{
	must(xo_burner_new(&rig->unit, rig->region, NULL) == 0);
}

void rig_insert(struct rig *rig, unsigned int media)
{
	static struct xo_disc disc;
	static char text[4096];
	char *error = NULL;
	ssize_t length;

	must(xo_disc_make(&disc, media, 0) == 0);
	disc.timing = (struct xo_disc_timing){ .sync = 0 };
	length = xo_disc_print(&disc, text, sizeof(text));
	must(length > 0);
	if (rig->fd >= 0)
		close(rig->fd);
	rig->fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(rig->fd >= 0);
	(void)xo_burner_insert(rig->unit, dup(rig->fd), text, (size_t)length, false, &error);
	free(error);
}

void rig_open(struct rig *rig, unsigned int media)
{
	*rig = (struct rig){ .fd = -1 };
	rig->region = aligned_alloc(64, xo_burner_region_size());
	rig->data = malloc(RIG_DATA);
	must(rig->region && rig->data);
	memset(rig->region, 0, xo_burner_region_size());
	make_unit(rig);
	rig_insert(rig, media);
}

void rig_restart(struct rig *rig)
{
	char *error = NULL;

	rig->unit->ops->free(rig->unit);
	make_unit(rig);
	if (xo_burner_loaded(rig->unit))
		must(xo_burner_insert(rig->unit, dup(rig->fd), NULL, 0, true, &error) == 0);
}

void rig_close(struct rig *rig)
{
	static struct xo_disc disc;
	static char text[XO_DISC_JSON_MAX];
	char *error = NULL;
	ssize_t length;

	must(xo_burner_commands(rig->unit) == rig->id);
	length = xo_burner_describe(rig->unit, text, sizeof(text));
	if (xo_burner_loaded(rig->unit)) {
		must(length > 0);
		must(xo_disc_parse(&disc, text, (size_t)length, &error) == 0);
	}
	rig->unit->ops->free(rig->unit);
	free(rig->region);
	free(rig->data);
	close(rig->fd);
}

unsigned int rig_run(struct rig *rig, const uint8_t *cdb, size_t cdb_length, unsigned int direction,
		     uint32_t length)
{
	struct xo_command *c = &rig->command;

	*c = (struct xo_command){ .cdb_length = (uint8_t)cdb_length,
				  .direction = (uint8_t)direction,
				  .length = length,
				  .data = rig->data,
				  .id = ++rig->id };
	memcpy(c->cdb, cdb, cdb_length);
	xo_unit_execute(rig->unit, c);
	must(c->transport == XO_TRANSPORT_OK && c->residual <= length);
	must(c->status == 0 || (c->status == 2 && c->sense_length == 18));
	/* Of a command that failed before data moved, nothing is said to have moved; and
	 * data that should come in do not exceed what was offered. */
	return c->status;
}

void rig_write_parameters(struct rig *rig, unsigned int write_type, unsigned int track_mode,
			  unsigned int block_type)
{
	static const uint8_t cdb[10] = { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 60 };

	memset(rig->data, 0, 60);
	rig->data[8] = 0x05;
	rig->data[9] = 0x32;
	rig->data[10] = (uint8_t)write_type;
	rig->data[11] = (uint8_t)track_mode;
	rig->data[12] = (uint8_t)block_type;
	rig->data[23] = 150;
	rig_run(rig, cdb, sizeof(cdb), XO_DIR_OUT, 60);
}
