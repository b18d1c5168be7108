/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process of a drive: its links, its queue of jobs, its lease, and the
 * launcher's channel. All of it belongs to the thread that owns the loop
 * (base/runner.h); a running job touches its slot and the stack only.
 */
#ifndef XO_DRIVE_DRIVE_H
#define XO_DRIVE_DRIVE_H

#include <jansson.h>
#include <sys/queue.h>

#include "base/control.h"
#include "base/ledger.h"
#include "base/link.h"
#include "base/loop.h"
#include "base/runner.h"
#include "drive/unit.h"
#include "lease.h"
#include "mmc/policy.h"
#include "record.h"

struct xo_drive;
struct xo_drive_link;

enum xo_job_kind {
	XO_JOB_COMMAND, /* a packet command of a link */
	XO_JOB_RESET, /* a link's logical unit reset */
	XO_JOB_UNDO, /* hand-over */
	XO_JOB_POLL, /* media events */
	XO_JOB_CONTROL, /* a command of the launcher that needs the drive to be idle */
};

struct xo_job {
	TAILQ_ENTRY(xo_job) entry;
	enum xo_job_kind kind;
	bool queued; /* or running */
	struct xo_drive_link *link; /* COMMAND, RESET */
	unsigned int slot;
};
TAILQ_HEAD(xo_jobs, xo_job);

/* A link that the launcher has added in the life of this process. */
struct xo_drive_link {
	struct xo_drive *drive;
	struct xo_link_record *record; /* NULL: unused */
	struct xo_link link;
	struct xo_watch watch;
	bool open; /* the client is there */
	bool removed; /* by the launcher; goes when its command has ended */
	bool greet; /* HELLO is to be sent */
	uint32_t notices; /* 1 << enum xo_notice, to be sent */
	uint64_t unsent; /* slots whose replies the client was too slow for */
	unsigned int queued; /* jobs, with the running one */
	struct xo_job jobs[XO_LINK_SLOTS_MAX];
	uint64_t commands;
	uint64_t errors;
	uint64_t refused;
};

/* A launcher's command that waits for the drive; see control.c. */
struct xo_control_job {
	struct xo_job job;
	bool used;
	json_t *id;
	const struct xo_control_command *command;
	json_t *arguments;
	int fds[2];
	size_t fd_count;
	int result;
	char *error; /* what the burner says of a description */
};

#define XO_CONTROL_JOBS 8
#define XO_CONTROL_OUT 32

struct xo_counters {
	uint64_t commands;
	uint64_t in_bytes;
	uint64_t out_bytes;
	uint64_t checks;
	uint64_t transport_errors;
	uint64_t replayed;
	uint64_t duplicates;
	uint64_t polls;
	uint64_t burner_commands;
};

/* A message for the launcher that its socket had no room for. */
struct xo_control_out {
	json_t *message;
	int fd; /* -1: none */
};

struct xo_drive_options {
	const char *name;
	const char *path;
	const char *user;
	int device_fd; /* -1: the burner, or unplugged */
	bool unplugged; /* the device comes later */
	bool burner;
	bool trace;
	int trace_fd;
	uint32_t max_transfer;
	uint32_t max_segments;
	uint32_t speed;
	uint32_t buffer; /* KiB */
	const char *delay;
	const char *fault;
	uint32_t poll_ms;
	uint32_t log_level;
	struct xo_policy policy;
};

struct xo_drive {
	const struct xo_drive_options *options;
	struct xo_loop *loop;
	struct xo_runner runner;
	struct xo_ledger ledger;
	struct xo_drive_record *record;
	struct xo_lease lease; /* as in the record */
	uint64_t lease_since;
	uint32_t max_transfer;
	bool ready; /* the sandbox is entered */
	bool wait_for_links; /* a successor: a command that was under way comes first */
	bool wait_for_disc; /* a successor: nothing runs before "insert" gives the disc back */

	struct xo_unit *top;
	struct xo_unit *events;
	struct xo_unit *handover;
	struct xo_unit *split;
	struct xo_unit *policy;
	struct xo_unit *trace;
	struct xo_unit *delay; /* NULL: none */
	struct xo_unit *bottom;

	struct xo_drive_link links[XO_DRIVE_LINKS_MAX];
	struct xo_jobs queue;
	struct xo_job undo;
	bool undoing; /* the undo job that runs undoes; otherwise the heir takes all over */
	bool held; /* somebody had the lease when the job that runs began */
	struct xo_job poll;
	struct xo_timer poll_timer;
	uint64_t polled_commands; /* counters.commands at the last poll tick */
	uint64_t running_since; /* ns; of the active job, if it was slow enough to ask */
	int medium; /* -1 unknown, 0 absent, 1 present */
	int event; /* last event code; the poll job's result */
	bool event_present;
	bool gone; /* as told to the links */
	bool lending; /* as told to the launcher */
	struct xo_counters counters;

