/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process around the ring's core: its Xen handles, its loop, its control channel. */
#ifndef XO_BACKEND_RING_WORKER_H
#define XO_BACKEND_RING_WORKER_H

#include <jansson.h>

#include "base/ledger.h"
#include "base/loop.h"
#include "base/runner.h"
#include "ring.h"
#include "ring_channels.h"
#include "ring_grants.h"

/* A LUN as the command line names it. */
struct xo_lun_option {
	uint16_t channel, id, lun;
	uint32_t number;
	int fd, arena_fd;
	uint32_t slots, slot_size;
};

struct xo_ring_options {
	uint16_t domid;
	uint32_t devid;
	const char *name;
	bool vcd;
	uint32_t refs[XO_RING_PAGES_MAX];
	unsigned int pages;
	uint32_t ports[XO_RING_CHANNELS_MAX]; /* the frontend's */
	unsigned int channels;
	unsigned int sg_grant;
	bool persistent_grants, media_events;
	const char *user;
	bool verbose;
	struct xo_lun_option luns[XO_RING_LUNS_MAX];
	unsigned int lun_count;
};

/* 0, or -EINVAL with a message in *error. */
int xo_ring_options_parse(struct xo_ring_options *options, int argc, char **argv,
			  const char **error);
/* "C:T:L" of a unit, for messages and the control channel. */
#define XO_LUN_TEXT_MAX 24
void xo_lun_text(char text[XO_LUN_TEXT_MAX], uint16_t channel, uint16_t id, uint16_t lun);
bool xo_lun_parse(const char *text, uint16_t *channel, uint16_t *id, uint16_t *lun);

struct xo_ring_worker;

/* What the worker keeps beside the core's LUN, at the same index. */
struct xo_worker_lun {
	struct xo_ring_worker *worker;
	struct xo_ring_lun *lun;
	struct xo_watch watch;
	json_t *removal; /* id of the "remove-lun" that is answered when the unit is idle */
	bool removing;
};

/* A command on its way by a drive that is lent to us; one runs at a time. */
struct xo_direct_job {
	struct xo_ring_lun *lun;
	struct xo_ring_entry *entry;
	int result;
};

struct xo_ring_worker {
	struct xo_ring_options options;
	struct xo_loop *loop;
	struct xo_runner runner;
	struct xo_direct_job job;
	struct xo_ledger ledger;
	struct xo_grants grants;
	struct xo_ring ring;
	struct xo_worker_lun luns[XO_RING_LUNS_MAX];
	struct xo_channels channels;
	int waited; /* the port that the thread which waited for an event has */
	struct xo_watch event_watch;
	struct xo_runner_event event;
	struct xo_watch control_watch;
	struct xo_timer unmask_timer; /* a storm's end */
	struct xo_timer sweep_timer; /* persistent grants that are not used any more */
	struct xo_timer more_timer; /* the ring had more than one turn's worth */
	unsigned int spurious; /* events in a row that brought nothing */
	bool unasked; /* an event came, and is masked until the ring was asked for more */
	bool unread; /* and is still to be read */
	bool sandboxed;
	bool broken_told;
	bool disconnecting, forced;
	json_t *disconnect_id;
};

/* ring_control.c */
void xo_ring_control_ready(struct xo_watch *watch, uint32_t events);
void xo_ring_control_error(const char *message);
void xo_ring_control_lun_lost(const struct xo_ring_lun *lun, const char *message);
void xo_ring_control_media(const struct xo_ring_lun *lun, const char *what);
/* Answers "remove-lun" and "disconnect" whose time has come. */
void xo_ring_control_settle(struct xo_ring_worker *worker);

/* ring_main.c */
struct xo_ring_lun *xo_worker_add_lun(struct xo_ring_worker *worker,
				      const struct xo_lun_option *option, int *error);
void xo_worker_drop_lun(struct xo_ring_worker *worker, struct xo_ring_lun *lun);
/* The owner of the loop: unmaps, closes, answers "disconnect", and ends the process. */
_Noreturn void xo_ring_worker_end(struct xo_ring_worker *worker, int status);

#endif
