# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: sixty restarts of ring, drive process and launcher in one burn through xen-cdfront: the disc is equal
# time: 600
# when: full

KILL_SEED=5
seeded_kills 24 380 ring.{copied,taken,sent,linked,replied,publishing,intended,pushed,published,notified} >points
seeded_kills 20 380 drive.{received,accepted,issued,result,done,replied,freed} burner.{done,committed} >>points
# The launcher counts its passes itself, so each gets a death of its own. It passes these points when it starts a
# worker's successor, and the last one before it serves.
seeded_kills 20 2 launcher.{ended,planned,spawned,recorded,adopted} >deaths
sed -i 's/^launcher.adopted=.*/launcher.adopted=1/' deaths
: >lives
cat >life <<END
#!/bin/sh
# A launcher that dies at the next of these points, or lives when there are no more.
read -r death <$PWD/lives
sed -i 1d $PWD/lives
export XENOPTIC_KILL=$(paste -sd, points)\${death:+,\$death}
exec /usr/sbin/xenopticd --log 7
END
chmod +x life
# By its name it comes after the lines of xenoptic_start.
unit=/run/systemd/system/xenopticd.service.d/test.lives.conf
mkdir -p "${unit%/*}"
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=\nExecStart=%s\n' "$PWD/life" >"$unit"

xenoptic_start "[xenopticd]" "restart-limit = 1000"
undo rm -f "$unit"
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
mv deaths lives
for ((i = 1; i <= 6; i++)); do
	wait_until 200 written $((i * 1500000)) || fail "the burn stands: $(xenoptic_log | tail -n 20)"
	# It may be dead, or die as it starts.
	if ((i % 2)); then pkill -KILL -x xenopticd || :; else systemctl restart xenopticd || :; fi
done
code=0
wait "$burn" || code=$?
deaths=$(xenoptic_log | grep -cE 'dies at (ring|drive|burner)')
launchers=$(xenoptic_log | grep -c 'dies at launcher')
note "$deaths workers and $launchers launchers died at their points, the launcher was killed and restarted six times"
xenoptic_log | grep -o 'dies at launcher.*' | sort | uniq -c
[ $code = 0 ] || fail "the burn ended with $code"
[ "$deaths" -ge 40 ] || fail "too few deaths of workers: $deaths"
[ "$launchers" -ge 10 ] || fail "too few deaths of launchers: $launchers"
begins_with_iso disc1
cdfront_clean g1
no_errors g1
xenoptic_answers
guest_destroy g1
