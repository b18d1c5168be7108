/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The toolstack role: making and removing the nodes of devices, for any guest
 * and any backend domain, with the permissions that libxl gives.
 */
#ifndef XO_BACKEND_TOOLSTACK_H
#define XO_BACKEND_TOOLSTACK_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"
#include "store.h"

struct xo_domain {
	unsigned int domid;
	char name[132];
	char uuid[40];
	char type[8]; /* "hvm", "pvh" or "pv" as libxl has it; empty: not known */
};

/* A device, as the toolstack names it. */
struct xo_device_nodes {
	unsigned int domid;
	unsigned int backend_domid;
	unsigned int number;
	bool is_vcd;
	char backend[XO_SCHEMA_PATH_MAX];
	char frontend[XO_SCHEMA_PATH_MAX];
};

/* A domain by id, name or UUID. 0; -ENOENT with the reason in error[size]. */
int xo_domain_find(struct xo_store *store, const char *text, struct xo_domain *domain, char *error,
		   size_t size);

/* What is known of a domain by its id. */
int xo_domain_read(struct xo_store *store, unsigned int domid, struct xo_domain *domain);

/*
 * Makes the nodes of a new device, all in one transaction; with them goes the count of xl's lines that
 * are done, if it is not 0. `options` were checked. 0, or -errno with the reason.
 */
int xo_toolstack_attach(struct xo_store *store, const struct xo_domain *domain,
			const struct xo_options *options, unsigned int lines_done,
			struct xo_device_nodes *nodes, char *error, size_t size);

/*
 * A device that cannot be made as xl's lines ask for it: only the backend's nodes, closed, with the
 * reason, where `xenoptic list` and xenstore-ls show it; the guest sees nothing. As above.
 */
int xo_toolstack_refuse(struct xo_store *store, const struct xo_domain *domain,
			const struct xo_options *options, unsigned int lines_done,
			const char *reason);

/* How many of xl's lines are done. 0 or -EINVAL. */
int xo_toolstack_lines_done(struct xo_store *store, unsigned int domid, unsigned int *count);

/* Finds the device `number` of a domain, whatever its backend. 0 or -ENOENT. */
int xo_toolstack_find(struct xo_store *store, unsigned int domid, unsigned int number,
		      struct xo_device_nodes *nodes);

/* All devices of a domain; how many. */
int xo_toolstack_list(struct xo_store *store, unsigned int domid, struct xo_device_nodes *nodes,
		      size_t max);

/* Asks backend and frontend to close (online 0, state 5). */
int xo_toolstack_close(struct xo_store *store, const struct xo_device_nodes *nodes);

/* Whether the backend has closed. */
bool xo_toolstack_closed(struct xo_store *store, const struct xo_device_nodes *nodes);

/* Removes the nodes of both sides, and directories that became empty. */
int xo_toolstack_remove(struct xo_store *store, const struct xo_device_nodes *nodes);

/* Removes the backend nodes of domains that are no more, in every backend domain. How many devices. */
unsigned int xo_toolstack_clean(struct xo_store *store);

#endif
