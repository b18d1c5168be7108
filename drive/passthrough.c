/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bottom for a real drive: SG_IO (version 3) on a block device that the
 * launcher opened. Status, sense and residual go back as the drive gave them.
 *
 * Time-outs: SG_IO returns from one only after the kernel's error handling has
 * aborted the command and, where that did not help, reset the unit. So there is
 * nothing left to reset here; SG_SCSI_RESET would need CAP_SYS_ADMIN as well.
 */
#include <errno.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "base/sgio.h"
#include "stack.h"

struct passthrough {
	struct xo_unit unit;
	int fd; /* -1: unplugged */
	bool gone;
	bool told; /* a command has found the drive empty since it is gone */
	char path[256];
	struct xo_log_limit limit;
};

/* The kernel keeps the drive's number until nobody has it open: it may come back under the same. */
static void leave(struct passthrough *device)
{
	if (device->gone)
		return;
	xo_warning("%s: the drive is gone", device->path);
	close(device->fd);
	__atomic_store_n(&device->fd, -1, __ATOMIC_RELEASE);
	__atomic_store_n(&device->gone, true, __ATOMIC_RELEASE);
}

/* The first command finds an empty drive, those after it none. */
static void unplugged(struct passthrough *device, struct xo_command *command)
{
	if (device->told)
		xo_command_fail(command, XO_TRANSPORT_NO_CONNECT);
	else
		xo_command_check(command, XO_SENSE_NO_MEDIUM);
	device->told = true;
}

/* The ioctl itself was refused: nothing reached the drive. */
static void refused(struct passthrough *device, struct xo_command *command, int error)
{
	enum xo_transport transport = xo_sgio_refused(error);

	if (xo_sgio_gone(error)) {
		leave(device);
		unplugged(device, command);
		return;
	}
	if (transport == XO_TRANSPORT_ERROR)
		xo_log_limited_at(&device->limit, XO_LOG_ERROR,
				  "%s: the kernel refuses a command (%02x, %u bytes): %s",
				  device->path, command->cdb[0], command->length,
				  strerrordesc_np(-error));
	xo_command_fail(command, transport);
}

static void take_result(struct passthrough *device, struct xo_command *command,
			const struct xo_sgio *io)
{
	enum xo_transport transport = xo_sgio_transport(io);

	if (transport == XO_TRANSPORT_NO_CONNECT) {
		leave(device);
		unplugged(device, command);
		return;
	}
	command->transport = (uint8_t)transport;
	command->status = io->hdr.status;
	command->residual = xo_sgio_residual(io, command->length);
	command->sense_length = xo_sgio_sense_length(io);
	memcpy(command->sense, io->sense, command->sense_length);
}

static void passthrough_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct passthrough *device = (struct passthrough *)unit;
	struct xo_sgio own = { .hdr.duration = XO_SGIO_POISON };
	struct xo_sgio *io = command->journal ? xo_journal_io(command->journal) : &own;
	uint32_t timeout = XO_MAX(xo_cdb_timeout(command->cdb, command->cdb_length),
				  XO_MIN(command->timeout, XO_SGIO_TIMEOUT_MAX_S));
	int r;

	/* A killed process has had it done: the kernel wrote the result. */
	if (xo_sgio_done(io)) {
		take_result(device, command, io);
		return;
	}
	if (device->gone) {
		unplugged(device, command);
		return;
	}
	xo_sgio_prepare(io, command->cdb, command->cdb_length, command->direction, command->data,
			command->length, timeout);
	xo_point(XO_POINT_SUBMIT);
	r = xo_sgio_run(io, device->fd);
	if (r) {
		refused(device, command, r);
		return;
	}
	xo_point(XO_POINT_RETURNED);
	take_result(device, command, io);
}

static void passthrough_free(struct xo_unit *unit)
{
	struct passthrough *device = (struct passthrough *)unit;

	if (device->fd >= 0)
		close(device->fd);
	free(device);
}

static const struct xo_unit_ops passthrough_ops = {
	.name = "passthrough",
	.execute = passthrough_execute,
	.free = passthrough_free,
};

bool xo_passthrough_gone(const struct xo_unit *unit)
{
	const struct passthrough *device = (const struct passthrough *)unit;

	return __atomic_load_n(&device->gone, __ATOMIC_ACQUIRE);
}

int xo_passthrough_fd(const struct xo_unit *unit)
{
	const struct passthrough *device = (const struct passthrough *)unit;

	return __atomic_load_n(&device->fd, __ATOMIC_ACQUIRE);
}

void xo_passthrough_unplug(struct xo_unit *unit)
{
	leave((struct passthrough *)unit);
}

int xo_passthrough_check(int fd)
{
	int version = 0;

	return ioctl(fd, SG_GET_VERSION_NUM, &version) < 0 || version < 30000 ? -ENOTTY : 0;
}

static void set_device(struct passthrough *device, const struct xo_device *what)
{
	strncpy(device->path, what->path ? what->path : "the drive", sizeof(device->path) - 1);
	device->told = false;
	__atomic_store_n(&device->fd, what->fd, __ATOMIC_RELEASE);
	__atomic_store_n(&device->gone, what->fd < 0, __ATOMIC_RELEASE);
}

void xo_passthrough_device(struct xo_unit *unit, const struct xo_device *what)
{
	struct passthrough *device = (struct passthrough *)unit;

	if (device->fd >= 0)
		close(device->fd);
	set_device(device, what);
}

int xo_passthrough_new(struct xo_unit **unit, const struct xo_device *what)
{
	struct passthrough *device = calloc(1, sizeof(*device));

	if (!device)
		return -ENOMEM;
	device->unit.ops = &passthrough_ops;
	set_device(device, what);
	*unit = &device->unit;
	return 0;
}
