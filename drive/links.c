/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's side of the drive links: requests into their slots, duplicates
 * answered from what is kept, aborts, replies to clients that are too slow.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "drive.h"
#include "mmc/sense.h"
#include "stack.h"

struct xo_drive_link *xo_links_find(struct xo_drive *drive, uint32_t id)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++) {
		struct xo_drive_link *link = &drive->links[i];

		if (link->record && link->record->id == id)
			return link;
	}
	return NULL;
}

static bool send_message(struct xo_drive_link *link, const union xo_link_message *message)
{
	int r;

	if (!link->open)
		return true;
	r = xo_link_send(&link->link, message);
	if (r == -EAGAIN)
		return false;
	if (r)
		xo_links_close(link, "the client is gone");
	return true;
}

/* While a client does not read, nothing more is taken from it. */
static void watch_for(struct xo_drive_link *link)
{
	bool pending = link->greet || link->notices || link->unsent;
	uint32_t events = pending ? EPOLLOUT : EPOLLIN;

	if (link->open && link->watch.events != events)
		xo_loop_change(link->drive->loop, &link->watch, events);
}

static bool send_reply(struct xo_drive_link *link, unsigned int slot)
{
	union xo_link_message message = { .reply = link->record->slot[slot].reply };

	if (!send_message(link, &message))
		return false;
	xo_point(XO_POINT_REPLIED);
	return true;
}

static bool send_hello(struct xo_drive_link *link)
{
	union xo_link_message message = { .hello = {
						  .type = XO_LINK_HELLO,
						  .version = XO_LINK_VERSION,
						  .max_transfer = link->drive->max_transfer,
					  } };

	return send_message(link, &message);
}

static bool send_notices(struct xo_drive_link *link)
{
	for (uint32_t notice = XO_NOTICE_MEDIUM_CHANGED; notice <= XO_NOTICE_DRIVE_BACK; notice++) {
		union xo_link_message message = { .notice = {
							  .type = XO_LINK_NOTICE,
							  .notice = notice,
						  } };

		if (!(link->notices >> notice & 1))
			continue;
		if (!send_message(link, &message))
			return false;
		link->notices &= ~(1u << notice);
	}
	return true;
}

/* The slot whose reply has waited longest. */
static unsigned int oldest_unsent(const struct xo_drive_link *link)
{
	unsigned int oldest = XO_LINK_SLOTS_MAX;

	for (unsigned int slot = 0; slot < link->link.slots; slot++)
		if (link->unsent >> slot & 1 &&
		    (oldest == XO_LINK_SLOTS_MAX ||
		     link->record->slot[slot].id < link->record->slot[oldest].id))
			oldest = slot;
	return oldest;
}

static void flush(struct xo_drive_link *link)
{
	if (link->greet && send_hello(link))
		link->greet = false;
	while (!link->greet && link->unsent) {
		unsigned int slot = oldest_unsent(link);

		if (slot == XO_LINK_SLOTS_MAX || !send_reply(link, slot))
			break;
		link->unsent &= ~(1ull << slot);
	}
	if (!link->greet && !link->unsent)
		send_notices(link);
	watch_for(link);
}

static void reply(struct xo_drive_link *link, unsigned int slot)
{
	if (link->unsent || link->greet || !send_reply(link, slot)) {
		link->unsent |= 1ull << slot;
		watch_for(link);
	}
}

/* Makes the result true; by whoever has the slot. */
static void settle(struct xo_slot_record *slot, const struct xo_command *command)
{
	struct xo_link_reply *kept = &slot->reply;

	*kept = (struct xo_link_reply){
		.type = XO_LINK_REPLY,
		.status = command->status,
		.transport = command->transport,
		.sense_length = command->sense_length,
		.slot = slot->request.slot,
		.tag = slot->request.tag,
		.residual = XO_MIN(command->residual, slot->request.length),
	};
	memcpy(kept->sense, command->sense, command->sense_length);
	xo_point(XO_POINT_RESULT);
	xo_ledger_commit(&slot->state, XO_SLOT_DONE);
	xo_point(XO_POINT_DONE);
}

static void settle_and_reply(struct xo_drive_link *link, unsigned int number,
			     enum xo_transport transport)
{
	struct xo_slot_record *slot = &link->record->slot[number];
	struct xo_command command = { .length = slot->request.length };

