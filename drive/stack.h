/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filters and the pass-through bottom, how they are stacked, and what they
 * share. Each `new` takes over `next`; freeing the top frees the stack.
 *
 *	trace -> policy -> attention -> events -> handover -> split -> fault -> delay -> bottom
 *
 * (The lease comes before all of it: links.c answers a link without the lease
 * by itself, since that must not wait for the command that runs.)
 */
#ifndef XO_DRIVE_STACK_H
#define XO_DRIVE_STACK_H

#include "drive/unit.h"
#include "mmc/policy.h"
#include "record.h"

/* The command ends with CHECK CONDITION and XO_SENSE_…; no data were moved. */
void xo_command_check(struct xo_command *command, uint32_t kcq);
/* It ends without reaching the drive. */
void xo_command_fail(struct xo_command *command, enum xo_transport transport);
/* It ends with GOOD and `moved` bytes. */
void xo_command_good(struct xo_command *command, uint32_t moved);
/* Sense key, ASC and ASCQ if it ended with CHECK CONDITION and valid sense, else 0. */
uint32_t xo_command_kcq(const struct xo_command *command);
bool xo_command_is_good(const struct xo_command *command);

/*
 * A command of our own on its way down from `unit` (its next gets it). `id` from
 * xo_inner_id(). 0: GOOD; above 0: sense key, ASC and ASCQ; -EIO: anything else.
 */
int xo_inner_command(struct xo_unit *unit, uint64_t id, const uint8_t *cdb, uint8_t cdb_length,
		     enum xo_direction direction, void *data, uint32_t length,
		     struct xo_journal *journal);

/* For filters that have nothing to undo themselves. */
void xo_unit_release_next(struct xo_unit *unit);
/* Frees the unit and those below it. */
void xo_unit_free(struct xo_unit *unit);

/* One line per command, if `enabled`, to `fd`, or to the log at debug level if fd < 0. */
int xo_trace_new(struct xo_unit **unit, struct xo_unit *next, bool enabled, int fd);
/*
 * From now on the lines go to `fd` as well (taken over; a pipe that does not block), until it is closed at the
 * other end; instead of who watched before. -1: to nobody. From any thread.
 */
void xo_trace_watch(struct xo_unit *unit, int fd);
/* Somebody watches. */
bool xo_trace_watched(const struct xo_unit *unit);

/* What opcodes.def and mode=ro forbid. `policy` is copied. */
int xo_policy_new(struct xo_unit **unit, struct xo_unit *next, const struct xo_policy *policy);
/* Commands refused so far. */
uint64_t xo_policy_refused(const struct xo_unit *unit);

/* How often a command of the host's own is sent again for a unit attention: more than a drive has causes for. */
#define XO_UNIT_ATTENTIONS_MAX 16u

/*
 * Unit attentions that nobody but we can tell. After xo_attention_raise() the guest's next two
 * commands are told that the drive was reset, and that its medium may have changed.
 */
int xo_attention_new(struct xo_unit **unit, struct xo_unit *next, struct xo_drive_record *record);
void xo_attention_raise(struct xo_drive_record *record);
/* The drive gave `kcq`, a unit attention that was the guest's, to a command of the host's: the guest gets it after all. */
void xo_attention_pass_on(struct xo_drive_record *record, uint32_t kcq);

/* An event that our poll consumed is the client's next answer. */
int xo_events_new(struct xo_unit **unit, struct xo_unit *next, struct xo_drive_record *record);
/*
 * Polls the drive for a media event and keeps it: returns the event code (MMC-6 6.6.2.6:
 * 0 none, 1 eject request, 2 new medium, 3 removal, …), -EAGAIN if the drive did not say.
 * *present: a medium is there.
 */
int xo_events_poll(struct xo_unit *unit, bool *present);
/* What was kept is of a drive that has left. */
void xo_events_forget(struct xo_drive_record *record);
/* A killed process has polled: poll before the first command, to take back the answer. */
bool xo_events_polling(const struct xo_drive_record *record);

/* Notes what has to be undone when the guest lets go; `release` undoes it. */
int xo_handover_new(struct xo_unit **unit, struct xo_unit *next, struct xo_drive_record *record);
enum xo_undo {
	XO_UNDO_LOCK = 1, /* PREVENT */
	XO_UNDO_AGID = 2, /* authentication grants */
	XO_UNDO_SPEED = 4, /* SET CD SPEED */
	XO_UNDO_STREAMING = 8, /* SET STREAMING */
	XO_UNDO_PAGES = 16, /* MODE SELECT */
	XO_UNDO_WRITE = 32, /* written, and neither synchronized nor closed */
};
/* A write session is open (any thread). */
bool xo_handover_writing(const struct xo_drive_record *record);
/* The drive was switched off meanwhile, or it is another: nothing is left to undo. */
void xo_handover_forget(struct xo_drive_record *record);
/* What a logical unit reset does: ends PREVENT, invalidates AGIDs (SPC-4 6.14, MMC-6 6.31). */
void xo_handover_reset(struct xo_unit *unit);

/*
 * Refuses what the CDB contradicts; cuts what is larger than `max_transfer`. *splits is counted
 * up by the thread that runs the command.
 */
int xo_split_new(struct xo_unit **unit, struct xo_unit *next, uint32_t max_transfer,
		 struct xo_drive_record *record);
void xo_split_limit(struct xo_unit *unit, uint32_t max_transfer);
uint64_t xo_split_count(const struct xo_unit *unit);

/* Seeded faults for tests: "SEED:PERMILLE:KIND[:OPCODE]"; -EINVAL if malformed. See fault.c. */
int xo_fault_new(struct xo_unit **unit, struct xo_unit *next, const char *spec);

/*
 * "OPCODE=MS[,…]" and a data rate in 1000 bytes a second; either may be absent (NULL, 0). With a rate, a
 * write buffer of so many bytes (0: a WRITE lasts as long as its data).
 */
int xo_delay_new(struct xo_unit **unit, struct xo_unit *next, const char *spec, uint32_t speed,
		 uint32_t buffer);

struct xo_buffer_report {
	uint32_t size; /* bytes */
	uint32_t lowest; /* bytes that were left in it, in a burn; `size`: none so far */
	uint64_t empty; /* times that a burn found it empty */
};
/* Any thread. */
void xo_delay_report(const struct xo_unit *unit, struct xo_buffer_report *report);

/* SG_IO on a block device. */
struct xo_device {
	int fd; /* taken over; -1: it is unplugged */
	const char *path; /* copied */
};
int xo_passthrough_new(struct xo_unit **unit, const struct xo_device *device);
/* It has been unplugged: every command ends with NO CONNECT (any thread). */
bool xo_passthrough_gone(const struct xo_unit *unit);
/* The launcher saw it go: the device is closed, the next command is told as if it had found out. */
void xo_passthrough_unplug(struct xo_unit *unit);
/* It is back: takes over fd. */
void xo_passthrough_device(struct xo_unit *unit, const struct xo_device *device);
/* -ENOTTY: the descriptor takes no SG_IO. */
int xo_passthrough_check(int fd);
/* Bytes in one command, by what the launcher found in sysfs (0: not known) or BLKSECTGET says. */
uint32_t xo_device_limit(int fd, uint32_t max_transfer, uint32_t max_segments);
/* -1: unplugged. */
int xo_passthrough_fd(const struct xo_unit *unit);

#endif
