# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xl destroy in mid-burn: no zombie, no node, the drive unlocked and burning for the next guest
# time: 500

tgt_drive 1
xenoptic_start
guest_start g1 pv
xenoptic attach g1 "drive=$DRIVE"
guest_drive g1
guest_iso g1 12 1
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso'
wait_until 90 burned 1024
begun=$SECONDS
xl destroy g1
[ $((SECONDS - begun)) -lt 20 ]
xenoptic list
wait_until 20 guest_gone g1
wait_until 20 no_nodes
wait_until 30 drive_free
not pgrep -f xenoptic-ring
not begins_with_iso "$DRIVE_DISC"
# The door opens, and a new disc burns in the next guest. Dom0's udev has seen the medium of the drive that came back, and
# its cdrom_id locks the door after its last look: an eject before that would leave the tray open and the door locked.
udevadm settle --timeout=30
eject "$DRIVE"
tgtimg --op new --device-type cd --type dvd+r --file "$PWD/second.img" >/dev/null
tgt_insert 1 "$PWD/second.img"
DRIVE_DISC=$PWD/second.img
guest_start g2 pv
xenoptic attach g2 "drive=$DRIVE"
guest_drive g2
guest_iso g2 3 2
guest_burn g2
begins_with_iso "$DRIVE_DISC"
guest_destroy g2
