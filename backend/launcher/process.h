/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that somebody else started, found and proven by /proc and pidfd. */
#ifndef XO_BACKEND_PROCESS_H
#define XO_BACKEND_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* When it was started, in clock ticks after boot (proc(5), stat, field 22). 0 or -errno. */
int xo_process_start_time(pid_t pid, uint64_t *start_time);

/* A pidfd of just the process that has this pid and start time and has not ended; -ESRCH. */
int xo_process_open(pid_t pid, uint64_t start_time);

/* The process with XENOPTIC_WORKER=cookie in its environment, and its start time; -ESRCH. */
pid_t xo_process_find(const char *cookie, uint64_t *start_time);

#endif
