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
 *
 * Three contexts meet here. Commands are queued by the mid-layer and ended by
 * the interrupt's thread; everything that xenstore asks for is done by one work
 * item, which alone may wait for the drive; error handlers wait for the backend
 * at most eh_timeout. The work is freezable: while the guest is suspended and
 * resumed it does not run.
 */

#include <linux/blkdev.h>
#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <scsi/scsi.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_eh.h>
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
/* Ids for an ABORT and a RESET, however many commands there are. */
#define CDFRONT_RESERVED_IDS	2
#define CDFRONT_MAX_BYTES	(512 * 1024)
#define CDFRONT_MAX_SEGMENTS	(CDFRONT_MAX_BYTES / XEN_PAGE_SIZE)
/* Data of two of the largest commands, and the segment lists of as many as there are ids. */
#define CDFRONT_POOL_PAGES	(2 * CDFRONT_MAX_SEGMENTS + CDFRONT_MAX_IDS)
#define CDFRONT_POOL_IDLE	16
#define CDFRONT_SHRINK_AFTER	(10 * HZ)
/* How long commands wait for a backend after the guest was resumed. */
#define CDFRONT_RESUME_TIMEOUT	(60 * HZ)
/* How long the driver's removal waits for the backend to let go of its pages. */
#define CDFRONT_CLOSE_TIMEOUT	(5 * HZ)
#define CDFRONT_MAX_UNIT_NODES	8
#define CDFRONT_UNIT_NAME	16

/* Opcodes of MMC that scsi_proto.h does not have. */
#define CDFRONT_GET_CONFIGURATION	0x46
#define CDFRONT_GET_EVENT_STATUS	0x4a

static unsigned int max_ring_pages = CDFRONT_RING_PAGES;
module_param(max_ring_pages, uint, 0444);
MODULE_PARM_DESC(max_ring_pages, "Pages of the ring at most (1, 2 or 4)");

/* A drive that reads a damaged disc may need five minutes until it gives up. */
static unsigned int eh_timeout = 360;
module_param(eh_timeout, uint, 0644);
MODULE_PARM_DESC(eh_timeout, "Seconds that the backend has for an abort or reset");

/* A page of the pool, granted to the backend for as long as it exists. */
struct cdfront_page {
	struct list_head list;
	struct page *page;
	grant_ref_t gref;
	unsigned int epoch;		/* the connection that it was granted for */
};

enum cdfront_kind {
	CDFRONT_FREE,
	CDFRONT_PREPARING,		/* a command on its way into the ring */
	CDFRONT_COMMAND,		/* in the backend's hands */
	CDFRONT_ENDING,			/* answered; data are copied */
	CDFRONT_MANAGEMENT,		/* ABORT or RESET */
	CDFRONT_LOST,			/* never answered: the backend may still use its pages */
};

/* What is known of a request in flight; its index is the request's id. */
struct cdfront_shadow {
	enum cdfront_kind kind;
	struct scsi_cmnd *sc;
	struct list_head pages;		/* data, in order */
	struct cdfront_page *list;	/* segments of an indirect request */
	unsigned int length;
	int result;			/* management: SUCCESS or FAILED */
	bool done;			/* management: answered */
	bool abandoned;			/* management: nobody waits any more */
};

/* Of each scsi_cmnd. */
struct cdfront_cmd {
	unsigned int id;		/* of its request, plus one; 0: not in flight */
};

enum cdfront_state {
	CDFRONT_WAITING,		/* for a backend: commands wait */
	CDFRONT_CONNECTED,
	CDFRONT_ABSENT,			/* no backend came: commands fail until one does */
	CDFRONT_BROKEN,			/* the backend broke the protocol: commands fail */
	CDFRONT_GONE,			/* the device goes away: commands fail */
};

struct cdfront {
	struct xenbus_device *dev;
	struct Scsi_Host *host;

	spinlock_t lock;		/* state, ring, shadows and pool */
	enum cdfront_state state;
	bool attention;			/* the next command reports a unit attention */
	const char *why;		/* what the backend did wrong */
	unsigned int epoch;		/* counts connections */
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

	wait_queue_head_t wait;		/* error handlers and the driver's removal */

	struct work_struct work;
	struct delayed_work deadline;	/* for a backend after resume */
	enum xenbus_state backend_state;
	struct xenbus_watch node_watch;
	struct xenbus_watch units_watch;
	char unit[CDFRONT_UNIT_NAME];	/* the backend's name of our logical unit */
	unsigned int media_changes;
	unsigned int eject_requests;

	unsigned int sg_grant;		/* segments that a request may have indirectly */
	unsigned int max_bytes;
	bool added;			/* the host was given to the mid-layer */
	bool resumed;			/* the connection that is made replaces another */
	bool closed;			/* for good */
};

static void cdfront_queue_work(struct cdfront *info)
{
	queue_work(system_freezable_wq, &info->work);
}

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
	p->epoch = info->epoch;
	info->pool_pages++;
	return p;

free_page:
	__free_page(p->page);
free:
	kfree(p);
	return NULL;
}

/* Ends the grant now, or when the backend lets go of the page. */
static void cdfront_page_free(struct cdfront_page *p)
{
	gnttab_end_foreign_access(p->gref, p->page);
	kfree(p);
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
	lockdep_assert_held(&info->lock);
	if (p->epoch != info->epoch) {
		cdfront_page_free(p);
		return;
	}
	/* The one used last is used first: those behind it can go when there is time. */
	list_add(&p->list, &info->pool);
	info->pool_free++;
}

