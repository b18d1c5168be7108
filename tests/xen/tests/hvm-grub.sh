# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: GRUB reads a disc by its own drivers of AHCI and IDE controllers, without the BIOS
# when: full
# time: 1500

xenoptic_start
seq 1 400 >text # each byte of it is an exit to QEMU, on its serial port
BOOT_FILES=(text)
BOOT_NATIVE=1
for bus in ahci ide; do
	boot_iso boot.iso 'ls' 'cat /boot/text' 'halt'
	xenoptic disc insert virtual:disc "$PWD/boot.iso"
	hvm_lines "drive=virtual:disc,bus=$bus"
	guest_config h1 hvm "${HVM_LINES[@]}" 'boot = "d"' "serial = \"file:$PWD/$bus.serial\""
	sed -i '/^\(kernel\|ramdisk\|extra\|disk\) =/d' h1.cfg
	XO_GUESTS+=(h1)
	xl create -q h1.cfg
	# GRUB's driver of IDE reads words one by one, each an exit.
	wait_until 600 grep -q '400' "$bus.serial" || fail "GRUB has not read the disc: $(tail -n 5 "$bus.serial")"
	diff <(sed 's/\x1b\[[0-9;]*[A-Za-z]//g; s/\r//g' "$bus.serial" | grep -E '^[0-9]+$') text >diff || fail "GRUB printed other text: $(head -n 5 diff; head -c 400 "$bus.serial" | cat -v)"
	# What `ls` said: its own driver's name for the drive, and none of the BIOS's.
	grep -a -o '([a-z]*[0-9]*)' "$bus.serial" | sort -u | tee devices
	grep -E '\((ahci|ata)[0-9]+\)' devices
	not grep -E '\((cd|hd)' devices
	xl destroy h1 2>/dev/null || : # GRUB's halt may have been faster
	wait_until 30 guest_gone h1
	xenoptic disc eject virtual:disc
done
