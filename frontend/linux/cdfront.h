/* SPDX-License-Identifier: GPL-2.0-or-later */
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
 * the interrupt, or by its thread where there is much to copy; everything that
 * xenstore asks for is done by one work item, which alone may wait for the
 * drive; error handlers wait for the backend at most eh_timeout. The work is
 * freezable: while the guest is suspended and resumed it does not run.
 */

#ifndef CDFRONT_H
#define CDFRONT_H

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

#include <asm/xen/hypercall.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>
#include <xen/interface/event_channel.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/io/protocols.h>
#include <xen/interface/io/ring.h>
#include <xen/interface/io/vscsiif.h>

#define CDFRONT_RING_PAGES	4
#define CDFRONT_CHANNELS	8
#define CDFRONT_MAX_IDS		64
/* What an interrupt copies itself, ten microseconds or two; more is left to its thread. */
#define CDFRONT_IRQ_BYTES	(128 * 1024)
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
/* Events in a row that bring no response. An honest backend's come before the next response. */
#define CDFRONT_IDLE_EVENTS	8
#define CDFRONT_MAX_UNIT_NODES	8
#define CDFRONT_UNIT_NAME	16

/* Opcodes of MMC that scsi_proto.h does not have. */
#define CDFRONT_GET_CONFIGURATION	0x46
#define CDFRONT_GET_EVENT_STATUS	0x4a

/* A page of the pool, granted to the backend for as long as it exists. */
struct cdfront_page {
	struct cdfront_page *next;
	void *data;
	struct page *page;
	grant_ref_t gref;
	unsigned int epoch;		/* the connection that it was granted for */
	unsigned long used;		/* jiffies when it was taken from the pool */
};

/* A chain of them. */
struct cdfront_pages {
	struct cdfront_page *first;	/* NULL: none */
	struct cdfront_page *last;
	unsigned int count;
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
	struct cdfront_pages data;	/* in order */
	struct cdfront_pages list;	/* one page: the segments of an indirect request */
	unsigned int length;
	bool before_reset;		/* a command that was sent before the last RESET */
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
	evtchn_port_t evtchns[CDFRONT_CHANNELS];
	unsigned int channels;		/* so many of them */
	unsigned int irq;		/* of the first, which the backend rings */
	bool threaded;			/* the interrupt's thread has the ring */
	unsigned int idle_events;	/* since the last response */
	unsigned int ids;
	struct cdfront_shadow shadows[CDFRONT_MAX_IDS];

	struct cdfront_page *pool;
	unsigned int pool_free;
	unsigned int pool_pages;
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

	unsigned int max_channels;
	unsigned int sg_grant;		/* segments that a request may have indirectly */
	unsigned int max_bytes;
	bool added;			/* the host was given to the mid-layer */
	bool resumed;			/* the connection that is made replaces another */
	bool closed;			/* for good */
};

static inline void cdfront_queue_work(struct cdfront *info)
{
	queue_work(system_freezable_wq, &info->work);
}

/* cdfront-pool.c; with the lock held, but for the work. */

/* At least one; false: not now, and no chain. */
bool cdfront_pages_get(struct cdfront *info, struct cdfront_pages *pages, unsigned int count);
/* Pages of an earlier connection are let go of instead. Nothing, if there is no chain. */
void cdfront_pages_put(struct cdfront *info, struct cdfront_pages *pages);
/* The connection is over, and its pages are not used again. */
void cdfront_pool_end(struct cdfront *info);
/* Gives back what was not used for long. */
void cdfront_shrink(struct work_struct *work);

/* cdfront-requests.c: commands on their way to the backend and back. */

extern struct scsi_host_template cdfront_template;

/* The request is over: its pages go back to the pool. With the lock held. */
void cdfront_id_put(struct cdfront *info, unsigned int id);
/*
 * Ends every command in flight. Their pages are not used again: the backend may
 * still write to them. With the lock held.
 */
void cdfront_end_all(struct cdfront *info, enum cdfront_state state, int result);
/* The event channel's interrupt, and its thread. */
irqreturn_t cdfront_irq(int irq, void *arg);
irqreturn_t cdfront_irq_thread(int irq, void *arg);

#endif
