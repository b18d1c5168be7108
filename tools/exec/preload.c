// SPDX-License-Identifier: GPL-2.0-or-later
/* Which paths and which descriptors of the program are the device's. */
#include "exec/preload.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define MARKS 65536 /* descriptors above are always asked */
#define SCSI_CDROM_MAJOR 11
#define LINK_PATH "/dev/cdrom"

static struct {
	bool on;
	char socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char root[XO_PRE_PATH_MAX];
	char device[64];
	const char *base; /* in `device`, after the last slash */
	unsigned int minor;
	dev_t dev; /* of the folder that the device seems to lie in */
} pre;

static _Atomic uint8_t marks[MARKS / 8];
static pthread_once_t once = PTHREAD_ONCE_INIT;

void *xo_pre_next(void **slot, const char *name)
{
	void *function = __atomic_load_n(slot, __ATOMIC_RELAXED);

	if (!function) {
		function = dlsym(RTLD_NEXT, name);
		if (!function)
			abort(); /* no such function in the C library: cannot be, the program linked it */
		__atomic_store_n(slot, function, __ATOMIC_RELAXED);
	}
	return function;
}

/* After exec, descriptors of ours may be open already. */
static void mark_inherited(void)
{
	struct dirent *entry;
	DIR *dir;

	dir = opendir("/proc/self/fd");
	if (!dir) {
		memset((void *)(uintptr_t)marks, 0xff, sizeof(marks));
		return;
	}
	while ((entry = readdir(dir)))
		xo_pre_mark(atoi(entry->d_name));
	closedir(dir);
}

static void initialise(void)
{
	const char *dir = getenv(XO_EXEC_ENV_DIR), *device = getenv(XO_EXEC_ENV_DEVICE);
	int saved = errno;
	struct stat st;

	if (!dir || !device || device[0] != '/' || strlen(device) >= sizeof(pre.device) ||
	    strlen(dir) + sizeof("/" XO_EXEC_SOCKET) > sizeof(pre.socket))
		return;
	strcpy(pre.device, device);
	pre.base = strrchr(pre.device, '/') + 1;
	pre.minor = (unsigned int)atoi(pre.base + strcspn(pre.base, "0123456789"));
	(void)snprintf(pre.socket, sizeof(pre.socket), "%s/" XO_EXEC_SOCKET, dir);
	(void)snprintf(pre.root, sizeof(pre.root), "%s/" XO_EXEC_ROOT, dir);
	pre.dev = XO_NEXT(stat)("/dev", &st) == 0 ? st.st_dev : 0;
	mark_inherited();
	pre.on = true;
	errno = saved;
}

static bool on(void)
{
	pthread_once(&once, initialise);
	return pre.on;
}

const char *xo_pre_device(void)
{
	return pre.device;
}

unsigned int xo_pre_minor(void)
{
	return pre.minor;
}

const char *xo_pre_socket(void)
{
	return on() ? pre.socket : NULL;
}

void xo_pre_mark(int fd)
{
	if (fd >= 0 && fd < MARKS)
		atomic_fetch_or(&marks[fd / 8], (uint8_t)(1u << fd % 8));
}

bool xo_pre_marked(int fd)
{
	if (fd < 0 || !on())
		return false;
	return fd >= MARKS || atomic_load(&marks[fd / 8]) & 1u << fd % 8;
}

static void unmark(int fd)
{
	if (fd < MARKS)
		atomic_fetch_and(&marks[fd / 8], (uint8_t) ~(1u << fd % 8));
}

