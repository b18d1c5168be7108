# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a stock PV guest boots and runs commands, two at a time

guest_start pv1 pv
guest pv1 'uname -a; cat /sys/hypervisor/type; cat /proc/meminfo | head -2; ls /dev/xen'
[ "$(guest pv1 'cat /sys/hypervisor/guest_type')" = PV ]
code=0
guest pv1 'exit 7' || code=$?
[ $code = 7 ]
# A second command runs while the first waits; a client that is killed takes its command along.
guest_bg pv1 'exec sleep 1000'
wait_until 20 guest pv1 'pgrep sleep'
kill "$BG"
wait_until 20 guest pv1 '! pgrep sleep'
# Output comes whole.
guest pv1 'seq 20000' | cmp - <(seq 20000)
guest_destroy pv1
