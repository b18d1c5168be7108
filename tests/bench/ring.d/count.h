/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts what another process does, by ptrace and /proc: works where no counter of the CPU does. */
#ifndef XO_BENCH_COUNT_H
#define XO_BENCH_COUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNT_SYSCALLS 512

struct counts {
	uint64_t instructions; /* a repeated string instruction is one */
	uint64_t repeats; /* its further repetitions: bytes or words that it copied */
	uint64_t syscalls;
	uint32_t by_number[COUNT_SYSCALLS];
};

struct counter {
	pid_t tracer;
	struct counts *shared;
};

/*
 * Begins to count in all threads of `pid`: system calls, or (slowly) user
 * instructions. count_end gives what was counted, and lets the process go.
 */
int count_begin(struct counter *counter, pid_t pid, bool instructions);
void count_end(struct counter *counter, struct counts *counts);

/* Times that the process's threads went to sleep until now: each is a wake-up later. */
uint64_t count_sleeps(pid_t pid);

const char *count_syscall_name(unsigned int number);

#endif
