/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the launcher asks of a ring worker; base/ring_control.h lists it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/log.h"
#include "base/worker.h"
#include "ring_worker.h"

struct command {
	const char *name;
	/* `fds` are the callee's to keep: one that it takes is set to -1. */
	void (*run)(struct xo_ring_worker *worker, const json_t *arguments, json_t *id, int *fds,
		    size_t count);
};

void xo_ring_control_error(const char *message)
{
	/* The launcher writes it down, and knows how often a guest has it do that. */
	xo_debug("%s", message);
	xo_control_event(XO_FD_CONTROL, "error", json_pack("{s:s}", "message", message));
}

void xo_ring_control_lun_lost(const struct xo_ring_lun *lun, const char *message)
{
	char text[XO_LUN_TEXT_MAX];

	xo_lun_text(text, lun->channel, lun->id, lun->lun);
	xo_warning("lun %s: the drive's link is lost: %s", text, message);
	xo_control_event(XO_FD_CONTROL, "lun-lost",
			 json_pack("{s:s, s:s}", "lun", text, "message", message));
}

void xo_ring_control_media(const struct xo_ring_lun *lun, const char *what)
{
	char text[XO_LUN_TEXT_MAX];

	xo_lun_text(text, lun->channel, lun->id, lun->lun);
	xo_control_event(XO_FD_CONTROL, "media",
			 json_pack("{s:s, s:s}", "lun", text, "event", what));
}

static void fail(const json_t *id, const char *class, const char *why)
{
	xo_control_error(XO_FD_CONTROL, id, class, "%s", why);
}

static bool u32_argument(const json_t *arguments, const char *name, uint32_t max, uint32_t *value)
{
	const json_t *number = json_object_get(arguments, name);
	json_int_t v = json_integer_value(number);

	if (!json_is_integer(number) || v < 0 || v > max)
		return false;
	*value = (uint32_t)v;
	return true;
}

static bool lun_argument(const json_t *arguments, uint16_t *channel, uint16_t *id, uint16_t *lun)
{
	const char *text = json_string_value(json_object_get(arguments, "lun"));

	return text && xo_lun_parse(text, channel, id, lun);
}

static void add_lun(struct xo_ring_worker *worker, const json_t *arguments, json_t *id, int *fds,
		    size_t count)
{
	struct xo_lun_option option;
	struct xo_ring_lun *lun;
	int r;

	if (worker->disconnecting || worker->ring.broken) {
		fail(id, "InvalidState", "the ring is being closed");
		return;
	}
	if (count != 2 || !lun_argument(arguments, &option.channel, &option.id, &option.lun) ||
	    !u32_argument(arguments, "link", UINT32_MAX, &option.number) ||
	    !u32_argument(arguments, "slots", XO_LINK_SLOTS_MAX, &option.slots) ||
	    !u32_argument(arguments, "slot-size", XO_LINK_SLOT_SIZE_MAX, &option.slot_size)) {
		fail(id, "InvalidParameter", "lun, link, slots, slot-size and two descriptors");
		return;
	}
	option.fd = fds[0];
	option.arena_fd = fds[1];
	lun = xo_worker_add_lun(worker, &option, &r);
	if (!lun) {
		fail(id,
		     r == -EEXIST   ? "DeviceExists"
		     : r == -EINVAL ? "InvalidParameter"
				    : "ResourceExhausted",
		     strerror(-r));
		return;
	}
	fds[0] = -1;
	fds[1] = -1;
	xo_ring_greet(&worker->ring, lun);
	xo_control_return(XO_FD_CONTROL, id, json_object());
}

static void remove_lun(struct xo_ring_worker *worker, const json_t *arguments, json_t *id, int *fds,
		       size_t count)
{
	uint16_t channel, target, unit;
	struct xo_ring_lun *lun = NULL;
	struct xo_worker_lun *own;

	(void)fds;
	(void)count;
	if (lun_argument(arguments, &channel, &target, &unit))
		lun = xo_ring_find_lun(&worker->ring, channel, target, unit);
	if (!lun || lun->leaving) {
		fail(id, "DeviceNotFound", "there is no such lun");
		return;
	}
	own = lun->priv;
	lun->leaving = true;
	own->removing = true;
	own->removal = json_incref(id);
}

static void disconnect(struct xo_ring_worker *worker, const json_t *arguments, json_t *id, int *fds,
		       size_t count)
{
	(void)fds;
	(void)count;
	worker->ring.stopped = true;
	worker->forced = worker->forced || json_is_true(json_object_get(arguments, "force"));
	if (worker->disconnecting && !worker->forced) {
		fail(id, "InvalidState", "already disconnecting");
		return;
	}
	worker->disconnecting = true;
	json_decref(worker->disconnect_id);
	worker->disconnect_id = json_incref(id);
}

