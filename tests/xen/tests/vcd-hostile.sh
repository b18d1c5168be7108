# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront outlives a backend that breaks the protocol: the device fails, the guest lives and says why
# time: 600
# when: full

# provoke NUMBER MODE [SECONDS [COMMANDS]]: a rogue backend for device NUMBER (tools/rogue.c); the command that provokes it
# ends, however. It may take so long; there may be several of it at once.
provoke() {
	local number=$1 mode=$2 domid
	domid=$(xl domid g1)
	"$XO_BIN/rogue" "$domid" "$number" "$mode" >"rogue.$mode" 2>&1 &
	ROGUE=$!
	wait_until 60 guest g1 'test -c /dev/sg0' || fail "$mode: no drive: $(cat "rogue.$mode")"
	guest g1 "dmesg -C; for i in \$(seq ${4:-1}); do
		{ timeout 60 sg_raw -t ${3:-3} -r 64 /dev/sg0 bd 00 00 00 00 00 00 00 00 40 00 00; echo \"status \$?\"; } & done; wait" >"guest.$mode" 2>&1
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

# says NUMBER TEXT: the guest's log says this of device NUMBER; a regular expression.
says() {
	guest g1 "dmesg | grep 'vcd-$1: '" >said || :
	cat said
	grep -qE "vcd-$1: ($2)" said || fail "the guest does not say: $2"
}

# gone NUMBER: the device is switched off, and its state says so.
gone() {
	local number=$1 domid
	domid=$(xl domid g1)
	wait_until 60 guest g1 '! test -c /dev/sg0' || fail "the drive is still there"
	wait_until 60 eval '[ "$(xenstore-read "/local/domain/$domid/device/vcd/$number/state")" = 6 ]' || fail "the device is not closed"
}

number=0
cdfront_start g1 eh_timeout=2
guessed='the backend answered a request that was not made'
counted='the backend answered more requests than there were'
silent='the backend does not answer, and not to a reset'
# What the guest's log says, and the store.
while IFS=: read -r mode commands text <&3; do
	note "$mode"
	provoke $number "$mode" 3 "$commands"
	gone $number
	says $number "($text); the drive is switched off"
	wait_until 10 eval 'xenstore-read "/local/domain/$(xl domid g1)/error/device/vcd/$number/error" | tee error | grep -qE "$text"' ||
		fail "the store does not say: $text: $(cat error)"
	unplug $number
	number=$((number + 1))
done 3<<END
wrong-id:1:$guessed
idle-id:1:$guessed
repeat:1:$guessed|$counted
overrun:1:$counted
backwards:1:$counted
flicker:1:$guessed|$counted|the backend moves its index to and fro
silent:1:$silent
vanish:1:$silent
unanswered:1:the backend answered an abort before the command
hasty:2:the backend answered a reset before the commands
END

while IFS=: read -r mode text <&3; do
	note "$mode: the device goes on"
	provoke $number "$mode" 20
	says $number "$text"
	guest g1 'sg_inq /dev/sg0 | grep ROGUE'
	unplug $number
	number=$((number + 1))
done 3<<END
lengths:the backend leaves 4294967295 of 64 bytes, with 255 of sense
storm:the backend sends events without a response
END

note "states"
provoke $number states
gone $number
says $number "the backend has closed"
unplug $number
number=$((number + 1))

note "unplug"
provoke $number unplug
wait_until 60 guest g1 '! test -c /dev/sg0' || fail "the drive is still there"
says $number "the device is gone"
unplug $number
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
