// SPDX-License-Identifier: GPL-2.0-or-later
/* The pages for data, shared with the backend once for the whole of a connection. */
#include "front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Pages still mapped by the backend stay allocated in the kernel until it lets go of them. */
static void slot_fini(struct xo_front_pool *pool, struct xo_front_slot *slot)
{
	if (slot->start)
		xengntshr_unshare(pool->gntshr, slot->start,
				  slot->pages + (slot->indirect ? 1 : 0));
	free(slot->refs);
}

static void pool_free(struct xo_front_pool *pool)
{
	for (unsigned int i = 0; i < pool->count; i++)
		slot_fini(pool, &pool->slots[i]);
	if (pool->gntshr)
		xengntshr_close(pool->gntshr);
	free(pool);
}

static int slot_init(struct xo_front_pool *pool, struct xo_front *front, struct xo_front_slot *slot)
{
	unsigned int pages = front->max_transfer / XO_FRONT_PAGE;
	bool indirect = pages > VSCSIIF_SG_TABLESIZE;
	unsigned int all = pages + (indirect ? 1 : 0);

	slot->refs = calloc(all, sizeof(*slot->refs));
	if (!slot->refs)
		return -ENOMEM;
	slot->start =
		xengntshr_share_pages(pool->gntshr, front->backend_id, (int)all, slot->refs, 1);
	if (!slot->start)
		return errno ? -errno : -ENOMEM;
	memset(slot->start, 0, (size_t)all * XO_FRONT_PAGE);
	slot->pages = pages;
	slot->pool = pool;
	slot->front = front;
	slot->command.data = slot->start;
	if (indirect) {
		slot->indirect = (void *)((uint8_t *)slot->start + (size_t)pages * XO_FRONT_PAGE);
		slot->indirect_ref = slot->refs[pages];
	}
	return 0;
}

int xo_pool_new(struct xo_front_pool **result, struct xo_front *front)
{
	struct xo_front_pool *pool = calloc(1, sizeof(*pool));
	unsigned int most = RING_SIZE(&front->ring) - XO_FRONT_CONTROLS;
	unsigned int slots = front->options.slots < most ? front->options.slots : most;
	int r = 0;

	if (!pool)
		return -ENOMEM;
	pool->gntshr = xengntshr_open(NULL, 0);
	if (!pool->gntshr)
		r = errno ? -errno : -ENXIO;
	while (r == 0 && pool->count < slots)
		r = slot_init(pool, front, &pool->slots[pool->count++]);
	/* The guest's limit on such pages may be small: fewer slots do as well. */
	if (r < 0 && pool->count > 1) {
		slot_fini(pool, &pool->slots[--pool->count]);
		pool->slots[pool->count] = (struct xo_front_slot){ 0 };
		r = 0;
	}
	if (r < 0) {
		pool_free(pool);
		return r;
	}
	*result = pool;
	return 0;
}

void xo_pool_retire(struct xo_front_pool *pool)
{
	if (!pool)
		return;
	pool->retired = true;
	for (unsigned int i = 0; i < pool->count; i++)
		pool->slots[i].front = NULL;
	if (pool->taken == 0)
		pool_free(pool);
}

struct xo_front_command *xo_front_take(struct xo_front *front)
{
	struct xo_front_pool *pool = front->pool;
	uint8_t *data;

	if (!pool || front->phase != XO_PHASE_USE)
		return NULL;
	for (unsigned int i = 0; i < pool->count; i++) {
		struct xo_front_slot *slot = &pool->slots[i];

		if (slot->taken)
			continue;
		data = slot->command.data;
		slot->command = (struct xo_front_command){ .data = data };
		slot->taken = true;
		pool->taken++;
		return &slot->command;
	}
	return NULL;
}

void xo_front_give(struct xo_front_command *command)
{
	struct xo_front_slot *slot;

	if (!command)
		return;
	slot = xo_front_slot_of(command);
	if (!slot->taken || slot->in_flight)
		return;
	slot->taken = false;
	slot->pool->taken--;
	if (slot->pool->retired && slot->pool->taken == 0)
		pool_free(slot->pool);
}
