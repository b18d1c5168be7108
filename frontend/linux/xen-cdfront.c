// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen-cdfront: the host's optical drive as a SCSI host with one logical unit.
 *
 * A frontend of the device class "vcd". It sends the requests of vscsiif.h over
 * a ring of up to four pages, with a pool of pages that are granted once and
 * used again, so that a request costs no grant operation; data are copied
 * between the pool and the request's own pages.
 *
 * The backend is not trusted: responses are copied before they are looked at,
 * an id must be one that is in flight, lengths are clamped, and a backend that
 * breaks the protocol loses the device but not the guest.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/version.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <scsi/scsi.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>

#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/io/protocols.h>
#include <xen/interface/io/ring.h>
#include <xen/interface/io/vscsiif.h>

#define CDFRONT_RING_PAGES	4
#define CDFRONT_MAX_IDS		64
#define CDFRONT_MAX_BYTES	(512 * 1024)
#define CDFRONT_MAX_SEGMENTS	(CDFRONT_MAX_BYTES / XEN_PAGE_SIZE)
/* Data of two of the largest commands, and the segment lists of as many as there are ids. */
#define CDFRONT_POOL_PAGES	(2 * CDFRONT_MAX_SEGMENTS + CDFRONT_MAX_IDS)
#define CDFRONT_POOL_IDLE	16
#define CDFRONT_SHRINK_AFTER	(10 * HZ)
#define CDFRONT_EH_TIMEOUT	(120 * HZ)
#define CDFRONT_MAX_LUN_NODES	8

static unsigned int max_ring_pages = CDFRONT_RING_PAGES;
module_param(max_ring_pages, uint, 0444);
MODULE_PARM_DESC(max_ring_pages, "Pages of the ring at most (1, 2 or 4)");

/* A page of the pool, granted to the backend for as long as it exists. */
struct cdfront_page {
	struct list_head list;
	struct page *page;
	grant_ref_t gref;
};

enum cdfront_kind {
	CDFRONT_FREE,
	CDFRONT_COMMAND,
	CDFRONT_MANAGEMENT,
};

/* What is known of a request in flight; its index is the request's id. */
struct cdfront_shadow {
	enum cdfront_kind kind;
	struct scsi_cmnd *sc;
	struct list_head pages;		/* data, in order */
	struct cdfront_page *list;	/* segments of an indirect request */
	unsigned int length;
	u16 target;			/* management: the aborted id */
	int result;
	bool done;
	bool abandoned;			/* management: nobody waits any more */
};

struct cdfront {
	struct xenbus_device *dev;
	struct Scsi_Host *host;

	spinlock_t lock;		/* ring, shadows and pool */
	struct vscsiif_front_ring ring;
	grant_ref_t ring_refs[CDFRONT_RING_PAGES];
	unsigned int ring_pages;
	evtchn_port_t evtchn;
	unsigned int irq;
	unsigned int ids;
	struct cdfront_shadow shadows[CDFRONT_MAX_IDS];

	struct list_head pool;
	unsigned int pool_free;
	unsigned int pool_pages;
	unsigned long pool_used;	/* jiffies of the last use */
	struct delayed_work shrink;

	wait_queue_head_t management;
	struct xenbus_watch media_watch;
	struct work_struct media_work;
	unsigned int media_changes;
	unsigned int eject_requests;

	unsigned int sg_grant;		/* segments that a request may have indirectly */
	unsigned int max_bytes;
	bool connected;			/* the ring may be used */
	bool broken;			/* the backend broke the protocol */
	bool added;			/* the host was given to the mid-layer */
};

/* --- the pool --- */

static struct cdfront_page *cdfront_page_new(struct cdfront *info)
{
	struct cdfront_page *p = kzalloc(sizeof(*p), GFP_ATOMIC | __GFP_NOWARN);
	int gref;

	if (!p)
		return NULL;
	p->page = alloc_page(GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO);
	if (!p->page)
		goto free;
	gref = gnttab_grant_foreign_access(info->dev->otherend_id, xen_page_to_gfn(p->page), 0);
	if (gref < 0)
		goto free_page;
	p->gref = gref;
	info->pool_pages++;
	return p;

free_page:
	__free_page(p->page);
free:
	kfree(p);
	return NULL;
}

static struct cdfront_page *cdfront_page_get(struct cdfront *info)
{
	struct cdfront_page *p;

	lockdep_assert_held(&info->lock);
	p = list_first_entry_or_null(&info->pool, struct cdfront_page, list);
	if (p) {
		list_del(&p->list);
		info->pool_free--;
		return p;
	}
	return info->pool_pages < CDFRONT_POOL_PAGES ? cdfront_page_new(info) : NULL;
}

