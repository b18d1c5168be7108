# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest boots an ISO by SeaBIOS and GRUB from an IDE drive; Linux' ata_generic drives it; xorriso burns, Dom0 compares
# time: 1500

hvm_start ide
guest h1 'dmesg | grep -E "ahci|ata[0-9]|sr0|scsi"'
guest h1 'basename "$(readlink /sys/block/sr0/device/../../../../driver)"' | tee driver
grep -qx ata_generic driver
hvm_burn
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