/* The page that was not used for longest, if the pool has been idle; *again: look later. */
static struct cdfront_page *cdfront_idle_page(struct cdfront *info, bool *again)
{
	struct cdfront_page *p = NULL;

	spin_lock_irq(&info->lock);
	*again = info->pool_free > CDFRONT_POOL_IDLE;
	if (*again && time_after_eq(jiffies, info->pool_used + CDFRONT_SHRINK_AFTER)) {
		p = list_last_entry(&info->pool, struct cdfront_page, list);
		list_del(&p->list);
		info->pool_free--;
	}
	spin_unlock_irq(&info->lock);
	return p;
}

static void cdfront_shrink(struct work_struct *work)
{
	struct cdfront *info = container_of(to_delayed_work(work), struct cdfront, shrink);
	struct cdfront_page *p;
	bool again, ended = true;

	while (ended && (p = cdfront_idle_page(info, &again))) {
		/* It cannot be ended while the backend has it mapped. */
		ended = gnttab_try_end_foreign_access(p->gref);
		spin_lock_irq(&info->lock);
		if (ended)
			info->pool_pages--;
		else
			cdfront_page_put(info, p);
		spin_unlock_irq(&info->lock);
		if (ended) {
			__free_page(p->page);
			kfree(p);
		}
	}
	if (again)
		queue_delayed_work(system_freezable_wq, &info->shrink, CDFRONT_SHRINK_AFTER);
}

/* --- requests --- */

static int cdfront_id_get(struct cdfront *info, enum cdfront_kind kind)
{
	unsigned int i;

	lockdep_assert_held(&info->lock);
	/* There are no more ids than entries of the ring: it has room for what has an id. */
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

	lockdep_assert_held(&info->lock);
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
		queue_delayed_work(system_freezable_wq, &info->shrink, CDFRONT_SHRINK_AFTER);
}