static void cdfront_page_put(struct cdfront *info, struct cdfront_page *p)
{
	/* The one used last is used first: those behind it can go when there is time. */
	list_add(&p->list, &info->pool);
	info->pool_free++;
}

/* Ends the grant; false while the backend has the page mapped. */
static bool cdfront_page_try_free(struct cdfront *info, struct cdfront_page *p)
{
	if (!gnttab_try_end_foreign_access(p->gref))
		return false;
	__free_page(p->page);
	kfree(p);
	info->pool_pages--;
	return true;
}

static void cdfront_shrink(struct work_struct *work)
{
	struct cdfront *info = container_of(to_delayed_work(work), struct cdfront, shrink);
	struct cdfront_page *p, *n;
	unsigned long flags;
	bool again;

	spin_lock_irqsave(&info->lock, flags);
	if (time_after_eq(jiffies, info->pool_used + CDFRONT_SHRINK_AFTER)) {
		list_for_each_entry_safe_reverse(p, n, &info->pool, list) {
			if (info->pool_free <= CDFRONT_POOL_IDLE)
				break;
			list_del(&p->list);
			if (cdfront_page_try_free(info, p))
				info->pool_free--;
			else
				list_add(&p->list, &info->pool);
		}
	}
	again = info->pool_free > CDFRONT_POOL_IDLE;
	spin_unlock_irqrestore(&info->lock, flags);
	if (again)
		schedule_delayed_work(&info->shrink, CDFRONT_SHRINK_AFTER);
}

/* The connection is gone: a page that is still mapped is freed when it is not. */
static void cdfront_pool_free(struct cdfront *info)
{
	struct cdfront_page *p, *n;

	list_for_each_entry_safe(p, n, &info->pool, list) {
		list_del(&p->list);
		gnttab_end_foreign_access(p->gref, p->page);
		kfree(p);
	}
	info->pool_free = 0;
	info->pool_pages = 0;
}

/* --- requests --- */

static int cdfront_id_get(struct cdfront *info, enum cdfront_kind kind)
{
	unsigned int i;

	lockdep_assert_held(&info->lock);
	if (RING_FULL(&info->ring))
		return -EBUSY;
	for (i = 0; i < info->ids; i++) {
		struct cdfront_shadow *shadow = &info->shadows[i];

		if (shadow->kind != CDFRONT_FREE)
			continue;
		memset(shadow, 0, sizeof(*shadow));
		INIT_LIST_HEAD(&shadow->pages);
		shadow->kind = kind;
		return i;
	}
	return -EBUSY;
}

static void cdfront_id_put(struct cdfront *info, unsigned int id)
{
	struct cdfront_shadow *shadow = &info->shadows[id];
	struct cdfront_page *p, *n;

	list_for_each_entry_safe(p, n, &shadow->pages, list) {
		list_del(&p->list);
		cdfront_page_put(info, p);
	}
	if (shadow->list)
		cdfront_page_put(info, shadow->list);
	shadow->list = NULL;
	shadow->sc = NULL;
	shadow->kind = CDFRONT_FREE;
	info->pool_used = jiffies;
	if (info->pool_free > CDFRONT_POOL_IDLE)
		schedule_delayed_work(&info->shrink, CDFRONT_SHRINK_AFTER);
}

/* Copies between the command's pages and the pool's: at most `bytes`. */
static void cdfront_copy(struct cdfront_shadow *shadow, unsigned int bytes, bool to_pool)
{
	struct scsi_cmnd *sc = shadow->sc;
	struct cdfront_page *p;
	unsigned int at = 0;

	list_for_each_entry(p, &shadow->pages, list) {
		unsigned int part = min_t(unsigned int, bytes - at, XEN_PAGE_SIZE);

		if (!part)
			break;
		if (to_pool)
			sg_pcopy_to_buffer(scsi_sglist(sc), scsi_sg_count(sc),
					   page_address(p->page), part, at);
		else
			sg_pcopy_from_buffer(scsi_sglist(sc), scsi_sg_count(sc),
					     page_address(p->page), part, at);
		at += part;
	}
}

static void cdfront_fill_segments(struct cdfront_shadow *shadow,
				  struct scsiif_request_segment *seg)
{
	struct cdfront_page *p;
	unsigned int left = shadow->length;

	list_for_each_entry(p, &shadow->pages, list) {
		seg->gref = p->gref;
		seg->offset = 0;
		seg->length = min_t(unsigned int, left, XEN_PAGE_SIZE);
		left -= seg->length;
		seg++;
	}
}

