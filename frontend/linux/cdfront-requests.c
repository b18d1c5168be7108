// SPDX-License-Identifier: GPL-2.0-or-later
/* What the SCSI mid-layer asks: requests on the ring, their pages, responses, error handling. */
#include "cdfront.h"

/* A drive that reads a damaged disc may need five minutes until it gives up. */
static unsigned int eh_timeout = 360;
module_param(eh_timeout, uint, 0644);
MODULE_PARM_DESC(eh_timeout, "Seconds that the backend has for an abort or reset");

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
		shadow->kind = kind;
		return i;
	}
	return -EBUSY;
}

void cdfront_id_put(struct cdfront *info, unsigned int id)
{
	struct cdfront_shadow *shadow = &info->shadows[id];

	lockdep_assert_held(&info->lock);
	cdfront_pages_put(info, &shadow->data);
	cdfront_pages_put(info, &shadow->list);
	shadow->sc = NULL;
	shadow->kind = CDFRONT_FREE;
	if (info->pool_free > CDFRONT_POOL_IDLE)
		queue_delayed_work(system_freezable_wq, &info->shrink, CDFRONT_SHRINK_AFTER);
}

/* Copies between the command's pages and the pool's; a part lies in one page of each. */
static void cdfront_copy(struct cdfront_shadow *shadow, unsigned int bytes, bool to_pool)
{
	struct cdfront_page *p = shadow->data.first;
	unsigned int offset = 0, part, i;
	struct scatterlist *sg;

	scsi_for_each_sg(shadow->sc, sg, scsi_sg_count(shadow->sc), i) {
		unsigned int left = min(sg->length, bytes);
		unsigned int at = sg->offset;

		for (bytes -= left; left; left -= part) {
			unsigned long pfn = page_to_pfn(sg_page(sg)) + (at >> PAGE_SHIFT);
			struct page *page = pfn_to_page(pfn);
			void *pool = p->data + offset;

			part = min_t(unsigned int, left, PAGE_SIZE - offset_in_page(at));
			part = min_t(unsigned int, part, XEN_PAGE_SIZE - offset);
			if (to_pool)
				memcpy_from_page(pool, page, offset_in_page(at), part);
			else
				memcpy_to_page(page, offset_in_page(at), pool, part);
			at += part;
			offset += part;
			if (offset == XEN_PAGE_SIZE) {
				p = p->next;
				offset = 0;
			}
		}
	}
}

static void cdfront_fill_segments(struct cdfront_shadow *shadow,
				  struct scsiif_request_segment *seg)
{
	struct cdfront_page *p;
	unsigned int left = shadow->length;

	for (p = shadow->data.first; p; p = p->next) {
		unsigned int part = min_t(unsigned int, left, XEN_PAGE_SIZE);

		seg->gref = p->gref;
		seg->offset = 0;
		seg->length = part;
		left -= part;
		seg++;
	}
}

/* Pages for the data and, with many segments, for the list of them. */
static int cdfront_get_pages(struct cdfront *info, struct cdfront_shadow *shadow)
{
	unsigned int pages;

	shadow->length = scsi_bufflen(shadow->sc);
	/* More than a backend takes that came after another; its own limits were told since. */
	if (shadow->length > info->max_bytes)
		return -EINVAL;
	pages = DIV_ROUND_UP(shadow->length, XEN_PAGE_SIZE);
	if (pages && !cdfront_pages_get(info, &shadow->data, pages))
		return -EBUSY;
	if (pages > VSCSIIF_SG_TABLESIZE && !cdfront_pages_get(info, &shadow->list, 1))
		return -EBUSY;
	return 0;
}

static void cdfront_fill_data(struct cdfront_shadow *shadow, struct vscsiif_request *req)
{
	unsigned int pages = DIV_ROUND_UP(shadow->length, XEN_PAGE_SIZE);

	if (!pages)
		return;
	if (!shadow->list.first) {
		cdfront_fill_segments(shadow, req->seg);
		req->nr_segments = pages;
		return;
	}
	cdfront_fill_segments(shadow, shadow->list.first->data);
	req->seg[0].gref = shadow->list.first->gref;
	req->seg[0].offset = 0;
	req->seg[0].length = pages * sizeof(struct scsiif_request_segment);
	req->nr_segments = VSCSIIF_SG_GRANT | 1;
}

