# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a PV guest with xen-cdfront is saved and restored: to its drive, to none, to nothing at all; no process hangs
# time: 300
# when: full

# restore [OPTION…]: the saved guest runs again, with the device that `xenoptic attach` makes from the options.
restore() {
	xl restore -p saved
	[ $# = 0 ] || xenoptic attach g1 "$@" || :
	xl unpause g1
	guest_console g1
}

# reads: what a program in the guest got that was reading all the time.
reader() { guest g1 'pkill -x reader; for i in $(seq 100); do pgrep -x reader >/dev/null || break; sleep 0.1; done; ! pgrep -x reader'; }

xenoptic_start
make_iso disc.iso 8 5
cdfront_start g1
DRIVE=virtual:v1
xenoptic attach g1 drive=$DRIVE bus=vcd
xenoptic disc insert virtual:v1 "$PWD/disc.iso"
guest_drive g1
sum=$(sha256sum <disc.iso)
guest g1 'blockdev --rereadpt /dev/sr0 2>/dev/null; cp /bin/dd /tmp/reader'
[ "$(guest g1 "head -c $(stat -c %s disc.iso) /dev/sr0 | sha256sum")" = "$sum" ]
guest g1 'nohup sh -c "while :; do /tmp/reader if=/dev/sr0 of=/dev/null bs=64k iflag=direct; done" >/tmp/reads 2>&1 &'

note "to the same drive: it connects again, and says once that the medium may be another"
xl save g1 saved
wait_until 30 drive_free
restore drive=virtual:v1 bus=vcd
guest_drive g1
guest g1 'dmesg | tail -n 5'
wait_until 60 guest g1 'sg_turs /dev/sr0'
[ "$(guest g1 "head -c $(stat -c %s disc.iso) /dev/sr0 | sha256sum")" = "$sum" ]
cdfront_clean g1

note "to a drive that is not there: errors, the drive goes, its readers end"
xl save g1 saved
wait_until 30 drive_free
restore drive=/dev/sr77 bus=vcd
wait_until 60 guest g1 '! test -b /dev/sr0'
guest g1 '! ps -eo stat,args | grep -E "^D.*(reader|sr0)"'
xenoptic list
cdfront_clean g1

note "to nothing at all"
xl save g1 saved
restore
guest g1 'true'
cdfront_clean g1
guest_destroy g1
