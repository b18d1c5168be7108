/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker gives up before the first byte that a guest controls: user,
 * capabilities, and every system call that is not on its list.
 */
#ifndef XO_BASE_SANDBOX_H
#define XO_BASE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

struct xo_sandbox {
	const char *user; /* to become; NULL or without root: nobody is changed */
	uint64_t keep_caps; /* 1 << CAP_…, kept permitted and effective */
	const int *syscalls; /* SCMP_SYS(…), beside those that every worker has (see sandbox.c) */
	size_t syscall_count;
	const unsigned long *ioctls; /* request numbers allowed; none: no ioctl at all */
	size_t ioctl_count;
	/*
	 * Called between the change of user and the filter (NULL: not), for threads: capabilities
	 * are a thread's own, so one that was started before would have kept them, while the
	 * filter reaches all. Not 0: the sandbox is not entered.
	 */
	int (*start_threads)(void *priv);
	void *priv;
};

/*
 * Enters it: no new privileges, no dumps, uid and groups, capabilities, then
 * the filter (all threads); a call off the list kills the process. Every
 * descriptor that is not needed was closed by the caller. 0 or -errno; after
 * an error the process must end.
 */
int xo_sandbox_enter(const struct xo_sandbox *sandbox);

/*
 * For a process that needs too much for a list of what it may do: forbids it and
 * all that it starts what it never does. Clocks, modules, mounts, namespaces,
 * other processes' memory, executable memory that is written, set-user-ID files,
 * real-time policies, sockets but AF_UNIX and AF_NETLINK and the like fail with
 * EPERM, EAFNOSUPPORT or ENOSYS; another architecture's call kills. Before the
 * first thread. 0 or -errno.
 */
int xo_restrict(void);

/* Closes every descriptor above 2 that is not in keep[0..count). */
int xo_close_others(const int *keep, size_t count);

#endif
