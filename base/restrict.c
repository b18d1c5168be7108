/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the launcher never does, as one filter; see base/sandbox.h. systemd's
 * settings for the same are a filter each, for each of three architectures, and
 * the launcher's workers inherit them: thirty-odd programs at every ioctl of a
 * worker, some thousand instructions, where this is one.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/sandbox.h"

#ifdef __SANITIZE_ADDRESS__
#define LEAK_CHECK true /* which stops its process by ptrace */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAK_CHECK true
#endif
#endif
#ifndef LEAK_CHECK
#define LEAK_CHECK false
#endif

static const int forbidden[] = {
	/* the clock */
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(clock_settime),
	SCMP_SYS(settimeofday),
	/* the kernel, its modules, keys, log and name */
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(bpf),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(add_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(request_key),
	SCMP_SYS(syslog),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(acct),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	/* file systems, and another view of them */
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fspick),
	SCMP_SYS(chroot),
	SCMP_SYS(pivot_root),
	SCMP_SYS(quotactl),
	/* other processes' insides, ports, and what is obsolete */
	SCMP_SYS(perf_event_open),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(personality),
	SCMP_SYS(uselib),
	SCMP_SYS(ustat),
	SCMP_SYS(sysfs),
	SCMP_SYS(nfsservctl),
	SCMP_SYS(vserver),
	SCMP_SYS(setns),
};

/* One with an argument whose bits under a mask are those of a value. */
struct bits {
	int syscall;
	unsigned int argument;
	uint64_t mask, value;
};

#define WX (PROT_WRITE | PROT_EXEC)

static const struct bits forbidden_bits[] = {
	/* memory that can be written and executed, or becomes executable */
	{ SCMP_SYS(mmap), 2, WX, WX },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, PROT_EXEC },
	{ SCMP_SYS(pkey_mprotect), 2, PROT_EXEC, PROT_EXEC },
	{ SCMP_SYS(shmat), 2, SHM_EXEC, SHM_EXEC },
	/* namespaces */
	{ SCMP_SYS(clone), 0, CLONE_NEWNS, CLONE_NEWNS },
	{ SCMP_SYS(clone), 0, CLONE_NEWCGROUP, CLONE_NEWCGROUP },
	{ SCMP_SYS(clone), 0, CLONE_NEWUTS, CLONE_NEWUTS },
	{ SCMP_SYS(clone), 0, CLONE_NEWIPC, CLONE_NEWIPC },
	{ SCMP_SYS(clone), 0, CLONE_NEWUSER, CLONE_NEWUSER },
	{ SCMP_SYS(clone), 0, CLONE_NEWPID, CLONE_NEWPID },
	{ SCMP_SYS(clone), 0, CLONE_NEWNET, CLONE_NEWNET },
	{ SCMP_SYS(unshare), 0, CLONE_NEWNS, CLONE_NEWNS },
	{ SCMP_SYS(unshare), 0, CLONE_NEWCGROUP, CLONE_NEWCGROUP },
	{ SCMP_SYS(unshare), 0, CLONE_NEWUTS, CLONE_NEWUTS },
	{ SCMP_SYS(unshare), 0, CLONE_NEWIPC, CLONE_NEWIPC },
	{ SCMP_SYS(unshare), 0, CLONE_NEWUSER, CLONE_NEWUSER },
	{ SCMP_SYS(unshare), 0, CLONE_NEWPID, CLONE_NEWPID },
	{ SCMP_SYS(unshare), 0, CLONE_NEWNET, CLONE_NEWNET },
	{ SCMP_SYS(unshare), 0, 0x80 /* CLONE_NEWTIME */, 0x80 },
	/* programs that run as their owner */
	{ SCMP_SYS(chmod), 1, S_ISUID, S_ISUID },
	{ SCMP_SYS(chmod), 1, S_ISGID, S_ISGID },
	{ SCMP_SYS(fchmod), 1, S_ISUID, S_ISUID },
	{ SCMP_SYS(fchmod), 1, S_ISGID, S_ISGID },
	{ SCMP_SYS(fchmodat), 2, S_ISUID, S_ISUID },
	{ SCMP_SYS(fchmodat), 2, S_ISGID, S_ISGID },
	{ SCMP_SYS(mknod), 1, S_ISUID, S_ISUID },
	{ SCMP_SYS(mknod), 1, S_ISGID, S_ISGID },
	{ SCMP_SYS(mknodat), 2, S_ISUID, S_ISUID },
	{ SCMP_SYS(mknodat), 2, S_ISGID, S_ISGID },
	{ SCMP_SYS(mkdir), 1, S_ISUID, S_ISUID },
	{ SCMP_SYS(mkdir), 1, S_ISGID, S_ISGID },
	{ SCMP_SYS(mkdirat), 2, S_ISUID, S_ISUID },
	{ SCMP_SYS(mkdirat), 2, S_ISGID, S_ISGID },
	{ SCMP_SYS(creat), 1, S_ISUID, S_ISUID },
	{ SCMP_SYS(creat), 1, S_ISGID, S_ISGID },
	{ SCMP_SYS(open), 2, S_ISUID, S_ISUID },
	{ SCMP_SYS(open), 2, S_ISGID, S_ISGID },
	{ SCMP_SYS(openat), 3, S_ISUID, S_ISUID },
	{ SCMP_SYS(openat), 3, S_ISGID, S_ISGID },
};