/* Copies between the command's pages and the pool's. */
static void cdfront_copy(struct cdfront_shadow *shadow, unsigned int bytes, bool to_pool)
{
	struct cdfront_page *p = list_first_entry(&shadow->pages, struct cdfront_page, list);
	struct scsi_cmnd *sc = shadow->sc;
	struct sg_mapping_iter miter;
	unsigned int offset = 0;

	sg_miter_start(&miter, scsi_sglist(sc), scsi_sg_count(sc),
		       SG_MITER_ATOMIC | (to_pool ? SG_MITER_FROM_SG : SG_MITER_TO_SG));
	while (bytes && sg_miter_next(&miter)) {
		unsigned int left = min_t(size_t, miter.length, bytes);
		void *at = miter.addr;

		miter.consumed = left;
		bytes -= left;
		while (left) {
			unsigned int part = min_t(unsigned int, left, XEN_PAGE_SIZE - offset);
			void *pool = page_address(p->page) + offset;

			memcpy(to_pool ? pool : at, to_pool ? at : pool, part);
			at += part;
			left -= part;
			offset += part;
			if (offset == XEN_PAGE_SIZE) {
				p = list_next_entry(p, list);
				offset = 0;
			}
		}
	}
	sg_miter_stop(&miter);
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

/* Pages for the data and, with many segments, for the list of them. */
static int cdfront_get_pages(struct cdfront *info, struct cdfront_shadow *shadow)
{
	unsigned int pages, i;

	shadow->length = scsi_bufflen(shadow->sc);
	/* More than a backend takes that came after another; its own limits were told since. */
	if (shadow->length > info->max_bytes)
		return -EINVAL;
	pages = DIV_ROUND_UP(shadow->length, XEN_PAGE_SIZE);
	for (i = 0; i < pages; i++) {
		struct cdfront_page *p = cdfront_page_get(info);

		if (!p)
			return -EBUSY;
		list_add_tail(&p->list, &shadow->pages);
	}
	if (pages <= VSCSIIF_SG_TABLESIZE)
		return 0;
	shadow->list = cdfront_page_get(info);
	return shadow->list ? 0 : -EBUSY;
}

static void cdfront_fill_data(struct cdfront_shadow *shadow, struct vscsiif_request *req)
{
	unsigned int pages = DIV_ROUND_UP(shadow->length, XEN_PAGE_SIZE);

	if (!pages)
		return;
	if (shadow->sc->sc_data_direction == DMA_TO_DEVICE)
		cdfront_copy(shadow, shadow->length, true);
	if (!shadow->list) {
		cdfront_fill_segments(shadow, req->seg);
		req->nr_segments = pages;
		return;
	}
	cdfront_fill_segments(shadow, page_address(shadow->list->page));
	req->seg[0].gref = shadow->list->gref;
	req->seg[0].offset = 0;
	req->seg[0].length = pages * sizeof(struct scsiif_request_segment);
	req->nr_segments = VSCSIIF_SG_GRANT | 1;
}

static void cdfront_push(struct cdfront *info, const struct vscsiif_request *req)
{
	int notify;

	lockdep_assert_held(&info->lock);
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

/*
 * After a restore or migration the medium, and the drive, may be another (SPC-4
 * 5.14: a unit attention condition). The commands of MMC-6 4.1.6.1 that do not
 * report it pass.
 */
static bool cdfront_attention(struct cdfront *info, struct scsi_cmnd *sc)
{
	lockdep_assert_held(&info->lock);
	switch (sc->cmnd[0]) {
	case INQUIRY:
	case REQUEST_SENSE:
	case REPORT_LUNS:
	case CDFRONT_GET_CONFIGURATION:
	case CDFRONT_GET_EVENT_STATUS:
		return false;
	}
	if (!info->attention)
		return false;
	info->attention = false;
	scsi_build_sense(sc, 0, UNIT_ATTENTION, 0x28, 0);
	return true;
}

/* An id and pages. 0, 1: it ends as it is, -EBUSY: later. */
static int cdfront_prepare(struct cdfront *info, struct scsi_cmnd *sc)
{
	struct cdfront_cmd *cmd = scsi_cmd_priv(sc);
	int id, err;

	lockdep_assert_held(&info->lock);
	if (info->state == CDFRONT_WAITING)
		return -EBUSY;
	if (info->state != CDFRONT_CONNECTED) {
		sc->result = DID_NO_CONNECT << 16;
		return 1;
	}
	if (cdfront_attention(info, sc))
		return 1;
	id = cdfront_id_get(info, CDFRONT_PREPARING);
	if (id < 0)
		return id;
	info->shadows[id].sc = sc;
	err = cdfront_get_pages(info, &info->shadows[id]);
	if (err) {
		cdfront_id_put(info, id);
		if (err == -EBUSY)
			return err;
		sc->result = DID_ERROR << 16;
		return 1;
	}
	cmd->id = id + 1;
	return 0;
}

static enum scsi_qc_status cdfront_queuecommand(struct Scsi_Host *host, struct scsi_cmnd *sc)
{
	struct cdfront *info = shost_priv(host);
	struct vscsiif_request req = { .act = VSCSIIF_ACT_SCSI_CDB };
	struct cdfront_cmd *cmd = scsi_cmd_priv(sc);
	struct cdfront_shadow *shadow;
	unsigned long flags;
	unsigned int epoch;
	int err;

	cmd->id = 0;
	spin_lock_irqsave(&info->lock, flags);
	err = cdfront_prepare(info, sc);
	epoch = info->epoch;
	spin_unlock_irqrestore(&info->lock, flags);
	if (err)
		goto out;
	shadow = &info->shadows[cmd->id - 1];
	req.rqid = cmd->id - 1;
	req.cmd_len = min_t(unsigned int, sc->cmd_len, VSCSIIF_MAX_COMMAND_SIZE);
	memcpy(req.cmnd, sc->cmnd, req.cmd_len);
	req.sc_data_direction = sc->sc_data_direction;
	req.timeout_per_command = min_t(unsigned int, scsi_cmd_to_rq(sc)->timeout / HZ, U16_MAX);
	cdfront_address(sc->device, &req);
	cdfront_fill_data(shadow, &req);

	spin_lock_irqsave(&info->lock, flags);
	if (info->state == CDFRONT_CONNECTED && info->epoch == epoch) {
		shadow->kind = CDFRONT_COMMAND;
		cdfront_push(info, &req);
	} else {
		/* It went while the data were copied. */
		cdfront_id_put(info, cmd->id - 1);
		cmd->id = 0;
		err = -EBUSY;
	}
	spin_unlock_irqrestore(&info->lock, flags);
out:
	if (err == -EBUSY)
		return SCSI_MLQUEUE_HOST_BUSY;
	if (err)
		scsi_done(sc);
	return 0;
}

/* --- responses --- */

/*
 * Ends every command in flight. Their pages are not used again: the backend may
 * still write to them.
 */
static void cdfront_end_all(struct cdfront *info, enum cdfront_state state, int result)
{
	unsigned int i;

	lockdep_assert_held(&info->lock);
	info->state = state;
	for (i = 0; i < CDFRONT_MAX_IDS; i++) {
		struct cdfront_shadow *shadow = &info->shadows[i];
		struct scsi_cmnd *sc = shadow->sc;

		if (shadow->kind == CDFRONT_MANAGEMENT && shadow->abandoned) {
			shadow->kind = CDFRONT_LOST;
		} else if (shadow->kind == CDFRONT_MANAGEMENT && !shadow->done) {
			shadow->result = FAILED;
			shadow->done = true;
		}
		if (shadow->kind != CDFRONT_COMMAND)
			continue;
		shadow->kind = CDFRONT_LOST;
		shadow->sc = NULL;
		((struct cdfront_cmd *)scsi_cmd_priv(sc))->id = 0;
		sc->result = result << 16;
		scsi_done(sc);
	}
	wake_up_all(&info->wait);
}

static void cdfront_break(struct cdfront *info, const char *why)
{
	lockdep_assert_held(&info->lock);
	if (info->state != CDFRONT_CONNECTED)
		return;
	info->why = why;
	dev_alert(&info->dev->dev, "the backend %s; the drive is switched off\n", why);
	cdfront_end_all(info, CDFRONT_BROKEN, DID_NO_CONNECT);
	cdfront_queue_work(info);
}

static int cdfront_result(u32 rslt)
{
	unsigned int host = XEN_VSCSIIF_RSLT_HOST(rslt);

	/* The numbers are those of the mid-layer up to the ones that it still has. */
	if (host > DID_SOFT_ERROR)
		host = host == XEN_VSCSIIF_RSLT_HOST_REQUEUE ? DID_REQUEUE : DID_ERROR;
	return host << 16 | XEN_VSCSIIF_RSLT_STATUS(rslt);
}

/* The lock is released while data are copied and the mid-layer is told. */
static void cdfront_end_command(struct cdfront *info, unsigned int id,
				const struct vscsiif_response *rsp)
	__releases(&info->lock) __acquires(&info->lock)
{
	struct cdfront_shadow *shadow = &info->shadows[id];
	struct scsi_cmnd *sc = shadow->sc;
	unsigned int residual = min_t(unsigned int, rsp->residual_len, shadow->length);
	unsigned int sense = min3((unsigned int)rsp->sense_len,
				  (unsigned int)VSCSIIF_SENSE_BUFFERSIZE,
				  (unsigned int)SCSI_SENSE_BUFFERSIZE);

	shadow->kind = CDFRONT_ENDING;
	spin_unlock_irq(&info->lock);
	if (sc->sc_data_direction == DMA_FROM_DEVICE && shadow->length > residual)
		cdfront_copy(shadow, shadow->length - residual, false);
	sc->result = cdfront_result(rsp->rslt);
	scsi_set_resid(sc, residual);
	memcpy(sc->sense_buffer, rsp->sense_buffer, sense);
	spin_lock_irq(&info->lock);
	((struct cdfront_cmd *)scsi_cmd_priv(sc))->id = 0;
	cdfront_id_put(info, id);
	spin_unlock_irq(&info->lock);
	scsi_done(sc);
	spin_lock_irq(&info->lock);
}

/* One response, copied from the ring. False: it cannot be. */
static bool cdfront_take(struct cdfront *info, const struct vscsiif_response *rsp)
{
	unsigned int id = rsp->rqid;
	struct cdfront_shadow *shadow;

	if (id >= info->ids)
		return false;
	shadow = &info->shadows[id];
	if (shadow->kind == CDFRONT_COMMAND) {
		cdfront_end_command(info, id, rsp);
		return true;
	}
	if (shadow->kind != CDFRONT_MANAGEMENT || shadow->done)
		return false;
	if (shadow->abandoned) {
		cdfront_id_put(info, id);
		return true;
	}
	shadow->result = rsp->rslt == XEN_VSCSIIF_RSLT_RESET_SUCCESS ? SUCCESS : FAILED;
	shadow->done = true;
	wake_up_all(&info->wait);
	return true;
}

/* What is in the ring up to its producer index; whether there was anything. */
static bool cdfront_batch(struct cdfront *info)
{
	RING_IDX rp = READ_ONCE(info->ring.sring->rsp_prod);
	struct vscsiif_response rsp;
	bool any = false;

	virt_rmb();	/* responses are not read before their producer index */
	if (RING_RESPONSE_PROD_OVERFLOW(&info->ring, rp)) {
		cdfront_break(info, "answered more requests than there were");
		return false;
	}
	while (info->state == CDFRONT_CONNECTED && info->ring.rsp_cons != rp) {
		RING_COPY_RESPONSE(&info->ring, info->ring.rsp_cons, &rsp);
		info->ring.rsp_cons++;
		any = true;
		if (!cdfront_take(info, &rsp))
			cdfront_break(info, "answered a request that was not made");
	}
	return any;
}

static bool cdfront_responses(struct cdfront *info)
{
	unsigned int empty = 0;
	bool any = false;
	int more = 0;

	do {
		/* An honest backend's index says more only where there is. */
		if (cdfront_batch(info)) {
			any = true;
			empty = 0;
		} else if (empty++ > CDFRONT_MAX_IDS) {
			cdfront_break(info, "moves its index to and fro");
			break;
		}
		if (info->state != CDFRONT_CONNECTED)
			break;
		RING_FINAL_CHECK_FOR_RESPONSES(&info->ring, more);
	} while (more);
	return any;
}

static irqreturn_t cdfront_irq(int irq, void *arg)
{
	struct cdfront *info = arg;
	unsigned int eoi = XEN_EOI_FLAG_SPURIOUS;
	bool broken;

	spin_lock_irq(&info->lock);
	if (info->state == CDFRONT_CONNECTED && cdfront_responses(info))
		eoi = 0;
	broken = info->state == CDFRONT_BROKEN;
	spin_unlock_irq(&info->lock);
	/* No EOI: the channel of a rogue backend stays masked. */
	if (!broken)
		xen_irq_lateeoi(irq, eoi);
	return IRQ_HANDLED;
}

/* --- error handling --- */

/* Sends ABORT or RESET. Its id, -ENOENT: the command has ended, -EIO: there is nobody to ask. */
static int cdfront_send_management(struct cdfront *info, struct scsi_cmnd *sc, u8 act)
{
	struct cdfront_cmd *cmd = scsi_cmd_priv(sc);
	struct vscsiif_request req = { .act = act };
	int id;

	lockdep_assert_held(&info->lock);
	if (act == VSCSIIF_ACT_SCSI_ABORT && !cmd->id)
		return -ENOENT;
	if (info->state != CDFRONT_CONNECTED)
		return -EIO;
	id = cdfront_id_get(info, CDFRONT_MANAGEMENT);
	if (id < 0)
		return -EIO;
	req.rqid = id;
	req.ref_rqid = cmd->id ? cmd->id - 1 : 0;
	req.sc_data_direction = DMA_NONE;
	cdfront_address(sc->device, &req);
	cdfront_push(info, &req);
	return id;
}

/* What came of it; the commands that were to end have. */
static int cdfront_end_management(struct cdfront *info, struct scsi_cmnd *sc, unsigned int id)
{
	struct cdfront_shadow *shadow = &info->shadows[id];
	struct cdfront_cmd *cmd = scsi_cmd_priv(sc);
	int result = FAILED;

	lockdep_assert_held(&info->lock);
	if (shadow->done) {
		result = shadow->result;
		cdfront_id_put(info, id);
	} else {
		shadow->abandoned = true;
	}
	/*
	 * A command's own response comes before that to its ABORT or RESET: the
	 * mid-layer uses its pages for something else now.
	 */
	if (result == SUCCESS && cmd->id && info->shadows[cmd->id - 1].kind == CDFRONT_COMMAND)
		cdfront_break(info, "answered an abort before the command");
	return result;
}

static int cdfront_manage(struct scsi_cmnd *sc, u8 act)
{
	struct cdfront *info = shost_priv(sc->device->host);
	unsigned int irq;
	int id, result;

	spin_lock_irq(&info->lock);
	irq = info->irq;
	id = cdfront_send_management(info, sc, act);
	spin_unlock_irq(&info->lock);
	result = id == -ENOENT ? SUCCESS : FAILED;
	if (id >= 0) {
		wait_event_timeout(info->wait, READ_ONCE(info->shadows[id].done),
				   eh_timeout * HZ);
		spin_lock_irq(&info->lock);
		result = cdfront_end_management(info, sc, id);
		spin_unlock_irq(&info->lock);
	}
	/* Data of the command may be on their way into its pages. */
	if (irq)
		synchronize_irq(irq);
	return result;
}

static int cdfront_eh_abort(struct scsi_cmnd *sc)
{
	return cdfront_manage(sc, VSCSIIF_ACT_SCSI_ABORT);
}

static int cdfront_eh_reset(struct scsi_cmnd *sc)
{
	struct cdfront *info = shost_priv(sc->device->host);
	bool deaf = false;
	unsigned int i;

	spin_lock_irq(&info->lock);
	for (i = 0; i < info->ids; i++)
		deaf |= info->shadows[i].kind == CDFRONT_MANAGEMENT && info->shadows[i].abandoned;
	spin_unlock_irq(&info->lock);
	/* It would not hear this one either. */
	return deaf ? FAILED : cdfront_manage(sc, VSCSIIF_ACT_SCSI_RESET);
}

/* A rogue or absent backend does not answer: what it has is taken from it. */
static int cdfront_eh_host_reset(struct scsi_cmnd *sc)
{
	struct cdfront *info = shost_priv(sc->device->host);
	unsigned int irq;

	spin_lock_irq(&info->lock);
	irq = info->irq;
	cdfront_break(info, "does not answer, and not to a reset");
	spin_unlock_irq(&info->lock);
	if (irq)
		synchronize_irq(irq);
	return SUCCESS;
}

static struct scsi_host_template cdfront_template = {
	.module = THIS_MODULE,
	.name = "Xen optical drive",
	.proc_name = "xen-cdfront",
	.queuecommand = cdfront_queuecommand,
	.eh_abort_handler = cdfront_eh_abort,
	.eh_device_reset_handler = cdfront_eh_reset,
	.eh_host_reset_handler = cdfront_eh_host_reset,
	.cmd_size = sizeof(struct cdfront_cmd),
	.this_id = -1,
	.cmd_per_lun = 4,
	.can_queue = CDFRONT_MAX_IDS - CDFRONT_RESERVED_IDS,
	.sg_tablesize = SG_ALL,
	.max_sectors = CDFRONT_MAX_BYTES / SECTOR_SIZE,
};

/* --- media events --- */

/* What the block layer sends when it finds the event by polling; udev and desktops listen to it. */
static int cdfront_disk_event(struct device *dev, void *event)
{
	char *envp[2] = { event };

	if (dev->class && !strcmp(dev->class->name, "block"))
		kobject_uevent_env(&dev->kobj, KOBJ_CHANGE, envp);
	return 0;
}

static void cdfront_medium_changed(struct scsi_device *sdev)
{
	sdev_evt_send_simple(sdev, SDEV_EVT_MEDIA_CHANGE, GFP_KERNEL);
	device_for_each_child(&sdev->sdev_gendev, "DISK_MEDIA_CHANGE=1", cdfront_disk_event);
}

static unsigned int cdfront_counter(struct cdfront *info, const char *name)
{
	char node[64];

	snprintf(node, sizeof(node), "vscsi-devs/%s/%s", info->unit, name);
	return xenbus_read_unsigned(info->dev->otherend, node, 0);
}

/* The counters of the backend's unit: each step is an event (xenstore-schemas/optical). */
static void cdfront_media(struct cdfront *info, bool tell)
{
	unsigned int changes = cdfront_counter(info, "media-changes");
	unsigned int ejects = cdfront_counter(info, "eject-requests");
	struct scsi_device *sdev = tell ? scsi_device_lookup(info->host, 0, 0, 0) : NULL;

	if (sdev && changes != info->media_changes)
		cdfront_medium_changed(sdev);
	if (sdev && ejects != info->eject_requests)
		device_for_each_child(&sdev->sdev_gendev, "DISK_EJECT_REQUEST=1",
				      cdfront_disk_event);
	if (sdev)
		scsi_device_put(sdev);
	info->media_changes = changes;
	info->eject_requests = ejects;
}

/* --- watches --- */

/* However many events there are: the work looks at what is there when it runs. */
static bool cdfront_node_wanted(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct cdfront *info = container_of(watch, struct cdfront, node_watch);

	return !work_pending(&info->work);
}

static void cdfront_node_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	cdfront_queue_work(container_of(watch, struct cdfront, node_watch));
}

static bool cdfront_units_wanted(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct cdfront *info = container_of(watch, struct cdfront, units_watch);

	return !work_pending(&info->work);
}

static void cdfront_units_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	cdfront_queue_work(container_of(watch, struct cdfront, units_watch));
}

