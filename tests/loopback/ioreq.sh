#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ioreq servers and virtual CPUs; see test_ioreq.c
set -u
. "${top_srcdir:?}/tests/loopback/lib.sh"
lb_start
lb_create --type hvm --vcpus 4 --memory 64 guest
lb_create pv
"${top_builddir:?}/tests/loopback/test_ioreq"
