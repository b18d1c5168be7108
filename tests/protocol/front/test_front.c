// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The userspace frontend against a scripted backend: the handshake and its
 * ends, what a request looks like, and that no backend can do more than fail
 * the device. Runs in the loopback with domain 1.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rig.h"
#include "base/bytes.h"
#include "base/loop.h"

/* ---- what a request looks like ---- */

static void request_is_what_vscsiif_says(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *command;
	struct vscsiif_request request;
	struct vscsiif_response response = { 0 };

	command = rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	rig_take(rig, &request);
	assert_int_equal(request.act, VSCSIIF_ACT_SCSI_CDB);
	assert_int_equal(request.cmd_len, 10);
	assert_int_equal(request.cmnd[0], 0x28);
	assert_int_equal(request.channel, 0);
	assert_int_equal(request.id, 2);
	assert_int_equal(request.lun, 1);
	assert_int_equal(request.sc_data_direction, 2);
	assert_int_equal(request.nr_segments, 1);
	assert_int_equal(request.seg[0].offset, 0);
	assert_int_equal(request.seg[0].length, 2048);
	assert_true(request.timeout_per_command >= 10);

	assert_int_equal(fake_copy(&rig->fake, &request, (char[]){ "from the drive" }, 14, true),
			 14);
	response.rqid = request.rqid;
	response.rslt = 0x02;
	response.sense_len = 18;
	response.sense_buffer[0] = 0x70;
	response.sense_buffer[2] = 0x03;
	response.residual_len = 2034;
	fake_put(&rig->fake, &response);
	rig_settle(rig);
	assert_int_equal(rig->done, 1);
	assert_memory_equal(command->data, "from the drive", 14);
	assert_int_equal(command->status, 2);
	assert_int_equal(command->transport, XO_TRANSPORT_OK);
	assert_int_equal(command->sense_length, 18);
	assert_int_equal(command->sense[2], 3);
	assert_int_equal(command->residual, 2034);
	xo_front_give(command);
}

static void no_data_no_segments(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_request request;

	xo_front_give(rig_submit(rig, 0x00, XO_DIR_NONE, 0)); /* in flight: not given back */
	rig_take(rig, &request);
	assert_int_equal(request.nr_segments, 0);
	assert_int_equal(request.sc_data_direction, 3);
	fake_good(&rig->fake, &request);
	rig_settle(rig);
	assert_int_equal(rig->done, 1);
	xo_front_give(rig->order[0]);
}

/* The bytes come over whole at every size where the way of describing them changes. */
static void data_of_every_size(void **state)
{
	static const uint32_t sizes[] = {
		1, 2, 4095, 4096, 4097, 63504, 26 * 4096 - 1, 26 * 4096, 26 * 4096 + 1, 128 << 10
	};
	struct rig *rig = *state;
	uint8_t *data = malloc(128 << 10);
	struct xo_front_command *command;
	struct vscsiif_request request;

	for (size_t i = 0; i < XO_ARRAY_SIZE(sizes); i++) {
		command = xo_front_take(rig->front);
		command->cdb[0] = 0x2a;
		command->cdb_length = 10;
		command->direction = XO_DIR_OUT;
		command->length = sizes[i];
		command->done = rig_note_done;
		command->priv = rig;
		for (uint32_t j = 0; j < sizes[i]; j++)
			command->data[j] = (uint8_t)(j * 7 + j / 4096 + i);
		assert_int_equal(xo_front_submit(command), 0);
		rig_take(rig, &request);
		assert_int_equal(request.nr_segments & VSCSIIF_SG_GRANT,
				 sizes[i] > 26 * 4096 ? VSCSIIF_SG_GRANT : 0);
		assert_int_equal(fake_copy(&rig->fake, &request, data, 128 << 10, false), sizes[i]);
		for (uint32_t j = 0; j < sizes[i]; j++)
			assert_int_equal(data[j], (uint8_t)(j * 7 + j / 4096 + i));
		fake_good(&rig->fake, &request);
		rig_settle(rig);
		xo_front_give(command);
	}
	assert_int_equal(rig->done, XO_ARRAY_SIZE(sizes));
	free(data);
}

static void limits_are_the_backends(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi", .slot_size = 512 << 10 };
	struct rig *rig = *state;
	struct xo_front_command *command;

	rig_start(rig, 0, &options);
	assert_int_equal(xo_front_max_transfer(rig->front), 26 * 4096);
	command = xo_front_take(rig->front);
	command->cdb_length = 10;
	command->direction = XO_DIR_IN;
	command->length = 26 * 4096 + 1;
	assert_int_equal(xo_front_submit(command), -EINVAL);
	xo_front_give(command);
}

