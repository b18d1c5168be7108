/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A drive that is lent to a unit: what goes to it directly, in which order, and what becomes of it after a death. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "mmc/cdb.h"
#include "ring_expect.h"

enum { TO_DEVICE = 1, FROM_DEVICE = 2, NO_DATA = 3 };

#define BYTES 4096u
#define LIMIT 65536u

static void lend(struct rig *rig)
{
	xo_ring_lend(&rig->ring, &rig->ring.luns[0], open("/dev/null", O_RDWR | O_CLOEXEC), LIMIT);
}

static struct rig *lent(void)
{
	struct rig *rig = rig_new(1);

	assert_int_equal(rig_start(rig), 0);
	rig_settle(rig);
	lend(rig);
	return rig;
}

static void put_in(struct rig *rig, uint16_t rqid, uint8_t opcode, uint32_t bytes)
{
	uint8_t cdb[12] = { opcode };
	bool write = opcode == XO_OP_WRITE_10;
	uint8_t length = (uint8_t)xo_opcode_find(cdb, sizeof(cdb))->cdb_len;

	if (opcode == XO_OP_READ_10 || write)
		xo_put_be16(cdb + 7, bytes / 2048);
	if (opcode == XO_OP_GET_EVENT_STATUS)
		cdb[8] = (uint8_t)bytes;
	rig_command(rig, rqid, cdb, length,
		    !bytes  ? NO_DATA
		    : write ? TO_DEVICE
			    : FROM_DEVICE,
		    2, bytes);
	rig_push(rig);
}

static void put(struct rig *rig, uint16_t rqid, uint8_t opcode, uint32_t bytes)
{
	put_in(rig, rqid, opcode, bytes);
	assert_int_equal(xo_ring_serve(&rig->ring), XO_RING_SERVED);
}

static struct xo_ring_entry *next(struct rig *rig)
{
	struct xo_ring_lun *lun;

	return xo_ring_direct_next(&rig->ring, &lun);
}

/* The drive has done the command, as the kernel writes it. */
static void carry_out(struct rig *rig, struct xo_ring_entry *entry, uint8_t status)
{
	uint8_t *data = xo_link_data(&rig->ring.luns[0].link,
				     (unsigned int)(entry - rig->ring.ledger->entries));

	if (entry->direction == XO_DIR_IN && !status)
		for (uint32_t i = 0; i < entry->length; i++)
			data[i] = rig_pattern(i);
	entry->io.hdr = (sg_io_hdr_t){
		.status = status,
		.resid = status ? (int)entry->length : 0,
		.sb_len_wr = status ? 18 : 0,
	};
	memset(entry->io.sense, 0x70, 18);
}

static void drive_does(struct rig *rig, uint8_t status)
{
	struct xo_ring_lun *lun;
	struct xo_ring_entry *entry = xo_ring_direct_next(&rig->ring, &lun);

	assert_non_null(entry);
	carry_out(rig, entry, status);
	xo_ring_direct_done(&rig->ring, lun, entry, 0);
	xo_ring_publish(&rig->ring);
}

/* The drive's process has been told of the write session: by a first WRITE. */
static void begin_writing(struct rig *rig)
{
	put(rig, 100, XO_OP_WRITE_10, BYTES);
	assert_null(next(rig));
	rig_settle(rig);
	rig_expect(rig, 100, 0);
}

static void test_goes_directly(void **state)
{
	struct vscsiif_response response;
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_TEST_UNIT_READY, 0);
	put(rig, 2, XO_OP_READ_10, BYTES);
	assert_int_equal(rig->world->queued, 0);
	rig_expect_none(rig);
	drive_does(rig, 0);
	rig_expect(rig, 1, 0);
	drive_does(rig, 0);
	rig_expect(rig, 2, 0);
	for (uint32_t i = 0; i < BYTES; i++)
		assert_int_equal(rig->world->pages[2][i], rig_pattern(i));
	put(rig, 3, XO_OP_READ_10, BYTES);
	drive_does(rig, 2);
	assert_true(rig_response(rig, &response));
	assert_int_equal(response.rslt, 2);
	assert_int_equal(response.sense_len, 18);
	assert_int_equal(response.residual_len, BYTES);
	assert_null(next(rig));
	assert_int_equal(rig->world->drives[0].executed, 0);
	rig_free(rig);
}

