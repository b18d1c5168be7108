/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/srN: opened exclusively, so that the host's own polling stops while a guest has it. */
#include "optical_device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/bytes.h"

#define TYPE_MMC 5 /* SPC-4 6.6.2, peripheral device type */

/* A number in a file of the device's folder in sysfs. 0 or -errno. */
static int sysfs_number(dev_t dev, const char *file, uint64_t *number)
{
	char path[128];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), file);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fscanf(f, "%" SCNu64, number);
	fclose(f);
	return n == 1 ? 0 : -EINVAL;
}

static bool process_has(const char *pid, dev_t dev)
{
	char path[300];
	DIR *dir;
	struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		struct stat st;

		found = entry->d_name[0] != '.' && !fstatat(dirfd(dir), entry->d_name, &st, 0) &&
			S_ISBLK(st.st_mode) && st.st_rdev == dev;
	}
	closedir(dir);
	return found;
}

static void process_name(const char *pid, char *name, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	f = fopen(path, "re");
	if (!f || !fgets(name, (int)size, f))
		snprintf(name, size, "a process");
	if (f)
		fclose(f);
	name[strcspn(name, "\n")] = '\0';
}

static bool find_mount(dev_t dev, char *text, size_t size)
{
	char wanted[32];
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return false;
	snprintf(wanted, sizeof(wanted), "%u:%u", major(dev), minor(dev));
	while (!found && getline(&line, &room, f) > 0) {
		char number[32];
		char target[200];

		/* proc(5): id, parent, major:minor, root, mount point */
		if (sscanf(line, "%*s %*s %31s %*s %199s", number, target) == 2 &&
		    !strcmp(number, wanted)) {
			snprintf(text, size, "mounted on %s; unmount it", target);
			found = true;
		}
	}
	free(line);
	fclose(f);
	return found;
}

/* "held by udisksd (pid 12); stop it" */
static void find_holder(dev_t dev, char *text, size_t size)
{
	DIR *dir;
	struct dirent *entry;

	snprintf(text, size, "held by the kernel or a process that is gone by now; try again");
	if (find_mount(dev, text, size))
		return;
	dir = opendir("/proc");
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		char name[64];

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !process_has(entry->d_name, dev))
			continue;
		process_name(entry->d_name, name, sizeof(name));
		snprintf(text, size, "held by %s (pid %.16s); stop it", name, entry->d_name);
		break;
	}
	closedir(dir);
}

/* An optical drive, and not by mistake a disk. */
static int check_type(const char *path, const struct stat *st, char *error, size_t size)
{
	uint64_t type = 0;

	if (!S_ISBLK(st->st_mode)) {
		snprintf(error, size, "drive %s: not a block device", path);
		return -ENOTBLK;
	}
	if (sysfs_number(st->st_rdev, "device/type", &type) || type != TYPE_MMC) {
		snprintf(error, size, "drive %s: not an optical drive", path);
		return -EMEDIUMTYPE;
	}
	return 0;
}

static uint32_t limit(dev_t dev, const char *file, uint64_t unit)
{
	uint64_t number = 0;

	if (sysfs_number(dev, file, &number) || number > UINT32_MAX / unit)
		return 0;
	return (uint32_t)(number * unit);
}

int xo_optical_device_open(const char *path, struct xo_optical_device *device, char *error,
			   size_t size)
{
	char holder[256];
	struct stat st;
	int r;

	*device = (struct xo_optical_device){ .fd = -1 };
	if (stat(path, &st) < 0) {
		r = -errno;
		snprintf(error, size, "drive %s: %s", path, strerror(-r));
		return r;
	}
	r = check_type(path, &st, error, size);
	if (r)
		return r;
	device->fd = open(path, O_RDWR | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (device->fd < 0) {
		r = -errno;
		if (r == -EBUSY)
			find_holder(st.st_rdev, holder, sizeof(holder));
		else
			snprintf(holder, sizeof(holder), "%s", strerror(-r));
		snprintf(error, size, "drive %s: %s%s", path, r == -EBUSY ? "busy, " : "", holder);
		return r;
	}
	device->number = st.st_rdev;
	device->max_transfer = limit(st.st_rdev, "queue/max_hw_sectors_kb", 1024);
	device->max_segments = limit(st.st_rdev, "queue/max_segments", 1);
	return 0;
}

int xo_optical_device_adopt(struct xo_optical_device *device, int fd)
{
	struct stat st;

	*device = (struct xo_optical_device){ .fd = -1 };
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode)) {
		close(fd);
		return -ENOTBLK;
	}
	device->fd = fd;
	device->number = st.st_rdev;
	return 0;
}

/* The kernel's scsi_device_state by name; devices without one are always running. */
int xo_optical_device_online(const char *path)
{
	char state[128];
	char word[32] = "running";
	struct stat st;
	FILE *f;

	if (stat(path, &st) < 0)
		return -errno;
	snprintf(state, sizeof(state), "/sys/dev/block/%u:%u/device/state", major(st.st_rdev),
		 minor(st.st_rdev));
	f = fopen(state, "re");
	if (f) {
		if (fscanf(f, "%31s", word) != 1)
			word[0] = '\0';
		fclose(f);
	}
	return strcmp(word, "running") ? -EAGAIN : 0;
}

int xo_optical_device_flush(int fd)
{
	return ioctl(fd, BLKFLSBUF, 0) < 0 ? -errno : 0;
}