	xo_command_fail(&command, transport);
	settle(slot, &command);
	reply(link, number);
}

static void count(struct xo_drive_link *link, const struct xo_slot_record *slot)
{
	struct xo_counters *counters = &link->drive->counters;
	uint64_t moved = slot->request.length - slot->reply.residual;

	counters->commands++;
	link->commands++;
	if (slot->request.direction == XO_DIR_IN)
		counters->in_bytes += moved;
	else
		counters->out_bytes += moved;
	if (slot->reply.transport) {
		counters->transport_errors++;
		link->errors++;
	} else if (slot->reply.status) {
		counters->checks++;
	}
}

/*
 * What a guest gets whose link has not the lease: an empty drive. That is what
 * every guest handles: it looks again when told, or every two seconds, and finds
 * the medium once the lease is its own. (BUSY would be retried for ever or given up
 * for good, 02/04/xx is waited for at boot.)
 */
static void answer_without_lease(struct xo_drive_link *link, unsigned int number)
{
	struct xo_slot_record *slot = &link->record->slot[number];
	const struct xo_drive_record *record = link->drive->record;
	struct xo_command command = {
		.length = slot->request.length,
		.data = xo_link_data(&link->link, number),
	};
	enum xo_own own = xo_opcode_find(slot->request.cdb, slot->request.cdb_length)->own;
	const void *answer = NULL;
	uint32_t length = 0;
	struct xo_sense sense = xo_sense_make(XO_SENSE_NO_MEDIUM);
	uint8_t data[XO_SENSE_FIXED_LEN];

	if (own == XO_OWN_IDENTITY && !(slot->request.cdb[1] & 1) && record->inquiry_length) {
		answer = record->inquiry;
		length = XO_MIN(record->inquiry_length, xo_get_be16(slot->request.cdb + 3));
	} else if (own == XO_OWN_SENSE) {
		answer = data;
		length = (uint32_t)xo_sense_build(&sense, false, data, sizeof(data));
		length = XO_MIN(length, slot->request.cdb[4]);
	}
	if (answer && slot->request.direction != XO_DIR_OUT) {
		length = XO_MIN(length, command.length);
		memcpy(command.data, answer, length);
		xo_command_good(&command, length);
	} else {
		xo_command_check(&command, XO_SENSE_NO_MEDIUM);
	}
	link->refused++;
	settle(slot, &command);
	reply(link, number);
}

static bool holds(const struct xo_drive_link *link)
{
	return xo_holding_standing(link->drive, link->record->id) == XO_STANDING_HELD;
}

static void queue_slot(struct xo_drive_link *link, unsigned int slot, enum xo_job_kind kind)
{
	struct xo_job *job = &link->jobs[slot];

	job->kind = kind;
	job->link = link;
	job->slot = slot;
	link->queued++;
	if (link->record->slot[slot].state == XO_SLOT_ISSUED)
		xo_drive_queue_first(link->drive, job);
	else
		xo_drive_queue(link->drive, job);
}

static void drop_slot(struct xo_drive_link *link, unsigned int slot, enum xo_transport transport)
{
	xo_drive_unqueue(link->drive, &link->jobs[slot]);
	link->queued--;
	settle_and_reply(link, slot, transport);
	link->errors++;
}

static bool runs(const struct xo_drive_link *link, unsigned int slot)
{
	return xo_drive_active(link->drive) == &link->jobs[slot];
}

/* One that a predecessor began may have been carried out: only its own end says what became of it. */
static bool may_drop(const struct xo_drive_link *link, unsigned int slot)
{
	return !runs(link, slot) && link->record->slot[slot].state != XO_SLOT_ISSUED;
}

void xo_links_abort(struct xo_drive_link *link, enum xo_transport transport)
{
	for (unsigned int slot = 0; slot < XO_LINK_SLOTS_MAX; slot++)
		if (link->jobs[slot].queued && may_drop(link, slot))
			drop_slot(link, slot, transport);
}

/* Answered once its target has been: at once, unless that is in the drive now. */
static void handle_abort(struct xo_drive_link *link, unsigned int number)
{
	const struct xo_link_request *request = &link->record->slot[number].request;
	unsigned int target = request->target_slot;

	if (link->jobs[target].queued &&
	    link->record->slot[target].request.tag == request->target_tag) {
		if (!may_drop(link, target))
			return; /* finish_aborts() comes back to it */
		drop_slot(link, target, XO_TRANSPORT_ABORTED);
	}
	settle_and_reply(link, number, XO_TRANSPORT_OK);
}

