/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes of devices, as libxl would make and remove them. */
#include "toolstack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "xenbus.h"

#define DOMAINS_MAX 1024
#define DEVICE_NUMBERS_MAX 256
#define WRITES_MAX 16

int xo_domain_read(struct xo_store *store, unsigned int domid, struct xo_domain *domain)
{
	char path[XO_STORE_PATH_MAX];
	char vm[XO_STORE_PATH_MAX];

	*domain = (struct xo_domain){ .domid = domid };
	if (!xo_store_domain_exists(store, domid))
		return -ENOENT;
	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	if (xo_store_read(store, path, vm, sizeof(vm)) ||
	    xo_schema_text(XO_OPTICAL_NAME, vm, strlen(vm), domain->name, sizeof(domain->name)))
		domain->name[0] = '\0';
	/* "/vm/UUID"; libxl makes it readable, not writable for the guest. */
	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	if (xo_store_read(store, path, vm, sizeof(vm)) || strncmp(vm, "/vm/", 4) != 0 ||
	    xo_schema_text(XO_OPTICAL_UUID, vm + 4, strlen(vm + 4), domain->uuid,
			   sizeof(domain->uuid)))
		domain->uuid[0] = '\0';
	snprintf(path, sizeof(path), "/libxl/%u/type", domid);
	if (xo_store_read(store, path, vm, sizeof(vm)) || strlen(vm) >= sizeof(domain->type))
		vm[0] = '\0';
	snprintf(domain->type, sizeof(domain->type), "%.7s", vm);
	return 0;
}

int xo_domain_find(struct xo_store *store, const char *text, struct xo_domain *domain, char *error,
		   size_t size)
{
	static unsigned int domids[DOMAINS_MAX];
	uint64_t number;
	int count;

	if (!xo_schema_number(XO_OPTICAL_FRONTEND_ID, text, strlen(text), &number)) {
		if (!xo_domain_read(store, (unsigned int)number, domain))
			return 0;
		snprintf(error, size, "domain %s: there is none with this id", text);
		return -ENOENT;
	}
	count = xo_store_numbers(store, "/local/domain", "", domids, XO_ARRAY_SIZE(domids));
	for (int i = 0; i < count; i++)
		if (!xo_domain_read(store, domids[i], domain) && *text &&
		    (!strcmp(domain->name, text) || !strcasecmp(domain->uuid, text)))
			return 0;
	snprintf(error, size, "domain %s: there is none with this name or UUID", text);
	return -ENOENT;
}

static void set_paths(struct xo_device_nodes *nodes)
{
	snprintf(nodes->backend, sizeof(nodes->backend), "/local/domain/%u/backend/optical/%u/%u",
		 nodes->backend_domid, nodes->domid, nodes->number);
	snprintf(nodes->frontend, sizeof(nodes->frontend), "/local/domain/%u/device/%s/%u",
		 nodes->domid, nodes->is_vcd ? "vcd" : "vscsi", nodes->number);
}

static bool number_used(struct xo_store *store, const struct xo_device_nodes *nodes)
{
	char path[XO_STORE_PATH_MAX];
	static const char *const classes[] = { "vscsi", "vcd" };

	for (unsigned int i = 0; i < XO_ARRAY_SIZE(classes); i++) {
		snprintf(path, sizeof(path), "/local/domain/%u/device/%s/%u", nodes->domid,
			 classes[i], nodes->number);
		if (xo_store_exists(store, path))
			return true;
	}
	return xo_store_exists(store, nodes->backend);
}

/* The lowest number that neither class has, nor the backend (which may not be cleaned up yet). */
static int choose_number(struct xo_store *store, struct xo_device_nodes *nodes)
{
	for (nodes->number = 0; nodes->number < DEVICE_NUMBERS_MAX; nodes->number++) {
		set_paths(nodes);
		if (!number_used(store, nodes))
			return 0;
	}
	return -ENOSPC;
}

struct node_list {
	struct xo_store_write writes[WRITES_MAX];
	size_t count;
};

static void add(struct node_list *list, enum xo_node node, const char *value)
{
	list->writes[list->count++] = (struct xo_store_write){ .node = node, .value = value };
}