/* Pages for the data, and where the segments go: the request, or a page of their own. */
static int cdfront_map_data(struct cdfront *info, struct cdfront_shadow *shadow,
			    struct vscsiif_request *req)
{
	struct scsi_cmnd *sc = shadow->sc;
	unsigned int pages = DIV_ROUND_UP(scsi_bufflen(sc), XEN_PAGE_SIZE);
	unsigned int i;

	shadow->length = scsi_bufflen(sc);
	if (shadow->length > info->max_bytes)
		return -EINVAL;
	for (i = 0; i < pages; i++) {
		struct cdfront_page *p = cdfront_page_get(info);

		if (!p)
			return -EBUSY;
		list_add_tail(&p->list, &shadow->pages);
	}
	if (sc->sc_data_direction == DMA_TO_DEVICE)
		cdfront_copy(shadow, shadow->length, true);
	if (pages <= VSCSIIF_SG_TABLESIZE) {
		cdfront_fill_segments(shadow, req->seg);
		req->nr_segments = pages;
		return 0;
	}
	shadow->list = cdfront_page_get(info);
	if (!shadow->list)
		return -EBUSY;
	cdfront_fill_segments(shadow, page_address(shadow->list->page));
	req->seg[0].gref = shadow->list->gref;
	req->seg[0].offset = 0;
	req->seg[0].length = pages * sizeof(struct scsiif_request_segment);
	req->nr_segments = VSCSIIF_SG_GRANT | 1;
	return 0;
}

static void cdfront_push(struct cdfront *info, const struct vscsiif_request *req)
{
	int notify;

	*RING_GET_REQUEST(&info->ring, info->ring.req_prod_pvt) = *req;
	info->ring.req_prod_pvt++;
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&info->ring, notify);
	if (notify)
		notify_remote_via_irq(info->irq);
}

static void cdfront_address(const struct scsi_device *sdev, struct vscsiif_request *req)
{
	req->channel = sdev->channel;
	req->id = sdev->id;
	req->lun = sdev->lun;
}

static int cdfront_queuecommand(struct Scsi_Host *host, struct scsi_cmnd *sc)
{
	struct cdfront *info = shost_priv(host);
	struct vscsiif_request req = { .act = VSCSIIF_ACT_SCSI_CDB };
	unsigned long flags;
	int id, err = 0;

	spin_lock_irqsave(&info->lock, flags);
	if (info->broken) {
		spin_unlock_irqrestore(&info->lock, flags);
		sc->result = DID_NO_CONNECT << 16;
		scsi_done(sc);
		return 0;
	}
	if (!info->connected)
		goto busy;
	id = cdfront_id_get(info, CDFRONT_COMMAND);
	if (id < 0)
		goto busy;
	info->shadows[id].sc = sc;
	sc->host_scribble = (void *)(unsigned long)(id + 1);
	req.rqid = id;
	req.cmd_len = min_t(unsigned int, sc->cmd_len, VSCSIIF_MAX_COMMAND_SIZE);
	memcpy(req.cmnd, sc->cmnd, req.cmd_len);
	req.sc_data_direction = sc->sc_data_direction;
	req.timeout_per_command = min_t(unsigned int, scsi_cmd_to_rq(sc)->timeout / HZ, U16_MAX);
	cdfront_address(sc->device, &req);
	if (scsi_bufflen(sc))
		err = cdfront_map_data(info, &info->shadows[id], &req);
	if (err) {
		cdfront_id_put(info, id);
		if (err == -EBUSY)
			goto busy;
		spin_unlock_irqrestore(&info->lock, flags);
		sc->result = DID_ERROR << 16;
		scsi_done(sc);
		return 0;
	}
	cdfront_push(info, &req);
	spin_unlock_irqrestore(&info->lock, flags);
	return 0;

busy:
	spin_unlock_irqrestore(&info->lock, flags);
	return SCSI_MLQUEUE_HOST_BUSY;
}

/* --- responses --- */

static void cdfront_break(struct cdfront *info, const char *why)
{
	info->broken = true;
	info->connected = false;
	dev_alert(&info->dev->dev, "the backend broke the protocol (%s); the drive is switched off\n",
		  why);
	wake_up_all(&info->management);
}

static int cdfront_result(u32 rslt)
{
	unsigned int host = XEN_VSCSIIF_RSLT_HOST(rslt);

	/* The numbers are those of the mid-layer up to the ones that it still has. */
	if (host > DID_SOFT_ERROR)
		host = host == XEN_VSCSIIF_RSLT_HOST_REQUEUE ? DID_REQUEUE : DID_ERROR;
	return host << 16 | XEN_VSCSIIF_RSLT_STATUS(rslt);
}

