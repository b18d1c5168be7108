# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xl destroy in mid-burn: no zombie, no node, the drive free and burning for the next guest
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
# The door opens, and a new disc burns in the next guest. tgt's drive tells of its disc also with the tray open, so Dom0's
# udev, which looks at the drive after whoever closes it, may lock the door behind us, and tgt takes no disc then.
next_disc() {
	sg_prevent --allow "$DRIVE" && tgt_insert 1 "$PWD/second.img"
}
eject "$DRIVE"
tgtimg --op new --device-type cd --type dvd+r --file "$PWD/second.img" >/dev/null
wait_until 30 next_disc
DRIVE_DISC=$PWD/second.img
guest_start g2 pv
xenoptic attach g2 "drive=$DRIVE"
guest_drive g2
guest_iso g2 3 2
guest_burn g2
begins_with_iso "$DRIVE_DISC"
guest_destroy g2
