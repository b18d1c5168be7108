# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the burning programs of an HVM guest on each medium by AHCI, discs compared, audio ripped; DVD+R of tgt's drive; no complaint in dmesg
# when: full
# time: 2400

hvm_matrix ahci ahci