/* A directory owned by `owner`, readable by `reader`: what is made below inherits that. */
static bool make_directory(struct xo_store *store, xs_transaction_t t, const char *path,
			   unsigned int owner, unsigned int reader)
{
	struct xs_permissions permissions[] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	return xs_mkdir(store->xs, t, path) &&
	       xs_set_permissions(store->xs, t, path, permissions, XO_ARRAY_SIZE(permissions));
}

static bool write_list(struct xo_store *store, xs_transaction_t t, const char *base,
		       const struct node_list *list)
{
	char path[XO_STORE_PATH_MAX];

	for (size_t i = 0; i < list->count; i++) {
		const struct xo_store_write *w = &list->writes[i];

		if (!xs_write(store->xs, t, xo_store_join(path, base, w->node, w->n), w->value,
			      (unsigned int)strlen(w->value)))
			return false;
	}
	return true;
}

/* Where libxl has what is its own of a domain: neither guest nor driver domains see it. */
static char *libxl_path(unsigned int domid, char *path)
{
	snprintf(path, XO_STORE_PATH_MAX, "/libxl/%u", domid);
	return path;
}

static bool write_lines_done(struct xo_store *store, xs_transaction_t t, unsigned int domid,
			     unsigned int count)
{
	struct node_list list = { .count = 0 };
	char path[XO_STORE_PATH_MAX];
	char text[16];

	if (!count)
		return true;
	snprintf(text, sizeof(text), "%u", count);
	add(&list, XO_LIBXL_OPTICAL_LINES, text);
	return write_list(store, t, libxl_path(domid, path), &list);
}

int xo_toolstack_lines_done(struct xo_store *store, unsigned int domid, unsigned int *count)
{
	char path[XO_STORE_PATH_MAX];
	uint64_t number = 0;
	int r = xo_store_number(store, libxl_path(domid, path), XO_LIBXL_OPTICAL_LINES, 0, &number);

	*count = (unsigned int)number;
	return r == -ENOENT ? 0 : r;
}

/* Without a frontend's list there is none. */
static bool write_device(struct xo_store *store, xs_transaction_t t,
			 const struct xo_device_nodes *nodes, const struct node_list *backend,
			 const struct node_list *frontend, unsigned int lines_done)
{
	char path[XO_STORE_PATH_MAX];
	unsigned int length;
	void *there;

	snprintf(path, sizeof(path), "/local/domain/%u", nodes->domid);
	there = xs_read(store->xs, t, path, &length);
	if (!there)
		return false; /* the guest went while we were at it */
	free(there);
	if (frontend &&
	    !(make_directory(store, t, nodes->frontend, nodes->domid, nodes->backend_domid) &&
	      write_list(store, t, nodes->frontend, frontend)))
		return false;
	return make_directory(store, t, nodes->backend, nodes->backend_domid, nodes->domid) &&
	       write_list(store, t, nodes->backend, backend) &&
	       write_lines_done(store, t, nodes->domid, lines_done);
}

static int commit_device(struct xo_store *store, const struct xo_device_nodes *nodes,
			 const struct node_list *backend, const struct node_list *frontend,
			 unsigned int lines_done)
{
	for (unsigned int i = 0; i < XO_STORE_RETRIES; i++) {
		xs_transaction_t t = xs_transaction_start(store->xs);
		int r = 0;

		if (t == XBT_NULL)
			return -errno;
		if (!write_device(store, t, nodes, backend, frontend, lines_done))
			r = errno ? -errno : -EIO;
		if (xs_transaction_end(store->xs, t, r != 0))
			return r;
		if (r || errno != EAGAIN)
			return r ? r : -errno;
	}
	return -EAGAIN;
}

static int find_backend(struct xo_store *store, const struct xo_options *options,
			unsigned int *domid, char *error, size_t size)
{
	struct xo_domain backend;
	int r;

	*domid = store->domid;
	if (!options->backend[0])
		return 0;
	r = xo_domain_find(store, options->backend, &backend, error, size);
	if (!r)
		*domid = backend.domid;
	return r;
}

int xo_toolstack_attach(struct xo_store *store, const struct xo_domain *domain,
			const struct xo_options *options, unsigned int lines_done,
			struct xo_device_nodes *nodes, char *error, size_t size)
{
	struct node_list backend = { .count = 0 };
	struct node_list frontend = { .count = 0 };
	char domid[16];
	char backend_domid[16];
	int r;

