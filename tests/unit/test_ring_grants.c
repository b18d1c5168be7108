/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring worker's grants where the kernel cannot copy, or the frontend keeps its
 * pages granted: over a stand-in for libxengnttab that counts, in this file.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "ring_grants.h"

#define PAGES 2048
#define PAGE 4096

static struct {
	uint8_t pages[PAGES][PAGE];
	bool mapped[PAGES];
	unsigned int maps, unmaps, copies;
	int copy_errno; /* xengnttab_grant_copy fails with it */
	bool read_only[PAGES];
} guest __attribute__((aligned(PAGE)));

static int handle_body;
static xengnttab_handle *const handle = (void *)&handle_body;

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return handle;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	assert_ptr_equal(xgt, handle);
	assert_int_equal(guest.maps, guest.unmaps);
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	(void)xgt;
	if (domid != 5 || ref >= PAGES || (guest.read_only[ref] && prot != 1)) {
		errno = EINVAL;
		return NULL;
	}
	guest.maps++;
	guest.mapped[ref] = true;
	return guest.pages[ref];
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
				      uint32_t *refs, int prot)
{
	assert_int_equal(count, 1);
	return xengnttab_map_grant_ref(xgt, domid, refs[0], prot);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
	size_t page = (size_t)((uint8_t *)start - guest.pages[0]) / PAGE;

	(void)xgt;
	assert_int_equal(count, 1);
	assert_true(guest.mapped[page]);
	guest.mapped[page] = false;
	guest.unmaps++;
	return 0;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
			 xengnttab_grant_copy_segment_t *segments)
{
	(void)xgt;
	guest.copies++;
	if (guest.copy_errno) {
		errno = guest.copy_errno;
		return -1;
	}
	for (uint32_t i = 0; i < count; i++)
		segments[i].status = GNTST_okay;
	return 0;
}

static uint8_t local[PAGE];

static xengnttab_grant_copy_segment_t from(uint32_t ref, uint16_t offset, uint16_t length)
{
	return (xengnttab_grant_copy_segment_t){
		.source.foreign = { .ref = ref, .offset = offset, .domid = 5 },
		.dest.virt = local,
		.len = length,
		.flags = GNTCOPY_source_gref,
		.status = 1,
	};
}

static xengnttab_grant_copy_segment_t to(uint32_t ref, uint16_t offset, uint16_t length)
{
	return (xengnttab_grant_copy_segment_t){
		.source.virt = local,
		.dest.foreign = { .ref = ref, .offset = offset, .domid = 5 },
		.len = length,
		.flags = GNTCOPY_dest_gref,
		.status = 1,
	};
}

static struct xo_grants opened(void)
{
	static const uint32_t ring_ref = 1;
	struct xo_grants grants;

	memset(&guest, 0, sizeof(guest));
	assert_int_equal(xo_grants_open(&grants, 5, &ring_ref, 1), 0);
	return grants;
}

/* A kernel without grant copy is asked once; pages are mapped for each copy from then on. */
static void test_no_grant_copy(void **state)
{
	static struct xo_grants grants;
	xengnttab_grant_copy_segment_t segments[3];

	(void)state;
	grants = opened();
	guest.copy_errno = ENOTTY;
	memset(guest.pages[7], 0x5a, PAGE);
	segments[0] = from(7, 100, 50);
	segments[1] = from(PAGES + 9, 0, 8); /* no such page */
	segments[2] = to(8, 4000, 96);
	memset(local, 0, sizeof(local));
	assert_int_equal(xo_grants_copy(&grants, segments, 2), 0);
	assert_int_equal(segments[0].status, GNTST_okay);
	assert_int_equal(segments[1].status, GNTST_bad_gntref);
	assert_int_equal(local[0], 0x5a);
	assert_int_equal(local[49], 0x5a);
	assert_int_equal(local[50], 0);
	memset(local, 0x77, sizeof(local));
	assert_int_equal(xo_grants_copy(&grants, &segments[2], 1), 0);
	assert_int_equal(segments[2].status, GNTST_okay);
	assert_int_equal(guest.pages[8][3999], 0);
	assert_int_equal(guest.pages[8][4000], 0x77);
	assert_int_equal(guest.pages[8][4095], 0x77);
	assert_int_equal(guest.copies, 1);
	assert_int_equal(guest.maps, 1 + 2);
	/* A page that may only be read is no place for a READ's data. */
	guest.read_only[8] = true;
	segments[2] = to(8, 0, 8);
	assert_int_equal(xo_grants_copy(&grants, &segments[2], 1), 0);
	assert_int_not_equal(segments[2].status, GNTST_okay);
	segments[0] = from(8, 0, 8);
	assert_int_equal(xo_grants_copy(&grants, &segments[0], 1), 0);
	assert_int_equal(segments[0].status, GNTST_okay);
	xo_grants_close(&grants);
}

/* Any other failure is this request's own; the next one tries again. */
static void test_copy_fails(void **state)
{
	static struct xo_grants grants;
	xengnttab_grant_copy_segment_t segment = from(7, 0, 8);

	(void)state;
	grants = opened();
	guest.copy_errno = EFAULT;
	assert_int_equal(xo_grants_copy(&grants, &segment, 1), -EFAULT);
	guest.copy_errno = 0;
	assert_int_equal(xo_grants_copy(&grants, &segment, 1), 0);
	assert_int_equal(guest.copies, 2);
	assert_int_equal(guest.maps, 1);
	xo_grants_close(&grants);
}

/* Kept pages are mapped once; however many a guest names, what is mapped stays bounded. */
static void test_persistent(void **state)
{
	static struct xo_grants grants;
	xengnttab_grant_copy_segment_t segment;
	const unsigned int bound = XO_KEPT_SETS * XO_KEPT_WAYS;

	(void)state;
	grants = opened();
	grants.persistent = true;
	for (unsigned int round = 0; round < 3; round++)
		for (uint32_t ref = 10; ref < 10 + 64; ref++) {
			memset(guest.pages[ref], (int)(ref + round), PAGE);
			segment = from(ref, 0, PAGE);
			assert_int_equal(xo_grants_copy(&grants, &segment, 1), 0);
			assert_int_equal(segment.status, GNTST_okay);
			assert_int_equal(local[PAGE - 1], (uint8_t)(ref + round));
		}
	assert_int_equal(guest.maps, 1 + 64);
	assert_int_equal(guest.copies, 0);
	for (uint32_t ref = 2; ref < PAGES; ref++) {
		segment = to(ref, 0, 16);
		assert_int_equal(xo_grants_copy(&grants, &segment, 1), 0);
		assert_true(guest.maps - guest.unmaps <= 1 + bound);
	}
	segment = from(PAGES + 1, 0, 16);
	assert_int_equal(xo_grants_copy(&grants, &segment, 1), 0);
	assert_int_not_equal(segment.status, GNTST_okay);
	/* What is not used between two sweeps is let go. */
	xo_grants_sweep(&grants);
	segment = from(PAGES - 1, 0, 16);
	assert_int_equal(xo_grants_copy(&grants, &segment, 1), 0);
	assert_true(xo_grants_sweep(&grants) <= 1);
	assert_int_equal(xo_grants_sweep(&grants), 0);
	assert_int_equal(guest.maps - guest.unmaps, 1);
	xo_grants_close(&grants);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_grant_copy),
		cmocka_unit_test(test_copy_fails),
		cmocka_unit_test(test_persistent),
	};

	xo_log_open("test_ring_grants", XO_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
