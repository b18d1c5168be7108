/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives that xl's configuration asks for: libxl's stored JSON of each domain is
 * read once, when libxl has written it, and the nodes of its devices are made.
 */
#ifndef XO_BACKEND_CONFIGURED_H
#define XO_BACKEND_CONFIGURED_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon_config.h"
#include "store.h"

#define XO_DOMIDS 0x7ff0 /* DOMID_FIRST_RESERVED of xen/xen.h */

struct xo_configured {
	uv_loop_t *loop;
	const struct xo_config *config;
	struct xo_store *store;
	/* Nothing is left to be done for the domain: it may run. */
	void (*settled)(void *priv, unsigned int domid);
	/* One of its drives cannot be had: for the control socket. */
	void (*refused)(void *priv, unsigned int domid, const char *reason);
	void *priv;
	uv_fs_event_t *watch; /* libxl's folder; NULL: it cannot be watched */
	uv_timer_t *again; /* after what was not final */
	uint8_t done[XO_DOMIDS / 8 + 1]; /* domains that are settled */
};

/* Begins to watch, and looks at the domains that there are. The fields above `watch` were set. */
void xo_configured_init(struct xo_configured *configured);
void xo_configured_fini(struct xo_configured *configured);

/* Whether nothing is left to be done for the domain. */
bool xo_configured_settled(const struct xo_configured *configured, unsigned int domid);

/* @introduceDomain, @releaseDomain: domains came or went. */
void xo_configured_scan(struct xo_configured *configured);

#endif
