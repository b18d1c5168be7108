/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of an SG_IO's result, as the journal of a killed process holds it: nothing reaches a device here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "journal.h"
#include "stack.h"

#define DID_NO_CONNECT 1
#define DID_TIME_OUT 3
#define DRIVER_TIMEOUT 6
#define DRIVER_SENSE 8
#define LENGTH 20

/* The command after the kernel wrote that about it. */
static struct xo_command after(const sg_io_hdr_t *hdr)
{
	const struct xo_device none = { .fd = -1, .path = "test" };
	struct xo_journal journal = { 0 };
	struct xo_command command = {
		.cdb = { 0x43, [8] = LENGTH },
		.cdb_length = 10,
		.direction = XO_DIR_IN,
		.length = LENGTH,
		.journal = &journal,
	};
	struct xo_unit *unit;

	journal.io[0].hdr = *hdr;
	memset(journal.io[0].sense, 0x70, sizeof(journal.io[0].sense));
	assert_int_equal(xo_passthrough_new(&unit, &none), 0);
	xo_unit_execute(unit, &command);
	unit->ops->free(unit);
	command.journal = NULL;
	return command;
}

static void residuals_stay_in_their_range(void **state)
{
	static const struct {
		int says;
		uint32_t is;
	} rows[] = {
		{ 0, 0 },	    { 2, 2 },	      { LENGTH, LENGTH },
		{ LENGTH + 14, 0 }, /* the drive had more: nothing of this is missing */
		{ -1, 0 },	    { INT32_MAX, 0 }, { INT32_MIN, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(after(&(sg_io_hdr_t){ .resid = rows[i].says }).residual,
				 rows[i].is);
}

static void sense_stays_in_its_room(void **state)
{
	struct xo_command c;

	(void)state;
	c = after(&(sg_io_hdr_t){
		.status = 2, .driver_status = DRIVER_SENSE, .sb_len_wr = 18, .resid = LENGTH });
	assert_int_equal(c.transport, XO_TRANSPORT_OK);
	assert_int_equal(c.status, 2);
	assert_int_equal(c.sense_length, 18);
	c = after(&(sg_io_hdr_t){ .status = 2, .sb_len_wr = 255 });
	assert_int_equal(c.sense_length, XO_SENSE_MAX);
}

static void host_and_driver_go_before_the_status(void **state)
{
	(void)state;
	assert_int_equal(after(&(sg_io_hdr_t){ .host_status = DID_TIME_OUT }).transport,
			 XO_TRANSPORT_TIMEOUT);
	assert_int_equal(after(&(sg_io_hdr_t){ .driver_status = DRIVER_TIMEOUT }).transport,
			 XO_TRANSPORT_TIMEOUT);
	assert_int_equal(after(&(sg_io_hdr_t){ .host_status = 0xffff }).transport,
			 XO_TRANSPORT_ERROR);
	/* A drive that is gone looks empty first. */
	assert_int_equal(after(&(sg_io_hdr_t){ .host_status = DID_NO_CONNECT }).status, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(residuals_stay_in_their_range),
		cmocka_unit_test(sense_stays_in_its_room),
		cmocka_unit_test(host_and_driver_go_before_the_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
