/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The launcher's commands; base/drive_control.h describes them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "control.h"
#include "drive/burner.h"
#include "stack.h"

/* Longer than any description of a disc. */
#define DESCRIPTION_MAX (4u << 20)

static bool get_number(const json_t *arguments, const char *key, json_int_t min, json_int_t max,
		       uint32_t *number)
{
	const json_t *value = json_object_get(arguments, key);

	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max)
		return false;
	*number = (uint32_t)json_integer_value(value);
	return true;
}

static bool get_text(const json_t *arguments, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(arguments, key));

	if (!value || strlen(value) >= size)
		return false;
	memset(text, 0, size);
	memcpy(text, value, strlen(value));
	return true;
}

static bool get_flag(const json_t *arguments, const char *key)
{
	return json_is_true(json_object_get(arguments, key));
}

static bool parse_link(const json_t *arguments, struct xo_link_record *record)
{
	const char *mode = json_string_value(json_object_get(arguments, "mode"));

	if (!get_number(arguments, "link", 1, XO_DRIVE_LINK_ID_MAX, &record->id) ||
	    !get_number(arguments, "domid", 0, 0xffff, &record->domid) ||
	    !get_number(arguments, "slots", 1, XO_LINK_SLOTS_MAX, &record->slots) ||
	    !get_number(arguments, "slot-size", 1, XO_LINK_SLOT_SIZE_MAX, &record->slot_size) ||
	    !get_text(arguments, "name", record->name, sizeof(record->name)) ||
	    !get_text(arguments, "uuid", record->uuid, sizeof(record->uuid)) ||
	    !get_text(arguments, "path", record->path, sizeof(record->path)))
		return false;
	record->read_only = mode && strcmp(mode, "ro") == 0;
	record->lend = get_flag(arguments, "lend") ? XO_LEND_MAY : XO_LEND_NEVER;
	return mode && (record->read_only || strcmp(mode, "rw") == 0);
}

static struct xo_drive_link *free_link(struct xo_drive *drive)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		if (!drive->links[i].record)
			return &drive->links[i];
	return NULL;
}

static struct xo_link_record *free_record(struct xo_drive *drive)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		if (drive->record->links[i].state == XO_LINK_FREE)
			return &drive->record->links[i];
	return NULL;
}

/* The same link as before: a domain and a geometry cannot change under what is in the ledger. */
static bool same_link(const struct xo_link_record *a, const struct xo_link_record *b)
{
	return a->state == XO_LINK_ATTACHED && a->domid == b->domid && a->slots == b->slots &&
	       a->slot_size == b->slot_size && strcmp(a->uuid, b->uuid) == 0;
}

/* Into the ledger; the slots of a former link are emptied first. */
static void enter_link(struct xo_drive *drive, struct xo_link_record *record,
		       const struct xo_link_record *wanted)
{
	uint32_t state = XO_LINK_FREE;

	memcpy(record, wanted, offsetof(struct xo_link_record, slot));
	record->state = state;
	record->presented = 0;
	record->joined = ++drive->record->joined;
	for (unsigned int slot = 0; slot < XO_LINK_SLOTS_MAX; slot++)
		record->slot[slot].state = XO_SLOT_FREE;
	xo_ledger_commit(&record->state, XO_LINK_ATTACHED);
	xo_point(XO_POINT_LINKED);
}

static void attach(struct xo_control_call *call, struct xo_drive_link *link,
		   struct xo_link_record *record)
{
	struct xo_drive *drive = call->drive;

	if (!record->presented) {
		xo_holding_attach(drive, record, get_flag(call->arguments, "resume"));
		xo_ledger_commit(&record->presented, 1);
	} else if (drive->lease.state == XO_LEASE_NONE) {
		xo_holding_attach(drive, record, false);
	}
	xo_links_recover(link);
	xo_log_limited(XO_LOG_INFO, "link %u: domain %u (%s), %s: %s", record->id, record->domid,
		       record->name, record->path, xo_query_standing(drive, record->id));
	xo_control_reply(drive, call->id,
			 json_pack("{s:s,s:I,s:I}", "lease", xo_query_standing(drive, record->id),
				   "holder", (json_int_t)drive->lease.holder, "max-transfer",
				   (json_int_t)drive->max_transfer),
			 -1);
}

