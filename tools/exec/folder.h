/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The private folder of an exec server, and the program started with it in its environment. */
#ifndef XO_EXEC_FOLDER_H
#define XO_EXEC_FOLDER_H

#include <sys/types.h>

/* A new folder under TMPDIR, for this user alone. *dir is the caller's, for _remove. */
int xo_exec_folder_new(char **dir);
/* Removes what xo_exec made in it, and frees `dir`; accepts NULL. */
void xo_exec_folder_remove(char *dir);

int xo_exec_folder_describe(const char *dir, const char *device);
int xo_exec_folder_show(const char *dir, const char *path, const char *text);
pid_t xo_exec_folder_spawn(const char *dir, const char *preload, const char *device,
			   char *const argv[]);

#endif
