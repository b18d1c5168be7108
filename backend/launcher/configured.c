/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding libxl's JSON of a domain, and making the devices that it asks for, each once. */
#include "configured.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "xl_lines.h"
#include "points.h"
#include "toolstack.h"

#define DOMAINS_MAX 1024
#define AGAIN_MS 2000

bool xo_configured_settled(const struct xo_configured *configured, unsigned int domid)
{
	return configured->done[domid / 8] & 1u << (domid % 8);
}

static void set_done(struct xo_configured *c, unsigned int domid, bool done)
{
	if (done)
		c->done[domid / 8] |= (uint8_t)(1u << (domid % 8));
	else
		c->done[domid / 8] &= (uint8_t) ~(1u << (domid % 8));
}

static int read_whole(int fd, char *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		ssize_t n = read(fd, text + at, length - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

/*
 * A whole file of libxl's, which renames it into its place; the caller frees. Only root can
 * write into the folder, but what is there is looked at all the same: a file of its owner's, of
 * bounded size.
 */
static int read_file(const char *path, char **text, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int r;

	*text = NULL;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		r = -EPERM;
	else
		r = st.st_size > XO_LINES_JSON_MAX ? -EFBIG : 0;
	if (!r) {
		*length = (size_t)st.st_size;
		*text = malloc(*length + 1);
		r = *text ? read_whole(fd, *text, *length) : -ENOMEM;
	}
	close(fd);
	if (r)
		free(*text);
	return r;
}

/* libxl_internal.c, userdata_path(): kept with the domain ("d") until it is destroyed. */
static int json_path(const struct xo_configured *c, const struct xo_domain *domain, char *path,
		     size_t size)
{
	int n = snprintf(path, size, "%s/userdata-d.%u.%s.libxl-json", c->config->libxl_dir,
			 domain->domid, domain->uuid);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* A domain that is received is "NAME--incoming" until it runs. */
static void strip_incoming(char *name)
{
	static const char suffix[] = "--incoming";
	size_t length = strlen(name);

	if (length > sizeof(suffix) - 1 && !strcmp(name + length - (sizeof(suffix) - 1), suffix))
		name[length - (sizeof(suffix) - 1)] = '\0';
}

static int refuse(struct xo_configured *c, const struct xo_domain *domain,
		  const struct xo_options *options, unsigned int lines_done, const char *reason)
{
	xo_error("domain %u (%s): %s", domain->domid, domain->name, reason);
	c->refused(c->priv, domain->domid, reason);
	return xo_toolstack_refuse(c->store, domain, options, lines_done, reason);
}

/* One device: made, or its error node. */
static int make(struct xo_configured *c, const struct xo_domain *domain, const struct xo_line *item,
		unsigned int lines_done)
{
	struct xo_device_nodes nodes;
	char error[XO_LINES_ERROR_MAX];
	int r;

	if (item->error[0])
		return refuse(c, domain, &item->options, lines_done, item->error);
	r = xo_toolstack_attach(c->store, domain, &item->options, lines_done, &nodes, error,
				sizeof(error));
	if (r == -ENOENT && item->options.backend[0]) /* the driver domain is not there */
		return refuse(c, domain, &item->options, lines_done, error);
	if (!r)
		xo_info("domain %u (%s): %s gets %s, by its configuration", domain->domid,
			domain->name, nodes.frontend, item->options.drive);
	return r;
}

static int make_all(struct xo_configured *c, const struct xo_domain *domain,
		    const struct xo_lines *config)
{
	unsigned int done;
	int r = xo_toolstack_lines_done(c->store, domain->domid, &done);

	if (r) {
		xo_error("domain %u (%s): somebody else wrote /libxl/%u/optical-lines; its drives "
			 "are not made",
			 domain->domid, domain->name, domain->domid);
		return 0;
	}
	for (; done < config->count && !r; done++) {
		xo_point(XO_POINT_LINE);
		r = make(c, domain, &config->items[done], done + 1);
		xo_point(XO_POINT_LINE_DONE);
	}
	return r;
}

/* The JSON is not usable: a device of its own says why, once. */
static int unusable(struct xo_configured *c, const struct xo_domain *domain, const char *path,
		    const char *why)
{
	struct xo_options options;
	char reason[XO_LINES_ERROR_MAX];
	unsigned int done;
	int r = xo_toolstack_lines_done(c->store, domain->domid, &done);

	if (r || done)
		return r;
	xo_options_init(&options);
	snprintf(reason, sizeof(reason), "%.300s: %.150s; its drives are not found", path, why);
	return refuse(c, domain, &options, 1, reason);
}

static int look_into(struct xo_configured *c, const struct xo_domain *domain, const char *path,
		     const char *text, size_t length)
{
	struct xo_lines *config = malloc(sizeof(*config));
	char error[256];
	int r;

	if (!config)
		return -ENOMEM;
	if (xo_lines_parse(text, length, !strcmp(domain->type, "hvm"), config, error,
			   sizeof(error)))
		r = unusable(c, domain, path, error);
	else
		r = make_all(c, domain, config);
	free(config);
	return r;
}

/* 0: all is done; 1: libxl has not written it yet, or the domain is gone; -errno: not now. */
static int treat(struct xo_configured *c, unsigned int domid)
{
	struct xo_domain domain;
	char path[XO_STORE_PATH_MAX];
	char *text;
	size_t length = 0;
	int r;

	/* Without a UUID or type it is not libxl's, or being made or removed. */
	if (xo_domain_read(c->store, domid, &domain) || !domain.uuid[0] || !domain.type[0])
		return 1;
	strip_incoming(domain.name);
	r = json_path(c, &domain, path, sizeof(path));
	if (r)
		return r;
	r = read_file(path, &text, &length);
	if (r == -ENOENT)
		return 1;
	if (r)
		return unusable(c, &domain, path, strerror(-r));
	r = look_into(c, &domain, path, text, length);
	free(text);
	return r;
}

static void again_expired(uv_timer_t *timer)
{
	if (timer->data)
		xo_configured_scan(timer->data);
}

static void look_at(struct xo_configured *c, unsigned int domid)
{
	int r;

	if (!domid || domid >= XO_DOMIDS || domid == c->store->domid ||
	    xo_configured_settled(c, domid))
		return;
	r = treat(c, domid);
	if (r > 0)
		return; /* the JSON's coming is told to us */
	if (r) {
		xo_log_limited(XO_LOG_WARNING, "domain %u: its drives cannot be made now: %s",
			       domid, strerror(-r));
		if (c->again)
			uv_timer_start(c->again, again_expired, AGAIN_MS, 0);
		return;
	}
	set_done(c, domid, true);
	c->settled(c->priv, domid);
}

void xo_configured_scan(struct xo_configured *configured)
{
	static unsigned int domids[DOMAINS_MAX];
	int count = xo_store_numbers(configured->store, "/local/domain", "", domids, DOMAINS_MAX);
	uint8_t there[sizeof(configured->done)] = { 0 };

	for (int i = 0; i < count; i++)
		if (domids[i] < XO_DOMIDS)
			there[domids[i] / 8] |= (uint8_t)(1u << (domids[i] % 8));
	/* An id comes again after many others: whose it was is forgotten with it. */
	for (size_t i = 0; i < sizeof(there); i++)
		configured->done[i] &= there[i];
	for (int i = 0; i < count; i++)
		look_at(configured, domids[i]);
}

/* Something happened in libxl's folder: its files are written aside and renamed. */
static void folder_changed(uv_fs_event_t *watch, const char *name, int events, int status)
{
	struct xo_configured *c = watch->data;
	unsigned int domid;
	int end = 0;

	(void)events;
	if (!c || status < 0)
		return;
	if (!name) {
		xo_configured_scan(c); /* the kernel does not say which */
		return;
	}
	if (sscanf(name, "userdata-d.%5u.%*36[0-9a-f-].libxl-json%n", &domid, &end) == 1 && end &&
	    !name[end])
		look_at(c, domid);
}

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

static void watch_folder(struct xo_configured *c)
{
	int r = -ENOMEM;

	c->watch = calloc(1, sizeof(*c->watch));
	if (c->watch) {
		uv_fs_event_init(c->loop, c->watch);
		c->watch->data = c;
		r = uv_fs_event_start(c->watch, folder_changed, c->config->libxl_dir, 0);
	}
	if (r)
		xo_error("%s: cannot be watched: %s; drives of new guests' xl configurations are "
			 "found late or not at all",
			 c->config->libxl_dir, strerror(-r));
}

void xo_configured_init(struct xo_configured *configured)
{
	memset(configured->done, 0, sizeof(configured->done));
	configured->again = calloc(1, sizeof(*configured->again));
	if (configured->again) {
		uv_timer_init(configured->loop, configured->again);
		configured->again->data = configured;
	}
	watch_folder(
		configured); /* before looking: what comes in between is seen twice, not never */
	xo_configured_scan(configured);
}

void xo_configured_fini(struct xo_configured *configured)
{
	if (configured->watch) {
		configured->watch->data = NULL;
		uv_close((uv_handle_t *)configured->watch, handle_free);
	}
	if (configured->again) {
		configured->again->data = NULL;
		uv_close((uv_handle_t *)configured->again, handle_free);
	}
	configured->watch = NULL;
	configured->again = NULL;
}
