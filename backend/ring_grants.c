/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Grant copy and grant mapping over libxengnttab; see ring_grants.h. */
#include "ring_grants.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <xentoollog.h>

#include "base/log.h"
#include "ring.h"

/* The library's messages can be caused by a guest (a bad reference): into our log, limited. */
static void library_message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
			    const char *context, const char *format, va_list al)
{
	char text[256];

	(void)logger;
	(void)errnoval;
	if (level < XTL_WARN)
		return;
	vsnprintf(text, sizeof(text), format, al);
	xo_log_limited(XO_LOG_WARNING, "%s: %s", context ? context : "xengnttab", text);
}

static void library_progress(struct xentoollog_logger *logger, const char *context,
			     const char *what, int percent, unsigned long done, unsigned long total)
{
	(void)logger;
	(void)context;
	(void)what;
	(void)percent;
	(void)done;
	(void)total;
}

static void library_destroy(struct xentoollog_logger *logger)
{
	(void)logger;
}

static struct xentoollog_logger library_log = {
	.vmessage = library_message,
	.progress = library_progress,
	.destroy = library_destroy,
};

int xo_grants_open(struct xo_grants *grants, uint16_t domid, const uint32_t *refs,
		   unsigned int pages)
{
	uint32_t copy[XO_RING_PAGES_MAX];
	int r;

	*grants = (struct xo_grants){ .domid = domid, .ring_pages = pages };
	if (pages > XO_RING_PAGES_MAX)
		return -EINVAL;
	grants->handle = xengnttab_open(&library_log, 0);
	if (!grants->handle) {
		r = -errno;
		xo_error("cannot open the grant device: %s", strerror(-r));
		return r;
	}
	memcpy(copy, refs, pages * sizeof(refs[0]));
	grants->ring = xengnttab_map_domain_grant_refs(grants->handle, pages, domid, copy,
						       PROT_READ | PROT_WRITE);
	if (!grants->ring) {
		r = errno ? -errno : -EIO;
		xo_debug("cannot map the ring (reference %u of domain %u): %s", refs[0], domid,
			 strerror(-r));
		xo_grants_close(grants);
		return r;
	}
	return 0;
}

static void kept_drop(struct xo_grants *grants, struct xo_kept_page *kept)
{
	if (kept->page)
		xengnttab_unmap(grants->handle, kept->page, 1);
	kept->page = NULL;
}

void xo_grants_close(struct xo_grants *grants)
{
	for (unsigned int i = 0; i < XO_KEPT_SETS; i++)
		for (unsigned int way = 0; way < XO_KEPT_WAYS; way++)
			kept_drop(grants, &grants->kept[i][way]);
	if (grants->ring)
		xengnttab_unmap(grants->handle, grants->ring, grants->ring_pages);
	if (grants->handle)
		xengnttab_close(grants->handle);
	*grants = (struct xo_grants){ 0 };
}

/* One segment by mapping its page: slow, but there on every kernel. */
static void copy_mapped(struct xo_grants *grants, xengnttab_grant_copy_segment_t *segment)
{
	const bool from_guest = segment->flags & GNTCOPY_source_gref;
	uint32_t ref = from_guest ? segment->source.foreign.ref : segment->dest.foreign.ref;
	unsigned int offset =
		from_guest ? segment->source.foreign.offset : segment->dest.foreign.offset;
	uint8_t *page = xengnttab_map_grant_ref(grants->handle, grants->domid, ref,
						from_guest ? PROT_READ : PROT_READ | PROT_WRITE);

	segment->status = GNTST_bad_gntref;
	if (!page)
		return;
	if (from_guest)
		memcpy(segment->dest.virt, page + offset, segment->len);
	else
		memcpy(page + offset, segment->source.virt, segment->len);
	xengnttab_unmap(grants->handle, page, 1);
	segment->status = GNTST_okay;
}

/* The mapping of a page that is kept; the way unused for longest makes room. NULL: it cannot be mapped. */
static uint8_t *kept_page(struct xo_grants *grants, uint32_t ref)
{
	/* References of a pool are near each other: they spread over the sets by themselves. */
	struct xo_kept_page *set = grants->kept[ref % XO_KEPT_SETS];
	struct xo_kept_page *victim = &set[0];

	for (unsigned int way = 0; way < XO_KEPT_WAYS; way++) {
		struct xo_kept_page *kept = &set[way];

		if (kept->page && kept->ref == ref) {
			kept->used = grants->clock;
			return kept->page;
		}
		if (!kept->page ||
		    (victim->page && grants->clock - kept->used > grants->clock - victim->used))
			victim = kept;
	}
	kept_drop(grants, victim);
	victim->page =
		xengnttab_map_grant_ref(grants->handle, grants->domid, ref, PROT_READ | PROT_WRITE);
	victim->ref = ref;
	victim->used = grants->clock;
	return victim->page;
}

static void copy_kept(struct xo_grants *grants, xengnttab_grant_copy_segment_t *segment)
{
	const bool from_guest = segment->flags & GNTCOPY_source_gref;
	uint8_t *page = kept_page(grants, from_guest ? segment->source.foreign.ref
						     : segment->dest.foreign.ref);

	segment->status = GNTST_bad_gntref;
	if (!page)
		return;
	if (from_guest)
		memcpy(segment->dest.virt, page + segment->source.foreign.offset, segment->len);
	else
		memcpy(page + segment->dest.foreign.offset, segment->source.virt, segment->len);
	segment->status = GNTST_okay;
}

unsigned int xo_grants_sweep(struct xo_grants *grants)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < XO_KEPT_SETS; i++) {
		for (unsigned int way = 0; way < XO_KEPT_WAYS; way++) {
			struct xo_kept_page *kept = &grants->kept[i][way];

			/* Wrap-around: an old page may stay for one more sweep. */
			if ((int32_t)(kept->used - grants->swept) < 0)
				kept_drop(grants, kept);
			left += kept->page != NULL;
		}
	}
	grants->swept = ++grants->clock;
	return left;
}

int xo_grants_copy(struct xo_grants *grants, xengnttab_grant_copy_segment_t *segments,
		   unsigned int count)
{
	grants->clock++;
	if (grants->persistent) {
		for (unsigned int i = 0; i < count; i++)
			copy_kept(grants, &segments[i]);
		return 0;
	}
	if (!grants->by_mapping) {
		if (!xengnttab_grant_copy(grants->handle, count, segments))
			return 0;
		if (errno != ENOTTY && errno != EOPNOTSUPP && errno != ENOSYS)
			return -errno;
		xo_notice("no grant copy in this kernel: mapping pages instead");
		grants->by_mapping = true;
	}
	for (unsigned int i = 0; i < count; i++)
		copy_mapped(grants, &segments[i]);
	return 0;
}
