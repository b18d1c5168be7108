/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every transition of the lease, and the table of slots: which request is new, kept, stale, a lie. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "lease.h"
#include "record.h"

#define UUID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define UUID_B "bbbbbbbb-0000-0000-0000-000000000002"

/* Links of the tests: guest A in two lives and by a second path, guests B, and one without a uuid. */
enum { A1 = 1, A1_PATH, A2, A3, B1, B2, NAMELESS, NAMELESS_2, LINKS };

static const struct xo_lease_link links[LINKS] = {
	[A1] = { A1, 10, UUID_A, 1 },	      [A1_PATH] = { A1_PATH, 10, UUID_A, 2 },
	[A2] = { A2, 11, UUID_A, 3 },	      [A3] = { A3, 12, UUID_A, 4 },
	[B1] = { B1, 20, UUID_B, 5 },	      [B2] = { B2, 21, UUID_B, 6 },
	[NAMELESS] = { NAMELESS, 30, "", 7 }, [NAMELESS_2] = { NAMELESS_2, 31, "", 8 },
};

static const struct xo_lease_link *by_id(uint32_t id)
{
	return id ? &links[id] : NULL;
}

static void expect(const struct xo_lease *lease, enum xo_lease_state state, uint32_t holder,
		   uint32_t next)
{
	assert_int_equal(lease->state, state);
	assert_int_equal(lease->holder, holder);
	assert_int_equal(lease->next, next);
}

struct attach_case {
	struct xo_lease before;
	uint32_t link;
	bool resume;
	struct xo_lease after;
};

static void test_attach(void **state)
{
	static const struct attach_case cases[] = {
		/* the first to come has it */
		{ { XO_LEASE_NONE, 0, 0 }, A1, false, { XO_LEASE_HELD, A1, 0 } },
		{ { XO_LEASE_NONE, 0, 0 }, A1, true, { XO_LEASE_HELD, A1, 0 } },
		/* somebody else waits */
		{ { XO_LEASE_HELD, A1, 0 }, B1, false, { XO_LEASE_HELD, A1, 0 } },
		{ { XO_LEASE_HELD, A1, 0 }, B1, true, { XO_LEASE_HELD, A1, 0 } },
		/* so does a second path of the same guest */
		{ { XO_LEASE_HELD, A1, 0 }, A1_PATH, true, { XO_LEASE_HELD, A1, 0 } },
		/* and one of whom nobody knows who he is */
		{ { XO_LEASE_HELD, NAMELESS, 0 },
		  NAMELESS_2,
		  true,
		  { XO_LEASE_HELD, NAMELESS, 0 } },
		/* the same guest after a reboot, and after a migration */
		{ { XO_LEASE_HELD, A1, 0 }, A2, false, { XO_LEASE_DRAINING, A1, A2 } },
		{ { XO_LEASE_HELD, A1, 0 }, A2, true, { XO_LEASE_PASSING, A1, A2 } },
		/* while it drains: the first, but the holder's own guest before others */
		{ { XO_LEASE_DRAINING, A1, 0 }, B1, false, { XO_LEASE_DRAINING, A1, B1 } },
		{ { XO_LEASE_DRAINING, A1, B1 }, B2, false, { XO_LEASE_DRAINING, A1, B1 } },
		{ { XO_LEASE_DRAINING, A1, B1 }, A2, false, { XO_LEASE_DRAINING, A1, A2 } },
		{ { XO_LEASE_DRAINING, A1, A2 }, A3, false, { XO_LEASE_DRAINING, A1, A2 } },
		{ { XO_LEASE_DRAINING, A1, A2 }, B1, false, { XO_LEASE_DRAINING, A1, A2 } },
		/* what is being undone is not resumed */
		{ { XO_LEASE_DRAINING, A1, 0 }, A2, true, { XO_LEASE_DRAINING, A1, A2 } },
		{ { XO_LEASE_PASSING, A1, A2 }, A3, true, { XO_LEASE_PASSING, A1, A2 } },
		{ { XO_LEASE_PASSING, A1, A2 }, B1, true, { XO_LEASE_PASSING, A1, A2 } },
		{ { XO_LEASE_PASSING, A1, 0 }, B1, true, { XO_LEASE_DRAINING, A1, B1 } },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++) {
		const struct attach_case *c = &cases[i];
		struct xo_lease after =
			xo_lease_attach(&c->before, by_id(c->before.holder), by_id(c->before.next),
					&links[c->link], c->resume);

		if (after.state != c->after.state || after.holder != c->after.holder ||
		    after.next != c->after.next)
			fail_msg("attach case %zu: %d %u %u", i, after.state, after.holder,
				 after.next);
	}
}

