/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay between libxl and QEMU's QMP socket: a process beside QEMU that
 * passes everything on and adds our controllers to what libxl asks of the
 * device model: stop, xen-save-devices-state, cont.
 */
#ifndef XO_TOOLS_RELAY_H
#define XO_TOOLS_RELAY_H

/* A socket that listens at `path`, whatever was there before; or -errno. It is inherited. */
int xo_relay_listen(const char *path);

/*
 * Takes the place of QEMU at libxl's socket, whose listening descriptor `fd` becomes
 * that of another one, and starts the relay, which ends when this process (by then QEMU) does.
 * 0, or -errno (said on stderr).
 */
int xo_relay_start(int fd, int domid, const char *control_socket, const char *run_dir);

#endif
