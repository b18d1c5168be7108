# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront outlives a backend that breaks the protocol: the device fails, the guest lives and says why
# time: 600
# when: full

# provoke NUMBER MODE: a rogue backend for device NUMBER (tools/rogue.c); the command that provokes it ends, however.
provoke() {
	local number=$1 mode=$2 domid
	domid=$(xl domid g1)
	"$XO_BIN/rogue" "$domid" "$number" "$mode" >"rogue.$mode" 2>&1 &
	ROGUE=$!
	wait_until 60 guest g1 'test -c /dev/sg0' || fail "$mode: no drive: $(cat "rogue.$mode")"
	guest g1 'dmesg -C; timeout 60 sg_raw -t 3 -r 64 /dev/sg0 bd 00 00 00 00 00 00 00 00 40 00 00; echo "status $?"' >"guest.$mode" 2>&1
	grep -q provoked "rogue.$mode"
	grep "status" "guest.$mode"
	not grep -q "status 124" "guest.$mode"
}

# Takes the device away, as a toolstack does that lost its backend.
unplug() {
	local number=$1 domid
	domid=$(xl domid g1)
	kill "$ROGUE" 2>/dev/null || :
	wait "$ROGUE" || :
	xenstore-rm "/local/domain/$domid/device/vcd/$number" "/local/domain/0/backend/rogue/$domid/$number" || :
	wait_until 30 guest g1 '! test -c /dev/sg0' || fail "the drive stays"
}

# The device is switched off, the guest's log says why, and so does the store.
failed() {
	local number=$1 text=$2 domid
	domid=$(xl domid g1)
	wait_until 60 guest g1 '! test -c /dev/sg0' || fail "the drive is still there"
	guest g1 'dmesg | grep xen-cdfront || dmesg | grep vcd' | tee said
	grep -q "$text" said || fail "the guest does not say: $text"
	wait_until 10 eval '[ "$(xenstore-read "/local/domain/$domid/device/vcd/$number/state")" = 6 ]'
}

number=0
cdfront_start g1 eh_timeout=2
for row in "wrong-id:not made" "idle-id:not made" "repeat:." "overrun:more requests than" "backwards:." "flicker:." \
	"silent:does not answer" "unanswered:before the command"; do
	note "$row"
	provoke $number "${row%%:*}"
	failed $number "${row#*:}"
	unplug $number
	number=$((number + 1))
done
for mode in lengths storm; do
	note "$mode: the device goes on"
	provoke $number $mode
	guest g1 'sg_inq /dev/sg0 | grep ROGUE'
	unplug $number
	number=$((number + 1))
done
for mode in states vanish unplug; do
	note "$mode"
	provoke $number $mode
	unplug $number
	number=$((number + 1))
done
cdfront_clean g1

# It has a drive of an honest backend afterwards, and the driver can go.
xenoptic_start
xenoptic disc new "$PWD/disc1" --type dvd+r
xenoptic attach g1 drive=virtual:v1 bus=vcd
guest_drive g1
guest g1 'sg_inq /dev/sr0'
cdfront_unload g1
cdfront_clean g1
guest_destroy g1