	struct xo_watch control;
	bool control_closed;
	struct xo_control_job control_jobs[XO_CONTROL_JOBS];
	struct xo_control_out out[XO_CONTROL_OUT];
	unsigned int out_count;
	uint32_t events_due; /* 1 << enum xo_due */
	bool ending; /* "shutdown" has been answered, or the launcher is gone */

	/* Written by the thread that runs a job, read by the owner when the job is over. */
	char *description; /* the newest that the burner gave, until the owner takes it */
	size_t description_length;
	bool tray_moved; /* the burner's, and where it is now */
	bool tray_open;
	int disc_fd;
	char *known_description; /* the newest, for "query-description" */
	size_t known_length;
};

/* drive.c: setting up, jobs. */
int xo_drive_init(struct xo_drive *drive, const struct xo_drive_options *options, int control_fd,
		  int ledger_fd);
/* Starts serving: nothing that comes from a guest has been read before. */
int xo_drive_start(struct xo_drive *drive);
void xo_drive_fini(struct xo_drive *drive);
void xo_drive_queue(struct xo_drive *drive, struct xo_job *job);
void xo_drive_queue_first(struct xo_drive *drive, struct xo_job *job);
void xo_drive_unqueue(struct xo_drive *drive, struct xo_job *job);
struct xo_job *xo_drive_active(const struct xo_drive *drive);
/* Ends the process when nothing runs any more. */
void xo_drive_end(struct xo_drive *drive);
/* 1: there is one, 0: none, or none that can be reached. Tells the launcher of a change. */
void xo_drive_set_medium(struct xo_drive *drive, int medium);

/* stack.c */
int xo_stack_new(struct xo_drive *drive);

/* links.c: requests, replies, notices. */
struct xo_drive_link *xo_links_find(struct xo_drive *drive, uint32_t id);
/* Takes over both descriptors. */
int xo_links_open(struct xo_drive_link *link, struct xo_link_record *record, int fd, int arena_fd);
/* Lets the client go; `reason` (NULL: by order of the launcher) is told to the launcher. */
void xo_links_close(struct xo_drive_link *link, const char *reason);
/* Puts what a predecessor had accepted or issued back in the queue. */
void xo_links_recover(struct xo_drive_link *link);
void xo_links_notice(struct xo_drive_link *link, enum xo_notice notice);
void xo_links_notice_all(struct xo_drive *drive, enum xo_notice notice);
/* Ends all queued commands of the link that do not run. */
void xo_links_abort(struct xo_drive_link *link, enum xo_transport transport);
/* The job of a slot is over. */
void xo_links_finish(struct xo_drive_link *link, struct xo_job *job);
void xo_links_run(struct xo_drive_link *link, struct xo_job *job);
void xo_links_reset(struct xo_drive_link *link, struct xo_job *job);

/* holding.c: the lease and what follows from it. */
void xo_holding_recover(struct xo_drive *drive);
enum xo_lease_standing xo_holding_standing(const struct xo_drive *drive, uint32_t link);
void xo_holding_attach(struct xo_drive *drive, const struct xo_link_record *link, bool resume);
void xo_holding_detach(struct xo_drive *drive, uint32_t link, bool resume);
/* Something of the holder has ended: drained? */
void xo_holding_progress(struct xo_drive *drive);
void xo_holding_undone(struct xo_drive *drive);
/* What was lent is back: the lease may move on. */
void xo_holding_returned(struct xo_drive *drive);
/* The record of a link id, also of one that is removed; NULL: none. */
struct xo_link_record *xo_holding_record(const struct xo_drive *drive, uint32_t id);

/* lending.c: the drive in the hands of the client that has the lease. */
bool xo_lending_offered(const struct xo_drive *drive);
/* The link whose client must give it back before the lease moves on; 0: none. */
uint32_t xo_lending_recalled(const struct xo_drive *drive);
/* Something may have changed of what decides. */
void xo_lending_update(struct xo_drive *drive);
/* Nobody has it any more, says the launcher. */
void xo_lending_returned(struct xo_drive *drive, uint32_t link);

/* control.c: the launcher's commands and the events for it. */
enum xo_due {
	XO_DUE_READY,
	XO_DUE_LEASE,
	XO_DUE_MEDIUM,
	XO_DUE_TRAY,
	XO_DUE_DESCRIPTION,
	XO_DUE_GONE,
	XO_DUE_COUNT,
};
int xo_control_init(struct xo_drive *drive, int fd);
void xo_control_fini(struct xo_drive *drive);
void xo_control_due(struct xo_drive *drive, enum xo_due event);
void xo_control_link_closed(struct xo_drive *drive, uint32_t link, const char *reason);
void xo_control_run(struct xo_drive *drive, struct xo_control_job *job);
/* The process ends with it. */
bool xo_control_ends(const struct xo_control_job *job);
void xo_control_finish(struct xo_drive *drive, struct xo_control_job *job);
/* Sends what there was no room for. */
void xo_control_flush(struct xo_drive *drive);

/* query.c */
json_t *xo_query(struct xo_drive *drive);
json_t *xo_query_lease(struct xo_drive *drive);
const char *xo_query_standing(const struct xo_drive *drive, uint32_t link);

#endif
