/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A paravirtual SCSI frontend in userspace: connects to the backend of one of
 * this guest's own devices (device/vscsi/N, device/vcd/N) over gntalloc, event
 * channels and xenstore, and carries packet commands to its logical units.
 *
 * The wire is vscsiif.h, the handshake xen-scsifront's; the class vcd has a ring
 * of several pages, larger transfers, and events, as far as the backend offers. Nothing of the backend
 * is trusted: responses are copied, their ids, counts and lengths checked, and
 * a backend that breaks the protocol loses the connection, not the program.
 *
 * One thread uses a front at a time. Commands are asynchronous; everything
 * that the front does by itself it does in xo_front_step(), which never waits.
 */
#ifndef XO_FRONTEND_FRONTEND_H
#define XO_FRONTEND_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/link.h" /* enum xo_direction, enum xo_transport, XO_CDB_MAX, XO_SENSE_MAX */

#define XO_FRONT_UNITS_MAX 8
/* Of the ring's 16 requests, 64 in four pages, two are kept for aborts and resets. */
#define XO_FRONT_SLOTS_MAX 62
#define XO_FRONT_SLOT_SIZE_MAX (512u << 10)
#define XO_FRONT_ERROR_MAX 512

struct xo_front;

/* What a backend of the class vcd tells without being asked. */
enum xo_front_event {
	XO_FRONT_MEDIUM_CHANGED, /* it may be another, or none */
	XO_FRONT_EJECT_REQUESTED, /* by the drive's button, or by the host */
};

/* Which device, and how much memory it may use. */
struct xo_front_options {
	const char *type; /* device class: "vscsi" or "vcd" */
	unsigned int devid;
	unsigned int
		slots; /* commands in flight: 1 to XO_FRONT_SLOTS_MAX, or what the ring has; 0: 4 */
	uint32_t
		slot_size; /* bytes of data a command may have, if the backend allows; 0: 128 KiB */
	bool reconnect; /* connect again by itself when the backend comes back */
	/* NULL: not wanted. Called from xo_front_step(); `unit` is an index into xo_front_units(). */
	void (*event)(void *priv, unsigned int unit, enum xo_front_event event);
	void *priv; /* for `event` */
};

enum xo_front_state {
	XO_FRONT_CONNECTING,
	XO_FRONT_CONNECTED,
	XO_FRONT_CLOSING,
	XO_FRONT_CLOSED, /* the backend is away; with `reconnect` it may come back */
	XO_FRONT_BROKEN, /* the backend broke the protocol: xo_front_error() says how */
};

/* A logical unit of the device. */
struct xo_front_unit {
	unsigned int number; /* N of vscsi-devs/dev-N */
	uint16_t channel, id, lun;
	bool ready; /* the backend serves it */
	char drive[128]; /* the backend's name for it, for people */
	char error[XO_FRONT_ERROR_MAX]; /* why it is not ready, as far as the backend said */
	uint32_t media_changes, eject_requests; /* the backend's counters of events */
};

/* One command: a slot with its pages. Taken, filled, submitted, completed, given back or used again. */
struct xo_front_command {
	/* in */
	uint8_t cdb[XO_CDB_MAX];
	uint8_t cdb_length; /* 6 to XO_CDB_MAX */
	uint8_t direction; /* enum xo_direction */
	uint32_t
		length; /* bytes at `data`, up to xo_front_max_transfer(); 0 exactly when XO_DIR_NONE */
	uint32_t timeout; /* s; 0: as mmc/opcodes.def says. The longer of both is taken */
	unsigned int unit; /* index into xo_front_units() */
	void (*done)(
		struct xo_front_command *command); /* may take, give and submit; must not step */
	void *priv;
	/* out; what XO_TRANSPORT_OK lets mean something */
	uint8_t status; /* SAM */
	uint8_t transport; /* enum xo_transport */
	uint8_t sense_length;
	uint8_t sense[XO_SENSE_MAX];
	uint32_t residual; /* of length */
	/* the front's: pages shared with the backend, which may write them while the command is in flight */
	uint8_t *data;
};

/*
 * Opens xenstore, looks for the device and begins to connect. On failure *error
 * (caller frees) says what was wrong with what, if there was memory for it:
 * -ENODEV no such device; -EBUSY a kernel driver or another program has it;
 * -EACCES, -ENXIO no access to xenstore, gntalloc or event channels.
 */
int xo_front_new(struct xo_front **front, const struct xo_front_options *options, char **error);

/* Disconnects, without waiting for the backend beyond 5 s, and frees. Accepts NULL. */
void xo_front_free(struct xo_front *front);

/* Readable when xo_front_step() has something to do. */
int xo_front_fd(const struct xo_front *front);

/* Goes on with whatever can go on: handshake, responses, time-outs. 0, or -errno when the front is lost. */
int xo_front_step(struct xo_front *front);

/* Waits until there is something to do, at most `ms` milliseconds. */
void xo_front_sleep(const struct xo_front *front, unsigned int ms);

enum xo_front_state xo_front_state(const struct xo_front *front);

/* Steps until connected with at least one unit ready: 0; -ETIMEDOUT, -EPROTO, -ENXIO: xo_front_error(). */
int xo_front_wait(struct xo_front *front, unsigned int seconds);

/* What went wrong last, for people: names the device and what to do. Never NULL. */
const char *xo_front_error(const struct xo_front *front);

/* The device's units; they may change in xo_front_step(). */
const struct xo_front_unit *xo_front_units(const struct xo_front *front, unsigned int *count);
/* Bytes that one command may transfer on this connection. */
uint32_t xo_front_max_transfer(const struct xo_front *front);

/* A free slot with everything but `data` zeroed, or NULL when all are in use or nothing is connected. */
struct xo_front_command *xo_front_take(struct xo_front *front);
/* Gives a slot back that is not in flight. Accepts NULL. */
void xo_front_give(struct xo_front_command *command);

/*
 * Sends a command; `done` is called from xo_front_step(), exactly once. 0, or -errno without
 * `done`: -EINVAL (fields), -ENOTCONN, -EBUSY (in flight already).
 */
int xo_front_submit(struct xo_front_command *command);

/* Asks the backend to give up a command in flight; its `done` comes with whatever became of it. */
int xo_front_abort(struct xo_front_command *command);

/* Logical unit reset: ends what is in flight on the unit. Not waited for. */
int xo_front_reset(struct xo_front *front, unsigned int unit);

/* Submits, and steps until `done`: for programs that do one thing at a time. Overwrites `done` and `priv`. */
int xo_front_run(struct xo_front_command *command);

/* A device as xenstore has it. */
struct xo_front_device {
	char type[16];
	unsigned int devid;
	unsigned int backend_id;
	unsigned int state, backend_state; /* xenbus states */
	bool kernel; /* a driver of the kernel has it */
	char backend[256]; /* path */
	char drive[128]; /* of the first unit */
	char error[XO_FRONT_ERROR_MAX];
};

/*
 * This guest's devices of all types that the front knows, up to `room`. Their
 * number, or -errno with *error as xo_front_new.
 */
int xo_front_list(struct xo_front_device *devices, unsigned int room, char **error);

/* A xenbus state's name: "connected". */
const char *xo_front_state_name(unsigned int state);

#endif
