/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line that tells how far a burn or a read has come. */
#ifndef XO_GUEST_PROGRESS_H
#define XO_GUEST_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *verb; /* "burning" */
	uint64_t total; /* bytes; 0: not known */
	unsigned int single_speed; /* bytes a second at 1x */
	bool silent; /* --json, --quiet */
	bool line; /* a terminal: one line, rewritten */
	uint64_t started, shown; /* ns */
	uint64_t at_shown; /* bytes then */
	double speed; /* x, of late */
	unsigned int tenths; /* of the whole told so far, where there is no terminal */
};

void progress_start(struct progress *progress, const char *verb, uint64_t total,
		    unsigned int single_speed, bool silent);
/* `done` bytes; `buffer` is how full the drive's is in percent, -1: not known. Shows at most twice a second. */
void progress_show(struct progress *progress, uint64_t done, int buffer);
/* True when it is time for progress_show() to be shown. */
bool progress_due(const struct progress *progress);
/* Another step of the work, without bytes: "closing"; `done` of 65536. For drive_finish(). */
void progress_step(void *progress, const char *what, unsigned int done);
/* Ends the line. Seconds since the start, at least one millisecond. */
double progress_end(struct progress *progress);

#endif
