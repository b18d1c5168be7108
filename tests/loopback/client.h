/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to the loopback's hypervisor, as each stand-in library handle has one. After
 * lb_connect only sendmsg, recvmsg, mmap, munmap and close are used, so that it goes on working in a
 * worker's seccomp filter.
 */
#ifndef XO_LOOPBACK_CLIENT_H
#define XO_LOOPBACK_CLIENT_H

#include <stddef.h>

#include "proto.h"

#pragma GCC visibility push(hidden)

struct lb_conn {
	int fd;
	uint32_t domid;
	uint32_t slot; /* of our own domain */
	uint32_t handle; /* event channels */
	int event_fd; /* event channels, guests; the owner closes it */
	struct lb_shared *shared;
};

/* The domain this process runs in: $XENOPTIC_LOOPBACK_DOMID or 0. */
uint32_t lb_own_domid(void);

/* Connects as kind; flags are open(2)'s, of which O_CLOEXEC counts. 0 or a negative errno. */
int lb_connect(struct lb_conn *conn, enum lb_kind kind, int flags);
int lb_connect_as(struct lb_conn *conn, enum lb_kind kind, int flags, uint32_t domid);
void lb_disconnect(struct lb_conn *conn);

/*
 * Sends msg with len bytes after it, and receives the reply into msg and at most size bytes after
 * it, with at most nfds descriptors (the rest of fds is -1). Returns msg->result or, when there is
 * no hypervisor any more, -EIO.
 */
int lb_call(struct lb_conn *conn, struct lb_msg *msg, const void *out, size_t len, void *in,
	    size_t size, int *fds, unsigned int nfds);

/* As lb_call, sending descriptor fd along. */
int lb_call_fd(struct lb_conn *conn, struct lb_msg *msg, int fd, int *fds, unsigned int nfds);

/* A call with up to three arguments and nothing else. */
int lb_call3(struct lb_conn *conn, enum lb_op op, uint64_t a0, uint64_t a1, uint64_t a2);

/* Sets errno from a negative errno, and returns -1; otherwise returns r. */
int lb_errno(int r);

/*
 * What libxentoolcore (Debian's own: there is no hypervisor in it) keeps of each handle. Its header
 * is not installed; the structure ends with two list pointers.
 */
struct Xentoolcore__Active_Handle {
	int (*restrict_callback)(struct Xentoolcore__Active_Handle *ah, uint16_t domid);
	void *entry[4];
};

#pragma GCC visibility pop

void xentoolcore__register_active_handle(struct Xentoolcore__Active_Handle *ah);
void xentoolcore__deregister_active_handle(struct Xentoolcore__Active_Handle *ah);
int xentoolcore__restrict_by_dup2_null(int fd);

#define lb_container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#endif
