/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What older kernels have otherwise. xen-cdfront is written for the current
 * one and does not include this: Kbuild puts it before its files.
 */
#ifndef CDFRONT_COMPAT_H
#define CDFRONT_COMPAT_H

#include <linux/blkdev.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
/* queuecommand returned an int, with which an enum of a negative value is compatible. */
enum scsi_qc_status { CDFRONT_QC_IS_INT = -1 };
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
static inline struct queue_limits queue_limits_start_update(struct request_queue *q)
{
	return q->limits;
}

static inline int queue_limits_commit_update(struct request_queue *q, struct queue_limits *limits)
{
	blk_queue_max_hw_sectors(q, limits->max_hw_sectors);
	return 0;
}
#endif

#endif
