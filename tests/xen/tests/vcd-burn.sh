# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront in a PV guest: large transfers, persistent grants, a burn, a medium change told, restarts
# time: 700

xenoptic_start
xenoptic disc new "$PWD/disc1" --type bd-r
cdfront_start g1
guest g1 'modinfo -F alias /tmp/xen-cdfront.ko'

xenoptic attach g1 drive=virtual:v1 bus=vcd
xenoptic disc insert virtual:v1 "$PWD/disc1"
guest_drive g1
xenoptic_shut_in
xenoptic list
guest g1 'cat /sys/block/sr0/queue/max_hw_sectors_kb; sg_inq /dev/sr0'
[ "$(guest g1 'cat /sys/block/sr0/queue/max_hw_sectors_kb')" -ge 512 ]
guest g1 'seq 1 999999999 2>/dev/null | head -c 8M >/tmp/data; genisoimage -quiet -o /tmp/in.iso /tmp/data; sha256sum </tmp/in.iso; stat -c %s /tmp/in.iso' | tee sum
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr0 -multi /tmp/in.iso 2>&1 | tail -n 5'
# Each backend process dies in mid-burn; the guest must not notice.
for program in xenoptic-ring xenoptic-drive xenopticd; do
	wait_until 60 eval "[ \"\$(stat -c %s disc1)\" -gt 500000 ]"
	pkill -KILL -x "${program:0:15}" || true
	[ "$program" != xenopticd ] || xenoptic_restart
done
wait "$BG"
sum=$(cut -d" " -f1 sum | head -n 1)
size=$(tail -n 1 sum)
[ "$(head -c "$size" disc1 | sha256sum | cut -d' ' -f1)" = "$sum" ]
# By packet commands: the guest's block layer keeps the blank disc's size until a medium change.
guest g1 'xorriso -indev /dev/sr0 -osirrox on -extract / /tmp/out 2>&1 | tail -n 3; cmp /tmp/data /tmp/out/*'
guest g1 '! dmesg | grep -E "xen-cdfront.*broke|cut here|Oops|blocked for more"'

xenoptic detach g1
wait_until 30 guest g1 '! test -b /dev/sr0'
cdfront_unload g1
guest g1 'insmod /tmp/xen-cdfront.ko'
guest_destroy g1
