/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of packet commands is sound in itself, and the policy refuses what it says. */
#include <errno.h>
#include <linux/cdrom.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "mmc/cdb.h"
#include "mmc/policy.h"

#define PERMIT(name) (1u << XO_PERMIT_##name)
#define PERMIT_ALL (~0u)

/* SPC-4 4.2.5.1: the group code, bits 7-5, gives the length of a CDB. */
static unsigned group_length(uint8_t opcode)
{
	static const uint8_t length[8] = { 6, 10, 10, 0, 16, 12, 0, 0 };

	return length[opcode >> 5];
}

static void rows_are_sound(void **state)
{
	int previous = -1;

	(void)state;
	for (const struct xo_opcode *op = xo_opcode_next(NULL); op; op = xo_opcode_next(op)) {
		uint8_t cdb[XO_CDB_MAX] = { op->opcode };

		assert_true(op->opcode > previous);
		previous = op->opcode;
		assert_ptr_equal(op, xo_opcode_find(cdb, sizeof(cdb)));
		assert_true(xo_opcode_known(op));
		assert_int_equal(op->cdb_len, group_length(op->opcode));
		assert_true(op->lba.at + op->lba.width <= op->cdb_len);
		assert_true(op->timeout >= 240);
		if (op->rule != XO_LENGTH_FIXED)
			assert_true(op->length.at + op->length.width <= op->cdb_len);
		if (op->rule == XO_LENGTH_NONE)
			assert_int_equal(op->dir, XO_DIR_NONE);
		else if (op->rule != XO_LENGTH_ATA)
			assert_int_not_equal(op->dir, XO_DIR_NONE);
		/* Whatever writes to the medium is refused under mode=ro. */
		if (op->class == XO_CLASS_WRITE || op->class == XO_CLASS_MEDIUM)
			assert_int_not_equal(op->read_only, XO_RO_ALLOW);
		if (op->class == XO_CLASS_INFO || op->class == XO_CLASS_READ)
			assert_int_equal(op->read_only, XO_RO_ALLOW);
		if (op->class == XO_CLASS_WRITE)
			assert_int_equal(op->replay, XO_REPLAY_NWA);
		if (op->split)
			assert_true(op->lba.width || op->rule == XO_LENGTH_READ_CD_MSF);
		/* What may be asked at any time changes nothing, and what we answer ourselves is such. */
		if (op->quiet)
			assert_int_equal(op->class, XO_CLASS_INFO);
		if (op->own)
			assert_true(op->quiet && op->dir == XO_DIR_IN);
	}
}

