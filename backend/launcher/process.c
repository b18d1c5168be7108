/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes by pid and start time, and by what is in their environment. */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker_private.h"

#define ENVIRONMENT_MAX (256u << 10)

/* The whole of a small /proc file; the caller frees. NULL: none. */
static char *read_proc(pid_t pid, const char *name, size_t max, size_t *length)
{
	char path[64];
	char *text;
	ssize_t n;
	size_t at = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	text = malloc(max + 1);
	while (text && at < max && (n = read(fd, text + at, max - at)) > 0)
		at += (size_t)n;
	close(fd);
	if (text)
		text[at] = '\0';
	*length = at;
	return text;
}

/* The name in parentheses may hold anything, so from the last ')'. */
int xo_process_start_time(pid_t pid, uint64_t *start_time)
{
	size_t length;
	char *text = read_proc(pid, "stat", 4096, &length);
	char *after = text ? strrchr(text, ')') : NULL;
	int r = after && sscanf(after + 1,
				" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
				"%*d %*d %*d %*d %*d %" SCNu64,
				start_time) == 1
			? 0
			: -ESRCH;

	free(text);
	return r;
}

/* All its threads: one may wait for a drive when the first is a zombie already (state Z in /proc). */
static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

int xo_process_open(pid_t pid, uint64_t start_time)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t found;

	if (fd < 0)
		return -errno;
	/* The pid cannot be given to another process unseen: it is looked at while we hold the pidfd. */
	if (xo_process_start_time(pid, &found) || found != start_time || has_ended(fd)) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

static bool has_cookie(pid_t pid, const char *cookie)
{
	char wanted[sizeof(XO_WORKER_COOKIE) + 64];
	size_t length;
	char *text = read_proc(pid, "environ", ENVIRONMENT_MAX, &length);
	bool found = false;

	if (!text)
		return false;
	snprintf(wanted, sizeof(wanted), "%s=%s", XO_WORKER_COOKIE, cookie);
	for (size_t at = 0; at < length && !found; at += strlen(text + at) + 1)
		found = !strcmp(text + at, wanted);
	free(text);
	return found;
}

pid_t xo_process_find(const char *cookie, uint64_t *start_time)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t found = -ESRCH;

	if (!dir)
		return -errno;
	while (found < 0 && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && has_cookie(pid, cookie) &&
		    !xo_process_start_time(pid, start_time))
			found = pid;
	}
	closedir(dir);
	return found;
}
