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
#include "stack.h"

/* The longest time that a client may ask for; the table's longest is 18,000 s. */
#define TIMEOUT_MAX_S 21600u

/* Host status, as the kernel's include/scsi/scsi_status.h numbers it. */
enum {
	DID_OK = 0,
	DID_NO_CONNECT = 1,
	DID_BUS_BUSY = 2,
	DID_TIME_OUT = 3,
	DID_BAD_TARGET = 4,
	DID_ABORT = 5,
	DID_RESET = 8,
	DID_IMM_RETRY = 12,
	DID_REQUEUE = 13,
};

/* Driver status; sg sets DRIVER_SENSE beside every sense, which is no error. */
enum { DRIVER_OK = 0, DRIVER_TIMEOUT = 6, DRIVER_SENSE = 8 };

struct passthrough {
	struct xo_unit unit;
	int fd; /* -1: unplugged */
	bool gone;
	bool told; /* a command has found the drive empty since it is gone */
	char path[256];
	struct xo_log_limit limit;
};

static void prepare(struct xo_journal_io *io, const struct xo_command *command)
{
	static const int directions[] = {
		[XO_DIR_NONE] = SG_DXFER_NONE,
		[XO_DIR_IN] = SG_DXFER_FROM_DEV,
		[XO_DIR_OUT] = SG_DXFER_TO_DEV,
	};
	uint32_t timeout = XO_MAX(xo_cdb_timeout(command->cdb, command->cdb_length),
				  XO_MIN(command->timeout, TIMEOUT_MAX_S));

	io->hdr = (sg_io_hdr_t){
		.interface_id = 'S',
		.dxfer_direction = directions[command->direction],
		.cmd_len = command->cdb_length,
		.mx_sb_len = sizeof(io->sense),
		.dxfer_len = command->length,
		.dxferp = command->length ? command->data : NULL,
		.cmdp = (unsigned char *)(uintptr_t)command->cdb,
		.sbp = io->sense,
		.timeout = timeout * 1000,
		.duration = XO_JOURNAL_POISON,
	};
}

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
	switch (error) {
	case ENODEV:
	case ENXIO:
		leave(device);
		unplugged(device, command);
		return;
	case EAGAIN:
	case EBUSY:
	case ENOMEM:
		xo_command_fail(command, XO_TRANSPORT_BUSY);
		return;
	default:
		xo_log_limited_at(&device->limit, XO_LOG_ERROR,
				  "%s: the kernel refuses a command (%02x, %u bytes): %s",
				  device->path, command->cdb[0], command->length,
				  strerrordesc_np(error));
		xo_command_fail(command, XO_TRANSPORT_ERROR);
	}
}

/* A time-out comes with status 0: what the host and the driver say goes first. */
static enum xo_transport judge_host(const sg_io_hdr_t *hdr)
{
	switch (hdr->host_status) {
	case DID_OK:
		break;
	case DID_NO_CONNECT:
	case DID_BAD_TARGET:
		return XO_TRANSPORT_NO_CONNECT;
	case DID_BUS_BUSY:
	case DID_IMM_RETRY:
	case DID_REQUEUE:
		return XO_TRANSPORT_BUSY;
	case DID_TIME_OUT:
		return XO_TRANSPORT_TIMEOUT;
	case DID_ABORT:
		return XO_TRANSPORT_ABORTED;
	case DID_RESET:
		return XO_TRANSPORT_RESET;
	default:
		return XO_TRANSPORT_ERROR;
	}
	switch (hdr->driver_status & 0xf) {
	case DRIVER_OK:
	case DRIVER_SENSE:
		return XO_TRANSPORT_OK;
	case DRIVER_TIMEOUT:
		return XO_TRANSPORT_TIMEOUT;
	default:
		return XO_TRANSPORT_ERROR;
	}
}

static void take_result(struct passthrough *device, struct xo_command *command,
			const struct xo_journal_io *io)
{
	const sg_io_hdr_t *hdr = &io->hdr;
	enum xo_transport transport = judge_host(hdr);

	if (transport == XO_TRANSPORT_NO_CONNECT) {
		leave(device);
		unplugged(device, command);
		return;
	}
	command->transport = (uint8_t)transport;
	command->status = hdr->status;
	/*
	 * Drives and adapters err: neither number may leave its range. A residual above the
	 * length is what the drive had more than was asked for (iSCSI's residual overflow,
	 * RFC 7143 11.4.5.2, comes so from the kernel): everything that was asked for is there.
	 */
	if (hdr->resid <= 0 || (uint32_t)hdr->resid > command->length)
		command->residual = 0;
	else
		command->residual = (uint32_t)hdr->resid;
	command->sense_length = (uint8_t)XO_MIN(hdr->sb_len_wr, sizeof(command->sense));
	memcpy(command->sense, io->sense, command->sense_length);
}

static void passthrough_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct passthrough *device = (struct passthrough *)unit;
	struct xo_journal_io own = { .hdr.duration = XO_JOURNAL_POISON };
	struct xo_journal_io *io = command->journal ? xo_journal_io(command->journal) : &own;

	/* A killed process has had it done: the kernel wrote the result. */
	if (io->hdr.duration != XO_JOURNAL_POISON) {
		take_result(device, command, io);
		return;
	}
	if (device->gone) {
		unplugged(device, command);
		return;
	}
	prepare(io, command);
	xo_point(XO_POINT_SUBMIT);
	if (ioctl(device->fd, SG_IO, &io->hdr) < 0) {
		refused(device, command, errno);
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