static void finish_aborts(struct xo_drive_link *link, unsigned int target)
{
	for (unsigned int slot = 0; slot < link->link.slots; slot++) {
		struct xo_slot_record *record = &link->record->slot[slot];

		if (record->state == XO_SLOT_ACCEPTED && record->request.kind == XO_LINK_ABORT &&
		    record->request.target_slot == target)
			settle_and_reply(link, slot, XO_TRANSPORT_OK);
	}
}

static void handle_reset(struct xo_drive_link *link, unsigned int number)
{
	xo_links_abort(link, XO_TRANSPORT_RESET);
	if (holds(link))
		queue_slot(link, number, XO_JOB_RESET);
	else
		settle_and_reply(link, number, XO_TRANSPORT_OK);
}

/* What is in the ledger as accepted takes its way. */
static void dispatch(struct xo_drive_link *link, unsigned int number)
{
	switch (link->record->slot[number].request.kind) {
	case XO_LINK_ABORT:
		handle_abort(link, number);
		break;
	case XO_LINK_RESET:
		handle_reset(link, number);
		break;
	default:
		if (holds(link))
			queue_slot(link, number, XO_JOB_COMMAND);
		else
			answer_without_lease(link, number);
	}
}

static void handle_request(struct xo_drive_link *link, const struct xo_link_request *request)
{
	struct xo_slot_record *slot = &link->record->slot[request->slot];
	struct xo_drive_record *record = link->drive->record;
	enum xo_slot_verdict verdict = xo_slot_judge(slot, request->tag);

	xo_point(XO_POINT_RECEIVED);
	/* Its result is there, but has not been sent yet. */
	if (link->jobs[request->slot].queued && verdict == XO_SLOT_NEW)
		verdict = XO_SLOT_CONFLICT;
	if (link->jobs[request->slot].queued && verdict == XO_SLOT_KEPT)
		verdict = XO_SLOT_RUNNING;
	switch (verdict) {
	case XO_SLOT_STALE:
		break;
	case XO_SLOT_RUNNING:
		link->drive->counters.duplicates++;
		break;
	case XO_SLOT_KEPT:
		link->drive->counters.duplicates++;
		reply(link, request->slot);
		break;
	case XO_SLOT_CONFLICT:
		xo_links_close(link, "the client used a slot that is under way");
		break;
	case XO_SLOT_NEW:
		link->unsent &= ~(1ull << request->slot);
		record->ids += XO_JOURNAL_STEPS;
		xo_slot_accept(slot, request, record->ids);
		dispatch(link, request->slot);
		break;
	}
}

static void handle_message(struct xo_drive_link *link, const union xo_link_message *message)
{
	switch (message->type) {
	case XO_LINK_HELLO:
		/* A client that was restarted: it wants to know the limit and where it stands. */
		link->greet = true;
		link->notices |= 1u << (holds(link) ? XO_NOTICE_LEASE_HELD : XO_NOTICE_LEASE_LOST);
		flush(link);
		break;
	case XO_LINK_REQUEST:
		handle_request(link, &message->request);
		break;
	default:
		xo_links_close(link, "the client sent what only a drive sends");
	}
}

/* One message at a time, so that no client takes the turn of another. */
static void link_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_drive_link *link = watch->priv;
	union xo_link_message *inbox = &link->record->inbox;
	int r;

	if (events & EPOLLOUT)
		flush(link);
	if (!link->open || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	r = xo_link_receive(&link->link, inbox);
	if (r > 0)
		handle_message(link, inbox);
	else if (r == -EPROTO)
		xo_links_close(link, "the client broke the protocol");
	else if (r < 0)
		xo_links_close(link, "the client is gone");
}

int xo_links_open(struct xo_drive_link *link, struct xo_link_record *record, int fd, int arena_fd)
{
	size_t size = (size_t)record->slots * record->slot_size;
	int r = xo_link_open(&link->link, fd, arena_fd, record->slots, record->slot_size);

	if (r)
		return r;
	/* What the kernel writes for a process that is being killed must not need a page first. */
	if (madvise(link->link.arena, size, MADV_POPULATE_WRITE) < 0)
		xo_debug("arena of link %u: not pre-faulted: %m", record->id);
	link->record = record;
	link->watch = (struct xo_watch){
		.fd = fd,
		.events = EPOLLIN,
		.ready = link_ready,
		.priv = link,
	};
	r = xo_loop_add(link->drive->loop, &link->watch);
	if (r) {
		munmap(link->link.arena, size);
		link->link.arena = NULL;
		link->record = NULL;
		return r;
	}
	link->open = true;
	link->greet = true;
	flush(link);
	return 0;
}

