// SPDX-License-Identifier: GPL-2.0-or-later
/* The C library's calls that look at names and what they stand for, with the device in them. */
#include "exec/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINK_TARGET "sr0"

_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one struct stat (64 bits)");

/* How programs linked before glibc 2.33 call stat(2). */
int __xstat(int version, const char *path, struct stat *st);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat(int version, const char *path, struct stat *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstat(int version, int fd, struct stat *st);
int __fxstat64(int version, int fd, struct stat64 *st);
int __fxstatat(int version, int dirfd, const char *path, struct stat *st, int flags);
int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *st, int flags);
/* What fortified programs call. */
char *__realpath_chk(const char *path, char *resolved, size_t size);
ssize_t __readlink_chk(const char *path, char *data, size_t size, size_t limit);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *data, size_t size, size_t limit);
int eaccess(const char *path, int mode);
int euidaccess(const char *path, int mode);

static void link_stat(struct stat *st)
{
	xo_pre_stat(st);
	st->st_mode = S_IFLNK | 0777;
	st->st_rdev = 0;
	st->st_ino++;
	st->st_size = sizeof(LINK_TARGET) - 1;
}

/* True when st was filled in; else *path is what to ask about. */
static bool stat_ours(int dirfd, const char **path, bool follow, char *shown, void *st)
{
	switch (xo_pre_path(dirfd, *path, shown)) {
	case XO_PRE_LINK:
		if (!follow) {
			link_stat(st);
			return true;
		}
		xo_pre_stat(st);
		return true;
	case XO_PRE_DEVICE:
		xo_pre_stat(st);
		return true;
	case XO_PRE_SHOWN:
		*path = shown;
		return false;
	case XO_PRE_OTHER:
	default:
		return false;
	}
}

static bool fstat_ours(int fd, void *st)
{
	if (xo_pre_file(fd) < 0)
		return false;
	xo_pre_stat(st);
	return true;
}

#define STAT(function, type, follow)                                  \
	XO_PRE_EXPORT int function(const char *path, struct type *st) \
	{                                                             \
		char shown[XO_PRE_PATH_MAX];                          \
                                                                      \
		if (stat_ours(AT_FDCWD, &path, follow, shown, st))    \
			return 0;                                     \
		return XO_NEXT(function)(path, st);                   \
	}

#define XSTAT(function, type, follow)                                              \
	XO_PRE_EXPORT int function(int version, const char *path, struct type *st) \
	{                                                                          \
		char shown[XO_PRE_PATH_MAX];                                       \
                                                                                   \
		if (stat_ours(AT_FDCWD, &path, follow, shown, st))                 \
			return 0;                                                  \
		return XO_NEXT(function)(version, path, st);                       \
	}

#define FSTAT(function, type)                                              \
	XO_PRE_EXPORT int function(int fd, struct type *st)                \
	{                                                                  \
		return fstat_ours(fd, st) ? 0 : XO_NEXT(function)(fd, st); \
	}

#define FXSTAT(function, type)                                                      \
	XO_PRE_EXPORT int function(int version, int fd, struct type *st)            \
	{                                                                           \
		return fstat_ours(fd, st) ? 0 : XO_NEXT(function)(version, fd, st); \
	}

#define FSTATAT(function, type)                                                             \
	XO_PRE_EXPORT int function(int dirfd, const char *path, struct type *st, int flags) \
	{                                                                                   \
		char shown[XO_PRE_PATH_MAX];                                                \
                                                                                            \
		if (flags & AT_EMPTY_PATH && path[0] == '\0' && fstat_ours(dirfd, st))      \
			return 0;                                                           \
		if (stat_ours(dirfd, &path, !(flags & AT_SYMLINK_NOFOLLOW), shown, st))     \
			return 0;                                                           \
		return XO_NEXT(function)(dirfd, path, st, flags);                           \
	}

#define FXSTATAT(function, type)                                                              \
	XO_PRE_EXPORT int function(int version, int dirfd, const char *path, struct type *st, \
				   int flags)                                                 \
	{                                                                                     \
		char shown[XO_PRE_PATH_MAX];                                                  \
                                                                                              \
		if (stat_ours(dirfd, &path, !(flags & AT_SYMLINK_NOFOLLOW), shown, st))       \
			return 0;                                                             \
		return XO_NEXT(function)(version, dirfd, path, st, flags);                    \
	}

STAT(stat, stat, true)
STAT(stat64, stat64, true)
STAT(lstat, stat, false)
STAT(lstat64, stat64, false)
XSTAT(__xstat, stat, true)
XSTAT(__xstat64, stat64, true)
XSTAT(__lxstat, stat, false)
XSTAT(__lxstat64, stat64, false)
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)
FXSTAT(__fxstat, stat)
FXSTAT(__fxstat64, stat64)
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)
FXSTATAT(__fxstatat, stat)
FXSTATAT(__fxstatat64, stat64)

static void to_statx(const struct stat *st, struct statx *stx)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st->st_blksize,
		.stx_nlink = (uint32_t)st->st_nlink,
		.stx_uid = st->st_uid,
		.stx_gid = st->st_gid,
		.stx_mode = (uint16_t)st->st_mode,
		.stx_ino = st->st_ino,
		.stx_size = (uint64_t)st->st_size,
		.stx_rdev_major = major(st->st_rdev),
		.stx_rdev_minor = minor(st->st_rdev),
		.stx_dev_major = major(st->st_dev),
		.stx_dev_minor = minor(st->st_dev),
	};
}

