/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live view of a drive's packet commands, for a client of the control socket. */
#ifndef XO_BACKEND_TRACE_H
#define XO_BACKEND_TRACE_H

#include "drives.h"
#include "server.h"

struct xo_trace;

/*
 * The client of `request` gets an event COMMAND {"drive": …, "line": …} for each command of the drive
 * from now on, also of the drive's next processes, in the place of who watched it before. Answers the request.
 */
void xo_trace_begin(struct xo_drive *drive, struct xo_request *request);

/* A process of the drive was started. */
void xo_trace_started(struct xo_drive *drive);

/* Nobody watches any more. */
void xo_trace_end(struct xo_drive *drive);

#endif