/* The kernel's numbers, by the standard's name here and by its own there. */
static void numbers_are_the_kernels(void **state)
{
	static const struct {
		uint8_t opcode;
		const char *name;
	} kernel[] = {
		{ GPCMD_BLANK, "BLANK" },
		{ GPCMD_CLOSE_TRACK, "CLOSE TRACK SESSION" },
		{ GPCMD_FLUSH_CACHE, "SYNCHRONIZE CACHE" },
		{ GPCMD_FORMAT_UNIT, "FORMAT UNIT" },
		{ GPCMD_GET_CONFIGURATION, "GET CONFIGURATION" },
		{ GPCMD_GET_EVENT_STATUS_NOTIFICATION, "GET EVENT STATUS NOTIFICATION" },
		{ GPCMD_GET_PERFORMANCE, "GET PERFORMANCE" },
		{ GPCMD_INQUIRY, "INQUIRY" },
		{ GPCMD_LOAD_UNLOAD, "LOAD/UNLOAD MEDIUM" },
		{ GPCMD_MECHANISM_STATUS, "MECHANISM STATUS" },
		{ GPCMD_MODE_SELECT_10, "MODE SELECT(10)" },
		{ GPCMD_MODE_SENSE_10, "MODE SENSE(10)" },
		{ GPCMD_PAUSE_RESUME, "PAUSE/RESUME" },
		{ GPCMD_PLAY_AUDIO_10, "PLAY AUDIO(10)" },
		{ GPCMD_PLAY_AUDIO_MSF, "PLAY AUDIO MSF" },
		{ GPCMD_PLAY_AUDIO_TI, "PLAY AUDIO TRACK INDEX" },
		{ GPCMD_PLAY_CD, "PLAY CD" },
		{ GPCMD_PREVENT_ALLOW_MEDIUM_REMOVAL, "PREVENT ALLOW MEDIUM REMOVAL" },
		{ GPCMD_READ_10, "READ(10)" },
		{ GPCMD_READ_12, "READ(12)" },
		{ GPCMD_READ_BUFFER, "READ BUFFER" },
		{ GPCMD_READ_BUFFER_CAPACITY, "READ BUFFER CAPACITY" },
		{ GPCMD_READ_CDVD_CAPACITY, "READ CAPACITY" },
		{ GPCMD_READ_CD, "READ CD" },
		{ GPCMD_READ_CD_MSF, "READ CD MSF" },
		{ GPCMD_READ_DISC_INFO, "READ DISC INFORMATION" },
		{ GPCMD_READ_DVD_STRUCTURE, "READ DISC STRUCTURE" },
		{ GPCMD_READ_FORMAT_CAPACITIES, "READ FORMAT CAPACITIES" },
		{ GPCMD_READ_HEADER, "READ HEADER" },
		{ GPCMD_READ_TRACK_RZONE_INFO, "READ TRACK INFORMATION" },
		{ GPCMD_READ_SUBCHANNEL, "READ SUB-CHANNEL" },
		{ GPCMD_READ_TOC_PMA_ATIP, "READ TOC/PMA/ATIP" },
		{ GPCMD_REPAIR_RZONE_TRACK, "REPAIR TRACK" },
		{ GPCMD_REPORT_KEY, "REPORT KEY" },
		{ GPCMD_REQUEST_SENSE, "REQUEST SENSE" },
		{ GPCMD_RESERVE_RZONE_TRACK, "RESERVE TRACK" },
		{ GPCMD_SEND_CUE_SHEET, "SEND CUE SHEET" },
		{ GPCMD_SCAN, "SCAN" },
		{ GPCMD_SEEK, "SEEK(10)" },
		{ GPCMD_SEND_DVD_STRUCTURE, "SEND DISC STRUCTURE" },
		{ GPCMD_SEND_KEY, "SEND KEY" },
		{ GPCMD_SEND_OPC, "SEND OPC INFORMATION" },
		{ GPCMD_SET_READ_AHEAD, "SET READ AHEAD" },
		{ GPCMD_SET_SPEED, "SET CD SPEED" },
		{ GPCMD_SET_STREAMING, "SET STREAMING" },
		{ GPCMD_START_STOP_UNIT, "START STOP UNIT" },
		{ GPCMD_STOP_PLAY_SCAN, "STOP PLAY/SCAN" },
		{ GPCMD_TEST_UNIT_READY, "TEST UNIT READY" },
		{ GPCMD_VERIFY_10, "VERIFY(10)" },
		{ GPCMD_WRITE_10, "WRITE(10)" },
		{ GPCMD_WRITE_12, "WRITE(12)" },
		{ GPCMD_WRITE_AND_VERIFY_10, "WRITE AND VERIFY(10)" },
		{ GPCMD_WRITE_BUFFER, "WRITE BUFFER" },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(kernel); i++)
		assert_string_equal(xo_opcode_find(&kernel[i].opcode, 1)->name, kernel[i].name);
}

