/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ioctl() for a xenoptic-drive without a kernel's drive; see fake_sgio.h. */
#include "fake_sgio.h"

#include <errno.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "mmc/opcode.h"
#include "mmc/sense.h"

static struct fake_device *device;

static void check(sg_io_hdr_t *hdr, uint32_t kcq)
{
	struct xo_sense sense = xo_sense_make(kcq);

	hdr->status = XO_STATUS_CHECK_CONDITION;
	hdr->driver_status = 8;
	hdr->sb_len_wr = (unsigned char)xo_sense_build(&sense, false, hdr->sbp, hdr->mx_sb_len);
	hdr->resid = (int)hdr->dxfer_len;
}

static void reply(sg_io_hdr_t *hdr, const void *data, uint32_t length)
{
	uint32_t moved = XO_MIN(length, hdr->dxfer_len);

	if (moved)
		memcpy(hdr->dxferp, data, moved);
	hdr->resid = (int)(hdr->dxfer_len - moved);
}

static void read_write(sg_io_hdr_t *hdr, bool write)
{
	const uint8_t *cdb = hdr->cmdp;
	bool twelve = cdb[0] == XO_OP_READ_12 || cdb[0] == XO_OP_WRITE_12;
	uint32_t lba = xo_get_be32(cdb + 2);
	uint32_t blocks = twelve ? xo_get_be32(cdb + 6) : xo_get_be16(cdb + 7);
	uint32_t length;

	if (lba >= FAKE_SECTORS || blocks > FAKE_SECTORS - lba) {
		check(hdr, XO_SENSE_LBA_OUT_OF_RANGE);
		return;
	}
	length = XO_MIN(blocks * FAKE_SECTOR_SIZE, hdr->dxfer_len);
	hdr->resid = (int)(hdr->dxfer_len - length);
	if (!length)
		return;
	if (write) {
		memcpy(device->sector[lba], hdr->dxferp, length);
		for (uint32_t i = 0; i < blocks; i++)
			device->written[lba + i]++;
		device->writes++;
	} else {
		memcpy(hdr->dxferp, device->sector[lba], length);
	}
}

static void get_event(sg_io_hdr_t *hdr)
{
	uint8_t answer[8] = { 0, 6, 4, 0x10, (uint8_t)device->event, 2 };

	reply(hdr, answer, sizeof(answer));
	device->event = 0;
}

static void mode_sense(sg_io_hdr_t *hdr)
{
	uint8_t answer[24] = { 0, 22 };

	if ((hdr->cmdp[2] & 0x3f) != 5) {
		check(hdr, XO_SENSE_INVALID_FIELD_IN_CDB);
		return;
	}
	answer[8] = 5;
	answer[9] = 14;
	if (hdr->cmdp[2] >> 6 != 2)
		memcpy(answer + 8, device->mode_page_5, 16);
	reply(hdr, answer, sizeof(answer));
}

static void mode_select(sg_io_hdr_t *hdr)
{
	const uint8_t *list = hdr->dxferp;

	if (hdr->dxfer_len >= 24 && (list[8] & 0x3f) == 5)
		memcpy(device->mode_page_5, list + 8, 16);
}

static void carry_out(sg_io_hdr_t *hdr)
{
	uint8_t inquiry[36] = { 5, 0x80, 5, 2, 31 };
	uint8_t disc[34] = { 0, 32, (uint8_t)device->disc_status, 1, 1, 1, 1 };
	uint8_t track[36] = { 0, 34, 1, 1 };

	memcpy(inquiry + 8, "FAKE    TEST DRIVE      1.0 ", 28);
	switch (hdr->cmdp[0]) {
	case XO_OP_INQUIRY:
		reply(hdr, inquiry, XO_MIN(sizeof(inquiry), xo_get_be16(hdr->cmdp + 3)));
		break;
	case XO_OP_READ_10:
	case XO_OP_READ_12:
		read_write(hdr, false);
		break;
	case XO_OP_WRITE_10:
	case XO_OP_WRITE_12:
		read_write(hdr, true);
		break;
	case XO_OP_GET_EVENT_STATUS:
		get_event(hdr);
		break;
	case XO_OP_PREVENT_ALLOW:
		device->locked = hdr->cmdp[4] & 1;
		break;
	case XO_OP_START_STOP_UNIT:
		if (device->locked && (hdr->cmdp[4] & 3) == 2)
			check(hdr, XO_SENSE_MEDIUM_REMOVAL_PREVENTED);
		break;
	case XO_OP_READ_DISC_INFORMATION:
		reply(hdr, disc, sizeof(disc));
		break;
	case XO_OP_READ_TRACK_INFORMATION:
		reply(hdr, track, sizeof(track));
		break;
	case XO_OP_MODE_SENSE_10:
		mode_sense(hdr);
		break;
	case XO_OP_MODE_SELECT_10:
		mode_select(hdr);
		break;
	default:
		break;
	}
}