	*nodes = (struct xo_device_nodes){ .domid = domain->domid,
					   .is_vcd = options->bus == XO_BUS_VCD };
	r = find_backend(store, options, &nodes->backend_domid, error, size);
	if (r)
		return r;
	r = choose_number(store, nodes);
	if (r) {
		snprintf(error, size, "domain %u: it has too many devices", domain->domid);
		return r;
	}
	snprintf(domid, sizeof(domid), "%u", nodes->domid);
	snprintf(backend_domid, sizeof(backend_domid), "%u", nodes->backend_domid);
	add(&backend, XO_OPTICAL_FRONTEND, nodes->frontend);
	add(&backend, XO_OPTICAL_FRONTEND_ID, domid);
	add(&backend, XO_OPTICAL_ONLINE, "1");
	add(&backend, XO_OPTICAL_TYPE, nodes->is_vcd ? "vcd" : "vscsi");
	add(&backend, XO_OPTICAL_NAME, options->name[0] ? options->name : domain->name);
	add(&backend, XO_OPTICAL_UUID, domain->uuid);
	add(&backend, XO_OPTICAL_FEATURE_HOST, "0");
	add(&backend, XO_OPTICAL_UNIT_P_DEV, options->drive);
	add(&backend, XO_OPTICAL_UNIT_V_DEV, "0:0:0:0");
	add(&backend, XO_OPTICAL_UNIT_MODE, options->read_only ? "ro" : "rw");
	add(&backend, XO_OPTICAL_UNIT_STATE, "1");
	add(&backend, XO_OPTICAL_STATE, "1");
	add(&frontend, nodes->is_vcd ? XO_VCD_BACKEND : XO_VSCSI_BACKEND, nodes->backend);
	add(&frontend, nodes->is_vcd ? XO_VCD_BACKEND_ID : XO_VSCSI_BACKEND_ID, backend_domid);
	add(&frontend, nodes->is_vcd ? XO_VCD_STATE : XO_VSCSI_STATE, "1");
	r = commit_device(store, nodes, &backend, &frontend, lines_done);
	if (r)
		snprintf(error, size, "domain %u: the device's nodes cannot be written: %s",
			 domain->domid, strerror(-r));
	return r;
}

int xo_toolstack_refuse(struct xo_store *store, const struct xo_domain *domain,
			const struct xo_options *options, unsigned int lines_done,
			const char *reason)
{
	struct xo_device_nodes nodes = { .domid = domain->domid,
					 .backend_domid = store->domid,
					 .is_vcd = options->bus == XO_BUS_VCD };
	struct node_list backend = { .count = 0 };
	char domid[16];
	int r = choose_number(store, &nodes);

	if (r)
		return r;
	snprintf(domid, sizeof(domid), "%u", nodes.domid);
	add(&backend, XO_OPTICAL_FRONTEND, nodes.frontend);
	add(&backend, XO_OPTICAL_FRONTEND_ID, domid);
	add(&backend, XO_OPTICAL_ONLINE, "0");
	add(&backend, XO_OPTICAL_TYPE, nodes.is_vcd ? "vcd" : "vscsi");
	add(&backend, XO_OPTICAL_NAME, options->name[0] ? options->name : domain->name);
	add(&backend, XO_OPTICAL_UUID, domain->uuid);
	add(&backend, XO_OPTICAL_ERROR, reason);
	add(&backend, XO_OPTICAL_STATE, "6");
	return commit_device(store, &nodes, &backend, NULL, lines_done);
}

/* Whether a backend domain has this device; fills in the rest. */
static bool device_at(struct xo_store *store, struct xo_device_nodes *nodes)
{
	uint64_t type;

	set_paths(nodes);
	if (!xo_store_exists(store, nodes->backend))
		return false;
	nodes->is_vcd = !xo_store_number(store, nodes->backend, XO_OPTICAL_TYPE, 0, &type) &&
			type == XO_OPTICAL_TYPE_VCD;
	set_paths(nodes);
	return true;
}

/* Domains that have a backend/optical. */
static int backend_domains(struct xo_store *store, unsigned int *domids, size_t max)
{
	char path[XO_STORE_PATH_MAX];
	int count = xo_store_numbers(store, "/local/domain", "", domids, max);
	int found = 0;

	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/local/domain/%u/backend/optical", domids[i]);
		if (xo_store_exists(store, path))
			domids[found++] = domids[i];
	}
	return found;
}