/* What is shared are pages: as many as hold the bytes that were asked for. */
static void any_size_may_be_asked_for(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi", .slot_size = 70000 };
	struct rig *rig = *state;

	rig_start(rig, 128, &options);
	assert_int_equal(xo_front_max_transfer(rig->front), 18 * 4096);
}

static void more_than_a_slot_can_be(void **state)
{
	static const uint32_t sizes[] = { XO_FRONT_SLOT_SIZE_MAX + 1, UINT32_MAX };
	struct xo_front_options options = { .type = "vscsi" };
	struct rig *rig = *state;
	char *error;

	for (size_t i = 0; i < XO_ARRAY_SIZE(sizes); i++) {
		options.slot_size = sizes[i];
		assert_int_equal(xo_front_new(&rig->front, &options, &error), -EINVAL);
		free(error);
	}
}

static void refused_before_it_is_sent(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *command = xo_front_take(rig->front);
	struct vscsiif_request request;

	command->cdb_length = 5;
	assert_int_equal(xo_front_submit(command), -EINVAL);
	command->cdb_length = 17;
	assert_int_equal(xo_front_submit(command), -EINVAL);
	command->cdb_length = 6;
	command->direction = XO_DIR_IN;
	assert_int_equal(xo_front_submit(command), -EINVAL);
	command->direction = XO_DIR_NONE;
	command->length = 1;
	assert_int_equal(xo_front_submit(command), -EINVAL);
	command->length = 0;
	command->unit = 1;
	assert_int_equal(xo_front_submit(command), -EINVAL);
	assert_false(fake_take(&rig->fake, &request));
	xo_front_give(command);
}

static void several_at_once_in_any_order(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_request requests[8];
	struct xo_front_command *commands[8];

	for (int round = 0; round < 20; round++) {
		rig->done = 0;
		for (int i = 0; i < 8; i++)
			commands[i] = rig_submit(rig, 0x28, XO_DIR_IN, 4096);
		assert_null(xo_front_take(rig->front));
		for (int i = 0; i < 8; i++)
			rig_take(rig, &requests[i]);
		for (int i = 7; i >= 0; i--)
			fake_good(&rig->fake, &requests[i]);
		rig_settle(rig);
		assert_int_equal(rig->done, 8);
		for (int i = 0; i < 8; i++) {
			assert_ptr_equal(rig->order[i], commands[7 - i]);
			xo_front_give(commands[i]);
		}
	}
}

static void abort_names_its_target(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *command = rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	struct vscsiif_request request, abort;
	struct vscsiif_response response = { .rslt = XEN_VSCSIIF_RSLT_HOST_ABORT << 16 };

	assert_int_equal(xo_front_abort(command), 0);
	rig_take(rig, &request);
	rig_take(rig, &abort);
	assert_int_equal(abort.act, VSCSIIF_ACT_SCSI_ABORT);
	assert_int_equal(abort.ref_rqid, request.rqid);
	assert_int_equal(abort.id, 2);
	assert_int_not_equal(abort.rqid, request.rqid);
	response.rqid = request.rqid;
	fake_put(&rig->fake, &response);
	response.rqid = abort.rqid;
	response.rslt = XEN_VSCSIIF_RSLT_RESET_SUCCESS;
	fake_put(&rig->fake, &response);
	rig_settle(rig);
	assert_int_equal(rig->done, 1);
	assert_int_equal(command->transport, XO_TRANSPORT_ABORTED);
	assert_int_equal(xo_front_abort(command), -ENOENT);
	xo_front_give(command);
	assert_int_equal(xo_front_reset(rig->front, 0), 0);
	rig_take(rig, &request);
	assert_int_equal(request.act, VSCSIIF_ACT_SCSI_RESET);
	fake_good(&rig->fake, &request);
	rig_settle(rig);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_CONNECTED);
}

/* ---- a rogue backend ---- */

/* The device is closed, everything in flight has ended, and the message says why. */
static void expect_broken(struct rig *rig, unsigned int completions, const char *why)
{
	rig_settle(rig);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_BROKEN);
	assert_int_equal(rig->done, completions);
	assert_non_null(strstr(xo_front_error(rig->front), why));
	assert_int_equal(fake_read(&rig->fake, rig->fake.frontend, "state"), XenbusStateClosing);
	assert_null(xo_front_take(rig->front));
	for (unsigned int i = 0; i < completions; i++)
		xo_front_give(rig->order[i]);
}