/* A file is known by whom it is connected to, and its number by its own name (protocol.h). */
int64_t xo_pre_file(int fd)
{
	struct sockaddr_un peer = { 0 }, name = { 0 };
	socklen_t peer_length = sizeof(peer), name_length = sizeof(name);
	char digits[6] = "";
	int saved = errno;

	if (!xo_pre_marked(fd))
		return -1;
	if (xo_pre_own(fd) || getpeername(fd, (struct sockaddr *)&peer, &peer_length) < 0 ||
	    peer.sun_family != AF_UNIX ||
	    strncmp(peer.sun_path, pre.socket, sizeof(peer.sun_path)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&name, &name_length) < 0 ||
	    name_length != offsetof(struct sockaddr_un, sun_path) + 6) {
		unmark(fd);
		errno = saved;
		return -1;
	}
	memcpy(digits, name.sun_path + 1, 5);
	return (int64_t)strtoul(digits, NULL, 16);
}

void xo_pre_stat(struct stat *st)
{
	*st = (struct stat){
		.st_dev = pre.dev,
		.st_ino = 11 << 8 | pre.minor,
		.st_mode = S_IFBLK | 0660,
		.st_nlink = 1,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_rdev = makedev(SCSI_CDROM_MAJOR, pre.minor),
		.st_blksize = 4096,
	};
}

/* Writes the absolute form of `path` with doubled slashes and "/./" taken out. False: too long. */
static bool absolute(int dirfd, const char *path, char *full)
{
	char link[32];
	ssize_t n = 0;
	size_t at = 0;

	if (path[0] != '/') {
		(void)snprintf(link, sizeof(link),
			       dirfd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dirfd);
		n = XO_NEXT(readlink)(link, full, XO_PRE_PATH_MAX - 2);
		if (n <= 0)
			return false;
		at = (size_t)n;
		if (full[at - 1] != '/')
			full[at++] = '/';
	}
	for (const char *p = path; *p; p++) {
		if (*p == '/' && at > 0 && full[at - 1] == '/')
			continue;
		if (p[0] == '.' && p[1] == '/' && at > 0 && full[at - 1] == '/')
			continue;
		if (at + 1 >= XO_PRE_PATH_MAX)
			return false;
		full[at++] = *p;
	}
	full[at] = '\0';
	return true;
}

/* "/dev/fd/3": growisofs hands its drive to mkisofs by that name. */
static bool names_our_fd(const char *path)
{
	static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		size_t n = strlen(folders[i]);

		if (strncmp(path, folders[i], n) == 0 && path[n] >= '0' && path[n] <= '9')
			return xo_pre_file(atoi(path + n)) >= 0;
	}
	return false;
}

/* A file that the server shows; a folder only where the machine has none. */
static bool shown_file(const char *path, char *shown)
{
	struct stat st, real;
	int saved = errno, n;
	bool there;

	if (strncmp(path, "/proc/sys/dev/", 14) != 0 && strncmp(path, "/sys/", 5) != 0)
		return false;
	n = snprintf(shown, XO_PRE_PATH_MAX, "%s%s", pre.root, path);
	there = n > 0 && n < XO_PRE_PATH_MAX && XO_NEXT(lstat)(shown, &st) == 0 &&
		(!S_ISDIR(st.st_mode) || XO_NEXT(lstat)(path, &real) < 0);
	errno = saved;
	return there;
}

enum xo_pre_kind xo_pre_path(int dirfd, const char *path, char *shown)
{
	char full[XO_PRE_PATH_MAX] = "";
	const char *last;
	struct stat st;

	if (!path || !on())
		return XO_PRE_OTHER;
	last = strrchr(path, '/');
	if (path[0] != '/' && strcmp(last ? last + 1 : path, pre.base) != 0)
		return XO_PRE_OTHER; /* most relative paths end here, without a system call */
	if (!absolute(dirfd, path, full))
		return XO_PRE_OTHER;
	if (strcmp(full, pre.device) == 0 || names_our_fd(full))
		return XO_PRE_DEVICE;
	if (strcmp(full, LINK_PATH) == 0 && XO_NEXT(lstat)(LINK_PATH, &st) < 0)
		return XO_PRE_LINK;
	return shown_file(full, shown) ? XO_PRE_SHOWN : XO_PRE_OTHER;
}
