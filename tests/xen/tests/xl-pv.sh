# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: two lines in xl's configuration: a stock PV guest has the drive from its start and burns; what is wrong is said
# time: 600

tgt_drive 1
xenoptic_start
# The drive, one that comes later, and a wrong option; a disk by QEMU beside them.
xl_lines "drive=$DRIVE" "drive=/dev/sr1" "drive=$DRIVE,bus=scsi"
truncate -s 4M qdisk.img
GUEST_DISKS=", \"format=raw,vdev=xvdb,access=rw,backendtype=qdisk,target=$PWD/qdisk.img\"" \
	guest_start g1 pv "${XL_LINES[@]}"
guest_drive g1
xenoptic list
guest g1 'echo by QEMU | dd of=/dev/xvdb conv=sync,fsync 2>/dev/null'
grep -q 'by QEMU' qdisk.img || fail "the disk that QEMU serves"
xl_says 'expected bus=ahci, ide, vscsi or vcd' 2
xl_says "/dev/sr1: No such file" 1/vscsi-devs/dev-0
guest_iso g1 3 1
guest_burn g1
begins_with_iso "$DRIVE_DISC" || fail "the disc is not what was burned"
guest_reads_back g1 || fail "the guest reads other data"
tgt_drive 2
[ "$DRIVE" = /dev/sr1 ] || fail "the second drive is $DRIVE"
wait_until 60 guest g1 'test -b /dev/sr1' || fail "the drive that came later: $(xenoptic list)"
no_errors g1
guest_destroy g1
wait_until 20 no_nodes
wait_until 30 drive_free
