/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters of a drive over a bottom that only notes what reaches it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/loop.h"
#include "stack.h"

#define LOG_MAX 128

struct bottom {
	struct xo_unit unit;
	unsigned int count;
	struct xo_command log[LOG_MAX];
	uint32_t kcq[LOG_MAX]; /* what the Nth command gets */
	uint32_t residual[LOG_MAX];
	uint8_t answer[64];
	unsigned int released;
};

static void bottom_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct bottom *bottom = (struct bottom *)unit;
	unsigned int n = bottom->count++;

	assert_true(n < LOG_MAX);
	bottom->log[n] = *command;
	if (bottom->kcq[n]) {
		xo_command_check(command, bottom->kcq[n]);
		return;
	}
	if (command->direction == XO_DIR_IN)
		memcpy(command->data, bottom->answer,
		       XO_MIN(command->length, sizeof(bottom->answer)));
	xo_command_good(command, command->length - bottom->residual[n]);
}

static void bottom_release(struct xo_unit *unit)
{
	((struct bottom *)unit)->released++;
}

static void bottom_free(struct xo_unit *unit)
{
	(void)unit;
}

static const struct xo_unit_ops bottom_ops = {
	.name = "bottom",
	.execute = bottom_execute,
	.release = bottom_release,
	.free = bottom_free,
};

static struct bottom bottom;
static struct xo_drive_record record;
static struct xo_unit *top;
static uint8_t data[1 << 20];
static struct xo_journal journal;
static uint64_t last_id;

static int setup(void **state)
{
	(void)state;
	memset(&bottom, 0, sizeof(bottom));
	memset(&record, 0, sizeof(record));
	bottom.unit.ops = &bottom_ops;
	top = &bottom.unit;
	last_id = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	xo_unit_free(top);
	return 0;
}

static struct xo_command make(const uint8_t *cdb, size_t length, enum xo_direction direction,
			      uint32_t bytes)
{
	struct xo_command command;

	memset(&command, 0xff, sizeof(command)); /* what a filter does not set is seen */
	command.cdb_length = (uint8_t)length;
	memset(command.cdb, 0, sizeof(command.cdb));
	memcpy(command.cdb, cdb, length);
	command.direction = (uint8_t)direction;
	command.timeout = 0;
	command.length = bytes;
	command.data = data;
	last_id += XO_JOURNAL_STEPS;
	command.id = last_id;
	command.client = "guest";
	command.read_only = false;
	command.journal = NULL;
	return command;
}

static struct xo_command run(const uint8_t *cdb, size_t length, enum xo_direction direction,
			     uint32_t bytes)
{
	struct xo_command command = make(cdb, length, direction, bytes);

	xo_unit_execute(top, &command);
	return command;
}

static void make_read10(uint8_t *cdb, uint32_t lba, uint16_t blocks)
{
	memset(cdb, 0, 10);
	cdb[0] = XO_OP_READ_10;
	xo_put_be32(cdb + 2, lba);
	xo_put_be16(cdb + 7, blocks);
}

static void test_split_parts(void **state)
{
	struct xo_command command;
	uint8_t cdb[10];
	uint32_t next = 1000;
	uint32_t offset = 0;

	(void)state;
	xo_split_new(&top, top, 65536, &record);
	make_read10(cdb, 1000, 100);
	command = run(cdb, sizeof(cdb), XO_DIR_IN, 204800);
	assert_int_equal(bottom.count, 4);
	for (unsigned int i = 0; i < 4; i++) {
		const struct xo_command *part = &bottom.log[i];

		assert_int_equal(xo_get_be32(part->cdb + 2), next);
		assert_int_equal(part->length, xo_get_be16(part->cdb + 7) * 2048);
		assert_true(part->length <= 65536);
		assert_ptr_equal(part->data, data + offset);
		next += xo_get_be16(part->cdb + 7);
		offset += part->length;
	}
	assert_int_equal(next, 1100);
	assert_true(xo_command_is_good(&command));
	assert_int_equal(command.residual, 0);
	assert_int_equal(xo_split_count(top), 1);
	/* What fits goes as it came. */
	make_read10(cdb, 5, 32);
	run(cdb, sizeof(cdb), XO_DIR_IN, 65536);
	assert_int_equal(bottom.count, 5);
	assert_memory_equal(bottom.log[4].cdb, cdb, 10);
}