struct detach_case {
	struct xo_lease before;
	uint32_t link;
	bool resume;
	uint32_t remain[4];
	struct xo_lease after;
};

static void test_detach(void **state)
{
	static const struct detach_case cases[] = {
		{ { XO_LEASE_NONE, 0, 0 }, A1, false, { 0 }, { XO_LEASE_NONE, 0, 0 } },
		/* one that waits */
		{ { XO_LEASE_HELD, A1, 0 }, B1, false, { A1 }, { XO_LEASE_HELD, A1, 0 } },
		/* the holder: to nobody, to the one that waits longest, to its own guest */
		{ { XO_LEASE_HELD, A1, 0 }, A1, false, { 0 }, { XO_LEASE_DRAINING, A1, 0 } },
		{ { XO_LEASE_HELD, A1, 0 }, A1, false, { B2, B1 }, { XO_LEASE_DRAINING, A1, B1 } },
		{ { XO_LEASE_HELD, A3, 0 }, A3, false, { B1, A1 }, { XO_LEASE_DRAINING, A3, A1 } },
		{ { XO_LEASE_HELD, B1, 0 },
		  B1,
		  false,
		  { NAMELESS, A1 },
		  { XO_LEASE_DRAINING, B1, A1 } },
		/* a migration that failed: the source goes on where it was */
		{ { XO_LEASE_HELD, A2, 0 }, A2, true, { A1, B1 }, { XO_LEASE_PASSING, A2, A1 } },
		/* but nobody else, and not another path */
		{ { XO_LEASE_HELD, A2, 0 }, A2, true, { B1 }, { XO_LEASE_DRAINING, A2, B1 } },
		{ { XO_LEASE_HELD, A1, 0 },
		  A1,
		  true,
		  { A1_PATH },
		  { XO_LEASE_DRAINING, A1, A1_PATH } },
		{ { XO_LEASE_HELD, NAMELESS, 0 },
		  NAMELESS,
		  true,
		  { NAMELESS_2 },
		  { XO_LEASE_DRAINING, NAMELESS, NAMELESS_2 } },
		/* the next one, while it drains */
		{ { XO_LEASE_DRAINING, A1, B1 }, B1, false, { 0 }, { XO_LEASE_DRAINING, A1, 0 } },
		{ { XO_LEASE_DRAINING, A1, B1 }, B1, false, { B2 }, { XO_LEASE_DRAINING, A1, B2 } },
		{ { XO_LEASE_PASSING, A1, A2 }, A2, false, { B1 }, { XO_LEASE_DRAINING, A1, B1 } },
		{ { XO_LEASE_PASSING, A1, A2 }, A2, false, { A3 }, { XO_LEASE_PASSING, A1, A3 } },
		/* the former holder, whose link was still there */
		{ { XO_LEASE_PASSING, A1, A2 }, A1, false, { A2 }, { XO_LEASE_PASSING, A1, A2 } },
		{ { XO_LEASE_DRAINING, A1, A2 }, A1, false, { A2 }, { XO_LEASE_DRAINING, A1, A2 } },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++) {
		const struct detach_case *c = &cases[i];
		struct xo_lease_link remain[4];
		struct xo_lease after;
		size_t count = 0;

		while (count < 4 && c->remain[count]) {
			remain[count] = links[c->remain[count]];
			count++;
		}
		after = xo_lease_detach(&c->before, by_id(c->before.holder), c->link, remain, count,
					c->resume);
		if (after.state != c->after.state || after.holder != c->after.holder ||
		    after.next != c->after.next)
			fail_msg("detach case %zu: %d %u %u", i, after.state, after.holder,
				 after.next);
	}
}

