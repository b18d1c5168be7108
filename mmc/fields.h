/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to mmc: fields of CDBs, and which block sizes there are. */
#ifndef XO_MMC_FIELDS_H
#define XO_MMC_FIELDS_H

#include "mmc/opcode.h"

/* A big-endian field of a CDB of XO_CDB_MAX bytes. */
uint32_t xo_field_get(const uint8_t *cdb, struct xo_field field);
void xo_field_put(uint8_t *cdb, struct xo_field field, uint32_t value);

/* READ CD: whether the CDB alone decides the size of a block, or the track's mode does too. */
bool xo_read_cd_exact(const uint8_t *cdb);

/* Whether blocks of the command may have this size on some medium. */
bool xo_block_size_plausible(const struct xo_opcode *op, const uint8_t *cdb, uint32_t size);

#endif