static void test_split_errors(void **state)
{
	struct xo_command command;
	uint8_t cdb[10];

	(void)state;
	xo_split_new(&top, top, 65536, &record);
	make_read10(cdb, 0, 96);
	/* In the middle: the rest is not sent, and the residual counts it. */
	bottom.kcq[1] = XO_SENSE_UNRECOVERED_READ;
	command = run(cdb, sizeof(cdb), XO_DIR_IN, 96 * 2048);
	assert_int_equal(bottom.count, 2);
	assert_int_equal(xo_command_kcq(&command), XO_SENSE_UNRECOVERED_READ);
	assert_int_equal(command.residual, 64 * 2048);
	/* A part that moves less ends it too. */
	bottom.residual[3] = 2048;
	command = run(cdb, sizeof(cdb), XO_DIR_IN, 96 * 2048);
	assert_int_equal(bottom.count, 4);
	assert_int_equal(command.residual, 33 * 2048);
	/* A WRITE of which that leaves blocks has not been carried out; one of which the drive leaves some says so itself. */
	cdb[0] = XO_OP_WRITE_10;
	bottom.residual[5] = 2048;
	command = run(cdb, sizeof(cdb), XO_DIR_OUT, 96 * 2048);
	assert_int_equal(bottom.count, 6);
	assert_int_equal(xo_command_kcq(&command), XO_SENSE_DATA_PHASE_ERROR);
	assert_int_equal(command.residual, 33 * 2048);
	bottom.residual[8] = 2048;
	command = run(cdb, sizeof(cdb), XO_DIR_OUT, 96 * 2048);
	assert_int_equal(bottom.count, 9);
	assert_true(xo_command_is_good(&command));
	assert_int_equal(command.residual, 2048);
	/* RECOVERED ERROR is no reason to stop, and is told. */
	make_read10(cdb, 0, 96);
	bottom.kcq[10] = XO_SENSE_RECOVERED_WITH_RETRIES;
	command = run(cdb, sizeof(cdb), XO_DIR_IN, 96 * 2048);
	assert_int_equal(xo_command_kcq(&command), XO_SENSE_RECOVERED_WITH_RETRIES);
}

/* A successor goes on where the journal stands. */
static void test_split_journal(void **state)
{
	struct xo_command command;
	uint8_t cdb[10];

	(void)state;
	xo_split_new(&top, top, 65536, &record);
	xo_journal_reset(&journal);
	make_read10(cdb, 0, 128);
	command = make(cdb, sizeof(cdb), XO_DIR_IN, 128 * 2048);
	command.journal = &journal;
	/* Two parts are done, the third was retried once. */
	xo_journal_next(&journal, 1);
	xo_journal_next(&journal, 2);
	xo_journal_next(&journal, 2);
	xo_unit_execute(top, &command);
	assert_int_equal(bottom.count, 2);
	assert_int_equal(xo_get_be32(bottom.log[0].cdb + 2), 64);
	assert_int_equal(bottom.log[0].id, command.id + 3);
	assert_int_equal(bottom.log[1].id, command.id + 4);
	assert_int_equal(command.residual, 0);
	assert_true(xo_command_is_good(&command));
}

static void test_split_retries(void **state)
{
	struct xo_command command;
	uint8_t cdb[10];

	(void)state;
	xo_split_new(&top, top, 65536, &record);
	xo_journal_reset(&journal);
	make_read10(cdb, 0, 64);
	cdb[0] = XO_OP_WRITE_10;
	command = make(cdb, sizeof(cdb), XO_DIR_OUT, 64 * 2048);
	command.journal = &journal;
	bottom.kcq[1] = XO_SENSE_LONG_WRITE_IN_PROGRESS;
	bottom.kcq[2] = XO_SENSE_LONG_WRITE_IN_PROGRESS;
	xo_unit_execute(top, &command);
	assert_int_equal(bottom.count, 4);
	assert_true(xo_command_is_good(&command));
	/* Each step has an id of its own. */
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(bottom.log[i].id, command.id + i);
	/* On the first part it is for the guest to retry. */
	bottom.kcq[4] = XO_SENSE_LONG_WRITE_IN_PROGRESS;
	command = run(cdb, sizeof(cdb), XO_DIR_OUT, 64 * 2048);
	assert_int_equal(bottom.count, 5);
	assert_int_equal(xo_command_kcq(&command), XO_SENSE_LONG_WRITE_IN_PROGRESS);
}

