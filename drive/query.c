/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What "query" tells of a drive. */
#include <string.h>

#include "drive.h"
#include "stack.h"

static const char *const lease_names[] = {
	[XO_LEASE_NONE] = "none",
	[XO_LEASE_HELD] = "held",
	[XO_LEASE_DRAINING] = "draining",
	[XO_LEASE_PASSING] = "draining",
};

const char *xo_query_standing(const struct xo_drive *drive, uint32_t link)
{
	switch (xo_holding_standing(drive, link)) {
	case XO_STANDING_HELD:
		return "held";
	case XO_STANDING_NEXT:
		return "next";
	default:
		return "waiting";
	}
}

static json_int_t ms_since(uint64_t ns)
{
	return (json_int_t)((xo_now_ns() - ns) / 1000000);
}

json_t *xo_query_lease(struct xo_drive *drive)
{
	const struct xo_lease *lease = &drive->lease;
	const struct xo_link_record *holder = xo_holding_record(drive, lease->holder);
	json_t *json = json_pack("{s:s,s:I,s:I}", "state", lease_names[lease->state], "next",
				 (json_int_t)lease->next, "since-ms", ms_since(drive->lease_since));

	if (json)
		json_object_set_new(json, "lend", json_boolean(xo_lending_offered(drive)));
	if (json && xo_lending_recalled(drive))
		json_object_set_new(json, "recall",
				    json_integer((json_int_t)xo_lending_recalled(drive)));
	if (json && holder)
		json_object_update_new(
			json, json_pack("{s:I,s:I,s:s,s:s,s:s}", "link", (json_int_t)holder->id,
					"domid", (json_int_t)holder->domid, "name", holder->name,
					"uuid", holder->uuid, "path", holder->path));
	return json;
}

static json_t *query_running(const struct xo_drive *drive)
{
	const struct xo_job *job = xo_drive_active(drive);
	const struct xo_link_request *request;
	const char *name = "hand-over";

	if (!job || job->kind == XO_JOB_CONTROL || job->kind == XO_JOB_POLL)
		return json_null();
	if (job->kind != XO_JOB_UNDO) {
		request = &job->link->record->slot[job->slot].request;
		name = job->kind == XO_JOB_RESET
			       ? "reset"
			       : xo_opcode_find(request->cdb, request->cdb_length)->name;
	}
	return json_pack("{s:s,s:I,s:I}", "opcode", name, "link",
			 (json_int_t)(job->link ? job->link->record->id : 0), "ms",
			 ms_since(drive->running_since));
}

static json_t *query_links(const struct xo_drive *drive)
{
	json_t *links = json_array();

	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++) {
		const struct xo_drive_link *link = &drive->links[i];
		const struct xo_link_record *record = link->record;

		if (!record || link->removed)
			continue;
		json_array_append_new(links,
				      json_pack("{s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:b,"
						"s:I,s:I}",
						"link", (json_int_t)record->id, "domid",
						(json_int_t)record->domid, "name", record->name,
						"uuid", record->uuid, "path", record->path, "mode",
						record->read_only ? "ro" : "rw", "yours",
						xo_query_standing(drive, record->id), "queued",
						(json_int_t)link->queued, "commands",
						(json_int_t)link->commands, "errors",
						(json_int_t)link->errors, "refused",
						(json_int_t)link->refused, "open", link->open,
						"slots", (json_int_t)record->slots, "slot-size",
						(json_int_t)record->slot_size));
	}
	return links;
}

static json_t *query_counters(const struct xo_drive *drive)
{
	const struct xo_counters *counters = &drive->counters;

	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "commands",
			 (json_int_t)counters->commands, "in-bytes", (json_int_t)counters->in_bytes,
			 "out-bytes", (json_int_t)counters->out_bytes, "checks",
			 (json_int_t)counters->checks, "transport-errors",
			 (json_int_t)counters->transport_errors, "replayed",
			 (json_int_t)counters->replayed, "duplicates",
			 (json_int_t)counters->duplicates, "split",
			 (json_int_t)xo_split_count(drive->split), "refused",
			 (json_int_t)xo_policy_refused(drive->policy), "polls",
			 (json_int_t)counters->polls, "handovers",
			 (json_int_t)drive->runner.handovers, "burner-commands",
			 (json_int_t)counters->burner_commands);
}

static json_t *query_buffer(const struct xo_drive *drive)
{
	struct xo_buffer_report report = { 0 };

	if (drive->delay)
		xo_delay_report(drive->delay, &report);
	if (!report.size)
		return json_null();
	return json_pack("{s:I,s:I,s:I}", "size", (json_int_t)report.size, "lowest",
			 (json_int_t)report.lowest, "empty", (json_int_t)report.empty);
}

static const char *medium_name(int medium)
{
	if (medium < 0)
		return "unknown";
	return medium ? "present" : "absent";
}

json_t *xo_query(struct xo_drive *drive)
{
	const struct xo_drive_options *options = drive->options;
	unsigned int queued = 0;
	const struct xo_job *job;

	TAILQ_FOREACH (job, &drive->queue, entry)
		queued++;
	return json_pack("{s:s,s:s,s:s?,s:s,s:I,s:b,s:o,s:o,s:I,s:b,s:s,s:b,s:I,s:o,s:o,s:o,s:b}",
			 "name", options->name, "bottom", options->burner ? "burner" : "device",
			 "path", options->path, "mode", options->policy.read_only ? "ro" : "rw",
			 "generation", (json_int_t)drive->ledger.header->generation, "ready",
			 drive->ready, "lease", xo_query_lease(drive), "running",
			 query_running(drive), "queued", (json_int_t)queued, "write-session",
			 xo_handover_writing(drive->record), "medium", medium_name(drive->medium),
			 "gone", drive->gone, "max-transfer", (json_int_t)drive->max_transfer,
			 "links", query_links(drive), "counters", query_counters(drive), "buffer",
			 query_buffer(drive), "disc", drive->disc_fd >= 0);
}
