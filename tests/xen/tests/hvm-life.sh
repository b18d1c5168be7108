# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: an HVM guest's AHCI drive outlives ioemu, drive process and launcher killed in mid-burn, the guest's reboot, save and restore; nothing is left after xl destroy in a burn
# when: full
# time: 1200

KILL_SEED=3
seeded_kills 12 6000 ioemu.{taken,done,committed,answered} >points # at each access; SeaBIOS makes some thousands
seeded_kills 10 250 ioemu.{sent,replied,completed,mapped} >>points
seeded_kills 10 150 drive.{received,accepted,issued,result,done,replied,freed} >>points

hvm_disc_again() {
	hvm_disc 32
	wait_until 60 guest h1 'sg_turs /dev/sr0 && udevadm settle'
}
written() { [ "$(stat -c %s "$DISC")" -ge "$1" ]; }
# As SG_IO of 64 KiB; what was read stays in /tmp/out.
reads() {
	local sum
	sum=$(guest h1 "rm -f /tmp/out; sg_dd if=/dev/sr0 blk_sgio=1 bs=2048 bpt=32 count=$((ISO_SIZE / 2048)) of=/tmp/out 2>/tmp/sg_dd; sha256sum </tmp/out")
	[ "$sum" = "$ISO_SUM  -" ] || {
		guest h1 'cat /tmp/sg_dd; ls -l /tmp/out; cmp /tmp/out /tmp/in.iso; dmesg | tail -n 10' || :
		return 1
	}
}

XO_ENV=("XENOPTIC_KILL=$(paste -sd, points)")
xenoptic_start "[xenopticd]" "restart-limit = 1000"
hvm_disc 32
hvm_guest h1 drive=virtual:disc,bus=ahci
hvm_driver ahci
note "killed in a burn"
guest_iso h1 4 1
guest_bg h1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso 2>&1 | tail -n 3'
burn=$BG
wait_until 200 written 1000000
xenoptic_kill
wait_until 200 written 2000000
xenoptic_kill xenoptic-ioemu xenoptic-drive
wait "$burn" || fail "the burn ended with $?"
note "$(xenoptic_log | grep -c 'dies at') workers died"
xenoptic_log | grep -q 'ioemu.*dies at' || fail "no ioemu died"
begins_with_iso "$DISC" || fail "the disc is not what was burned"
reads || fail "the guest reads other data"
hvm_clean_dmesg

note "the guest's own reboot"
old=$(xl domid h1)
guest h1 reboot || :
wait_until 120 eval "[ \"\$(xl domid h1)\" -gt $old ]" || fail "no new domain"
guest_again h1 600
hvm_driver ahci
reads || fail "the guest reads other data after its reboot"

note "saved and restored, without any file of ours between"
xl save h1 h1.save
wait_until 30 eval "xenoptic list | grep -E '^virtual:disc +unused'" || fail "$(xenoptic list)"
systemctl stop xenopticd
pkill -9 xenoptic || : # the keeper and the drives wait for the next daemon
rm -rf /var/lib/xenoptic/* /run/xenoptic/*
systemctl start xenopticd
xenoptic_answers
xenoptic disc insert virtual:disc "$DISC" # no file of ours remembers it
xl restore h1.save
guest_again h1 600
wait_until 60 reads || fail "the guest reads other data after restore: $(guest h1 'dmesg | tail -n 20')"

note "destroyed in a burn"
hvm_disc_again
guest_iso h1 4 1 # the first went with the reboot
guest_bg h1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso 2>&1 | tail -n 12'
wait_until 200 written 1000000 || fail "no burn: $(guest h1 'dmesg | tail -n 10')"
guest_destroy h1
wait_until 60 eval "xenoptic list | grep -E '^virtual:disc +unused'" || fail "$(xenoptic list)"
not pgrep xenoptic-ioemu
no_nodes
xenoptic disc eject virtual:disc
