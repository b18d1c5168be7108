# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: eject, medium change and door of the host's drive in an HVM guest by IDE
# when: full
# time: 900

qemu_cd_plug guest
xenoptic_start "[drive $DRIVE_LINK]" 'poll-ms = 300'
hvm_guest h1 "drive=$DRIVE_LINK,bus=ide"
hvm_driver ata_generic
hvm_host_drive /dev/sr0
note "the guest vanishes with the door locked"
hvm_host_drive_left
