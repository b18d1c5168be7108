/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling the service manager how we are (sd_notify(3)'s protocol), where there is one. */
#ifndef XO_BACKEND_NOTIFY_H
#define XO_BACKEND_NOTIFY_H

/* "READY=1", "STATUS=…", "STOPPING=1". Nothing happens without NOTIFY_SOCKET. */
void xo_notify(const char *state);

#endif
