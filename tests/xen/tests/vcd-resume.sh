# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a PV guest with xen-cdfront is saved and restored: to its drive, to none, to nothing at all; no process hangs
# time: 500
# when: full

# restore [OPTION…]: the saved guest runs again, with the device that `xenoptic attach` makes from the options.
restore() {
	xl restore -p saved
	[ $# = 0 ] || xenoptic attach g1 "$@" || :
	xl unpause g1
	guest_console g1
}

# readers_begin: a program in the guest reads all the time.
readers_begin() {
	guest g1 'printf "%s\n" "#!/bin/sh" "while :; do /tmp/reader if=/dev/sr0 of=/dev/null bs=64k iflag=direct; done" >/tmp/loop
		chmod +x /tmp/loop; nohup /tmp/loop >/dev/null 2>&1 &'
}

# readers_end: the guest's program ends at once when it is told to: it hangs in no read.
readers_end() { guest g1 'pkill -x loop; pkill -x reader; for i in $(seq 100); do pgrep -x reader >/dev/null || exit 0; sleep 0.1; done; ps -eo stat,args | grep reader; exit 1'; }

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

note "to the same drive: the first command hears that the medium may be another"
guest g1 'udevadm settle; pkill -9 udevd; echo 0 >/sys/block/sr0/events_poll_msecs; modprobe sg'
xl save g1 saved
wait_until 30 drive_free
restore drive=virtual:v1 bus=vcd
wait_until 60 drive_says "$DRIVE" 'g1' || xenoptic list
guest g1 'sg_raw -v /dev/$(basename /sys/block/sr0/device/scsi_generic/*) 00 00 00 00 00 00 2>&1' | tee first || :
grep -i 'unit attention' first
grep -iE 'medium may have changed|28 ?/? ?00' first
guest g1 'sg_turs /dev/sr0'
guest g1 'echo 2000 >/sys/block/sr0/events_poll_msecs; /lib/systemd/systemd-udevd --daemon'
readers_begin

note "to the same drive under a program that reads: it connects again"
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
readers_end
xenoptic list
cdfront_clean g1

# Linux' xenbus keeps the device whose nodes were gone when it resumed: the same number attached anew is not probed.
note "to nothing at all"
xl save g1 saved
restore
guest g1 'true'
cdfront_clean g1
guest_destroy g1
