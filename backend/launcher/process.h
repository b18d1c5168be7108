/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that somebody else started, found and proven by /proc and pidfd. */
#ifndef XO_BACKEND_PROCESS_H
#define XO_BACKEND_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* When it was started, in clock ticks after boot (proc(5), stat, field 22). 0 or -errno. */
int xo_process_start_time(pid_t pid, uint64_t *start_time);

/* A pidfd of just the process that has this pid and start time and is no zombie; -ESRCH. */
int xo_process_open(pid_t pid, uint64_t start_time);

/* The process with XENOPTIC_WORKER=cookie in its environment, and its start time; -ESRCH. */
pid_t xo_process_find(const char *cookie, uint64_t *start_time);

/* The descriptor is what it must be: one end of a SEQPACKET pair. 0 or -EPROTO. */
int xo_process_check_control(int fd);

/* … a memfd of that size, sealed against shrinking and growing. 0 or -EPROTO. */
int xo_process_check_memory(int fd, size_t size);

#endif
