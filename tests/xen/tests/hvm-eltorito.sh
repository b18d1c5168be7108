# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: SeaBIOS boots a small El Torito ISO from the emulated AHCI and IDE drives; GRUB reads a file from it
# time: 400

xenoptic_start
for bus in ahci ide; do hvm_grub "$bus" "$bus.serial"; done
