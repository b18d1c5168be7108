/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules that hold for every command, and the table of those that there are. */
#ifndef XO_VIRTUAL_DISPATCH_H
#define XO_VIRTUAL_DISPATCH_H

struct vb;

/* Carries out vb->command on vb->s and leaves the result there. */
void vb_dispatch(struct vb *vb);

#endif