static void cdfront_end_command(struct cdfront *info, unsigned int id,
				const struct vscsiif_response *rsp)
{
	struct cdfront_shadow *shadow = &info->shadows[id];
	struct scsi_cmnd *sc = shadow->sc;
	unsigned int residual = min_t(unsigned int, rsp->residual_len, shadow->length);
	unsigned int sense = min_t(unsigned int, rsp->sense_len,
				   min_t(unsigned int, VSCSIIF_SENSE_BUFFERSIZE,
					 SCSI_SENSE_BUFFERSIZE));

	if (sc->sc_data_direction == DMA_FROM_DEVICE && shadow->length)
		cdfront_copy(shadow, shadow->length - residual, false);
	sc->result = cdfront_result(rsp->rslt);
	scsi_set_resid(sc, residual);
	if (sense)
		memcpy(sc->sense_buffer, rsp->sense_buffer, sense);
	sc->host_scribble = NULL;
	cdfront_id_put(info, id);
	scsi_done(sc);
}

static void cdfront_end_management(struct cdfront *info, unsigned int id,
				   const struct vscsiif_response *rsp)
{
	struct cdfront_shadow *shadow = &info->shadows[id];

	if (shadow->abandoned) {
		cdfront_id_put(info, id);
		return;
	}
	shadow->result = rsp->rslt == XEN_VSCSIIF_RSLT_RESET_SUCCESS ? SUCCESS : FAILED;
	shadow->done = true;
	wake_up_all(&info->management);
}

/* One response, copied from the ring. False: it cannot be. */
static bool cdfront_take(struct cdfront *info, const struct vscsiif_response *rsp)
{
	unsigned int id = rsp->rqid;

	if (id >= info->ids)
		return false;
	switch (info->shadows[id].kind) {
	case CDFRONT_COMMAND:
		cdfront_end_command(info, id, rsp);
		return true;
	case CDFRONT_MANAGEMENT:
		if (info->shadows[id].done)
			return false;
		cdfront_end_management(info, id, rsp);
		return true;
	default:
		return false;
	}
}

/* Handles what is in the ring; whether there was anything. */
static bool cdfront_responses(struct cdfront *info)
{
	struct vscsiif_response rsp;
	bool any = false;
	RING_IDX rp;
	int more;

	do {
		rp = READ_ONCE(info->ring.sring->rsp_prod);
		virt_rmb();	/* responses are not read before their producer index */
		if (RING_RESPONSE_PROD_OVERFLOW(&info->ring, rp)) {
			cdfront_break(info, "more responses than requests");
			return any;
		}
		while (info->ring.rsp_cons != rp) {
			RING_COPY_RESPONSE(&info->ring, info->ring.rsp_cons, &rsp);
			info->ring.rsp_cons++;
			any = true;
			if (!cdfront_take(info, &rsp)) {
				cdfront_break(info, "a response to no request");
				return any;
			}
		}
		RING_FINAL_CHECK_FOR_RESPONSES(&info->ring, more);
	} while (more);
	return any;
}

static irqreturn_t cdfront_irq(int irq, void *arg)
{
	struct cdfront *info = arg;
	unsigned int eoi = XEN_EOI_FLAG_SPURIOUS;
	unsigned long flags;

	spin_lock_irqsave(&info->lock, flags);
	if (info->broken) {
		/* No EOI: the channel of a rogue backend stays masked. */
		spin_unlock_irqrestore(&info->lock, flags);
		return IRQ_HANDLED;
	}
	if (info->connected && cdfront_responses(info))
		eoi = 0;
	spin_unlock_irqrestore(&info->lock, flags);
	xen_irq_lateeoi(irq, eoi);
	return IRQ_HANDLED;
}

/* --- error handling --- */

