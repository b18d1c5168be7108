/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy: which commands a guest may send. Decided by the table of opcodes.def alone (a command as
 * a whole, and rules on fields of its CDB); the configuration can permit each refusal by name.
 */
#ifndef XO_MMC_POLICY_H
#define XO_MMC_POLICY_H

#include "mmc/opcode.h"
#include "mmc/sense.h"

enum xo_verdict { XO_ALLOW, XO_REFUSE };

struct xo_policy {
	uint32_t permit; /* bits 1 << enum xo_permission, from xo_permission_parse() */
	bool read_only; /* mode=ro */
};

/* Why a command was refused; for the log. */
struct xo_refusal {
	struct xo_sense sense; /* what the guest gets, CHECK CONDITION */
	enum xo_permission permission; /* what would allow it; ALWAYS if nothing would */
	const char *reason; /* static text: "mode=ro", "needs allow=microcode", … */
};

/*
 * Judge a CDB. *why is written only if the verdict is XO_REFUSE. A guest's malformed CDB (too
 * short, too long) is refused with 05/24/00.
 */
enum xo_verdict xo_policy_judge(const struct xo_policy *policy, const uint8_t *cdb, size_t len,
				struct xo_refusal *why);

/* A permission's name in the configuration ("microcode"), and what it allows, for people. */
const char *xo_permission_name(enum xo_permission permission);
const char *xo_permission_text(enum xo_permission permission);

/*
 * Parse a list of names, separated by commas or blanks, into bits of xo_policy.permit. Returns 0,
 * or -EINVAL for an unknown name (*bad then points at it, inside list, *bad_len bytes long).
 */
int xo_permission_parse(const char *list, uint32_t *permit, const char **bad, size_t *bad_len);

#endif
