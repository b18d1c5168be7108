# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the burning programs of an HVM guest on each medium, by AHCI and by IDE, discs compared, audio ripped; tgt's DVD+R by both
# when: full
# time: 1800

tgt_drive 1
TGT1=$DRIVE DISC1=$DRIVE_DISC
tgt_drive 2
burn_guest=h1 burn_drive=virtual:a
burn_begin 1024
xenoptic_start
GUEST_MEMORY=320 hvm_guest h1 "drive=virtual:a,bus=ahci\", \"-optical\", \"drive=virtual:b,bus=ide\", \"-optical\", \"drive=$TGT1,bus=ahci\", \"-optical\", \"drive=$DRIVE,bus=ide"
wait_until 120 guest h1 'test -b /dev/sr3' || fail "not all four drives: $(guest h1 'dmesg | tail -n 20')"
# Which is which: libata numbers its hosts as it finds them. Columns: device, driver, what it calls itself.
guest h1 'for i in /sys/block/sr*; do
	echo "/dev/${i##*/} $(basename "$(readlink -f $i/device/../../../../driver)") $(cat $i/device/model)"; done' | tee drives
device_of() { awk -v driver="$1" -v ours="$2" '$2 == driver && ($3 == "VIRTUAL") == ours { print $1 }' drives; }
ahci=$(device_of ahci 1) ide=$(device_of ata_generic 1)
burn_device=$ahci
burn_hand_in
burn_ways="ahci ide"
matrix_run ahci -v pure=1 -v pairs="program medium way" || fail "a row of the table"
burn_drive=virtual:b burn_device=$ide
matrix_run ide -v pure=1 -v pairs="program medium way" || fail "a row of the table"
hvm_clean_dmesg

# burns DEVICE FILE: tgt's disc by it, read back in the guest, compared in Dom0.
burns() {
	guest_iso h1 2 1
	guest_burn h1 "$1" | tail -n 3
	begins_with_iso "$2" || fail "the disc is not what was burned"
	guest_reads_back h1 "$1" || fail "the guest reads other data"
}
burns "$(device_of ahci 0)" "$DISC1"
burns "$(device_of ata_generic 0)" "$DRIVE_DISC"
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
no_nodes
