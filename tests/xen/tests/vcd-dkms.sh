# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront by DKMS: built in the guest from its package, loaded by udev for the device, a burn; removed
# guest: dkms
# time: 1500
# when: full

[ -z "${XO_HERE-}" ] || skip "the guest with DKMS is the testbed's own"
xenoptic_start
xenoptic disc new "$PWD/disc1" --type dvd+r --size 16M
GUEST_MEMORY=640 guest_start g1 pv
guest g1 "echo $(base64 -w 0 "$XO_ROOT"/packages/xenoptic-frontend-dkms_*.deb) | base64 -d >/tmp/xenoptic-frontend-dkms.deb
	ln -sf /proc/self/fd /dev/fd # which systemd makes, and DKMS uses
	export DEBIAN_FRONTEND=noninteractive
	dpkg --force-unsafe-io -i /tmp/xenoptic-frontend-dkms.deb 2>&1"
guest g1 'dkms status; modinfo -F filename xen-cdfront; modinfo -F alias xen-cdfront; lsmod'
guest g1 'dkms status | grep -E "^xenoptic-cdfront/.*installed"; ! lsmod | grep xen_cdfront'

xenoptic attach g1 drive=virtual:v1 bus=vcd
xenoptic disc insert virtual:v1 "$PWD/disc1"
guest_drive g1
guest g1 'lsmod | grep xen_cdfront; cat /sys/class/block/sr0/device/model'
guest_iso g1 3 1
guest_burn g1 | tail -n 3
begins_with_iso disc1

xenoptic detach g1
wait_until 30 guest g1 '! test -b /dev/sr0'
# shellcheck disable=SC2016 # the guest's
guest g1 'rmmod xen_cdfront; dpkg -P xenoptic-frontend-dkms 2>&1; ! modinfo xen-cdfront; [ -z "$(dkms status)" ]'
guest_destroy g1