static void wrong_id(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_request request;

	for (int i = 0; i < 3; i++)
		rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	rig_take(rig, &request);
	request.rqid = (uint16_t)(request.rqid + 0x20); /* the same slot, another time */
	fake_good(&rig->fake, &request);
	expect_broken(rig, 3, "was not made");
	for (int i = 0; i < 3; i++)
		assert_int_equal(rig->transport[i], XO_TRANSPORT_ERROR);
}

static void id_out_of_range(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_request request;

	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	rig_take(rig, &request);
	request.rqid |= 0x1f;
	fake_good(&rig->fake, &request);
	expect_broken(rig, 1, "was not made");
}

static void id_of_a_free_slot(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_request request;

	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	rig_take(rig, &request);
	request.rqid ^= 1;
	fake_good(&rig->fake, &request);
	expect_broken(rig, 1, "was not made");
}

static void repeated_id(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_request request;

	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	rig_take(rig, &request);
	fake_good(&rig->fake, &request);
	fake_good(&rig->fake, &request);
	expect_broken(rig, 2, "was not made");
	assert_int_equal(rig->transport[0], XO_TRANSPORT_OK);
	assert_int_equal(rig->transport[1], XO_TRANSPORT_ERROR);
}

static void unasked_answer_to_an_abort(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_request request = { .rqid = XO_FRONT_SLOTS_MAX };

	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	fake_good(&rig->fake, &request);
	expect_broken(rig, 1, "was not made");
}

static void producer_overrun(void **state)
{
	struct rig *rig = *state;

	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	fake_overrun(&rig->fake, 2);
	expect_broken(rig, 1, "more requests");
}

static void producer_backwards(void **state)
{
	struct rig *rig = *state;

	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	fake_overrun(&rig->fake, (unsigned int)-1);
	expect_broken(rig, 1, "more requests");
}

static void absurd_lengths_are_cut(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *command = rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	struct vscsiif_response response = { .residual_len = UINT32_MAX,
					     .sense_len = 255,
					     .rslt = 0x00ff0002 };
	struct vscsiif_request request;

	rig_take(rig, &request);
	response.rqid = request.rqid;
	fake_put(&rig->fake, &response);
	rig_settle(rig);
	assert_int_equal(rig->done, 1);
	assert_int_equal(command->residual, 2048);
	assert_int_equal(command->sense_length, VSCSIIF_SENSE_BUFFERSIZE);
	assert_int_equal(command->transport, XO_TRANSPORT_ERROR);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_CONNECTED);
	xo_front_give(command);
}

static void events_without_responses(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 100; i++)
		fake_notify(&rig->fake);
	rig_settle(rig);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_CONNECTED);
}

/* Submits again, and is answered while the front still looks at the ring. */
static void answered_and_sent_again(struct xo_front_command *command)
{
	struct rig *rig = command->priv;
	struct vscsiif_request request;

	assert_int_equal(command->transport, XO_TRANSPORT_OK);
	if (++rig->done == 10 * RING_SIZE(&rig->fake.ring))
		return;
	assert_int_equal(xo_front_submit(command), 0);
	rig_take(rig, &request);
	fake_good(&rig->fake, &request);
}

/* A backend as fast as the program: each look at the ring finds one more answer. */
static void answers_that_keep_coming(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *command = rig_submit(rig, 0x00, XO_DIR_NONE, 0);
	struct vscsiif_request request;

	command->done = answered_and_sent_again;
	rig_take(rig, &request);
	fake_good(&rig->fake, &request);
	rig_settle(rig);
	assert_string_equal(xo_front_error(rig->front), "");
	assert_int_equal(rig->done, 10 * RING_SIZE(&rig->fake.ring));
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_CONNECTED);
	xo_front_give(command);
}

/* Random pages of rubbish, seeded: whatever comes, each command ends once. */
static void rubbish(void **state)
{
	struct rig *rig = *state;
	struct vscsiif_response response;
	unsigned int seed = 1;

	for (int i = 0; i < 4; i++)
		rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	for (int i = 0; i < 64 && xo_front_state(rig->front) == XO_FRONT_CONNECTED; i++) {
		for (size_t j = 0; j < sizeof(response); j++) {
			seed = seed * 1103515245 + 12345;
			((uint8_t *)&response)[j] = (uint8_t)(seed >> 16);
		}
		fake_put(&rig->fake, &response);
		(void)xo_front_step(rig->front);
	}
	rig_settle(rig);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_BROKEN);
	assert_int_equal(rig->done, 4);
	for (unsigned int i = 0; i < rig->done; i++)
		xo_front_give(rig->order[i]);
}

