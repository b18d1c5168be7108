/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Noting what guests were refused, and forgetting it. */
#include "refusals.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "text.h"

struct xo_refusal {
	TAILQ_ENTRY(xo_refusal) entry;
	struct xo_refusals *all;
	unsigned int domid;
	bool boot;
	enum xo_bus bus;
	bool read_only;
	char drive[XO_DRIVE_NAME_MAX + 1]; /* empty: not known */
	char name[132];
	char uuid[40];
	char reason[512];
	uint64_t since; /* ns */
};

void xo_refusals_init(struct xo_refusals *refusals)
{
	TAILQ_INIT(&refusals->list);
	refusals->count = 0;
}

static void forget(struct xo_refusal *refusal)
{
	TAILQ_REMOVE(&refusal->all->list, refusal, entry);
	refusal->all->count--;
	free(refusal);
}

void xo_refusals_fini(struct xo_refusals *refusals)
{
	while (!TAILQ_EMPTY(&refusals->list))
		forget(TAILQ_FIRST(&refusals->list));
}

static struct xo_refusal *refusal_new(struct xo_refusals *refusals, const struct xo_domain *domain)
{
	struct xo_refusal *refusal = calloc(1, sizeof(*refusal));

	if (!refusal)
		return NULL;
	refusal->all = refusals;
	refusal->domid = domain->domid;
	memcpy(refusal->name, domain->name, sizeof(refusal->name));
	if (!refusal->name[0])
		snprintf(refusal->name, sizeof(refusal->name), "domain %u", domain->domid);
	memcpy(refusal->uuid, domain->uuid, sizeof(refusal->uuid));
	return refusal;
}

static void set_reason(struct xo_refusal *refusal, const char *reason)
{
	snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
	xo_text_clean(refusal->reason);
}

/* Into the list; it is the list's then. */
static void add(struct xo_refusal *refusal)
{
	struct xo_refusals *all = refusal->all;

	refusal->since = xo_now_ns();
	TAILQ_INSERT_HEAD(&all->list, refusal, entry);
	if (++all->count > XO_REFUSALS_MAX)
		forget(TAILQ_LAST(&all->list, refusal_list));
}

static void say(const struct xo_refusal *refusal)
{
	xo_log_limited(XO_LOG_ERROR, "domain %u (%s): %s%srefused: %s", refusal->domid,
		       refusal->name, refusal->drive, refusal->drive[0] ? " is " : "",
		       refusal->reason);
}

/* A guest that is started again has another id, and without "uuid=" in its configuration another UUID. */
static bool same_guest(const struct xo_refusal *refusal, const struct xo_domain *domain)
{
	return refusal->domid == domain->domid ||
	       (domain->name[0] && !strcmp(refusal->name, domain->name)) ||
	       (domain->uuid[0] && !strcmp(refusal->uuid, domain->uuid));
}

static void forget_guest(struct xo_refusals *refusals, const struct xo_domain *domain)
{
	struct xo_refusal *refusal;
	struct xo_refusal *next;

	for (refusal = TAILQ_FIRST(&refusals->list); refusal; refusal = next) {
		next = TAILQ_NEXT(refusal, entry);
		if (same_guest(refusal, domain))
			forget(refusal);
	}
}

static void attempt_answered(void *priv, const char *error_class, const char *error)
{
	struct xo_refusal *refusal = priv;

	if (!error) {
		free(refusal);
		return;
	}
	set_reason(refusal, error);
	say(refusal);
	/* A guest that was destroyed meanwhile was refused nothing. */
	if (strcmp(error_class, "DomainNotFound") != 0)
		add(refusal);
	else
		free(refusal);
}

void xo_refusals_attempt(struct xo_refusals *refusals, const struct xo_domain *domain,
			 const struct xo_options *options, bool boot, struct xo_request *request)
{
	struct xo_refusal *refusal = refusal_new(refusals, domain);

	forget_guest(refusals, domain);
	if (!refusal)
		return;
	refusal->boot = boot;
	refusal->bus = options->bus;
	refusal->read_only = options->read_only;
	memcpy(refusal->drive, options->drive, sizeof(refusal->drive));
	request->answered = attempt_answered;
	request->priv = refusal;
}

void xo_refusals_add(struct xo_refusals *refusals, const struct xo_domain *domain,
		     const char *reason)
{
	struct xo_refusal *refusal = refusal_new(refusals, domain);

	forget_guest(refusals, domain);
	if (!refusal)
		return;
	refusal->boot = true;
	set_reason(refusal, reason);
	say(refusal);
	add(refusal);
}

void xo_refusals_started(struct xo_refusals *refusals, const struct xo_domain *domain)
{
	struct xo_refusal *refusal;
	struct xo_refusal *next;

	for (refusal = TAILQ_FIRST(&refusals->list); refusal; refusal = next) {
		next = TAILQ_NEXT(refusal, entry);
		if (refusal->boot && same_guest(refusal, domain))
			forget(refusal);
	}
}

void xo_refusals_released(struct xo_refusals *refusals, struct xo_store *store)
{
	struct xo_refusal *refusal;
	struct xo_refusal *next;

	for (refusal = TAILQ_FIRST(&refusals->list); refusal; refusal = next) {
		next = TAILQ_NEXT(refusal, entry);
		if (!refusal->boot && !xo_store_domain_alive(store, refusal->domid))
			forget(refusal);
	}
}

static json_t *describe(const struct xo_refusal *refusal, uint64_t age)
{
	json_t *json = json_pack("{s:i,s:s,s:s,s:s,s:I}", "domid", (int)refusal->domid, "guest",
				 refusal->name, "uuid", refusal->uuid, "error", refusal->reason,
				 "seconds", (json_int_t)age);

	if (refusal->bus != XO_BUS_DEFAULT)
		json_object_set_new(json, "type", json_string(xo_bus_name(refusal->bus)));
	if (!refusal->drive[0])
		return json;
	json_object_set_new(json, "drive", json_string(refusal->drive));
	json_object_set_new(json, "mode", json_string(refusal->read_only ? "ro" : "rw"));
	return json;
}

json_t *xo_refusals_describe(struct xo_refusals *refusals)
{
	json_t *list = json_array();
	struct xo_refusal *refusal;
	struct xo_refusal *next;

	for (refusal = TAILQ_FIRST(&refusals->list); refusal; refusal = next) {
		uint64_t age = (xo_now_ns() - refusal->since) / UINT64_C(1000000000);

		next = TAILQ_NEXT(refusal, entry);
		if (age < XO_REFUSAL_SECONDS)
			json_array_append_new(list, describe(refusal, age));
		else
			forget(refusal);
	}
	return list;
}
