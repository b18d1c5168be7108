/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest and its drives in one process, around the ring's core: for unit
 * tests and fuzzers. Everything that outlives a ring worker (ring, ledger,
 * arenas, guest pages, drives) lies in one shared mapping, so that a worker
 * can be a child that dies.
 */
#ifndef XO_TESTS_RING_RIG_H
#define XO_TESTS_RING_RIG_H

#include "ring.h"

#define RIG_DOMID 7
#define RIG_PAGES 640 /* of the guest; reference i + RIG_REF names page i */
#define RIG_REF 100
#define RIG_LUNS 2 /* at 0:0:0 and 0:1:0, links 1 and 2 */
#define RIG_SLOT_SIZE (512u << 10)
#define RIG_MESSAGES 256

/* A drive that keeps the link's promises (base/link.h) and counts. */
struct rig_drive {
	struct {
		uint64_t tag; /* the newest that came by this slot */
		bool done;
		union xo_link_message request;
		union xo_link_message reply;
	} slots[XO_LINK_SLOTS_MAX];
	unsigned int executed; /* commands carried out */
	unsigned int repeated; /* (slot, tag) seen again */
	uint64_t written; /* bytes that WRITEs brought, added up */
	uint8_t status; /* for the commands to come */
	const uint8_t *answer; /* what they read in place of the pattern; as long as they ask for */
};

struct rig_world {
	union {
		struct vscsiif_sring sring;
		uint8_t bytes[XO_RING_PAGES_MAX * VSCSIIF_PAGE_SIZE];
	} shared __attribute__((aligned(4096)));
	uint8_t pages[RIG_PAGES][VSCSIIF_PAGE_SIZE];
	uint8_t arena[RIG_LUNS][XO_RING_ENTRIES_MAX][RIG_SLOT_SIZE];
	uint8_t region[XO_RING_LEDGER_REGION] __attribute__((aligned(4096)));
	struct xo_ledger_header header;
	struct rig_drive drives[RIG_LUNS];
	bool revoked[RIG_PAGES];
	bool read_only[RIG_PAGES];
	unsigned int notified;
	unsigned int copied; /* grant copy calls */
	/* messages from ring to drive, not yet looked at */
	struct {
		unsigned int lun;
		union xo_link_message message;
	} queue[RIG_MESSAGES];
	unsigned int queued;
	bool blind; /* drives do not look at data */
	unsigned int accept; /* messages until the socket is full; 0: never */
	unsigned int lost;
	unsigned int ring_pages;
	/* the frontend's own indices */
	uint32_t req_prod_pvt, rsp_cons;
	/* a scenario's own memory */
	uint32_t step, goal;
	uint32_t answers[64];
	int32_t rslt[64];
};

struct rig {
	struct rig_world *world;
	struct xo_ring ring;
};

struct rig *rig_new(unsigned int pages);
void rig_free(struct rig *rig);

/* A worker starts on what is there, as the first or as a successor. 0 or what xo_ring_init said. */
int rig_start(struct rig *rig);

/* The frontend. */
struct vscsiif_request *rig_request(struct rig *rig); /* the next one, zeroed; in the ring */
void rig_push(struct rig *rig); /* what rig_request gave since */
bool rig_response(struct rig *rig, struct vscsiif_response *response);
/* A well-formed command with `length` bytes in pages from `page` on, direct or indirect. */
struct vscsiif_request *rig_command(struct rig *rig, uint16_t rqid, const uint8_t *cdb,
				    uint8_t cdb_length, uint8_t direction, unsigned int page,
				    uint32_t length);

/* The drives look at what was sent: take requests, or finish them and reply. */
void rig_drives_take(struct rig *rig);
/* Replies to what is taken, in the order of tags; false: there was nothing. */
bool rig_drive_reply(struct rig *rig, unsigned int lun);
/* Both, for all drives, until nothing is left; publishes. */
void rig_settle(struct rig *rig);

/* The byte that a READ brings to (offset) and a WRITE must bring. */
uint8_t rig_pattern(uint32_t offset);

#endif
