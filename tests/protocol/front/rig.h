/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frontend and its scripted backend, set up and led through the handshake for a test. */
#ifndef XO_TESTS_FRONT_RIG_H
#define XO_TESTS_FRONT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_backend.h"

#define RIG_UNIT FAKE_BACKEND "/vscsi-devs/dev-0"

struct rig {
	struct fake fake;
	struct xo_front *front;
	unsigned int done; /* completions */
	struct xo_front_command *order[32];
	uint8_t transport[32];
};

/* Added to what xo_now_ns() says: zero until a test says that hours have passed. */
extern uint64_t rig_skipped;

/* Lets the front do what it can, until nothing comes for a moment. */
void rig_settle(struct rig *rig);

/* Steps the front until the frontend's state is `state`. */
void rig_expect_state(struct rig *rig, unsigned int state);

void rig_open(struct rig *rig, const struct xo_front_options *options);

/* The handshake as xenopticd does it, up to state 4 on both sides. */
void rig_handshake(struct rig *rig);

void rig_start(struct rig *rig, unsigned int sg_grant, const struct xo_front_options *options);

/* A device of the class vcd, whose backend offers a ring of 1 << `order` pages and such transfers. */
void rig_start_vcd(struct rig *rig, unsigned int order, unsigned int max_transfer,
		   const struct xo_front_options *options);

int rig_setup(void **state);

int rig_setup_reconnecting(void **state);

int rig_setup_empty(void **state);

int rig_teardown(void **state);

/* What a command's done is set to: notes the completion in the rig that its priv is. */
void rig_note_done(struct xo_front_command *command);

struct xo_front_command *rig_submit(struct rig *rig, uint8_t opcode, uint8_t direction,
				    uint32_t length);

void rig_take(struct rig *rig, struct vscsiif_request *request);

/* vcd.c: the tests of that class; the number of those that failed. */
int rig_run_vcd(void);

#endif
