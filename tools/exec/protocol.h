/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program under `xenoptic-guest exec` says to the process that owns the
 * ring: SOCK_SEQPACKET connections to a socket in a private folder.
 *
 * There are two kinds of connection. A *file* is an open of the device: the
 * program holds it as the descriptor that open() gave it, hands it to dup and
 * fork like any other, and the server keeps what a kernel would keep in the
 * open file. A *channel* carries one command at a time with a buffer in shared
 * memory; it belongs to one thread of one process, never to two, so that
 * answers cannot be mixed up after a fork. A request on a channel names its
 * file by number: the client's end is bound by the kernel to a name of five
 * hexadecimal digits ("autobind", unix(7)), which both sides can ask for, also
 * after exec, without a table.
 *
 * Both ends are the same version of the same package and the same user.
 */
#ifndef XO_EXEC_PROTOCOL_H
#define XO_EXEC_PROTOCOL_H

#include <stdint.h>

#include "base/link.h"

#define XO_EXEC_VERSION 1

/* The environment that tells the preloaded library where to go. */
#define XO_EXEC_ENV_DIR "XENOPTIC_EXEC_DIR" /* the folder, with the socket and files in it */
#define XO_EXEC_ENV_DEVICE "XENOPTIC_EXEC_DEVICE" /* the path to stand in for: /dev/sr0 */
#define XO_EXEC_SOCKET "socket" /* in the folder */
#define XO_EXEC_ROOT "root" /* in the folder: files shown in place of those of /proc and /sys */

enum xo_exec_type {
	XO_EXEC_OPEN = 1, /* makes this connection a file; value: open(2) flags */
	XO_EXEC_CHANNEL, /* makes this connection a channel; the reply brings the buffer's memfd */
	XO_EXEC_COMMAND, /* on a channel: a packet command */
	XO_EXEC_GET, /* on a channel: reads a register of a file */
	XO_EXEC_SET, /* on a channel: writes it */
};

/* What the kernel would keep for an open file. */
enum xo_exec_register {
	XO_EXEC_FLAGS, /* open(2) flags */
	XO_EXEC_OFFSET, /* file position */
	XO_EXEC_SG_TIMEOUT, /* SG_SET_TIMEOUT, in ticks of 1/100 s */
	XO_EXEC_SG_RESERVED, /* SG_SET_RESERVED_SIZE, bytes */
	XO_EXEC_REGISTERS,
};

struct xo_exec_request {
	uint32_t version; /* XO_EXEC_VERSION */
	uint32_t type; /* enum xo_exec_type */
	uint32_t file; /* number of the file */
	uint32_t reg; /* enum xo_exec_register */
	uint64_t value;
	uint32_t length; /* bytes of data at the start of the buffer */
	uint32_t timeout; /* ms; 0: as long as the command's kind needs */
	uint8_t direction; /* enum xo_direction */
	uint8_t cdb_length;
	uint8_t reserved[6];
	uint8_t cdb[XO_CDB_MAX];
};

struct xo_exec_reply {
	int32_t error; /* 0, or an errno: the command was not tried */
	uint8_t status; /* SAM status */
	uint8_t transport; /* enum xo_transport */
	uint8_t sense_length;
	uint8_t reserved;
	uint32_t residual;
	uint32_t duration; /* ms */
	uint64_t value; /* GET: the register; CHANNEL: size of the buffer, the largest transfer */
	uint8_t sense[XO_SENSE_MAX];
};

#endif