static void test_drained(void **state)
{
	static const struct xo_lease none = { XO_LEASE_NONE, 0, 0 };
	static const struct xo_lease held = { XO_LEASE_HELD, A1, 0 };
	static const struct xo_lease draining = { XO_LEASE_DRAINING, A1, 0 };
	static const struct xo_lease draining_to = { XO_LEASE_DRAINING, A1, B1 };
	static const struct xo_lease passing = { XO_LEASE_PASSING, A1, A2 };
	struct xo_lease after;

	(void)state;
	after = xo_lease_drained(&none);
	expect(&after, XO_LEASE_NONE, 0, 0);
	after = xo_lease_drained(&held);
	expect(&after, XO_LEASE_HELD, A1, 0);
	after = xo_lease_drained(&draining);
	expect(&after, XO_LEASE_NONE, 0, 0);
	after = xo_lease_drained(&draining_to);
	expect(&after, XO_LEASE_HELD, B1, 0);
	after = xo_lease_drained(&passing);
	expect(&after, XO_LEASE_HELD, A2, 0);
}

static void test_standing(void **state)
{
	static const struct xo_lease held = { XO_LEASE_HELD, A1, 0 };
	static const struct xo_lease draining = { XO_LEASE_DRAINING, A1, B1 };

	(void)state;
	assert_int_equal(xo_lease_standing(&held, A1), XO_STANDING_HELD);
	assert_int_equal(xo_lease_standing(&held, B1), XO_STANDING_WAITING);
	/* A holder that is being drained has it no more. */
	assert_int_equal(xo_lease_standing(&draining, A1), XO_STANDING_WAITING);
	assert_int_equal(xo_lease_standing(&draining, B1), XO_STANDING_NEXT);
	assert_int_equal(xo_lease_standing(&draining, B2), XO_STANDING_WAITING);
}

static void test_word(void **state)
{
	static const struct xo_lease good[] = {
		{ XO_LEASE_NONE, 0, 0 },
		{ XO_LEASE_HELD, 1, 0 },
		{ XO_LEASE_HELD, 0x7fffffff, 0 },
		{ XO_LEASE_DRAINING, 0x7fffffff, 1 },
		{ XO_LEASE_PASSING, 1, 0x7fffffff },
	};
	static const struct xo_lease bad[] = {
		{ XO_LEASE_NONE, 1, 0 },     { XO_LEASE_NONE, 0, 1 },
		{ XO_LEASE_HELD, 0, 0 },     { XO_LEASE_HELD, 1, 2 },
		{ XO_LEASE_DRAINING, 0, 0 }, { XO_LEASE_DRAINING, 3, 3 },
		{ XO_LEASE_PASSING, 0, 1 },
	};
	struct xo_lease lease;

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(good); i++) {
		assert_int_equal(xo_lease_unpack(xo_lease_pack(&good[i]), &lease), 0);
		expect(&lease, good[i].state, good[i].holder, good[i].next);
	}
	for (size_t i = 0; i < XO_ARRAY_SIZE(bad); i++)
		assert_int_equal(xo_lease_unpack(xo_lease_pack(&bad[i]), &lease), -EINVAL);
	/* A fresh ledger is a lease that nobody has. */
	assert_int_equal(xo_lease_unpack(0, &lease), 0);
	expect(&lease, XO_LEASE_NONE, 0, 0);
}

