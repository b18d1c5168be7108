/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process of a drive: setting up, and its jobs one after the other. */
#include "drive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/point.h"
#include "drive/burner.h"
#include "stack.h"

struct xo_job *xo_drive_active(const struct xo_drive *drive)
{
	return drive->runner.active;
}

void xo_drive_queue(struct xo_drive *drive, struct xo_job *job)
{
	job->queued = true;
	TAILQ_INSERT_TAIL(&drive->queue, job, entry);
}

void xo_drive_queue_first(struct xo_drive *drive, struct xo_job *job)
{
	job->queued = true;
	TAILQ_INSERT_HEAD(&drive->queue, job, entry);
}

void xo_drive_unqueue(struct xo_drive *drive, struct xo_job *job)
{
	job->queued = false;
	TAILQ_REMOVE(&drive->queue, job, entry);
}

static bool is_open(const struct xo_drive *drive, const struct xo_link_record *record)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		if (drive->links[i].record == record)
			return true;
	return false;
}

/*
 * A command that a predecessor had given to the drive, and whose link the launcher has not added
 * again yet. It comes before everything else: nothing may be undone, and no other command
 * be sent (the burner knows a repeated command by being the last), before its result is there.
 */
static bool issued_is_missing(const struct xo_drive *drive)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++) {
		const struct xo_link_record *record = &drive->record->links[i];

		if (record->state != XO_LINK_ATTACHED || is_open(drive, record))
			continue;
		for (unsigned int slot = 0; slot < XO_LINK_SLOTS_MAX; slot++)
			if (record->slot[slot].state == XO_SLOT_ISSUED)
				return true;
	}
	return false;
}

static bool may_run(const struct xo_drive *drive, const struct xo_job *job)
{
	/* "shutdown" comes after the undoing, which waits for the launcher. */
	if (job->kind == XO_JOB_CONTROL)
		return !xo_control_ends((const struct xo_control_job *)job) ||
		       !xo_lending_recalled(drive);
	return !drive->wait_for_disc && !drive->wait_for_links;
}

static void *next_job(void *priv)
{
	struct xo_drive *drive = priv;
	struct xo_job *job;

	if (drive->ending)
		return NULL;
	if (drive->wait_for_links)
		drive->wait_for_links = issued_is_missing(drive);
	TAILQ_FOREACH (job, &drive->queue, entry)
		if (may_run(drive, job))
			break;
	if (!job)
		return NULL;
	TAILQ_REMOVE(&drive->queue, job, entry);
	drive->running_since = xo_now_ns();
	drive->undoing = drive->lease.state == XO_LEASE_DRAINING;
	drive->held = drive->lease.state == XO_LEASE_HELD;
	return job;
}

static bool job_slow(void *priv, void *what)
{
	struct xo_job *job = what;
	const struct xo_link_request *request;

	(void)priv;
	if (job->kind != XO_JOB_COMMAND)
		return job->kind == XO_JOB_UNDO;
	request = &job->link->record->slot[job->slot].request;
	return xo_cdb_may_block(request->cdb, request->cdb_length);
}

static void run_job(void *priv, void *what)
{
	struct xo_drive *drive = priv;
	struct xo_job *job = what;

	switch (job->kind) {
	case XO_JOB_COMMAND:
		xo_links_run(job->link, job);
		break;
	case XO_JOB_RESET:
		xo_links_reset(job->link, job);
		break;
	case XO_JOB_UNDO:
		if (drive->undoing)
			drive->top->ops->release(drive->top);
		break;
	case XO_JOB_POLL:
		drive->event = xo_events_poll(drive->events, &drive->event_present);
		break;
	case XO_JOB_CONTROL:
		xo_control_run(drive, (struct xo_control_job *)job);
		break;
	}
}

void xo_drive_set_medium(struct xo_drive *drive, int medium)
{
	if (drive->medium == medium)
		return;
	drive->medium = medium;
	xo_control_due(drive, XO_DUE_MEDIUM);
}