/* ---- beginnings and ends ---- */

static void backend_closes_with_commands_in_flight(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *command = rig_submit(rig, 0x28, XO_DIR_IN, 2048);

	fake_disconnect(&rig->fake);
	fake_write(&rig->fake, FAKE_BACKEND, "error", "drive on fire");
	fake_state(&rig->fake, XenbusStateClosing);
	rig_expect_state(rig, XenbusStateClosed);
	assert_int_equal(rig->done, 1);
	assert_int_equal(command->transport, XO_TRANSPORT_NO_CONNECT);
	assert_int_equal(command->residual, 2048);
	assert_int_equal(xo_front_submit(command), -ENOTCONN);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_CLOSED);
	assert_non_null(strstr(xo_front_error(rig->front), "drive on fire"));
	command->data[0] = 1; /* its page is there until it is given back */
	xo_front_give(command);
}

static void reconnects_when_the_backend_comes_back(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *kept = xo_front_take(rig->front);
	struct vscsiif_request request;

	for (int i = 0; i < 3; i++) {
		rig->done = 0;
		rig_submit(rig, 0x28, XO_DIR_IN, 2048);
		fake_disconnect(&rig->fake);
		fake_state(&rig->fake, XenbusStateClosing);
		rig_settle(rig);
		fake_unit_state(&rig->fake, XenbusStateInitialising);
		fake_state(&rig->fake, XenbusStateClosed);
		rig_expect_state(rig, XenbusStateInitialising);
		assert_int_equal(rig->done, 1);
		xo_front_give(rig->order[0]);
		rig_handshake(rig);
		assert_int_equal(xo_front_wait(rig->front, 5), 0);
		xo_front_give(rig_submit(rig, 0x28, XO_DIR_IN, 2048));
		rig_take(rig, &request);
		fake_good(&rig->fake, &request);
		rig_settle(rig);
		assert_int_equal(rig->done, 2);
		xo_front_give(rig->order[1]);
	}
	kept->data[0] = 1;
	xo_front_give(kept);
}

/* The toolstack made the device's nodes anew, as after a restore. */
static void made_anew(void **state)
{
	struct rig *rig = *state;

	rig_submit(rig, 0x28, XO_DIR_IN, 2048);
	fake_disconnect(&rig->fake);
	fake_unit_state(&rig->fake, XenbusStateInitialising);
	fake_state(&rig->fake, XenbusStateInitialising);
	fake_write(&rig->fake, rig->fake.frontend, "state", "1");
	rig_settle(rig);
	assert_int_equal(rig->done, 1);
	assert_int_equal(rig->transport[0], XO_TRANSPORT_NO_CONNECT);
	xo_front_give(rig->order[0]);
	rig_handshake(rig);
	assert_int_equal(xo_front_wait(rig->front, 5), 0);
}

static void closes_in_order(void **state)
{
	struct rig *rig = *state;

	/* The backend follows 5 with 5: only then are pages taken away, then state 6. */
	xo_handshake_close(rig->front, XO_PHASE_CLOSING);
	rig_settle(rig);
	assert_int_equal(fake_read(&rig->fake, rig->fake.frontend, "state"), XenbusStateClosing);
	fake_disconnect(&rig->fake);
	fake_state(&rig->fake, XenbusStateClosing);
	rig_expect_state(rig, XenbusStateClosed);
}

/* A program was killed in any state; the next one undoes what it left. */
static void after_a_predecessor(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi" };
	static const char *const left[] = { "2", "3", "4", "5", "6", "7", "8", "rubbish" };
	struct rig *rig = *state;
	char *error = NULL;

	for (size_t i = 0; i < XO_ARRAY_SIZE(left); i++) {
		fake_new(&rig->fake, 128);
		fake_write(&rig->fake, rig->fake.frontend, "state", left[i]);
		fake_state(&rig->fake, XenbusStateConnected);
		assert_int_equal(xo_front_new(&rig->front, &options, &error), 0);
		if (strcmp(left[i], "6") != 0) {
			rig_expect_state(rig, XenbusStateClosing);
			fake_state(&rig->fake, XenbusStateClosing);
		}
		rig_expect_state(rig, XenbusStateClosed);
		fake_state(&rig->fake, XenbusStateClosed);
		rig_expect_state(rig, XenbusStateInitialising);
		rig_handshake(rig);
		assert_int_equal(xo_front_wait(rig->front, 5), 0);
		fake_state(&rig->fake, XenbusStateClosed);
		xo_front_free(rig->front);
		fake_free(&rig->fake);
	}
	rig->fake.xs = NULL;
}

