# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: fifty restarts of ring, drive process and launcher in one burn through xen-cdfront: the disc is equal
# time: 400
# when: full

KILL_SEED=5
seeded_kills 24 150 ring.{copied,taken,sent,linked,replied,publishing,intended,pushed,published,notified} >points
seeded_kills 20 150 drive.{received,accepted,issued,result,done,replied,freed} burner.{done,committed} >>points
XO_ENV=("XENOPTIC_KILL=$(paste -sd, points)")
xenoptic_start "[xenopticd]" "restart-limit = 1000"
xenoptic disc new "$PWD/disc1" --type bd-r
cdfront_start g1
xenoptic attach g1 drive=virtual:v1 bus=vcd
xenoptic disc insert virtual:v1 "$PWD/disc1"
guest_drive g1
guest_iso g1 12 11
guest g1 'dmesg -C'
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr0 /tmp/in.iso 2>&1 | tail -n 3'
burn=$BG
written() { [ "$(stat -c %s disc1)" -ge "$1" ]; }
for ((i = 1; i <= 6; i++)); do
	wait_until 200 written $((i * 1500000))
	if ((i % 2)); then xenoptic_kill; else systemctl restart xenopticd; fi
done
code=0
wait "$burn" || code=$?
deaths=$(xenoptic_log | grep -c 'dies at')
note "$deaths workers died, the launcher was killed three times and restarted three times"
[ $code = 0 ] || fail "the burn ended with $code"
[ "$deaths" -ge 44 ] || fail "too few deaths: $deaths"
begins_with_iso disc1
cdfront_clean g1
no_errors g1
guest_destroy g1
