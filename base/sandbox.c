/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up user, capabilities and system calls; see base/sandbox.h. */
#include "base/sandbox.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

/*
 * What every worker needs: its loop, its channels, its log, memory, and an
 * orderly end. None of these reaches anything that is not already open.
 */
static const int common_syscalls[] = {
	SCMP_SYS(read),		  SCMP_SYS(write),	     SCMP_SYS(close),
	SCMP_SYS(epoll_wait),	  SCMP_SYS(epoll_pwait),     SCMP_SYS(epoll_ctl),
	SCMP_SYS(sendto),	  SCMP_SYS(recvfrom),	     SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),	  SCMP_SYS(munmap),	     SCMP_SYS(brk),
	SCMP_SYS(futex),	  SCMP_SYS(clock_gettime),   SCMP_SYS(exit),
	SCMP_SYS(exit_group),	  SCMP_SYS(rt_sigreturn),    SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),	  SCMP_SYS(restart_syscall), SCMP_SYS(madvise),
	SCMP_SYS(sched_yield),	  SCMP_SYS(getpid),	     SCMP_SYS(gettid),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(timerfd_settime),
};

#ifdef XO_SANITIZERS_ON
/*
 * The leak check at exit stops the process by ptrace from a helper, which the
 * filter kills: it would wait for it for ever. Leaks are found in the tests
 * that run without a sandbox.
 */
static int sandboxed;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return sandboxed;
}

/* What ASan and UBSan do when they report or grow; only in builds with them. */
static const int sanitizer_syscalls[] = {
	SCMP_SYS(sigaltstack),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(readlink),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(mprotect),
	SCMP_SYS(getuid),
	SCMP_SYS(access),
	SCMP_SYS(tgkill),
	SCMP_SYS(lseek),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(prctl),
	SCMP_SYS(clone),
	SCMP_SYS(wait4),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(pipe2),
	SCMP_SYS(dup2),
	SCMP_SYS(getdents64),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getcwd),
	SCMP_SYS(rseq),
};
#endif

int xo_close_others(const int *keep, size_t count)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		bool kept = fd <= 2 || fd == dirfd(dir);

		for (size_t i = 0; i < count && !kept; i++)
			kept = keep[i] == fd;
		if (!kept)
			close(fd);
	}
	closedir(dir);
	return 0;
}

static int drop_user(const struct xo_sandbox *sandbox)
{
	struct passwd *pw = NULL;
	bool root = geteuid() == 0;

	if (sandbox->user && root) {
		pw = getpwnam(sandbox->user);
		if (!pw) {
			xo_error("sandbox: there is no user %s", sandbox->user);
			return -ENOENT;
		}
	}
	if (!root)
		return 0;
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned int cap = 0; cap < 64; cap++)
		if (sandbox->keep_caps & 1ull << cap &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, cap) < 0)
			return -EINVAL;
	if (pw) {
		if (capng_change_id((int)pw->pw_uid, (int)pw->pw_gid,
				    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0) {
			xo_error("sandbox: cannot become user %s", sandbox->user);
			return -EPERM;
		}
	} else if (capng_apply(CAPNG_SELECT_BOTH) < 0) {
		xo_error("sandbox: cannot drop capabilities");
		return -EPERM;
	}
	return 0;
}

static int add_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);

		if (r)
			return r;
	}
	return 0;
}

/* Memory may be mapped, never made executable. */
static int add_mmap(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
}

static int add_ioctls(scmp_filter_ctx filter, const struct xo_sandbox *sandbox)
{
	for (size_t i = 0; i < sandbox->ioctl_count; i++) {
		int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					 SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu,
						 sandbox->ioctls[i]));

		if (r)
			return r;
	}
	return 0;
}

static int load_filter(const struct xo_sandbox *sandbox)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = -ENOMEM;

	if (!filter)
		return r;
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* The only frequent ones for which the kernel keeps no bitmap, as their arguments count. */
	if (!r)
		r = seccomp_syscall_priority(filter, SCMP_SYS(ioctl), UINT8_MAX);
	if (!r)
		r = add_all(filter, common_syscalls, XO_ARRAY_SIZE(common_syscalls));
	if (!r)
		r = add_all(filter, sandbox->syscalls, sandbox->syscall_count);
#ifdef XO_SANITIZERS_ON
	if (!r)
		r = add_all(filter, sanitizer_syscalls, XO_ARRAY_SIZE(sanitizer_syscalls));
#endif
	if (!r)
		r = add_mmap(filter);
	if (!r)
		r = add_ioctls(filter, sandbox);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

int xo_sandbox_enter(const struct xo_sandbox *sandbox)
{
	struct rlimit none = { 0, 0 };
	int r;

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	r = drop_user(sandbox);
	if (r)
		return r;
	/* After the change of user, which resets it. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
#ifdef XO_SANITIZERS_ON
	sandboxed = 1;
#endif
	r = sandbox->start_threads ? sandbox->start_threads(sandbox->priv) : 0;
	if (r) {
		xo_error("sandbox: cannot start a thread: %d", r);
		return r;
	}
	/* jansson seeds its hash at the first object, from a file that cannot be opened then. */
	json_object_seed(0);
	r = load_filter(sandbox);
	if (r)
		xo_error("sandbox: the system call filter was refused: %d", r);
	return r;
}
