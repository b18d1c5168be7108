# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: SeaBIOS boots a small El Torito ISO from the emulated AHCI and IDE drives; GRUB reads a file from it
# time: 400

xenoptic_start
seq 1 400 >text # each byte of it is an exit to QEMU, on its serial port
BOOT_FILES=(text)
for bus in ahci ide; do
	boot_iso boot.iso 'serial' 'terminal_output serial' 'cat /boot/text' 'halt'
	xenoptic disc insert virtual:disc "$PWD/boot.iso"
	hvm_lines "drive=virtual:disc,bus=$bus"
	guest_config h1 hvm "${HVM_LINES[@]}" 'boot = "d"' "serial = \"file:$PWD/$bus.serial\""
	sed -i '/^\(kernel\|ramdisk\|extra\|disk\) =/d' h1.cfg
	XO_GUESTS+=(h1)
	xl create -q h1.cfg
	wait_until 120 grep -q '^400' "$bus.serial" || fail "GRUB has not read the disc: $(tail -n 5 "$bus.serial")"
	cmp <(tr -d '\r' <"$bus.serial" | grep -E '^[0-9]+$') text
	guest_destroy h1
	xenoptic disc eject virtual:disc
done