static void cdfront_unwatch(struct xenbus_watch *watch)
{
	if (!watch->node)
		return;
	unregister_xenbus_watch(watch);
	kfree(watch->node);
	watch->node = NULL;
}

static void cdfront_watch_units(struct cdfront *info)
{
	cdfront_unwatch(&info->units_watch);
	if (!xenbus_read_unsigned(info->dev->otherend, "feature-media-events", 0))
		return;
	xenbus_watch_pathfmt(info->dev, &info->units_watch, cdfront_units_wanted,
			     cdfront_units_changed, "%s/%s", info->dev->otherend, "vscsi-devs");
}

/* --- connection --- */

static int cdfront_setup_event(struct cdfront *info)
{
	int err = xenbus_alloc_evtchn(info->dev, &info->evtchn);

	if (err)
		return err;
	err = bind_evtchn_to_irq_lateeoi(info->evtchn);
	if (err <= 0) {
		xenbus_dev_fatal(info->dev, err, "bind_evtchn_to_irq");
		xenbus_free_evtchn(info->dev, info->evtchn);
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
	return cdfront_setup_event(info);
}

/* The backend is gone or is to go: nothing of the connection is used again. */
static void cdfront_free_ring(struct cdfront *info)
{
	struct cdfront_page *p, *n;
	unsigned int i;

	if (info->irq)
		unbind_from_irqhandler(info->irq, info);
	info->irq = 0;
	info->evtchn = 0;
	if (info->ring.sring)
		xenbus_teardown_ring((void **)&info->ring.sring, info->ring_pages, info->ring_refs);

	spin_lock_irq(&info->lock);
	info->epoch++;
	for (i = 0; i < CDFRONT_MAX_IDS; i++)
		if (info->shadows[i].kind == CDFRONT_LOST)
			cdfront_id_put(info, i);
	list_for_each_entry_safe(p, n, &info->pool, list) {
		list_del(&p->list);
		cdfront_page_free(p);
	}
	info->pool_free = 0;
	info->pool_pages = 0;
	spin_unlock_irq(&info->lock);
}

static int cdfront_publish_refs(struct cdfront *info, struct xenbus_transaction xbt)
{
	const char *node = info->dev->nodename;
	unsigned int i;
	char name[16];
	int err;

	/* What an earlier connection wrote must not be read with this one. */
	err = xenbus_printf(xbt, node, "ring-page-order", "%u", ilog2(info->ring_pages));
	if (!err && info->ring_pages == 1)
		return xenbus_printf(xbt, node, "ring-ref", "%u", info->ring_refs[0]);
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
	unsigned int most = clamp_t(unsigned int, max_ring_pages, 1, CDFRONT_RING_PAGES);

	info->ring_pages = min_t(unsigned int, 1u << min(order, 2u), rounddown_pow_of_two(most));
	info->sg_grant = min_t(unsigned int, xenbus_read_unsigned(other, "feature-sg-grant", 0),
			       CDFRONT_MAX_SEGMENTS);
	info->max_bytes = max_t(unsigned int, info->sg_grant, VSCSIIF_SG_TABLESIZE) * XEN_PAGE_SIZE;
	if (transfer >= XEN_PAGE_SIZE)
		info->max_bytes = min_t(unsigned int, info->max_bytes,
					round_down(transfer, SECTOR_SIZE));
}

static void cdfront_connect(struct cdfront *info)
{
	int err;

	cdfront_negotiate(info);
	err = cdfront_setup_ring(info);
	if (!err)
		err = cdfront_publish(info);
	if (err)
		cdfront_free_ring(info);
	else
		xenbus_switch_state(info->dev, XenbusStateInitialised);
}

static void cdfront_unit_state(struct cdfront *info, const char *dir, enum xenbus_state state)
{
	char path[64];

	snprintf(path, sizeof(path), "vscsi-devs/%.15s/state", dir);
	xenbus_printf(XBT_NIL, info->dev->nodename, path, "%d", state);
}

/* What the backend says of an entry of vscsi-devs, if it is our logical unit. */
static enum xenbus_state cdfront_unit_read(struct cdfront *info, const char *dir)
{
	unsigned int host, channel, target, lun;
	char node[64];

	if (strlen(dir) >= CDFRONT_UNIT_NAME)
		return XenbusStateUnknown;
	snprintf(node, sizeof(node), "vscsi-devs/%.15s/v-dev", dir);
	if (xenbus_scanf(XBT_NIL, info->dev->otherend, node, "%u:%u:%u:%u", &host, &channel,
			 &target, &lun) != 4 || channel || target || lun)
		return XenbusStateUnknown;
	snprintf(node, sizeof(node), "vscsi-devs/%.15s/state", dir);
	return xenbus_read_unsigned(info->dev->otherend, node, XenbusStateUnknown);
}

/* The limits of another backend, for a drive that is there already. */
static void cdfront_limits(struct cdfront *info, struct scsi_device *sdev)
{
	struct queue_limits limits = queue_limits_start_update(sdev->request_queue);

	limits.max_hw_sectors = info->max_bytes / SECTOR_SIZE;
	if (queue_limits_commit_update(sdev->request_queue, &limits))
		dev_warn(&info->dev->dev, "the drive's limits are not taken\n");
}

/* The logical unit is there: with the mid-layer as well. */
static void cdfront_unit_add(struct cdfront *info, const char *dir)
{
	struct scsi_device *sdev = scsi_device_lookup(info->host, 0, 0, 0);
	bool known = sdev && !strcmp(info->unit, dir);

	strscpy(info->unit, dir, sizeof(info->unit));
	if (!known)
		cdfront_media(info, false);
	if (!sdev && scsi_add_device(info->host, 0, 0, 0)) {
		dev_err(&info->dev->dev, "the drive cannot be added\n");
		cdfront_unit_state(info, dir, XenbusStateClosed);
		return;
	}
	cdfront_unit_state(info, dir, XenbusStateConnected);
	if (sdev)
		scsi_device_put(sdev);
}

static void cdfront_unit_remove(struct cdfront *info)
{
	struct scsi_device *sdev = scsi_device_lookup(info->host, 0, 0, 0);

	if (!sdev)
		return;
	scsi_remove_device(sdev);
	scsi_device_put(sdev);
}

static void cdfront_units(struct cdfront *info)
{
	const char *here = NULL, *leaves = NULL;
	unsigned int count, i;
	char **dirs;

	dirs = xenbus_directory(XBT_NIL, info->dev->otherend, "vscsi-devs", &count);
	if (IS_ERR(dirs))
		return;
	for (i = 0; i < min_t(unsigned int, count, CDFRONT_MAX_UNIT_NODES); i++) {
		enum xenbus_state state = cdfront_unit_read(info, dirs[i]);

		if (state == XenbusStateInitialised || state == XenbusStateConnected)
			here = dirs[i];
		else if (state == XenbusStateClosing)
			leaves = dirs[i];
	}
	if (!here || leaves)
		cdfront_unit_remove(info);
	if (leaves)
		cdfront_unit_state(info, leaves, XenbusStateClosed);
	if (here)
		cdfront_unit_add(info, here);
	kfree(dirs);
}

/* Another connection serves a drive that programs may have open. */
static void cdfront_resumed(struct cdfront *info)
{
	struct scsi_device *sdev;

	info->resumed = false;
	sdev = scsi_device_lookup(info->host, 0, 0, 0);
	if (!sdev)
		return;
	cdfront_limits(info, sdev);
	cdfront_medium_changed(sdev);
	scsi_device_put(sdev);
}

static int cdfront_add_host(struct cdfront *info)
{
	int err;

	info->host->max_sectors = info->max_bytes / SECTOR_SIZE;
	info->host->can_queue = info->ids - CDFRONT_RESERVED_IDS;
	err = scsi_add_host(info->host, &info->dev->dev);
	if (err)
		xenbus_dev_fatal(info->dev, err, "scsi_add_host");
	info->added = !err;
	return err;
}

static void cdfront_connected(struct cdfront *info)
{
	bool waited;

	if (info->dev->state == XenbusStateInitialised) {
		spin_lock_irq(&info->lock);
		waited = info->state == CDFRONT_WAITING;
		if (waited || info->state == CDFRONT_ABSENT)
			info->state = CDFRONT_CONNECTED;
		info->attention = info->resumed;
		spin_unlock_irq(&info->lock);
		if (!info->added && cdfront_add_host(info))
			return;
		cancel_delayed_work(&info->deadline);
		/* What waited for the ring goes on. */
		if (waited)
			scsi_unblock_requests(info->host);
		if (info->resumed)
			cdfront_resumed(info);
		cdfront_watch_units(info);
	}
	if (!info->added)
		return;
	xenbus_switch_state(info->dev, XenbusStateConnected);
	cdfront_units(info);
}

/*
 * The device goes away for good. While the backend serves, the mid-layer's last
 * commands to the drive are carried out.
 */
static void cdfront_disconnect(struct cdfront *info, bool served)
{
	if (info->closed)
		return;
	info->closed = true;
	cancel_delayed_work(&info->deadline);
	if (!served) {
		spin_lock_irq(&info->lock);
		cdfront_end_all(info, CDFRONT_GONE, DID_NO_CONNECT);
		spin_unlock_irq(&info->lock);
		scsi_unblock_requests(info->host);
	}
	if (info->added)
		scsi_remove_host(info->host);
	info->added = false;
	spin_lock_irq(&info->lock);
	cdfront_end_all(info, CDFRONT_GONE, DID_NO_CONNECT);
	spin_unlock_irq(&info->lock);
}

static bool cdfront_serving(struct cdfront *info)
{
	return READ_ONCE(info->state) == CDFRONT_CONNECTED;
}

/* Goes on from what xenstore says now. */
static void cdfront_step(struct cdfront *info, enum xenbus_state backend)
{
	switch (backend) {
	case XenbusStateInitWait:
		if (info->dev->state == XenbusStateInitialising && !info->ring.sring)
			cdfront_connect(info);
		break;
	case XenbusStateConnected:
		if (info->ring.sring)
			cdfront_connected(info);
		break;
	case XenbusStateReconfiguring:
		if (info->added && cdfront_serving(info)) {
			cdfront_units(info);
			xenbus_switch_state(info->dev, XenbusStateReconfiguring);
		}
		break;
	case XenbusStateReconfigured:
		if (info->added && cdfront_serving(info)) {
			cdfront_units(info);
			xenbus_switch_state(info->dev, XenbusStateConnected);
		}
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		/* One that never connected is that of the connection before. */
		if (!info->ring.sring)
			break;
		cdfront_disconnect(info, backend == XenbusStateClosing && cdfront_serving(info));
		xenbus_frontend_closed(info->dev);
		break;
	default:
		break;
	}
}

static void cdfront_work(struct work_struct *work)
{
	struct cdfront *info = container_of(work, struct cdfront, work);

	if (info->closed)
		return;
	/* A guest that was restored where nobody gave it the device. */
	if (!xenbus_exists(XBT_NIL, info->dev->nodename, "backend")) {
		dev_warn(&info->dev->dev, "the device is gone\n");
		cdfront_disconnect(info, false);
		return;
	}
	if (READ_ONCE(info->state) == CDFRONT_BROKEN) {
		xenbus_dev_error(info->dev, -EPROTO, "the backend %s", info->why);
		cdfront_disconnect(info, false);
		xenbus_frontend_closed(info->dev);
		return;
	}
	/* The other end could not be read when the guest was resumed. */
	if (!info->dev->otherend)
		return;
	cdfront_step(info, READ_ONCE(info->backend_state));
	if (info->added && info->units_watch.node && cdfront_serving(info))
		cdfront_media(info, true);
}

static void cdfront_deadline(struct work_struct *work)
{
	struct cdfront *info = container_of(to_delayed_work(work), struct cdfront, deadline);
	bool absent;

	spin_lock_irq(&info->lock);
	absent = info->state == CDFRONT_WAITING;
	if (absent)
		info->state = CDFRONT_ABSENT;
	spin_unlock_irq(&info->lock);
	if (!absent)
		return;
	dev_warn(&info->dev->dev, "no backend has come: commands to the drive fail\n");
	scsi_unblock_requests(info->host);
}

static void cdfront_backend_changed(struct xenbus_device *dev, enum xenbus_state state)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);

	WRITE_ONCE(info->backend_state, state);
	cdfront_queue_work(info);
}

