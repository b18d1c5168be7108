/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the IDE controller say to each other: channel (task file, PIO) and bus master. */
#ifndef XO_MODEL_IDE_PRIVATE_H
#define XO_MODEL_IDE_PRIVATE_H

#include "model/ide.h"

extern const struct xo_region_ops xo_ide_command_ops;
extern const struct xo_region_ops xo_ide_control_ops;
extern const struct xo_region_ops xo_ide_bus_master_ops;

/* ide_channel.c */
void xo_ide_channel_reset(struct xo_ide_channel *channel, bool power_on);
/* The bus master was started: a DMA packet that waited for it goes on. */
void xo_ide_channel_started(struct xo_ide_channel *channel);
/* The packet engine's advance(). */
void xo_ide_channel_advance(void *priv);

/* ide_bm.c */
int xo_ide_bm_init(struct xo_ide *ide, bool again);
bool xo_ide_bm_active(const struct xo_ide *ide, unsigned int channel);
/* Direction and total of the physical region descriptors, as a guest's buffer. -EFAULT: a malformed table. */
int xo_ide_bm_buffer(struct xo_ide *ide, unsigned int channel, struct xo_guest_buffer *buffer);
/* Moves `length` bytes between `data` and the regions from their byte `start` on. 0 or -EFAULT. */
int xo_ide_bm_move(struct xo_ide *ide, unsigned int channel, uint32_t start, uint8_t *data,
		   uint32_t length, bool to_guest);
/* INTRQ rose: the Interrupt bit; the end of a transfer: Active falls if everything was moved, or for an error. */
void xo_ide_bm_interrupt(struct xo_ide *ide, unsigned int channel);
void xo_ide_bm_end(struct xo_ide *ide, unsigned int channel, bool error);

/* ide.c */
void xo_ide_update_interrupt(struct xo_ide *ide);

#endif
