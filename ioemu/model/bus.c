/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry of port and memory ranges; see model/bus.h. */
#include "model/bus.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define PORT_SPACE_SIZE 0x10000u

static bool overlaps(const struct xo_region *region, enum xo_space space, uint64_t base,
		     uint64_t size)
{
	return region->space == space && base < region->base + region->size &&
	       region->base < base + size;
}

int xo_bus_map(struct xo_bus *bus, struct xo_region *region, uint64_t base)
{
	const struct xo_machine *machine = &bus->machine;
	uint64_t end;
	int r;

	if (region->mapped)
		return -EALREADY;
	if (xo_add_overflows(base, region->size, &end) ||
	    (region->space == XO_SPACE_PORT && end > PORT_SPACE_SIZE))
		return -ERANGE;
	for (struct xo_region *other = bus->regions; other; other = other->next)
		if (overlaps(other, region->space, base, region->size))
			return -EEXIST;
	r = machine->ops->map ? machine->ops->map(machine->priv, region->space, base, region->size)
			      : 0;
	if (r)
		return r;
	region->base = base;
	region->mapped = true;
	region->next = bus->regions;
	bus->regions = region;
	return 0;
}

void xo_bus_unmap(struct xo_bus *bus, struct xo_region *region)
{
	const struct xo_machine *machine = &bus->machine;
	struct xo_region **at = &bus->regions;

	if (!region->mapped)
		return;
	while (*at && *at != region)
		at = &(*at)->next;
	if (*at)
		*at = region->next;
	region->mapped = false;
	if (machine->ops->unmap)
		machine->ops->unmap(machine->priv, region->space, region->base, region->size);
}

static bool width_valid(unsigned int width)
{
	return width == 1 || width == 2 || width == 4 || width == 8;
}

static struct xo_region *region_find(struct xo_bus *bus, enum xo_space space, uint64_t address,
				     unsigned int width)
{
	if (!width_valid(width))
		return NULL;
	for (struct xo_region *region = bus->regions; region; region = region->next)
		if (region->space == space && address >= region->base &&
		    xo_range_within(address - region->base, width, region->size))
			return region;
	return NULL;
}

bool xo_bus_read(struct xo_bus *bus, enum xo_space space, uint64_t address, unsigned int width,
		 uint64_t *value)
{
	struct xo_region *region = region_find(bus, space, address, width);

	*value = UINT64_MAX;
	if (!region)
		return false;
	*value = region->ops->read(region, address - region->base, width);
	return true;
}

bool xo_bus_write(struct xo_bus *bus, enum xo_space space, uint64_t address, unsigned int width,
		  uint64_t value)
{
	struct xo_region *region = region_find(bus, space, address, width);

	if (!region)
		return false;
	region->ops->write(region, address - region->base, width, value);
	return true;
}

bool xo_bus_read_string(struct xo_bus *bus, uint64_t port, unsigned int width, uint8_t *elements,
			uint32_t count)
{
	struct xo_region *region = region_find(bus, XO_SPACE_PORT, port, width);

	if (!region) {
		memset(elements, 0xff, (size_t)width * count);
		return false;
	}
	if (region->ops->read_string) {
		region->ops->read_string(region, port - region->base, width, elements, count);
		return true;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value = region->ops->read(region, port - region->base, width);

		for (unsigned int b = 0; b < width; b++)
			*elements++ = (uint8_t)(value >> 8 * b);
	}
	return true;
}

bool xo_bus_write_string(struct xo_bus *bus, uint64_t port, unsigned int width,
			 const uint8_t *elements, uint32_t count)
{
	struct xo_region *region = region_find(bus, XO_SPACE_PORT, port, width);

	if (!region)
		return false;
	if (region->ops->write_string) {
		region->ops->write_string(region, port - region->base, width, elements, count);
		return true;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value = 0;

		for (unsigned int b = 0; b < width; b++)
			value |= (uint64_t)*elements++ << 8 * b;
		region->ops->write(region, port - region->base, width, value);
	}
	return true;
}
