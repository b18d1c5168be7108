# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a running HVM guest, started without a drive of ours, gets AHCI drives (PCI rescan) by INTA# and by MSI, burns, gives them back and goes on
# time: 900
# when: full

# plugged SLOT OPTION…: h1 gets virtual:disc there, and its udev loads the driver.
plugged() {
	hvm_disc 32
	xenoptic attach h1 drive=virtual:disc "slot=$1" bus=ahci "${@:2}"
	guest h1 'dmesg -C; echo 1 >/sys/bus/pci/rescan; udevadm settle'
	hvm_driver ahci
	guest h1 dmesg | grep 'configured for UDMA' || fail "not by DMA"
	[ "$(basename "$(guest h1 'readlink -f /sys/block/sr0/device/../../../..')")" = "0000:00:0$1.0" ] || fail "not in slot $1"
}

# unplugged SLOT: h1 lets go of it, and then it is taken away.
unplugged() {
	guest h1 "udevadm settle; echo 1 >/sys/bus/pci/devices/0000:00:0$1.0/remove; ! test -e /sys/block/sr0"
	xenoptic detach h1 "$1"
	wait_until 30 eval "xenoptic list | grep -E '^virtual:disc +unused'" || fail "$(xenoptic list)"
	wait_until 20 eval '! pgrep xenoptic-ioemu'
	guest h1 "echo 1 >/sys/bus/pci/rescan; ! test -e /sys/bus/pci/devices/0000:00:0$1.0" || fail "the function is still there"
	hvm_clean_dmesg
}

# burns KIND: so are the interrupts called in h1 that tell of a burn: one or more for each command of 64 KiB.
burns() {
	local before after
	guest h1 'grep ahci /proc/interrupts' | tee before
	grep -qE "$1" before || fail "not by $1"
	hvm_burn 1
	guest h1 'grep ahci /proc/interrupts' | tee after
	read -r _ before _ <before
	read -r _ after _ <after
	[ $((after - before)) -ge 32 ] || fail "a burn without interrupts"
}

xenoptic_start
hvm_guest h1 ''
not guest h1 'test -e /sys/block/sr0'
not pgrep xenoptic-ioemu

note "a first one, by INTA#"
plugged 9
burns '(IO-APIC|xen-pirq) .*(fasteoi|ioapic-level)'
unplugged 9

note "another one, by MSI"
plugged 8 interrupt=msi
grep 'MSI: Enable+' lspci || fail "MSI is off: $(cat lspci)"
burns '(PCI-MSI|xen-pirq +-msi)'
unplugged 8
xenoptic list
guest_destroy h1
no_nodes
