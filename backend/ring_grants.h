/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring worker's hold on its guest's memory: the ring mapped, data copied by grant. */
#ifndef XO_BACKEND_RING_GRANTS_H
#define XO_BACKEND_RING_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include <xengnttab.h>

/*
 * Pages that a vcd frontend granted once and uses again ("feature-persistent"): mapped at
 * the first use, moved by memcpy from then on. A bounded set-associative table; a guest that
 * names more pages than it holds pays with a mapping each, nobody else does.
 */
#define XO_KEPT_SETS 128u
#define XO_KEPT_WAYS 4u

struct xo_kept_page {
	uint8_t *page; /* NULL: free */
	uint32_t ref;
	uint32_t used; /* the table's clock at the last use */
};

struct xo_grants {
	xengnttab_handle *handle;
	uint16_t domid;
	void *ring;
	unsigned int ring_pages;
	bool by_mapping; /* the kernel has no grant copy */
	bool persistent; /* the frontend's pages may be kept mapped */
	uint32_t clock; /* copies so far */
	uint32_t swept; /* the clock at the last sweep */
	struct xo_kept_page kept[XO_KEPT_SETS][XO_KEPT_WAYS];
};

/* Opens gntdev and maps the ring's pages read-write. 0 or -errno, said in the log. */
int xo_grants_open(struct xo_grants *grants, uint16_t domid, const uint32_t *refs,
		   unsigned int pages);
void xo_grants_close(struct xo_grants *grants);

/* xo_ring_ops.copy: one call for all, and mapping where copying is not supported. */
int xo_grants_copy(struct xo_grants *grants, xengnttab_grant_copy_segment_t *segments,
		   unsigned int count);

/*
 * From time to time: lets go of the pages that were not used since the last call, so that the
 * frontend can have them back. Returns how many are still mapped.
 */
unsigned int xo_grants_sweep(struct xo_grants *grants);

#endif
