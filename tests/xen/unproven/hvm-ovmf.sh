# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: UEFI (OVMF) boots an El Torito ISO from the emulated AHCI and IDE drives; GRUB reads a file from it
# time: 1500

[ -f "$XO_BIN/ovmf.fd" ] || skip "no OVMF that knows Xen: XENOPTIC_OVMF names none (tests/xen/README.md)"
xenoptic_start
seq 1 400 >text
BOOT_FILES=(text)
for bus in ahci ide; do
	BOOT_EFI=1 boot_iso boot.iso 'serial' 'terminal_output serial' 'echo "platform: $grub_platform"' 'cat /boot/text' 'halt'
	xenoptic disc insert virtual:disc "$PWD/boot.iso"
	hvm_lines "drive=virtual:disc,bus=$bus"
	guest_config h1 hvm "${HVM_LINES[@]}" 'bios = "ovmf"' "bios_path_override = \"$XO_BIN/ovmf.fd\"" 'boot = "d"' \
		"serial = \"file:$PWD/$bus.serial\""
	sed -i '/^\(kernel\|ramdisk\|extra\|disk\) =/d' h1.cfg
	XO_GUESTS+=(h1)
	xl create -q h1.cfg
	wait_until 600 grep -q '400' "$bus.serial" ||
		fail "GRUB has not read the disc: $(tail -n 20 "$bus.serial"; xl dmesg | tail -n 30)"
	sed 's/\x1b\[[0-9;]*[A-Za-z]//g; s/\r//g' "$bus.serial" >said
	grep -E '^[0-9]+$' said | diff - text >diff || fail "GRUB printed other text: $(head -n 5 diff; head -c 400 said)"
	grep 'platform: efi' said || fail "GRUB was not started by UEFI: $(head -c 400 said)"
	xl destroy h1 2>/dev/null || : # GRUB's halt may have been faster
	wait_until 30 guest_gone h1
	xenoptic disc eject virtual:disc
done
