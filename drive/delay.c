/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The delay filter: a drive as slow as wanted, by opcode and by data rate. With a buffer it takes what is
 * written as soon as there is room, begins to burn when the buffer is half full, and counts how often that
 * ran empty in the middle of a burn, which a disc without linking would not have survived.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/loop.h"
#include "mmc/cdb.h"
#include "stack.h"

#define NS_PER_MS 1000000ull
#define DELAY_MAX_MS 3600000u

struct delay {
	struct xo_unit unit;
	uint32_t ms[256]; /* by opcode */
	uint32_t speed; /* 1000 bytes a second; 0: no limit */
	uint64_t free_at; /* when the data so far have passed at that speed */
	uint32_t buffer; /* bytes; 0: none */
	uint64_t held; /* bytes in the buffer of a burn that has not begun */
	bool burning;
	/* Read by the loop's owner as well. */
	uint64_t
		lowest; /* bytes in the buffer when it was lowest in a burn; UINT64_MAX: no burn yet */
	uint64_t empty; /* how often a burn found it empty */
};

static void sleep_until(uint64_t at)
{
	struct timespec until = { .tv_sec = (time_t)(at / 1000000000u),
				  .tv_nsec = (long)(at % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static uint64_t duration(const struct delay *delay, uint64_t bytes)
{
	return bytes * NS_PER_MS / delay->speed;
}

/* The burn begins, at `now`. */
static void begin(struct delay *delay, uint64_t now)
{
	delay->burning = true;
	delay->free_at = now + duration(delay, delay->held);
	delay->held = 0;
}

/* What was in the buffer when this command came. */
static void look(struct delay *delay, uint64_t now)
{
	uint64_t left = delay->free_at > now ? delay->free_at - now : 0;
	uint64_t bytes = left * delay->speed / NS_PER_MS;

	if (bytes < delay->lowest)
		__atomic_store_n(&delay->lowest, bytes, __ATOMIC_RELAXED);
	if (!left) {
		__atomic_add_fetch(&delay->empty, 1, __ATOMIC_RELAXED);
		delay->free_at = now;
	}
}

/* Data into the buffer; returns when there was room for them. */
static uint64_t take_in(struct delay *delay, uint64_t now, uint64_t bytes)
{
	uint64_t room;

	if (!delay->burning) {
		delay->held += bytes;
		if (delay->held < delay->buffer / 2)
			return now;
		begin(delay, now);
	} else {
		delay->free_at += duration(delay, bytes);
	}
	room = duration(delay, delay->buffer);
	return delay->free_at > room ? delay->free_at - room : 0;
}

static bool is_of(const struct xo_command *command, enum xo_class class)
{
	return xo_opcode_find(command->cdb, command->cdb_length)->class == class;
}

/* When the data of the command, which began at `start`, have passed. */
static uint64_t data_until(struct delay *delay, const struct xo_command *command, uint64_t start)
{
	uint64_t bytes = command->length - XO_MIN(command->residual, command->length);

	if (delay->buffer && xo_opcode_find(command->cdb, command->cdb_length)->closes) {
		if (delay->held)
			begin(delay, start);
		delay->burning = false;
		return delay->free_at;
	}
	if (!bytes)
		return 0;
	if (delay->buffer && is_of(command, XO_CLASS_WRITE))
		return take_in(delay, start, bytes);
	/* What does not come from the medium does not wait for it. */
	if (delay->buffer && !is_of(command, XO_CLASS_READ))
		return 0;
	delay->free_at = XO_MAX(delay->free_at, start) + duration(delay, bytes);
	return delay->free_at;
}

static void delay_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct delay *delay = (struct delay *)unit;
	uint64_t start = xo_now_ns();
	uint64_t until = start + delay->ms[command->cdb[0]] * NS_PER_MS;
	uint64_t passed = 0;

	if (delay->burning && is_of(command, XO_CLASS_WRITE))
		look(delay, start);
	xo_unit_execute(unit->next, command);
	if (delay->speed)
		passed = data_until(delay, command, start);
	until = XO_MAX(until, passed);
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

void xo_delay_report(const struct xo_unit *unit, struct xo_buffer_report *report)
{
	const struct delay *delay = (const struct delay *)unit;
	uint64_t lowest = __atomic_load_n(&delay->lowest, __ATOMIC_RELAXED);

	*report = (struct xo_buffer_report){
		.size = delay->buffer,
		.lowest = (uint32_t)XO_MIN(lowest, (uint64_t)delay->buffer),
		.empty = __atomic_load_n(&delay->empty, __ATOMIC_RELAXED),
	};
}

int xo_delay_new(struct xo_unit **unit, struct xo_unit *next, const char *spec, uint32_t speed,
		 uint32_t buffer)
{
	struct delay *delay = calloc(1, sizeof(*delay));
	int r;

	if (!delay)
		return -ENOMEM;
	delay->unit = (struct xo_unit){ .ops = &delay_ops, .next = next };
	delay->speed = speed;
	delay->buffer = speed ? buffer : 0;
	delay->lowest = UINT64_MAX;
	r = spec ? parse(delay, spec) : 0;
	if (r) {
		free(delay);
		return r;
	}
	*unit = &delay->unit;
	return 0;
}