static void add_link(struct xo_control_call *call)
{
	static struct xo_link_record wanted; /* large; one call at a time */
	struct xo_drive *drive = call->drive;
	struct xo_link_record *record;
	struct xo_drive_link *link = free_link(drive);
	bool known;
	int r;

	memset(&wanted, 0, offsetof(struct xo_link_record, slot));
	if (!parse_link(call->arguments, &wanted)) {
		xo_control_refuse(drive, call->id, XO_DRIVE_ERROR_ARGUMENTS,
				  "add-link: a field is missing or out of range");
		return;
	}
	record = xo_holding_record(drive, wanted.id);
	known = record;
	if (known && (!same_link(record, &wanted) || xo_links_find(drive, wanted.id))) {
		xo_control_refuse(drive, call->id, XO_DRIVE_ERROR_ARGUMENTS,
				  "add-link: link %u exists and is another", wanted.id);
		return;
	}
	if (!known)
		record = free_record(drive);
	if (!record || !link) {
		xo_control_refuse(drive, call->id, XO_DRIVE_ERROR_BUSY,
				  "there are %u links already", XO_DRIVE_LINKS_MAX);
		return;
	}
	if (!known)
		enter_link(drive, record, &wanted);
	*link = (struct xo_drive_link){ .drive = drive };
	r = xo_links_open(link, record, call->fds[0], call->fds[1]);
	if (r) {
		if (!known)
			xo_ledger_commit(&record->state, XO_LINK_FREE);
		xo_control_refuse(drive, call->id, XO_DRIVE_ERROR_ARGUMENTS,
				  "add-link: socket or arena: %s", strerrordesc_np(-r));
		return;
	}
	call->fds[0] = -1;
	call->fds[1] = -1;
	attach(call, link, record);
}

static bool link_busy(const struct xo_drive *drive, const struct xo_drive_link *link)
{
	return link && (link->queued || (xo_handover_writing(drive->record) &&
					 drive->lease.holder == link->record->id));
}

static void take_out(struct xo_drive *drive, struct xo_link_record *record, bool resume)
{
	struct xo_drive_link *link = xo_links_find(drive, record->id);

	if (link) {
		xo_links_close(link, NULL);
		link->removed = true;
	}
	xo_ledger_commit(&record->state, XO_LINK_REMOVED);
	xo_holding_detach(drive, record->id, resume);
}

/* A link that is not known (any more) is removed already: the answer may have been lost. */
static void remove_link(struct xo_control_call *call)
{
	struct xo_drive *drive = call->drive;
	struct xo_link_record *record;
	uint32_t id;

	if (!get_number(call->arguments, "link", 1, XO_DRIVE_LINK_ID_MAX, &id)) {
		xo_control_refuse(drive, call->id, XO_DRIVE_ERROR_ARGUMENTS,
				  "remove-link: \"link\" is missing");
		return;
	}
	record = xo_holding_record(drive, id);
	if (record && record->state == XO_LINK_ATTACHED) {
		if (!get_flag(call->arguments, "force") &&
		    link_busy(drive, xo_links_find(drive, id))) {
			xo_control_refuse(drive, call->id, XO_DRIVE_ERROR_BUSY,
					  "a command runs or a write session is open");
			return;
		}
		take_out(drive, record, get_flag(call->arguments, "resume"));
	}
	xo_control_reply(drive, call->id, json_pack("{s:o}", "lease", xo_query_lease(drive)), -1);
}

static void query(struct xo_control_call *call)
{
	xo_control_reply(call->drive, call->id, xo_query(call->drive), -1);
}