static void no_device(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi", .devid = 7 };
	struct rig *rig = *state;
	char *error = NULL;

	fake_new(&rig->fake, 128);
	assert_int_equal(xo_front_new(&rig->front, &options, &error), -ENODEV);
	assert_non_null(strstr(error, "device/vscsi/7: no such device"));
	free(error);
}

static void only_one_at_a_time(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi" };
	struct rig *rig = *state;
	struct xo_front *second;
	char *error = NULL;

	assert_int_equal(xo_front_new(&second, &options, &error), -EBUSY);
	assert_non_null(strstr(error, "another program"));
	free(error);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_CONNECTED);
}

static void nobody_answers(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi" };
	struct rig *rig = *state;

	fake_new(&rig->fake, 128);
	rig_open(rig, &options);
	assert_int_equal(xo_front_wait(rig->front, 1), -ETIMEDOUT);
	assert_non_null(strstr(xo_front_error(rig->front), "is xenopticd running"));
}

static void unit_refused(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi" };
	struct rig *rig = *state;

	fake_new(&rig->fake, 128);
	rig_open(rig, &options);
	fake_state(&rig->fake, XenbusStateInitWait);
	rig_expect_state(rig, XenbusStateInitialised);
	fake_connect(&rig->fake);
	fake_unit_state(&rig->fake, XenbusStateClosed);
	fake_write(&rig->fake, RIG_UNIT, "error", "the drive is in use by another guest");
	fake_state(&rig->fake, XenbusStateConnected);
	assert_int_equal(xo_front_wait(rig->front, 5), -ENXIO);
	assert_non_null(strstr(xo_front_error(rig->front), "in use by another guest"));
}

static void units_come_and_go(void **state)
{
	struct rig *rig = *state;
	const struct xo_front_unit *units;
	unsigned int count;

	fake_write(&rig->fake, FAKE_BACKEND, "vscsi-devs/dev-3/v-dev", "0:0:5:0");
	fake_write(&rig->fake, FAKE_BACKEND, "vscsi-devs/dev-3/p-dev", "/dev/sr1");
	fake_write(&rig->fake, FAKE_BACKEND, "vscsi-devs/dev-3/state", "1");
	fake_state(&rig->fake, XenbusStateReconfiguring);
	rig_expect_state(rig, XenbusStateReconfiguring);
	fake_write(&rig->fake, FAKE_BACKEND, "vscsi-devs/dev-3/state", "3");
	fake_state(&rig->fake, XenbusStateReconfigured);
	rig_expect_state(rig, XenbusStateConnected);
	assert_int_equal(fake_read(&rig->fake, rig->fake.frontend, "vscsi-devs/dev-3/state"), 4);
	fake_state(&rig->fake, XenbusStateConnected);
	rig_settle(rig);
	units = xo_front_units(rig->front, &count);
	assert_int_equal(count, 2);
	assert_int_equal(units[1].id, 5);
	assert_string_equal(units[1].drive, "/dev/sr1");
	assert_true(units[1].ready);

	fake_write(&rig->fake, FAKE_BACKEND, "vscsi-devs/dev-3/state", "5");
	fake_state(&rig->fake, XenbusStateReconfiguring);
	rig_expect_state(rig, XenbusStateReconfiguring);
	assert_int_equal(fake_read(&rig->fake, rig->fake.frontend, "vscsi-devs/dev-3/state"), 6);
	assert_true(xs_rm(rig->fake.xs, XBT_NULL, FAKE_BACKEND "/vscsi-devs/dev-3"));
	fake_state(&rig->fake, XenbusStateReconfigured);
	rig_expect_state(rig, XenbusStateConnected);
	xo_front_units(rig->front, &count);
	assert_int_equal(count, 1);
}

