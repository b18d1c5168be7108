# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest's own ahci driver burns on one drive, and its ata_generic on another that comes while it runs; discs equal, no complaint in dmesg
# time: 900

xenoptic_start
hvm_disc 32
hvm_guest h1 drive=virtual:disc,bus=ahci
hvm_driver ahci
hvm_burn 1

note "a second controller, while it runs"
hvm_disc 32 second
xenoptic attach h1 drive=virtual:second bus=ide slot=9
guest h1 'echo 1 >/sys/bus/pci/rescan; udevadm settle'
hvm_driver ata_generic sr1
hvm_burn 1 sr1
xenoptic list
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
for drive in disc second; do
	wait_until 30 eval "xenoptic list | grep -E '^virtual:$drive +unused'" || fail "$drive: $(xenoptic list)"
done
no_nodes