static void test_slots(void **state)
{
	static struct xo_slot_record slot;
	struct xo_link_request request = { .tag = 7, .kind = XO_LINK_COMMAND };

	(void)state;
	memset(&slot, 0xff, sizeof(slot));
	slot.state = XO_SLOT_FREE;
	assert_int_equal(xo_slot_judge(&slot, 1), XO_SLOT_NEW);
	xo_slot_accept(&slot, &request, 99);
	assert_int_equal(slot.state, XO_SLOT_ACCEPTED);
	assert_int_equal(slot.id, 99);
	assert_int_equal(slot.journal.progress, 0);
	assert_int_equal(slot.journal.io[0].hdr.duration, XO_SGIO_POISON);
	assert_int_equal(slot.journal.io[1].hdr.duration, XO_SGIO_POISON);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(xo_slot_judge(&slot, 6), XO_SLOT_STALE);
		assert_int_equal(xo_slot_judge(&slot, 7), XO_SLOT_RUNNING);
		assert_int_equal(xo_slot_judge(&slot, 8), XO_SLOT_CONFLICT);
		slot.state = XO_SLOT_ISSUED;
	}
	slot.state = XO_SLOT_DONE;
	assert_int_equal(xo_slot_judge(&slot, 6), XO_SLOT_STALE);
	assert_int_equal(xo_slot_judge(&slot, 7), XO_SLOT_KEPT);
	assert_int_equal(xo_slot_judge(&slot, 8), XO_SLOT_NEW);
	assert_int_equal(xo_slot_judge(&slot, UINT64_MAX), XO_SLOT_NEW);
}

static void test_journal(void **state)
{
	struct xo_journal journal;

	(void)state;
	memset(&journal, 0, sizeof(journal));
	xo_journal_reset(&journal);
	assert_ptr_equal(xo_journal_io(&journal), &journal.io[0]);
	journal.io[0].hdr.duration = 5;
	xo_journal_next(&journal, 0);
	/* The result of the step before stays until the one after the next. */
	assert_int_equal(journal.io[0].hdr.duration, 5);
	assert_ptr_equal(xo_journal_io(&journal), &journal.io[1]);
	assert_int_equal(journal.io[1].hdr.duration, XO_SGIO_POISON);
	journal.io[1].hdr.duration = 6;
	xo_journal_next(&journal, 1);
	assert_int_equal(journal.io[0].hdr.duration, XO_SGIO_POISON);
	assert_int_equal(xo_journal_step(&journal), 2);
	assert_int_equal(xo_journal_parts(&journal), 1);
}

/* Whoever is killed while a command is prepared leaves the poison: what the kernel will write is not touched. */
static void test_prepare(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xo_sgio *io =
		(struct xo_sgio *)(void *)(pages + page - offsetof(sg_io_hdr_t, status));
	const uint8_t cdb[10] = { 0x2a };
	uint8_t data[2048];

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	xo_sgio_reset(io);
	assert_int_equal(mprotect(pages + page, page, PROT_READ), 0);
	xo_sgio_prepare(io, cdb, sizeof(cdb), XO_DIR_OUT, data, sizeof(data), 600);
	assert_false(xo_sgio_done(io));
	assert_int_equal(io->hdr.interface_id, 'S');
	assert_int_equal(io->hdr.dxfer_direction, SG_DXFER_TO_DEV);
	assert_int_equal(io->hdr.dxfer_len, sizeof(data));
	assert_int_equal(io->hdr.timeout, 600000);
	assert_ptr_equal(io->hdr.sbp, io->sense);
	munmap(pages, 2 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),	cmocka_unit_test(test_detach),
		cmocka_unit_test(test_drained), cmocka_unit_test(test_standing),
		cmocka_unit_test(test_word),	cmocka_unit_test(test_slots),
		cmocka_unit_test(test_journal), cmocka_unit_test(test_prepare),
	};

	return cmocka_run_group_tests_name("lease and slots", tests, NULL, NULL);
}
