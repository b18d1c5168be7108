/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting by ptrace: single steps and system call stops; see count.h. */
#include "count.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

#define THREADS_MAX 16

struct thread {
	pid_t tid;
	uint64_t at; /* its last instruction */
	bool in_syscall;
};

static int for_each_thread(pid_t pid, void (*each)(pid_t tid, void *priv), void *priv)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			each(atoi(entry->d_name), priv);
	closedir(dir);
	return 0;
}

struct tracer {
	struct thread threads[THREADS_MAX];
	unsigned int count;
	bool instructions;
	struct counts *counts;
};

static void seize(pid_t tid, void *priv)
{
	struct tracer *tracer = priv;

	if (tracer->count == THREADS_MAX || ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) < 0)
		return;
	tracer->threads[tracer->count++] = (struct thread){ .tid = tid };
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
}

static struct thread *find(struct tracer *tracer, pid_t tid)
{
	for (unsigned int i = 0; i < tracer->count; i++)
		if (tracer->threads[i].tid == tid)
			return &tracer->threads[i];
	return NULL;
}

static void count_step(struct tracer *tracer, struct thread *thread)
{
	uint64_t at = (uint64_t)ptrace(PTRACE_PEEKUSER, thread->tid,
				       offsetof(struct user_regs_struct, rip), 0);

	if (at == thread->at)
		tracer->counts->repeats++;
	else
		tracer->counts->instructions++;
	thread->at = at;
}

static void count_syscall(struct tracer *tracer, struct thread *thread)
{
	uint64_t number;

	thread->in_syscall = !thread->in_syscall;
	if (!thread->in_syscall)
		return;
	number = (uint64_t)ptrace(PTRACE_PEEKUSER, thread->tid,
				  offsetof(struct user_regs_struct, orig_rax), 0);
	tracer->counts->syscalls++;
	if (number < COUNT_SYSCALLS)
		tracer->counts->by_number[number]++;
}

static volatile sig_atomic_t ending;

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

/* What a stop means; returns the signal to deliver. */
static int stopped(struct tracer *tracer, struct thread *thread, int status)
{
	const int stop = WSTOPSIG(status);

	if (status >> 16 == PTRACE_EVENT_STOP)
		return 0; /* our own interruption */
	if (stop == (SIGTRAP | 0x80))
		count_syscall(tracer, thread);
	else if (stop == SIGTRAP)
		count_step(tracer, thread);
	else
		return stop;
	return 0;
}

/* The trap of a step that ended in the kernel may wait behind our interruption. */
static bool trap_waits(pid_t tid)
{
	struct __ptrace_peeksiginfo_args first = { .nr = 1 };
	siginfo_t info;

	return ptrace(PTRACE_PEEKSIGINFO, tid, &first, &info) == 1 && info.si_signo == SIGTRAP;
}

/* Runs until SIGUSR1, then lets go of its threads one by one: a step that is left over would kill. */
static void trace(struct tracer *tracer)
{
	unsigned int left = tracer->count;
	bool interrupted = false;

	while (left) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);
		struct thread *thread = tid > 0 ? find(tracer, tid) : NULL;
		int deliver;

		if (ending && !interrupted) {
			for (unsigned int i = 0; i < tracer->count; i++)
				ptrace(PTRACE_INTERRUPT, tracer->threads[i].tid, 0, 0);
			interrupted = true;
		}
		if (tid < 0 && errno == ECHILD)
			break;
		if (!thread)
			continue;
		if (!WIFSTOPPED(status)) {
			left--;
			continue;
		}
		deliver = stopped(tracer, thread, status);
		if (interrupted && trap_waits(tid)) {
			ptrace(PTRACE_CONT, tid, 0, 0);
		} else if (interrupted) { /* any stop will do: it takes the interruption's place */
			ptrace(PTRACE_DETACH, tid, 0, deliver);
			left--;
		} else {
			ptrace(tracer->instructions ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, tid, 0,
			       deliver);
		}
	}
	_exit(0);
}

int count_begin(struct counter *counter, pid_t pid, bool instructions)
{
	int ready[2];
	char byte;

	counter->shared = mmap(NULL, sizeof(*counter->shared), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counter->shared == MAP_FAILED || pipe(ready) < 0)
		return -errno;
	counter->tracer = fork();
	if (counter->tracer < 0)
		return -errno;
	if (!counter->tracer) {
		struct tracer tracer = { .instructions = instructions, .counts = counter->shared };

		const struct sigaction on_end = { .sa_handler = end }; /* waitpid ends with it */

		sigaction(SIGUSR1, &on_end, NULL);
		close(ready[0]);
		for_each_thread(pid, seize, &tracer);
		byte = tracer.count ? '+' : '-';
		if (write(ready[1], &byte, 1) != 1 || !tracer.count)
			_exit(1);
		trace(&tracer);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1 || byte != '+') {
		close(ready[0]);
		return -EPERM;
	}
	close(ready[0]);
	return 0;
}

void count_end(struct counter *counter, struct counts *counts)
{
	int status;

	/* More than once: the first may come just before it sleeps. */
	do {
		kill(counter->tracer, SIGUSR1);
		usleep(5000);
	} while (waitpid(counter->tracer, &status, WNOHANG) == 0);
	*counts = *counter->shared;
	munmap(counter->shared, sizeof(*counter->shared));
}

static void add_sleeps(pid_t tid, void *priv)
{
	static const char field[] = "voluntary_ctxt_switches:";
	uint64_t *sum = priv;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, sizeof(field) - 1))
			*sum += strtoull(line + sizeof(field) - 1, NULL, 10);
	fclose(file);
}

uint64_t count_sleeps(pid_t pid)
{
	uint64_t sum = 0;

	for_each_thread(pid, add_sleeps, &sum);
	return sum;
}

const char *count_syscall_name(unsigned int number)
{
	static char name[32];
	char *found = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);

	snprintf(name, sizeof(name), "%s", found ? found : "?");
	free(found);
	return name;
}
