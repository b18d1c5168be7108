// SPDX-License-Identifier: GPL-2.0-or-later
/* The private folder of an exec server, and the program started with it in its environment. */
#include "exec/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/protocol.h"

int xo_exec_folder_new(char **dir)
{
	const char *tmp = getenv("TMPDIR");
	char *path;

	if (!tmp || tmp[0] != '/')
		tmp = "/tmp";
	if (asprintf(&path, "%s/xenoptic-exec.XXXXXX", tmp) < 0)
		return -ENOMEM;
	if (!mkdtemp(path)) {
		free(path);
		return -errno;
	}
	*dir = path;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void xo_exec_folder_remove(char *dir)
{
	if (!dir)
		return;
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(dir);
}

static int make_parents(char *path, size_t from)
{
	for (char *p = path + from; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

int xo_exec_folder_show(const char *dir, const char *path, const char *text)
{
	char *file;
	FILE *f;
	int r;

	if (asprintf(&file, "%s/" XO_EXEC_ROOT "%s", dir, path) < 0)
		return -ENOMEM;
	r = make_parents(file, strlen(dir) + 1);
	if (r < 0)
		goto out;
	f = fopen(file, "we");
	if (!f) {
		r = -errno;
		goto out;
	}
	if (fputs(text, f) < 0)
		r = -EIO;
	if (fclose(f) != 0 && r == 0)
		r = -errno;
out:
	free(file);
	return r;
}

int xo_exec_folder_describe(const char *dir, const char *device)
{
	const char *base = strrchr(device, '/') + 1;
	char path[128], text[256];
	int r;

	/* libburn looks for drives here, eject asks whether the medium can be removed. */
	(void)snprintf(text, sizeof(text), "CD-ROM information\n\ndrive name:\t\t%s\n", base);
	r = xo_exec_folder_show(dir, "/proc/sys/dev/cdrom/info", text);
	(void)snprintf(path, sizeof(path), "/sys/dev/block/11:%d/removable",
		       atoi(base + strcspn(base, "0123456789")));
	return r < 0 ? r : xo_exec_folder_show(dir, path, "1\n");
}

/* In the child: the environment, and the program. */
static void run(const char *dir, const char *preload, const char *device, char *const argv[],
		int report_fd)
{
	const char *others = getenv("LD_PRELOAD");
	char *list;
	int error;

	if (asprintf(&list, "%s%s%s", preload, others && *others ? ":" : "", others ? others : "") <
		    0 ||
	    setenv("LD_PRELOAD", list, 1) < 0 || setenv(XO_EXEC_ENV_DIR, dir, 1) < 0 ||
	    setenv(XO_EXEC_ENV_DEVICE, device, 1) < 0) {
		error = ENOMEM;
	} else {
		execvp(argv[0], argv);
		error = errno;
	}
	(void)!write(report_fd, &error, sizeof(error));
	_exit(127);
}

pid_t xo_exec_folder_spawn(const char *dir, const char *preload, const char *device,
			   char *const argv[])
{
	int report[2], error = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run(dir, preload, device, argv, report[1]);
	close(report[1]);
	/* The pipe closes without a word when exec succeeds. */
	if (pid < 0) {
		error = errno;
	} else if (read(report[0], &error, sizeof(error)) == sizeof(error)) {
		(void)waitpid(pid, NULL, 0);
	} else {
		error = 0;
	}
	close(report[0]);
	return error ? -error : pid;
}
