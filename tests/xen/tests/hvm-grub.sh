# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: GRUB reads a disc by its own drivers of AHCI and IDE controllers, without the BIOS
# when: full
# time: 2700

xenoptic_start
BOOT_NATIVE=1
GRUB_PATIENCE=1800 # its driver of IDE reads words one by one, each an exit: 130,000 of them
for bus in ahci ide; do
	hvm_grub "$bus" "$bus.serial" ls
	# What `ls` said: its own driver's name for the drive, and none of the BIOS's.
	grep -a -o '([a-z]*[0-9]*)' "$bus.serial" | sort -u | tee devices
	grep -E '\((ahci|ata)[0-9]+\)' devices
	not grep -E '\((cd|hd)' devices
done
