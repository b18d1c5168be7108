// SPDX-License-Identifier: GPL-2.0-or-later
/* The C library's calls that read, write and seek, with the device in them. */
#include "exec/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* What fortified programs call; no header declares them. */
ssize_t __read_chk(int fd, void *data, size_t count, size_t size);
ssize_t __pread_chk(int fd, void *data, size_t count, off_t offset, size_t size);
ssize_t __pread64_chk(int fd, void *data, size_t count, off64_t offset, size_t size);

static ssize_t result(ssize_t n)
{
	if (n < 0)
		XO_FAIL((int)-n);
	return n;
}

XO_PRE_EXPORT ssize_t read(int fd, void *data, size_t count)
{
	int64_t file = xo_pre_file(fd);

	if (file < 0)
		return XO_NEXT(read)(fd, data, count);
	return result(xo_pre_read((uint32_t)file, data, count));
}

XO_PRE_EXPORT ssize_t __read_chk(int fd, void *data, size_t count, size_t size)
{
	int64_t file = xo_pre_file(fd);

	if (file < 0 || count > size)
		return XO_NEXT(__read_chk)(fd, data, count, size);
	return result(xo_pre_read((uint32_t)file, data, count));
}

XO_PRE_EXPORT ssize_t write(int fd, const void *data, size_t count)
{
	int64_t file = xo_pre_file(fd);

	if (file < 0)
		return XO_NEXT(write)(fd, data, count);
	return result(xo_pre_write((uint32_t)file, data, count));
}

#define PREAD(function, type)                                                               \
	XO_PRE_EXPORT ssize_t function(int fd, void *data, size_t count, type offset)       \
	{                                                                                   \
		int64_t file = xo_pre_file(fd);                                             \
                                                                                            \
		if (file < 0)                                                               \
			return XO_NEXT(function)(fd, data, count, offset);                  \
		if (offset < 0)                                                             \
			XO_FAIL(EINVAL);                                                    \
		return result(xo_pre_pread((uint32_t)file, data, count, (uint64_t)offset)); \
	}

#define PREAD_CHK(function, type)                                                                  \
	XO_PRE_EXPORT ssize_t function(int fd, void *data, size_t count, type offset, size_t size) \
	{                                                                                          \
		int64_t file = xo_pre_file(fd);                                                    \
                                                                                                   \
		if (file < 0 || count > size)                                                      \
			return XO_NEXT(function)(fd, data, count, offset, size);                   \
		if (offset < 0)                                                                    \
			XO_FAIL(EINVAL);                                                           \
		return result(xo_pre_pread((uint32_t)file, data, count, (uint64_t)offset));        \
	}

#define PWRITE(function, type)                                                               \
	XO_PRE_EXPORT ssize_t function(int fd, const void *data, size_t count, type offset)  \
	{                                                                                    \
		int64_t file = xo_pre_file(fd);                                              \
                                                                                             \
		if (file < 0)                                                                \
			return XO_NEXT(function)(fd, data, count, offset);                   \
		if (offset < 0)                                                              \
			XO_FAIL(EINVAL);                                                     \
		return result(xo_pre_pwrite((uint32_t)file, data, count, (uint64_t)offset)); \
	}

#define LSEEK(function, type)                                                     \
	XO_PRE_EXPORT type function(int fd, type offset, int whence)              \
	{                                                                         \
		int64_t file = xo_pre_file(fd);                                   \
                                                                                  \
		if (file < 0)                                                     \
			return XO_NEXT(function)(fd, offset, whence);             \
		return (type)result(xo_pre_seek((uint32_t)file, offset, whence)); \
	}

PREAD(pread, off_t)
PREAD(pread64, off64_t)
PREAD_CHK(__pread_chk, off_t)
PREAD_CHK(__pread64_chk, off64_t)
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
LSEEK(lseek, off_t)
LSEEK(lseek64, off64_t)

/* Piece by piece until one comes up short, as the call allows. */
static ssize_t each(uint32_t file, const struct iovec *pieces, int count,
		    ssize_t (*run)(uint32_t file, void *data, size_t length))
{
	ssize_t done = 0, n;

	for (int i = 0; i < count; i++) {
		n = run(file, pieces[i].iov_base, pieces[i].iov_len);
		if (n < 0)
			return done > 0 ? done : result(n);
		done += n;
		if ((size_t)n < pieces[i].iov_len)
			break;
	}
	return done;
}

static ssize_t write_piece(uint32_t file, void *data, size_t length)
{
	return xo_pre_write(file, data, length);
}

XO_PRE_EXPORT ssize_t readv(int fd, const struct iovec *pieces, int count)
{
	int64_t file = xo_pre_file(fd);

	if (file < 0)
		return XO_NEXT(readv)(fd, pieces, count);
	return each((uint32_t)file, pieces, count, xo_pre_read);
}

