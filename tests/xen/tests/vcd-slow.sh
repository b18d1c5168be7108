# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront and time: a CLOSE of 40 s and a BLANK of 90 s end well, a BLANK of 40 s with the sense of the drive; one whose time is over is aborted
# time: 900
# when: full

# Discs of the virtual drive cannot be blanked: that of v2 is said to be.
xenoptic_start '[drive virtual:v1]' 'trace = yes' 'delay = 5b=40000,a1=40000,2b=30000' \
	'[drive virtual:v2]' 'trace = yes' 'delay = a1=90000' 'fault = 1:1000:good:a1'
xenoptic disc new "$PWD/disc1" --type cd-r
xenoptic disc new "$PWD/disc2" --type cd-r
cdfront_start g1
xenoptic attach g1 drive=virtual:v1 bus=vcd
xenoptic disc insert virtual:v1 "$PWD/disc1"
guest_drive g1
xenoptic attach g1 drive=virtual:v2 bus=vcd
xenoptic disc insert virtual:v2 "$PWD/disc2"
guest_drive g1 /dev/sr1
guest_raw g1
guest g1 'udevadm settle; dmesg -C'
# How often the drive has carried out that operation code.
traced() { xenoptic_log | grep -c "cdb=$1" || :; }

note "a BLANK, far longer than sr's own commands may take; meanwhile the guest polls, and the other drive burns"
guest g1 'cat /sys/block/sr1/device/timeout; echo 2000 >/sys/block/sr1/events_poll_msecs'
[ "$(guest g1 'cat /sys/block/sr1/device/timeout')" -le 60 ]
guest_bg g1 'begun=$(cut -d. -f1 /proc/uptime); /tmp/raw sr1 300 a1 00 00 00 00 00 00 00 00 00 00 00
	echo "it took $(($(cut -d. -f1 /proc/uptime) - begun)) s"' >blanked
blank=$BG
wait_until 20 drive_says virtual:v2 BLANK || fail "no BLANK: $(xenoptic list)"

note "a program's CLOSE, beside the guest's own polling, which waits for it as long as it may"
guest_iso g1 2 3
begun=$SECONDS
guest g1 'wodim -s gracetime=0 dev=/dev/sr0 -tao /tmp/in.iso 2>&1 | tail -n 3; echo "wodim: ${PIPESTATUS[0]}"' | tee burned
note "it took $((SECONDS - begun)) s"
[ $((SECONDS - begun)) -ge 40 ]
grep -q 'wodim: 0' burned
begins_with_iso disc1
guest g1 'dmesg | tail -n 5'
wait "$blank"
cat blanked
grep 'ended well' blanked
[ "$(sed -n 's/^it took \([0-9]*\) s$/\1/p' blanked)" -ge 90 ] || fail "the BLANK was too short"
[ "$(traced a1)" = 1 ] || fail "the trace does not tell: $(xenoptic_log | tail -n 12)"
guest g1 '! dmesg | grep -iE "abort|timed out|timing out|reset|offline|sr 1.*(FAILED|hostbyte)"'

note "a BLANK: the drive refuses it, when it has taken its time"
begun=$SECONDS
guest g1 '/tmp/raw sr0 300 a1 01 00 00 00 00 00 00 00 00 00 00; true' | tee blank
[ $((SECONDS - begun)) -ge 40 ]
grep -i 'illegal request' blank
guest g1 '/tmp/raw sr0 60 00 00 00 00 00 00' | grep 'ended well'

# The guest's udev and its polling would take part.
guest g1 'udevadm settle; pkill -9 udevd; echo 0 >/sys/block/sr0/events_poll_msecs'

note "a command in the drive, which nothing can stop: it ends as timed out when the drive has done with it"
begun=$SECONDS
guest g1 '/tmp/raw sr0 5 2b 00 00 00 00 00 00 00 00 00; true' | tee seek
grep -iE 'time.?out|abort' seek
[ $((SECONDS - begun)) -ge 25 ]
guest g1 '/tmp/raw sr0 60 00 00 00 00 00 00' | grep 'ended well'

note "one that waits behind it: it ends at once, and never reaches the drive"
guest_bg g1 '/tmp/raw sr0 300 2b 00 00 00 00 00 00 00 00 00 >/tmp/seek; echo >>/tmp/seek'
seek=$BG
before=$(traced 5c)
wait_until 20 drive_says virtual:v1 SEEK || fail "no SEEK: $(xenoptic list)"
guest g1 '/tmp/raw sr0 3 5c 00 00 00 00 00 00 00 00 00; true' | tee waited
grep -iE 'time.?out|abort' waited
drive_says virtual:v1 SEEK || fail "it waited for the drive: $(xenoptic list)"
wait "$seek"
guest g1 'cat /tmp/seek' | grep 'ended well'
[ "$(traced 2b)" = 2 ] || fail "the trace does not tell: $(xenoptic_log | tail -n 12)"
[ "$(traced 5c)" = "$before" ] || fail "the drive got a command that was aborted"
guest g1 '/tmp/raw sr0 60 00 00 00 00 00 00' | grep 'ended well'
guest g1 'test "$(cat /sys/block/sr0/device/state)" = running; ! dmesg | grep -iE "reset|offline|xen-cdfront|vcd-"'
guest_reads_back g1 || fail "the guest reads other data"
cdfront_clean g1
guest_destroy g1
