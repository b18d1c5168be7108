/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet command by SG_IO (version 3), with its header and sense in memory that outlives the process.
 *
 * sg_io writes the whole header back once, as its last act, and a process that is killed in it ends only after
 * that. `hdr.duration` holds XO_SGIO_POISON until then: whoever finds the poison knows that the command never
 * ran, and otherwise has its result.
 */
#ifndef XO_BASE_SGIO_H
#define XO_BASE_SGIO_H

#include <scsi/sg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"

/* No command lasts 49 days. */
#define XO_SGIO_POISON 0xffffffffu

/* The longest time that a guest may ask for, in seconds. */
#define XO_SGIO_TIMEOUT_MAX_S 21600u

struct xo_sgio {
	sg_io_hdr_t hdr;
	uint8_t sense[XO_SENSE_MAX];
};

static inline void xo_sgio_reset(struct xo_sgio *io)
{
	io->hdr.duration = XO_SGIO_POISON;
}

static inline bool xo_sgio_done(const struct xo_sgio *io)
{
	return io->hdr.duration != XO_SGIO_POISON;
}

/*
 * Of one that was reset, so that a process that is killed in it leaves the poison. `cdb` and `data` (length bytes) are
 * used until the command has run; timeout in seconds.
 */
void xo_sgio_prepare(struct xo_sgio *io, const uint8_t *cdb, uint8_t cdb_length,
		     enum xo_direction direction, void *data, uint32_t length, uint32_t timeout);

/* Blocks as long as the drive does. 0, or -errno: the kernel refused it, nothing reached the drive. */
int xo_sgio_run(struct xo_sgio *io, int fd);

/*
 * Of one that has run. Drives and adapters err: no number leaves its range. With XO_TRANSPORT_NO_CONNECT
 * the drive is gone.
 */
enum xo_transport xo_sgio_transport(const struct xo_sgio *io);
uint32_t xo_sgio_residual(const struct xo_sgio *io, uint32_t length);
uint8_t xo_sgio_sense_length(const struct xo_sgio *io);

/* What xo_sgio_run()'s error means to the client, but for -ENODEV and -ENXIO: the drive is gone. */
enum xo_transport xo_sgio_refused(int error);
bool xo_sgio_gone(int error);

#endif
