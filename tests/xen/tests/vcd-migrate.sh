# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a PVH guest with xen-cdfront is migrated to this host while it reads, and in mid-burn: readers go on, a burn ends with an error, the drive works
# time: 900
# when: full
#
# Not a PV guest: Debian's Xen has no shadow page tables, by which it would know what such a guest writes meanwhile.

# migrate: g1 goes to another domain of this host, of which nothing is left.
migrate() {
	local old
	old=$(xl domid g1)
	xl migrate -s '' g1 'exec xl migrate-receive' # without ssh: xl(1)
	[ "$(xl domid g1)" != "$old" ] || fail "it did not move"
	guest_again g1
	guest_drive g1
	wait_until 20 eval "! xenstore-ls -f | grep -E '/backend/[^/]+/$old/|/local/domain/$old/'" || fail "nodes of domain $old"
	wait_until 20 eval '[ "$(pgrep -c -x xenoptic-ring)" = 1 ]' || fail "workers left: $(pgrep -a xenoptic)"
	guest_gone g1--incoming || fail "domains left: $(xl list)"
}

# passes WORD: so many times the guest's reader has had that end: equal, other or error.
passes() { guest g1 "grep -c '^$1' /tmp/passes || true"; }

# passes_more THAN: it reads on.
passes_more() { [ "$(passes equal)" -gt "$1" ]; }

# another_disc: a blank one instead of what g1 has. The guest is asked for the tray and opens it: the request is counted
# (xenstore-schemas/optical.json), and must not come again with the next backend. Not by udev, which opens it for each of
# the two ways that tell of one request, by then with the new disc.
another_disc() {
	guest g1 'udevadm settle; pkill -9 udevd; eject -i on /dev/sr0'
	not xenoptic disc eject virtual:disc
	guest g1 'eject -i off /dev/sr0; eject /dev/sr0'
	wait_until 60 drive_says virtual:disc absent || fail "the tray is closed: $(xenoptic list)"
	hvm_disc 32
	wait_until 60 guest g1 'sg_turs /dev/sr0' || fail "no new disc: $(xenoptic list; guest g1 'sg_turs -v /dev/sr0 2>&1')"
	guest g1 '/lib/systemd/systemd-udevd --daemon; udevadm settle'
}

written() { [ "$(stat -c %s "$DISC")" -ge "$1" ]; }

xenoptic_start "[drive virtual:disc]" "speed = 200" # so that a migration is shorter than what it interrupts
xl_disc
xl_lines "drive=virtual:disc,bus=vcd"
CDFRONT_TYPE=pvh cdfront_start g1
guest_drive g1
xl_reads g1

note "while it reads"
guest g1 "cat >/tmp/loop <<'END'
#!/bin/sh
while :; do
	if ! dd if=/dev/sr0 of=/tmp/out bs=64k count=$((ISO_SIZE / 65536)) iflag=direct 2>/tmp/error; then
		echo \"error: \$(head -n 1 /tmp/error)\"
		sleep 1
	elif [ \"\$(sha256sum </tmp/out)\" = '$(head -c $((ISO_SIZE / 65536 * 65536)) disc.iso | sha256sum)' ]; then
		echo equal
	else
		echo other
	fi
done
END
chmod +x /tmp/loop; nohup /tmp/loop >/tmp/passes 2>&1 &"
wait_until 60 passes_more 0 || fail "it does not read: $(guest g1 'cat /tmp/passes')"
for _ in 1 2; do
	guest g1 'dmesg -C'
	errors=$(passes error)
	migrate
	equal=$(passes equal)
	wait_until 120 passes_more "$equal" || fail "it does not read on: $(guest g1 'cat /tmp/passes; dmesg | tail -n 20')"
	note "errors: $(($(passes error) - errors))"
	[ "$(passes other)" = 0 ] || fail "the guest read other data"
	# One is the disc that may be another; the reading that it breaks off is tried again.
	[ "$(passes error)" -le $((errors + 1)) ] || fail "errors: $(guest g1 'cat /tmp/passes; dmesg | tail -n 20')"
	cdfront_clean g1
done
guest g1 'pkill -x loop; pkill -x dd || :'
wait_until 20 guest g1 '! pgrep -x dd' || fail "a reader hangs: $(guest g1 'ps -eo stat,args | grep sr0')"

note "in mid-burn"
another_disc
guest_iso g1 16 1
guest g1 'nohup sh -c "xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso >/tmp/burn.log 2>&1; echo \$? >/tmp/burn.code" >/dev/null 2>&1 &'
wait_until 120 written 500000 || fail "no burn: $(guest g1 'tail -n 5 /tmp/burn.log')"
migrate
wait_until 300 guest g1 'test -s /tmp/burn.code' || fail "the burn hangs: $(guest g1 'tail -n 5 /tmp/burn.log; dmesg | tail -n 10')"
code=$(guest g1 'cat /tmp/burn.code')
guest g1 "tr '\r' '\n' </tmp/burn.log | grep -v UPDATE | tail -n 12"
guest g1 'dmesg | tail -n 10'
note "the burn ended with $code"
# The drive's hand-over has ended the session (drive/handover.c): the program is told of an error, by whichever command.
[ "$code" != 0 ] || fail "a burn that was broken off ended well"
guest g1 "grep -E 'SCSI error|FAILURE' /tmp/burn.log" || fail "the program does not say why"
drive_says virtual:disc present || fail "the guest has opened the tray: $(xenoptic list)"
[ "$(guest g1 'head -c 500000 /tmp/in.iso | sha256sum')" = "$(head -c 500000 "$DISC" | sha256sum)" ] || fail "other data on the disc"
cdfront_clean g1

note "and the drive burns another disc"
another_disc
guest_iso g1 2 2
guest_burn g1 | tail -n 3
begins_with_iso "$DISC" || fail "the disc is not what was burned"
guest_reads_back g1 || fail "the guest reads other data"
cdfront_clean g1
guest_destroy g1
wait_until 20 no_nodes