static bool on_burner(struct xo_control_call *call)
{
	if (!call->drive->options->burner)
		xo_control_refuse(call->drive, call->id, XO_DRIVE_ERROR_UNSUPPORTED,
				  "this is a real drive");
	return call->drive->options->burner;
}

static bool on_device(struct xo_control_call *call)
{
	if (call->drive->options->burner)
		xo_control_refuse(call->drive, call->id, XO_DRIVE_ERROR_UNSUPPORTED,
				  "this is a virtual burner");
	return !call->drive->options->burner;
}

/* The whole file as text; NULL: it cannot be read or is too long. */
static char *read_text(int fd, size_t *length)
{
	char *text = malloc(DESCRIPTION_MAX);
	size_t used = 0;
	ssize_t n;

	if (!text)
		return NULL;
	do {
		n = pread(fd, text + used, DESCRIPTION_MAX - used, (off_t)used);
		used += n > 0 ? (size_t)n : 0;
	} while (n > 0 && used < DESCRIPTION_MAX);
	if (n) {
		free(text);
		return NULL;
	}
	*length = used;
	return text;
}

static int insert_run(struct xo_drive *drive, struct xo_control_job *job)
{
	bool again = get_flag(job->arguments, "again");
	size_t length = 0;
	char *text = NULL;
	int r;

	if (job->fd_count > 1 && !again) {
		text = read_text(job->fds[1], &length);
		if (!text)
			return -EIO;
	}
	r = xo_burner_insert(drive->bottom, job->fds[0], text, length, again, &job->error);
	if (!r)
		drive->disc_fd = job->fds[0];
	job->fds[0] = -1; /* taken over */
	/* The predecessor may have died before the launcher had it, or with the launcher that had it. */
	if (!r && again)
		xo_burner_save(drive->bottom);
	free(text);
	return r;
}

/* A change of the medium by the host: the holder need not wait for its next poll. */
static void medium_is(struct xo_drive *drive, bool present)
{
	struct xo_drive_link *holder = xo_links_find(drive, drive->lease.holder);

	xo_drive_set_medium(drive, present);
	if (holder && drive->lease.state == XO_LEASE_HELD)
		xo_links_notice(holder,
				present ? XO_NOTICE_MEDIUM_CHANGED : XO_NOTICE_MEDIUM_REMOVED);
}

static void insert_finish(struct xo_drive *drive, struct xo_control_job *job)
{
	if (job->result == -EBUSY) {
		xo_control_refuse(drive, job->id, XO_DRIVE_ERROR_BUSY,
				  "there is a disc in the tray, or the door is locked");
	} else if (job->result == -EINVAL) {
		xo_control_refuse(drive, job->id, XO_DRIVE_ERROR_DESCRIPTION, "%s",
				  job->error ? job->error : "the description is not valid");
	} else if (job->result) {
		xo_control_refuse(drive, job->id, XO_DRIVE_ERROR_FAILED, "%s",
				  job->result == -ENOENT ? "there was no disc"
							 : strerrordesc_np(-job->result));
	} else {
		drive->wait_for_disc = false;
		if (!get_flag(job->arguments, "again")) {
			medium_is(drive, true);
		} else {
			/* The predecessor may have died before it told. */
			drive->medium = xo_burner_medium_present(drive->bottom);
			drive->tray_open = !drive->medium;
			xo_control_due(drive, XO_DUE_TRAY);
		}
		xo_control_reply(drive, job->id, NULL, -1);
	}
}

/* The guest hears of the drive's unit attentions, whichever command comes first. */
static int host_command(struct xo_drive *drive, const uint8_t cdb[6])
{
	int r;

	for (unsigned int i = 0; i < XO_UNIT_ATTENTIONS_MAX; i++) {
		r = xo_inner_command(drive->handover, xo_inner_id(drive->record), cdb, 6,
				     XO_DIR_NONE, NULL, 0, NULL);
		if (r >> 16 != XO_KEY_UNIT_ATTENTION)
			break;
		if (drive->held)
			xo_attention_pass_on(drive->record, (uint32_t)r);
	}
	return r;
}

