/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The drive link: the only interface between a process that faces a guest
 * (the client: ring, ioemu) and the process of a drive (the server).
 *
 * A SOCK_SEQPACKET pair carries messages of fixed size, a memfd arena of
 * `slots` times `slot_size` bytes the data. A command is named by (slot, tag);
 * tags of one link only grow and are never used twice.
 *
 * Exactly once: the server keeps the reply of a slot until the slot comes
 * with a higher tag, which is its acknowledgement. The same (slot, tag) again
 * is answered from the kept reply, or ignored while the command runs. A lower
 * tag is stale and dropped. Whichever side was restarted, the client sends
 * every command again whose reply it has not got: a restarted server asks for
 * that with HELLO, a restarted client does it by itself.
 *
 * Both sides treat every field as hostile: xo_link_receive() validates.
 */
#ifndef XO_BASE_LINK_H
#define XO_BASE_LINK_H

#include <stddef.h>
#include <stdint.h>

#define XO_LINK_VERSION 1
#define XO_LINK_SLOTS_MAX 64
#define XO_LINK_SLOT_SIZE_MAX (1u << 20)
#define XO_CDB_MAX 16
#define XO_SENSE_MAX 96

/* Direction of data, seen from the guest. */
enum xo_direction {
	XO_DIR_NONE = 0,
	XO_DIR_IN = 1, /* drive to guest */
	XO_DIR_OUT = 2, /* guest to drive */
};

enum xo_link_type {
	XO_LINK_HELLO = 1, /* both ways, first after (re)start of the sender */
	XO_LINK_REQUEST, /* client to server */
	XO_LINK_REPLY, /* server to client */
	XO_LINK_NOTICE, /* server to client */
};

/* What a request asks for. Every kind uses a slot and a tag of its own and gets one reply. */
enum xo_link_kind {
	XO_LINK_COMMAND = 1, /* a packet command */
	XO_LINK_ABORT, /* give up (target_slot, target_tag); replied to after the target's own reply */
	XO_LINK_RESET, /* logical unit reset: queued commands of this link are aborted first */
};

/* How the transport fared, apart from the SCSI status. */
enum xo_transport {
	XO_TRANSPORT_OK = 0, /* status, sense and residual are the drive's */
	XO_TRANSPORT_NO_CONNECT = 1, /* there is no drive (any more) */
	XO_TRANSPORT_BUSY = 2, /* not accepted now; nothing reached the drive */
	XO_TRANSPORT_TIMEOUT = 3, /* the command ran into its time-out */
	XO_TRANSPORT_ABORTED = 5, /* given up before it reached the drive */
	XO_TRANSPORT_ERROR = 7, /* the request was malformed, or the host's stack failed */
	XO_TRANSPORT_RESET = 8, /* ended by a reset */
};

enum xo_notice {
	XO_NOTICE_MEDIUM_CHANGED = 1, /* a new medium may be in the drive */
	XO_NOTICE_EJECT_REQUEST, /* somebody pressed the button */
	XO_NOTICE_MEDIUM_REMOVED,
	XO_NOTICE_LEASE_HELD, /* this link has the drive now */
	XO_NOTICE_LEASE_LOST, /* somebody else has it, or it drains */
	XO_NOTICE_DRIVE_GONE,
	XO_NOTICE_DRIVE_BACK,
};

struct xo_link_hello {
	uint32_t type; /* XO_LINK_HELLO */
	uint32_t version;
	uint32_t max_transfer; /* from the server: bytes the drive takes in one command */
	uint32_t flags; /* 0 */
};

struct xo_link_request {
	uint32_t type; /* XO_LINK_REQUEST */
	uint8_t kind; /* enum xo_link_kind */
	uint8_t direction;
	uint8_t cdb_length; /* 6 to XO_CDB_MAX for a command, else 0 */
	uint8_t slot;
	uint64_t tag; /* > 0 */
	uint32_t
		length; /* bytes at the start of the slot, up to slot_size; 0 exactly when XO_DIR_NONE */
	uint32_t timeout; /* s; 0: as opcodes.def says. The server takes the longer of both */
	uint64_t target_tag; /* ABORT */
	uint32_t target_slot; /* ABORT */
	uint32_t reserved; /* 0 */
	uint8_t cdb[XO_CDB_MAX];
};

struct xo_link_reply {
	uint32_t type; /* XO_LINK_REPLY */
	uint8_t status; /* SAM status; meaningful with XO_TRANSPORT_OK */
	uint8_t transport;
	uint8_t sense_length; /* 0 to XO_SENSE_MAX */
	uint8_t slot;
	uint64_t tag;
	uint32_t residual; /* bytes of `length` not transferred */
	uint32_t reserved;
	uint8_t sense[XO_SENSE_MAX];
};

struct xo_link_notice {
	uint32_t type; /* XO_LINK_NOTICE */
	uint32_t notice; /* enum xo_notice */
	uint32_t argument;
	uint32_t reserved;
};

union xo_link_message {
	uint32_t type;
	struct xo_link_hello hello;
	struct xo_link_request request;
	struct xo_link_reply reply;
	struct xo_link_notice notice;
};

/* One end of a link, as a process has it. Owns the descriptors and the mapping. */
struct xo_link {
	int fd; /* SEQPACKET, non-blocking */
	int arena_fd;
	uint8_t *arena;
	uint32_t slots; /* 1 to XO_LINK_SLOTS_MAX */
	uint32_t slot_size; /* multiple of the page size, up to XO_LINK_SLOT_SIZE_MAX */
};

/*
 * Makes both ends and the arena (launcher, tests). fds[0] is the client's,
 * fds[1] the server's end; the arena is sealed against shrinking and growing.
 */
int xo_link_create(uint32_t slots, uint32_t slot_size, int fds[2], int *arena_fd);

/* Takes over both descriptors and maps the arena, whose size is checked against the geometry. */
int xo_link_open(struct xo_link *link, int fd, int arena_fd, uint32_t slots, uint32_t slot_size);
void xo_link_close(struct xo_link *link);

/* Where the data of `slot` starts. slot < link->slots is the caller's duty (receive checks it). */
static inline uint8_t *xo_link_data(const struct xo_link *link, unsigned int slot)
{
	return link->arena + (size_t)slot * link->slot_size;
}

/* 0, -EAGAIN when the peer does not read (wait for POLLOUT), -EPIPE when it is gone. */
int xo_link_send(const struct xo_link *link, const union xo_link_message *message);

/*
 * The next message. 1: there is one, and every field is in the range given
 * above. 0: none now. -EPIPE: the peer is gone. -EPROTO: the peer broke the
 * protocol (it was said in the log); the caller closes the link.
 */
int xo_link_receive(const struct xo_link *link, union xo_link_message *message);

/* The check that xo_link_receive makes, for tests and fuzzers. 0 or -EPROTO. */
int xo_link_validate(const union xo_link_message *message, size_t size, uint32_t slots,
		     uint32_t slot_size);

#endif
