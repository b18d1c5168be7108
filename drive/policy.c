/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy filter: refuses what opcodes.def or mode=ro forbid, and says so with the guest's name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mmc/cdb.h"
#include "stack.h"

/* The largest parameter list that a drive knows is a disc structure of 64 KiB. */
#define PARAMETERS_MAX 65536

struct policy {
	struct xo_unit unit;
	struct xo_policy rules;
	uint64_t refused;
	struct xo_log_limit limit;
	uint8_t parameters[PARAMETERS_MAX];
};

static void refuse(struct policy *policy, struct xo_command *command,
		   const struct xo_refusal *refusal)
{
	char text[160];

	xo_command_check(command, xo_sense_kcq(&refusal->sense));
	command->sense_length = (uint8_t)xo_sense_build(&refusal->sense, false, command->sense,
							sizeof(command->sense));
	__atomic_add_fetch(&policy->refused, 1, __ATOMIC_RELAXED);
	xo_cdb_format(text, sizeof(text), command->cdb, command->cdb_length);
	xo_log_limited_at(&policy->limit, XO_LOG_WARNING, "%s: %s refused: %s", command->client,
			  text, refusal->reason);
}

/*
 * Parameter lists lie in memory that the client can change: what the filters below look at
 * must be what the drive gets.
 */
static void copy_parameters(struct policy *policy, struct xo_command *command)
{
	uint8_t class = xo_opcode_find(command->cdb, command->cdb_length)->class;

	if (command->direction != XO_DIR_OUT || class == XO_CLASS_WRITE || class == XO_CLASS_READ ||
	    command->length > PARAMETERS_MAX)
		return;
	memcpy(policy->parameters, command->data, command->length);
	command->data = policy->parameters;
}

static void policy_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct policy *policy = (struct policy *)unit;
	struct xo_policy rules = policy->rules;
	struct xo_refusal refusal;

	rules.read_only |= command->read_only;
	if (xo_policy_judge(&rules, command->cdb, command->cdb_length, &refusal) == XO_REFUSE) {
		refuse(policy, command, &refusal);
		return;
	}
	copy_parameters(policy, command);
	xo_unit_execute(unit->next, command);
}

static void policy_free(struct xo_unit *unit)
{
	free(unit);
}

static const struct xo_unit_ops policy_ops = {
	.name = "policy",
	.execute = policy_execute,
	.release = xo_unit_release_next,
	.free = policy_free,
};

uint64_t xo_policy_refused(const struct xo_unit *unit)
{
	const struct policy *policy = (const struct policy *)unit;

	return __atomic_load_n(&policy->refused, __ATOMIC_RELAXED);
}

int xo_policy_new(struct xo_unit **unit, struct xo_unit *next, const struct xo_policy *rules)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	policy->unit = (struct xo_unit){ .ops = &policy_ops, .next = next };
	policy->rules = *rules;
	*unit = &policy->unit;
	return 0;
}