static int device_eject(struct xo_drive *drive, bool force)
{
	static const uint8_t allow[6] = { XO_OP_PREVENT_ALLOW };
	static const uint8_t eject[6] = { XO_OP_START_STOP_UNIT, 0, 0, 0, 2 };
	int r = force ? host_command(drive, allow) : 0;

	if (!r)
		r = host_command(drive, eject);
	if (r == XO_SENSE_MEDIUM_REMOVAL_PREVENTED)
		return -EBUSY;
	return r ? -EIO : 0;
}

static int eject_run(struct xo_drive *drive, struct xo_control_job *job)
{
	bool force = get_flag(job->arguments, "force");

	if (drive->options->burner)
		return xo_burner_eject(drive->bottom, force);
	return device_eject(drive, force);
}

static void eject_finish(struct xo_drive *drive, struct xo_control_job *job)
{
	struct xo_drive_link *holder = xo_links_find(drive, drive->lease.holder);

	if (job->result == -EBUSY) {
		if (holder)
			xo_links_notice(holder, XO_NOTICE_EJECT_REQUEST);
		xo_control_refuse(drive, job->id, XO_DRIVE_ERROR_BUSY,
				  "the guest has locked the door; it was asked to open the tray");
	} else if (job->result) {
		xo_control_refuse(drive, job->id, XO_DRIVE_ERROR_FAILED, "%s",
				  job->result == -ENOENT ? "there is no disc"
							 : "the drive refuses");
	} else {
		drive->wait_for_disc = false;
		drive->disc_fd = -1;
		medium_is(drive, false);
		xo_control_reply(drive, job->id, NULL, -1);
	}
}

static int description_run(struct xo_drive *drive, struct xo_control_job *job)
{
	(void)job;
	xo_burner_save(drive->bottom);
	return xo_burner_loaded(drive->bottom) ? 1 : 0;
}

static void description_finish(struct xo_drive *drive, struct xo_control_job *job)
{
	bool disc = job->result && drive->known_description;
	int fd = disc ? xo_control_text_fd(drive->known_description, drive->known_length) : -1;

	xo_control_reply(drive, job->id, json_pack("{s:b}", "disc", disc && fd >= 0), fd);
}

static int device_run(struct xo_drive *drive, struct xo_control_job *job)
{
	struct xo_device device = {
		.fd = job->fds[0],
		.path = json_string_value(json_object_get(job->arguments, "path")),
	};
	int r = xo_passthrough_check(device.fd);

	if (r)
		return r;
	job->fds[0] = -1;
	xo_handover_forget(drive->record);
	xo_events_forget(drive->record);
	xo_attention_raise(drive->record);
	xo_passthrough_device(drive->bottom, &device);
	return 0;
}

static void device_finish(struct xo_drive *drive, struct xo_control_job *job)
{
	uint32_t bytes = 0;
	uint32_t segments = 0;

	if (job->result) {
		xo_control_refuse(drive, job->id, XO_DRIVE_ERROR_ARGUMENTS,
				  "not a device that takes SG_IO");
		return;
	}
	get_number(job->arguments, "max-transfer", 0, UINT32_MAX, &bytes);
	get_number(job->arguments, "max-segments", 0, UINT32_MAX, &segments);
	drive->max_transfer = xo_device_limit(xo_passthrough_fd(drive->bottom), bytes, segments);
	xo_split_limit(drive->split, drive->max_transfer);
	drive->gone = false;
	drive->medium = -1;
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		drive->links[i].greet |= drive->links[i].open;
	xo_links_notice_all(drive, XO_NOTICE_DRIVE_BACK);
	xo_control_reply(drive, job->id, NULL, -1);
}