XO_PRE_EXPORT int statx(int dirfd, const char *path, int flags, unsigned int mask,
			struct statx *stx)
{
	char shown[XO_PRE_PATH_MAX];
	struct stat st;

	if ((flags & AT_EMPTY_PATH && path[0] == '\0' && fstat_ours(dirfd, &st)) ||
	    stat_ours(dirfd, &path, !(flags & AT_SYMLINK_NOFOLLOW), shown, &st)) {
		to_statx(&st, stx);
		return 0;
	}
	return XO_NEXT(statx)(dirfd, path, flags, mask, stx);
}

/* 1: not ours, ask about *path; else the result. */
static int access_ours(int dirfd, const char **path, int mode, char *shown)
{
	switch (xo_pre_path(dirfd, *path, shown)) {
	case XO_PRE_DEVICE:
	case XO_PRE_LINK:
		if (mode & X_OK)
			XO_FAIL(EACCES);
		return 0;
	case XO_PRE_SHOWN:
		*path = shown;
		return 1;
	case XO_PRE_OTHER:
	default:
		return 1;
	}
}

#define ACCESS(function)                                           \
	XO_PRE_EXPORT int function(const char *path, int mode)     \
	{                                                          \
		char shown[XO_PRE_PATH_MAX];                       \
		int r = access_ours(AT_FDCWD, &path, mode, shown); \
                                                                   \
		return r <= 0 ? r : XO_NEXT(function)(path, mode); \
	}

ACCESS(access)
ACCESS(eaccess)
ACCESS(euidaccess)

XO_PRE_EXPORT int faccessat(int dirfd, const char *path, int mode, int flags)
{
	char shown[XO_PRE_PATH_MAX];
	int r = access_ours(dirfd, &path, mode, shown);

	return r <= 0 ? r : XO_NEXT(faccessat)(dirfd, path, mode, flags);
}

static ssize_t give_link(const char *target, char *data, size_t size)
{
	size_t n = strlen(target);

	n = n < size ? n : size;
	memcpy(data, target, n);
	return (ssize_t)n;
}

/* -2: not ours. */
static ssize_t readlink_ours(int dirfd, const char *path, char *data, size_t size)
{
	char shown[XO_PRE_PATH_MAX];

	switch (xo_pre_path(dirfd, path, shown)) {
	case XO_PRE_LINK:
		return give_link(LINK_TARGET, data, size);
	case XO_PRE_DEVICE:
		if (strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/", 6) == 0)
			return give_link(xo_pre_device(), data, size);
		XO_FAIL(EINVAL);
	case XO_PRE_SHOWN:
	case XO_PRE_OTHER:
	default:
		return -2;
	}
}

XO_PRE_EXPORT ssize_t readlink(const char *path, char *data, size_t size)
{
	ssize_t n = readlink_ours(AT_FDCWD, path, data, size);

	return n == -2 ? XO_NEXT(readlink)(path, data, size) : n;
}

XO_PRE_EXPORT ssize_t __readlink_chk(const char *path, char *data, size_t size, size_t limit)
{
	ssize_t n = size <= limit ? readlink_ours(AT_FDCWD, path, data, size) : -2;

	return n == -2 ? XO_NEXT(__readlink_chk)(path, data, size, limit) : n;
}

XO_PRE_EXPORT ssize_t readlinkat(int dirfd, const char *path, char *data, size_t size)
{
	ssize_t n = readlink_ours(dirfd, path, data, size);

	return n == -2 ? XO_NEXT(readlinkat)(dirfd, path, data, size) : n;
}

XO_PRE_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *data, size_t size,
				       size_t limit)
{
	ssize_t n = size <= limit ? readlink_ours(dirfd, path, data, size) : -2;

	return n == -2 ? XO_NEXT(__readlinkat_chk)(dirfd, path, data, size, limit) : n;
}

static bool is_device(const char *path)
{
	char shown[XO_PRE_PATH_MAX];
	enum xo_pre_kind kind = xo_pre_path(AT_FDCWD, path, shown);

	return kind == XO_PRE_DEVICE || kind == XO_PRE_LINK;
}

/* `resolved` has PATH_MAX bytes by its contract, or is NULL. */
XO_PRE_EXPORT char *realpath(const char *path, char *resolved)
{
	if (is_device(path))
		return resolved ? strcpy(resolved, xo_pre_device()) : strdup(xo_pre_device());
	return XO_NEXT(realpath)(path, resolved);
}

XO_PRE_EXPORT char *__realpath_chk(const char *path, char *resolved, size_t size)
{
	if (size >= PATH_MAX && is_device(path))
		return strcpy(resolved, xo_pre_device());
	return XO_NEXT(__realpath_chk)(path, resolved, size);
}

XO_PRE_EXPORT char *canonicalize_file_name(const char *path)
{
	return is_device(path) ? strdup(xo_pre_device()) : XO_NEXT(canonicalize_file_name)(path);
}

/* Access control lists and the like: ls asks for them. */
#define GETXATTR(function)                                                              \
	XO_PRE_EXPORT ssize_t function(const char *path, const char *name, void *value, \
				       size_t size)                                     \
	{                                                                               \
		if (is_device(path))                                                    \
			XO_FAIL(ENODATA);                                               \
		return XO_NEXT(function)(path, name, value, size);                      \
	}

#define LISTXATTR(function)                                                       \
	XO_PRE_EXPORT ssize_t function(const char *path, char *list, size_t size) \
	{                                                                         \
		return is_device(path) ? 0 : XO_NEXT(function)(path, list, size); \
	}

GETXATTR(getxattr)
GETXATTR(lgetxattr)
LISTXATTR(listxattr)
LISTXATTR(llistxattr)