/* Others go by the drive's process, and nothing overtakes anything. */
static void test_order(void **state)
{
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_READ_10, BYTES);
	put(rig, 2, XO_OP_GET_EVENT_STATUS, 8);
	put(rig, 3, XO_OP_TEST_UNIT_READY, 0);
	assert_int_equal(rig->world->queued, 0);
	drive_does(rig, 0);
	rig_expect(rig, 1, 0);
	/* The second is with the drive's process now; what goes directly waits for its answer. */
	assert_null(next(rig));
	assert_int_equal(rig->world->queued, 1);
	put(rig, 4, XO_OP_READ_10, BYTES);
	assert_null(next(rig));
	rig_settle(rig);
	rig_expect(rig, 2, 0);
	rig_expect_none(rig);
	for (uint16_t i = 3; i <= 4; i++) {
		drive_does(rig, 0);
		rig_expect(rig, i, 0);
	}
	put(rig, 5, XO_OP_READ_10, BYTES);
	drive_does(rig, 0);
	rig_expect(rig, 5, 0);
	/* More than the drive takes at once. */
	put(rig, 6, XO_OP_READ_10, LIMIT + 2048);
	assert_null(next(rig));
	rig_settle(rig);
	rig_expect(rig, 6, 0);
	rig_free(rig);
}

static void test_writes_are_noted_first(void **state)
{
	struct rig *rig = lent();

	(void)state;
	begin_writing(rig);
	put(rig, 1, XO_OP_WRITE_10, BYTES);
	put(rig, 2, XO_OP_READ_10, BYTES);
	put(rig, 3, XO_OP_WRITE_10, BYTES);
	for (uint16_t i = 1; i <= 3; i++) {
		drive_does(rig, 0);
		rig_expect(rig, i, 0);
	}
	/* It may have ended the session. */
	put(rig, 4, XO_OP_SYNCHRONIZE_CACHE, 0);
	rig_settle(rig);
	rig_expect(rig, 4, 0);
	begin_writing(rig);
	put(rig, 5, XO_OP_WRITE_10, BYTES);
	drive_does(rig, 0);
	rig_expect(rig, 5, 0);
	/* Nor does one whose answer comes when the end of its session is on its way already. */
	put(rig, 8, XO_OP_SYNCHRONIZE_CACHE, 0);
	rig_settle(rig);
	rig_expect(rig, 8, 0);
	put(rig, 9, XO_OP_WRITE_10, BYTES);
	put(rig, 10, XO_OP_SYNCHRONIZE_CACHE, 0);
	assert_int_equal(rig->world->queued, 2);
	rig_settle(rig);
	rig_expect(rig, 9, 0);
	rig_expect(rig, 10, 0);
	begin_writing(rig);
	/* One that fails begins nothing. */
	put(rig, 6, XO_OP_SYNCHRONIZE_CACHE, 0);
	rig_settle(rig);
	rig_expect(rig, 6, 0);
	rig->world->drives[0].status = 2;
	put(rig, 7, XO_OP_WRITE_10, BYTES);
	rig_settle(rig);
	rig_expect(rig, 7, 2);
	rig->world->drives[0].status = 0;
	begin_writing(rig);
	rig_free(rig);
}

/* Nor does a WRITE of before the loan: the end of its session may have been on its way already. */
static void test_writes_before_the_loan(void **state)
{
	struct rig *rig = rig_new(1);

	(void)state;
	assert_int_equal(rig_start(rig), 0);
	rig_settle(rig);
	put(rig, 1, XO_OP_WRITE_10, BYTES);
	put(rig, 2, XO_OP_SYNCHRONIZE_CACHE, 0);
	assert_int_equal(rig->world->queued, 2);
	lend(rig);
	rig_settle(rig);
	rig_expect(rig, 1, 0);
	rig_expect(rig, 2, 0);
	begin_writing(rig);
	put(rig, 3, XO_OP_WRITE_10, BYTES);
	drive_does(rig, 0);
	rig_expect(rig, 3, 0);
	rig_free(rig);
}

/* Whether the guest is to ring the bell for its next request. */
static bool event_wanted(const struct rig *rig)
{
	return rig->world->shared.sring.req_event == rig->ring.back.req_cons + 1;
}

