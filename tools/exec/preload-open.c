// SPDX-License-Identifier: GPL-2.0-or-later
/* The C library's calls that make and end descriptors, with the device in them. */
#include "exec/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What fortified programs call; no header declares them. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
int fcntl64(int fd, int command, ...);

/* True when `path` is ours; *fd is then the result of open(2), errno set. Else *use is what to open. */
static bool open_ours(int dirfd, const char *path, int flags, char *shown, const char **use,
		      int *fd)
{
	*use = path;
	switch (xo_pre_path(dirfd, path, shown)) {
	case XO_PRE_SHOWN:
		*use = shown;
		return false;
	case XO_PRE_DEVICE:
	case XO_PRE_LINK:
		break;
	case XO_PRE_OTHER:
	default:
		return false;
	}
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		*fd = -EEXIST;
	else if (flags & O_DIRECTORY)
		*fd = -ENOTDIR;
	else
		*fd = xo_pre_open(flags);
	if (*fd < 0) {
		errno = -*fd;
		*fd = -1;
	}
	return true;
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(function)                                                   \
	XO_PRE_EXPORT int function(const char *path, int flags, ...)     \
	{                                                                \
		char shown[XO_PRE_PATH_MAX];                             \
		va_list arguments;                                       \
		mode_t mode;                                             \
		int fd;                                                  \
                                                                         \
		va_start(arguments, flags);                              \
		mode = mode_of(flags, arguments);                        \
		va_end(arguments);                                       \
		if (open_ours(AT_FDCWD, path, flags, shown, &path, &fd)) \
			return fd;                                       \
		return XO_NEXT(function)(path, flags, mode);             \
	}

#define OPENAT(function)                                                        \
	XO_PRE_EXPORT int function(int dirfd, const char *path, int flags, ...) \
	{                                                                       \
		char shown[XO_PRE_PATH_MAX];                                    \
		va_list arguments;                                              \
		mode_t mode;                                                    \
		int fd;                                                         \
                                                                                \
		va_start(arguments, flags);                                     \
		mode = mode_of(flags, arguments);                               \
		va_end(arguments);                                              \
		if (open_ours(dirfd, path, flags, shown, &path, &fd))           \
			return fd;                                              \
		return XO_NEXT(function)(dirfd, path, flags, mode);             \
	}

#define OPEN_2(function)                                                 \
	XO_PRE_EXPORT int function(const char *path, int flags)          \
	{                                                                \
		char shown[XO_PRE_PATH_MAX];                             \
		int fd;                                                  \
                                                                         \
		if (open_ours(AT_FDCWD, path, flags, shown, &path, &fd)) \
			return fd;                                       \
		return XO_NEXT(function)(path, flags);                   \
	}

#define OPENAT_2(function)                                                 \
	XO_PRE_EXPORT int function(int dirfd, const char *path, int flags) \
	{                                                                  \
		char shown[XO_PRE_PATH_MAX];                               \
		int fd;                                                    \
                                                                           \
		if (open_ours(dirfd, path, flags, shown, &path, &fd))      \
			return fd;                                         \
		return XO_NEXT(function)(dirfd, path, flags);              \
	}

#define CREAT(function)                                                                         \
	XO_PRE_EXPORT int function(const char *path, mode_t mode)                               \
	{                                                                                       \
		char shown[XO_PRE_PATH_MAX];                                                    \
		int fd;                                                                         \
                                                                                                \
		if (open_ours(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, shown, &path, &fd)) \
			return fd;                                                              \
		return XO_NEXT(function)(path, mode);                                           \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)
CREAT(creat)
CREAT(creat64)

XO_PRE_EXPORT int close(int fd)
{
	if (xo_pre_marked(fd) && xo_pre_own(fd))
		return 0; /* a program that closes everything must not close this */
	return XO_NEXT(close)(fd);
}

XO_PRE_EXPORT int dup(int fd)
{
	int copy = XO_NEXT(dup)(fd);

	if (copy >= 0 && xo_pre_marked(fd))
		xo_pre_mark(copy);
	return copy;
}

XO_PRE_EXPORT int dup2(int fd, int to)
{
	int copy = XO_NEXT(dup2)(fd, to);

	if (copy >= 0 && xo_pre_marked(fd))
		xo_pre_mark(copy);
	return copy;
}

XO_PRE_EXPORT int dup3(int fd, int to, int flags)
{
	int copy = XO_NEXT(dup3)(fd, to, flags);

	if (copy >= 0 && xo_pre_marked(fd))
		xo_pre_mark(copy);
	return copy;
}

/* The flags of the open device rather than those of the socket behind it. */
static int get_flags(uint32_t file, int flags)
{
	uint64_t opened;

	if (flags < 0 || xo_pre_get(file, XO_EXEC_FLAGS, &opened) < 0)
		return flags;
	return (flags & ~O_ACCMODE) | (int)(opened & O_ACCMODE);
}

static int after_fcntl(int fd, int command, int result)
{
	int64_t file;

	if (result < 0 || !xo_pre_marked(fd))
		return result;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		xo_pre_mark(result);
	if (command == F_GETFL) {
		file = xo_pre_file(fd);
		if (file >= 0)
			return get_flags((uint32_t)file, result);
	}
	return result;
}

#define FCNTL(function)                                                                    \
	XO_PRE_EXPORT int function(int fd, int command, ...)                               \
	{                                                                                  \
		va_list arguments;                                                         \
		void *argument;                                                            \
                                                                                           \
		va_start(arguments, command);                                              \
		argument = va_arg(arguments, void *);                                      \
		va_end(arguments);                                                         \
		return after_fcntl(fd, command, XO_NEXT(function)(fd, command, argument)); \
	}

FCNTL(fcntl)
FCNTL(fcntl64)

XO_PRE_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list arguments;
	int64_t file;
	int r;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	file = xo_pre_file(fd);
	if (file < 0)
		return XO_NEXT(ioctl)(fd, request, argument);
	r = xo_pre_ioctl((uint32_t)file, request, argument);
	if (r < 0)
		XO_FAIL(-r);
	return r;
}