static void unknown_opcodes_have_a_row(void **state)
{
	const uint8_t vendor = 0xd8, unknown = 0x02, variable = 0x7f;

	(void)state;
	assert_string_equal("vendor specific", xo_opcode_find(&vendor, 1)->name);
	assert_string_equal("unknown", xo_opcode_find(&unknown, 1)->name);
	assert_string_equal("unknown", xo_opcode_find(&variable, 1)->name);
	assert_string_equal("unknown", xo_opcode_find(NULL, 0)->name);
	assert_false(xo_opcode_known(xo_opcode_find(&vendor, 1)));
}

static void long_commands_have_time(void **state)
{
	static const struct {
		uint8_t opcode;
		uint32_t seconds; /* that burning programs ask for (traces) */
	} wanted[] = {
		{ XO_OP_BLANK, 18000 },
		{ XO_OP_FORMAT_UNIT, 18000 },
		{ XO_OP_CLOSE_TRACK_SESSION, 1000 },
		{ XO_OP_SYNCHRONIZE_CACHE, 3600 },
		{ XO_OP_WRITE_10, 240 },
		{ XO_OP_READ_DISC_STRUCTURE, 240 },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(wanted); i++) {
		const uint8_t cdb[12] = { wanted[i].opcode };

		assert_true(xo_cdb_timeout(cdb, sizeof(cdb)) >= wanted[i].seconds);
	}
}

static void immediate_commands_do_not_block(void **state)
{
	const uint8_t blank[12] = { XO_OP_BLANK, 0x01 }, blank_immed[12] = { XO_OP_BLANK, 0x11 };
	const uint8_t sync[10] = { XO_OP_SYNCHRONIZE_CACHE };
	const uint8_t sync_immed[10] = { XO_OP_SYNCHRONIZE_CACHE, 0x02 };
	const uint8_t ready[6] = { 0 };

	(void)state;
	assert_true(xo_cdb_may_block(blank, sizeof(blank)));
	assert_false(xo_cdb_may_block(blank_immed, sizeof(blank_immed)));
	assert_true(xo_cdb_may_block(sync, sizeof(sync)));
	assert_false(xo_cdb_may_block(sync_immed, sizeof(sync_immed)));
	assert_false(xo_cdb_may_block(ready, sizeof(ready)));
}

/* A CDB, and which single permission it needs (ALWAYS: none), with the sense if it lacks it. */
struct judged {
	uint8_t cdb[XO_CDB_MAX];
	enum xo_permission needs;
	uint32_t kcq;
};

static size_t length_of(const uint8_t *cdb)
{
	unsigned len = xo_opcode_find(cdb, XO_CDB_MAX)->cdb_len;

	return len ? len : 12;
}