static void test_no_event_while_commands_wait(void **state)
{
	struct rig *rig = lent();

	(void)state;
	put_in(rig, 1, XO_OP_TEST_UNIT_READY, 0);
	assert_int_equal(xo_ring_serve_on(&rig->ring), XO_RING_UNASKED);
	assert_false(event_wanted(rig));
	put_in(rig, 2, XO_OP_READ_10, BYTES);
	assert_int_equal(xo_ring_serve_on(&rig->ring), XO_RING_UNASKED);
	drive_does(rig, 0);
	rig_expect(rig, 1, 0);
	assert_int_equal(xo_ring_serve_on(&rig->ring), XO_RING_UNASKED);
	drive_does(rig, 0);
	rig_expect(rig, 2, 0);
	assert_false(event_wanted(rig));
	assert_true(xo_ring_ask(&rig->ring));
	assert_true(event_wanted(rig));
	put_in(rig, 6, XO_OP_TEST_UNIT_READY, 0);
	assert_false(xo_ring_ask(&rig->ring));
	assert_int_equal(xo_ring_serve_on(&rig->ring), XO_RING_UNASKED);
	drive_does(rig, 0);
	rig_expect(rig, 6, 0);
	assert_int_equal(xo_ring_serve_on(&rig->ring), XO_RING_IDLE);
	assert_true(event_wanted(rig));
	/* Nor does one that goes by the drive's process keep it from being asked for. */
	put_in(rig, 3, XO_OP_SYNCHRONIZE_CACHE, 0);
	assert_int_equal(xo_ring_serve_on(&rig->ring), XO_RING_SERVED);
	assert_true(event_wanted(rig));
	rig_settle(rig);
	rig_expect(rig, 3, 0);
	/* While another thread is in the drive the host asks at once. */
	put(rig, 4, XO_OP_READ_10, BYTES);
	assert_non_null(next(rig));
	assert_true(event_wanted(rig));
	drive_does(rig, 0);
	rig_expect(rig, 4, 0);
	rig->ring.stopped = true;
	put_in(rig, 5, XO_OP_READ_10, BYTES);
	assert_true(xo_ring_ask(&rig->ring));
	assert_int_equal(xo_ring_serve_on(&rig->ring), XO_RING_IDLE);
	rig_free(rig);
}

/* A drive that is gone, or a descriptor that is refused: the drive's process is asked, in the guest's order. */
static void test_refused(void **state)
{
	static const int errors[] = { -ENODEV, -EPERM };

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(errors); i++) {
		struct rig *rig = lent();
		struct xo_ring_lun *lun = &rig->ring.luns[0];

		put(rig, 1, XO_OP_READ_10, BYTES);
		put(rig, 2, XO_OP_READ_10, BYTES);
		put(rig, 3, XO_OP_GET_EVENT_STATUS, 8);
		xo_ring_direct_done(&rig->ring, lun, next(rig), errors[i]);
		assert_null(next(rig));
		assert_false(lun->lent);
		assert_int_equal(rig->world->queued, 3);
		rig_settle(rig);
		for (uint16_t n = 1; n <= 3; n++)
			rig_expect(rig, n, 0);
		assert_int_equal(rig->world->drives[0].executed, 3);
		rig_free(rig);
	}
}

/* Busy is the guest's to repeat. */
static void test_busy(void **state)
{
	struct rig *rig = lent();
	struct xo_ring_lun *lun = &rig->ring.luns[0];

	(void)state;
	put(rig, 1, XO_OP_READ_10, BYTES);
	xo_ring_direct_done(&rig->ring, lun, next(rig), -EBUSY);
	xo_ring_publish(&rig->ring);
	rig_expect(rig, 1, XO_RING_RSLT_HOST(XO_TRANSPORT_BUSY));
	assert_true(lun->lent);
	rig_free(rig);
}

static void test_recall(void **state)
{
	struct rig *rig = lent();
	struct xo_ring_lun *lun = &rig->ring.luns[0];

	(void)state;
	put(rig, 1, XO_OP_READ_10, BYTES);
	xo_ring_recall(lun);
	assert_true(lun->lent);
	put(rig, 2, XO_OP_READ_10, BYTES);
	drive_does(rig, 0);
	rig_expect(rig, 1, 0);
	assert_false(lun->lent);
	assert_null(next(rig));
	rig_settle(rig);
	rig_expect(rig, 2, 0);
	lend(rig);
	xo_ring_recall(lun);
	assert_false(lun->lent);
	rig_free(rig);
}

/* ABORT of a command that the drive has: answered after it, as by the drive's process. */
static void test_abort(void **state)
{
	struct vscsiif_request *request;
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_READ_10, BYTES);
	request = rig_request(rig);
	request->rqid = 2;
	request->act = VSCSIIF_ACT_SCSI_ABORT;
	request->ref_rqid = 1;
	rig_push(rig);
	xo_ring_serve(&rig->ring);
	rig_expect_none(rig);
	drive_does(rig, 0);
	rig_expect(rig, 1, 0);
	rig_expect(rig, 2, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	rig_free(rig);
}

static void task(struct rig *rig, uint16_t rqid, uint8_t act, uint16_t victim)
{
	struct vscsiif_request *request = rig_request(rig);

	request->rqid = rqid;
	request->act = act;
	request->ref_rqid = victim;
	rig_push(rig);
	xo_ring_serve(&rig->ring);
}

