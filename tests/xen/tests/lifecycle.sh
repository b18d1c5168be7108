# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a guest is shut down, crashes, is destroyed while it burns on one drive and reads from another: no zombie, no node, both drives free
# time: 500

# busy NAME: a guest that burns on its first drive, whose door is locked, and reads from its second.
busy() {
	xenoptic disc new "$PWD/$1.disc" --type dvd+r
	xenoptic disc insert virtual:burner "$PWD/$1.disc"
	guest_start "$1" pv 'on_crash = "destroy"'
	xenoptic attach "$1" drive=virtual:burner
	xenoptic attach "$1" drive=virtual:reader mode=ro
	guest_drive "$1"
	guest_drive "$1" /dev/sr1
	guest_iso "$1" 8 1
	guest "$1" 'udevadm settle; while :; do dd if=/dev/sr1 of=/dev/null bs=64k iflag=direct && echo >>/tmp/reads; done 2>/dev/null >/dev/null </dev/null &'
	guest_bg "$1" 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso >/dev/null 2>&1'
	wait_until 90 eval "[ \"\$(stat -c %s $1.disc)\" -gt 1000000 ]"
	wait_until 60 guest "$1" 'test -s /tmp/reads'
	xenoptic list
}

# free_again NAME: everything that it had is given back, and the doors open.
free_again() {
	local drive
	wait_until 120 guest_gone "$1"
	wait_until 20 no_nodes
	for drive in burner reader; do
		wait_until 30 eval "xenoptic list | grep -E '^virtual:$drive +unused'" || fail "$drive: $(xenoptic list)"
	done
	not pgrep xenoptic-ring
	not begins_with_iso "$1.disc"
	xenoptic disc eject virtual:burner
	wait "$BG" || : # the console's client, which ends with the guest
}

xenoptic_start '[drive virtual:burner]' 'speed = 500'
make_iso reader.iso 2 3
xenoptic disc insert virtual:reader "$PWD/reader.iso"

note "xl shutdown"
busy g1
xl shutdown g1
free_again g1

note "a crash"
busy g2
guest g2 'echo c >/proc/sysrq-trigger' || :
free_again g2

note "xl destroy"
busy g3
begun=$SECONDS
xl destroy g3
note "xl destroy took $((SECONDS - begun)) s"
free_again g3

# What was burning is closed as the medium allows: the discs have what was written, and say so.
for name in g1 g2 g3; do xenoptic disc info "$PWD/$name.disc"; done
xenoptic disc eject virtual:reader
