# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xenoptic attach: a stock PV guest burns on Dom0's drive, at which others look meanwhile, and reads it back; detach
# time: 500

tgt_drive 1
xenoptic_start
guest_start g1 pv
xenoptic attach g1 "drive=$DRIVE"
guest_drive g1
xenoptic_shut_in
xenoptic list
guest g1 'dmesg | grep -E "scsi|sr0|sr " | tail -n 8; sg_inq /dev/sr0 | head -n 12'
guest_iso g1 6 1
# Dom0's own programs look at the drive all the time meanwhile: udev's, the kernel, somebody who opens it.
while sleep 0.2; do
	/lib/udev/cdrom_id "$DRIVE"
	head -c 2048 "$DRIVE" | wc -c
	blockdev --getsize64 "$DRIVE"
done >looks 2>&1 &
looker=$!
undo kill $looker
guest_burn g1
kill $looker
note "$(grep -c ID_CDROM= looks) looks of cdrom_id"
grep -q ID_CDROM= looks || fail "nobody looked: $(tail -n 5 looks)"
begins_with_iso "$DRIVE_DISC"
guest_reads_back g1
code=0
xenoptic attach g1 "drive=$DRIVE" bus=nonsense || code=$?
[ $code != 0 ]
xenoptic detach g1
wait_until 30 guest g1 '! test -b /dev/sr0'
wait_until 10 drive_free
no_nodes
# Dom0's block device has neither the blank disc's size nor its pages.
wait_until 20 begins_with_iso "$DRIVE"
# And again.
xenoptic attach g1 "drive=$DRIVE"
guest_drive g1
guest g1 "head -c $ISO_SIZE /dev/sr0 | sha256sum" | grep "$ISO_SUM"
xenoptic detach g1
wait_until 10 drive_free
guest_destroy g1
