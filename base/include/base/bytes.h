/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Big- and little-endian fields in byte arrays, bounded readers and writers,
 * and arithmetic that says when it would wrap.
 */
#ifndef XO_BASE_BYTES_H
#define XO_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XO_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define XO_MIN(a, b) ((a) < (b) ? (a) : (b))
#define XO_MAX(a, b) ((a) > (b) ? (a) : (b))

static inline uint16_t xo_get_be16(const uint8_t *p)
{
	return (uint16_t)((unsigned int)p[0] << 8 | p[1]);
}

static inline uint32_t xo_get_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t xo_get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t xo_get_be64(const uint8_t *p)
{
	return (uint64_t)xo_get_be32(p) << 32 | xo_get_be32(p + 4);
}

static inline uint16_t xo_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (unsigned int)p[1] << 8);
}

static inline uint32_t xo_get_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t xo_get_le64(const uint8_t *p)
{
	return xo_get_le32(p) | (uint64_t)xo_get_le32(p + 4) << 32;
}

static inline void xo_put_be16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void xo_put_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void xo_put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	xo_put_be24(p + 1, v);
}

static inline void xo_put_be64(uint8_t *p, uint64_t v)
{
	xo_put_be32(p, (uint32_t)(v >> 32));
	xo_put_be32(p + 4, (uint32_t)v);
}

static inline void xo_put_le16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void xo_put_le32(uint8_t *p, uint32_t v)
{
	xo_put_le16(p, v & 0xffff);
	xo_put_le16(p + 2, v >> 16);
}

static inline void xo_put_le64(uint8_t *p, uint64_t v)
{
	xo_put_le32(p, (uint32_t)v);
	xo_put_le32(p + 4, (uint32_t)(v >> 32));
}

/* True when the result wrapped; *sum then holds nothing of use. */
#define xo_add_overflows(a, b, sum) __builtin_add_overflow(a, b, sum)
#define xo_mul_overflows(a, b, product) __builtin_mul_overflow(a, b, product)

/* True when [offset, offset + length) lies within [0, size). Never wraps. */
static inline bool xo_range_within(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

/*
 * A reader over bytes that somebody else made. Reading past the end yields
 * zeros and sets `failed`, so that a parser tests once, at its end.
 */
struct xo_reader {
	const uint8_t *data;
	size_t size;
	size_t at;
	bool failed;
};

static inline struct xo_reader xo_reader(const void *data, size_t size)
{
	return (struct xo_reader){ .data = data, .size = size };
}

static inline size_t xo_reader_left(const struct xo_reader *r)
{
	return r->size - r->at;
}

/* The next `length` bytes, or NULL (and failed) when there are fewer. */
static inline const uint8_t *xo_read_bytes(struct xo_reader *r, size_t length)
{
	const uint8_t *p;

	if (length > xo_reader_left(r)) {
		r->failed = true;
		r->at = r->size;
		return NULL;
	}
	p = r->data + r->at;
	r->at += length;
	return p;
}

static inline uint8_t xo_read_u8(struct xo_reader *r)
{
	const uint8_t *p = xo_read_bytes(r, 1);

	return p ? *p : 0;
}

static inline uint16_t xo_read_be16(struct xo_reader *r)
{
	const uint8_t *p = xo_read_bytes(r, 2);

	return p ? xo_get_be16(p) : 0;
}

static inline uint32_t xo_read_be24(struct xo_reader *r)
{
	const uint8_t *p = xo_read_bytes(r, 3);

	return p ? xo_get_be24(p) : 0;
}

static inline uint32_t xo_read_be32(struct xo_reader *r)
{
	const uint8_t *p = xo_read_bytes(r, 4);

	return p ? xo_get_be32(p) : 0;
}

/*
 * A writer into a buffer of fixed size. What does not fit is counted in
 * `needed` and dropped, which is how SCSI allocation lengths truncate.
 */
struct xo_writer {
	uint8_t *data;
	size_t size;
	size_t needed;
};

static inline struct xo_writer xo_writer(void *data, size_t size)
{
	return (struct xo_writer){ .data = data, .size = size };
}

/* Bytes really in the buffer. */
static inline size_t xo_writer_used(const struct xo_writer *w)
{
	return XO_MIN(w->needed, w->size);
}

static inline void xo_write_bytes(struct xo_writer *w, const void *from, size_t length)
{
	if (w->needed < w->size)
		memcpy(w->data + w->needed, from, XO_MIN(length, w->size - w->needed));
	w->needed += length;
}

static inline void xo_write_u8(struct xo_writer *w, unsigned int v)
{
	uint8_t b = (uint8_t)v;

	xo_write_bytes(w, &b, 1);
}

static inline void xo_write_be16(struct xo_writer *w, unsigned int v)
{
	uint8_t b[2];

	xo_put_be16(b, v);
	xo_write_bytes(w, b, sizeof(b));
}

static inline void xo_write_be24(struct xo_writer *w, uint32_t v)
{
	uint8_t b[3];

	xo_put_be24(b, v);
	xo_write_bytes(w, b, sizeof(b));
}

static inline void xo_write_be32(struct xo_writer *w, uint32_t v)
{
	uint8_t b[4];

	xo_put_be32(b, v);
	xo_write_bytes(w, b, sizeof(b));
}

static inline void xo_write_zeros(struct xo_writer *w, size_t length)
{
	if (w->needed < w->size)
		memset(w->data + w->needed, 0, XO_MIN(length, w->size - w->needed));
	w->needed += length;
}

#endif
