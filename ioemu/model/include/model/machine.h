/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the emulated hardware needs from the machine around it: guest memory,
 * interrupt lines, and the routing of port and memory accesses. The ioreq
 * server implements it on Xen, the board of the protocol tests without.
 */
#ifndef XO_MODEL_MACHINE_H
#define XO_MODEL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xo_space {
	XO_SPACE_PORT = 0,
	XO_SPACE_MEMORY = 1,
};

struct xo_machine_ops {
	/*
	 * Guest physical memory, as bus mastering sees it: the whole range or
	 * nothing. 0, or -EFAULT where any of it is no RAM. length > 0, and the
	 * range does not wrap.
	 */
	int (*dma_read)(void *priv, uint64_t address, void *buffer, size_t length);
	int (*dma_write)(void *priv, uint64_t address, const void *buffer, size_t length);
	/* Level of the function's INTA#. Called on changes only. */
	void (*intx)(void *priv, bool level);
	/* One message-signalled interrupt, address and data as the guest wrote them. */
	void (*msi)(void *priv, uint64_t address, uint32_t data);
	/*
	 * From now on accesses to [base, base + size) come to the model, until
	 * unmap. 0 or -errno (said by the callee).
	 */
	int (*map)(void *priv, enum xo_space space, uint64_t base, uint64_t size);
	void (*unmap)(void *priv, enum xo_space space, uint64_t base, uint64_t size);
};

struct xo_machine {
	const struct xo_machine_ops *ops;
	void *priv;
};

#endif
