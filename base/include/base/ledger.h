/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger: what a worker has promised, in a sealed memfd that launcher and
 * keeper hold, so that a successor goes on where a killed worker stopped.
 *
 * It is a header, followed by `region_size` bytes whose layout belongs to the
 * worker (its slots with their states). The rules for those:
 *  - a fact is written completely before the one store that makes it true
 *    (xo_ledger_commit), and only the states of the ledger are believed
 *    after a restart;
 *  - each transition is a named point (base/point.h), where tests kill.
 */
#ifndef XO_BASE_LEDGER_H
#define XO_BASE_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#define XO_LEDGER_MAGIC 0x584f4c31u /* "XOL1" */
#define XO_LEDGER_POINTS_MAX 64
#define XO_LEDGER_KIND_MAX 16

struct xo_ledger_header {
	uint32_t magic;
	uint32_t layout; /* of the region; a worker refuses another than its own */
	char kind[XO_LEDGER_KIND_MAX];
	uint64_t region_size;
	uint32_t generation; /* starts of a worker on this ledger: 1 for the first */
	uint32_t reserved;
	uint64_t point_hits[XO_LEDGER_POINTS_MAX]; /* base/point.h */
};

struct xo_ledger {
	int fd;
	struct xo_ledger_header *header;
	void *region; /* page aligned */
	size_t region_size;
};

/* A new sealed memfd of that size, all zeros, for the launcher. Returns the descriptor or -errno. */
int xo_ledger_create(size_t region_size);

/*
 * Takes over fd, maps it, pre-faults every page, and counts up the generation.
 * A fresh one (all zeros) is given `kind` and `layout`; one in use must have
 * just these and the same region_size: otherwise -EPROTO.
 */
int xo_ledger_open(struct xo_ledger *ledger, int fd, const char *kind, uint32_t layout,
		   size_t region_size);
void xo_ledger_close(struct xo_ledger *ledger);

/* What must lie in the memfd for a region of that size, in bytes. */
size_t xo_ledger_size(size_t region_size);

/* Makes `value` true: everything stored before is in memory before it. */
static inline void xo_ledger_commit(uint32_t *state, uint32_t value)
{
	__atomic_store_n(state, value, __ATOMIC_RELEASE);
}

static inline void xo_ledger_commit64(uint64_t *state, uint64_t value)
{
	__atomic_store_n(state, value, __ATOMIC_RELEASE);
}

static inline uint32_t xo_ledger_state(const uint32_t *state)
{
	return __atomic_load_n(state, __ATOMIC_ACQUIRE);
}

#endif