/* Their arguments are in memory, where no filter sees them; the C library knows how to do without. */
static const int unknown[] = { SCMP_SYS(clone3), SCMP_SYS(openat2) };

/* A call whose argument compares so to a datum; to be masked, the datum is the mask, and value what must be left. */
static int forbid(scmp_filter_ctx filter, int error, int syscall, unsigned int argument,
		  enum scmp_compare op, uint64_t datum, uint64_t value)
{
	const struct scmp_arg_cmp compare = {
		.arg = argument,
		.op = op,
		.datum_a = datum,
		.datum_b = value,
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned int)error), syscall, 1,
				      &compare);
}

static int forbid_bits(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; !r && i < XO_ARRAY_SIZE(forbidden_bits); i++) {
		const struct bits *b = &forbidden_bits[i];

		r = forbid(filter, EPERM, b->syscall, b->argument, SCMP_CMP_MASKED_EQ, b->mask,
			   b->value);
	}
	return r;
}

/* Sockets are those of this machine and the kernel's. */
static int forbid_families(scmp_filter_ctx filter)
{
	const int socket = SCMP_SYS(socket);
	int r = forbid(filter, EAFNOSUPPORT, socket, 0, SCMP_CMP_LT, AF_UNIX, 0);

	for (unsigned int family = AF_UNIX + 1; !r && family < AF_NETLINK; family++)
		r = forbid(filter, EAFNOSUPPORT, socket, 0, SCMP_CMP_EQ, family, 0);
	return r ? r : forbid(filter, EAFNOSUPPORT, socket, 0, SCMP_CMP_GT, AF_NETLINK, 0);
}

/* Nothing runs by a real-time policy. */
static int forbid_policies(scmp_filter_ctx filter)
{
	const int scheduler = SCMP_SYS(sched_setscheduler);
	int r = forbid(filter, EPERM, scheduler, 1, SCMP_CMP_EQ, SCHED_FIFO, 0);

	if (!r)
		r = forbid(filter, EPERM, scheduler, 1, SCMP_CMP_EQ, SCHED_RR, 0);
	if (!r)
		r = forbid(filter, EPERM, scheduler, 1, SCMP_CMP_GT, SCHED_IDLE, 0);
	return r ? r : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sched_setattr), 0);
}

static int forbid_all(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; !r && i < XO_ARRAY_SIZE(forbidden); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
	for (size_t i = 0; !r && i < XO_ARRAY_SIZE(unknown); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), unknown[i], 0);
	if (!r && !LEAK_CHECK)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ptrace), 0);
	if (!r)
		r = forbid_bits(filter);
	if (!r)
		r = forbid_families(filter);
	return r ? r : forbid_policies(filter);
}

int xo_restrict(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	/* A tree: the ioctl of a worker is looked for as well. */
	if (!r)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* Another architecture's numbers mean other calls. */
	if (!r)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!r)
		r = forbid_all(filter);
	if (!r)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	if (r)
		xo_error("the filter of system calls was refused: %d", r);
	return r;
}
