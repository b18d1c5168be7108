/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state file: written whenever a worker or what it serves changes, read once at start. */
#include "state.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/drive_control.h"
#include "base/log.h"

#define STATE_VERSION 2

/* Pids and start times mean something in one run of the kernel only. */
static void boot_id(char *text, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	text[0] = '\0';
	if (!f)
		return;
	if (!fgets(text, (int)size, f))
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(f);
}

static char *state_path(const char *run_dir)
{
	char *path;

	return asprintf(&path, "%s/state.json", run_dir) < 0 ? NULL : path;
}

static json_t *describe(const struct xo_workers *workers, uint32_t next_link)
{
	const struct xo_worker *worker;
	json_t *list = json_array();
	char boot[64];

	LIST_FOREACH (worker, &workers->list, entry) {
		json_t *entry = json_pack("{s:s,s:s,s:s,s:i,s:I,s:b,s:o}", "role",
					  worker->ops->role, "name", worker->name, "cookie",
					  worker->cookie, "pid", (int)worker->pid, "start-time",
					  (json_int_t)worker->start_time, "stopping",
					  worker->stopping, "config", worker->ops->save(worker));

		json_array_append_new(list, entry);
	}
	boot_id(boot, sizeof(boot));
	return json_pack("{s:i,s:s,s:I,s:o}", "version", STATE_VERSION, "boot", boot, "next-link",
			 (json_int_t)next_link, "workers", list);
}

void xo_state_save(const char *run_dir, const struct xo_workers *workers, uint32_t next_link)
{
	json_t *json = describe(workers, next_link);
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	char *path = state_path(run_dir);
	int r = -ENOMEM;

	if (text && path)
		r = xo_file_replace(path, text, strlen(text), false);
	if (r)
		xo_error("%s: cannot be written: %s; workers would not survive a restart",
			 path ? path : run_dir, strerror(-r));
	free(path);
	free(text);
	json_decref(json);
}

static json_t *load(const char *run_dir)
{
	char *path = state_path(run_dir);
	json_error_t error;
	char boot[64];
	json_t *json;
	const char *wrote;

	if (!path || access(path, F_OK) < 0) {
		free(path);
		return NULL;
	}
	json = json_load_file(path, 0, &error);
	wrote = json_string_value(json_object_get(json, "boot"));
	boot_id(boot, sizeof(boot));
	if (!json) {
		xo_error("%s: %s; workers that still run are not found", path, error.text);
	} else if (json_integer_value(json_object_get(json, "version")) != STATE_VERSION ||
		   !wrote || strcmp(wrote, boot) != 0) {
		json_decref(json);
		json = NULL;
	}
	free(path);
	return json;
}

static int adopt(const json_t *entry, const char *role, struct xo_drives *drives,
		 struct xo_devices *devices, struct xo_controllers *controllers)
{
	const struct xo_worker_record record = {
		.name = json_string_value(json_object_get(entry, "name")),
		.cookie = json_string_value(json_object_get(entry, "cookie")),
		.pid = (pid_t)json_integer_value(json_object_get(entry, "pid")),
		.start_time = (uint64_t)json_integer_value(json_object_get(entry, "start-time")),
		.stopping = json_is_true(json_object_get(entry, "stopping")),
		.config = json_object_get(entry, "config"),
	};
	int r;

	if (!record.name || !record.cookie ||
	    strlen(record.cookie) >= sizeof(((struct xo_worker *)0)->cookie))
		return -EINVAL;
	if (!strcmp(role, "drive"))
		r = xo_drives_adopt(drives, &record);
	else if (!strcmp(role, "ioemu"))
		r = xo_controllers_adopt(controllers, &record);
	else if (!strcmp(role, "departing"))
		r = xo_lending_adopt(drives, &record);
	else
		r = devices ? xo_devices_adopt(devices, &record) : -ENOTSUP;
	if (!r)
		xo_info("%s %s: pid %d: taken over", role, record.name, (int)record.pid);
	else
		xo_warning("%s %s: pid %d is not taken over: %s", role, record.name,
			   (int)record.pid, strerror(-r));
	return r;
}

unsigned int xo_state_adopt(const char *run_dir, struct xo_drives *drives,
			    struct xo_devices *devices, struct xo_controllers *controllers)
{
	/* The others claim links of drives. */
	static const char *const roles[] = { "drive", "departing", "ring", "ioemu" };
	json_t *json = load(run_dir);
	unsigned int count = 0;
	json_int_t next = json_integer_value(json_object_get(json, "next-link"));
	const json_t *entry;
	size_t i;

	if (next > 0 && next <= XO_DRIVE_LINK_ID_MAX && (uint32_t)next > drives->next_link)
		drives->next_link = (uint32_t)next;
	for (unsigned int role = 0; role < XO_ARRAY_SIZE(roles); role++) {
		json_array_foreach (json_object_get(json, "workers"), i, entry) {
			const char *own = json_string_value(json_object_get(entry, "role"));

			if (own && !strcmp(own, roles[role]) &&
			    !adopt(entry, own, drives, devices, controllers))
				count++;
		}
	}
	json_decref(json);
	return count;
}