static const struct judged judged[] = {
	{ { XO_OP_TEST_UNIT_READY }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_READ_CD, 0x04 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_WRITE_BUFFER, 0x00 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_WRITE_BUFFER, 0x02 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_WRITE_BUFFER, 0x0a }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_WRITE_BUFFER, 0x01 }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x04 }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x05 }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x06 }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x07 }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x0d }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x0e }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x0f }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	/* The upper bits, once the LUN, do not hide a mode. */
	{ { XO_OP_WRITE_BUFFER, 0xe5 }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_WRITE_BUFFER, 0x1f }, XO_PERMIT_MICROCODE, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_SEND_KEY, [10] = 0x01 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_SEND_KEY, [10] = 0x3f }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_SEND_KEY, [10] = 0x06 }, XO_PERMIT_REGION, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_SEND_KEY, [10] = 0xc6 }, XO_PERMIT_REGION, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_REPORT_KEY, [10] = 0x08 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_PREVENT_ALLOW, [4] = 0x01 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_PREVENT_ALLOW, [4] = 0x03 },
	  XO_PERMIT_PERSISTENT_PREVENT,
	  XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_MODE_SELECT_10, 0x10 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_MODE_SELECT_10, 0x11 }, XO_PERMIT_SAVE_PAGES, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_MODE_SELECT_6, 0x11 }, XO_PERMIT_SAVE_PAGES, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_LOG_SELECT, 0x01 }, XO_PERMIT_SAVE_PAGES, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_SEND_DIAGNOSTIC, 0x04 }, XO_PERMIT_ALWAYS, 0 },
	{ { XO_OP_SEND_DIAGNOSTIC, 0xc0 }, XO_PERMIT_DIAGNOSTIC, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_SEND_DIAGNOSTIC, 0x10, [4] = 8 },
	  XO_PERMIT_DIAGNOSTIC,
	  XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_PERSISTENT_RESERVE_OUT }, XO_PERMIT_PERSISTENT_RESERVE, XO_SENSE_INVALID_OPCODE },
	{ { XO_OP_SECURITY_PROTOCOL_OUT }, XO_PERMIT_SECURITY, XO_SENSE_INVALID_OPCODE },
	{ { XO_OP_ATA_PASS_THROUGH_16, 0x08 }, XO_PERMIT_ATA, XO_SENSE_INVALID_OPCODE },
	{ { XO_OP_BLANK, 0x11 }, XO_PERMIT_ALWAYS, 0 },
	/* ATA PASS-THROUGH(12): IDENTIFY PACKET DEVICE, by PIO and without data. */
	{ { XO_OP_BLANK, 0x08, [9] = 0xa1 }, XO_PERMIT_ATA, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { XO_OP_BLANK, 0x06, [9] = 0xe5 }, XO_PERMIT_ATA, XO_SENSE_INVALID_FIELD_IN_CDB },
	{ { 0xc0 }, XO_PERMIT_VENDOR, XO_SENSE_INVALID_OPCODE },
	{ { 0xd8 }, XO_PERMIT_VENDOR, XO_SENSE_INVALID_OPCODE },
	{ { 0xff }, XO_PERMIT_VENDOR, XO_SENSE_INVALID_OPCODE },
	{ { 0x02 }, XO_PERMIT_UNKNOWN, XO_SENSE_INVALID_OPCODE },
	{ { 0x7f }, XO_PERMIT_UNKNOWN, XO_SENSE_INVALID_OPCODE },
};

static void dangerous_commands_need_permission(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(judged); i++) {
		const struct judged *j = &judged[i];
		const struct xo_policy none = { 0 }, all = { .permit = PERMIT_ALL };
		const struct xo_policy others = { .permit = ~(1u << j->needs) };
		const struct xo_policy just = { .permit = 1u << j->needs };
		struct xo_refusal why;
		size_t len = length_of(j->cdb);

		assert_int_equal(XO_ALLOW, xo_policy_judge(&all, j->cdb, len, &why));
		assert_int_equal(XO_ALLOW, xo_policy_judge(&just, j->cdb, len, &why));
		if (j->needs == XO_PERMIT_ALWAYS) {
			assert_int_equal(XO_ALLOW, xo_policy_judge(&none, j->cdb, len, &why));
			continue;
		}
		assert_int_equal(XO_REFUSE, xo_policy_judge(&others, j->cdb, len, &why));
		assert_int_equal(XO_REFUSE, xo_policy_judge(&none, j->cdb, len, &why));
		assert_int_equal(j->needs, why.permission);
		assert_int_equal(j->kcq, xo_sense_kcq(&why.sense));
		assert_non_null(strstr(why.reason, xo_permission_name(j->needs)));
	}
}

