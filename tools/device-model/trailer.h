/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is appended to QEMU's saved state: the controllers' states as text, then
 * a footer of 16 bytes. QEMU stops reading at its own end and never sees it.
 */
#ifndef XO_TOOLS_TRAILER_H
#define XO_TOOLS_TRAILER_H

#include <jansson.h>

/* Writes it where `fd` stands. `controllers` as "save-controllers" gives them. 0 or -errno. */
int xo_trailer_write(int fd, const json_t *controllers);

/*
 * Reads it from the end of a file, whose position stays. 0 with *controllers (the
 * caller's); -ENOENT: there is none; -EINVAL: it is damaged or of another version; -errno.
 */
int xo_trailer_read(int fd, json_t **controllers);

#endif
