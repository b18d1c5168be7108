/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenoptic disc new and info. */
#ifndef XO_TOOLS_DISC_H
#define XO_TOOLS_DISC_H

/* argv[0] is "new" or "info". Returns the exit status: 0 done, 1 refused, 2 usage. */
int disc_main(int argc, char **argv);

#endif
