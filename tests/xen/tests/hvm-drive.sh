# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: eject, medium change and door of the host's drive in an HVM guest by AHCI; the same drive by AHCI and ring in one guest: one way has it
# when: full
# time: 900

qemu_cd_plug guest
xenoptic_start "[drive $DRIVE_LINK]" 'poll-ms = 300'
hvm_disc 32
hvm_guest h1 "drive=$DRIVE_LINK,bus=ahci\", \"-optical\", \"drive=virtual:disc,bus=ahci,bus=vscsi"
wait_until 120 guest h1 'test -b /dev/sr1' || fail "not both drives: $(guest h1 'dmesg | tail -n 20'; xenoptic list)"
guest h1 'udevadm settle'
hvm_drives | tee drives
host=$(awk '$2 == "ahci" && $3 != "VIRTUAL" { print $1 }' drives)
ours=$(awk '$2 == "ahci" && $3 == "VIRTUAL" { print $1 }' drives)

note "the host's drive is $host"
hvm_host_drive "$host"

note "one drive by two ways: $ours has it by AHCI, and the ring says so"
xenoptic list | grep -A 1 -E '^h1 .*vscsi +connected +virtual:disc' | grep 'error: .*in use by guest h1' || fail "$(xenoptic list)"
not guest h1 'test -b /dev/sr2'
hvm_burn 4 "$ours"
not guest h1 'test -b /dev/sr2'
controller=$(xenoptic list | sed -n 's|^h1 .*[0-9]/\([0-9]*\) *ahci .*virtual:disc.*|\1|p')
guest h1 "for i in /sys/bus/pci/devices/0000:00:$(printf %02x "$controller").*; do echo 1 >\$i/remove; done"
xenoptic detach h1 "$controller"
# Now the ring has it; the guest's xen-scsifront makes a device of it.
wait_until 120 guest h1 '[ "$(ls -d /sys/block/sr* | wc -l)" = 2 ]' || fail "the ring has no drive: $(xenoptic list; guest h1 'dmesg | tail')"
# shellcheck disable=SC2016 # the guest expands it
ours=$(guest h1 'for i in /sys/block/sr*; do grep -q QEMU $i/device/model || echo /dev/${i##*/}; done')
guest h1 "[ \"\$(head -c $ISO_SIZE $ours | sha256sum)\" = '$ISO_SUM  -' ]" || fail "other data by the ring"

note "the guest vanishes with the door locked"
hvm_host_drive_left