XO_PRE_EXPORT ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	int64_t file = xo_pre_file(fd);

	if (file < 0)
		return XO_NEXT(writev)(fd, pieces, count);
	return each((uint32_t)file, pieces, count, write_piece);
}

/* Nothing is cached on this side. */
#define SYNC(function)                                                  \
	XO_PRE_EXPORT int function(int fd)                              \
	{                                                               \
		return xo_pre_file(fd) < 0 ? XO_NEXT(function)(fd) : 0; \
	}

SYNC(fsync)
SYNC(fdatasync)

#define FADVISE(function, type)                                                                 \
	XO_PRE_EXPORT int function(int fd, type offset, type length, int advice)                \
	{                                                                                       \
		return xo_pre_file(fd) < 0 ? XO_NEXT(function)(fd, offset, length, advice) : 0; \
	}

FADVISE(posix_fadvise, off_t)
FADVISE(posix_fadvise64, off64_t)

/*
 * Streams: the C library's own calls from inside stdio do not come by here, so a stream of the
 * device is a cookie. Programs that ask it for its descriptor get it all the same (isoinfo).
 */

struct stream {
	int fd;
	FILE *file;
	struct stream *next;
};

static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;
static struct stream *streams;

static ssize_t stream_read(void *cookie, char *data, size_t count)
{
	return read(((struct stream *)cookie)->fd, data, count);
}

static ssize_t stream_write(void *cookie, const char *data, size_t count)
{
	ssize_t n = write(((struct stream *)cookie)->fd, data, count);

	return n < 0 ? 0 : n; /* fopencookie(3) wants 0 for an error */
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
	*offset = lseek64(((struct stream *)cookie)->fd, *offset, whence);
	return *offset < 0 ? -1 : 0;
}

static int stream_close(void *cookie)
{
	struct stream *stream = cookie;
	int r = close(stream->fd);

	pthread_mutex_lock(&streams_lock);
	for (struct stream **p = &streams; *p; p = &(*p)->next) {
		if (*p == stream) {
			*p = stream->next;
			break;
		}
	}
	pthread_mutex_unlock(&streams_lock);
	free(stream);
	return r;
}

static FILE *stream_new(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = {
		.read = stream_read,
		.write = stream_write,
		.seek = stream_seek,
		.close = stream_close,
	};
	struct stream *stream = malloc(sizeof(*stream));

	if (!stream)
		return NULL;
	stream->fd = fd;
	stream->file = fopencookie(stream, mode, functions);
	if (!stream->file) {
		free(stream);
		return NULL;
	}
	pthread_mutex_lock(&streams_lock);
	stream->next = streams;
	streams = stream;
	pthread_mutex_unlock(&streams_lock);
	return stream->file;
}

static int stream_fd(FILE *file)
{
	int fd = -1;

	if (!__atomic_load_n(&streams, __ATOMIC_RELAXED))
		return -1;
	pthread_mutex_lock(&streams_lock);
	for (const struct stream *s = streams; s && fd < 0; s = s->next)
		fd = s->file == file ? s->fd : -1;
	pthread_mutex_unlock(&streams_lock);
	return fd;
}

#define FILENO(function)                                       \
	XO_PRE_EXPORT int function(FILE *file)                 \
	{                                                      \
		int fd = stream_fd(file);                      \
                                                               \
		return fd >= 0 ? fd : XO_NEXT(function)(file); \
	}

FILENO(fileno)
FILENO(fileno_unlocked)

/* The flags of open(2) that fopen(3) makes of its mode. */
static int mode_flags(const char *mode)
{
	int flags = mode[0] == 'r' ? O_RDONLY : O_WRONLY;

	if (strchr(mode, '+'))
		flags = O_RDWR;
	if (strchr(mode, 'e'))
		flags |= O_CLOEXEC;
	return flags;
}

static FILE *open_stream(const char *mode)
{
	FILE *stream;
	int fd = xo_pre_open(mode_flags(mode));

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	stream = stream_new(fd, mode);
	if (!stream)
		close(fd);
	return stream;
}

#define FOPEN(function)                                                  \
	XO_PRE_EXPORT FILE *function(const char *path, const char *mode) \
	{                                                                \
		char shown[XO_PRE_PATH_MAX];                             \
                                                                         \
		switch (xo_pre_path(AT_FDCWD, path, shown)) {            \
		case XO_PRE_DEVICE:                                      \
		case XO_PRE_LINK:                                        \
			return open_stream(mode);                        \
		case XO_PRE_SHOWN:                                       \
			path = shown;                                    \
			break;                                           \
		case XO_PRE_OTHER:                                       \
		default:                                                 \
			break;                                           \
		}                                                        \
		return XO_NEXT(function)(path, mode);                    \
	}

FOPEN(fopen)
FOPEN(fopen64)

XO_PRE_EXPORT FILE *fdopen(int fd, const char *mode)
{
	return xo_pre_file(fd) < 0 ? XO_NEXT(fdopen)(fd, mode) : stream_new(fd, mode);
}
