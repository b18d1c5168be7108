/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that guests were refused. The reason goes to the log, and is listed: who started the guest, or
 * starts it at boot, did not see what the request was answered.
 */
#ifndef XO_BACKEND_REFUSALS_H
#define XO_BACKEND_REFUSALS_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "options.h"
#include "server.h"
#include "store.h"
#include "toolstack.h"

#define XO_REFUSALS_MAX 16 /* the oldest goes */
#define XO_REFUSAL_SECONDS (24 * 3600)

struct xo_refusal;

struct xo_refusals {
	TAILQ_HEAD(refusal_list, xo_refusal) list; /* the newest first */
	unsigned int count;
};

void xo_refusals_init(struct xo_refusals *refusals);
void xo_refusals_fini(struct xo_refusals *refusals);

/*
 * A guest is to get a device: what it was refused before is forgotten, and if `request` is answered with an
 * error, that is noted. The refusal of a guest that starts (`boot`) outlives its domain, which ends by it;
 * other refusals go with the domain.
 */
void xo_refusals_attempt(struct xo_refusals *refusals, const struct xo_domain *domain,
			 const struct xo_options *options, bool boot, struct xo_request *request);

/* A guest that starts does not get its devices, for a reason that was found elsewhere. */
void xo_refusals_add(struct xo_refusals *refusals, const struct xo_domain *domain,
		     const char *reason);

/* The guest runs after all. */
void xo_refusals_started(struct xo_refusals *refusals, const struct xo_domain *domain);

/* @releaseDomain */
void xo_refusals_released(struct xo_refusals *refusals, struct xo_store *store);

/* For "list": an array. */
json_t *xo_refusals_describe(struct xo_refusals *refusals);

#endif
