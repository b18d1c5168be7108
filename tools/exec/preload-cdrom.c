// SPDX-License-Identifier: GPL-2.0-or-later
/* The CDROM_ ioctls about the drive and its tray, and the BLK ones, as packet commands. */
#include "exec/preload.h"

#include <errno.h>
#include <limits.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/bytes.h"

static int no_data(uint32_t file, const uint8_t *cdb, unsigned int length)
{
	return xo_pre_packet(file, cdb, length, XO_DIR_NONE, NULL, 0, NULL);
}

/* START STOP UNIT (MMC-6 6.42): `action` is LoEj and Start. */
static int start_stop(uint32_t file, unsigned int action)
{
	uint8_t cdb[6] = { 0x1b, 0, 0, 0, (uint8_t)action };

	return no_data(file, cdb, sizeof(cdb));
}

static int lock_door(uint32_t file, unsigned long lock)
{
	uint8_t cdb[6] = { 0x1e, 0, 0, 0, lock ? 1 : 0 };

	return no_data(file, cdb, sizeof(cdb));
}

/* The kernel unlocks the door before it opens it. */
static int eject(uint32_t file, unsigned long argument)
{
	(void)argument;
	(void)lock_door(file, 0);
	return start_stop(file, 0x02);
}

static int close_tray(uint32_t file, unsigned long argument)
{
	(void)argument;
	return start_stop(file, 0x03);
}

static int start(uint32_t file, unsigned long argument)
{
	(void)argument;
	return start_stop(file, 0x01);
}

static int stop(uint32_t file, unsigned long argument)
{
	(void)argument;
	return start_stop(file, 0x00);
}

/* SET CD SPEED (MMC-6 6.37) in kB/s; 0 is the fastest. */
static int select_speed(uint32_t file, unsigned long speed)
{
	uint8_t cdb[12] = { 0xbb };

	xo_put_be16(cdb + 2, speed == 0 || speed > 0xffff / 177 ? 0xffff : (uint32_t)speed * 177);
	cdb[4] = cdb[5] = 0xff;
	return no_data(file, cdb, sizeof(cdb));
}

/* The media event of GET EVENT STATUS NOTIFICATION (MMC-6 6.6, table 238): its status byte. */
static int media_status(uint32_t file, uint8_t *status)
{
	static const uint8_t cdb[10] = { 0x4a, 0x01, 0, 0, 0x10, 0, 0, 0, 8 };
	uint8_t data[8] = { 0 };
	int r;

	r = xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_IN, data, sizeof(data), NULL);
	if (r == 0 && (xo_get_be16(data) < 6 || data[2] & 0x80 || (data[2] & 7) != 4))
		r = -EIO;
	if (r == 0)
		*status = data[5];
	return r;
}

static int drive_status(uint32_t file, unsigned long slot)
{
	static const uint8_t test_unit_ready[6] = { 0 };
	uint8_t status = 0;
	int r;

	if (slot != CDSL_CURRENT && slot != CDSL_NONE && slot != 0)
		return -EINVAL;
	if (no_data(file, test_unit_ready, sizeof(test_unit_ready)) == 0)
		return CDS_DISC_OK;
	r = media_status(file, &status);
	if (r < 0)
		return CDS_NO_DISC;
	if (status & 0x01)
		return CDS_TRAY_OPEN;
	return status & 0x02 ? CDS_DRIVE_NOT_READY : CDS_NO_DISC;
}

static int media_changed(uint32_t file, unsigned long slot)
{
	(void)file;
	(void)slot;
	return 0;
}

static int slots(uint32_t file, unsigned long argument)
{
	(void)file;
	(void)argument;
	return 1;
}

/* Behaviour that lives in the kernel's driver and has no meaning here. */
static int accept_option(uint32_t file, unsigned long argument)
{
	(void)file;
	(void)argument;
	return 0;
}

/* The capabilities page 2Ah (MMC-6 annex E) in the kernel's bits. */
static int get_capability(uint32_t file, unsigned long argument)
{
	static const uint8_t cdb[10] = { 0x5a, 0x08, 0x2a, 0, 0, 0, 0, 0, 128 };
	int has = CDC_CLOSE_TRAY | CDC_LOCK | CDC_SELECT_SPEED | CDC_MULTI_SESSION | CDC_MCN |
		  CDC_MEDIA_CHANGED | CDC_PLAY_AUDIO | CDC_RESET | CDC_DRIVE_STATUS |
		  CDC_GENERIC_PACKET;
	uint8_t data[128] = { 0 };
	const uint8_t *page;
	size_t at;

	(void)argument;
	if (xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_IN, data, sizeof(data), NULL) < 0)
		return has | CDC_OPEN_TRAY;
	at = 8 + (size_t)xo_get_be16(data + 6);
	if (at + 8 > sizeof(data))
		return has | CDC_OPEN_TRAY;
	page = data + at;
	has |= page[2] & 0x08 ? CDC_DVD : 0;
	has |= page[3] & 0x01 ? CDC_CD_R : 0;
	has |= page[3] & 0x02 ? CDC_CD_RW : 0;
	has |= page[3] & 0x10 ? CDC_DVD_R : 0;
	has |= page[3] & 0x20 ? CDC_DVD_RAM | CDC_RAM : 0;
	has |= page[6] & 0x08 ? CDC_OPEN_TRAY : 0;
	return has;
}

