# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: medium changes, eject, door and unplugging of the host's drive reach the guest, in order; who holds a drive is named
# time: 600
#
# QEMU's CD-ROM is the drive, by its stable name. The guest's kernel must not poll: each event is told once, and here the
# guest asks by itself, through /dev/sgN, which looks at nothing.

qemu_cd_plug guest
xenoptic_start '[xenopticd]' 'open-timeout = 2' "[drive $DRIVE_LINK]" 'poll-ms = 300'
guest_start g1 pv

# Somebody has it for himself.
hold() {
	perl -MFcntl -e 'sysopen(F, $ARGV[0], O_RDWR | O_EXCL | O_NONBLOCK) or die "$!"; print "held\n"; close STDOUT; sleep $ARGV[1]' \
		"$DRIVE" "$1" >held &
	HOLDER=$!
	undo kill $HOLDER
	wait_until 20 grep -q held held
}
hold 1000
not xenoptic attach g1 "drive=$DRIVE_LINK" 2>refused
cat refused
grep "busy, held by perl (pid $HOLDER)" refused
kill $HOLDER
wait_until 20 no_nodes

xenoptic attach g1 "drive=$DRIVE_LINK"
guest_drive g1
# shellcheck disable=SC2016 # the guest expands it
guest g1 'echo 0 >/sys/block/sr0/events_poll_msecs; g=/dev/$(basename /sys/block/sr0/device/scsi_generic/*)
cat >/tmp/event <<END
sg_raw -b -o /tmp/e -r 8 $g 4a 01 00 00 10 00 00 00 08 00 2>/dev/null; od -An -tx1 -j4 -N1 /tmp/e
END
cat >/tmp/tur <<END
sg_raw $g 00 00 00 00 00 00 2>&1 | grep -E "Good|key|Additional|NO_CONNECT" | tr "\\n" " "; echo
END
cat >/tmp/raw <<END
sg_raw $g \$*
END
chmod +x /tmp/event /tmp/tur /tmp/raw; /tmp/event; /tmp/tur; /tmp/event'
# asks event|tur WORD…: the guest asks once for each of them, and that is the answer.
asks() {
	local what=$1 answer word
	shift
	for word; do
		answer=$(guest g1 "/tmp/$what")
		note "$what: $answer"
		grep -qE "$word" <<<"$answer" || fail "$what: expected $word"
	done
}
asks event 00
# udev in the guest has locked the door, and would answer an eject request by itself.
guest g1 "pkill -9 udevd; /tmp/raw 1e 00 00 00 00 00" >/dev/null 2>&1
same_data() { [ "$(guest g1 'head -c 1000000 /dev/sr0 | md5sum')" = "$(head -c 1000000 "$1" | md5sum)" ]; }
same_data /dev/vdc

# The tray opens. This drive has no event to tell of an open tray, and keeps what it has until the tray is closed; our poll
# then has it before the guest asks, and keeps it.
qmp blockdev-open-tray '{"id":"cd"}' >/dev/null
wait_until 60 drive_says "$DRIVE_LINK" absent
asks event 00
asks tur 'Unit Attention' 'Not Ready.*Medium not present' 'Not Ready.*Medium not present'
qemu_cd_load test
wait_until 60 drive_says "$DRIVE_LINK" present
asks event 02 00
asks tur 'Unit Attention' 'Unit Attention.*medium may have changed|Good' Good
same_data /dev/vdb

# The guest locks the door: the drive's button asks the guest.
guest g1 '/tmp/raw 1e 00 00 00 01 00' >/dev/null 2>&1
wait_until 20 qemu_cd_is locked
qmp blockdev-open-tray '{"id":"cd"}' 2>/dev/null || :
not qemu_cd_is tray_open
asks event 01 00
guest g1 '/tmp/raw 1e 00 00 00 00 00; eject /dev/sr0'
qemu_cd_is tray_open
qemu_cd_load guest
wait_until 60 drive_says "$DRIVE_LINK" present
guest g1 'for i in 1 2 3; do /tmp/event; /tmp/tur; done'
same_data /dev/vdc

# Unplugged while it is read, and plugged in again.
guest_bg g1 'while dd if=/dev/sr0 of=/dev/null bs=64k count=100 iflag=direct 2>/dev/null; do echo >/tmp/reads; done'
wait_until 120 guest g1 'test -s /tmp/reads'
qemu_cd_unplug
wait "$BG" || :
asks tur NO_CONNECT
wait_until 20 drive_says "$DRIVE_LINK" unplugged
qemu_cd_plug guest
wait_until 60 eval '! drive_says "$DRIVE_LINK" unplugged'
asks tur 'Unit Attention.*Power on' 'Unit Attention.*medium may have changed' Good
same_data /dev/vdc

# A guest that locked the door and vanished leaves it unlocked.
guest g1 '/tmp/raw 1e 00 00 00 01 00' >/dev/null 2>&1
wait_until 20 qemu_cd_is locked
guest_destroy g1
wait_until 30 eval "xenoptic list | grep -E '^$DRIVE_LINK +unused'"
not qemu_cd_is locked
no_nodes
