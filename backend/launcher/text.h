/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of messages that quote what somebody else wrote. */
#ifndef XO_BACKEND_TEXT_H
#define XO_BACKEND_TEXT_H

/*
 * For JSON, the store and the log: control characters, and bytes that are no UTF-8, become '?'. A text that snprintf
 * cut off within a character is one of those.
 */
void xo_text_clean(char *text);

#endif