static void test_policy_filter(void **state)
{
	struct xo_policy policy = { .read_only = false };
	static const uint8_t firmware[10] = { XO_OP_WRITE_BUFFER, 5, 0, 0, 0, 0, 0, 0, 16 };
	static const uint8_t select[10] = { XO_OP_MODE_SELECT_10, 0x10, 0, 0, 0, 0, 0, 0, 24 };
	struct xo_command command;
	uint8_t cdb[10];

	(void)state;
	xo_policy_new(&top, top, &policy);
	command = run(firmware, sizeof(firmware), XO_DIR_OUT, 16);
	assert_int_equal(bottom.count, 0);
	assert_int_equal(xo_command_kcq(&command) >> 16, XO_KEY_ILLEGAL_REQUEST);
	assert_int_equal(command.residual, 16);
	/* mode=ro of the client alone */
	make_read10(cdb, 0, 1);
	cdb[0] = XO_OP_WRITE_10;
	command = make(cdb, sizeof(cdb), XO_DIR_OUT, 2048);
	command.read_only = true;
	xo_unit_execute(top, &command);
	assert_int_equal(xo_command_kcq(&command), XO_SENSE_WRITE_PROTECTED);
	assert_int_equal(bottom.count, 0);
	assert_int_equal(xo_policy_refused(top), 2);
	/* Parameter lists are copied, data to be written are not. */
	run(cdb, sizeof(cdb), XO_DIR_OUT, 2048);
	assert_ptr_equal(bottom.log[0].data, data);
	run(select, sizeof(select), XO_DIR_OUT, 24);
	assert_ptr_not_equal(bottom.log[1].data, data);
}

static void test_fault_repeats(void **state)
{
	static const uint8_t cdb[6];
	bool hit[LOG_MAX];
	unsigned int hits = 0;

	(void)state;
	assert_int_equal(xo_fault_new(&top, top, "42:200:medium-error"), 0);
	for (unsigned int i = 0; i < 100; i++) {
		struct xo_command command = run(cdb, sizeof(cdb), XO_DIR_NONE, 0);

		hit[i] = xo_command_kcq(&command) == XO_SENSE_UNRECOVERED_READ;
		hits += hit[i];
	}
	assert_true(hits > 5 && hits < 50);
	/* The same commands in another process meet the same fate. */
	last_id = 0;
	bottom.count = 0;
	for (unsigned int i = 0; i < 100; i++) {
		struct xo_command command = run(cdb, sizeof(cdb), XO_DIR_NONE, 0);

		assert_int_equal(hit[i], !xo_command_is_good(&command));
	}
}

static void test_fault_kinds(void **state)
{
	static const struct {
		const char *spec;
		uint8_t transport;
		uint32_t kcq;
		uint32_t residual;
		unsigned int reached;
	} cases[] = {
		{ "1:1000:not-ready", 0, XO_SENSE_LONG_WRITE_IN_PROGRESS, 2048, 0 },
		{ "1:1000:busy", XO_TRANSPORT_BUSY, 0, 2048, 0 },
		{ "1:1000:timeout", XO_TRANSPORT_TIMEOUT, 0, 2048, 0 },
		{ "1:1000:lost", XO_TRANSPORT_ERROR, 0, 0, 1 },
		{ "1:1000:underrun", 0, 0, 1024, 1 },
		{ "1:1000:timeout:2a", 0, 0, 0, 1 },
		{ "1:1000:timeout:28", XO_TRANSPORT_TIMEOUT, 0, 2048, 0 },
		{ "1:0:timeout", 0, 0, 0, 1 },
	};
	uint8_t cdb[10];

	(void)state;
	make_read10(cdb, 0, 1);
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++) {
		struct xo_unit *unit;
		struct xo_command command = make(cdb, sizeof(cdb), XO_DIR_IN, 2048);

		bottom.count = 0;
		assert_int_equal(xo_fault_new(&unit, &bottom.unit, cases[i].spec), 0);
		xo_unit_execute(unit, &command);
		xo_unit_free(unit);
		if (command.transport != cases[i].transport ||
		    xo_command_kcq(&command) != cases[i].kcq ||
		    command.residual != cases[i].residual || bottom.count != cases[i].reached)
			fail_msg("%s: transport %u, %06x, residual %u, reached %u", cases[i].spec,
				 command.transport, xo_command_kcq(&command), command.residual,
				 bottom.count);
	}
}