/* READ DISC INFORMATION and READ TRACK INFORMATION of the last track: 32 bytes of the latter. */
static int last_track(uint32_t file, uint8_t info[32])
{
	static const uint8_t disc[10] = { 0x51, 0, 0, 0, 0, 0, 0, 0, 34 };
	uint8_t track[10] = { 0x52, 0x01, 0, 0, 0, 0, 0, 0, 32 };
	uint8_t data[34] = { 0 };
	int r;

	r = xo_pre_packet(file, disc, sizeof(disc), XO_DIR_IN, data, sizeof(data), NULL);
	if (r < 0)
		return r;
	track[4] = data[11];
	track[5] = data[6];
	memset(info, 0, 32);
	return xo_pre_packet(file, track, sizeof(track), XO_DIR_IN, info, 32, NULL);
}

static int put_long(unsigned long argument, uint32_t value)
{
	if (!argument)
		return -EFAULT;
	*(long *)argument = (long)value;
	return 0;
}

static uint32_t last_written_of(const uint8_t *track)
{
	uint32_t free_blocks = xo_get_be32(track + 16), last;

	if (track[7] & 0x02) /* LRA_V */
		return xo_get_be32(track + 28);
	last = xo_get_be32(track + 8) + xo_get_be32(track + 24);
	return free_blocks ? last - (free_blocks + 7) : last; /* run-out blocks */
}

static int last_written(uint32_t file, unsigned long argument)
{
	uint8_t track[32];
	int r = last_track(file, track);

	return r < 0 ? r : put_long(argument, last_written_of(track));
}

static int next_writable(uint32_t file, unsigned long argument)
{
	uint8_t track[32];
	int r = last_track(file, track);

	if (r < 0)
		return r;
	if (track[7] & 0x01) /* NWA_V */
		return put_long(argument, xo_get_be32(track + 12));
	return put_long(argument, last_written_of(track) + 7);
}

static int send_packet(uint32_t file, unsigned long argument)
{
	struct cdrom_generic_command *packet = (struct cdrom_generic_command *)argument;
	struct xo_pre_result result = { 0 };
	enum xo_direction direction = XO_DIR_NONE;
	uint32_t length = 0;
	int r;

	if (!packet)
		return -EFAULT;
	if (packet->buffer && packet->data_direction == CGC_DATA_WRITE)
		direction = XO_DIR_OUT;
	if (packet->buffer && packet->data_direction == CGC_DATA_READ)
		direction = XO_DIR_IN;
	if (direction != XO_DIR_NONE)
		length = packet->buflen;
	r = xo_pre_packet(file, packet->cmd, sizeof(packet->cmd), length ? direction : XO_DIR_NONE,
			  packet->buffer, length, &result);
	packet->stat = r;
	if (packet->sense && result.sense_length > 0)
		memcpy(packet->sense, result.sense, XO_MIN(result.sense_length, 18));
	packet->buflen = length - XO_MIN(result.residual, length);
	return r;
}

static uint64_t size_or_zero(uint32_t file)
{
	uint64_t bytes;

	return xo_pre_capacity(file, &bytes) < 0 ? 0 : bytes;
}

static int block_size64(uint32_t file, unsigned long argument)
{
	if (!argument)
		return -EFAULT;
	*(uint64_t *)argument = size_or_zero(file);
	return 0;
}

static int block_size(uint32_t file, unsigned long argument)
{
	if (!argument)
		return -EFAULT;
	*(unsigned long *)argument = size_or_zero(file) / 512;
	return 0;
}

static int sector_size(uint32_t file, unsigned long argument)
{
	(void)file;
	if (!argument)
		return -EFAULT;
	*(int *)argument = XO_PRE_BLOCK;
	return 0;
}

static int max_sectors(uint32_t file, unsigned long argument)
{
	(void)file;
	if (!argument)
		return -EFAULT;
	*(unsigned short *)argument = (unsigned short)(xo_pre_max_transfer() / 512);
	return 0;
}

static int read_only(uint32_t file, unsigned long argument)
{
	(void)file;
	if (!argument)
		return -EFAULT;
	*(int *)argument = 0;
	return 0;
}

const struct xo_pre_ioctl xo_pre_cdrom_ioctls[] = {
	{ CDROMEJECT, eject },
	{ CDROMCLOSETRAY, close_tray },
	{ CDROMSTART, start },
	{ CDROMSTOP, stop },
	{ CDROM_LOCKDOOR, lock_door },
	{ CDROM_SELECT_SPEED, select_speed },
	{ CDROM_DRIVE_STATUS, drive_status },
	{ CDROM_MEDIA_CHANGED, media_changed },
	{ CDROM_CHANGER_NSLOTS, slots },
	{ CDROM_GET_CAPABILITY, get_capability },
	{ CDROM_LAST_WRITTEN, last_written },
	{ CDROM_NEXT_WRITABLE, next_writable },
	{ CDROM_SEND_PACKET, send_packet },
	{ CDROM_SET_OPTIONS, accept_option },
	{ CDROM_CLEAR_OPTIONS, accept_option },
	{ CDROMEJECT_SW, accept_option },
	{ CDROMRESET, accept_option },
	{ BLKGETSIZE64, block_size64 },
	{ BLKGETSIZE, block_size },
	{ BLKSSZGET, sector_size },
	{ BLKBSZGET, sector_size },
	{ BLKPBSZGET, sector_size },
	{ BLKSECTGET, max_sectors },
	{ BLKROGET, read_only },
	{ BLKFLSBUF, accept_option },
	{ 0, NULL },
};

int xo_pre_ioctl(uint32_t file, unsigned long request, unsigned long argument)
{
	static const struct xo_pre_ioctl *const tables[] = {
		xo_pre_sg_ioctls,
		xo_pre_cdrom_ioctls,
		xo_pre_audio_ioctls,
	};

	for (size_t i = 0; i < XO_ARRAY_SIZE(tables); i++) {
		for (const struct xo_pre_ioctl *row = tables[i]; row->request; row++) {
			if (row->request == (uint32_t)request)
				return row->run(file, argument);
		}
	}
	return -ENOTTY;
}
