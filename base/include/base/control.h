/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel between launcher and worker: one JSON object a packet
 * in the manner of QMP, with descriptors beside it where a command hands some
 * over.
 *
 *	{"execute": "NAME", "arguments": {…}, "id": N}	launcher to worker
 *	{"return": {…}, "id": N}			worker to launcher
 *	{"error": {"class": "…", "desc": "…"}, "id": N}
 *	{"event": "NAME", "data": {…}}			worker to launcher; "ready" after the sandbox is entered
 */
#ifndef XO_BASE_CONTROL_H
#define XO_BASE_CONTROL_H

#include <jansson.h>
#include <stddef.h>

#define XO_CONTROL_PACKET_MAX 16384
#define XO_CONTROL_FDS_MAX 8

/* Both ends, SOCK_SEQPACKET, close on exec, non-blocking. */
int xo_control_pair(int fds[2]);

/* Sends `message` (borrowed) and a copy of the descriptors. 0, -EAGAIN, -EPIPE, -EMSGSIZE. */
int xo_control_send(int fd, const json_t *message, const int *fds, size_t count);

/*
 * The next packet: 1 with *message owned by the caller and *count descriptors
 * in fds (room for XO_CONTROL_FDS_MAX; close on exec; the caller's), 0 when there
 * is none now, -EPIPE at the end, -EPROTO for what is no JSON object.
 */
int xo_control_receive(int fd, json_t **message, int *fds, size_t *count);

/* Shorthands for a worker; `id` as it came (borrowed; may be NULL); `data` is consumed. */
int xo_control_return(int fd, const json_t *id, json_t *data);
int xo_control_error(int fd, const json_t *id, const char *error_class, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int xo_control_event(int fd, const char *event, json_t *data);

#endif