static void test_fault_good(void **state)
{
	const uint8_t cdb[12] = { 0xa1 };
	struct xo_command command = make(cdb, sizeof(cdb), XO_DIR_NONE, 0);
	struct xo_unit *unit;

	(void)state;
	bottom.kcq[0] = XO_SENSE_CANNOT_WRITE_INCOMPATIBLE_FORMAT;
	assert_int_equal(xo_fault_new(&unit, &bottom.unit, "1:1000:good:a1"), 0);
	xo_unit_execute(unit, &command);
	xo_unit_free(unit);
	assert_int_equal(bottom.count, 1);
	assert_true(xo_command_is_good(&command));
	assert_int_equal(command.sense_length, 0);
}

static void test_bad_specs(void **state)
{
	static const char *const faults[] = {
		"", "1", "1:2", "1:2:", "1:2:nothing", "1:1001:busy", "1:2:busy:zz", "1:2:busy:28x"
	};
	static const char *const delays[] = {
		"x", "28", "28=", "28=1;29=2", "=5", "28=99999999999", "all=3600001"
	};
	struct xo_unit *unit;

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(faults); i++)
		if (xo_fault_new(&unit, top, faults[i]) != -EINVAL)
			fail_msg("fault \"%s\" was taken", faults[i]);
	for (size_t i = 0; i < XO_ARRAY_SIZE(delays); i++)
		if (xo_delay_new(&unit, top, delays[i], 0, 0) != -EINVAL)
			fail_msg("delay \"%s\" was taken", delays[i]);
}

static void test_delay(void **state)
{
	uint64_t start = xo_now_ns();
	uint8_t cdb[10];

	(void)state;
	assert_int_equal(xo_delay_new(&top, top, "28=30,2a=0", 100000, 0), 0);
	make_read10(cdb, 0, 1);
	run(cdb, sizeof(cdb), XO_DIR_IN, 2048);
	assert_true(xo_now_ns() - start >= 30000000);
	/* 4 MB at 100 MB/s */
	start = xo_now_ns();
	for (unsigned int i = 0; i < 4; i++) {
		cdb[0] = XO_OP_WRITE_10;
		run(cdb, sizeof(cdb), XO_DIR_OUT, 1000000);
	}
	assert_true(xo_now_ns() - start >= 40000000);
}

static struct xo_buffer_report written(uint32_t bytes)
{
	const uint8_t cdb[10] = { XO_OP_WRITE_10 };
	struct xo_buffer_report report;

	if (bytes)
		run(cdb, sizeof(cdb), XO_DIR_OUT, bytes);
	xo_delay_report(top, &report);
	return report;
}

/* At 1000 bytes a second nothing gets empty in this test. */
static void test_buffer_lasts(void **state)
{
	struct xo_buffer_report report;

	(void)state;
	assert_int_equal(xo_delay_new(&top, top, NULL, 1, 65536), 0);
	report = written(20000); /* the burn has not begun */
	assert_int_equal(report.size, 65536);
	assert_int_equal(report.lowest, 65536);
	report = written(20000);
	assert_int_equal(report.lowest, 65536);
	/* It would take 40 s to wait for what has been written. */
	run((uint8_t[10]){ XO_OP_READ_BUFFER_CAPACITY, 0, 0, 0, 0, 0, 0, 0, 12 }, 10, XO_DIR_IN,
	    12);
	report = written(10000);
	assert_in_range(report.lowest, 1, 40000);
	assert_int_equal(report.empty, 0);
}

