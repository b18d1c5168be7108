# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: tests one after the other in one Dom0, as `run --here` does it: each leaves the Dom0 as it was
# time: 1800
# when: full

[ -z "${XO_HERE-}" ] || skip "it is what is being done"
xenoptic_start
echo '# the owner'\''s' >>/etc/xenoptic/xenoptic.conf

# What a test may have left behind, apart from logs.
dom0() {
	xl list | awk 'NR > 1 { print "domain", $1 }'
	xenoptic list
	xenstore-ls /local/domain/0 | grep -E 'vscsi|vcd|vbd|error' || :
	cat /etc/xenoptic/xenoptic.conf
	ls /dev/sr* /dev/disk/by-id 2>&1 || :
	losetup --list
	systemctl show -P ExecStart xenopticd | sed 's/ ; start_time.*//'
	ls -A /var/tmp /run/systemd/system
	ls -A /sys/kernel/config/target/xen-pvscsi 2>/dev/null || :
	pgrep -a 'xenoptic-|qemu' | sed 's/^[0-9]* //' || :
}

export XO_KERNEL XO_GUEST_ROOT
XO_KERNEL=$(echo /boot/vmlinuz-*-amd64)
XO_HERE=1 xenoptic_stop # without what xenoptic_start has added to the unit
dom0 >before
for name in guest-pv attach-burn two-drives vcd-burn hvm-eltorito kill-burn; do
	note "$name"
	XO_HERE=1 bash "$XO_ROOT/start" "$name" >"$name.log" 2>&1 || {
		tail -n 60 "$name.log"
		fail "$name"
	}
	wait_until 30 eval 'dom0 >after && cmp -s before after' || {
		diff before after || :
		fail "$name has left something behind"
	}
done
