# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest's own ahci driver finds the drive and moves data by DMA; xorriso burns, Dom0 compares byte for byte, no complaint in dmesg
# time: 900

xenoptic_start
hvm_disc 32
hvm_guest h1 drive=virtual:disc,bus=ahci
hvm_driver ahci
guest h1 dmesg | grep 'configured for UDMA' || fail "not by DMA"
hvm_burn 1
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
xenoptic list | grep -E '^virtual:disc +unused'
