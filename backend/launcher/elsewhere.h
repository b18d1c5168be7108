/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices whose backend is another daemon's, as the store has them: for the toolstack role's "list". */
#ifndef XO_BACKEND_ELSEWHERE_H
#define XO_BACKEND_ELSEWHERE_H

#include <jansson.h>
#include <stdbool.h>

#include "store.h"

/* Appends them to `list`, in the form of this daemon's own. `own_too`: those of this domain as well. */
void xo_elsewhere_list(struct xo_store *store, bool own_too, json_t *list);

#endif