/* Sends ABORT or RESET and waits for its answer. */
static int cdfront_manage(struct cdfront *info, struct scsi_cmnd *sc, u8 act)
{
	struct vscsiif_request req = { .act = act };
	unsigned long target = (unsigned long)sc->host_scribble;
	unsigned long flags;
	int id, result = FAILED;

	spin_lock_irqsave(&info->lock, flags);
	if (!info->connected) {
		spin_unlock_irqrestore(&info->lock, flags);
		return FAILED;
	}
	id = cdfront_id_get(info, CDFRONT_MANAGEMENT);
	if (id < 0) {
		spin_unlock_irqrestore(&info->lock, flags);
		return FAILED;
	}
	req.rqid = id;
	req.ref_rqid = target ? target - 1 : 0;
	req.sc_data_direction = DMA_NONE;
	cdfront_address(sc->device, &req);
	cdfront_push(info, &req);
	spin_unlock_irqrestore(&info->lock, flags);

	wait_event_timeout(info->management,
			   READ_ONCE(info->shadows[id].done) || READ_ONCE(info->broken),
			   CDFRONT_EH_TIMEOUT);

	spin_lock_irqsave(&info->lock, flags);
	if (info->shadows[id].done) {
		result = info->shadows[id].result;
		cdfront_id_put(info, id);
	} else {
		info->shadows[id].abandoned = true;
	}
	spin_unlock_irqrestore(&info->lock, flags);
	return result;
}

static int cdfront_eh_abort(struct scsi_cmnd *sc)
{
	/* Ended meanwhile. */
	if (!sc->host_scribble)
		return SUCCESS;
	return cdfront_manage(shost_priv(sc->device->host), sc, VSCSIIF_ACT_SCSI_ABORT);
}

static int cdfront_eh_reset(struct scsi_cmnd *sc)
{
	return cdfront_manage(shost_priv(sc->device->host), sc, VSCSIIF_ACT_SCSI_RESET);
}

/* A rogue or absent backend does not answer: what it has is taken from it. */
static int cdfront_eh_host_reset(struct scsi_cmnd *sc)
{
	struct cdfront *info = shost_priv(sc->device->host);
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&info->lock, flags);
	if (!info->broken)
		cdfront_break(info, "it does not answer");
	for (i = 0; i < info->ids; i++) {
		struct cdfront_shadow *shadow = &info->shadows[i];

		/*
		 * The backend may still write to the pages: they are never used
		 * again, and freed when it lets go of them.
		 */
		if (shadow->kind == CDFRONT_COMMAND) {
			shadow->sc->host_scribble = NULL;
			shadow->sc->result = DID_NO_CONNECT << 16;
			scsi_done(shadow->sc);
			shadow->sc = NULL;
			shadow->kind = CDFRONT_MANAGEMENT;
			shadow->abandoned = true;
		}
	}
	spin_unlock_irqrestore(&info->lock, flags);
	return SUCCESS;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
static struct scsi_host_template cdfront_template = {
#else
static const struct scsi_host_template cdfront_template = {
#endif
	.module = THIS_MODULE,
	.name = "Xen optical drive",
	.proc_name = "xen-cdfront",
	.queuecommand = cdfront_queuecommand,
	.eh_abort_handler = cdfront_eh_abort,
	.eh_device_reset_handler = cdfront_eh_reset,
	.eh_host_reset_handler = cdfront_eh_host_reset,
	.this_id = -1,
	.cmd_per_lun = 4,
	.can_queue = CDFRONT_MAX_IDS,
	.sg_tablesize = SG_ALL,
	.max_sectors = CDFRONT_MAX_BYTES / SECTOR_SIZE,
};

/* --- media events --- */

/* What the block layer sends when it finds the event by polling; udev and desktops listen to it. */
static int cdfront_disk_event(struct device *dev, void *event)
{
	char *envp[] = { event, NULL };

	if (dev->class && !strcmp(dev->class->name, "block"))
		kobject_uevent_env(&dev->kobj, KOBJ_CHANGE, envp);
	return 0;
}

/* The counters of the backend's unit: each step is an event (xenstore-schemas/optical). */
static void cdfront_media(struct work_struct *work)
{
	struct cdfront *info = container_of(work, struct cdfront, media_work);
	unsigned int changes = xenbus_read_unsigned(info->dev->otherend,
						    "vscsi-devs/dev-0/media-changes", 0);
	unsigned int ejects = xenbus_read_unsigned(info->dev->otherend,
						   "vscsi-devs/dev-0/eject-requests", 0);
	struct scsi_device *sdev;

	if (!info->added)
		return;
	shost_for_each_device(sdev, info->host) {
		if (changes != info->media_changes) {
			sdev_evt_send_simple(sdev, SDEV_EVT_MEDIA_CHANGE, GFP_KERNEL);
			device_for_each_child(&sdev->sdev_gendev, "DISK_MEDIA_CHANGE=1",
					      cdfront_disk_event);
		}
		if (ejects != info->eject_requests)
			device_for_each_child(&sdev->sdev_gendev, "DISK_EJECT_REQUEST=1",
					      cdfront_disk_event);
	}
	info->media_changes = changes;
	info->eject_requests = ejects;
}

static void cdfront_media_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct cdfront *info = container_of(watch, struct cdfront, media_watch);

