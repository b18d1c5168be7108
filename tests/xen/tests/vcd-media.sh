# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront beside stock xen-scsifront; medium changes and eject requests are told, with the guest's polling off
# time: 400

# heard TEXT: the guest's kernel has sent this event since the last time.
heard() {
	wait_until 60 guest g1 "grep -q '$1' /tmp/events" || fail "no event $1: $(guest g1 'cat /tmp/events')"
	guest g1 ': >/tmp/events'
}

xenoptic_start
xenoptic disc new "$PWD/d1" --type bd-r
xenoptic disc new "$PWD/d2" --type dvd+r
make_iso full.iso 2 7
cdfront_start g1
xenoptic attach g1 drive=virtual:v1 bus=vcd
guest_drive g1
xenoptic attach g1 drive=virtual:v2 bus=vscsi
wait_until 60 guest g1 'test -b /dev/sr1'
guest g1 'echo 0 >/sys/module/block/parameters/events_dfl_poll_msecs; echo 0 >/sys/block/sr0/events_poll_msecs
	nohup stdbuf -oL udevadm monitor --kernel --property >/tmp/events 2>/dev/null </dev/null &
	for i in $(seq 50); do grep -q KERNEL /tmp/events && break; sleep 0.1; done'

note "a disc comes"
xenoptic disc insert virtual:v1 "$PWD/full.iso"
heard DISK_MEDIA_CHANGE=1
[ "$(guest g1 'blockdev --getsize64 /dev/sr0')" = "$(stat -c %s full.iso)" ]
note "and goes: the guest's udev has locked the door, is asked and opens it"
xenoptic disc eject virtual:v1 || :
wait_until 60 drive_says virtual:v1 absent
heard SDEV_MEDIA_CHANGE=1
note "the door is locked: the guest is asked, and does not answer"
guest g1 'pkill -9 udevd'
xenoptic disc insert virtual:v1 "$PWD/d1"
heard DISK_MEDIA_CHANGE=1
guest g1 'eject -i on /dev/sr0' # by the kernel's own ioctl: it unlocks after others when they close the device
not xenoptic disc eject virtual:v1
heard DISK_EJECT_REQUEST=1
# Once, though the kernel asks the drive for events when somebody opens it: a desktop opens the tray for each.
guest g1 'sg_turs /dev/sr0 || :; echo change >/sys/block/sr0/uevent'
wait_until 60 guest g1 'grep -q SYNTH_UUID /tmp/events'
not guest g1 'grep DISK_EJECT_REQUEST /tmp/events'
guest g1 'eject -i off /dev/sr0'

note "both frontends burn at once"
xenoptic disc insert virtual:v2 "$PWD/d2"
guest_iso g1 3 9
guest_bg g1 'xorriso -as cdrecord dev=/dev/sr0 /tmp/in.iso 2>&1 | tail -n 2'
burn=$BG
guest g1 'xorriso -as cdrecord dev=/dev/sr1 /tmp/in.iso 2>&1 | tail -n 2'
wait "$burn"
begins_with_iso d1
begins_with_iso d2

note "the module goes and comes with the device there"
cdfront_unload g1
guest g1 '! test -b /dev/sr0 && insmod /tmp/xen-cdfront.ko'
guest_drive g1
guest g1 'sg_inq /dev/sr0 >/dev/null'
cdfront_clean g1
guest_destroy g1
