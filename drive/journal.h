/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of one command, in the ledger: how far it has come at the bottom
 * of the stack, and what the kernel wrote about its last SG_IO. With it the
 * successor of a killed process goes on inside the command, and nothing
 * reaches the drive twice.
 *
 * A command is one step or, when it is split or retried inside, several.
 * `progress` counts the steps that are over and the parts of a split command
 * that are done; one store moves both. Step N uses io[N & 1], which says whether
 * it ran (base/sgio.h).
 */
#ifndef XO_DRIVE_JOURNAL_H
#define XO_DRIVE_JOURNAL_H

#include <stdint.h>

#include "base/ledger.h"
#include "base/sgio.h"

/*
 * Ids of commands are multiples of this: step N of a command has id + N, so that the burner,
 * which knows a repeated command by its id, takes no step for the repetition of another.
 */
#define XO_JOURNAL_STEPS 65536u

struct xo_journal {
	uint64_t progress; /* parts << 32 | steps */
	struct xo_sgio io[2];
};

static inline uint32_t xo_journal_step(const struct xo_journal *journal)
{
	return (uint32_t)__atomic_load_n(&journal->progress, __ATOMIC_ACQUIRE);
}

static inline uint32_t xo_journal_parts(const struct xo_journal *journal)
{
	return (uint32_t)(__atomic_load_n(&journal->progress, __ATOMIC_ACQUIRE) >> 32);
}

static inline struct xo_sgio *xo_journal_io(struct xo_journal *journal)
{
	return &journal->io[xo_journal_step(journal) & 1];
}

/* For a new command, before it is committed as accepted. */
static inline void xo_journal_reset(struct xo_journal *journal)
{
	journal->progress = 0;
	xo_sgio_reset(&journal->io[0]);
	xo_sgio_reset(&journal->io[1]);
}

/* The step is over, and `parts` parts are done. */
static inline void xo_journal_next(struct xo_journal *journal, uint32_t parts)
{
	uint32_t step = xo_journal_step(journal) + 1;

	xo_sgio_reset(&journal->io[step & 1]);
	xo_ledger_commit64(&journal->progress, (uint64_t)parts << 32 | step);
}

#endif