	schedule_work(&info->media_work);
}

static void cdfront_watch_media(struct cdfront *info)
{
	if (info->media_watch.node ||
	    !xenbus_read_unsigned(info->dev->otherend, "feature-media-events", 0))
		return;
	info->media_watch.callback = cdfront_media_changed;
	info->media_watch.node = kasprintf(GFP_KERNEL, "%s/vscsi-devs/dev-0", info->dev->otherend);
	if (!info->media_watch.node)
		return;
	if (register_xenbus_watch(&info->media_watch)) {
		kfree(info->media_watch.node);
		info->media_watch.node = NULL;
	}
}

static void cdfront_unwatch_media(struct cdfront *info)
{
	if (!info->media_watch.node)
		return;
	unregister_xenbus_watch(&info->media_watch);
	kfree(info->media_watch.node);
	info->media_watch.node = NULL;
	cancel_work_sync(&info->media_work);
}

/* --- connection --- */

static int cdfront_setup_ring(struct cdfront *info)
{
	struct vscsiif_sring *sring;
	int err;

	err = xenbus_setup_ring(info->dev, GFP_NOIO, (void **)&sring, info->ring_pages,
				info->ring_refs);
	if (err)
		return err;
	XEN_FRONT_RING_INIT(&info->ring, sring, info->ring_pages * XEN_PAGE_SIZE);
	info->ids = min_t(unsigned int, RING_SIZE(&info->ring), CDFRONT_MAX_IDS);
	err = xenbus_alloc_evtchn(info->dev, &info->evtchn);
	if (err)
		return err;
	err = bind_evtchn_to_irq_lateeoi(info->evtchn);
	if (err <= 0) {
		xenbus_dev_fatal(info->dev, err, "bind_evtchn_to_irq");
		return err ? err : -EINVAL;
	}
	info->irq = err;
	err = request_threaded_irq(info->irq, NULL, cdfront_irq, IRQF_ONESHOT, "xen-cdfront", info);
	if (err) {
		xenbus_dev_fatal(info->dev, err, "request_threaded_irq");
		evtchn_put(info->evtchn);
		info->irq = 0;
	}
	return err;
}

static void cdfront_free_ring(struct cdfront *info)
{
	if (info->irq)
		unbind_from_irqhandler(info->irq, info);
	info->irq = 0;
	info->evtchn = 0;
	if (info->ring.sring)
		xenbus_teardown_ring((void **)&info->ring.sring, info->ring_pages, info->ring_refs);
}

static int cdfront_publish_refs(struct cdfront *info, struct xenbus_transaction xbt)
{
	const char *node = info->dev->nodename;
	unsigned int i;
	char name[16];
	int err;

	if (info->ring_pages == 1)
		return xenbus_printf(xbt, node, "ring-ref", "%u", info->ring_refs[0]);
	err = xenbus_printf(xbt, node, "ring-page-order", "%u", ilog2(info->ring_pages));
	for (i = 0; i < info->ring_pages && !err; i++) {
		snprintf(name, sizeof(name), "ring-ref%u", i);
		err = xenbus_printf(xbt, node, name, "%u", info->ring_refs[i]);
	}
	return err;
}

static int cdfront_publish_in(struct cdfront *info, struct xenbus_transaction xbt)
{
	const char *node = info->dev->nodename;
	int err = cdfront_publish_refs(info, xbt);

	if (!err)
		err = xenbus_printf(xbt, node, "event-channel", "%u", info->evtchn);
	if (!err)
		err = xenbus_printf(xbt, node, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-persistent", "%u", 1);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-media-events", "%u", 1);
	return err;
}

static int cdfront_publish(struct cdfront *info)
{
	struct xenbus_transaction xbt;
	int err;

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			break;
		err = cdfront_publish_in(info, xbt);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			break;
		}
		err = xenbus_transaction_end(xbt, 0);
	} while (err == -EAGAIN);
	if (err)
		xenbus_dev_fatal(info->dev, err, "writing to xenstore");
	return err;
}

/* What the backend offers, within what we take. */
static void cdfront_negotiate(struct cdfront *info)
{
	const char *other = info->dev->otherend;
	unsigned int order = xenbus_read_unsigned(other, "max-ring-page-order", 0);
	unsigned int transfer = xenbus_read_unsigned(other, "max-transfer", 0);

	info->ring_pages = 1u << min(order, 2u);
	info->ring_pages = min3(info->ring_pages, max_ring_pages, (unsigned int)CDFRONT_RING_PAGES);
	if (!is_power_of_2(info->ring_pages))
		info->ring_pages = 1;
	info->sg_grant = min_t(unsigned int, xenbus_read_unsigned(other, "feature-sg-grant", 0),
			       CDFRONT_MAX_SEGMENTS);
	info->max_bytes = max_t(unsigned int, info->sg_grant, VSCSIIF_SG_TABLESIZE) * XEN_PAGE_SIZE;
	if (transfer >= XEN_PAGE_SIZE)
		info->max_bytes = min(info->max_bytes, transfer);
}

