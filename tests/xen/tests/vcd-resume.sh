# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a PV guest with xen-cdfront is saved and restored: to its drive, another, none, nothing; no process hangs
# time: 900
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

# guest_reads FILE: what the guest's drive holds.
guest_reads() { [ "$(guest g1 "head -c $(stat -c %s "$1") /dev/sr0 | sha256sum")" = "$(sha256sum <"$1")" ]; }

# readers_end: the guest's program ends at once when it is told to: it hangs in no read.
readers_end() { guest g1 'pkill -x loop; pkill -x reader; for i in $(seq 100); do pgrep -x reader >/dev/null || exit 0; sleep 0.1; done; ps -eo stat,args | grep reader; exit 1'; }

xenoptic_start
make_iso disc.iso 8 5
make_iso other.iso 6 6
cdfront_start g1
DRIVE=virtual:v1
xenoptic disc insert virtual:v1 "$PWD/disc.iso"

note "from a backend that broke the protocol: the drive is back"
domid=$(xl domid g1)
"$XO_BIN/rogue" "$domid" 0 wrong-id >rogue 2>&1 &
ROGUE=$!
wait_until 60 guest g1 'test -c /dev/sg0' || fail "no drive: $(cat rogue)"
guest g1 '! sg_raw -r 64 /dev/sg0 bd 00 00 00 00 00 00 00 00 40 00 00'
wait_until 60 guest g1 '! test -c /dev/sg0' || fail "the drive is still there"
kill $ROGUE
wait $ROGUE || :
xl save g1 saved
xenstore-rm "/local/domain/0/backend/rogue/$domid"
restore drive=$DRIVE bus=vcd
guest_drive g1
guest g1 'blockdev --rereadpt /dev/sr0 2>/dev/null; cp /bin/dd /tmp/reader'
guest_reads disc.iso

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
guest_reads disc.iso
cdfront_clean g1

note "to another drive with another disc: the same program reads that one"
xenoptic disc insert virtual:v2 "$PWD/other.iso"
xl save g1 saved
wait_until 30 drive_free
restore drive=virtual:v2 bus=vcd
wait_until 60 drive_says virtual:v2 'g1' || xenoptic list
wait_until 60 guest_reads other.iso || fail "not the other disc: $(guest g1 'dmesg | tail -n 10')"
drive_free
cdfront_clean g1
DRIVE=virtual:v2

note "to a drive that is not there: errors, the drive goes, its readers end"
xl save g1 saved
wait_until 30 drive_free
restore drive=/dev/sr77 bus=vcd
wait_until 60 guest g1 '! test -b /dev/sr0'
guest g1 '! ps -eo stat,args | grep -E "^D.*(reader|sr0)"'
readers_end
xenoptic list
cdfront_clean g1

note "to nothing at all, under a program that reads"
xenoptic attach g1 drive=virtual:v1 bus=vcd
guest_drive g1
readers_begin
xl save g1 saved
restore
wait_until 60 guest g1 '! test -b /dev/sr0' || fail "the guest keeps a drive: $(guest g1 'dmesg | tail -n 10')"
readers_end
cdfront_clean g1

note "the same number attached anew after that"
xenoptic attach g1 drive=virtual:v1 bus=vcd
guest_drive g1
wait_until 60 guest_reads disc.iso
note "and the module goes and comes, when the guest's udev has let go of the drive"
guest g1 'udevadm settle; pkill -9 udevd'
cdfront_unload g1
guest g1 'insmod /tmp/xen-cdfront.ko'
guest_drive g1
guest_reads disc.iso

note "to a backend that takes less: a drive that is found anew has its limit"
xl save g1 saved
wait_until 30 drive_free
xl restore -p saved
xenoptic attach g1 drive=virtual:v1 bus=vcd
xenstore-write "$(xenstore-read "/local/domain/$(xl domid g1)/device/vcd/0/backend")/max-transfer" 122880
xl unpause g1
guest_console g1
limited() { [ "$(guest g1 'cat /sys/block/sr0/queue/max_hw_sectors_kb')" = 120 ]; }
wait_until 60 limited
guest g1 'echo 1 >/sys/block/sr0/device/delete; for host in /sys/class/scsi_host/host*; do echo "- - -" >$host/scan; done'
guest_drive g1
limited || fail "another limit: $(guest g1 'cat /sys/block/sr0/queue/max_hw_sectors_kb')"
guest_reads disc.iso
cdfront_clean g1
guest_destroy g1
