// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages that the backend keeps mapped for as long as they exist; a request borrows a chain. */
#include "cdfront.h"

static void cdfront_pool_add(struct cdfront *info, struct cdfront_page *first,
			     struct cdfront_page *last, unsigned int count)
{
	last->next = info->pool;
	info->pool = first;
	info->pool_free += count;
}

static bool cdfront_pool_grow(struct cdfront *info)
{
	struct cdfront_page *p = kzalloc(sizeof(*p), GFP_ATOMIC | __GFP_NOWARN);
	int gref;

	if (!p)
		return false;
	p->page = alloc_page(GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO);
	if (!p->page)
		goto free;
	gref = gnttab_grant_foreign_access(info->dev->otherend_id, xen_page_to_gfn(p->page), 0);
	if (gref < 0)
		goto free_page;
	p->data = page_address(p->page);
	p->gref = gref;
	p->epoch = info->epoch;
	p->used = jiffies;
	info->pool_pages++;
	cdfront_pool_add(info, p, p, 1);
	return true;

free_page:
	__free_page(p->page);
free:
	kfree(p);
	return false;
}

/* Ends their grants now, or when the backend lets go of the pages. */
static void cdfront_pages_free(struct cdfront_page *p)
{
	struct cdfront_page *next;

	for (; p; p = next) {
		next = p->next;
		gnttab_end_foreign_access(p->gref, p->page);
		kfree(p);
	}
}

bool cdfront_pages_get(struct cdfront *info, struct cdfront_pages *pages, unsigned int count)
{
	struct cdfront_page *p;
	unsigned long now = jiffies;
	unsigned int i;

	lockdep_assert_held(&info->lock);
	while (info->pool_free < count)
		if (info->pool_pages >= CDFRONT_POOL_PAGES || !cdfront_pool_grow(info))
			return false;
	/* The one used last is used first: those behind it can go when there is time. */
	p = info->pool;
	pages->first = p;
	for (i = 1; i < count; i++) {
		p->used = now;
		p = p->next;
	}
	p->used = now;
	pages->last = p;
	pages->count = count;
	info->pool = p->next;
	info->pool_free -= count;
	p->next = NULL;
	return true;
}

void cdfront_pages_put(struct cdfront *info, struct cdfront_pages *pages)
{
	lockdep_assert_held(&info->lock);
	if (!pages->first)
		return;
	/* They were taken at once: all are of one connection. */
	if (pages->first->epoch == info->epoch)
		cdfront_pool_add(info, pages->first, pages->last, pages->count);
	else
		cdfront_pages_free(pages->first);
	pages->first = NULL;
}

void cdfront_pool_end(struct cdfront *info)
{
	lockdep_assert_held(&info->lock);
	info->epoch++;
	cdfront_pages_free(info->pool);
	info->pool = NULL;
	info->pool_free = 0;
	info->pool_pages = 0;
}

/* The page that was not used for longest, if that is long enough; *again: look later. */
static struct cdfront_page *cdfront_idle_page(struct cdfront *info, bool *again)
{
	struct cdfront_page **at = &info->pool, *last;

	spin_lock_irq(&info->lock);
	*again = info->pool_free > CDFRONT_POOL_IDLE;
	while (*again && (*at)->next)
		at = &(*at)->next;
	last = *again ? *at : NULL;
	if (last && time_before(jiffies, last->used + CDFRONT_SHRINK_AFTER))
		last = NULL;
	if (last) {
		*at = NULL;
		info->pool_free--;
	}
	spin_unlock_irq(&info->lock);
	return last;
}

void cdfront_shrink(struct work_struct *work)
{
	struct cdfront *info = container_of(to_delayed_work(work), struct cdfront, shrink);
	struct cdfront_page *p;
	bool again, ended = true;

	while (ended && (p = cdfront_idle_page(info, &again))) {
		/* It cannot be ended while the backend has it mapped. */
		ended = gnttab_try_end_foreign_access(p->gref);
		spin_lock_irq(&info->lock);
		/* Those of an earlier connection are not counted any more. */
		if (ended && p->epoch == info->epoch)
			info->pool_pages--;
		else if (!ended && p->epoch == info->epoch)
			cdfront_pool_add(info, p, p, 1);
		else if (!ended)
			cdfront_pages_free(p);
		spin_unlock_irq(&info->lock);
		if (ended) {
			__free_page(p->page);
			kfree(p);
		}
	}
	if (again)
		queue_delayed_work(system_freezable_wq, &info->shrink, CDFRONT_SHRINK_AFTER);
}