void xo_links_close(struct xo_drive_link *link, const char *reason)
{
	if (!link->open)
		return;
	link->open = false;
	xo_loop_remove(link->drive->loop, &link->watch);
	link->unsent = 0;
	link->notices = 0;
	link->greet = false;
	xo_links_abort(link, XO_TRANSPORT_ABORTED);
	if (reason) {
		xo_warning("link %u (%s): %s", link->record->id, link->record->name, reason);
		xo_control_link_closed(link->drive, link->record->id, reason);
	}
}

/* The last message that a predecessor read: nothing happens if it was accepted. */
static void recover_inbox(struct xo_drive_link *link)
{
	const union xo_link_message *inbox = &link->record->inbox;

	if (inbox->type == XO_LINK_REQUEST &&
	    !xo_link_validate(inbox, sizeof(inbox->request), link->link.slots,
			      link->link.slot_size) &&
	    xo_slot_judge(&link->record->slot[inbox->request.slot], inbox->request.tag) ==
		    XO_SLOT_NEW)
		handle_request(link, &inbox->request);
}

/* In the order of arrival, which is that of the ids. */
void xo_links_recover(struct xo_drive_link *link)
{
	uint64_t last = 0;

	for (;;) {
		struct xo_slot_record *next = NULL;
		unsigned int number = 0;

		for (unsigned int i = 0; i < link->link.slots; i++) {
			struct xo_slot_record *slot = &link->record->slot[i];

			if ((slot->state == XO_SLOT_ACCEPTED || slot->state == XO_SLOT_ISSUED) &&
			    slot->id > last && (!next || slot->id < next->id)) {
				next = slot;
				number = i;
			}
		}
		if (!next)
			break;
		last = next->id;
		link->drive->counters.replayed++;
		/* What may have reached the drive is followed to its end, whoever has the lease. */
		if (next->state == XO_SLOT_ISSUED && next->request.kind == XO_LINK_COMMAND)
			queue_slot(link, number, XO_JOB_COMMAND);
		else
			dispatch(link, number);
	}
	recover_inbox(link);
}

void xo_links_notice(struct xo_drive_link *link, enum xo_notice notice)
{
	if (!link->open)
		return;
	link->notices |= 1u << notice;
	flush(link);
}

void xo_links_notice_all(struct xo_drive *drive, enum xo_notice notice)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		if (drive->links[i].record)
			xo_links_notice(&drive->links[i], notice);
}

/* By the thread that runs jobs; the slot is its own until xo_links_finish(). */
void xo_links_run(struct xo_drive_link *link, struct xo_job *job)
{
	struct xo_slot_record *slot = &link->record->slot[job->slot];
	const struct xo_link_request *request = &slot->request;
	struct xo_command command = {
		.cdb_length = request->cdb_length,
		.direction = request->direction,
		.timeout = request->timeout,
		.length = request->length,
		.data = xo_link_data(&link->link, job->slot),
		.id = slot->id,
		.client = link->record->name,
		.read_only = link->record->read_only != 0,
		.journal = &slot->journal,
	};

	memcpy(command.cdb, request->cdb, sizeof(command.cdb));
	xo_ledger_commit(&slot->state, XO_SLOT_ISSUED);
	xo_point(XO_POINT_ISSUED);
	xo_unit_execute(link->drive->top, &command);
	settle(slot, &command);
}

void xo_links_reset(struct xo_drive_link *link, struct xo_job *job)
{
	struct xo_slot_record *slot = &link->record->slot[job->slot];
	struct xo_command command = { .length = 0 };

	xo_handover_reset(link->drive->handover);
	xo_command_good(&command, 0);
	settle(slot, &command);
}

void xo_links_finish(struct xo_drive_link *link, struct xo_job *job)
{
	link->queued--;
	if (job->kind == XO_JOB_COMMAND)
		count(link, &link->record->slot[job->slot]);
	reply(link, job->slot);
	finish_aborts(link, job->slot);
}