/* Event codes of the media class (MMC-6 6.6.2.6). */
static void take_event(struct xo_drive *drive)
{
	static const enum xo_notice notices[16] = {
		[1] = XO_NOTICE_EJECT_REQUEST,
		[2] = XO_NOTICE_MEDIUM_CHANGED,
		[3] = XO_NOTICE_MEDIUM_REMOVED,
		[4] = XO_NOTICE_MEDIUM_CHANGED,
	};
	struct xo_drive_link *holder = xo_links_find(drive, drive->lease.holder);

	drive->counters.polls++;
	if (drive->event < 0)
		return;
	if (holder && notices[drive->event & 15])
		xo_links_notice(holder, notices[drive->event & 15]);
	xo_drive_set_medium(drive, drive->event_present);
}

/* What the burner said while the job ran. */
static void take_from_burner(struct xo_drive *drive)
{
	drive->counters.burner_commands = xo_burner_commands(drive->bottom);
	if (drive->description) {
		free(drive->known_description);
		drive->known_description = drive->description;
		drive->known_length = drive->description_length;
		drive->description = NULL;
		xo_control_due(drive, XO_DUE_DESCRIPTION);
	}
	if (drive->tray_moved) {
		drive->tray_moved = false;
		xo_drive_set_medium(drive, xo_burner_medium_present(drive->bottom));
		xo_control_due(drive, XO_DUE_TRAY);
	}
}

static void take_from_device(struct xo_drive *drive)
{
	if (drive->gone || !xo_passthrough_gone(drive->bottom))
		return;
	drive->gone = true;
	xo_drive_set_medium(drive, 0);
	xo_links_notice_all(drive, XO_NOTICE_DRIVE_GONE);
	xo_control_due(drive, XO_DUE_GONE);
}

static void finish_job(void *priv, void *what)
{
	struct xo_drive *drive = priv;
	struct xo_job *job = what;

	job->queued = false;
	if (drive->options->burner)
		take_from_burner(drive);
	else
		take_from_device(drive);
	switch (job->kind) {
	case XO_JOB_COMMAND:
	case XO_JOB_RESET:
		xo_links_finish(job->link, job);
		if (job->link->removed)
			xo_holding_progress(drive);
		break;
	case XO_JOB_UNDO:
		xo_holding_undone(drive);
		break;
	case XO_JOB_POLL:
		take_event(drive);
		break;
	case XO_JOB_CONTROL:
		xo_control_finish(drive, (struct xo_control_job *)job);
		break;
	}
	xo_lending_update(drive);
	if (drive->ending)
		xo_drive_end(drive);
}

void xo_drive_end(struct xo_drive *drive)
{
	bool told = drive->control_closed || (!drive->out_count && !drive->events_due);

	drive->ending = true;
	if (!drive->runner.active && told)
		xo_runner_quit(&drive->runner);
}

/*
 * Only when somebody may be told, nobody burns, and the client has let a whole
 * interval pass without a command: then it does not poll by itself.
 */
static bool may_poll(const struct xo_drive *drive)
{
	return !drive->wait_for_links && drive->lease.state == XO_LEASE_HELD && !drive->gone &&
	       !drive->runner.active && TAILQ_EMPTY(&drive->queue) &&
	       drive->counters.commands == drive->polled_commands &&
	       !xo_handover_writing(drive->record);
}

static void poll_tick(struct xo_timer *timer)
{
	struct xo_drive *drive = timer->priv;

	if (may_poll(drive))
		xo_drive_queue(drive, &drive->poll);
	drive->polled_commands = drive->counters.commands;
	xo_loop_arm(drive->loop, timer, drive->options->poll_ms * 1000000ull);
}