/* The unit that "lend" and "recall" name. */
static struct xo_ring_lun *named_lun(struct xo_ring_worker *worker, const json_t *arguments,
				     const json_t *id)
{
	uint16_t channel, target, unit;
	struct xo_ring_lun *lun = NULL;

	if (lun_argument(arguments, &channel, &target, &unit))
		lun = xo_ring_find_lun(&worker->ring, channel, target, unit);
	if (!lun || lun->leaving)
		fail(id, "DeviceNotFound", "there is no such lun");
	return lun && !lun->leaving ? lun : NULL;
}

static void lend(struct xo_ring_worker *worker, const json_t *arguments, json_t *id, int *fds,
		 size_t count)
{
	struct xo_ring_lun *lun = named_lun(worker, arguments, id);
	uint32_t max_transfer;

	if (!lun)
		return;
	if (count != 1 || !u32_argument(arguments, "max-transfer", UINT32_MAX, &max_transfer)) {
		fail(id, "InvalidParameter", "lun, max-transfer and a descriptor");
		return;
	}
	xo_ring_lend(&worker->ring, lun, fds[0], max_transfer);
	fds[0] = -1;
	xo_control_return(XO_FD_CONTROL, id, json_object());
}

static void recall(struct xo_ring_worker *worker, const json_t *arguments, json_t *id, int *fds,
		   size_t count)
{
	struct xo_ring_lun *lun = named_lun(worker, arguments, id);

	(void)fds;
	(void)count;
	if (!lun)
		return;
	xo_ring_recall(lun);
	xo_control_return(XO_FD_CONTROL, id, json_object());
}

static json_t *describe_lun(struct xo_ring_worker *worker, const struct xo_ring_lun *lun)
{
	char text[XO_LUN_TEXT_MAX];

	xo_lun_text(text, lun->channel, lun->id, lun->lun);
	return json_pack("{s:s, s:I, s:i, s:i, s:i, s:b}", "lun", text, "link",
			 (json_int_t)lun->number, "slots", (int)lun->link.slots, "slot-size",
			 (int)lun->link.slot_size, "in-flight",
			 (int)xo_ring_lun_in_flight(&worker->ring, lun), "lent", lun->lent);
}

static void query(struct xo_ring_worker *worker, const json_t *arguments, json_t *id, int *fds,
		  size_t count)
{
	const struct xo_ring_ledger *ledger = worker->ring.ledger;
	json_t *luns = json_array();

	(void)arguments;
	(void)fds;
	(void)count;
	for (unsigned int i = 0; i < XO_RING_LUNS_MAX; i++)
		if (worker->ring.luns[i].used)
			json_array_append_new(luns, describe_lun(worker, &worker->ring.luns[i]));
	xo_control_return(XO_FD_CONTROL, id,
			  json_pack("{s:o, s:I, s:I, s:I, s:I, s:b}", "luns", luns, "requests",
				    (json_int_t)ledger->requests, "responses",
				    (json_int_t)ledger->responses, "bad-requests",
				    (json_int_t)ledger->bad_requests, "events",
				    (json_int_t)ledger->events, "sandboxed", worker->sandboxed));
}

static const struct command commands[] = {
	{ "add-lun", add_lun }, { "remove-lun", remove_lun }, { "lend", lend },
	{ "recall", recall },	{ "disconnect", disconnect }, { "query", query },
};

static void execute(struct xo_ring_worker *worker, const json_t *message, int *fds, size_t count)
{
	const char *name = json_string_value(json_object_get(message, "execute"));
	json_t *id = json_object_get(message, "id");

	for (size_t i = 0; name && i < XO_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name))
			continue;
		commands[i].run(worker, json_object_get(message, "arguments"), id, fds, count);
		return;
	}
	fail(id, "CommandNotFound", name ? name : "no execute");
}

void xo_ring_control_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_ring_worker *worker = watch->priv;
	int fds[XO_CONTROL_FDS_MAX];
	size_t count = 0;
	json_t *message = NULL;
	int r = xo_control_receive(XO_FD_CONTROL, &message, fds, &count);

	(void)events;
	if (r == 1)
		execute(worker, message, fds, count);
	else if (r == -EPROTO)
		fail(NULL, "GenericError", "not a JSON object");
	else if (r < 0) /* launcher and keeper are gone: no successor of ours would find anything */
		xo_ring_worker_end(worker, EXIT_SUCCESS);
	if (r == 1) {
		for (size_t i = 0; i < count; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		json_decref(message);
	}
	xo_ring_control_settle(worker);
}

static void settle_removal(struct xo_ring_worker *worker, struct xo_worker_lun *own)
{
	if (!own->removing || xo_ring_lun_in_flight(&worker->ring, own->lun))
		return;
	xo_control_return(XO_FD_CONTROL, own->removal, json_object());
	json_decref(own->removal);
	xo_worker_drop_lun(worker, own->lun);
}

void xo_ring_control_settle(struct xo_ring_worker *worker)
{
	for (unsigned int i = 0; i < worker->ring.luns_end; i++)
		settle_removal(worker, &worker->luns[i]);
	if (worker->disconnecting &&
	    (worker->forced || worker->ring.broken || !xo_ring_in_flight(&worker->ring)))
		xo_ring_worker_end(worker, EXIT_SUCCESS);
}
