/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a text presentable. */
#include "text.h"

#include <stddef.h>

/* The bytes of the character that begins here (RFC 3629, section 4); 0: none does. */
static size_t character(const unsigned char *p)
{
	static const struct {
		unsigned char first, last; /* of the first byte */
		unsigned char low, high; /* of the second */
		unsigned char length;
	} rows[] = {
		{ 0x20, 0x7e, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i = 0;

	while (i < sizeof(rows) / sizeof(rows[0]) && (*p < rows[i].first || *p > rows[i].last))
		i++;
	if (i == sizeof(rows) / sizeof(rows[0]))
		return 0;
	if (rows[i].length > 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
		return 0;
	for (size_t n = 2; n < rows[i].length; n++)
		if (p[n] < 0x80 || p[n] > 0xbf)
			return 0;
	return rows[i].length;
}

void xo_text_clean(char *text)
{
	while (*text) {
		size_t length = character((unsigned char *)text);

		if (!length)
			*text = '?';
		text += length ? length : 1;
	}
}
