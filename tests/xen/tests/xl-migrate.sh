# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xl migrate of a PVH guest to this host: the same UUID inherits the drive, twice
# time: 400
#
# Not a PV guest: Debian's Xen has no shadow page tables, by which it would know what such a guest writes meanwhile.

xenoptic_start
xl_disc
xl_lines "drive=virtual:disc"
guest_start g1 pvh "${XL_LINES[@]}"
guest_drive g1
xl_reads g1
for _ in 1 2; do
	old=$(xl domid g1)
	xl migrate -s '' g1 'exec xl migrate-receive' # without ssh: xl(1)
	[ "$(xl domid g1)" != "$old" ] || fail "it did not move"
	guest_again g1
	wait_until 30 xl_reads g1 || {
		guest g1 'dmesg | tail -n 20'
		fail "the drive after the migration: $(xenoptic list)"
	}
	wait_until 20 eval "! xenstore-exists /local/domain/0/backend/optical/$old" || fail "nodes of domain $old"
done
xenoptic list
no_errors g1 3
guest_destroy g1
wait_until 20 no_nodes
