// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CD sectors: sync, header, EDC and ECC of ECMA-130, made from what a track
 * stores of each sector.
 */
#include <string.h>

#include "virtual.h"

#define SYNC_LENGTH 12
#define HEADER_LENGTH 4
#define SUBHEADER_LENGTH 8

/* ECMA-130 annex A: RS codes over GF(2^8), x^8 + x^4 + x^3 + x^2 + 1. */
#define GF_POLYNOMIAL 0x11d
#define GF_INVERSE_OF_3 0xf4
#define ECC_FIRST 12 /* the codes cover bytes 12 on */
#define P_VECTORS 43
#define P_DATA 24
#define Q_VECTORS 26
#define Q_DATA 43
#define Q_WORDS 1118 /* what Q covers, P's parity too */

uint8_t vb_bcd(unsigned int value)
{
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

void vb_msf(uint8_t *to, int32_t lba)
{
	/* MMC-6 annex B: addresses before the program area count from 90:00:00. */
	uint32_t frames = (uint32_t)(lba < -150 ? lba + 450150 : lba + 150);

	to[0] = (uint8_t)(frames / 75 / 60 % 100);
	to[1] = (uint8_t)(frames / 75 % 60);
	to[2] = (uint8_t)(frames % 75);
}

void vb_sector_header(uint8_t *sector, int32_t lba, unsigned int mode)
{
	uint8_t msf[3];

	memset(sector, 0xff, SYNC_LENGTH);
	sector[0] = 0;
	sector[SYNC_LENGTH - 1] = 0;
	vb_msf(msf, lba);
	for (unsigned int i = 0; i < 3; i++)
		sector[SYNC_LENGTH + i] = vb_bcd(msf[i]);
	sector[SYNC_LENGTH + 3] = (uint8_t)mode;
}

/* ECMA-130 14.3: the polynomial (x^16+x^15+x^2+1)(x^16+x^2+x+1), low bits first. */
static uint32_t edc(const uint8_t *data, size_t length)
{
	static uint32_t table[256];
	uint32_t crc = 0;

	if (!table[1]) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t v = i;

			for (unsigned int bit = 0; bit < 8; bit++)
				v = v >> 1 ^ (v & 1 ? 0xd8018001u : 0);
			table[i] = v;
		}
	}
	for (size_t i = 0; i < length; i++)
		crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
	return crc;
}

static uint8_t gf_double(uint8_t a)
{
	return (uint8_t)(a << 1 ^ (a & 0x80 ? GF_POLYNOMIAL : 0));
}

static uint8_t gf_multiply(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b >>= 1, a = gf_double(a)) {
		if (b & 1)
			product ^= a;
	}
	return product;
}

/* What is known of one code vector: the sums that its two parity symbols must make zero. */
struct syndrome {
	uint8_t plain; /* of all symbols */
	uint8_t weighted; /* of symbol i times 2^(length - 1 - i) */
};

static void syndrome_add(struct syndrome *s, uint8_t symbol)
{
	s->plain ^= symbol;
	s->weighted = gf_double(s->weighted) ^ symbol;
}

/* The parity p0, p1 with p0 + p1 = plain and 2 p0 + p1 = weighted * 4. */
static void syndrome_solve(const struct syndrome *s, uint8_t *p0, uint8_t *p1)
{
	uint8_t weighted = gf_double(gf_double(s->weighted));

	*p0 = gf_multiply(s->plain ^ weighted, GF_INVERSE_OF_3);
	*p1 = s->plain ^ *p0;
}

static void ecc_p(uint8_t *area)
{
	for (unsigned int vector = 0; vector < 2 * P_VECTORS; vector++) {
		struct syndrome s = { 0 };

		for (unsigned int i = 0; i < P_DATA; i++)
			syndrome_add(&s, area[2 * P_VECTORS * i + vector]);
		syndrome_solve(&s, &area[2 * P_VECTORS * P_DATA + vector],
			       &area[2 * P_VECTORS * (P_DATA + 1) + vector]);
	}
}

