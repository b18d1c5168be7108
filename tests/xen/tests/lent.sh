# shellcheck shell=bash disable=SC2034,SC2153 # lib.sh's variables
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a drive that is lent to the guest's ring: the ring is killed in a burn with commands of its own in the drive, the disc is equal, and the next guest gets it
# time: 900

# A burn, while the ring dies at its points around commands that it gives to the drive, the drive's process and the
# launcher by hand.
seeded_kills 24 200 ring.{fetched,issued,returned,replied,stored,published} >points
tgt_drive 1
XO_ENV=("XENOPTIC_KILL=$(paste -sd, points)")
xenoptic_start "[xenopticd]" "restart-limit = 1000"
guest_start g1 pv
xenoptic attach g1 "drive=$DRIVE"
guest_drive g1
guest_iso g1 6 3
wait_until 30 lent "$DRIVE" || fail "not lent: $(xenoptic list --json)"
guest g1 'dmesg -C'
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso 2>&1'
burn=$BG
wait_until 300 burned 1024
xenoptic_kill xenoptic-ring
wait_until 300 burned 2560
xenoptic_kill xenoptic-drive
wait_until 300 burned 4096
pkill -9 -x xenoptic-drive
code=0
wait "$burn" || code=$?
xenoptic list
dead=$(xenoptic_log | grep -c 'dies at ring')
direct=$(xenoptic_log | grep -cE 'dies at ring\.(issued|returned)')
note "$dead rings were killed at named points, $direct of them around a command in the drive"
[ $code = 0 ] || fail "the burn ended with $code"
[ "$direct" -ge 3 ] || fail "only $direct with a command of theirs in the drive"
begins_with_iso "$DRIVE_DISC"
no_errors g1
wait_until 30 lent "$DRIVE" || fail "not lent again: $(xenoptic list --json)"
guest_reads_back g1 /dev/sr0
guest_destroy g1
wait_until 30 drive_free
not pgrep -x xenoptic-ring

# The next guest is lent it as well.
guest_start g2 pv
xenoptic attach g2 "drive=$DRIVE"
guest_drive g2
wait_until 30 lent "$DRIVE" || fail "not lent to the next: $(xenoptic list --json)"
[ "$(guest g2 "sg_dd if=/dev/sr0 blk_sgio=1 bs=2048 bpt=32 count=$((ISO_SIZE / 2048)) 2>/dev/null | sha256sum")" = "$(head -c "$ISO_SIZE" "$DRIVE_DISC" | sha256sum)" ] ||
	fail "the next guest reads other data"
guest_destroy g2
no_nodes
