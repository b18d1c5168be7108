# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront in a PV guest: two drives by the lines of xl, large transfers, its pool; a burn under restarts
# time: 700

xenoptic_start
xenoptic disc new "$PWD/disc1" --type bd-r
xl_lines "drive=virtual:v1,bus=vcd" "drive=virtual:v2,bus=vcd"
cdfront_start g1
guest g1 'modinfo -F alias /tmp/xen-cdfront.ko'
guest_drive g1
guest_drive g1 /dev/sr1
front=/local/domain/$(xl domid g1)/device/vcd
[ "$(xenstore-list "$front" | wc -l)" = 2 ]
for i in $(xenstore-list "$front"); do
	[ "$(xenstore-read "$front/$i/ring-page-order")" -ge 1 ] || fail "a ring of one page"
	[ "$(xenstore-read "$front/$i/feature-persistent")" = 1 ] || fail "grants do not persist"
done
xenoptic disc insert virtual:v1 "$PWD/disc1"
# Which of them the guest's kernel has found first is its own affair.
ready() { device=$(guest g1 'for i in /dev/sr0 /dev/sr1; do ! sg_turs $i >/dev/null 2>&1 || echo $i; done') && [ -n "$device" ]; }
wait_until 60 ready || fail "no drive has the disc: $(xenoptic list)"
xenoptic_shut_in
xenoptic list
guest g1 "sg_inq $device"
[ "$(guest g1 "cat /sys/block/${device#/dev/}/queue/max_hw_sectors_kb")" -ge 512 ]
# Four commands of 512 KiB at once, to the other drive: more than its pool may have. Polling goes on.
make_iso big.iso 8 5
xenoptic disc insert virtual:v2 "$PWD/big.iso"
other=sr0
[ "$device" != /dev/sr0 ] || other=sr1
wait_until 60 guest g1 "sg_turs /dev/$other"
pool="/sys/block/$other/device/../../scsi_host/host*/pool_pages"
pages=$(guest g1 "echo 2000 >/sys/block/$other/events_poll_msecs; g=/dev/\$(basename /sys/block/$other/device/scsi_generic/*)
	for i in 1 2 3 4; do sg_dd if=\$g of=/dev/null bs=2048 bpt=256 count=4096 2>/tmp/dd\$i || touch /tmp/failed & done; wait
	[ ! -e /tmp/failed ] && cat $pool")
note "$pages pages are granted"
[ "$pages" -gt 128 ] && [ "$pages" -le 320 ]
guest g1 'seq 1 999999999 2>/dev/null | head -c 8M >/tmp/data; genisoimage -quiet -o /tmp/in.iso /tmp/data; sha256sum </tmp/in.iso; stat -c %s /tmp/in.iso' | tee sum
guest_bg g1 "xorriso -as cdrecord -v dev=$device -multi /tmp/in.iso 2>&1 | tail -n 5"
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
# The other drive's pool has given back what polling does not use.
wait_until 60 guest g1 "[ \$(cat $pool) -le 17 ]" || fail "the pool does not shrink: $(guest g1 "cat $pool")"
# By packet commands: the guest's block layer keeps the blank disc's size until a medium change.
guest g1 "xorriso -indev $device -osirrox on -extract / /tmp/out 2>&1 | tail -n 3; cmp /tmp/data /tmp/out/*"
# In one command 512 KiB.
[ "$(guest g1 "sg_dd if=$device blk_sgio=1 bs=2048 bpt=256 count=$((size / 2048)) 2>/dev/null | sha256sum")" = "$sum  -" ]
guest g1 '! dmesg | grep -E "xen-cdfront.*broke|cut here|Oops|blocked for more"'

for i in $(xenstore-list "$front"); do xenoptic detach g1 "$i"; done
wait_until 30 guest g1 '! test -b /dev/sr0 && ! test -b /dev/sr1'
cdfront_unload g1
guest g1 'insmod /tmp/xen-cdfront.ko'
guest_destroy g1
