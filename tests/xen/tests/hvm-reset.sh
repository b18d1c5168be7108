# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest that crashes and one that resets itself, in a burn by AHCI with an IDE drive beside it: nothing is left of the old domain, the next boot has both drives
# when: full
# time: 1200

# blank: another disc in the drive by AHCI; the guest, whose udev has locked the door, opens it.
blank() {
	[ -z "${DISC-}" ] || guest h1 "udevadm settle; eject $ahci"
	hvm_disc 32
	wait_until 60 guest h1 "sg_turs $ahci && udevadm settle"
}

# begun BYTES: a burn by AHCI that has written that much; BURN is its client.
begun() {
	blank
	guest_iso h1 4 1
	guest_bg h1 "xorriso -as cdrecord -v dev=$ahci -tao /tmp/in.iso 2>&1 | tail -n 3"
	BURN=$BG
	wait_until 200 written "$1" || fail "no burn: $(guest h1 'dmesg | tail -n 10')"
}
written() { [ "$(stat -c %s "$DISC")" -ge "$1" ]; }

# both: which drive is which; both are driven, and the disc by IDE is read.
both() {
	wait_until 120 guest h1 'test -b /dev/sr0 && test -b /dev/sr1' || fail "not both drives: $(guest h1 'dmesg | tail -n 20')"
	hvm_drives | tee drives
	ahci=$(awk '$2 == "ahci" { print $1 }' drives)
	ide=$(awk '$2 == "ata_generic" { print $1 }' drives)
	wait_until 60 eval "[ \"\$(guest h1 'head -c $FULL_SIZE $ide | sha256sum')\" = '$FULL_SUM' ]" ||
		fail "other data by IDE: $(guest h1 'dmesg | tail -n 20')"
}

# gone DOMID: all that the domain had is let go, and what has the drives now is the next one.
gone() {
	wait_until 120 eval "[ \"\$(xl domid h1)\" -gt $1 ]" || fail "no new domain: $(xl list)"
	not xenstore-ls "/local/domain/0/backend/optical/$1"
	wait_until 20 eval '[ "$(pgrep -c xenoptic-ioemu)" = 2 ]' || fail "$(pgrep -a xenoptic-ioemu)"
	not eval "xl list | grep '(null)'"
	wait "$BURN" 2>/dev/null || :
	guest_again h1 600
}

xenoptic_start
make_iso full.iso 2 5
FULL_SIZE=$(stat -c %s full.iso) FULL_SUM=$(sha256sum <full.iso)
xenoptic disc insert virtual:full "$PWD/full.iso"
GUEST_CRASH=restart hvm_guest h1 'drive=virtual:disc,bus=ahci", "-optical", "drive=virtual:full,bus=ide'
both

note "a crash in a burn"
begun 1000000
old=$(xl domid h1)
guest h1 'echo c >/proc/sysrq-trigger' || :
gone "$old"
both

note "a reset in a burn"
begun 1000000
old=$(xl domid h1)
guest h1 'echo b >/proc/sysrq-trigger' || :
gone "$old"
both

note "and the next burn is whole"
blank
hvm_burn 4 "$ahci"
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
wait_until 30 eval "xenoptic list | grep -E '^virtual:disc +unused'" || fail "$(xenoptic list)"
no_nodes
