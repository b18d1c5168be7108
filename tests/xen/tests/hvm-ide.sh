# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest with an AHCI drive gets an IDE drive while it runs (PCI rescan); ata_generic drives it by DMA; xorriso burns, Dom0 compares
# time: 900
# when: full

xenoptic_start
hvm_guest h1 drive=virtual:none,bus=ahci
hvm_driver ahci
hvm_disc 32
xenoptic attach h1 drive=virtual:disc bus=ide slot=9
# A firmware would have switched the ports on; without that ata_generic passes over the function.
guest h1 'echo 1 >/sys/bus/pci/rescan; udevadm settle; modprobe ata_generic
	echo 1 >/sys/bus/pci/devices/0000:00:09.0/enable; echo 0000:00:09.0 >/sys/bus/pci/drivers_probe; udevadm settle'
hvm_driver ata_generic /dev/sr1
[ "$(guest h1 dmesg | grep -c 'configured for UDMA')" = 2 ] || fail "not both by DMA"
hvm_burn 1 /dev/sr1
xenoptic list
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
wait_until 30 eval "xenoptic list | grep -E '^virtual:disc +unused'" || fail "$(xenoptic list)"
no_nodes
