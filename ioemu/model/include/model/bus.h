/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registry of port and memory ranges: finds whose an access is, refuses
 * overlap, and hands string instructions (`rep ins`, `rep outs`) over whole.
 */
#ifndef XO_MODEL_BUS_H
#define XO_MODEL_BUS_H

#include "model/machine.h"

struct xo_region;

struct xo_region_ops {
	/* width: 1, 2, 4 or 8; [offset, offset + width) lies within the region. */
	uint64_t (*read)(struct xo_region *region, uint64_t offset, unsigned int width);
	void (*write)(struct xo_region *region, uint64_t offset, unsigned int width,
		      uint64_t value);
	/*
	 * `count` elements of `width` bytes at one port, in the guest's byte
	 * order. May be NULL: then the element is read or written count times.
	 */
	void (*read_string)(struct xo_region *region, uint64_t offset, unsigned int width,
			    uint8_t *elements, uint32_t count);
	void (*write_string)(struct xo_region *region, uint64_t offset, unsigned int width,
			     const uint8_t *elements, uint32_t count);
};

/* A range. Filled in and owned by the device; `base`, `mapped` and `next` are the bus's. */
struct xo_region {
	const char *name;
	enum xo_space space;
	uint64_t size;
	const struct xo_region_ops *ops;
	void *priv;
	uint64_t base;
	bool mapped;
	struct xo_region *next;
};

struct xo_bus {
	struct xo_machine machine;
	struct xo_region *regions; /* the mapped ones */
};

/*
 * Maps a region that is not mapped. -EEXIST: it overlaps another one;
 * -ERANGE: it leaves the space (64 KiB of ports); or what the machine says.
 */
int xo_bus_map(struct xo_bus *bus, struct xo_region *region, uint64_t base);
void xo_bus_unmap(struct xo_bus *bus, struct xo_region *region);

/*
 * One access. False where no region holds it wholly: a read then yields all
 * ones, a write is dropped. Other widths than 1, 2, 4, 8 are such.
 */
bool xo_bus_read(struct xo_bus *bus, enum xo_space space, uint64_t address, unsigned int width,
		 uint64_t *value);
bool xo_bus_write(struct xo_bus *bus, enum xo_space space, uint64_t address, unsigned int width,
		  uint64_t value);
/* `count` elements at one port. */
bool xo_bus_read_string(struct xo_bus *bus, uint64_t port, unsigned int width, uint8_t *elements,
			uint32_t count);
bool xo_bus_write_string(struct xo_bus *bus, uint64_t port, unsigned int width,
			 const uint8_t *elements, uint32_t count);

#endif