static int cdfront_probe(struct xenbus_device *dev, const struct xenbus_device_id *id)
{
	struct Scsi_Host *host;
	struct cdfront *info;
	unsigned int i;
	int err;

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
	INIT_DELAYED_WORK(&info->deadline, cdfront_deadline);
	INIT_WORK(&info->work, cdfront_work);
	init_waitqueue_head(&info->wait);
	for (i = 0; i < CDFRONT_MAX_IDS; i++)
		INIT_LIST_HEAD(&info->shadows[i].pages);
	host->max_id = 1;
	host->max_lun = 1;
	host->max_channel = 0;
	host->max_cmd_len = VSCSIIF_MAX_COMMAND_SIZE;
	dev_set_drvdata(&dev->dev, info);
	err = xenbus_watch_pathfmt(dev, &info->node_watch, cdfront_node_wanted,
				   cdfront_node_changed, "%s/backend", dev->nodename);
	if (err) {
		dev_set_drvdata(&dev->dev, NULL);
		scsi_host_put(host);
		return err;
	}
	/* An earlier driver of this device has closed it. */
	xenbus_switch_state(dev, XenbusStateInitialising);
	return 0;
}

static void cdfront_leaving(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct cdfront *info = container_of(watch, struct cdfront, node_watch);

	WRITE_ONCE(info->backend_state,
		   xenbus_read_unsigned(info->dev->otherend, "state", XenbusStateUnknown));
	wake_up_all(&info->wait);
}

