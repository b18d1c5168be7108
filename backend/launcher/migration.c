/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Controllers of a guest that is saved, migrated and restored: stopped, their
 * state handed out as text, going on. The device-model wrapper asks for it.
 */
#include "migration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "controllers_private.h"

#define STATE_MAX 16384 /* bytes of one controller */

/* Commands to all controllers of a domain; the answer waits for the last of them. */
struct gather {
	struct xo_request *request;
	json_t *states; /* of "save" */
	unsigned int waiting;
	char error[256]; /* of one that failed */
};

struct gather_one {
	struct gather *gather;
	unsigned int device;
};

static void gather_put(struct gather *gather)
{
	if (--gather->waiting)
		return;
	if (gather->error[0])
		xo_request_error(gather->request, "GenericError", "%s", gather->error);
	else
		xo_request_return(gather->request,
				  json_pack("{s:O}", "controllers", gather->states));
	json_decref(gather->states);
	free(gather);
}

static json_t *hex_text(const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * length + 1);
	json_t *json;

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	json = json_stringn(text, 2 * length);
	free(text);
	return json;
}

/* The worker's memfd as text. */
static json_t *read_state(int fd)
{
	uint8_t bytes[STATE_MAX];
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	return n > 0 && n < STATE_MAX ? hex_text(bytes, (size_t)n) : NULL;
}

static void gathered(void *priv, const json_t *data, const char *error_class, const char *error,
		     int *fds, size_t count)
{
	struct gather_one *one = priv;
	struct gather *gather = one->gather;
	json_t *state = count ? read_state(fds[0]) : NULL;

	/* Of a controller that was taken away meanwhile there is nothing to stop, to log or to save. */
	if (!data && strcmp(error_class, XO_WORKER_DIED) != 0)
		snprintf(gather->error, sizeof(gather->error), "controller %u: %.200s", one->device,
			 error);
	else if (state)
		json_array_append_new(gather->states, json_pack("{s:i,s:O}", "device",
								(int)one->device, "state", state));
	else if (count)
		snprintf(gather->error, sizeof(gather->error),
			 "controller %u: its state cannot be read", one->device);
	json_decref(state);
	free(one);
	gather_put(gather);
}

static int gather_controller(struct gather *gather, struct xo_controller *c, const char *command)
{
	struct gather_one *one = malloc(sizeof(*one));
	int r;

	if (!one)
		return -ENOMEM;
	*one = (struct gather_one){ gather, c->device };
	gather->waiting++;
	r = xo_controller_order(c, command, gathered, one);
	if (r) {
		gather->waiting--;
		free(one);
	}
	return r;
}

static void gather_all(struct xo_controllers *controllers, unsigned int domid, const char *command,
		       struct xo_request *request)
{
	struct gather *gather = calloc(1, sizeof(*gather));
	struct xo_controller *c;

	if (!gather || !(gather->states = json_array())) {
		free(gather);
		xo_request_error(request, "GenericError", "out of memory");
		return;
	}
	gather->request = request;
	gather->waiting = 1;
	LIST_FOREACH (c, &controllers->list, entry) {
		/* Also one that is leaving: it may change the guest's memory still. */
		if (c->domid != domid || !c->worker)
			continue;
		if (gather_controller(gather, c, command))
			snprintf(gather->error, sizeof(gather->error),
				 "controller %u takes no commands", c->device);
	}
	gather_put(gather);
}

static void set_stopped(struct xo_controllers *controllers, unsigned int domid, bool stopped)
{
	struct xo_controller *c;

	LIST_FOREACH (c, &controllers->list, entry)
		if (c->domid == domid)
			c->stopped = stopped;
	controllers->workers->changed(controllers->workers);
}

void xo_controllers_stop(struct xo_controllers *controllers, unsigned int domid, bool stop,
			 struct xo_request *request)
{
	set_stopped(controllers, domid, stop);
	gather_all(controllers, domid, stop ? "stop" : "cont", request);
}

void xo_controllers_run(struct xo_controllers *controllers, unsigned int domid,
			struct xo_request *request)
{
	set_stopped(controllers, domid, false);
	gather_all(controllers, domid, "runs", request);
}

void xo_controllers_log_dirty(struct xo_controllers *controllers, unsigned int domid, bool log,
			      struct xo_request *request)
{
	struct xo_controller *c;

	LIST_FOREACH (c, &controllers->list, entry)
		if (c->domid == domid)
			c->log_dirty = log;
	controllers->workers->changed(controllers->workers);
	gather_all(controllers, domid, log ? "log-dirty" : "log-clean", request);
}

void xo_controllers_save(struct xo_controllers *controllers, unsigned int domid,
			 struct xo_request *request)
{
	gather_all(controllers, domid, "save", request);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int write_state(const char *text)
{
	uint8_t bytes[STATE_MAX];
	size_t length = strlen(text);
	int fd;

	if (!length || length % 2 || length / 2 > sizeof(bytes))
		return -EINVAL;
	for (size_t i = 0; i < length; i += 2) {
		int high = hex_digit(text[i]);
		int low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	fd = memfd_create("xenoptic-state", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, bytes, length / 2, 0) == (ssize_t)(length / 2))
		return fd;
	close(fd);
	return -EIO;
}

int xo_controller_state_fd(const json_t *states, unsigned int device)
{
	const json_t *state;
	size_t i;

	json_array_foreach (states, i, state) {
		const char *text = json_string_value(json_object_get(state, "state"));

		if (text && json_integer_value(json_object_get(state, "device")) == device)
			return write_state(text);
	}
	return -ENOENT;
}
