#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
exec "${top_srcdir:?}/tests/loopback/with" -d one -d two "${top_builddir:?}/tests/loopback/test_evtchn"
