/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has the drive: the transitions of the lease, without side effects. */
#include "lease.h"

#include <errno.h>
#include <string.h>

#define ID_MASK 0x7fffffffu

uint64_t xo_lease_pack(const struct xo_lease *lease)
{
	return (uint64_t)lease->state << 62 | (uint64_t)(lease->holder & ID_MASK) << 31 |
	       (lease->next & ID_MASK);
}

int xo_lease_unpack(uint64_t word, struct xo_lease *lease)
{
	struct xo_lease found = {
		.state = (enum xo_lease_state)(word >> 62),
		.holder = (uint32_t)(word >> 31) & ID_MASK,
		.next = (uint32_t)word & ID_MASK,
	};

	if ((found.state == XO_LEASE_NONE) != (found.holder == 0))
		return -EINVAL;
	if (found.next && (found.state == XO_LEASE_NONE || found.state == XO_LEASE_HELD ||
			   found.next == found.holder))
		return -EINVAL;
	*lease = found;
	return 0;
}

enum xo_lease_standing xo_lease_standing(const struct xo_lease *lease, uint32_t link)
{
	if (lease->state == XO_LEASE_HELD && lease->holder == link)
		return XO_STANDING_HELD;
	if (lease->next == link)
		return XO_STANDING_NEXT;
	return XO_STANDING_WAITING;
}

static bool same_guest(const struct xo_lease_link *a, const struct xo_lease_link *b)
{
	return a && b && a->uuid[0] && strcmp(a->uuid, b->uuid) == 0;
}

/* The same domain UUID in another life: after a reboot, or on the other side of a migration. */
static bool heir(const struct xo_lease_link *link, const struct xo_lease_link *of)
{
	return same_guest(link, of) && link->domid != of->domid;
}

struct xo_lease xo_lease_attach(const struct xo_lease *lease, const struct xo_lease_link *holder,
				const struct xo_lease_link *next, const struct xo_lease_link *link,
				bool resume)
{
	struct xo_lease after = *lease;

	switch (lease->state) {
	case XO_LEASE_NONE:
		after.state = XO_LEASE_HELD;
		after.holder = link->id;
		break;
	case XO_LEASE_HELD:
		if (heir(link, holder)) {
			after.state = resume ? XO_LEASE_PASSING : XO_LEASE_DRAINING;
			after.next = link->id;
		}
		break;
	case XO_LEASE_DRAINING:
	case XO_LEASE_PASSING:
		/* The same guest goes before whoever came first, unless that is an heir too. */
		if (!lease->next || (heir(link, holder) && !heir(next, holder)))
			after.next = link->id;
		/* Only an heir goes on where the holder was. */
		if (after.next == link->id && !heir(link, holder))
			after.state = XO_LEASE_DRAINING;
		break;
	}
	return after;
}

/* Who gets it next: the holder's own guest, else the one that waits longest. */
static uint32_t choose(const struct xo_lease_link *holder, uint32_t gone,
		       const struct xo_lease_link *links, size_t count)
{
	const struct xo_lease_link *best = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct xo_lease_link *link = &links[i];

		if (link->id == gone || (holder && link->id == holder->id))
			continue;
		if (!best || (same_guest(link, holder) && !same_guest(best, holder)) ||
		    (same_guest(link, holder) == same_guest(best, holder) &&
		     link->joined < best->joined))
			best = link;
	}
	return best ? best->id : 0;
}

static bool heir_by_id(uint32_t id, const struct xo_lease_link *holder,
		       const struct xo_lease_link *links, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (links[i].id == id)
			return heir(&links[i], holder);
	return false;
}

struct xo_lease xo_lease_detach(const struct xo_lease *lease, const struct xo_lease_link *holder,
				uint32_t link, const struct xo_lease_link *links, size_t count,
				bool resume)
{
	struct xo_lease after = *lease;

	switch (lease->state) {
	case XO_LEASE_NONE:
		break;
	case XO_LEASE_HELD:
		if (link != lease->holder)
			break;
		after.next = choose(holder, link, links, count);
		after.state = resume && heir_by_id(after.next, holder, links, count)
				      ? XO_LEASE_PASSING
				      : XO_LEASE_DRAINING;
		break;
	case XO_LEASE_DRAINING:
	case XO_LEASE_PASSING:
		if (link != lease->next)
			break;
		after.next = choose(holder, link, links, count);
		if (!heir_by_id(after.next, holder, links, count))
			after.state = XO_LEASE_DRAINING;
		break;
	}
	return after;
}

struct xo_lease xo_lease_drained(const struct xo_lease *lease)
{
	if (lease->state != XO_LEASE_DRAINING && lease->state != XO_LEASE_PASSING)
		return *lease;
	if (lease->next)
		return (struct xo_lease){ .state = XO_LEASE_HELD, .holder = lease->next };
	return (struct xo_lease){ .state = XO_LEASE_NONE };
}
