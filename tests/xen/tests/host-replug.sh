# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: PV and PVH guests start with the host's drive by its name /dev/srN and no disc in it; the disc comes; the drive is unplugged in a read, comes back by that name, and works
# when: full
# time: 600

qemu_cd_plug
xenoptic_start "[drive $DRIVE]" 'poll-ms = 300'
xl_lines "drive=$DRIVE"
name=$DRIVE
same_data() { [ "$(guest g1 'head -c 1000000 /dev/sr0 | md5sum')" = "$(head -c 1000000 "$1" | md5sum)" ]; }

for type in pv pvh; do
	note "$type"
	guest_start g1 "$type" "${XL_LINES[@]}"
	guest_drive g1
	wait_until 20 drive_says "$DRIVE" absent
	guest g1 'udevadm settle; pkill -9 udevd; sg_turs /dev/sr0 2>&1 | grep -q "not ready"'
	qemu_cd_is tray_open || qmp blockdev-open-tray '{"id":"cd"}' >/dev/null
	qemu_cd_load guest
	wait_until 60 drive_says "$DRIVE" present
	wait_until 60 same_data /dev/vdc || fail "no data: $(guest g1 'dmesg | tail')"

	guest_bg g1 'while dd if=/dev/sr0 of=/dev/null bs=64k count=100 iflag=direct 2>/dev/null; do echo >/tmp/reads; done'
	wait_until 120 guest g1 'test -s /tmp/reads'
	qemu_cd_unplug
	wait "$BG" || :
	wait_until 20 drive_says "$name" unplugged
	guest g1 'sg_turs /dev/sr0 2>&1 | grep -q NO_CONNECT' # and a status of 0
	qemu_cd_plug test
	[ "$DRIVE" = "$name" ] || fail "the drive has another name now: $DRIVE"
	wait_until 60 eval '! drive_says "$DRIVE" unplugged'
	wait_until 60 same_data /dev/vdb || fail "other data: $(guest g1 'sg_turs -v /dev/sr0; dmesg | tail')"
	guest_destroy g1
	wait_until 30 eval "xenoptic list | grep -E '^$DRIVE +unused'"
	no_nodes
	eject "$DRIVE"
	qmp blockdev-remove-medium '{"id":"cd"}' >/dev/null
done
