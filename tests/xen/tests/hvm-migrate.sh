# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xl migrate of an HVM guest with an AHCI drive to this host, twice; one that fails when the guest was stopped already leaves it as it was
# when: full
# time: 900

xenoptic_start
xl_disc
hvm_guest h1 drive=virtual:disc,bus=ahci
hvm_driver ahci
xl_reads h1 || fail "the guest reads other data"

# Its receiver has taken the whole stream when it finds that the domain cannot be made.
migration_fails() {
	local old
	old=$(xl domid h1)
	sed 's|bus=ahci|bus=floppy|' h1.cfg >broken.cfg # which the device model refuses there
	not xl migrate -C broken.cfg -s '' h1 'exec xl migrate-receive'
	[ "$(xl domid h1)" = "$old" ] || fail "the guest is not where it was: $(xl list)"
	wait_until 60 xl_reads h1 || fail "the drive after a failed migration: $(xenoptic list; guest h1 'dmesg | tail -n 20')"
}

note "a migration that fails"
migration_fails

note "two that do not"
for _ in 1 2; do
	old=$(xl domid h1)
	xl migrate -s '' h1 'exec xl migrate-receive' # without ssh: xl(1)
	[ "$(xl domid h1)" != "$old" ] || fail "it did not move"
	guest_again h1 600
	wait_until 60 xl_reads h1 || fail "the drive after the migration: $(xenoptic list; guest h1 'dmesg | tail -n 20')"
	wait_until 20 eval "! xenstore-exists /local/domain/0/backend/optical/$old" || fail "nodes of domain $old"
	[ "$(pgrep -c -x xenoptic-ioemu)" = 1 ] || fail "workers left: $(pgrep -a xenoptic-ioemu)"
done

note "one that fails, then"
migration_fails
guest_destroy h1
wait_until 20 no_nodes
not pgrep xenoptic-ioemu
