# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: two lines in xl's configuration: a stock PVH guest has the drive from its start, burns, and has it after xl reboot
# time: 500

xenoptic_start
hvm_disc 16
xl_lines "drive=virtual:disc"
guest_start g1 pvh "${XL_LINES[@]}"
guest_drive g1
guest_iso g1 3 1
guest_burn g1
begins_with_iso "$DISC" || fail "the disc is not what was burned"
old=$(xl domid g1)
xl reboot g1
wait_until 60 eval "[ \"\$(xl domid g1)\" -gt $old ]" || fail "no new domain"
guest_again g1
guest_drive g1
xl_reads g1 || fail "the guest reads other data"
no_errors g1
guest_destroy g1
wait_until 20 no_nodes