static struct fake_fate *find_fate(uint8_t opcode)
{
	for (unsigned int i = 0; i < FAKE_SCRIPT; i++)
		if (device->script[i].armed && device->script[i].opcode == opcode)
			return &device->script[i];
	return NULL;
}

static void meet_fate(sg_io_hdr_t *hdr, struct fake_fate *fate)
{
	if (fate->carried_out)
		carry_out(hdr);
	hdr->status = fate->status;
	hdr->host_status = fate->host_status;
	hdr->driver_status = fate->driver_status;
	hdr->sb_len_wr = fate->sense_length;
	memcpy(hdr->sbp, fate->sense, XO_MIN(sizeof(fate->sense), hdr->mx_sb_len));
	hdr->resid = fate->resid;
}

static void note(const sg_io_hdr_t *hdr)
{
	struct fake_logged *entry = &device->log[device->logged++ % FAKE_LOG];
	static const char directions[] = { [-SG_DXFER_NONE] = '-',
					   [-SG_DXFER_TO_DEV] = 'W',
					   [-SG_DXFER_FROM_DEV] = 'R' };

	memset(entry, 0, sizeof(*entry));
	memcpy(entry->cdb, hdr->cmdp, hdr->cmd_len);
	entry->cdb_length = hdr->cmd_len;
	entry->direction = (uint8_t)directions[-hdr->dxfer_direction];
	entry->length = hdr->dxfer_len;
	entry->timeout = hdr->timeout;
}

/* By the bare system call: this file's own ioctl() is none. */
static void misbehave(void)
{
	switch (device->misbehave) {
	case 1:
		syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
		break;
	case 2:
		syscall(SYS_execve, "/bin/true", NULL, NULL);
		break;
	case 3:
		syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
		break;
	case 4:
		syscall(SYS_ioctl, 6, BLKRRPART, 0);
		break;
	case 5:
		syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		break;
	case 6:
		syscall(SYS_fork);
		break;
	case 7:
		syscall(SYS_setuid, 0);
		break;
	}
}

/* As the kernel: the header goes back whole, at the end, and only if the command was taken. */
static int sg_io(sg_io_hdr_t *user)
{
	sg_io_hdr_t hdr = *user;
	uint32_t delay = device->delay_ms[hdr.cmdp[0]];
	struct timespec pause = { .tv_sec = delay / 1000, .tv_nsec = delay % 1000 * 1000000L };
	struct fake_fate *fate = find_fate(hdr.cmdp[0]);

	misbehave();
	if (device->gone) {
		errno = ENODEV;
		return -1;
	}
	if (hdr.interface_id != 'S' || hdr.dxfer_len > device->max_transfer) {
		errno = EINVAL;
		return -1;
	}
	if (fate)
		fate->armed = 0;
	if (fate && fate->error) {
		errno = fate->error;
		return -1;
	}
	__atomic_store_n(&device->running, 1, __ATOMIC_SEQ_CST);
	if (delay)
		nanosleep(&pause, NULL);
	hdr.status = 0;
	hdr.resid = 0;
	note(&hdr);
	device->commands++;
	if (fate)
		meet_fate(&hdr, fate);
	else
		carry_out(&hdr);
	hdr.duration = 1;
	__atomic_store_n(&device->running, 0, __ATOMIC_SEQ_CST);
	*user = hdr;
	return 0;
}

/* The thread in the drive keeps the process, and all that it has open. */
void _exit(int status)
{
	if (device && device->outlives && __atomic_load_n(&device->running, __ATOMIC_SEQ_CST))
		syscall(SYS_exit, status);
	for (;;)
		syscall(SYS_exit_group, status);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (!device) {
		device = mmap(NULL, sizeof(*device), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (device == MAP_FAILED) {
			device = NULL;
			return -1;
		}
	}
	switch (request) {
	case SG_GET_VERSION_NUM:
		*(int *)argument = 30536;
		return 0;
	case BLKSECTGET:
		*(unsigned short *)argument = (unsigned short)(device->max_transfer / 512);
		return 0;
	case SG_IO:
		return sg_io(argument);
	default:
		errno = ENOTTY;
		return -1;
	}
}
