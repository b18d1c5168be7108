// SPDX-License-Identifier: GPL-2.0-or-later
/* The SG_ and SCSI_IOCTL_ ioctls of a CD-ROM's device node, SG_IO above all. */
#include "exec/preload.h"

#include <errno.h>
#include <scsi/scsi.h>
#include <scsi/scsi_ioctl.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/bytes.h"

#define PIECES_MAX 256
#define DRIVER_SENSE 0x08
#define SG_VERSION 30527 /* the one that block devices report */

static int sg_direction(const struct sg_io_hdr *hdr, enum xo_direction *direction)
{
	*direction = XO_DIR_NONE;
	if (hdr->dxfer_len == 0)
		return 0;
	switch (hdr->dxfer_direction) {
	case SG_DXFER_TO_DEV:
		*direction = XO_DIR_OUT;
		return 0;
	case SG_DXFER_FROM_DEV:
	case SG_DXFER_TO_FROM_DEV:
		*direction = XO_DIR_IN;
		return 0;
	default:
		return -EINVAL;
	}
}

/* The caller's buffer or buffers, cut to dxfer_len. */
static int sg_pieces(const struct sg_io_hdr *hdr, struct iovec *pieces, unsigned int *count)
{
	const struct iovec *from = hdr->dxferp;
	size_t left = hdr->dxfer_len;

	*count = 0;
	if (left == 0)
		return 0;
	if (hdr->iovec_count == 0) {
		pieces[0] = (struct iovec){ .iov_base = hdr->dxferp, .iov_len = left };
		*count = 1;
		return 0;
	}
	if (hdr->iovec_count > PIECES_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < hdr->iovec_count && left > 0; i++) {
		pieces[i] = from[i];
		pieces[i].iov_len = XO_MIN(from[i].iov_len, left);
		left -= pieces[i].iov_len;
		*count = i + 1;
	}
	return left == 0 ? 0 : -EINVAL;
}

static void sg_result(struct sg_io_hdr *hdr, const struct xo_pre_result *result)
{
	hdr->status = result->transport == XO_TRANSPORT_OK ? result->status : 0;
	hdr->masked_status = (hdr->status >> 1) & 0x1f;
	hdr->msg_status = 0;
	hdr->host_status = result->transport;
	hdr->driver_status = hdr->status == 0x02 ? DRIVER_SENSE : 0;
	hdr->info =
		hdr->masked_status || hdr->host_status || hdr->driver_status ? SG_INFO_CHECK : 0;
	hdr->resid = (int)result->residual;
	hdr->duration = result->duration;
	hdr->sb_len_wr = 0;
	if (hdr->sbp && result->sense_length > 0) {
		hdr->sb_len_wr = XO_MIN(hdr->mx_sb_len, result->sense_length);
		memcpy(hdr->sbp, result->sense, hdr->sb_len_wr);
	}
}

static int sg_io(uint32_t file, unsigned long argument)
{
	struct sg_io_hdr *hdr = (struct sg_io_hdr *)argument;
	struct iovec pieces[PIECES_MAX];
	struct xo_pre_result result;
	enum xo_direction direction;
	unsigned int count;
	int r;

	if (!hdr || (hdr->dxfer_len > 0 && !hdr->dxferp))
		return -EFAULT;
	if (hdr->interface_id != 'S')
		return -EINVAL;
	if (hdr->cmd_len == 0 || hdr->cmd_len > XO_CDB_MAX)
		return -EMSGSIZE;
	r = sg_direction(hdr, &direction);
	if (r == 0)
		r = sg_pieces(hdr, pieces, &count);
	if (r < 0)
		return r;
	r = xo_pre_command(file, hdr->cmdp, hdr->cmd_len, direction, pieces, count, hdr->timeout,
			   &result);
	if (r < 0)
		return r;
	sg_result(hdr, &result);
	return 0;
}

static int put_int(unsigned long argument, int value)
{
	if (!argument)
		return -EFAULT;
	*(int *)argument = value;
	return 0;
}

static int sg_version(uint32_t file, unsigned long argument)
{
	(void)file;
	return put_int(argument, SG_VERSION);
}

static int sg_set_timeout(uint32_t file, unsigned long argument)
{
	return argument ? xo_pre_set(file, XO_EXEC_SG_TIMEOUT, (uint32_t) * (int *)argument)
			: -EFAULT;
}

/* The value is the result: jiffies in USER_HZ. */
static int sg_get_timeout(uint32_t file, unsigned long argument)
{
	uint64_t ticks;
	int r = xo_pre_get(file, XO_EXEC_SG_TIMEOUT, &ticks);

	(void)argument;
	return r < 0 ? r : (int)ticks;
}

static int sg_set_reserved(uint32_t file, unsigned long argument)
{
	int size = argument ? *(int *)argument : -1;

	if (size < 0)
		return argument ? -EINVAL : -EFAULT;
	return xo_pre_set(file, XO_EXEC_SG_RESERVED, XO_MIN((uint32_t)size, xo_pre_max_transfer()));
}

static int sg_get_reserved(uint32_t file, unsigned long argument)
{
	uint64_t size;
	int r = xo_pre_get(file, XO_EXEC_SG_RESERVED, &size);

	return r < 0 ? r : put_int(argument, (int)size);
}

static int sg_emulated_host(uint32_t file, unsigned long argument)
{
	(void)file;
	return put_int(argument, 0); /* a SCSI host, not an emulation over ATAPI */
}

static int get_idlun(uint32_t file, unsigned long argument)
{
	uint32_t *idlun = (uint32_t *)argument;

	(void)file;
	if (!idlun)
		return -EFAULT;
	idlun[0] = xo_pre_minor(); /* target, with LUN, channel and host in the higher bytes: 0 */
	idlun[1] = 0;
	return 0;
}

static int get_bus_number(uint32_t file, unsigned long argument)
{
	(void)file;
	return put_int(argument, 0);
}

static int probe_host(uint32_t file, unsigned long argument)
{
	static const char name[] = "xenoptic";
	unsigned int *length = (unsigned int *)argument;

	(void)file;
	if (!length)
		return -EFAULT;
	/* The length on the way in, the text on the way out; 1: there is a host. */
	memcpy(length, name, XO_MIN((size_t)*length, sizeof(name)));
	return 1;
}

static int get_pci(uint32_t file, unsigned long argument)
{
	(void)file;
	(void)argument;
	return -ENXIO;
}

const struct xo_pre_ioctl xo_pre_sg_ioctls[] = {
	{ SG_IO, sg_io },
	{ SG_GET_VERSION_NUM, sg_version },
	{ SG_SET_TIMEOUT, sg_set_timeout },
	{ SG_GET_TIMEOUT, sg_get_timeout },
	{ SG_SET_RESERVED_SIZE, sg_set_reserved },
	{ SG_GET_RESERVED_SIZE, sg_get_reserved },
	{ SG_EMULATED_HOST, sg_emulated_host },
	{ SCSI_IOCTL_GET_IDLUN, get_idlun },
	{ SCSI_IOCTL_GET_BUS_NUMBER, get_bus_number },
	{ SCSI_IOCTL_PROBE_HOST, probe_host },
	{ 0x5387 /* SCSI_IOCTL_GET_PCI */, get_pci },
	{ 0, NULL },
};
