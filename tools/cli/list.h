/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `xenoptic list` for people. */
#ifndef XO_TOOLS_LIST_H
#define XO_TOOLS_LIST_H

#include <jansson.h>

void xo_list_print(const json_t *list);

#endif
