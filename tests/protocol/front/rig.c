/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frontend and its scripted backend: setting up, the handshake, commands, and a clock that jumps. */
#include "rig.h"

#include <poll.h>
#include <stdlib.h>

#include "base/loop.h"

uint64_t rig_skipped;
uint64_t __real_xo_now_ns(void);
uint64_t __wrap_xo_now_ns(void);
uint64_t __wrap_xo_now_ns(void)
{
	return __real_xo_now_ns() + rig_skipped;
}

void rig_settle(struct rig *rig)
{
	struct pollfd fd = { .fd = xo_front_fd(rig->front), .events = POLLIN };

	for (int i = 0; i < 200 && poll(&fd, 1, 60) > 0; i++)
		(void)xo_front_step(rig->front);
}

void rig_expect_state(struct rig *rig, unsigned int state)
{
	struct pollfd fd = { .fd = xo_front_fd(rig->front), .events = POLLIN };

	for (int i = 0; i < 200; i++) {
		if (fake_read(&rig->fake, rig->fake.frontend, "state") == state)
			return;
		(void)poll(&fd, 1, 50);
		(void)xo_front_step(rig->front);
	}
	fail_msg("frontend in state %u, not %u: %s",
		 fake_read(&rig->fake, rig->fake.frontend, "state"), state,
		 xo_front_error(rig->front));
}

void rig_open(struct rig *rig, const struct xo_front_options *options)
{
	char *error = NULL;
	int r = xo_front_new(&rig->front, options, &error);

	if (r < 0)
		fail_msg("xo_front_new: %d: %s", r, error ? error : "");
}

void rig_handshake(struct rig *rig)
{
	fake_state(&rig->fake, XenbusStateInitWait);
	rig_expect_state(rig, XenbusStateInitialised);
	fake_connect(&rig->fake);
	fake_unit_state(&rig->fake, XenbusStateInitialised);
	fake_state(&rig->fake, XenbusStateConnected);
	rig_expect_state(rig, XenbusStateConnected);
	assert_int_equal(fake_read(&rig->fake, rig->fake.frontend, "vscsi-devs/dev-0/state"),
			 XenbusStateConnected);
	fake_unit_state(&rig->fake, XenbusStateConnected);
}

void rig_start(struct rig *rig, unsigned int sg_grant, const struct xo_front_options *options)
{
	fake_new(&rig->fake, sg_grant);
	rig_open(rig, options);
	rig_handshake(rig);
	assert_int_equal(xo_front_wait(rig->front, 5), 0);
}

void rig_start_vcd(struct rig *rig, unsigned int order, unsigned int max_transfer,
		   const struct xo_front_options *options)
{
	fake_new_vcd(&rig->fake, order, max_transfer);
	rig_open(rig, options);
	rig_handshake(rig);
	assert_int_equal(xo_front_wait(rig->front, 5), 0);
}

int rig_setup(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi", .slots = 8 };
	struct rig *rig = calloc(1, sizeof(*rig));

	rig_skipped = 0;
	rig_start(rig, 128, &options);
	*state = rig;
	return 0;
}

int rig_setup_reconnecting(void **state)
{
	static const struct xo_front_options options = { .type = "vscsi", .reconnect = true };
	struct rig *rig = calloc(1, sizeof(*rig));

	rig_start(rig, 128, &options);
	*state = rig;
	return 0;
}

int rig_setup_empty(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;

	if (rig->fake.xs) {
		fake_state(&rig->fake, XenbusStateClosed);
		xo_front_free(rig->front);
		fake_free(&rig->fake);
	}
	free(rig);
	return 0;
}

void rig_note_done(struct xo_front_command *command)
{
	struct rig *rig = command->priv;

	assert_in_range(rig->done, 0, 31);
	rig->transport[rig->done] = command->transport;
	rig->order[rig->done++] = command;
}

struct xo_front_command *rig_submit(struct rig *rig, uint8_t opcode, uint8_t direction,
				    uint32_t length)
{
	struct xo_front_command *command = xo_front_take(rig->front);

	assert_non_null(command);
	command->cdb[0] = opcode;
	command->cdb_length = 10;
	command->direction = direction;
	command->length = length;
	command->done = rig_note_done;
	command->priv = rig;
	assert_int_equal(xo_front_submit(command), 0);
	return command;
}

void rig_take(struct rig *rig, struct vscsiif_request *request)
{
	assert_true(fake_take(&rig->fake, request));
}