static int cdfront_connect(struct cdfront *info)
{
	int err;

	cdfront_negotiate(info);
	err = cdfront_setup_ring(info);
	if (!err)
		err = cdfront_publish(info);
	if (err) {
		cdfront_free_ring(info);
		return err;
	}
	info->broken = false;
	return xenbus_switch_state(info->dev, XenbusStateInitialised);
}

/* Every command in flight ends; the mid-layer sends again what may be sent again. */
static void cdfront_end_all(struct cdfront *info, int result)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&info->lock, flags);
	info->connected = false;
	for (i = 0; i < info->ids; i++) {
		struct cdfront_shadow *shadow = &info->shadows[i];
		struct scsi_cmnd *sc = shadow->sc;

		if (shadow->kind == CDFRONT_MANAGEMENT && !shadow->abandoned) {
			shadow->result = FAILED;
			shadow->done = true;
			continue;
		}
		if (shadow->kind != CDFRONT_COMMAND)
			continue;
		sc->host_scribble = NULL;
		sc->result = result << 16;
		cdfront_id_put(info, i);
		scsi_done(sc);
	}
	spin_unlock_irqrestore(&info->lock, flags);
	wake_up_all(&info->management);
}

static void cdfront_unit_state(struct cdfront *info, const char *dir, enum xenbus_state state)
{
	char path[64];

	snprintf(path, sizeof(path), "vscsi-devs/%s", dir);
	xenbus_printf(XBT_NIL, info->dev->nodename, path, "%d", state);
}

/* One entry of vscsi-devs, by what the backend says of it. */
static void cdfront_unit(struct cdfront *info, const char *dir)
{
	unsigned int host, channel, target, lun;
	struct scsi_device *sdev;
	char node[64], state_path[64];
	int state;

	snprintf(node, sizeof(node), "vscsi-devs/%s/v-dev", dir);
	if (xenbus_scanf(XBT_NIL, info->dev->otherend, node, "%u:%u:%u:%u", &host, &channel,
			 &target, &lun) != 4 || channel || target || lun)
		return;
	snprintf(node, sizeof(node), "vscsi-devs/%s/state", dir);
	snprintf(state_path, sizeof(state_path), "%s/state", dir);
	state = xenbus_read_unsigned(info->dev->otherend, node, XenbusStateUnknown);
	sdev = scsi_device_lookup(info->host, 0, 0, 0);
	switch (state) {
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (!sdev && scsi_add_device(info->host, 0, 0, 0)) {
			dev_err(&info->dev->dev, "the drive cannot be added\n");
			cdfront_unit_state(info, state_path, XenbusStateClosed);
			break;
		}
		cdfront_unit_state(info, state_path, XenbusStateConnected);
		break;
	case XenbusStateClosing:
		if (sdev) {
			scsi_remove_device(sdev);
			cdfront_unit_state(info, state_path, XenbusStateClosed);
		}
		break;
	default:
		break;
	}
	if (sdev)
		scsi_device_put(sdev);
}

static void cdfront_units(struct cdfront *info)
{
	unsigned int count, i;
	char **dirs;

	dirs = xenbus_directory(XBT_NIL, info->dev->otherend, "vscsi-devs", &count);
	if (IS_ERR(dirs))
		return;
	for (i = 0; i < min_t(unsigned int, count, CDFRONT_MAX_LUN_NODES); i++)
		cdfront_unit(info, dirs[i]);
	kfree(dirs);
}

static void cdfront_connected(struct cdfront *info)
{
	unsigned long flags;
	int err;

	if (info->dev->state == XenbusStateConnected) {
		cdfront_units(info);
		return;
	}
	info->host->max_sectors = info->max_bytes / SECTOR_SIZE;
	info->host->can_queue = info->ids;
	spin_lock_irqsave(&info->lock, flags);
	info->connected = true;
	spin_unlock_irqrestore(&info->lock, flags);
	if (!info->added) {
		err = scsi_add_host(info->host, &info->dev->dev);
		if (err) {
			xenbus_dev_fatal(info->dev, err, "scsi_add_host");
			return;
		}
		info->added = true;
	}
	xenbus_switch_state(info->dev, XenbusStateConnected);
	cdfront_units(info);
	cdfront_watch_media(info);
	/* What waited for the ring goes on. */
	scsi_unblock_requests(info->host);
}

