# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: wodim, cdrskin, xorriso, growisofs and cdrdao of a stock PV guest on each medium of the virtual burner, each disc compared; audio ripped
# time: 1400

burn_guest=g1 burn_drive=virtual:burner
burn_begin 1024
xenoptic_start
guest_start g1 pv
xenoptic attach g1 drive=virtual:burner
guest_drive g1
xenoptic_shut_in
burn_hand_in
# ERR traps and -e do not reach into a condition: a failed row is said, and the others run.
matrix_run vscsi -v pure=1 -v pairs="program medium way" || fail "a row of the table"
no_errors g1
xenoptic detach g1
guest_destroy g1
