/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of holds: opened, taken over, looked through. */
#include "domctl_record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define RECORD_SIZE (XO_HOLDS_MAX * sizeof(struct xo_hold))

/* The lock is the process's own, so the kernel says who has it, and only as long as it lives. */
static int take_lock(int fd, const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct flock holder = lock;

	if (!fcntl(fd, F_SETLK, &lock))
		return 0;
	if ((errno != EAGAIN && errno != EACCES) || fcntl(fd, F_GETLK, &holder) < 0)
		return -errno;
	if (holder.l_type != F_UNLCK && holder.l_pid > 1) {
		xo_info("%s: taking over from process %d", path, (int)holder.l_pid);
		kill(holder.l_pid, SIGTERM);
	}
	while (fcntl(fd, F_SETLKW, &lock) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int map(struct xo_record *record)
{
	struct stat st;

	if (fstat(record->fd, &st) < 0)
		return -errno;
	/* Another size: made by another version, or just now; its holds are not ours to undo. */
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	if (st.st_size != (off_t)RECORD_SIZE &&
	    (ftruncate(record->fd, 0) < 0 || ftruncate(record->fd, (off_t)RECORD_SIZE) < 0))
		return -errno;
	record->holds = mmap(NULL, RECORD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, record->fd, 0);
	return record->holds == MAP_FAILED ? -errno : 0;
}

int xo_record_open(struct xo_record *record, const char *path)
{
	int r;

	record->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = record->fd < 0 ? -errno : take_lock(record->fd, path);
	if (!r)
		r = map(record);
	if (r)
		xo_error("%s: %s", path, strerror(-r));
	return r;
}

struct xo_hold *xo_record_find(struct xo_record *record, uint32_t domid)
{
	for (unsigned int i = 0; i < XO_HOLDS_MAX; i++)
		if (record->holds[i].state != XO_HOLD_FREE && record->holds[i].domid == domid)
			return &record->holds[i];
	return NULL;
}

struct xo_hold *xo_record_new(struct xo_record *record)
{
	for (unsigned int i = 0; i < XO_HOLDS_MAX; i++)
		if (record->holds[i].state == XO_HOLD_FREE)
			return &record->holds[i];
	return NULL;
}