static void cdfront_disconnect(struct cdfront *info)
{
	cdfront_unwatch_media(info);
	cdfront_end_all(info, DID_NO_CONNECT);
	if (info->added)
		scsi_remove_host(info->host);
	info->added = false;
	xenbus_frontend_closed(info->dev);
}

static void cdfront_backend_changed(struct xenbus_device *dev, enum xenbus_state state)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);

	switch (state) {
	case XenbusStateInitWait:
		if (dev->state == XenbusStateInitialising && !info->ring.sring)
			cdfront_connect(info);
		break;
	case XenbusStateConnected:
		if (info->ring.sring)
			cdfront_connected(info);
		break;
	case XenbusStateReconfiguring:
		cdfront_units(info);
		xenbus_switch_state(dev, XenbusStateReconfiguring);
		break;
	case XenbusStateReconfigured:
		cdfront_units(info);
		xenbus_switch_state(dev, XenbusStateConnected);
		break;
	case XenbusStateClosed:
		if (dev->state == XenbusStateClosed)
			break;
		fallthrough;
	case XenbusStateClosing:
		cdfront_disconnect(info);
		break;
	default:
		break;
	}
}

static int cdfront_probe(struct xenbus_device *dev, const struct xenbus_device_id *id)
{
	struct Scsi_Host *host;
	struct cdfront *info;
	unsigned int i;

	host = scsi_host_alloc(&cdfront_template, sizeof(*info));
	if (!host) {
		xenbus_dev_fatal(dev, -ENOMEM, "scsi_host_alloc");
		return -ENOMEM;
	}
	info = shost_priv(host);
	info->dev = dev;
	info->host = host;
	spin_lock_init(&info->lock);
	INIT_LIST_HEAD(&info->pool);
	INIT_DELAYED_WORK(&info->shrink, cdfront_shrink);
	INIT_WORK(&info->media_work, cdfront_media);
	init_waitqueue_head(&info->management);
	for (i = 0; i < CDFRONT_MAX_IDS; i++)
		INIT_LIST_HEAD(&info->shadows[i].pages);
	host->max_id = 1;
	host->max_lun = 1;
	host->max_channel = 0;
	host->max_cmd_len = VSCSIIF_MAX_COMMAND_SIZE;
	dev_set_drvdata(&dev->dev, info);
	return 0;
}

static void cdfront_remove(struct xenbus_device *dev)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);
	unsigned int i;

	cdfront_unwatch_media(info);
	cdfront_end_all(info, DID_NO_CONNECT);
	if (info->added)
		scsi_remove_host(info->host);
	info->added = false;
	cdfront_free_ring(info);
	cancel_delayed_work_sync(&info->shrink);
	for (i = 0; i < info->ids; i++)
		if (info->shadows[i].kind != CDFRONT_FREE)
			cdfront_id_put(info, i);
	cdfront_pool_free(info);
	dev_set_drvdata(&dev->dev, NULL);
	scsi_host_put(info->host);
}

/* The guest runs again, here or elsewhere: a new ring to a new backend, nothing is in flight. */
static int cdfront_resume(struct xenbus_device *dev)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);
	unsigned int i;

	scsi_block_requests(info->host);
	cdfront_unwatch_media(info);
	cdfront_end_all(info, DID_RESET);
	cdfront_free_ring(info);
	for (i = 0; i < info->ids; i++)
		if (info->shadows[i].kind == CDFRONT_MANAGEMENT && info->shadows[i].abandoned)
			cdfront_id_put(info, i);
	cdfront_pool_free(info);
	xenbus_switch_state(dev, XenbusStateInitialising);
	return 0;
}

static const struct xenbus_device_id cdfront_ids[] = {
	{ "vcd" },
	{ "" }
};

static struct xenbus_driver cdfront_driver = {
	.ids = cdfront_ids,
	.probe = cdfront_probe,
	.remove = cdfront_remove,
	.resume = cdfront_resume,
	.otherend_changed = cdfront_backend_changed,
};

static int __init cdfront_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	return xenbus_register_frontend(&cdfront_driver);
}

static void __exit cdfront_exit(void)
{
	xenbus_unregister_driver(&cdfront_driver);
}

module_init(cdfront_init);
module_exit(cdfront_exit);

MODULE_DESCRIPTION("Xen optical drive frontend");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen:vcd");
