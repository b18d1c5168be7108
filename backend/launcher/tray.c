/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Discs of virtual drives: their files, and which of them lies in which tray. */
#include "tray.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/point.h"
#include "points.h"

#define DESCRIPTION_MAX (4u << 20)

void xo_tray_disc_init(struct xo_tray_disc *disc)
{
	*disc = (struct xo_tray_disc){ .sectors_fd = -1, .description_fd = -1 };
}

void xo_tray_disc_fini(struct xo_tray_disc *disc)
{
	if (disc->sectors_fd >= 0)
		close(disc->sectors_fd);
	if (disc->description_fd >= 0)
		close(disc->description_fd);
	free(disc->path);
	xo_tray_disc_init(disc);
}

static int open_description(const char *path)
{
	char *name;
	int fd;

	if (asprintf(&name, "%s.json", path) < 0)
		return -ENOMEM;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		fd = -errno;
	free(name);
	return fd;
}

/* A file without a description is a finished data disc, as an ISO file is: it is never written. */
static int open_image(struct xo_tray_disc *disc, char *error, size_t size)
{
	int fd = open(disc->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	disc->description_fd = -1;
	if (fd < 0) {
		int r = -errno;

		snprintf(error, size, "disc %s: %s", disc->path, strerror(-r));
		return r;
	}
	close(disc->sectors_fd);
	disc->sectors_fd = fd;
	disc->read_only = true;
	disc->image = true;
	return 0;
}

int xo_tray_disc_open(struct xo_tray_disc *disc, const char *path, bool read_only, char *error,
		      size_t size)
{
	int r = 0;

	xo_tray_disc_fini(disc);
	disc->path = strdup(path);
	disc->read_only = read_only;
	if (!disc->path)
		return -ENOMEM;
	disc->sectors_fd =
		open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (disc->sectors_fd < 0) {
		r = -errno;
		snprintf(error, size, "disc %s: %s", path, strerror(-r));
		goto out;
	}
	disc->description_fd = open_description(path);
	if (disc->description_fd == -ENOENT) {
		r = open_image(disc, error, size);
	} else if (disc->description_fd < 0) {
		r = disc->description_fd;
		snprintf(error, size, "disc %s: its description %s.json: %s", path, path,
			 strerror(-r));
	}
out:
	if (r)
		xo_tray_disc_fini(disc);
	return r;
}

int xo_tray_disc_reopen_description(struct xo_tray_disc *disc)
{
	int fd = disc->image ? -ENOENT : open_description(disc->path);

	if (disc->image)
		return 0;
	if (fd < 0)
		return fd;
	if (disc->description_fd >= 0)
		close(disc->description_fd);
	disc->description_fd = fd;
	return 0;
}

static int write_whole(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static void sync_folder(const char *path)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int fd;

	if (slash) {
		slash[slash == folder] = '\0';
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) {
			fsync(fd);
			close(fd);
		}
	}
	free(folder);
}

int xo_file_replace(const char *path, const void *data, size_t length, bool durable)
{
	char *temporary;
	int fd;
	int r;

	if (asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		r = -errno;
		free(temporary);
		return r;
	}
	r = write_whole(fd, data, length);
	if (!r && durable && fsync(fd) < 0)
		r = -errno;
	close(fd);
	xo_point(XO_POINT_SAVING);
	if (!r && rename(temporary, path) < 0)
		r = -errno;
	if (r)
		unlink(temporary);
	else if (durable)
		sync_folder(path);
	xo_point(XO_POINT_SAVED);
	free(temporary);
	return r;
}

int xo_tray_disc_save(const struct xo_tray_disc *disc, int fd, size_t length)
{
	struct stat st;
	char *name;
	void *data;
	int r;

	if (!disc->path)
		return -ENOENT;
	if (disc->read_only) /* nothing has become of it */
		return 0;
	if (!length || length > DESCRIPTION_MAX || fstat(fd, &st) < 0 || st.st_size < 0 ||
	    (size_t)st.st_size < length)
		return -EINVAL;
	data = malloc(length);
	if (!data)
		return -ENOMEM;
	if (pread(fd, data, length, 0) != (ssize_t)length) {
		free(data);
		return -EIO;
	}
	if (asprintf(&name, "%s.json", disc->path) < 0) {
		free(data);
		return -ENOMEM;
	}
	r = xo_file_replace(name, data, length, true);
	free(name);
	free(data);
	return r;
}

static char *tray_path(const char *state_dir, const char *drive)
{
	char *path;

	return asprintf(&path, "%s/drives/%s.json", state_dir, drive) < 0 ? NULL : path;
}

int xo_tray_read(const char *state_dir, const char *drive, char **path, bool *read_only)
{
	char *file = tray_path(state_dir, drive);
	const char *disc;
	json_error_t error;
	json_t *json;
	int r = 0;

	*path = NULL;
	*read_only = false;
	if (!file)
		return -ENOMEM;
	if (access(file, F_OK) < 0) {
		free(file);
		return 0;
	}
	json = json_load_file(file, 0, &error);
	if (!json) {
		xo_error("virtual drive %s: %s: %s", drive, file, error.text);
		r = -EINVAL;
	}
	disc = json_string_value(json_object_get(json, "disc"));
	if (disc) {
		*path = strdup(disc);
		*read_only = json_is_true(json_object_get(json, "read-only"));
		r = *path ? 0 : -ENOMEM;
	}
	json_decref(json);
	free(file);
	return r;
}

int xo_tray_write(const char *state_dir, const char *drive, const char *path, bool read_only)
{
	char *file = tray_path(state_dir, drive);
	char *folder = NULL;
	json_t *json;
	char *text = NULL;
	int r = -ENOMEM;

	json = path ? json_pack("{s:s,s:b}", "disc", path, "read-only", read_only) : json_object();
	if (json)
		text = json_dumps(json, JSON_INDENT(2));
	if (file && text && asprintf(&folder, "%s/drives", state_dir) >= 0) {
		mkdir(state_dir, 0755);
		mkdir(folder, 0755);
		r = xo_file_replace(file, text, strlen(text), true);
		free(folder);
	}
	if (r)
		xo_error("virtual drive %s: its tray cannot be recorded: %s", drive, strerror(-r));
	free(text);
	json_decref(json);
	free(file);
	return r;
}
