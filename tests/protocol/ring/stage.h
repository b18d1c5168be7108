/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stage for the real xenoptic-ring: this process is its launcher, its
 * frontend (domain 1 of the loopback) and, unless a real one is put there, its
 * drives. The worker is started again whenever it dies, as the launcher does.
 */
#ifndef XO_TESTS_STAGE_H
#define XO_TESTS_STAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "base/ledger.h"
#include "ring_ledger.h"

#define STAGE_DOMID 1
#define STAGE_DATA_PAGES 512
#define STAGE_LUNS 3
#define STAGE_SLOT_SIZE XO_RING_LINK_SLOT_SIZE

struct stage_lun {
	bool used;
	int fds[2]; /* client, server */
	int arena_fd;
	struct xo_link server; /* over fds[1] */
	bool silent; /* the drive neither reads nor answers */
	struct {
		uint64_t tag;
		bool done;
		union xo_link_message request;
		union xo_link_message reply;
	} slots[XO_LINK_SLOTS_MAX];
	unsigned int executed, repeated, resets, aborts, hellos;
	uint64_t written;
};

struct stage {
	/* the frontend */
	xengntshr_handle *gntshr;
	xenevtchn_handle *evtchn;
	evtchn_port_t ports[XO_RING_CHANNELS_MAX];
	unsigned int channels; /* so many of them */
	unsigned int ring_pages;
	struct vscsiif_sring *sring;
	struct vscsiif_front_ring front;
	uint32_t ring_refs[XO_RING_PAGES_MAX];
	uint8_t *data;
	uint32_t refs[STAGE_DATA_PAGES];
	/* the launcher */
	int ledger_fd;
	pid_t pid;
	int pidfd;
	int control[2]; /* ours, the worker's */
	const char *kills; /* XENOPTIC_KILL */
	const char *program; /* below the build folder */
	const char *extra; /* one more argument for the worker */
	int lend_fd; /* the drive that every worker is lent for LUN 0; -1: none */
	uint32_t kill_seed; /* not 0: SIGKILL at one of four calls of stage_maybe_kill */
	bool killed; /* by that */
	unsigned int deaths;
	bool ready;
	bool hung_up; /* nothing more comes by the control channel */
	bool ended; /* it exited by itself */
	int status;
	json_t *reply; /* the last return or error, owned */
	char error[256]; /* the last "error" event's message */
	char lun_lost[64];
	/* the drives */
	struct stage_lun luns[STAGE_LUNS];
	bool own_drives; /* answer the links here */
};

/* A ring of that many pages, LUNs 0:0:0 … 0:N-1:0; the worker is not started yet. */
struct stage *stage_new(unsigned int ring_pages, unsigned int luns);
/* Before the worker is started: that many event channels, each rung when it is expected to be. */
void stage_add_channels(struct stage *stage, unsigned int channels);
void stage_free(struct stage *stage); /* ends the worker by force */
void stage_start(struct stage *stage); /* and waits for "ready" or "error" or its end */

/* One turn of everything but the frontend's ring: waits for something to happen. False: 20 s passed. */
bool stage_pump(struct stage *stage);

/* The frontend; as in ring_rig.h. Offsets are pages of `data`. */
struct vscsiif_request *stage_request(struct stage *stage);
struct vscsiif_request *stage_command(struct stage *stage, uint16_t rqid, const uint8_t *cdb,
				      uint8_t cdb_length, uint8_t direction, unsigned int page,
				      uint32_t length);
void stage_push(struct stage *stage);
/* Pumps until there is a response. False: the worker ended, or nothing came. */
bool stage_response(struct stage *stage, struct vscsiif_response *response);

void stage_maybe_kill(struct stage *stage);

/* A control command; pumps until it is answered. The reply is in stage->reply. */
bool stage_execute(struct stage *stage, const char *name, json_t *arguments, const int *fds,
		   size_t fd_count);
/* Makes LUN `i`'s link (for "add-lun" later, or before the start). */
void stage_make_lun(struct stage *stage, unsigned int i);

uint8_t stage_pattern(uint32_t offset);

#endif
