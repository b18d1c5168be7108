# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the drive of xl's two lines outlives the guest's reboot, xl reboot, save and restore, also with a late launcher
# time: 600

xenoptic_start
xl_disc
xl_lines "drive=virtual:disc"

# outlives TYPE
outlives() {
	local how old late
	guest_start g1 "$1" "${XL_LINES[@]}"
	guest_drive g1
	xl_reads g1
	for how in "guest g1 reboot" "xl reboot g1"; do
		old=$(xl domid g1)
		$how || : # the guest ends under the command
		wait_until 60 eval "[ \"\$(xl domid g1)\" -gt $old ]" || fail "no new domain after $how"
		guest_again g1
		guest_drive g1
		xl_reads g1 || fail "the drive after $how: $(xenoptic list)"
	done
	# A guest that is restored finds its nodes when it resumes: it is held until the launcher has made them.
	for late in '' late; do
		guest g1 'dmesg -C'
		xl save g1 g1.save
		wait_until 20 no_nodes || fail "nodes of a saved guest: $(xenstore-ls -f | grep -E 'optical|vscsi')"
		[ -z "$late" ] || kill -STOP "$(pidof xenopticd)"
		xl restore g1.save
		if [ -n "$late" ]; then
			sleep 2 # so late is the launcher; nothing is waited for
			no_nodes || fail "the launcher was to stand still"
			kill -CONT "$(pidof xenopticd)"
		fi
		guest_again g1
		wait_until 30 xl_reads g1 || {
			guest g1 'dmesg | tail -n 20'
			fail "the drive after restore $late: $(xenoptic list)"
		}
		no_errors g1
	done
	guest_destroy g1
	wait_until 20 no_nodes
}

outlives pv
[ -z "${XO_FULL-}" ] || outlives pvh
