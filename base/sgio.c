/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SG_IO; see base/sgio.h. */
#include "base/sgio.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bytes.h"

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

void xo_sgio_prepare(struct xo_sgio *io, const uint8_t *cdb, uint8_t cdb_length,
		     enum xo_direction direction, void *data, uint32_t length, uint32_t timeout)
{
	static const int directions[] = {
		[XO_DIR_NONE] = SG_DXFER_NONE,
		[XO_DIR_IN] = SG_DXFER_FROM_DEV,
		[XO_DIR_OUT] = SG_DXFER_TO_DEV,
	};

	const sg_io_hdr_t header = {
		.interface_id = 'S',
		.dxfer_direction = directions[direction],
		.cmd_len = cdb_length,
		.mx_sb_len = sizeof(io->sense),
		.dxfer_len = length,
		.dxferp = length ? data : NULL,
		.cmdp = (unsigned char *)(uintptr_t)cdb,
		.sbp = io->sense,
		.timeout = timeout * 1000,
	};

	/* Not for an instruction may this look like a command that has run: what follows is the kernel's to write. */
	memcpy(&io->hdr, &header, offsetof(sg_io_hdr_t, status));
}

int xo_sgio_run(struct xo_sgio *io, int fd)
{
	return ioctl(fd, SG_IO, &io->hdr) < 0 ? -errno : 0;
}

/* A time-out comes with status 0: what the host and the driver say goes first. */
enum xo_transport xo_sgio_transport(const struct xo_sgio *io)
{
	switch (io->hdr.host_status) {
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
	switch (io->hdr.driver_status & 0xf) {
	case DRIVER_OK:
	case DRIVER_SENSE:
		return XO_TRANSPORT_OK;
	case DRIVER_TIMEOUT:
		return XO_TRANSPORT_TIMEOUT;
	default:
		return XO_TRANSPORT_ERROR;
	}
}

/*
 * A residual above the length is what the drive had more than was asked for (iSCSI's residual overflow,
 * RFC 7143 11.4.5.2, comes so from the kernel): everything that was asked for is there.
 */
uint32_t xo_sgio_residual(const struct xo_sgio *io, uint32_t length)
{
	if (io->hdr.resid <= 0 || (uint32_t)io->hdr.resid > length)
		return 0;
	return (uint32_t)io->hdr.resid;
}

uint8_t xo_sgio_sense_length(const struct xo_sgio *io)
{
	return (uint8_t)XO_MIN(io->hdr.sb_len_wr, sizeof(io->sense));
}

bool xo_sgio_gone(int error)
{
	return error == -ENODEV || error == -ENXIO;
}

enum xo_transport xo_sgio_refused(int error)
{
	switch (error) {
	case -EAGAIN:
	case -EBUSY:
	case -ENOMEM:
		return XO_TRANSPORT_BUSY;
	default:
		return XO_TRANSPORT_ERROR;
	}
}
