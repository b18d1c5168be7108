/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test expects of the ring that a rig has; apart from ring_rig.h, which a fuzzer uses without cmocka. */
#ifndef XO_TESTS_RING_EXPECT_H
#define XO_TESTS_RING_EXPECT_H

#include "ring_rig.h"

/* The next response is this one. */
static inline void rig_expect(struct rig *rig, uint16_t rqid, int32_t rslt)
{
	struct vscsiif_response response;

	assert_true(rig_response(rig, &response));
	assert_int_equal(response.rqid, rqid);
	assert_int_equal(response.rslt, rslt);
}

static inline void rig_expect_none(struct rig *rig)
{
	struct vscsiif_response response;

	assert_false(rig_response(rig, &response));
}

#endif
