# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a stock PVH guest boots and runs a command

guest_start pvh1 pvh
[ "$(guest pvh1 'cat /sys/hypervisor/guest_type')" = PVH ]
guest pvh1 'uname -a; modinfo -n xen-scsifront; which wodim xorriso growisofs cdrdao cdrskin cdparanoia'
guest_destroy pvh1
