# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a command that takes long holds up nothing else in the guest, nor xl destroy; it ends as the drive or the guest says
# time: 1500
# when: full

# A drive of the kernel's scsi_debug whose answers take their time, and QEMU's CD-ROM with a slow SEEK(10).
modprobe scsi_debug ptype=5 removable=1 dev_size_mb=8 max_luns=1
undo modprobe -r scsi_debug
qemu_cd_plug guest
udevadm settle --timeout=60
SLOW=/dev/$(ls /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*:0/block)
xenoptic_start "[drive $DRIVE_LINK]" 'delay = 2b=130000' # two minutes and more
guest_start g1 pv
xenoptic attach g1 "drive=$DRIVE_LINK"
guest_drive g1
xenoptic attach g1 "drive=$SLOW"
wait_until 60 guest g1 'test -b /dev/sr1'
guest g1 'udevadm settle; pkill -9 udevd'
guest_raw g1
doing() { xenoptic list | grep -qiE "^$1 .*$2"; }

# The delay filter: the guest's other drive and its disk answer meanwhile.
guest_bg g1 '/tmp/raw sr0 300 2b 00 00 00 00 00 00 00 00 00 >/tmp/seek; echo >>/tmp/seek'
wait_until 60 doing "$DRIVE_LINK" 'SEEK' || fail "no SEEK: $(guest g1 'cat /tmp/seek'; xenoptic list)"
guest g1 '/tmp/raw sr1 100 00 00 00 00 00 00; dd if=/dev/xvda of=/dev/null bs=4k count=1 skip=77777 iflag=direct 2>&1' | grep -E 'ended well|copied'
doing "$DRIVE_LINK" 'SEEK' || fail "the others waited for the slow drive"
wait "$BG"
guest g1 'cat /tmp/seek' | grep 'ended well'

# The guest's patience ends before the drive does: the guest hears of a time-out, and the drive goes on working.
guest g1 'time /tmp/raw sr0 5 2b 00 00 00 00 00 00 00 00 00; true' | tee seek
grep -iE 'time.?out|abort' seek
guest g1 '/tmp/raw sr0 300 00 00 00 00 00 00' | grep 'ended well'

# The kernel's path: xl destroy does not wait for a command in the drive, the next guest does. This one is the ring's own,
# whose process has the drive by loan; the daemon is started again meanwhile.
in_drive() { [ "$(cat "/sys/block/${SLOW#/dev/}/device/iorequest_cnt")" != "$(cat "/sys/block/${SLOW#/dev/}/device/iodone_cnt")" ]; }
wait_until 30 lent "$SLOW" || fail "not lent: $(xenoptic list --json)"
echo 5000 >/sys/bus/pseudo/drivers/scsi_debug/delay
undo 'echo 0 >/sys/bus/pseudo/drivers/scsi_debug/delay'
guest_bg g1 '/tmp/raw sr1 100 00 00 00 00 00 00'
wait_until 60 in_drive
begun=$SECONDS
xl destroy g1
note "xl destroy took $((SECONDS - begun)) s"
wait_until 10 guest_gone g1 || fail "the domain lingers: $(xl list)"
no_nodes
wait_until 30 doing "$SLOW" draining || fail "not draining: $(xenoptic list)"
pgrep -x xenoptic-ring || fail "the command was not the ring's"
xenoptic_kill
doing "$SLOW" draining || fail "not draining under another daemon: $(xenoptic list)"
xenoptic list
# Each command by which the drive is taken back takes its time as well.
wait_until 300 doing "$SLOW" unused || fail "not free: $(xenoptic list)"
not pgrep -x xenoptic-ring
no_nodes
