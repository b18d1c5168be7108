/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sense data: building, parsing, naming. */
#include "mmc/sense.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <scsi/sg_lib.h>

#include "base/bytes.h"

/* Response codes (SPC-4 4.5.1): current or deferred, fixed or descriptor. */
enum { FIXED = 0x70, FIXED_DEFERRED, DESCRIPTOR, DESCRIPTOR_DEFERRED };

/* Descriptor types (SPC-4 4.5.2.1). */
enum { DESC_INFORMATION = 0x00, DESC_KEY_SPECIFIC = 0x02, DESC_BLOCK = 0x05 };

/* Bits of fixed format. */
#define VALID 0x80 /* byte 0 */
#define ILI 0x20 /* byte 2, and byte 3 of the block commands descriptor */
#define SKSV 0x80 /* first sense key specific byte */
#define FIELD_CD 0x40
#define FIELD_BPV 0x08

struct xo_sense xo_sense_make(uint32_t kcq)
{
	return (struct xo_sense){
		.key = (uint8_t)(kcq >> 16 & 0x0f),
		.asc = (uint8_t)(kcq >> 8),
		.ascq = (uint8_t)kcq,
	};
}

uint32_t xo_sense_kcq(const struct xo_sense *sense)
{
	return XO_KCQ(sense->key, sense->asc, sense->ascq);
}

static bool has_key_specific(const struct xo_sense *sense)
{
	return sense->has_progress || sense->has_field;
}

/* The three sense key specific bytes (SPC-4 4.5.2.4). */
static void put_key_specific(uint8_t *sks, const struct xo_sense *sense)
{
	sks[0] = SKSV;
	if (sense->has_field) {
		if (sense->field_in_cdb)
			sks[0] |= FIELD_CD;
		if (sense->has_bit)
			sks[0] |= (uint8_t)(FIELD_BPV | (sense->bit & 7));
		xo_put_be16(sks + 1, sense->field);
	} else {
		xo_put_be16(sks + 1, sense->progress);
	}
}

static void get_key_specific(const uint8_t *sks, struct xo_sense *sense)
{
	if (!(sks[0] & SKSV))
		return;
	if (sense->key == XO_KEY_ILLEGAL_REQUEST) {
		sense->has_field = true;
		sense->field_in_cdb = sks[0] & FIELD_CD;
		sense->has_bit = sks[0] & FIELD_BPV;
		sense->bit = sense->has_bit ? sks[0] & 7 : 0;
		sense->field = xo_get_be16(sks + 1);
	} else if (sense->key == XO_KEY_NOT_READY || sense->key == XO_KEY_NO_SENSE) {
		sense->has_progress = true;
		sense->progress = xo_get_be16(sks + 1);
	}
}

/* SPC-4 4.5.3 */
static size_t build_fixed(const struct xo_sense *sense, uint8_t *d)
{
	d[0] = sense->deferred ? FIXED_DEFERRED : FIXED;
	d[2] = sense->key;
	if (sense->ili)
		d[2] |= ILI;
	if (sense->has_information && sense->information <= UINT32_MAX) {
		d[0] |= VALID;
		xo_put_be32(d + 3, (uint32_t)sense->information);
	}
	d[7] = XO_SENSE_FIXED_LEN - 8;
	d[12] = sense->asc;
	d[13] = sense->ascq;
	if (has_key_specific(sense))
		put_key_specific(d + 15, sense);
	return XO_SENSE_FIXED_LEN;
}

/* SPC-4 4.5.2 */
static size_t build_descriptor(const struct xo_sense *sense, uint8_t *d)
{
	size_t at = 8;

	d[0] = sense->deferred ? DESCRIPTOR_DEFERRED : DESCRIPTOR;
	d[1] = sense->key;
	d[2] = sense->asc;
	d[3] = sense->ascq;
	if (sense->has_information) {
		d[at] = DESC_INFORMATION;
		d[at + 1] = 10;
		d[at + 2] = VALID;
		xo_put_be64(d + at + 4, sense->information);
		at += 12;
	}
	if (has_key_specific(sense)) {
		d[at] = DESC_KEY_SPECIFIC;
		d[at + 1] = 6;
		put_key_specific(d + at + 4, sense);
		at += 8;
	}
	if (sense->ili) {
		d[at] = DESC_BLOCK;
		d[at + 1] = 2;
		d[at + 3] = ILI;
		at += 4;
	}
	d[7] = (uint8_t)(at - 8);
	return at;
}

