# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xenoptic attach: a stock PV guest burns on Dom0's drive with xorriso, reads it back, gives it back
# time: 400

tgt_drive 1
xenoptic_start
guest_start g1 pv
xenoptic attach g1 "drive=$DRIVE"
guest_drive g1
xenoptic list
guest g1 'dmesg | grep -E "scsi|sr0|sr " | tail; sg_inq /dev/sr0'
guest g1 'seq 1 999999999 2>/dev/null | head -c 6M >/tmp/data; genisoimage -quiet -o /tmp/in.iso /tmp/data; sha256sum </tmp/in.iso; stat -c %s /tmp/in.iso' | tee sum
guest g1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso 2>&1 | tail -n 20'
read -r sum _ <sum
size=$(tail -n 1 sum)
[ "$(head -c "$size" "$DRIVE_DISC" | sha256sum | cut -d' ' -f1)" = "$sum" ]
xenoptic detach g1
wait_until 30 guest g1 '! test -b /dev/sr0'
xenoptic list
wait_until 30 eval '[ "$(head -c $size $DRIVE | sha256sum | cut -d" " -f1)" = $sum ]'
guest_destroy g1
