/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fault filter: errors at seeded commands, for tests. SPEC is
 * "SEED:PERMILLE:KIND[:OPCODE]", OPCODE two hex digits. Which commands are hit
 * depends on SEED and the command's place alone, so a run can be repeated, and
 * a command that a successor carries out again meets the same fate.
 *
 *	not-ready	02/04/08, nothing reaches the drive
 *	medium-error	03/11/00, likewise
 *	attention	06/29/00, likewise
 *	busy, timeout, aborted, error, reset	transport status, likewise
 *	underrun	carried out, and half of the data is said to be missing
 *	lost		carried out, and the transport fails on the way back
 *	good		carried out, and said to have ended well: what the drive cannot do
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "stack.h"

struct kind {
	const char *name;
	uint32_t kcq;
	enum xo_transport transport;
	bool after;
	bool good;
};

static const struct kind kinds[] = {
	{ "not-ready", XO_SENSE_LONG_WRITE_IN_PROGRESS, XO_TRANSPORT_OK, false, false },
	{ "medium-error", XO_SENSE_UNRECOVERED_READ, XO_TRANSPORT_OK, false, false },
	{ "attention", XO_SENSE_POWER_ON_OR_RESET, XO_TRANSPORT_OK, false, false },
	{ "busy", 0, XO_TRANSPORT_BUSY, false, false },
	{ "timeout", 0, XO_TRANSPORT_TIMEOUT, false, false },
	{ "aborted", 0, XO_TRANSPORT_ABORTED, false, false },
	{ "error", 0, XO_TRANSPORT_ERROR, false, false },
	{ "reset", 0, XO_TRANSPORT_RESET, false, false },
	{ "underrun", 0, XO_TRANSPORT_OK, true, false },
	{ "lost", 0, XO_TRANSPORT_ERROR, true, false },
	{ "good", 0, XO_TRANSPORT_OK, true, true },
};

struct fault {
	struct xo_unit unit;
	uint64_t seed;
	unsigned int permille;
	int opcode; /* -1: any */
	const struct kind *kind;
};

/* splitmix64: every bit of the input reaches every bit of the result. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static bool hit(const struct fault *fault, const struct xo_command *command)
{
	if (fault->opcode >= 0 && command->cdb[0] != fault->opcode)
		return false;
	return mix(fault->seed ^ mix(command->id)) % 1000 < fault->permille;
}

static void fault_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct fault *fault = (struct fault *)unit;
	const struct kind *kind = fault->kind;

	if (!hit(fault, command)) {
		xo_unit_execute(unit->next, command);
		return;
	}
	if (kind->after) {
		xo_unit_execute(unit->next, command);
		if (kind->good)
			xo_command_good(command, command->length);
		else if (kind->transport)
			command->transport = (uint8_t)kind->transport;
		else
			command->residual = XO_MAX(command->residual, command->length / 2);
	} else if (kind->kcq) {
		xo_command_check(command, kind->kcq);
	} else {
		xo_command_fail(command, kind->transport);
	}
}

static void fault_free(struct xo_unit *unit)
{
	free(unit);
}

static const struct xo_unit_ops fault_ops = {
	.name = "fault",
	.execute = fault_execute,
	.release = xo_unit_release_next,
	.free = fault_free,
};

static int parse(struct fault *fault, const char *spec)
{
	unsigned long long seed;
	char name[32];
	unsigned int opcode;
	int at = 0;
	int n = sscanf(spec, "%llu:%u:%31[a-z-]%n:%2x%n", &seed, &fault->permille, name, &at,
		       &opcode, &at);

	if (n < 3 || spec[at] || fault->permille > 1000)
		return -EINVAL;
	fault->seed = seed;
	fault->opcode = n == 4 ? (int)opcode : -1;
	for (size_t i = 0; i < XO_ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			fault->kind = &kinds[i];
	return fault->kind ? 0 : -EINVAL;
}

int xo_fault_new(struct xo_unit **unit, struct xo_unit *next, const char *spec)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	int r;

	if (!fault)
		return -ENOMEM;
	fault->unit = (struct xo_unit){ .ops = &fault_ops, .next = next };
	r = parse(fault, spec);
	if (r) {
		free(fault);
		return r;
	}
	*unit = &fault->unit;
	return 0;
}
