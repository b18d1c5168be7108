// SPDX-License-Identifier: GPL-2.0-or-later
/* The line that tells how far a burn or a read has come. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/loop.h"

#define SECOND_NS 1e9
#define INTERVAL_NS UINT64_C(500000000)
#define MB 1e6

void progress_start(struct progress *progress, const char *verb, uint64_t total,
		    unsigned int single_speed, bool silent)
{
	*progress = (struct progress){
		.verb = verb,
		.total = total,
		.single_speed = single_speed,
		.silent = silent,
		.line = isatty(STDERR_FILENO) == 1,
		.started = xo_now_ns(),
	};
	progress->shown = progress->started;
}

bool progress_due(const struct progress *progress)
{
	return !progress->silent && xo_now_ns() - progress->shown >= INTERVAL_NS;
}

/* Time left at the speed so far. */
static void print_left(const struct progress *progress, uint64_t done, uint64_t now)
{
	double seconds = (double)(now - progress->started) / SECOND_NS, left;

	if (!progress->total || !done || done > progress->total)
		return;
	left = seconds * (double)(progress->total - done) / (double)done;
	fprintf(stderr, ", %u:%02u left", (unsigned int)left / 60, (unsigned int)left % 60);
}

static void print(struct progress *progress, uint64_t done, int buffer, uint64_t now)
{
	fprintf(stderr, "%s%s: ", progress->line ? "\r" : "", progress->verb);
	if (progress->total)
		fprintf(stderr, "%5.1f%%, %.1f of %.1f MB",
			100.0 * (double)done / (double)progress->total, (double)done / MB,
			(double)progress->total / MB);
	else
		fprintf(stderr, "%.1f MB", (double)done / MB);
	fprintf(stderr, ", %.1fx", progress->speed);
	if (buffer >= 0)
		fprintf(stderr, ", drive buffer %d%%", buffer);
	print_left(progress, done, now);
	fputs(progress->line ? "\033[K" : "\n", stderr);
}

void progress_show(struct progress *progress, uint64_t done, int buffer)
{
	uint64_t now = xo_now_ns();
	unsigned int tenths = progress->total ? (unsigned int)(done * 10 / progress->total) : 0;

	if (!progress_due(progress))
		return;
	progress->speed = (double)(done - progress->at_shown) /
			  ((double)(now - progress->shown) / SECOND_NS) / progress->single_speed;
	progress->shown = now;
	progress->at_shown = done;
	if (!progress->line && tenths <= progress->tenths)
		return; /* a log is not a terminal: ten lines are enough */
	progress->tenths = tenths;
	print(progress, done, buffer, now);
}

void progress_step(void *priv, const char *what, unsigned int done)
{
	struct progress *progress = priv;

	if (progress->silent || !progress->line)
		return;
	fprintf(stderr, "\r%s: %5.1f%%\033[K", what, 100.0 * done / 65536);
}

double progress_end(struct progress *progress)
{
	double seconds = (double)(xo_now_ns() - progress->started) / SECOND_NS;

	if (!progress->silent && progress->line)
		fputs("\r\033[K", stderr);
	return seconds < 0.001 ? 0.001 : seconds;
}