/* Values in the store that no backend should write. */
static void absurd_nodes(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi" };
	struct rig *rig = *state;
	const struct xo_front_unit *units;
	char name[64];
	unsigned int count;

	fake_new(&rig->fake, 128);
	fake_write(&rig->fake, FAKE_BACKEND, "feature-sg-grant", "-5");
	for (int i = 1; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "vscsi-devs/dev-%d/v-dev", i);
		fake_write(&rig->fake, FAKE_BACKEND, name, i % 2 ? "0:0:1:0" : "0:0:70000:0");
	}
	fake_write(&rig->fake, FAKE_BACKEND, "vscsi-devs/dev-x/v-dev", "0:0:1:0");
	fake_write(&rig->fake, FAKE_BACKEND, "vscsi-devs/dev-0/p-dev", "a\nb\033[31m");
	rig_open(rig, &options);
	rig_handshake(rig);
	assert_int_equal(xo_front_max_transfer(rig->front), 26 * 4096);
	units = xo_front_units(rig->front, &count);
	assert_in_range(count, 1, XO_FRONT_UNITS_MAX);
	for (unsigned int i = 0; i < count; i++)
		assert_true(units[i].number % 2 || units[i].number == 0);
}

static void a_class_that_it_does_not_know(void **state)
{
	static const struct xo_front_options options = { .type = "vbd" };
	struct rig *rig = *state;
	char *error;

	assert_int_equal(xo_front_new(&rig->front, &options, &error), -EINVAL);
	free(error);
}

/* ---- time ---- */

static void hours_pass(struct rig *rig)
{
	rig_skipped += UINT64_C(30) * 3600 * 1000000000;
	xo_front_overdue(rig->front);
	rig_settle(rig);
}

static void silence_is_aborted_reset_and_ended(void **state)
{
	struct rig *rig = *state;
	struct xo_front_command *command = rig_submit(rig, 0x00, XO_DIR_NONE, 0);
	struct vscsiif_request request, next;

	rig_take(rig, &request);
	xo_front_overdue(rig->front);
	assert_false(fake_take(&rig->fake, &next)); /* not yet */
	hours_pass(rig);
	rig_take(rig, &next);
	assert_int_equal(next.act, VSCSIIF_ACT_SCSI_ABORT);
	assert_int_equal(next.ref_rqid, request.rqid);
	fake_good(&rig->fake, &next);
	hours_pass(rig);
	rig_take(rig, &next);
	assert_int_equal(next.act, VSCSIIF_ACT_SCSI_RESET);
	assert_int_equal(rig->done, 0);
	hours_pass(rig);
	assert_int_equal(rig->done, 1);
	assert_int_equal(command->transport, XO_TRANSPORT_TIMEOUT);
	assert_int_equal(xo_front_state(rig->front), XO_FRONT_BROKEN);
	xo_front_give(command);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_setup, rig_teardown)
#define TEST_EMPTY(function) \
	cmocka_unit_test_setup_teardown(function, rig_setup_empty, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(request_is_what_vscsiif_says),
		TEST(no_data_no_segments),
		TEST(data_of_every_size),
		TEST_EMPTY(limits_are_the_backends),
		TEST_EMPTY(any_size_may_be_asked_for),
		TEST_EMPTY(more_than_a_slot_can_be),
		TEST(refused_before_it_is_sent),
		TEST(several_at_once_in_any_order),
		TEST(abort_names_its_target),
		TEST(wrong_id),
		TEST(id_out_of_range),
		TEST(id_of_a_free_slot),
		TEST(repeated_id),
		TEST(unasked_answer_to_an_abort),
		TEST(producer_overrun),
		TEST(producer_backwards),
		TEST(absurd_lengths_are_cut),
		TEST(events_without_responses),
		TEST(answers_that_keep_coming),
		TEST(rubbish),
		TEST(backend_closes_with_commands_in_flight),
		cmocka_unit_test_setup_teardown(reconnects_when_the_backend_comes_back,
						rig_setup_reconnecting, rig_teardown),
		TEST(made_anew),
		TEST(closes_in_order),
		TEST_EMPTY(after_a_predecessor),
		TEST_EMPTY(no_device),
		TEST(only_one_at_a_time),
		TEST_EMPTY(nobody_answers),
		TEST_EMPTY(unit_refused),
		TEST(units_come_and_go),
		TEST_EMPTY(absurd_nodes),
		TEST(silence_is_aborted_reset_and_ended),
		TEST_EMPTY(a_class_that_it_does_not_know),
	};

	if (!getenv("XENOPTIC_LOOPBACK_DIR")) {
		printf("SKIP: run by front.sh, in the loopback\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL) + rig_run_vcd();
}
