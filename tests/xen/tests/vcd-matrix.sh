# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the burning programs of a guest with xen-cdfront on each medium of the virtual burner, each disc compared; audio ripped
# time: 1800
# when: full

burn_guest=g1 burn_drive=virtual:burner
burn_begin 1024
xenoptic_start
cdfront_start g1
xenoptic attach g1 drive=virtual:burner bus=vcd
guest_drive g1
guest g1 'dmesg -C'
xenoptic_shut_in
burn_hand_in
burn_ways=vcd
matrix_run vcd -v pure=1 -v pairs="program medium way" || fail "a row of the table"
no_errors g1
cdfront_clean g1
xenoptic detach g1
guest_destroy g1