int xo_toolstack_list(struct xo_store *store, unsigned int domid, struct xo_device_nodes *nodes,
		      size_t max)
{
	unsigned int domains[DEVICE_NUMBERS_MAX];
	unsigned int numbers[DEVICE_NUMBERS_MAX];
	int domain_count = backend_domains(store, domains, XO_ARRAY_SIZE(domains));
	size_t found = 0;

	for (int i = 0; i < domain_count; i++) {
		char path[XO_STORE_PATH_MAX];
		int count;

		snprintf(path, sizeof(path), "/local/domain/%u/backend/optical/%u", domains[i],
			 domid);
		count = xo_store_numbers(store, path, "", numbers, XO_ARRAY_SIZE(numbers));
		for (int j = 0; j < count && found < max; j++) {
			nodes[found] = (struct xo_device_nodes){ .domid = domid,
								 .backend_domid = domains[i],
								 .number = numbers[j] };
			if (device_at(store, &nodes[found]))
				found++;
		}
	}
	return (int)found;
}

int xo_toolstack_find(struct xo_store *store, unsigned int domid, unsigned int number,
		      struct xo_device_nodes *nodes)
{
	struct xo_device_nodes all[DEVICE_NUMBERS_MAX / 8];
	int count = xo_toolstack_list(store, domid, all, XO_ARRAY_SIZE(all));

	for (int i = 0; i < count; i++) {
		if (all[i].number != number)
			continue;
		*nodes = all[i];
		return 0;
	}
	return -ENOENT;
}

int xo_toolstack_close(struct xo_store *store, const struct xo_device_nodes *nodes)
{
	const struct xo_store_write writes[] = {
		{ .node = XO_OPTICAL_ONLINE, .value = "0" },
		{ .node = XO_OPTICAL_STATE, .value = "5" },
	};

	return xo_store_write(store, nodes->backend, nodes->backend, writes, XO_ARRAY_SIZE(writes));
}

bool xo_toolstack_closed(struct xo_store *store, const struct xo_device_nodes *nodes)
{
	uint64_t state;

	return xo_store_number(store, nodes->backend, XO_OPTICAL_STATE, 0, &state) ||
	       state == XO_XENBUS_UNKNOWN || state == XO_XENBUS_CLOSED;
}

/* rmdir of the parents, as long as they are empty, up to `levels`. */
static void remove_empty_parents(struct xo_store *store, const char *path, unsigned int levels)
{
	char parent[XO_STORE_PATH_MAX];

	snprintf(parent, sizeof(parent), "%s", path);
	while (levels--) {
		char *slash = strrchr(parent, '/');
		unsigned int count = 1;
		char **names;

		*slash = '\0';
		names = xs_directory(store->xs, XBT_NULL, parent, &count);
		free(names);
		if (!names || count || !xs_rm(store->xs, XBT_NULL, parent))
			return;
	}
}

int xo_toolstack_remove(struct xo_store *store, const struct xo_device_nodes *nodes)
{
	int r = 0;

	if (xs_rm(store->xs, XBT_NULL, nodes->frontend))
		remove_empty_parents(store, nodes->frontend, 1);
	if (!xs_rm(store->xs, XBT_NULL, nodes->backend) && errno != ENOENT)
		r = -errno;
	remove_empty_parents(store, nodes->backend, 1);
	return r;
}

unsigned int xo_toolstack_clean(struct xo_store *store)
{
	unsigned int domains[DEVICE_NUMBERS_MAX];
	unsigned int guests[DEVICE_NUMBERS_MAX];
	int domain_count = backend_domains(store, domains, XO_ARRAY_SIZE(domains));
	unsigned int removed = 0;

	for (int i = 0; i < domain_count; i++) {
		char path[XO_STORE_PATH_MAX];
		int count;

		snprintf(path, sizeof(path), "/local/domain/%u/backend/optical", domains[i]);
		count = xo_store_numbers(store, path, "", guests, XO_ARRAY_SIZE(guests));
		for (int j = 0; j < count; j++) {
			if (xo_store_domain_exists(store, guests[j]))
				continue;
			snprintf(path, sizeof(path), "/local/domain/%u/backend/optical/%u",
				 domains[i], guests[j]);
			xo_info("domain %u is gone: removing %s", guests[j], path);
			if (xs_rm(store->xs, XBT_NULL, path))
				removed++;
		}
	}
	return removed;
}
