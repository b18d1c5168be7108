# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest gets an IDE drive while it runs (PCI rescan); ata_generic drives it by DMA and by PIO; xorriso burns, Dom0 compares
# time: 900

xenoptic_start
hvm_guest h1 drive=virtual:none,bus=ahci
hvm_disc 32
xenoptic attach h1 drive=virtual:disc bus=ide slot=9
guest h1 'echo 1 >/sys/bus/pci/rescan; udevadm settle'
guest_drive h1
hvm_driver ata_generic
hvm_burn 1
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