static void ecc_q(uint8_t *area)
{
	for (unsigned int vector = 0; vector < 2 * Q_VECTORS; vector++) {
		unsigned int word = vector / 2;
		unsigned int byte = vector % 2;
		struct syndrome s = { 0 };

		for (unsigned int i = 0; i < Q_DATA; i++)
			syndrome_add(&s, area[2 * ((44 * i + 43 * word) % Q_WORDS) + byte]);
		syndrome_solve(&s, &area[2 * (Q_WORDS + word) + byte],
			       &area[2 * (Q_WORDS + Q_VECTORS + word) + byte]);
	}
}

void vb_sector_finish_mode1(uint8_t *sector)
{
	xo_put_le32(sector + 2064, edc(sector, 2064));
	memset(sector + 2068, 0, 8);
	ecc_p(sector + ECC_FIRST);
	ecc_q(sector + ECC_FIRST);
}

/* Form 1's ECC takes the header for zeros (ECMA-130 is mode 1 only; Yellow Book XA). */
void vb_sector_finish_form1(uint8_t *sector)
{
	uint8_t header[HEADER_LENGTH];

	xo_put_le32(sector + 2072, edc(sector + 16, 2056));
	memcpy(header, sector + SYNC_LENGTH, sizeof(header));
	memset(sector + SYNC_LENGTH, 0, sizeof(header));
	ecc_p(sector + ECC_FIRST);
	ecc_q(sector + ECC_FIRST);
	memcpy(sector + SYNC_LENGTH, header, sizeof(header));
}

void vb_sector_finish_form2(uint8_t *sector)
{
	xo_put_le32(sector + 2348, edc(sector + 16, 2332));
}

/* Stored bytes to where they belong in the sector, and the rest around them. */
static void assemble(const struct xo_disc_track *track, int32_t lba, const uint8_t *stored,
		     uint8_t *sector)
{
	if (track->sector_size == 2352) {
		memcpy(sector, stored, 2352);
		return;
	}
	memset(sector, 0, 2352);
	vb_sector_header(sector, lba, track->mode == XO_TRACK_MODE1 ? 1 : 2);
	if (track->sector_size == 2336) {
		memcpy(sector + 16, stored, 2336);
	} else if (track->mode == XO_TRACK_MODE1) {
		memcpy(sector + 16, stored, 2048);
		vb_sector_finish_mode1(sector);
	} else {
		sector[18] = 0x08; /* data, form 1 */
		sector[22] = 0x08;
		memcpy(sector + 24, stored, 2048);
		vb_sector_finish_form1(sector);
	}
}

uint32_t vb_sector_load(struct vb *vb, const struct xo_disc_track *track, int32_t lba,
			uint8_t *sector, uint8_t *subchannel)
{
	uint8_t stored[2352 + 96] = { 0 };
	int64_t index = (int64_t)lba - track->start + track->stored_pregap;
	int64_t end = (int64_t)track->stored_pregap + track->written;
	uint32_t stride = xo_track_stride(track);

	/* A pause that was never sent is silence, or blocks of zeros. */
	if (index >= 0 && index < end &&
	    vb_file_read(vb, stored, stride, track->offset + (uint64_t)index * stride))
		return vb_fail_at(vb, XO_SENSE_UNRECOVERED_READ, lba);
	assemble(track, lba, stored, sector);
	if (track->sector_size == 2352 && track->mode != XO_TRACK_AUDIO &&
	    (index < 0 || index >= end)) {
		vb_sector_header(sector, lba, track->mode == XO_TRACK_MODE1 ? 1 : 2);
		if (track->mode == XO_TRACK_MODE1)
			vb_sector_finish_mode1(sector);
	}
	memset(subchannel, 0, 96);
	if (track->subchannel)
		memcpy(subchannel, stored + track->sector_size, track->subchannel);
	return 0;
}
