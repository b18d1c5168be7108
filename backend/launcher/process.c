/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes by pid and start time, by what is in their environment; checks of fetched descriptors. */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* State letter and start time. The name in parentheses may hold anything, so from the last ')'. */
static int read_stat(pid_t pid, char *state, uint64_t *start_time)
{
	size_t length;
	char *text = read_proc(pid, "stat", 4096, &length);
	char *after = text ? strrchr(text, ')') : NULL;
	int r = after && sscanf(after + 1,
				" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
				"%*d %*d %*d %*d %*d %" SCNu64,
				state, start_time) == 2
			? 0
			: -ESRCH;

	free(text);
	return r;
}

int xo_process_start_time(pid_t pid, uint64_t *start_time)
{
	char state;

	return read_stat(pid, &state, start_time);
}

int xo_process_open(pid_t pid, uint64_t start_time)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t found;
	char state;

	if (fd < 0)
		return -errno;
	/* The pid cannot be given to another process unseen: it is looked at while we hold the pidfd. */
	if (read_stat(pid, &state, &found) || found != start_time || state == 'Z' || state == 'X') {
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

int xo_process_check_control(int fd)
{
	int domain = 0;
	int type = 0;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -EPROTO;
	return domain == AF_UNIX && type == SOCK_SEQPACKET ? 0 : -EPROTO;
}

int xo_process_check_memory(int fd, size_t size)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	int r = fcntl(fd, F_GET_SEALS);

	if (r < 0 || (r & seals) != seals || fstat(fd, &st) < 0)
		return -EPROTO;
	return st.st_size >= 0 && (size_t)st.st_size == size ? 0 : -EPROTO;
}
