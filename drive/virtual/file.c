// SPDX-License-Identifier: GPL-2.0-or-later
/* The sector file: what lies beyond its end or in a hole was never written, and is zeros. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "virtual.h"

int vb_file_read(struct vb *vb, void *to, size_t length, uint64_t offset)
{
	uint8_t *at = to;

	while (length) {
		ssize_t n = pread(vb->fd, at, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			memset(at, 0, length);
			return 0;
		}
		at += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

int vb_file_write(struct vb *vb, const void *from, size_t length, uint64_t offset)
{
	const uint8_t *at = from;

	while (length) {
		ssize_t n = pwrite(vb->fd, at, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	vb->s->unsynced = true;
	return 0;
}

int vb_file_flush(struct vb *vb)
{
	vb->s->unsynced = false;
	if (vb->fd < 0 || vb->read_only)
		return 0;
	return fdatasync(vb->fd) ? -errno : 0;
}

int vb_file_truncate(struct vb *vb, uint64_t size)
{
	return ftruncate(vb->fd, (off_t)size) ? -errno : 0;
}