static void read_only_refuses_what_writes(void **state)
{
	const struct xo_policy ro = { .permit = PERMIT_ALL, .read_only = true };
	const uint8_t write[10] = { XO_OP_WRITE_10 }, blank[12] = { XO_OP_BLANK };
	const uint8_t cue[10] = { XO_OP_SEND_CUE_SHEET }, vendor[12] = { 0xd8 };
	const uint8_t read[10] = { XO_OP_READ_10 }, sync[10] = { XO_OP_SYNCHRONIZE_CACHE };
	struct xo_refusal why;

	(void)state;
	assert_int_equal(XO_REFUSE, xo_policy_judge(&ro, write, sizeof(write), &why));
	assert_int_equal(XO_SENSE_WRITE_PROTECTED, xo_sense_kcq(&why.sense));
	assert_string_equal("mode=ro", why.reason);
	assert_int_equal(XO_REFUSE, xo_policy_judge(&ro, blank, sizeof(blank), &why));
	assert_int_equal(XO_SENSE_WRITE_PROTECTED, xo_sense_kcq(&why.sense));
	assert_int_equal(XO_REFUSE, xo_policy_judge(&ro, cue, sizeof(cue), &why));
	assert_int_equal(XO_SENSE_INVALID_OPCODE, xo_sense_kcq(&why.sense));
	assert_int_equal(XO_REFUSE, xo_policy_judge(&ro, vendor, sizeof(vendor), &why));
	assert_int_equal(XO_ALLOW, xo_policy_judge(&ro, read, sizeof(read), &why));
	assert_int_equal(XO_ALLOW, xo_policy_judge(&ro, sync, sizeof(sync), &why));
	assert_true(xo_cdb_writes(write, sizeof(write)));
	assert_false(xo_cdb_writes(read, sizeof(read)));
}

static void malformed_cdbs_are_refused(void **state)
{
	const struct xo_policy all = { .permit = PERMIT_ALL };
	const uint8_t cdb[XO_CDB_MAX + 1] = { XO_OP_READ_10 };
	struct xo_refusal why;

	(void)state;
	assert_int_equal(XO_REFUSE, xo_policy_judge(&all, cdb, 0, &why));
	assert_int_equal(XO_REFUSE, xo_policy_judge(&all, cdb, 9, &why));
	assert_int_equal(XO_SENSE_INVALID_FIELD_IN_CDB, xo_sense_kcq(&why.sense));
	assert_int_equal(XO_REFUSE, xo_policy_judge(&all, cdb, XO_CDB_MAX + 1, &why));
	/* ATAPI and many programs send twelve bytes for every command. */
	assert_int_equal(XO_ALLOW, xo_policy_judge(&all, cdb, 12, &why));
	assert_int_equal(XO_ALLOW, xo_policy_judge(&all, cdb, 16, &why));
}

static void permissions_are_parsed(void **state)
{
	const char *bad = NULL;
	uint32_t permit = 0;
	size_t len = 0;

	(void)state;
	assert_int_equal(0, xo_permission_parse("", &permit, &bad, &len));
	assert_int_equal(0, permit);
	assert_int_equal(0,
			 xo_permission_parse(" region,vendor\tmicrocode ,", &permit, &bad, &len));
	assert_int_equal(PERMIT(REGION) | PERMIT(VENDOR) | PERMIT(MICROCODE), permit);
	assert_int_equal(-EINVAL, xo_permission_parse("region,vendors", &permit, &bad, &len));
	assert_string_equal("vendors", bad);
	assert_int_equal(7, len);
	/* "always" is no permission that one could give. */
	assert_int_equal(-EINVAL, xo_permission_parse("always", &permit, &bad, &len));
	for (unsigned i = XO_PERMIT_ALWAYS + 1; i < XO_PERMIT_COUNT; i++) {
		const char *name = xo_permission_name((enum xo_permission)i);

		assert_int_equal(0, xo_permission_parse(name, &permit, &bad, &len));
		assert_int_equal(1u << i, permit);
		assert_true(strlen(xo_permission_text((enum xo_permission)i)) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(numbers_are_the_kernels),
		cmocka_unit_test(unknown_opcodes_have_a_row),
		cmocka_unit_test(long_commands_have_time),
		cmocka_unit_test(immediate_commands_do_not_block),
		cmocka_unit_test(dangerous_commands_need_permission),
		cmocka_unit_test(read_only_refuses_what_writes),
		cmocka_unit_test(malformed_cdbs_are_refused),
		cmocka_unit_test(permissions_are_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
