# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the burning programs of an HVM guest on each medium by IDE, discs compared, audio ripped; DVD+R of tgt's drive; no complaint in dmesg
# when: full
# time: 3600

hvm_matrix ide ata_generic
