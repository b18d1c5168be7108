// SPDX-License-Identifier: GPL-2.0-or-later
/* The CDROM ioctls about tracks, sub-channels and raw sectors of a CD, as packet commands. */
#include "exec/preload.h"

#include <errno.h>
#include <linux/cdrom.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define MSF_BIT 0x02 /* byte 1 of READ TOC and READ SUB-CHANNEL */

static int32_t msf_to_lba(unsigned int m, unsigned int s, unsigned int f)
{
	return (int32_t)((m * 60 + s) * 75 + f) - 150;
}

/* READ TOC/PMA/ATIP (MMC-6 6.25), cut to its first 12 bytes. */
static int read_toc(uint32_t file, bool msf, unsigned int format, unsigned int track,
		    uint8_t data[12])
{
	uint8_t cdb[10] = {
		0x43, msf ? MSF_BIT : 0, (uint8_t)format, 0, 0, 0, (uint8_t)track, 0, 12
	};

	memset(data, 0, 12);
	return xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_IN, data, 12, NULL);
}

static int toc_header(uint32_t file, unsigned long argument)
{
	struct cdrom_tochdr *header = (struct cdrom_tochdr *)argument;
	uint8_t data[12];
	int r;

	if (!header)
		return -EFAULT;
	r = read_toc(file, false, 0, 0, data);
	if (r == 0)
		*header = (struct cdrom_tochdr){ .cdth_trk0 = data[2], .cdth_trk1 = data[3] };
	return r;
}

static int toc_entry(uint32_t file, unsigned long argument)
{
	struct cdrom_tocentry *entry = (struct cdrom_tocentry *)argument;
	uint8_t data[12];
	int r;

	if (!entry)
		return -EFAULT;
	if (entry->cdte_format != CDROM_LBA && entry->cdte_format != CDROM_MSF)
		return -EINVAL;
	r = read_toc(file, entry->cdte_format == CDROM_MSF, 0, entry->cdte_track, data);
	if (r < 0)
		return r;
	entry->cdte_ctrl = data[5] & 0x0fu;
	entry->cdte_adr = (unsigned int)data[5] >> 4 & 0x0fu;
	entry->cdte_datamode = data[5] & CDROM_DATA_TRACK ? 1 : 0;
	if (entry->cdte_format == CDROM_MSF)
		entry->cdte_addr.msf = (struct cdrom_msf0){ .minute = data[9],
							    .second = data[10],
							    .frame = data[11] };
	else
		entry->cdte_addr.lba = (int)xo_get_be32(data + 8);
	return 0;
}

static int multisession(uint32_t file, unsigned long argument)
{
	struct cdrom_multisession *session = (struct cdrom_multisession *)argument;
	bool msf;
	uint8_t data[12];
	int r;

	if (!session)
		return -EFAULT;
	msf = session->addr_format == CDROM_MSF;
	if (!msf && session->addr_format != CDROM_LBA)
		return -EINVAL;
	r = read_toc(file, msf, 1, 0, data); /* format 1: first track of the last session */
	if (r < 0)
		return r;
	session->xa_flag = data[3] > data[2]; /* only then the address means anything */
	if (msf)
		session->addr.msf = (struct cdrom_msf0){ .minute = data[9],
							 .second = data[10],
							 .frame = data[11] };
	else
		session->addr.lba = session->xa_flag ? (int)xo_get_be32(data + 8) : 0;
	return 0;
}

static int disc_status(uint32_t file, unsigned long argument)
{
	unsigned int audio = 0, others = 0;
	uint8_t header[12], data[12];

	(void)argument;
	if (read_toc(file, false, 0, 0, header) < 0)
		return CDS_NO_DISC;
	for (unsigned int track = header[2]; track <= header[3] && track <= 99; track++) {
		if (read_toc(file, false, 0, track, data) < 0)
			return CDS_NO_INFO;
		if (data[5] & CDROM_DATA_TRACK)
			others++;
		else
			audio++;
	}
	if (audio > 0)
		return others > 0 ? CDS_MIXED : CDS_AUDIO;
	return others > 0 ? CDS_DATA_1 : CDS_NO_INFO;
}

/* READ SUB-CHANNEL (MMC-6 6.24) of Q. */
static int read_subchannel(uint32_t file, bool msf, unsigned int format, uint8_t *data,
			   uint32_t length)
{
	uint8_t cdb[10] = { 0x42, msf ? MSF_BIT : 0, 0x40, (uint8_t)format, 0, 0, 0,
			    0,	  (uint8_t)length };

	memset(data, 0, length);
	return xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_IN, data, length, NULL);
}

static void put_address(union cdrom_addr *address, bool msf, const uint8_t *data)
{
	if (msf)
		address->msf = (struct cdrom_msf0){ .minute = data[1],
						    .second = data[2],
						    .frame = data[3] };
	else
		address->lba = (int)xo_get_be32(data);
}

static int subchannel(uint32_t file, unsigned long argument)
{
	struct cdrom_subchnl *q = (struct cdrom_subchnl *)argument;
	uint8_t data[16];
	bool msf;
	int r;

	if (!q)
		return -EFAULT;
	msf = q->cdsc_format == CDROM_MSF;
	if (!msf && q->cdsc_format != CDROM_LBA)
		return -EINVAL;
	r = read_subchannel(file, msf, 1, data, sizeof(data));
	if (r < 0)
		return r;
	q->cdsc_audiostatus = data[1];
	q->cdsc_ctrl = data[5] & 0x0fu;
	q->cdsc_adr = (unsigned int)data[5] >> 4 & 0x0fu;
	q->cdsc_trk = data[6];
	q->cdsc_ind = data[7];
	put_address(&q->cdsc_absaddr, msf, data + 8);
	put_address(&q->cdsc_reladdr, msf, data + 12);
	return 0;
}

