/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a ring worker has promised its guest: every request taken from the ring
 * and how far it has come, in the ledger's region (base/ledger.h).
 *
 *	FREE -> TAKEN -> SENT -> REPLIED -> PUBLISHING -> PUBLISHED (-> TAKEN)
 *
 * TAKEN	copied and judged; true once `req_cons` has passed its index
 * SENT		its command may be with the drive: sent again with the same tag; or, if `direct`,
 *		given to it by ourselves, and `io` says whether it ran
 * REPLIED	the answer is known, the guest has not got it
 * PUBLISHING	the response lies in the ring at rsp_index; it is the guest's when
 *		rsp_prod passes that, which rsp_intended announces
 * PUBLISHED	the guest has it; the entry is free, a notification may be owed
 *
 * The shared page is not believed: a successor writes its rsp_prod and does not
 * look at it, and requests are read once. (Only a fresh ledger begins where
 * rsp_prod stands.)
 */
#ifndef XO_BACKEND_RING_LEDGER_H
#define XO_BACKEND_RING_LEDGER_H

#include <stdint.h>

#include <xen/xen.h>

#include <xen/grant_table.h>

/* What <xen/io/ring.h> wants of its user: full, read and write barriers against the guest's CPUs. */
#define xen_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#include <xen/io/ring.h>
#include <xen/io/vscsiif.h>

#include "base/ledger.h"
#include "base/link.h"
#include "base/ring_control.h"
#include "base/sgio.h"

#define XO_RING_LEDGER_KIND "ring"
#define XO_RING_LEDGER_LAYOUT 2

#define XO_RING_ENTRIES_MAX 64
#define XO_RING_SEGMENTS_MAX XO_RING_SG_GRANT

enum xo_ring_state {
	XO_RING_FREE = 0,
	XO_RING_TAKEN,
	XO_RING_SENT,
	XO_RING_REPLIED,
	XO_RING_PUBLISHING,
	XO_RING_PUBLISHED,
};

/* Named points (base/point.h). */
enum xo_ring_point {
	XO_RING_POINT_COPIED, /* the request is in the ledger, req_cons has not moved */
	XO_RING_POINT_TAKEN,
	XO_RING_POINT_FETCHED, /* the guest's data are in the arena */
	XO_RING_POINT_SENT, /* committed, not yet on the link */
	XO_RING_POINT_LINKED, /* on the link */
	XO_RING_POINT_ISSUED, /* the next instruction gives it to the drive that is lent to us */
	XO_RING_POINT_RETURNED, /* the drive has done it */
	XO_RING_POINT_REPLIED,
	XO_RING_POINT_STORED, /* the drive's data are in the guest */
	XO_RING_POINT_PUBLISHING,
	XO_RING_POINT_INTENDED, /* rsp_intended says what rsp_prod will be */
	XO_RING_POINT_PUSHED, /* rsp_prod has moved */
	XO_RING_POINT_PUBLISHED,
	XO_RING_POINT_NOTIFIED,
	XO_RING_POINT_COUNT,
};

extern const char *const xo_ring_points[XO_RING_POINT_COUNT];

/* One request. Its index in the array is also its slot on the link. */
struct xo_ring_entry {
	uint32_t state; /* enum xo_ring_state */
	uint32_t req_index;
	uint32_t rsp_index;
	uint32_t link; /* number of its LUN's link; meaningful unless kind is 0 */
	uint64_t tag; /* > 0 */
	uint64_t target_tag; /* ABORT: what to give up, 0 when that is answered already */
	uint32_t target; /* ABORT: its entry */
	uint8_t kind; /* enum xo_link_kind; 0: answered without the drive */
	uint8_t direction; /* enum xo_direction */
	uint16_t segment_count;
	uint32_t offered; /* bytes of the guest's buffer */
	uint32_t length; /* bytes that the command may move: up to offered */
	uint32_t direct; /* 1: by the drive that is lent to us */
	/* The answer, valid from REPLIED. */
	int32_t rslt; /* as in vscsiif_response */
	uint32_t moved; /* bytes that go to the guest */
	uint32_t residual; /* of offered */
	uint32_t sense_length;
	uint8_t sense[VSCSIIF_SENSE_BUFFERSIZE];
	struct xo_sgio io;
	struct vscsiif_request request; /* the one copy */
	struct scsiif_request_segment segments[XO_RING_SEGMENTS_MAX]; /* direct or indirect */
};

struct xo_ring_ledger {
	uint32_t begun; /* 1: what follows is valid */
	uint32_t ring_entries;
	uint32_t req_cons; /* requests taken */
	uint32_t rsp_prod; /* responses that the guest has */
	uint32_t rsp_intended; /* where rsp_prod is going; equal to it between batches */
	uint32_t reserved;
	uint64_t next_tag;
	uint64_t requests, responses, bad_requests, events; /* for "query" */
	struct xo_ring_entry entries[XO_RING_ENTRIES_MAX];
};

_Static_assert(sizeof(struct xo_ring_ledger) <= XO_RING_LEDGER_REGION, "the launcher makes the "
								       "region of this size");

#endif
