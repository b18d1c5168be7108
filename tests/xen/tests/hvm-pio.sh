# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest burns and reads back by PIO, on AHCI and on IDE
# when: full
# time: 900

xenoptic_start
hvm_disc 16
disc_ata_generic=$DISC
hvm_disc 16 second
disc_ahci=$DISC
GUEST_EXTRA=libata.dma=0 hvm_guest h1 "drive=virtual:disc,bus=ide,slot=9\", \"-optical\", \"drive=virtual:second,bus=ahci"
hvm_ide_by_pio 0000:00:09.0
wait_until 120 guest h1 'test -b /dev/sr0 && test -b /dev/sr1' || fail "not both drives: $(guest h1 'dmesg | tail -n 20')"
for device in sr0 sr1; do
	driver=$(hvm_drives | awk -v d="/dev/$device" '$1 == d { print $2 }')
	disc=disc_$driver
	DISC=${!disc}
	note "$device: $driver"
	hvm_burn 1 "/dev/$device"
done
hvm_clean_dmesg
guest_destroy h1
