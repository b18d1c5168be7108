/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argv of xenoptic-drive. */
#ifndef XO_DRIVE_OPTIONS_H
#define XO_DRIVE_OPTIONS_H

#include "drive.h"

/* 0; 1: all is done (--help); -EINVAL: said on stderr. The texts are argv's own. */
int xo_drive_options_parse(struct xo_drive_options *options, int argc, char **argv);

#endif
