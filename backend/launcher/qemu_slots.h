/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slots of an HVM guest's PCI bus 0 that QEMU's own devices have, as far as that is certain: Xen gives an access to
 * the emulator that came last, so a controller of ours in such a slot would hide QEMU's device from the guest.
 */
#ifndef XO_BACKEND_QEMU_SLOTS_H
#define XO_BACKEND_QEMU_SLOTS_H

#include <jansson.h>
#include <stddef.h>

#include "store.h"

#define XO_PCI_SLOTS 32

struct xo_qemu_slots {
	char holder[XO_PCI_SLOTS]
		   [32]; /* what is there, for messages; empty: nothing that is known */
};

/* From QEMU's command line: `argv` may be all of it or a part, and empty. */
void xo_qemu_slots_read(struct xo_qemu_slots *slots, const char *const *argv, size_t count);

/*
 * Of a domain: from the command line that its device-model wrapper tells, while there is no QEMU yet, or (`told` is
 * NULL) from that of its running QEMU.
 */
void xo_qemu_slots_find(struct xo_qemu_slots *slots, struct xo_store *store, unsigned int domid,
			const json_t *told);

#endif
