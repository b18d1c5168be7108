/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-refresh: makes the host's kernel look anew at a drive that a guest has let go. Packet
 * commands of the guest changed the disc, or the guest changed discs, behind the back of the sr
 * driver, which reads the capacity only when it notices a change of the medium.
 *
 * It notices one when TEST UNIT READY, which it sends at each open, changes between failing without
 * sense and not failing (sr_check_events() in the kernel's drivers/scsi/sr.c). So the device is set
 * offline for the moment of an open, and running again for a second one. The drive itself notices
 * nothing, and no tray moves. Done by a process of its own, since a drive may take its time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "mmc/opcode.h"
#include "mmc/sense.h"
#include "optical_device.h"

#define BUSY_TRIES 40
#define BUSY_NS 250000000
#define TIMEOUT_MS 60000
#define BLOCK 2048u

/* What sr takes for the size where READ CAPACITY fails: 1fffffh sectors of 512 bytes. */
#define SIZE_UNKNOWN (UINT64_C(0x1fffff) * 512)

/* The size by the drive, as sr would take it now. 0; -ENOMEDIUM: nothing to compare; -errno. */
static int drive_size(int fd, uint64_t *size)
{
	uint8_t cdb[10] = { XO_OP_READ_CAPACITY };
	uint8_t sense[32] = { 0 };
	uint8_t data[8] = { 0 };
	sg_io_hdr_t hdr = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(cdb),
		.cmdp = cdb,
		.dxfer_len = sizeof(data),
		.dxferp = data,
		.mx_sb_len = sizeof(sense),
		.sbp = sense,
		.timeout = TIMEOUT_MS,
	};

	/* A unit attention, once or twice, is not an answer. */
	for (unsigned int i = 0; i < 3; i++) {
		if (ioctl(fd, SG_IO, &hdr) < 0)
			return -errno;
		if (hdr.host_status)
			return -EIO;
		if (!hdr.status) {
			*size = (xo_get_be32(data) + UINT64_C(1)) * BLOCK;
			return 0;
		}
		if ((sense[2] & 0xf) == XO_KEY_NOT_READY)
			return -ENOMEDIUM;
	}
	*size = SIZE_UNKNOWN;
	return 0;
}

static uint64_t kernel_size(int fd)
{
	uint64_t size = 0;

	return ioctl(fd, BLKGETSIZE64, &size) < 0 ? 0 : size;
}

static int set_state(dev_t number, const char *state)
{
	char path[128];
	int fd;
	int r = 0;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/device/state", major(number),
		 minor(number));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, state, strlen(state)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* The kernel looks at the medium; that the open itself fails is no matter. */
static void look(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

static int refresh(const char *path, const struct xo_optical_device *device)
{
	sigset_t signals;
	sigset_t before;
	int r;

	/* A drive that is left offline would be of no use to anybody. */
	sigfillset(&signals);
	sigprocmask(SIG_SETMASK, &signals, &before);
	r = set_state(device->number, "offline\n");
	if (!r) {
		look(path);
		r = set_state(device->number, "running\n");
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (!r)
		look(path);
	return r;
}

/* Nobody else takes it meanwhile; udev's cdrom_id and others have it for moments. */
static int open_device(const char *path, struct xo_optical_device *device)
{
	static const struct timespec pause = { .tv_nsec = BUSY_NS };
	char error[512];
	int r;

	for (unsigned int i = 0;; i++) {
		r = xo_optical_device_open(path, device, error, sizeof(error));
		if (r != -EBUSY || i == BUSY_TRIES)
			break;
		nanosleep(&pause, NULL);
	}
	if (r)
		xo_error("%s; its size as this host knows it may be wrong until its medium changes",
			 error);
	return r;
}

int main(int argc, char **argv)
{
	struct xo_optical_device device;
	uint64_t before;
	uint64_t size = SIZE_UNKNOWN;
	int r;

	xo_log_open("xenoptic-refresh", XO_LOG_INFO);
	if (argc != 2 || argv[1][0] != '/') {
		fprintf(stderr, "Usage: xenoptic-refresh DEVICE\n"
				"Makes the kernel read a drive's capacity again, if it changed.\n");
		return 2;
	}
	r = open_device(argv[1], &device);
	if (r)
		return 1;
	before = kernel_size(device.fd);
	r = drive_size(device.fd, &size);
	if (!r && size != before) {
		r = refresh(argv[1], &device);
		if (!r)
			xo_info("%s: %" PRIu64 " bytes, was %" PRIu64, argv[1],
				kernel_size(device.fd), before);
	}
	if (r && r != -ENOMEDIUM)
		xo_error("%s: its size as this host knows it (%" PRIu64 " bytes) may be wrong "
			 "until its medium changes: "
			 "%s",
			 argv[1], before, strerror(-r));
	close(device.fd);
	return r && r != -ENOMEDIUM;
}
