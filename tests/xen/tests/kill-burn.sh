# shellcheck shell=bash disable=SC2034,SC2153 # lib.sh's variables
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: ring, drive process and launcher killed in mid-burn on tgt's drive, also together: the guest sees nothing, the disc is equal
# time: 900

# At these passes of the named points (base/point.h) the workers die; the counts survive them.
kills() {
	local point n=$1 step=$2 text=
	shift 2
	for point; do
		text+="${text:+,}$point=$n"
		n=$((n + step))
	done
	echo "$text"
}
RING=$(kills 30 17 ring.copied ring.taken ring.fetched ring.sent ring.linked ring.replied ring.stored \
	ring.publishing ring.intended ring.pushed ring.published ring.notified)
DRIVEK=$(kills 37 19 drive.received drive.accepted drive.issued drive.submit drive.returned drive.result drive.done \
	drive.replied drive.freed)

tgt_drive 1
XO_ENV=("XENOPTIC_KILL=$RING,$DRIVEK")
# Lent to the ring, the drive's process would hardly have anything to do: see lent.
xenoptic_start "[xenopticd]" "restart-limit = 1000" "[drive $DRIVE]" "direct = no"
guest_start g1 pv
xenoptic attach g1 "drive=$DRIVE"
guest_drive g1
guest_iso g1 10 3
guest g1 'dmesg -C'
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso 2>&1'
burn=$BG
# The launcher dies by hand, as the disc fills, and workers with it: nobody but the keeper has their ledgers then.
wait_until 300 burned 2048
xenoptic_kill xenoptic-ring
wait_until 300 burned 4096
xenoptic_kill xenoptic-drive
wait_until 300 burned 7168
xenoptic_kill xenoptic-ring xenoptic-drive
code=0
wait "$burn" || code=$?
xenoptic list
dead=$(xenoptic_log | grep -c 'dies at ')
note "$dead workers were killed at named points, four with the launcher, which was killed three times"
[ $code = 0 ] || fail "the burn ended with $code"
[ "$dead" -ge 20 ] || fail "only $dead workers were killed"
begins_with_iso "$DRIVE_DISC"
no_errors g1
guest_destroy g1
