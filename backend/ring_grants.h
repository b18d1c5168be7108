/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring worker's hold on its guest's memory: the ring mapped, data copied by grant. */
#ifndef XO_BACKEND_RING_GRANTS_H
#define XO_BACKEND_RING_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include <xengnttab.h>

struct xo_grants {
	xengnttab_handle *handle;
	uint16_t domid;
	void *ring;
	unsigned int ring_pages;
	bool by_mapping; /* the kernel has no grant copy */
};

/* Opens gntdev and maps the ring's pages read-write. 0 or -errno, said in the log. */
int xo_grants_open(struct xo_grants *grants, uint16_t domid, const uint32_t *refs,
		   unsigned int pages);
void xo_grants_close(struct xo_grants *grants);

/* xo_ring_ops.copy: one call for all, and mapping where copying is not supported. */
int xo_grants_copy(struct xo_grants *grants, xengnttab_grant_copy_segment_t *segments,
		   unsigned int count);

#endif