/* What waits is aborted and reset without the drive's hearing of it, and nothing else is. */
static void test_waiting_are_aborted(void **state)
{
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_READ_10, BYTES);
	put(rig, 2, XO_OP_GET_EVENT_STATUS, 8);
	put(rig, 3, XO_OP_WRITE_10, BYTES);
	put(rig, 4, XO_OP_READ_10, BYTES);
	task(rig, 5, VSCSIIF_ACT_SCSI_ABORT, 3);
	rig_expect(rig, 3, XO_RING_RSLT_HOST(XO_TRANSPORT_ABORTED));
	rig_expect(rig, 5, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	rig_expect_none(rig);
	task(rig, 6, VSCSIIF_ACT_SCSI_RESET, 0);
	rig_expect(rig, 2, XO_RING_RSLT_HOST(XO_TRANSPORT_RESET));
	rig_expect(rig, 4, XO_RING_RSLT_HOST(XO_TRANSPORT_RESET));
	put(rig, 7, XO_OP_READ_10, BYTES);
	rig_expect_none(rig);
	assert_int_equal(rig->world->queued, 0);
	drive_does(rig, 0);
	rig_expect(rig, 1, 0);
	assert_int_equal(rig->world->queued, 1); /* the RESET */
	assert_null(next(rig));
	rig_settle(rig);
	rig_expect(rig, 6, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	drive_does(rig, 0);
	rig_expect(rig, 7, 0);
	assert_int_equal(rig->world->drives[0].executed, 0);
	rig_free(rig);
}

/* One that is with the drive's process is aborted there, past those that wait. */
static void test_abort_by_link(void **state)
{
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_GET_EVENT_STATUS, 8);
	put(rig, 2, XO_OP_READ_10, BYTES);
	assert_int_equal(rig->world->queued, 1);
	task(rig, 3, VSCSIIF_ACT_SCSI_ABORT, 1);
	assert_int_equal(rig->world->queued, 2);
	rig_settle(rig);
	rig_expect(rig, 1, 0);
	rig_expect(rig, 3, XEN_VSCSIIF_RSLT_RESET_SUCCESS);
	drive_does(rig, 0);
	rig_expect(rig, 2, 0);
	rig_free(rig);
}

/* The link breaks: what waits is answered with what is with the drive's process. */
static void test_link_lost(void **state)
{
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_GET_EVENT_STATUS, 8);
	put(rig, 2, XO_OP_READ_10, BYTES);
	xo_ring_link_lost(&rig->ring, &rig->ring.luns[0], "test");
	xo_ring_publish(&rig->ring);
	for (uint16_t i = 1; i <= 2; i++)
		rig_expect(rig, i, XO_RING_RSLT_HOST(XEN_VSCSIIF_RSLT_HOST_NO_CONNECT));
	rig_free(rig);
}

/* A successor gives the answer that is there, and has the rest carried out once. */
static void test_successor(void **state)
{
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_READ_10, BYTES);
	put(rig, 2, XO_OP_READ_10, BYTES);
	put(rig, 3, XO_OP_GET_EVENT_STATUS, 8);
	carry_out(rig, next(rig), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_false(rig->ring.luns[0].lent);
	rig_expect(rig, 1, 0);
	for (uint32_t i = 0; i < BYTES; i++)
		assert_int_equal(rig->world->pages[2][i], rig_pattern(i));
	rig_settle(rig);
	rig_expect(rig, 2, 0);
	rig_expect(rig, 3, 0);
	assert_int_equal(rig->world->drives[0].executed, 2);
	rig_free(rig);
}

/* What waits for the drive may be older than all that the ring has room for: its claim is the ledger's alone. */
static void test_successor_finds_what_waited_long(void **state)
{
	static const uint8_t ready[6] = { XO_OP_TEST_UNIT_READY };
	struct rig *rig = lent();

	(void)state;
	put(rig, 1, XO_OP_TEST_UNIT_READY, 0);
	put(rig, 2, XO_OP_GET_EVENT_STATUS, 8);
	for (uint16_t i = 0; i < 2 * 16; i++) {
		/* Another unit's, answered at once. */
		rig_command(rig, (uint16_t)(10 + i), ready, 6, NO_DATA, 2, 0)->id = 1;
		rig_push(rig);
		xo_ring_serve(&rig->ring);
		rig_settle(rig);
		rig_expect(rig, (uint16_t)(10 + i), 0);
	}
	assert_int_equal(xo_ring_in_flight(&rig->ring), 2);
	assert_int_equal(rig_start(rig), 0);
	rig_settle(rig);
	rig_expect(rig, 1, 0);
	rig_expect(rig, 2, 0);
	assert_int_equal(xo_ring_in_flight(&rig->ring), 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_directly),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_writes_are_noted_first),
		cmocka_unit_test(test_writes_before_the_loan),
		cmocka_unit_test(test_no_event_while_commands_wait),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_recall),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_waiting_are_aborted),
		cmocka_unit_test(test_abort_by_link),
		cmocka_unit_test(test_link_lost),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_successor_finds_what_waited_long),
	};

	xo_log_open("test", XO_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