/* At 1 GB/s it is empty at once; what comes after the burn's end is another burn. */
static void test_buffer_runs_empty(void **state)
{
	const uint8_t sync[10] = { XO_OP_SYNCHRONIZE_CACHE };
	const struct timespec pause = { .tv_nsec = 2000000 };

	(void)state;
	assert_int_equal(xo_delay_new(&top, top, NULL, 1000000, 65536), 0);
	assert_int_equal(written(40000).empty, 0);
	nanosleep(&pause, NULL);
	assert_int_equal(written(20000).empty, 1);
	assert_int_equal(written(0).lowest, 0);
	nanosleep(&pause, NULL);
	assert_int_equal(written(20000).empty, 2);
	run(sync, sizeof(sync), XO_DIR_NONE, 0);
	nanosleep(&pause, NULL);
	assert_int_equal(written(20000).empty, 2);
	/* Less than begins a burn, and its end. */
	run(sync, sizeof(sync), XO_DIR_NONE, 0);
	assert_int_equal(written(0).empty, 2);
}

static const uint8_t get_event[10] = { XO_OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8 };

static void test_events_kept(void **state)
{
	static const uint8_t no_event[8] = { 0, 6, 4, 0x10, 0, 2 };
	static const uint8_t new_media[8] = { 0, 6, 4, 0x10, 2, 2 };
	struct xo_command command;
	struct xo_command again;
	bool present = false;

	(void)state;
	xo_events_new(&top, top, &record);
	memcpy(bottom.answer, no_event, 8);
	assert_int_equal(xo_events_poll(top, &present), 0);
	assert_true(present);
	memcpy(bottom.answer, new_media, 8);
	assert_int_equal(xo_events_poll(top, &present), 2);
	memcpy(bottom.answer, no_event, 8);
	/* Another class, or not polled: not its answer. */
	run((uint8_t[10]){ XO_OP_GET_EVENT_STATUS, 1, 0, 0, 0x02, 0, 0, 0, 8 }, 10, XO_DIR_IN, 8);
	assert_int_equal(data[4], 0);
	assert_int_equal(bottom.count, 3);
	memset(data, 0xee, 16);
	command = make(get_event, sizeof(get_event), XO_DIR_IN, 16);
	again = command;
	xo_unit_execute(top, &command);
	assert_memory_equal(data, new_media, 8);
	assert_int_equal(data[8], 0xee);
	assert_int_equal(command.residual, 8);
	assert_int_equal(bottom.count, 3);
	/* The same command, carried out again by a successor, gets the same answer. */
	memset(data, 0xee, 16);
	xo_unit_execute(top, &again);
	assert_memory_equal(data, new_media, 8);
	assert_int_equal(bottom.count, 3);
	/* The next one asks the drive. */
	run(get_event, sizeof(get_event), XO_DIR_IN, 8);
	assert_int_equal(data[4], 0);
	assert_int_equal(bottom.count, 4);
	/* What was kept for a guest that has gone is not the next one's. */
	memcpy(bottom.answer, new_media, 8);
	assert_int_equal(xo_events_poll(top, &present), 2);
	top->ops->release(top);
	assert_int_equal(bottom.released, 1);
	memcpy(bottom.answer, no_event, 8);
	run(get_event, sizeof(get_event), XO_DIR_IN, 8);
	assert_int_equal(data[4], 0);
	assert_int_equal(bottom.count, 6);
}

static void test_events_unsupported(void **state)
{
	bool present;

	(void)state;
	xo_events_new(&top, top, &record);
	bottom.kcq[0] = XO_SENSE_INVALID_OPCODE;
	assert_int_equal(xo_events_poll(top, &present), -EAGAIN);
	assert_int_equal(xo_events_poll(top, &present), -EAGAIN);
	assert_int_equal(bottom.count, 1);
}

/* Two commands are told, each once, also when a successor carries one of them out again. */
static void test_attention(void **state)
{
	static const uint8_t tur[6] = { XO_OP_TEST_UNIT_READY };
	static const uint8_t inquiry[6] = { XO_OP_INQUIRY, 0, 0, 0, 36 };
	struct xo_command command;
	struct xo_command again;

	(void)state;
	xo_attention_new(&top, top, &record);
	run(tur, sizeof(tur), XO_DIR_NONE, 0);
	assert_int_equal(bottom.count, 1);
	xo_attention_raise(&record);
	run(inquiry, sizeof(inquiry), XO_DIR_IN, 36);
	assert_int_equal(bottom.count, 2);
	command = make(tur, sizeof(tur), XO_DIR_NONE, 0);
	again = command;
	xo_unit_execute(top, &command);
	assert_int_equal(xo_command_kcq(&command), XO_SENSE_POWER_ON_OR_RESET);
	xo_unit_execute(top, &again);
	assert_int_equal(xo_command_kcq(&again), XO_SENSE_POWER_ON_OR_RESET);
	command = make(tur, sizeof(tur), XO_DIR_NONE, 0);
	xo_unit_execute(top, &command);
	assert_int_equal(xo_command_kcq(&command), XO_SENSE_MEDIUM_CHANGED);
	assert_int_equal(bottom.count, 2);
	run(tur, sizeof(tur), XO_DIR_NONE, 0);
	assert_int_equal(bottom.count, 3);
	/* Not for the next guest. */
	xo_attention_raise(&record);
	top->ops->release(top);
	run(tur, sizeof(tur), XO_DIR_NONE, 0);
	assert_int_equal(bottom.count, 4);
}

