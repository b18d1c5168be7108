#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a worker's seccomp filter the stand-ins do all that a worker does; see test_sandboxed.c.
exec "${top_srcdir:?}/tests/loopback/with" -d one "${top_builddir:?}/tests/loopback/test_sandboxed"
