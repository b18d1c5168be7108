/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the launcher and xenoptic-domctl (base/control.h, at XO_FD_CONTROL):
 *	{"event": "held", "data": {"domain": DOMID}}	it is paused until it is released, 30 s at most
 *	{"event": "released", "data": {"domain": DOMID}}	… not any more
 *	{"execute": "release", "arguments": {"domain": DOMID}}	its nodes are there, or none will be
 */
#ifndef XO_BASE_DOMCTL_CONTROL_H
#define XO_BASE_DOMCTL_CONTROL_H

#define XO_DOMCTL_EVENT_HELD "held"
#define XO_DOMCTL_EVENT_RELEASED "released"
#define XO_DOMCTL_RELEASE "release"
#define XO_DOMCTL_PATH_MAX 4096
#define XO_DOMCTL_HOLD_SECONDS 30 /* the longest that a domain is held */

#endif