static int catalogue_number(uint32_t file, unsigned long argument)
{
	struct cdrom_mcn *mcn = (struct cdrom_mcn *)argument;
	uint8_t data[24];
	int r;

	if (!mcn)
		return -EFAULT;
	r = read_subchannel(file, false, 2, data, sizeof(data));
	if (r < 0)
		return r;
	memset(mcn, 0, sizeof(*mcn));
	if (data[8] & 0x80) /* MCVAL */
		memcpy(mcn->medium_catalog_number, data + 9, 13);
	return 0;
}

/* READ CD (MMC-6 6.19): `type` is the expected sector type, `parts` the main channel selection. */
static int read_cd(uint32_t file, int32_t lba, uint32_t count, unsigned int type,
		   unsigned int parts, void *data, uint32_t block_size)
{
	uint8_t cdb[12] = { 0xbe, (uint8_t)(type << 2) };

	xo_put_be32(cdb + 2, (uint32_t)lba);
	xo_put_be24(cdb + 6, count);
	cdb[9] = (uint8_t)parts;
	return xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_IN, data, count * block_size, NULL);
}

static int read_audio(uint32_t file, unsigned long argument)
{
	const struct cdrom_read_audio *audio = (const struct cdrom_read_audio *)argument;
	uint32_t largest = xo_pre_max_transfer() / CD_FRAMESIZE_RAW, left, n;
	uint8_t *to;
	int32_t lba;
	int r = 0;

	if (!audio || !audio->buf)
		return -EFAULT;
	if (audio->nframes <= 0 || largest == 0)
		return -EINVAL;
	if (audio->addr_format == CDROM_MSF)
		lba = msf_to_lba(audio->addr.msf.minute, audio->addr.msf.second,
				 audio->addr.msf.frame);
	else if (audio->addr_format == CDROM_LBA)
		lba = audio->addr.lba;
	else
		return -EINVAL;
	to = audio->buf;
	for (left = (uint32_t)audio->nframes; r == 0 && left > 0; left -= n) {
		n = XO_MIN(left, largest);
		r = read_cd(file, lba, n, 1, 0xf8, to, CD_FRAMESIZE_RAW);
		lba += (int32_t)n;
		to += (size_t)n * CD_FRAMESIZE_RAW;
	}
	return r;
}

/* The argument is a struct cdrom_msf on the way in and one sector on the way out. */
static int read_sector(uint32_t file, unsigned long argument, unsigned int type, unsigned int parts,
		       uint32_t size)
{
	uint8_t sector[CD_FRAMESIZE_RAW];
	struct cdrom_msf msf;
	int r;

	if (!argument)
		return -EFAULT;
	memcpy(&msf, (void *)argument, sizeof(msf));
	r = read_cd(file, msf_to_lba(msf.cdmsf_min0, msf.cdmsf_sec0, msf.cdmsf_frame0), 1, type,
		    parts, sector, size);
	if (r == 0)
		memcpy((void *)argument, sector, size);
	return r;
}

static int read_raw(uint32_t file, unsigned long argument)
{
	return read_sector(file, argument, 0, 0xf8, CD_FRAMESIZE_RAW);
}

static int read_mode1(uint32_t file, unsigned long argument)
{
	return read_sector(file, argument, 2, 0x10, CD_FRAMESIZE);
}

static int read_mode2(uint32_t file, unsigned long argument)
{
	return read_sector(file, argument, 3, 0x10, CD_FRAMESIZE_RAW0);
}

static int play_msf(uint32_t file, unsigned long argument)
{
	const struct cdrom_msf *msf = (const struct cdrom_msf *)argument;
	uint8_t cdb[10] = { 0x47 };

	if (!msf)
		return -EFAULT;
	memcpy(cdb + 3, msf, 6);
	return xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_NONE, NULL, 0, NULL);
}

static int pause_resume(uint32_t file, unsigned int resume)
{
	uint8_t cdb[10] = { 0x4b, 0, 0, 0, 0, 0, 0, 0, (uint8_t)resume };

	return xo_pre_packet(file, cdb, sizeof(cdb), XO_DIR_NONE, NULL, 0, NULL);
}

static int pause_audio(uint32_t file, unsigned long argument)
{
	(void)argument;
	return pause_resume(file, 0);
}

static int resume_audio(uint32_t file, unsigned long argument)
{
	(void)argument;
	return pause_resume(file, 1);
}

const struct xo_pre_ioctl xo_pre_audio_ioctls[] = {
	{ CDROMREADTOCHDR, toc_header },     { CDROMREADTOCENTRY, toc_entry },
	{ CDROMMULTISESSION, multisession }, { CDROM_DISC_STATUS, disc_status },
	{ CDROMSUBCHNL, subchannel },	     { CDROM_GET_MCN, catalogue_number },
	{ CDROMREADAUDIO, read_audio },	     { CDROMREADRAW, read_raw },
	{ CDROMREADMODE1, read_mode1 },	     { CDROMREADMODE2, read_mode2 },
	{ CDROMPLAYMSF, play_msf },	     { CDROMPAUSE, pause_audio },
	{ CDROMRESUME, resume_audio },	     { 0, NULL },
};