size_t xo_sense_build(const struct xo_sense *sense, bool descriptor, uint8_t *buf, size_t size)
{
	uint8_t data[8 + 12 + 8 + 4] = { 0 };
	size_t len = descriptor ? build_descriptor(sense, data) : build_fixed(sense, data);

	len = XO_MIN(len, size);
	if (len)
		memcpy(buf, data, len);
	return len;
}

/* d holds the first XO_SENSE_FIXED_LEN bytes, zeros where there were fewer. */
static void parse_fixed(const uint8_t *d, struct xo_sense *sense)
{
	sense->key = d[2] & 0x0f;
	sense->asc = d[12];
	sense->ascq = d[13];
	sense->ili = d[2] & ILI;
	sense->has_information = d[0] & VALID;
	sense->information = sense->has_information ? xo_get_be32(d + 3) : 0;
	get_key_specific(d + 15, sense);
}

/* One descriptor of len bytes, its two header bytes included. */
static void parse_one(const uint8_t *d, size_t len, struct xo_sense *sense)
{
	if (d[0] == DESC_INFORMATION && len >= 12 && d[2] & VALID) {
		sense->has_information = true;
		sense->information = xo_get_be64(d + 4);
	} else if (d[0] == DESC_KEY_SPECIFIC && len >= 7) {
		get_key_specific(d + 4, sense);
	} else if (d[0] == DESC_BLOCK && len >= 4) {
		sense->ili = d[3] & ILI;
	}
}

static void parse_descriptors(const uint8_t *buf, size_t len, struct xo_sense *sense)
{
	size_t end, at = 8;

	sense->key = len > 1 ? buf[1] & 0x0f : 0;
	sense->asc = len > 2 ? buf[2] : 0;
	sense->ascq = len > 3 ? buf[3] : 0;
	end = len >= 8 ? XO_MIN(len, (size_t)buf[7] + 8) : 0;
	while (at + 2 <= end && at + 2 + buf[at + 1] <= end) {
		parse_one(buf + at, (size_t)buf[at + 1] + 2, sense);
		at += (size_t)buf[at + 1] + 2;
	}
}

int xo_sense_parse(const uint8_t *buf, size_t len, struct xo_sense *sense)
{
	uint8_t fixed[XO_SENSE_FIXED_LEN] = { 0 };
	size_t valid;

	*sense = (struct xo_sense){ 0 };
	if (len == 0)
		return -EINVAL;
	switch (buf[0] & 0x7f) {
	case FIXED:
	case FIXED_DEFERRED:
		/* What lies beyond the additional length is not the drive's. */
		valid = len > 7 ? XO_MIN(len, (size_t)buf[7] + 8) : len;
		memcpy(fixed, buf, XO_MIN(valid, sizeof(fixed)));
		parse_fixed(fixed, sense);
		break;
	case DESCRIPTOR:
	case DESCRIPTOR_DEFERRED:
		parse_descriptors(buf, len, sense);
		break;
	default:
		return -EINVAL;
	}
	sense->deferred = buf[0] & 1;
	return 0;
}

int xo_sense_text(const struct xo_sense *sense, char *buf, size_t size)
{
	char key[64], code[160];

	sg_get_sense_key_str(sense->key, sizeof(key), key);
	sg_get_asc_ascq_str(sense->asc, sense->ascq, sizeof(code), code);
	return snprintf(buf, size, "%s%s, %s (%02x/%02x/%02x)", sense->deferred ? "deferred: " : "",
			key, code, sense->key, sense->asc, sense->ascq);
}