/* The host's own command got what was the guest's: the guest gets it as well, once. */
static void test_attention_passed_on(void **state)
{
	static const uint8_t tur[6] = { XO_OP_TEST_UNIT_READY };
	static const uint32_t given[] = { XO_SENSE_MEDIUM_CHANGED, XO_SENSE_POWER_ON_OR_RESET };
	struct xo_command command;

	(void)state;
	xo_attention_new(&top, top, &record);
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(given); i++) {
		xo_attention_pass_on(&record, given[i]);
		command = make(tur, sizeof(tur), XO_DIR_NONE, 0);
		xo_unit_execute(top, &command);
		assert_int_equal(xo_command_kcq(&command), given[i]);
		assert_int_equal(bottom.count, i);
		run(tur, sizeof(tur), XO_DIR_NONE, 0);
		assert_int_equal(bottom.count, i + 1);
	}
}

static bool bottom_saw(uint8_t opcode)
{
	for (unsigned int i = 0; i < bottom.count; i++)
		if (bottom.log[i].cdb[0] == opcode)
			return true;
	return false;
}

static void test_handover_notes(void **state)
{
	uint8_t cdb[10];

	(void)state;
	xo_handover_new(&top, top, &record);
	/* What was not done is not undone. */
	top->ops->release(top);
	assert_int_equal(bottom.count, 0);
	assert_int_equal(bottom.released, 1);
	/* A write that fails may have begun all the same. */
	make_read10(cdb, 0, 1);
	cdb[0] = XO_OP_WRITE_10;
	bottom.kcq[0] = XO_SENSE_WRITE_ERROR;
	run(cdb, sizeof(cdb), XO_DIR_OUT, 2048);
	assert_true(xo_handover_writing(&record));
	run((uint8_t[10]){ XO_OP_SYNCHRONIZE_CACHE }, 10, XO_DIR_NONE, 0);
	assert_false(xo_handover_writing(&record));
	/* A PREVENT that the drive refuses locks nothing. */
	bottom.kcq[2] = XO_SENSE_INVALID_FIELD_IN_CDB;
	run((uint8_t[6]){ XO_OP_PREVENT_ALLOW, 0, 0, 0, 1 }, 6, XO_DIR_NONE, 0);
	bottom.count = 0;
	memset(bottom.kcq, 0, sizeof(bottom.kcq));
	top->ops->release(top);
	assert_int_equal(bottom.count, 0);
	run((uint8_t[6]){ XO_OP_PREVENT_ALLOW, 0, 0, 0, 1 }, 6, XO_DIR_NONE, 0);
	xo_handover_reset(top);
	assert_int_equal(bottom.count, 2);
	assert_int_equal(bottom.log[1].cdb[4], 0);
	top->ops->release(top);
	assert_int_equal(bottom.count, 2);
}