/* At once, also while a command runs. */
static void watch_commands(struct xo_control_call *call)
{
	xo_trace_watch(call->drive->trace, call->fd_count ? call->fds[0] : -1);
	if (call->fd_count)
		call->fds[0] = -1;
	xo_lending_update(call->drive);
	xo_control_reply(call->drive, call->id, NULL, -1);
}

static void returned(struct xo_control_call *call)
{
	uint32_t id;

	if (!get_number(call->arguments, "link", 1, XO_DRIVE_LINK_ID_MAX, &id)) {
		xo_control_refuse(call->drive, call->id, XO_DRIVE_ERROR_ARGUMENTS,
				  "returned: \"link\" is missing");
		return;
	}
	xo_lending_returned(call->drive, id);
	xo_control_reply(call->drive, call->id, NULL, -1);
}

static int unplug_run(struct xo_drive *drive, struct xo_control_job *job)
{
	(void)job;
	xo_passthrough_unplug(drive->bottom);
	return 0;
}

static void unplug_finish(struct xo_drive *drive, struct xo_control_job *job)
{
	xo_control_reply(drive, job->id, NULL, -1);
}

static void query_commands(struct xo_control_call *call);

/* All links go; then this waits behind the undoing. */
static bool shutdown_applies(struct xo_control_call *call)
{
	struct xo_drive *drive = call->drive;

	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		if (drive->record->links[i].state == XO_LINK_ATTACHED)
			take_out(drive, &drive->record->links[i], false);
	return true;
}

static int shutdown_run(struct xo_drive *drive, struct xo_control_job *job)
{
	(void)job;
	if (drive->options->burner)
		xo_burner_save(drive->bottom);
	return 0;
}

static void shutdown_finish(struct xo_drive *drive, struct xo_control_job *job)
{
	(void)job;
	/* All of them: a launcher that was restarted meanwhile has said it again. */
	for (unsigned int i = 0; i < XO_CONTROL_JOBS; i++)
		if (drive->control_jobs[i].used && xo_control_ends(&drive->control_jobs[i]))
			xo_control_reply(drive, drive->control_jobs[i].id, NULL, -1);
	xo_drive_end(drive);
}

bool xo_control_ends(const struct xo_control_job *job)
{
	return job->command->finish == shutdown_finish;
}

static const struct xo_control_command commands[] = {
	{ XO_DRIVE_ADD_LINK, 2, 2, .handle = add_link },
	{ XO_DRIVE_REMOVE_LINK, 0, 0, .handle = remove_link },
	{ XO_DRIVE_QUERY, 0, 0, .handle = query },
	{ XO_DRIVE_INSERT, 1, 2, .applies = on_burner, .run = insert_run, .finish = insert_finish },
	{ XO_DRIVE_EJECT, 0, 0, .run = eject_run, .finish = eject_finish },
	{ XO_DRIVE_QUERY_DESCRIPTION, 0, 0, .applies = on_burner, .run = description_run,
	  .finish = description_finish },
	{ XO_DRIVE_DEVICE, 1, 1, .applies = on_device, .run = device_run, .finish = device_finish },
	{ XO_DRIVE_TRACE, 0, 1, .handle = watch_commands },
	{ XO_DRIVE_RETURNED, 0, 0, .handle = returned },
	{ XO_DRIVE_UNPLUG, 0, 0, .applies = on_device, .run = unplug_run, .finish = unplug_finish },
	{ XO_DRIVE_QUERY_COMMANDS, 0, 0, .handle = query_commands },
	{ XO_DRIVE_SHUTDOWN, 0, 0, .applies = shutdown_applies, .run = shutdown_run,
	  .finish = shutdown_finish },
};

static void query_commands(struct xo_control_call *call)
{
	json_t *names = json_array();

	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++)
		json_array_append_new(names, json_string(commands[i].name));
	xo_control_reply(call->drive, call->id, json_pack("{s:o}", "commands", names), -1);
}

const struct xo_control_command *xo_control_find(const char *name)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}
