/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CDB as a line of a trace. */
#include "mmc/cdb.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fields.h"

struct text {
	char *buf;
	size_t size;
	size_t len; /* that the whole text needs, so far */
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *format, ...)
{
	size_t left = text->len < text->size ? text->size - text->len : 0;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(left ? text->buf + text->len : NULL, left, format, args);
	va_end(args);
	text->len += n > 0 ? (size_t)n : 0;
}

static void put_length(struct text *text, const struct xo_opcode *op, const uint8_t *cdb)
{
	switch ((enum xo_length_rule)op->rule) {
	case XO_LENGTH_READ:
	case XO_LENGTH_WRITE:
	case XO_LENGTH_VERIFY:
	case XO_LENGTH_READ_CD:
		put(text, " blocks=%u", xo_field_get(cdb, op->length));
		break;
	case XO_LENGTH_READ_CD_MSF:
		put(text, " msf=%02u:%02u:%02u-%02u:%02u:%02u", cdb[3], cdb[4], cdb[5], cdb[6],
		    cdb[7], cdb[8]);
		break;
	case XO_LENGTH_FIELD:
	case XO_LENGTH_KEY:
	case XO_LENGTH_SECURITY:
		put(text, " length=%u", xo_field_get(cdb, op->length));
		break;
	case XO_LENGTH_PERFORMANCE:
		put(text, " type=%02xh descriptors=%u", cdb[10], xo_get_be16(cdb + 8));
		break;
	default:
		break;
	}
}

int xo_cdb_format(char *buf, size_t size, const uint8_t *cdb, size_t len)
{
	const struct xo_opcode *op = xo_opcode_find(cdb, len);
	struct text text = { .buf = buf, .size = size };
	uint8_t padded[XO_CDB_MAX] = { 0 };
	int32_t lba;

	if (size)
		buf[0] = '\0';
	put(&text, "%s", op->name);
	if (xo_cdb_check(cdb, len)) {
		put(&text, " (%zu bytes)", len);
	} else {
		memcpy(padded, cdb, len);
		if (xo_cdb_lba(cdb, len, &lba))
			put(&text, " lba=%d", lba);
		put_length(&text, op, padded);
	}
	put(&text, " [");
	for (size_t i = 0; i < XO_MIN(len, sizeof(padded)); i++)
		put(&text, i ? " %02x" : "%02x", cdb[i]);
	put(&text, "]");
	return (int)text.len;
}