/* What keeps a step from being done for a while does not keep it from being done. */
static void test_handover_waits(void **state)
{
	static const uint8_t prevent[6] = { XO_OP_PREVENT_ALLOW, 0, 0, 0, 1 };
	static const uint32_t waits[] = { XO_SENSE_MEDIUM_CHANGED, XO_SENSE_POWER_ON_OR_RESET,
					  XO_SENSE_OPERATION_IN_PROGRESS,
					  XO_SENSE_LONG_WRITE_IN_PROGRESS };
	static const uint32_t refusals[] = { XO_SENSE_NO_MEDIUM, XO_SENSE_INVALID_FIELD_IN_CDB };

	(void)state;
	xo_handover_new(&top, top, &record);
	run(prevent, sizeof(prevent), XO_DIR_NONE, 0);
	memcpy(bottom.kcq + 1, waits, sizeof(waits));
	top->ops->release(top);
	assert_int_equal(bottom.count, 6);
	for (unsigned int i = 1; i < bottom.count; i++) {
		assert_int_equal(bottom.log[i].cdb[0], XO_OP_PREVENT_ALLOW);
		assert_int_equal(bottom.log[i].cdb[4], 0);
	}
	/* A refusal is final. */
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(refusals); i++) {
		bottom.count = 0;
		memset(bottom.kcq, 0, sizeof(bottom.kcq));
		run(prevent, sizeof(prevent), XO_DIR_NONE, 0);
		bottom.kcq[1] = refusals[i];
		top->ops->release(top);
		assert_int_equal(bottom.count, 2);
	}
	/* A reset is not kept waiting; the hand-over does what it could not. */
	bottom.count = 0;
	memset(bottom.kcq, 0, sizeof(bottom.kcq));
	run(prevent, sizeof(prevent), XO_DIR_NONE, 0);
	bottom.kcq[1] = XO_SENSE_OPERATION_IN_PROGRESS;
	xo_handover_reset(top);
	assert_int_equal(bottom.count, 2);
	top->ops->release(top);
	assert_int_equal(bottom.count, 3);
	top->ops->release(top);
	assert_int_equal(bottom.count, 3);
}

static void test_handover_pages(void **state)
{
	/* Two pages, one of them with a subpage header, behind a block descriptor. */
	uint8_t list[64] = { [7] = 8, [16] = 0x05, [17] = 2, [20] = 0x4a, [21] = 1, [23] = 4 };
	uint8_t select[10] = { XO_OP_MODE_SELECT_10, 0x10, 0, 0, 0, 0, 0, 0, 28 };
	unsigned int senses = 0;

	(void)state;
	xo_handover_new(&top, top, &record);
	memcpy(data, list, sizeof(list));
	run(select, sizeof(select), XO_DIR_OUT, 28);
	assert_int_equal(record.undo.pages, 1ull << 5 | 1ull << 10);
	/* A list that ends in the middle of a page. */
	data[17] = 200;
	run(select, sizeof(select), XO_DIR_OUT, 28);
	bottom.count = 0;
	top->ops->release(top);
	for (unsigned int i = 0; i < bottom.count; i++)
		senses += bottom.log[i].cdb[0] == XO_OP_MODE_SENSE_10;
	assert_int_equal(senses, 2);
	/* What the drive answered is no mode page: it is not sent back. */
	assert_false(bottom_saw(XO_OP_MODE_SELECT_10));
}

static void test_trace(void **state)
{
	char text[1024] = "";
	int fd = memfd_create("trace", MFD_CLOEXEC);
	uint8_t cdb[10];

	(void)state;
	xo_trace_new(&top, top, true, fd);
	make_read10(cdb, 16, 1);
	bottom.kcq[1] = XO_SENSE_NO_MEDIUM;
	run(cdb, sizeof(cdb), XO_DIR_IN, 4096);
	run(cdb, sizeof(cdb), XO_DIR_IN, 4096);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "READ_10                cdb=28000000001000000100 dir=R "
				     "len=4096 "
				     "resid=0 to=0 st=00 host=0 dur="));
	assert_non_null(strstr(text, "st=02 host=0"));
	assert_non_null(strstr(text, "sense=70000200"));
	assert_non_null(strstr(text, "guest=guest\n"));
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_split_parts),	       TEST(test_split_errors),
		TEST(test_split_journal),      TEST(test_split_retries),
		TEST(test_policy_filter),      TEST(test_fault_repeats),
		TEST(test_fault_kinds),	       TEST(test_fault_good),
		TEST(test_bad_specs),	       TEST(test_delay),
		TEST(test_buffer_lasts),       TEST(test_buffer_runs_empty),
		TEST(test_events_kept),	       TEST(test_attention),
		TEST(test_events_unsupported), TEST(test_attention_passed_on),
		TEST(test_handover_notes),     TEST(test_handover_waits),
		TEST(test_handover_pages),     TEST(test_trace),
	};

	return cmocka_run_group_tests_name("filters", tests, NULL, NULL);
}
