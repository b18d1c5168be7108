/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The drives that a program under exec-reader or exec-direct can have. */
#ifndef XO_TEST_EXEC_UNIT_H
#define XO_TEST_EXEC_UNIT_H

#include "drive/unit.h"

/* What the program's usage says of FILE. */
extern const char xo_test_unit_help[];

/* Opens a drive with the disc FILE in it ("-": none). 0 or -errno, said on stderr. */
int xo_test_unit_open(const char *file, struct xo_unit **unit);

#endif
