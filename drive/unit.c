/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the filters share: results, commands of our own, and freeing a stack. */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "stack.h"

void xo_command_check(struct xo_command *command, uint32_t kcq)
{
	struct xo_sense sense = xo_sense_make(kcq);

	command->status = XO_STATUS_CHECK_CONDITION;
	command->transport = XO_TRANSPORT_OK;
	command->residual = command->length;
	command->sense_length =
		(uint8_t)xo_sense_build(&sense, false, command->sense, sizeof(command->sense));
}

void xo_command_fail(struct xo_command *command, enum xo_transport transport)
{
	command->status = XO_STATUS_GOOD;
	command->transport = (uint8_t)transport;
	command->residual = command->length;
	command->sense_length = 0;
}

void xo_command_good(struct xo_command *command, uint32_t moved)
{
	command->status = XO_STATUS_GOOD;
	command->transport = XO_TRANSPORT_OK;
	command->residual = command->length - XO_MIN(moved, command->length);
	command->sense_length = 0;
}

bool xo_command_is_good(const struct xo_command *command)
{
	return command->transport == XO_TRANSPORT_OK && command->status == XO_STATUS_GOOD;
}

uint32_t xo_command_kcq(const struct xo_command *command)
{
	struct xo_sense sense;

	if (command->transport != XO_TRANSPORT_OK || command->status != XO_STATUS_CHECK_CONDITION ||
	    xo_sense_parse(command->sense, command->sense_length, &sense))
		return 0;
	return xo_sense_kcq(&sense);
}

int xo_inner_command(struct xo_unit *unit, uint64_t id, const uint8_t *cdb, uint8_t cdb_length,
		     enum xo_direction direction, void *data, uint32_t length,
		     struct xo_journal *journal)
{
	struct xo_command command = {
		.cdb_length = cdb_length,
		.direction = (uint8_t)direction,
		.timeout = xo_cdb_timeout(cdb, cdb_length),
		.length = length,
		.data = data,
		.id = id,
		.client = "xenoptic",
		.journal = journal,
	};

	memcpy(command.cdb, cdb, cdb_length);
	xo_unit_execute(unit->next, &command);
	if (xo_command_is_good(&command))
		return 0;
	return xo_command_kcq(&command) ? (int)xo_command_kcq(&command) : -EIO;
}

void xo_unit_release_next(struct xo_unit *unit)
{
	if (unit->next && unit->next->ops->release)
		unit->next->ops->release(unit->next);
}

void xo_unit_free(struct xo_unit *unit)
{
	while (unit) {
		struct xo_unit *next = unit->next;

		unit->ops->free(unit);
		unit = next;
	}
}
