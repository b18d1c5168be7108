/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sandbox: what is on the list works, what is not kills, and nothing is left to climb back with. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/sandbox.h"

static const unsigned long test_ioctls[] = { FIONREAD };
static const struct xo_sandbox sandbox = {
	.user = "nobody",
	.ioctls = test_ioctls,
	.ioctl_count = 1,
};

/* Enters the sandbox in a child and lets it do `act`; how it ended. */
static int in_sandbox(void (*act)(int fd))
{
	int status;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (xo_sandbox_enter(&sandbox))
			_exit(99);
		act(fds[1]);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fds[0]);
	close(fds[1]);
	return status;
}

static void do_allowed(int fd)
{
	int n;

	if (write(fd, "x", 1) != 1 || ioctl(fd, FIONREAD, &n) < 0)
		_exit(2);
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		_exit(3);
}

static void do_socket(int fd)
{
	(void)fd;
	socket(AF_UNIX, SOCK_STREAM, 0);
}

static void do_execute(int fd)
{
	(void)fd;
	execl("/bin/true", "true", (char *)NULL);
}

static void do_other_ioctl(int fd)
{
	ioctl(fd, FIOCLEX);
}

static void do_executable_memory(int fd)
{
	(void)fd;
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_setuid(int fd)
{
	(void)fd;
	if (setuid(0) == 0)
		_exit(0);
}

static void the_list_is_kept(void **state)
{
	static void (*const forbidden[])(int fd) = {
		do_socket, do_execute, do_other_ioctl, do_executable_memory, do_setuid,
	};
	int status = in_sandbox(do_allowed);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < XO_ARRAY_SIZE(forbidden); i++) {
		status = in_sandbox(forbidden[i]);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("forbidden call %zu ended with status %x", i, status);
	}
}

/* The value of a line of /proc/PID/status. */
static unsigned long status_value(pid_t pid, const char *name, int base)
{
	char path[64];
	char line[256];
	unsigned long value = ~0ul;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name), NULL, base);
	fclose(f);
	return value;
}

static void nothing_is_kept(void **state)
{
	int up[2];
	int down[2];
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	if (pid == 0) {
		if (xo_sandbox_enter(&sandbox) || write(up[1], "x", 1) != 1)
			_exit(99);
		_exit(read(down[0], &c, 1) != 1);
	}
	assert_int_equal(read(up[0], &c, 1), 1);
	assert_int_equal(status_value(pid, "Seccomp:", 10), 2);
	assert_int_equal(status_value(pid, "NoNewPrivs:", 10), 1);
	assert_int_equal(status_value(pid, "CapEff:", 16), 0);
	assert_int_equal(status_value(pid, "CapPrm:", 16), 0);
	if (geteuid() == 0) {
		assert_int_not_equal(status_value(pid, "Uid:", 10), 0);
		assert_int_equal(status_value(pid, "CapBnd:", 16), 0);
	}
	assert_int_equal(write(down[1], "x", 1), 1);
	waitpid(pid, NULL, 0);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
}

static void others_are_closed(void **state)
{
	int kept = open("/dev/null", O_RDONLY);
	int other = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(xo_close_others(&kept, 1), 0);
	assert_int_not_equal(fcntl(kept, F_GETFD), -1);
	assert_int_equal(fcntl(other, F_GETFD), -1);
	close(kept);
}

static void *nothing(void *arg)
{
	return arg;
}

/* What the launcher does all day still works. */
static void do_what_is_left(void)
{
	pthread_t thread;
	int status, fds[2];
	pid_t pid;

	if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
		_exit(2);
	if (pipe(fds) || socket(AF_UNIX, SOCK_SEQPACKET, 0) < 0 ||
	    socket(AF_NETLINK, SOCK_RAW, 0) < 0)
		_exit(3);
	pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		_exit(4);
	if (fchmod(open("/dev/null", O_RDONLY), 0666) == 0 && geteuid() != 0)
		_exit(5);
}

static const char *forbidden_thing(void)
{
	struct sched_param param = { .sched_priority = 1 };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec now = { 0 };
	const char too_long[200] = { 0 };
	char name[] = "/tmp/xenoptic-restrict-XXXXXX";
	int file = mkstemp(name);

	unlink(name);
#define REFUSED(call, error) (errno = 0, (call) == -1 && errno == (error))
	if (!REFUSED(socket(AF_INET, SOCK_STREAM, 0), EAFNOSUPPORT))
		return "socket(AF_INET)";
	if (!REFUSED(socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT))
		return "socket(AF_PACKET)";
	if (!REFUSED(socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT))
		return "socket(AF_VSOCK)";
	if (!REFUSED(unshare(CLONE_NEWUSER), EPERM) || !REFUSED(unshare(CLONE_NEWNS), EPERM))
		return "unshare";
	if (!REFUSED(mount("none", "/nowhere", "tmpfs", 0, NULL), EPERM))
		return "mount"; /* ENOENT without the filter */
	if (!REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC), EPERM))
		return "mprotect";
	if (mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		return "mmap";
	if (!REFUSED(fchmod(file, 04755), EPERM) || !REFUSED(fchmod(file, 02755), EPERM))
		return "fchmod";
	if (fchmod(file, 0755))
		return "fchmod that is allowed";
	if (!REFUSED(sched_setscheduler(0, SCHED_FIFO, &param), EPERM))
		return "sched_setscheduler";
	if (!REFUSED((int)personality(0xffffffff), EPERM))
		return "personality";
	/* Not allowed to root of a container either; there only the order of checks tells. */
	if (!REFUSED(clock_settime(CLOCK_MONOTONIC, &now), EPERM))
		return "clock_settime"; /* EINVAL without the filter */
	if (!REFUSED(sethostname(too_long, sizeof(too_long)), EPERM))
		return "sethostname"; /* EINVAL without it */
#undef REFUSED
	return NULL;
}

static void what_is_forbidden(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		const char *wrong;

		if (xo_restrict())
			_exit(99);
		do_what_is_left();
		wrong = forbidden_thing();
		if (wrong) {
			fprintf(stderr, "not refused: %s\n", wrong);
			_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_is_kept),
		cmocka_unit_test(nothing_is_kept),
		cmocka_unit_test(others_are_closed),
		cmocka_unit_test(what_is_forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