/* Who the drive is, for links that must not ask it; once in the life of the ledger. */
static void identify(struct xo_drive *drive)
{
	static const uint8_t cdb[6] = { XO_OP_INQUIRY, 0, 0, 0, XO_INQUIRY_SIZE };
	struct xo_drive_record *record = drive->record;
	struct xo_command command = {
		.cdb_length = sizeof(cdb),
		.direction = XO_DIR_IN,
		.timeout = 60,
		.length = XO_INQUIRY_SIZE,
		.data = record->inquiry,
		.id = XO_INNER_ID, /* the first: the same in a successor that does it again */
		.client = "xenoptic",
	};

	if (record->inquiry_length || record->ids)
		return;
	memcpy(command.cdb, cdb, sizeof(cdb));
	xo_unit_execute(drive->bottom, &command);
	/* As if nobody had asked: the first guest learns of the reset. */
	if (drive->bottom->ops->release)
		drive->bottom->ops->release(drive->bottom);
	if (xo_command_is_good(&command))
		record->inquiry_length = XO_INQUIRY_SIZE - command.residual;
}

static const struct xo_runner_ops runner_ops = {
	.next = next_job,
	.slow = job_slow,
	.run = run_job,
	.finish = finish_job,
};

int xo_drive_init(struct xo_drive *drive, const struct xo_drive_options *options, int control_fd,
		  int ledger_fd)
{
	int r;

	*drive = (struct xo_drive){
		.options = options,
		.medium = -1,
		.gone = options->unplugged,
		.disc_fd = -1,
		.undo.kind = XO_JOB_UNDO,
		.poll.kind = XO_JOB_POLL,
		.poll_timer.expired = poll_tick,
		.poll_timer.priv = drive,
	};
	TAILQ_INIT(&drive->queue);
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		drive->links[i].drive = drive;
	r = xo_ledger_open(&drive->ledger, ledger_fd, XO_RECORD_KIND, XO_RECORD_LAYOUT,
			   XO_DRIVE_REGION_SIZE);
	if (r)
		return r;
	drive->record = drive->ledger.region;
	r = xo_point_init(xo_drive_points, XO_POINT_COUNT, &drive->ledger);
	if (!r)
		r = xo_loop_new(&drive->loop);
	if (!r)
		r = xo_runner_init(&drive->runner, drive->loop, &runner_ops, drive);
	if (!r)
		r = xo_stack_new(drive);
	if (!r)
		r = xo_control_init(drive, control_fd);
	if (!r)
		drive->wait_for_disc = options->burner && xo_burner_loaded(drive->bottom);
	return r;
}

int xo_drive_start(struct xo_drive *drive)
{
	identify(drive);
	drive->ready = true;
	drive->wait_for_links = true; /* until next_job() finds that it need not */
	/* What a killed process had polled is taken back before a client can ask for it. */
	if (xo_events_polling(drive->record))
		xo_drive_queue(drive, &drive->poll);
	xo_holding_recover(drive);
	if (drive->options->poll_ms)
		xo_loop_arm(drive->loop, &drive->poll_timer, drive->options->poll_ms * 1000000ull);
	xo_lending_update(drive);
	xo_control_due(drive, XO_DUE_READY);
	/* A predecessor may have died before it told, or before it heard the answer to a recall. */
	if (drive->ledger.header->generation > 1)
		xo_control_due(drive, XO_DUE_LEASE);
	return 0;
}

void xo_drive_fini(struct xo_drive *drive)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++) {
		struct xo_drive_link *link = &drive->links[i];

		if (!link->record)
			continue;
		if (link->open)
			xo_loop_remove(drive->loop, &link->watch);
		xo_link_close(&link->link);
	}
	xo_loop_disarm(drive->loop, &drive->poll_timer);
	xo_control_fini(drive);
	xo_runner_fini(&drive->runner);
	xo_unit_free(drive->top);
	xo_loop_free(drive->loop);
	xo_ledger_close(&drive->ledger);
	free(drive->description);
	free(drive->known_description);
}
