# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: Xen and its Dom0 are up
# time: 60

xl info | grep -E '^(xen_version|xen_caps|total_memory|free_memory)'
xl list | tee list
grep -q '^Domain-0 ' list
xl info | grep -q '^xen_version  *: 4\.17'
grep -q control_d /proc/xen/capabilities
