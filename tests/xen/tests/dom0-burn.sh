# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: tgt's DVD+R burner is Dom0's /dev/srN: xorriso burns, the disc reads back equal
# time: 240

tgt_drive 1
note "the burner is $DRIVE, $DRIVE_SG"
sg_inq "$DRIVE"
make_iso in.iso 8 1
burn_xorriso "$DRIVE" in.iso
# The disc's file is the independent reader; the block device follows after a medium change.
same_as in.iso "$DRIVE_DISC"
tgt_reload 1
same_as in.iso "$DRIVE"
