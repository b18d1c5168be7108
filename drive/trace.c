/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace filter: a line per command, in the words of recorded SG_IO traces; to the log, to a
 * descriptor, and to whoever watches live. A watcher that does not read loses lines, and is told
 * how many: nothing waits for it.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/loop.h"
#include "stack.h"

struct trace {
	struct xo_unit unit;
	bool enabled; /* by the options */
	int fd; /* of the options; -1: the log */
	uint64_t start;
	pthread_mutex_t lock; /* the watcher is changed by one thread and written to by another */
	int watcher; /* -1: nobody */
	unsigned int lost; /* lines that had no room */
};

static size_t put_hex(char *to, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * count] = 0;
	return 2 * count;
}

/* "READ(10)" as one word of the line: "READ_10". */
static void put_name(char *to, size_t size, const char *name)
{
	size_t n = 0;

	for (; *name && n + 1 < size; name++) {
		if (isalnum((unsigned char)*name))
			to[n++] = *name;
		else if (*name != ')' && n && to[n - 1] != '_')
			to[n++] = '_';
	}
	to[n] = 0;
}

/* Under the lock. Pipes take lines of this length whole or not at all (pipe(7)). */
static void tell_watcher(struct trace *trace, const char *line, size_t length)
{
	char lost[64];
	int n;

	if (trace->lost) {
		n = snprintf(lost, sizeof(lost), "(%u commands not shown)\n", trace->lost);
		if (write(trace->watcher, lost, (size_t)n) == n)
			trace->lost = 0;
	}
	if (!trace->lost && write(trace->watcher, line, length) == (ssize_t)length)
		return;
	if (errno == EAGAIN) {
		trace->lost++;
		return;
	}
	close(trace->watcher); /* it has gone */
	__atomic_store_n(&trace->watcher, -1, __ATOMIC_RELAXED);
}

static void trace_line(struct trace *trace, const struct xo_command *command, uint64_t start,
		       uint64_t end)
{
	static const char direction[] = "-RW";
	const struct xo_opcode *op = xo_opcode_find(command->cdb, command->cdb_length);
	char line[512];
	char name[32];
	char cdb[2 * XO_CDB_MAX + 1];
	char sense[2 * XO_SENSE_MAX + 1] = "";
	uint64_t at = (start - trace->start) / 1000000;
	int n;

	put_name(name, sizeof(name), op->name);
	put_hex(cdb, command->cdb, command->cdb_length);
	put_hex(sense, command->sense, XO_MIN(command->sense_length, 18));
	n = snprintf(line, sizeof(line),
		     "%5u.%03u %-22s cdb=%s dir=%c len=%u resid=%u to=%u st=%02x host=%u "
		     "dur=%.1fms%s%s guest=%s\n",
		     (unsigned int)(at / 1000), (unsigned int)(at % 1000), name, cdb,
		     direction[command->direction % 3], command->length, command->residual,
		     command->timeout * 1000, command->status, command->transport,
		     (double)(end - start) / 1e6, sense[0] ? " sense=" : "", sense,
		     command->client);
	if (n < 0)
		return;
	n = XO_MIN(n, (int)sizeof(line) - 1);
	pthread_mutex_lock(&trace->lock);
	if (trace->watcher >= 0)
		tell_watcher(trace, line, (size_t)n);
	pthread_mutex_unlock(&trace->lock);
	if (!trace->enabled)
		return;
	if (trace->fd < 0)
		xo_debug("%.*s", n - 1, line);
	else if (write(trace->fd, line, (size_t)n) < 0)
		trace->fd = -1; /* a full disk is no reason to disturb a burn */
}

static void trace_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct trace *trace = (struct trace *)unit;
	uint64_t start;

	if (!trace->enabled && __atomic_load_n(&trace->watcher, __ATOMIC_RELAXED) < 0) {
		xo_unit_execute(unit->next, command);
		return;
	}
	start = xo_now_ns();
	xo_unit_execute(unit->next, command);
	trace_line(trace, command, start, xo_now_ns());
}

void xo_trace_watch(struct xo_unit *unit, int fd)
{
	struct trace *trace = (struct trace *)unit;

	pthread_mutex_lock(&trace->lock);
	if (trace->watcher >= 0)
		close(trace->watcher);
	trace->lost = 0;
	__atomic_store_n(&trace->watcher, fd, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&trace->lock);
}

bool xo_trace_watched(const struct xo_unit *unit)
{
	const struct trace *trace = (const struct trace *)unit;

	return __atomic_load_n(&trace->watcher, __ATOMIC_RELAXED) >= 0;
}

static void trace_free(struct xo_unit *unit)
{
	xo_trace_watch(unit, -1);
	free(unit);
}

static const struct xo_unit_ops trace_ops = {
	.name = "trace",
	.execute = trace_execute,
	.release = xo_unit_release_next,
	.free = trace_free,
};

int xo_trace_new(struct xo_unit **unit, struct xo_unit *next, bool enabled, int fd)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return -ENOMEM;
	trace->unit = (struct xo_unit){ .ops = &trace_ops, .next = next };
	trace->enabled = enabled;
	trace->fd = fd;
	trace->watcher = -1;
	pthread_mutex_init(&trace->lock, NULL);
	trace->start = xo_now_ns();
	*unit = &trace->unit;
	return 0;
}
