/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One packet command on its way from an emulated ATAPI device to the drive
 * and back: direction and length from the CDB, parts where it is longer than
 * a buffer, the residual, and the sense that is kept for REQUEST SENSE. IDE
 * and AHCI share it; how the bytes reach guest memory is theirs.
 */
#ifndef XO_MODEL_PACKET_H
#define XO_MODEL_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"
#include "mmc/cdb.h"

struct xo_packet;

struct xo_packet_result {
	uint8_t status;
	uint8_t transport; /* enum xo_transport */
	uint8_t sense_length;
	uint32_t residual;
	uint8_t sense[XO_SENSE_MAX];
};

/*
 * The way to the drive. A handle names a buffer of `buffer_size` bytes and the
 * command that uses it. Buffers are a fixed few.
 */
struct xo_packet_drive_ops {
	/* A free handle (0 to 63), or -EBUSY: all are with the drive. */
	int (*begin)(void *priv);
	/* Where the data of a handle lie: `buffer_size` bytes. */
	uint8_t *(*buffer)(void *priv, int handle);
	/*
	 * Sends the command; its data are at the start of the buffer. The answer comes
	 * later through xo_packet_complete(), never from within.
	 */
	void (*submit)(void *priv, int handle, const uint8_t cdb[XO_CDB_MAX], uint8_t cdb_length,
		       uint8_t direction, uint32_t length);
	/* The device has no more use for it. Still with the drive: its answer is dropped when it comes. */
	void (*end)(void *priv, int handle);
};

struct xo_packet_drive {
	const struct xo_packet_drive_ops *ops;
	void *priv;
	uint32_t buffer_size;
};

enum xo_packet_phase {
	XO_PACKET_IDLE = 0,
	XO_PACKET_DATA_OUT, /* waits for `part_length` bytes from the guest in the buffer */
	XO_PACKET_DRIVE, /* with the drive */
	XO_PACKET_DATA_IN, /* `part_length` bytes for the guest are in the buffer */
	XO_PACKET_DONE, /* status and sense are final */
};

/* Flat: survives a restart. */
struct xo_packet_state {
	uint8_t cdb[XO_CDB_MAX];
	uint8_t phase;
	uint8_t direction;
	uint8_t status; /* SAM status, valid in XO_PACKET_DONE */
	uint8_t sense_length;
	int32_t handle; /* -1: none */
	uint32_t length; /* of the whole command */
	uint32_t part_start; /* bytes of parts that are finished */
	uint32_t part_length; /* bytes of this part to move now */
	uint8_t sense[XO_SENSE_MAX];
	uint8_t kept_sense_length; /* for REQUEST SENSE */
	uint8_t kept_sense[XO_SENSE_MAX];
	uint8_t last; /* no part follows this one */
	uint8_t local; /* answered here, not by the drive */
	uint8_t guest_named; /* what the guest's buffer is: `guest` */
	uint8_t attention; /* a UNIT ATTENTION is due: the medium may be another (xo_packet_attend) */
	uint8_t unused[3];
	struct xo_guest_buffer guest;
	struct xo_blocks blocks; /* what the guest told the drive about block sizes */
};

struct xo_packet {
	struct xo_packet_state *state;
	struct xo_packet_drive drive;
	/* The phase changed: go on (move data, end the command). `priv` is the device. */
	void (*advance)(void *priv);
	void *priv;
};

void xo_packet_init(struct xo_packet *packet, struct xo_packet_state *state,
		    const struct xo_packet_drive *drive, void (*advance)(void *priv), void *priv,
		    bool again);

/*
 * A new command: 12 bytes of CDB, and the guest's buffer where the controller
 * knows it (NULL: PIO). Calls advance() unless it is with the drive.
 */
void xo_packet_start(struct xo_packet *packet, const uint8_t cdb[12],
		     const struct xo_guest_buffer *guest);
/*
 * After a restart: the command that the ledger says is with the drive is
 * submitted again (the link drops what is a duplicate).
 */
void xo_packet_resume(struct xo_packet *packet);

/* In XO_PACKET_DATA_OUT and _DATA_IN: where the bytes go or lie. */
uint8_t *xo_packet_buffer(struct xo_packet *packet);
/* The bytes were moved: go on to the drive, the next part, or the end. */
void xo_packet_moved(struct xo_packet *packet);
/* Guest memory failed: ends with ABORTED COMMAND; nothing (more) reaches the drive. */
void xo_packet_fail(struct xo_packet *packet);

/* The drive's answer for `handle`; one that nobody waits for is ignored. */
void xo_packet_complete(struct xo_packet *packet, int handle,
			const struct xo_packet_result *result);

/*
 * The machine stops under it (save, migration): a command under way ends with a
 * NOT READY that drivers retry, and nothing moves afterwards.
 */
void xo_packet_abort(struct xo_packet *packet);
/* The buffers' contents are gone, and the drive has none of it: a command under way ends, there is no medium. */
void xo_packet_lose(struct xo_packet *packet);
/* After a restore: the next command that may learn of it is told that the medium may have changed. */
void xo_packet_attend(struct xo_packet *packet);
/* Whether a state that somebody else saved can be gone on with: idle, and in every range. */
bool xo_packet_state_valid(const struct xo_packet_state *state);

/* A reset: forgets the command; the drive finishes by itself. */
void xo_packet_cancel(struct xo_packet *packet);

/* Sense key of the final status (0: GOOD). */
uint8_t xo_packet_sense_key(const struct xo_packet *packet);

#endif
