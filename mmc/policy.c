/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy: judges CDBs by opcodes.def, and the names of permissions. */
#include "mmc/policy.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "mmc/cdb.h"

#define XO_RULE_NONZERO (~1ull)

struct rule {
	uint8_t opcode;
	uint8_t permission; /* enum xo_permission */
	uint8_t byte;
	uint8_t mask;
	uint64_t values;
};

static const struct rule rules[] = {
#define XO_RULE(permit, op, at, bits, allowed) \
	{ .opcode = XO_OP_##op,                \
	  .permission = XO_PERMIT_##permit,    \
	  .byte = (at),                        \
	  .mask = (bits),                      \
	  .values = (allowed) },
#include "opcodes.def"
};

static const struct {
	const char *name;
	const char *reason;
	const char *text;
} permissions[XO_PERMIT_COUNT] = {
	[XO_PERMIT_ALWAYS] = { "always", "not a packet command", "" },
#define XO_PERMISSION(ident, id, explanation) \
	[XO_PERMIT_##ident] = { (id), "needs allow=" id, (explanation) },
#include "opcodes.def"
};

_Static_assert(XO_PERMIT_COUNT <= 32, "xo_policy.permit has 32 bits");

static bool rule_matches(const struct rule *rule, const uint8_t *cdb)
{
	unsigned value = (cdb[rule->byte] & rule->mask) >> __builtin_ctz(rule->mask);

	if (rule->values == XO_RULE_NONZERO)
		return value != 0;
	return value < 64 && (rule->values >> value & 1);
}

static bool permitted(const struct xo_policy *policy, unsigned permission)
{
	return permission == XO_PERMIT_ALWAYS || (policy->permit >> permission & 1);
}

static enum xo_verdict refuse(struct xo_refusal *why, uint32_t kcq, unsigned permission,
			      const char *reason)
{
	*why = (struct xo_refusal){
		.sense = xo_sense_make(kcq),
		.permission = (enum xo_permission)permission,
		.reason = reason ? reason : permissions[permission].reason,
	};
	return XO_REFUSE;
}

enum xo_verdict xo_policy_judge(const struct xo_policy *policy, const uint8_t *cdb, size_t len,
				struct xo_refusal *why)
{
	const struct xo_opcode *op = xo_opcode_find(cdb, len);
	uint8_t padded[XO_CDB_MAX] = { 0 };

	if (xo_cdb_check(cdb, len))
		return refuse(why, XO_SENSE_INVALID_FIELD_IN_CDB, XO_PERMIT_ALWAYS, NULL);
	memcpy(padded, cdb, len);
	if (policy->read_only && op->read_only != XO_RO_ALLOW)
		return refuse(why,
			      op->read_only == XO_RO_WRITE_PROTECTED ? XO_SENSE_WRITE_PROTECTED
								     : XO_SENSE_INVALID_OPCODE,
			      XO_PERMIT_ALWAYS, "mode=ro");
	if (!permitted(policy, op->permission))
		return refuse(why, XO_SENSE_INVALID_OPCODE, op->permission, NULL);
	for (size_t i = 0; i < XO_ARRAY_SIZE(rules); i++)
		if (rules[i].opcode == cdb[0] && !permitted(policy, rules[i].permission) &&
		    rule_matches(&rules[i], padded))
			return refuse(why, XO_SENSE_INVALID_FIELD_IN_CDB, rules[i].permission,
				      NULL);
	return XO_ALLOW;
}

const char *xo_permission_name(enum xo_permission permission)
{
	return (unsigned)permission < XO_PERMIT_COUNT ? permissions[permission].name : "unknown";
}

const char *xo_permission_text(enum xo_permission permission)
{
	return (unsigned)permission < XO_PERMIT_COUNT ? permissions[permission].text : "";
}

static unsigned permission_find(const char *name, size_t len)
{
	for (unsigned i = XO_PERMIT_ALWAYS + 1; i < XO_PERMIT_COUNT; i++)
		if (strlen(permissions[i].name) == len && !memcmp(permissions[i].name, name, len))
			return i;
	return XO_PERMIT_ALWAYS;
}

int xo_permission_parse(const char *list, uint32_t *permit, const char **bad, size_t *bad_len)
{
	static const char separators[] = ", \t";
	uint32_t bits = 0;

	for (const char *p = list + strspn(list, separators); *p; p += strspn(p, separators)) {
		size_t len = strcspn(p, separators);
		unsigned permission = permission_find(p, len);

		if (permission == XO_PERMIT_ALWAYS) {
			*bad = p;
			*bad_len = len;
			return -EINVAL;
		}
		bits |= 1u << permission;
		p += len;
	}
	*permit = bits;
	return 0;
}
