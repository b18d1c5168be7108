/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory through foreign mappings: a bounded cache of chunks that INVALIDATE empties. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/log.h"
#include "host.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES (1u << PAGE_SHIFT)
#define CHUNK_BYTES (XO_CHUNK_PAGES << PAGE_SHIFT)
/* No x86 guest has more physical address bits. */
#define ADDRESS_MAX (1ull << 52)

int xo_guest_memory_open(struct xo_guest_memory *memory, uint16_t domid,
			 xendevicemodel_handle *devicemodel)
{
	*memory = (struct xo_guest_memory){ .domid = domid, .devicemodel = devicemodel };
	memory->handle = xenforeignmemory_open(NULL, 0);
	return memory->handle ? 0 : -errno;
}

static void chunk_unmap(struct xo_guest_memory *memory, struct xo_chunk *chunk)
{
	if (chunk->memory)
		xenforeignmemory_unmap(memory->handle, chunk->memory, XO_CHUNK_PAGES);
	chunk->memory = NULL;
}

void xo_guest_memory_forget(struct xo_guest_memory *memory)
{
	for (unsigned int i = 0; i < XO_CHUNKS; i++)
		chunk_unmap(memory, &memory->chunks[i]);
}

void xo_guest_memory_moved(struct xo_guest_memory *memory, uint64_t page)
{
	uint64_t number = page / XO_CHUNK_PAGES;
	struct xo_chunk *chunk = &memory->chunks[number % XO_CHUNKS];

	if (chunk->memory && chunk->number == number)
		chunk_unmap(memory, chunk);
}

void xo_guest_memory_close(struct xo_guest_memory *memory)
{
	if (!memory->handle)
		return;
	xo_guest_memory_forget(memory);
	xenforeignmemory_close(memory->handle);
	memory->handle = NULL;
}

static struct xo_chunk *chunk_find(struct xo_guest_memory *memory, uint64_t number)
{
	struct xo_chunk *chunk = &memory->chunks[number % XO_CHUNKS];
	xen_pfn_t pages[XO_CHUNK_PAGES];
	int errors[XO_CHUNK_PAGES];

	if (chunk->memory && chunk->number == number)
		return chunk;
	chunk_unmap(memory, chunk);
	for (unsigned int i = 0; i < XO_CHUNK_PAGES; i++)
		pages[i] = number * XO_CHUNK_PAGES + i;
	chunk->memory = xenforeignmemory_map(memory->handle, memory->domid, PROT_READ | PROT_WRITE,
					     XO_CHUNK_PAGES, pages, errors);
	chunk->number = number;
	chunk->absent = 0;
	for (unsigned int i = 0; i < XO_CHUNK_PAGES && chunk->memory; i++)
		chunk->absent |= (errors[i] ? 1u : 0u) << i;
	return chunk->memory ? chunk : NULL;
}

/* Pages `first` to `last` of a chunk. Xen tells of pages that went, not of those that came: who misses one looks again. */
static struct xo_chunk *chunk_with(struct xo_guest_memory *memory, uint64_t number, uint32_t first,
				   uint32_t last)
{
	uint32_t wanted = (2u << last) - (1u << first);
	struct xo_chunk *chunk = chunk_find(memory, number);

	if (chunk && (chunk->absent & wanted)) {
		chunk_unmap(memory, chunk);
		chunk = chunk_find(memory, number);
	}
	return chunk && !(chunk->absent & wanted) ? chunk : NULL;
}

/*
 * Host memory of a guest physical address and how much of `length` lies in one
 * piece there; NULL where the page is no RAM (a hole, MMIO, ballooned out).
 */
static uint8_t *piece_at(struct xo_guest_memory *memory, uint64_t address, size_t length,
			 size_t *piece)
{
	uint64_t number = address / CHUNK_BYTES;
	uint32_t offset = (uint32_t)(address % CHUNK_BYTES);
	size_t n = XO_MIN(length, (size_t)(CHUNK_BYTES - offset));
	uint32_t first = offset >> PAGE_SHIFT;
	uint32_t last = (uint32_t)(offset + n - 1) >> PAGE_SHIFT;
	const struct xo_chunk *chunk;

	if (memory->window && memory->window >= number * XO_CHUNK_PAGES + first &&
	    memory->window <= number * XO_CHUNK_PAGES + last)
		return NULL;
	chunk = chunk_with(memory, number, first, last);
	if (!chunk)
		return NULL;
	*piece = n;
	return chunk->memory + offset;
}

static bool range_valid(uint64_t address, size_t length)
{
	return length && xo_range_within(address, length, ADDRESS_MAX);
}

/* Whether all of it is RAM: nothing is moved where only a part could be. */
static bool all_there(struct xo_guest_memory *memory, uint64_t address, size_t length)
{
	while (length) {
		size_t n;

		if (!piece_at(memory, address, length, &n))
			return false;
		address += n;
		length -= n;
	}
	return true;
}

int xo_guest_memory_read(struct xo_guest_memory *memory, uint64_t address, void *buffer,
			 size_t length)
{
	uint8_t *to = buffer;

	if (!range_valid(address, length))
		return -EFAULT;
	while (length) {
		size_t n;
		const uint8_t *from = piece_at(memory, address, length, &n);

		if (!from)
			return -EFAULT;
		memcpy(to, from, n);
		to += n;
		address += n;
		length -= n;
	}
	return 0;
}

void xo_guest_memory_report(struct xo_guest_memory *memory)
{
	if (memory->dirty_count &&
	    xendevicemodel_modified_memory_bulk(memory->devicemodel, memory->domid, memory->dirty,
						memory->dirty_count) < 0)
		xo_log_limited(XO_LOG_WARNING, "cannot report modified memory: %s",
			       strerror(errno));
	memory->dirty_count = 0;
}

static void mark_dirty(struct xo_guest_memory *memory, uint64_t address, size_t length)
{
	uint64_t first = address >> PAGE_SHIFT;
	uint64_t last = (address + length - 1) >> PAGE_SHIFT;

	if (memory->quiet)
		return;
	/* A command's FISes and its header lie in one page or two, its data often in a row. */
	for (uint32_t i = 0; i < memory->dirty_count; i++) {
		struct xen_dm_op_modified_memory_extent *extent = &memory->dirty[i];
		uint64_t end = extent->first_pfn + extent->nr;

		if (first < extent->first_pfn || first > end)
			continue;
		extent->nr = (uint32_t)(XO_MAX(end, last + 1) - extent->first_pfn);
		return;
	}
	if (memory->dirty_count == XO_DIRTY_MAX)
		xo_guest_memory_report(memory);
	memory->dirty[memory->dirty_count++] = (struct xen_dm_op_modified_memory_extent){
		.first_pfn = first,
		.nr = (uint32_t)(last - first + 1),
	};
}

int xo_guest_memory_write(struct xo_guest_memory *memory, uint64_t address, const void *buffer,
			  size_t length)
{
	const uint8_t *from = buffer;
	uint64_t at = address;
	size_t left = length;

	if (!range_valid(address, length) || !all_there(memory, address, length))
		return -EFAULT;
	while (left) {
		size_t n;
		uint8_t *to = piece_at(memory, at, left, &n);

		if (!to)
			return -EFAULT;
		memcpy(to, from, n);
		from += n;
		at += n;
		left -= n;
	}
	mark_dirty(memory, address, length);
	return 0;
}
