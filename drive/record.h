/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies in the ledger of a drive: the lease, the links with their slots,
 * what a guest left in the drive, kept events, and behind it the burner's region.
 *
 * A slot: FREE -> ACCEPTED -> ISSUED -> DONE, and with a higher tag by way of FREE to
 * ACCEPTED again. A successor runs what is ACCEPTED; it goes on with what is
 * ISSUED by the slot's journal; DONE is answered from the slot.
 */
#ifndef XO_DRIVE_RECORD_H
#define XO_DRIVE_RECORD_H

#include "base/drive_control.h"
#include "base/link.h"
#include "journal.h"
#include "mmc/cdb.h"

#define XO_RECORD_KIND "drive"
#define XO_RECORD_LAYOUT 3

/* Names of the kill points (base/point.h). */
enum xo_drive_point {
	XO_POINT_RECEIVED, /* a request lies in the link's inbox and in no slot yet */
	XO_POINT_ACCEPTED, /* it is */
	XO_POINT_ISSUED, /* it is on its way to the bottom */
	XO_POINT_SUBMIT, /* the next instruction gives it to the bottom */
	XO_POINT_RETURNED, /* the bottom has done it */
	XO_POINT_PART, /* a step inside a command has been noted */
	XO_POINT_RESULT, /* the reply is complete, but not committed */
	XO_POINT_DONE, /* it is committed */
	XO_POINT_REPLIED, /* it has been sent */
	XO_POINT_FREED, /* the slot is to take a new tag */
	XO_POINT_LEASE, /* the lease has changed and nothing else has been done about it */
	XO_POINT_LINKED, /* a link is in the ledger and the lease does not know of it */
	XO_POINT_UNDONE, /* what a guest left has been undone, the lease does not know */
	XO_POINT_POLLED, /* an event has been polled and is not kept yet */
	XO_POINT_KEPT, /* it is */
	XO_POINT_BURNER_DONE, /* the burner has carried it out and not committed it */
	XO_POINT_BURNER_COMMITTED, /* it has */
	XO_POINT_COUNT,
};

extern const char *const xo_drive_points[XO_POINT_COUNT];

enum xo_slot_state {
	XO_SLOT_FREE,
	XO_SLOT_ACCEPTED,
	XO_SLOT_ISSUED,
	XO_SLOT_DONE,
};

struct xo_slot_record {
	uint32_t state;
	uint32_t reserved;
	uint64_t id; /* of the command; also the order of arrival */
	struct xo_link_request request;
	struct xo_journal journal;
	struct xo_link_reply reply;
};

enum xo_link_state {
	XO_LINK_FREE,
	XO_LINK_ATTACHED,
	XO_LINK_REMOVED, /* kept while the lease still names it */
};

/* Whether the client of a link gives commands to the drive itself (lending.c). */
enum xo_lend {
	XO_LEND_NEVER, /* the launcher does not do that */
	XO_LEND_MAY,
	XO_LEND_LENT, /* it may have the drive's descriptor until the launcher says "returned" */
};

#define XO_NAME_SIZE 136 /* the schema's "name" has up to 128 bytes */
#define XO_UUID_SIZE 40
#define XO_PATH_SIZE 16

struct xo_link_record {
	uint32_t state;
	uint32_t id;
	uint32_t domid;
	uint32_t slots;
	uint32_t slot_size;
	uint32_t read_only;
	uint32_t presented; /* the lease knows of it */
	uint32_t lend; /* enum xo_lend */
	uint64_t joined;
	char name[XO_NAME_SIZE];
	char uuid[XO_UUID_SIZE];
	char path[XO_PATH_SIZE];
	/*
	 * Messages are received into here: one that was read and not accepted by a killed process
	 * is still known to its successor, before those that followed it in the socket.
	 */
	union xo_link_message inbox;
	struct xo_slot_record slot[XO_LINK_SLOTS_MAX];
};

/* What the guest did to the drive that has to be undone when it lets go (handover.c). */
struct xo_undo_record {
	uint32_t flags; /* enum xo_undo */
	uint32_t reserved;
	uint64_t pages; /* mode pages that were selected, a bit each */
};

/* The one poll of media events (events.c). */
struct xo_events_record {
	uint32_t polling; /* a poll has been issued: see its journal */
	uint32_t kept; /* the event in `event` is the client's next answer */
	uint64_t given; /* id of the command that gets it; 0: none yet */
	uint64_t id; /* of the poll */
	uint8_t event[8];
	uint8_t data[8];
	struct xo_journal journal;
};

/* Unit attentions of ours, in the order in which they are told (attention.c). */
#define XO_ATTENTIONS 2
#define XO_ATTENTION_PENDING UINT64_MAX

struct xo_attention_record {
	uint64_t taker[XO_ATTENTIONS]; /* id of the command that was told; 0: none is due */
};

#define XO_INQUIRY_SIZE 96

struct xo_drive_record {
	uint64_t lease; /* xo_lease_pack() */
	uint64_t ids; /* last command id given out */
	uint64_t inner_ids; /* the same for commands of our own; see xo_inner_id() */
	uint64_t joined; /* last order of attachment given out */
	uint32_t inquiry_length;
	uint8_t inquiry[XO_INQUIRY_SIZE]; /* of the drive, for links without the lease */
	struct xo_undo_record undo;
	struct xo_events_record events;
	struct xo_attention_record attention;
	struct xo_blocks blocks;
	struct xo_link_record links[XO_DRIVE_LINKS_MAX];
};

/* Where the burner's region starts. */
#define XO_RECORD_BURNER ((sizeof(struct xo_drive_record) + 4095) / 4096 * 4096)

/* Ids of commands of our own have the top bit, so that those of guests do not depend on polls. */
#define XO_INNER_ID (1ull << 63)

static inline uint64_t xo_inner_id(struct xo_drive_record *record)
{
	record->inner_ids += XO_JOURNAL_STEPS;
	return XO_INNER_ID | record->inner_ids;
}

/* What to do with a request by the state of its slot. */
enum xo_slot_verdict {
	XO_SLOT_NEW, /* take it */
	XO_SLOT_RUNNING, /* the same is under way: ignore */
	XO_SLOT_KEPT, /* the same is done: send the kept reply */
	XO_SLOT_STALE, /* older than what the slot has: drop */
	XO_SLOT_CONFLICT, /* newer, but the slot is under way: the client lies */
};
enum xo_slot_verdict xo_slot_judge(const struct xo_slot_record *slot, uint64_t tag);

/* Takes the request: FREE (or DONE) -> ACCEPTED. */
void xo_slot_accept(struct xo_slot_record *slot, const struct xo_link_request *request,
		    uint64_t id);

#endif