static bool cdfront_left(struct cdfront *info)
{
	enum xenbus_state state = READ_ONCE(info->backend_state);

	return state == XenbusStateClosed || state == XenbusStateUnknown;
}

/*
 * The driver is unloaded while the backend serves: that lets go of our pages
 * first. The bus does not tell of its state any more.
 */
static void cdfront_leave(struct cdfront *info)
{
	xenbus_switch_state(info->dev, XenbusStateClosed);
	if (!xenbus_watch_pathfmt(info->dev, &info->node_watch, NULL, cdfront_leaving, "%s/state",
				  info->dev->otherend))
		wait_event_timeout(info->wait, cdfront_left(info), CDFRONT_CLOSE_TIMEOUT);
	cdfront_unwatch(&info->node_watch);
}

static void cdfront_remove(struct xenbus_device *dev)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);
	bool served = xenbus_exists(XBT_NIL, dev->nodename, "backend") && cdfront_serving(info);

	cdfront_unwatch(&info->node_watch);
	cdfront_unwatch(&info->units_watch);
	if (!served) {
		/* Before the work is waited for: it may wait for the drive. */
		spin_lock_irq(&info->lock);
		cdfront_end_all(info, CDFRONT_GONE, DID_NO_CONNECT);
		spin_unlock_irq(&info->lock);
	}
	cancel_work_sync(&info->work);
	cdfront_disconnect(info, served);
	if (served)
		cdfront_leave(info);
	cancel_work_sync(&info->work);
	cancel_delayed_work_sync(&info->deadline);
	cdfront_free_ring(info);
	cancel_delayed_work_sync(&info->shrink);
	dev_set_drvdata(&dev->dev, NULL);
	scsi_host_put(info->host);
}

/*
 * The guest runs again, here or elsewhere: a new ring to a new backend. The
 * mid-layer has let commands end before; those of its error handler may be left.
 */
static int cdfront_resume(struct xenbus_device *dev)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);

	if (info->closed)
		return 0;
	scsi_block_requests(info->host);
	cdfront_unwatch(&info->units_watch);
	spin_lock_irq(&info->lock);
	cdfront_end_all(info, CDFRONT_WAITING, DID_RESET);
	spin_unlock_irq(&info->lock);
	cdfront_free_ring(info);
	info->resumed = info->added;
	WRITE_ONCE(info->backend_state, XenbusStateUnknown);
	xenbus_switch_state(dev, XenbusStateInitialising);
	queue_delayed_work(system_freezable_wq, &info->deadline, CDFRONT_RESUME_TIMEOUT);
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
