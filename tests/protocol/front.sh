#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The userspace frontend against a scripted backend, in a loopback with one guest.
exec "${top_srcdir:?}/tests/loopback/with" -d guest "${top_builddir:?}/tests/protocol/test_front"
