/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded: writes a line for each SG_IO or CDROM_SEND_PACKET of the program to the file in SGRECORD: CDB, direction,
 * length, status, host and driver status, residual, sense, and a sum of the data with its beginning. Times are not
 * written, so that two recordings can be compared.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/cdrom.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOWN 64 /* bytes of data, to see where two answers differ */
#define GET_CONFIGURATION 0x46

static char *hex(char *out, const uint8_t *bytes, size_t count)
{
	char *at = out;

	*out = 0;
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%02x", bytes[i]);
	return out;
}

/* FNV-1a */
static uint64_t sum(uint64_t h, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		h = (h ^ bytes[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t sum_data(const sg_io_hdr_t *hdr, size_t length, uint8_t *begin, size_t *shown)
{
	const struct iovec whole = { hdr->dxferp, hdr->dxfer_len };
	const struct iovec *v = hdr->iovec_count ? hdr->dxferp : &whole;
	uint64_t h = UINT64_C(14695981039346656037);

	for (*shown = 0; length; v++) {
		size_t part = v->iov_len < length ? v->iov_len : length;
		size_t show = part < SHOWN - *shown ? part : SHOWN - *shown;

		memcpy(begin + *shown, v->iov_base, show);
		*shown += show;
		h = sum(h, v->iov_base, part);
		length -= part;
	}
	return h;
}

/* Above the length it tells of an overflow, which leaves nothing over. */
static int left_over(const sg_io_hdr_t *hdr)
{
	return hdr->resid > 0 && (unsigned int)hdr->resid > hdr->dxfer_len ? 0 : hdr->resid;
}

/*
 * How much of the data is an answer: none with an error; else what is not left over; and of GET CONFIGURATION, whose
 * last feature tgt sends with nothing about the rest of a long buffer, what its first field says (MMC-6 6.5.2.1).
 */
static size_t answered(const sg_io_hdr_t *hdr)
{
	size_t length = hdr->dxfer_len;
	const uint8_t *data = hdr->dxferp;

	if (hdr->dxfer_direction == SG_DXFER_NONE)
		return 0;
	if (hdr->dxfer_direction == SG_DXFER_TO_DEV)
		return length;
	if (hdr->status || hdr->host_status)
		return 0;
	if (left_over(hdr) > 0)
		length -= (size_t)left_over(hdr);
	if (hdr->cmdp[0] == GET_CONFIGURATION && !hdr->iovec_count && length >= 4) {
		size_t says = 4 + ((size_t)data[0] << 24 | (size_t)data[1] << 16 |
				   (size_t)data[2] << 8 | data[3]);

		length = says < length ? says : length;
	}
	return length;
}

static void record(const sg_io_hdr_t *hdr, int result, int error)
{
	static int file = -1;
	char cdb[2 * 256 + 1], sense[2 * 256 + 1], data[2 * SHOWN + 1];
	uint8_t begin[SHOWN];
	char line[2048];
	size_t shown = 0;
	size_t length = answered(hdr);
	uint64_t h = 0;
	int n;

	if (file < 0 && getenv("SGRECORD"))
		file = open(getenv("SGRECORD"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (length)
		h = sum_data(hdr, length, begin, &shown);
	n = snprintf(line, sizeof(line),
		     "%s dir=%d len=%u result=%d errno=%d status=%02x host=%x driver=%x resid=%d "
		     "sense=%s data=%016" PRIx64 ":%s\n",
		     hex(cdb, hdr->cmdp, hdr->cmd_len), hdr->dxfer_direction, hdr->dxfer_len,
		     result, result < 0 ? error : 0, hdr->status, hdr->host_status,
		     hdr->driver_status, left_over(hdr),
		     hex(sense, hdr->sbp, result < 0 ? 0 : hdr->sb_len_wr), h,
		     hex(data, begin, shown));
	if (file < 0 || write(file, line, (size_t)n) != n)
		abort(); /* a recording with holes is worth nothing */
}

/* The same through the kernel's CD-ROM layer, which tells no residual. */
static void record_packet(const struct cdrom_generic_command *packet, int result, int error)
{
	sg_io_hdr_t hdr = {
		.cmdp = (unsigned char *)packet->cmd,
		.cmd_len = CDROM_PACKET_SIZE,
		.dxfer_len = packet->buflen,
		.dxferp = packet->buffer,
		.sbp = (unsigned char *)packet->sense,
		.sb_len_wr = packet->sense ? sizeof(*packet->sense) : 0,
		.status = (unsigned char)packet->stat,
	};

	hdr.dxfer_direction = packet->data_direction == CGC_DATA_READ	 ? SG_DXFER_FROM_DEV
			      : packet->data_direction == CGC_DATA_WRITE ? SG_DXFER_TO_DEV
									 : SG_DXFER_NONE;
	record(&hdr, result, error);
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*real)(int, unsigned long, ...);
	va_list list;
	void *argument;
	int r;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (!real)
		real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	r = real(fd, request, argument);
	if (request == SG_IO || request == CDROM_SEND_PACKET) {
		int error = errno;

		if (request == SG_IO)
			record(argument, r, error);
		else
			record_packet(argument, r, error);
		errno = error;
	}
	return r;
}