/* The next place in the ring, whose fields before the segments are 0. It is written, never read. */
static struct vscsiif_request *cdfront_place(struct cdfront *info, const struct scsi_device *sdev)
{
	struct vscsiif_request *req = RING_GET_REQUEST(&info->ring, info->ring.req_prod_pvt);

	lockdep_assert_held(&info->lock);
	memset(req, 0, offsetof(struct vscsiif_request, seg));
	req->channel = sdev->channel;
	req->id = sdev->id;
	req->lun = sdev->lun;
	return req;
}

/*
 * RING_PUSH_REQUESTS_AND_CHECK_NOTIFY for one request. Which of the channels the backend
 * listens to follows from the request that it asked to be told of.
 */
static void cdfront_push(struct cdfront *info)
{
	struct vscsiif_sring *sring = info->ring.sring;
	RING_IDX prod, event;
	unsigned int channel;

	lockdep_assert_held(&info->lock);
	prod = ++info->ring.req_prod_pvt;
	virt_wmb(); /* The backend sees the request before the index, */
	WRITE_ONCE(sring->req_prod, prod);
	virt_mb(); /* and the index before we see what it asked for. */
	event = READ_ONCE(sring->req_event);
	if (event != prod)
		return;
	channel = event % info->channels;
	if (channel)
		notify_remote_via_evtchn(info->evtchns[channel]);
	else
		notify_remote_via_irq(info->irq);
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
static int cdfront_prepare(struct cdfront *info, struct scsi_cmnd *sc, unsigned int *id)
{
	int err;

	lockdep_assert_held(&info->lock);
	if (info->state == CDFRONT_WAITING)
		return -EBUSY;
	if (info->state != CDFRONT_CONNECTED) {
		sc->result = DID_NO_CONNECT << 16;
		return 1;
	}
	if (cdfront_attention(info, sc))
		return 1;
	err = cdfront_id_get(info, CDFRONT_PREPARING);
	if (err < 0)
		return err;
	*id = err;
	info->shadows[*id].sc = sc;
	err = cdfront_get_pages(info, &info->shadows[*id]);
	if (!err)
		return 0;
	cdfront_id_put(info, *id);
	if (err == -EBUSY)
		return err;
	sc->result = DID_ERROR << 16;
	return 1;
}

/* Data for the drive, copied without the lock; -EBUSY: the backend went meanwhile. */
static int cdfront_copy_out(struct cdfront *info, unsigned int id, unsigned long *flags)
	__releases(&info->lock) __acquires(&info->lock)
{
	unsigned int epoch = info->epoch;

	spin_unlock_irqrestore(&info->lock, *flags);
	cdfront_copy(&info->shadows[id], info->shadows[id].length, true);
	spin_lock_irqsave(&info->lock, *flags);
	if (info->state == CDFRONT_CONNECTED && info->epoch == epoch)
		return 0;
	cdfront_id_put(info, id);
	return -EBUSY;
}

static void cdfront_send(struct cdfront *info, struct scsi_cmnd *sc, unsigned int id)
{
	struct vscsiif_request *req = cdfront_place(info, sc->device);
	unsigned int length = min_t(unsigned int, sc->cmd_len, VSCSIIF_MAX_COMMAND_SIZE);

	req->act = VSCSIIF_ACT_SCSI_CDB;
	req->rqid = id;
	req->cmd_len = length;
	memcpy(req->cmnd, sc->cmnd, length);
	req->sc_data_direction = sc->sc_data_direction;
	req->timeout_per_command = min_t(unsigned int, scsi_cmd_to_rq(sc)->timeout / HZ, U16_MAX);
	cdfront_fill_data(&info->shadows[id], req);
	info->shadows[id].kind = CDFRONT_COMMAND;
	cdfront_push(info);
}

static enum scsi_qc_status cdfront_queuecommand(struct Scsi_Host *host, struct scsi_cmnd *sc)
{
	struct cdfront *info = shost_priv(host);
	struct cdfront_cmd *cmd = scsi_cmd_priv(sc);
	unsigned long flags;
	unsigned int id;
	int err;

	cmd->id = 0;
	spin_lock_irqsave(&info->lock, flags);
	err = cdfront_prepare(info, sc, &id);
	if (!err && sc->sc_data_direction == DMA_TO_DEVICE)
		err = cdfront_copy_out(info, id, &flags);
	if (!err) {
		cmd->id = id + 1;
		cdfront_send(info, sc, id);
	}
	spin_unlock_irqrestore(&info->lock, flags);
	if (err == -EBUSY)
		return SCSI_MLQUEUE_HOST_BUSY;
	if (err)
		scsi_done(sc);
	return 0;
}

/* --- responses --- */

void cdfront_end_all(struct cdfront *info, enum cdfront_state state, int result)
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

/* What is to be copied for it. */
static unsigned int cdfront_data_in(const struct cdfront_shadow *shadow,
				    const struct vscsiif_response *rsp)
{
	if (shadow->kind != CDFRONT_COMMAND || shadow->sc->sc_data_direction != DMA_FROM_DEVICE)
		return 0;
	return shadow->length - min_t(unsigned int, rsp->residual_len, shadow->length);
}

/* The thread releases the lock, and lets interrupts in, while data are copied. */
static void cdfront_copy_in(struct cdfront *info, struct cdfront_shadow *shadow,
			    unsigned int bytes, bool in_thread)
{
	lockdep_assert_held(&info->lock);
	if (!in_thread) {
		cdfront_copy(shadow, bytes, false);
		return;
	}
	shadow->kind = CDFRONT_ENDING;
	spin_unlock_irq(&info->lock);
	cdfront_copy(shadow, bytes, false);
	spin_lock_irq(&info->lock);
}

static void cdfront_end_command(struct cdfront *info, unsigned int id,
				const struct vscsiif_response *rsp, bool in_thread)
{
	struct cdfront_shadow *shadow = &info->shadows[id];
	struct scsi_cmnd *sc = shadow->sc;
	unsigned int bytes = cdfront_data_in(shadow, rsp);
	unsigned int sense = min3((unsigned int)rsp->sense_len,
				  (unsigned int)VSCSIIF_SENSE_BUFFERSIZE,
				  (unsigned int)SCSI_SENSE_BUFFERSIZE);

	if (rsp->residual_len > shadow->length || rsp->sense_len > VSCSIIF_SENSE_BUFFERSIZE)
		dev_warn_ratelimited(&info->dev->dev,
				     "the backend leaves %u of %u bytes, with %u of sense\n",
				     rsp->residual_len, shadow->length, rsp->sense_len);
	if (bytes)
		cdfront_copy_in(info, shadow, bytes, in_thread);
	sc->result = cdfront_result(rsp->rslt);
	scsi_set_resid(sc, min_t(unsigned int, rsp->residual_len, shadow->length));
	memcpy(sc->sense_buffer, rsp->sense_buffer, sense);
	((struct cdfront_cmd *)scsi_cmd_priv(sc))->id = 0;
	cdfront_id_put(info, id);
	scsi_done(sc);
}

/* One response, copied from the ring. False: it cannot be. */
static bool cdfront_take(struct cdfront *info, const struct vscsiif_response *rsp, bool in_thread)
{
	unsigned int id = rsp->rqid;
	struct cdfront_shadow *shadow;

	if (id >= info->ids)
		return false;
	shadow = &info->shadows[id];
	if (shadow->kind == CDFRONT_COMMAND) {
		cdfront_end_command(info, id, rsp, in_thread);
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

/* What one event brought; so much of it is taken that others of the processor have their turn. */
struct cdfront_turn {
	bool in_thread;			/* or in the interrupt itself */
	bool any;			/* there was a response */
	bool left;			/* there is one, for the thread's next turn */
	unsigned int responses, bytes;	/* taken and copied */
};

/* Whether the response can be taken in this turn. */
static bool cdfront_is_short(struct cdfront *info, const struct vscsiif_response *rsp,
			     const struct cdfront_turn *turn)
{
	if (turn->responses == CDFRONT_MAX_IDS)
		return false;
	if (turn->in_thread || rsp->rqid >= info->ids)
		return true;
	return cdfront_data_in(&info->shadows[rsp->rqid], rsp) <= CDFRONT_IRQ_BYTES - turn->bytes;
}

/* What is in the ring up to its producer index; whether anything was taken. */
static bool cdfront_batch(struct cdfront *info, struct cdfront_turn *turn)
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
		turn->left = !cdfront_is_short(info, &rsp, turn);
		if (turn->left)
			break;
		info->ring.rsp_cons++;
		any = true;
		turn->responses++;
		if (!turn->in_thread && rsp.rqid < info->ids)
			turn->bytes += cdfront_data_in(&info->shadows[rsp.rqid], &rsp);
		if (!cdfront_take(info, &rsp, turn->in_thread))
			cdfront_break(info, "answered a request that was not made");
	}
	return any;
}

static void cdfront_responses(struct cdfront *info, struct cdfront_turn *turn)
{
	unsigned int empty = 0;
	int more = 0;

	do {
		/* An honest backend's index says more only where there is. */
		if (cdfront_batch(info, turn)) {
			turn->any = true;
			empty = 0;
		} else if (empty++ > CDFRONT_MAX_IDS) {
			cdfront_break(info, "moves its index to and fro");
			break;
		}
		if (info->state != CDFRONT_CONNECTED || turn->left)
			break;
		RING_FINAL_CHECK_FOR_RESPONSES(&info->ring, more);
	} while (more);
}

/* The kernel serves such events ever later; someone may wonder why the drive is slow. */
static void cdfront_idle_event(struct cdfront *info)
{
	if (++info->idle_events == CDFRONT_IDLE_EVENTS)
		dev_warn_ratelimited(&info->dev->dev, "the backend sends events without a response\n");
}

/* With the lock held. Whether the channel may be heard again, and how it was used. */
static bool cdfront_heard(struct cdfront *info, struct cdfront_turn *turn, unsigned int *eoi)
{
	lockdep_assert_held(&info->lock);
	*eoi = XEN_EOI_FLAG_SPURIOUS;
	if (info->state == CDFRONT_CONNECTED) {
		cdfront_responses(info, turn);
		if (turn->any) {
			info->idle_events = 0;
			*eoi = 0;
		} else if (!turn->left && info->state == CDFRONT_CONNECTED) {
			cdfront_idle_event(info);
		}
	}
	/* No EOI: the channel of a rogue backend stays masked. */
	return info->state != CDFRONT_BROKEN;
}

irqreturn_t cdfront_irq(int irq, void *arg)
{
	struct cdfront_turn turn = { .in_thread = false };
	struct cdfront *info = arg;
	unsigned int eoi = 0;
	bool on = true;

	spin_lock(&info->lock);
	/* The thread has the ring until it is through. */
	if (!info->threaded) {
		on = cdfront_heard(info, &turn, &eoi);
		info->threaded = on && turn.left;
	}
	if (info->threaded) {
		spin_unlock(&info->lock);
		return IRQ_WAKE_THREAD;
	}
	spin_unlock(&info->lock);
	if (on)
		xen_irq_lateeoi(irq, eoi);
	return IRQ_HANDLED;
}

irqreturn_t cdfront_irq_thread(int irq, void *arg)
{
	struct cdfront_turn turn = { .in_thread = true };
	struct cdfront *info = arg;
	unsigned int eoi;
	bool on;

	do {
		turn.responses = 0;
		turn.left = false;
		/* The mid-layer ends commands in a softirq: here, not in a thread more. */
		local_bh_disable();
		spin_lock_irq(&info->lock);
		on = cdfront_heard(info, &turn, &eoi);
		info->threaded = on && turn.left;
		spin_unlock_irq(&info->lock);
		local_bh_enable();
		cond_resched();
	} while (on && turn.left);
	if (on)
		xen_irq_lateeoi(irq, eoi);
	return IRQ_HANDLED;
}

/* --- error handling --- */

/* Sends ABORT or RESET. Its id, -ENOENT: the command has ended, -EIO: there is nobody to ask. */
static int cdfront_send_management(struct cdfront *info, struct scsi_cmnd *sc, u8 act)
{
	struct cdfront_cmd *cmd = scsi_cmd_priv(sc);
	struct vscsiif_request *req;
	unsigned int i;
	int id;

	lockdep_assert_held(&info->lock);
	/* One whose data are being copied has not ended. */
	for (i = 0; i < info->ids; i++)
		if (info->shadows[i].kind == CDFRONT_PREPARING && info->shadows[i].sc == sc)
			return -EIO;
	if (act == VSCSIIF_ACT_SCSI_ABORT && !cmd->id)
		return -ENOENT;
	if (info->state != CDFRONT_CONNECTED)
		return -EIO;
	id = cdfront_id_get(info, CDFRONT_MANAGEMENT);
	if (id < 0)
		return -EIO;
	req = cdfront_place(info, sc->device);
	req->act = act;
	req->rqid = id;
	req->ref_rqid = cmd->id ? cmd->id - 1 : 0;
	req->sc_data_direction = DMA_NONE;
	for (i = 0; i < info->ids && act == VSCSIIF_ACT_SCSI_RESET; i++)
		info->shadows[i].before_reset = info->shadows[i].kind == CDFRONT_COMMAND;
	cdfront_push(info);
	return id;
}

/*
 * Responses of commands come before that to their ABORT or RESET: the mid-layer
 * uses their pages for something else then, after a RESET those of every command.
 */
static bool cdfront_unanswered(struct cdfront *info, struct scsi_cmnd *sc, u8 act)
{
	struct cdfront_cmd *cmd = scsi_cmd_priv(sc);
	unsigned int i;

	lockdep_assert_held(&info->lock);
	if (act == VSCSIIF_ACT_SCSI_ABORT)
		return cmd->id && info->shadows[cmd->id - 1].kind == CDFRONT_COMMAND;
	for (i = 0; i < info->ids; i++)
		if (info->shadows[i].kind == CDFRONT_COMMAND && info->shadows[i].before_reset)
			return true;
	return false;
}

/* What came of it; the commands that were to end have. */
static int cdfront_end_management(struct cdfront *info, struct scsi_cmnd *sc, u8 act,
				  unsigned int id)
{
	struct cdfront_shadow *shadow = &info->shadows[id];
	int result = FAILED;

	lockdep_assert_held(&info->lock);
	if (shadow->done) {
		result = shadow->result;
		cdfront_id_put(info, id);
	} else {
		shadow->abandoned = true;
	}
	if (result == SUCCESS && cdfront_unanswered(info, sc, act))
		cdfront_break(info, act == VSCSIIF_ACT_SCSI_ABORT ?
			      "answered an abort before the command" :
			      "answered a reset before the commands");
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
		result = cdfront_end_management(info, sc, act, id);
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

/*
 * A rogue or absent backend does not answer: what it has is taken from it. One
 * that does is not at fault: somebody asked for the reset (SG_SCSI_RESET).
 */
static int cdfront_eh_host_reset(struct scsi_cmnd *sc)
{
	struct cdfront *info = shost_priv(sc->device->host);
	unsigned int irq;

	if (cdfront_eh_reset(sc) == SUCCESS)
		return SUCCESS;
	spin_lock_irq(&info->lock);
	irq = info->irq;
	cdfront_break(info, "does not answer, and not to a reset");
	spin_unlock_irq(&info->lock);
	if (irq)
		synchronize_irq(irq);
	return SUCCESS;
}

static ssize_t pool_pages_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct cdfront *info = shost_priv(class_to_shost(dev));

	return sysfs_emit(buf, "%u\n", READ_ONCE(info->pool_pages));
}
static DEVICE_ATTR_RO(pool_pages);

static struct attribute *cdfront_host_attrs[] = {
	&dev_attr_pool_pages.attr,
	NULL
};
ATTRIBUTE_GROUPS(cdfront_host);

struct scsi_host_template cdfront_template = {
	.module = THIS_MODULE,
	.name = "Xen optical drive",
	.proc_name = "xen-cdfront",
	.shost_groups = cdfront_host_groups,
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
