/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The delay filter: a drive as slow as wanted, by opcode and by data rate. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/loop.h"
#include "stack.h"

#define NS_PER_MS 1000000ull
#define DELAY_MAX_MS 3600000u

struct delay {
	struct xo_unit unit;
	uint32_t ms[256]; /* by opcode */
	uint32_t speed; /* 1000 bytes a second; 0: no limit */
	uint64_t free_at; /* when the data so far have passed at that speed */
};

static void sleep_until(uint64_t at)
{
	struct timespec until = { .tv_sec = (time_t)(at / 1000000000u),
				  .tv_nsec = (long)(at % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static void delay_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct delay *delay = (struct delay *)unit;
	uint64_t until = xo_now_ns();
	uint32_t ms = delay->ms[command->cdb[0]];

	xo_unit_execute(unit->next, command);
	if (delay->speed && command->length > command->residual) {
		uint64_t bytes = command->length - command->residual;

		delay->free_at = XO_MAX(delay->free_at, until) + bytes * NS_PER_MS / delay->speed;
	}
	until = XO_MAX(until + ms * NS_PER_MS, delay->free_at);
	if (until > xo_now_ns())
		sleep_until(until);
}

static void delay_free(struct xo_unit *unit)
{
	free(unit);
}

static const struct xo_unit_ops delay_ops = {
	.name = "delay",
	.execute = delay_execute,
	.release = xo_unit_release_next,
	.free = delay_free,
};

/* "2a=50,all=1" */
static int parse(struct delay *delay, const char *spec)
{
	while (*spec) {
		unsigned int opcode;
		unsigned int ms;
		int at = 0;

		if (sscanf(spec, "all=%u%n", &ms, &at) == 1) {
			opcode = 256;
		} else if (sscanf(spec, "%2x=%u%n", &opcode, &ms, &at) != 2) {
			return -EINVAL;
		}
		if (ms > DELAY_MAX_MS || (spec[at] && spec[at] != ','))
			return -EINVAL;
		for (unsigned int i = 0; i < 256; i++)
			if (opcode == 256 || opcode == i)
				delay->ms[i] = ms;
		spec += at + (spec[at] == ',');
	}
	return 0;
}

int xo_delay_new(struct xo_unit **unit, struct xo_unit *next, const char *spec, uint32_t speed)
{
	struct delay *delay = calloc(1, sizeof(*delay));
	int r;

	if (!delay)
		return -ENOMEM;
	delay->unit = (struct xo_unit){ .ops = &delay_ops, .next = next };
	delay->speed = speed;
	r = spec ? parse(delay, spec) : 0;
	if (r) {
		free(delay);
		return r;
	}
	*unit = &delay->unit;
	return 0;
}
