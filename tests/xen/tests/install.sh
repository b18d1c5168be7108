# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the Debian packages: ready before xl's guests at boot, removed while a guest has a drive, purged: nothing left
# time: 400

[ -z "${XO_HERE-}" ] || skip "what is installed on a real Dom0 stays"

# What a package can leave; the rest is made by Debian's own programs, or by what the test does.
files() {
	find /etc /usr /lib/systemd /run/xenoptic /var/lib -xdev 2>/dev/null |
		grep -vE '^(/var/lib/(dpkg|systemd|xen)/|/etc/systemd/system/xendomains\.service|/etc/ld\.so\.cache)' | LC_ALL=C sort
}
# since UNIT PROPERTY: when that was, in microseconds since boot.
since() { systemctl show -P "$2" "$1"; }

files >before
# xl's autostarted guests, which the testbed leaves out, and a boot's one transaction with them and the daemon in it.
rm /etc/systemd/system/xendomains.service
printf '[Unit]\nWants=xendomains.service xenopticd.service\n' >/run/systemd/system/again.target
xenoptic_install
[ "$(systemctl is-enabled xenopticd)/$(systemctl is-active xenopticd)" = enabled/active ]
xenoptic list
systemctl stop xenopticd
systemctl start again.target
[ "$(since xenopticd ActiveEnterTimestampMonotonic)" -le "$(since xendomains InactiveExitTimestampMonotonic)" ]

# A guest that has not begun to run is enough to have a drive.
xenoptic disc new "$PWD/disc1" --type dvd+r --size 4M
guest_config g1 pv 'disk = [ ]'
XO_GUESTS+=(g1)
xl create -q -p g1.cfg
xenoptic attach g1 drive=virtual:v1
xenoptic disc insert virtual:v1 "$PWD/disc1"
xenoptic list
pgrep -u xenoptic -a
# One filter of system calls is the daemon's, and one each worker's: a command would pass through each more.
filters() { sed -n 's/^Seccomp_filters:[[:space:]]*//p' "/proc/$1/status"; }
[ "$(filters "$(systemctl show -P MainPID xenopticd)")" = 1 ]
for pid in $(pgrep -u xenoptic); do
	[ "$(filters "$pid")" = 2 ] || fail "process $pid has $(filters "$pid") filters"
done
# Its changes of task are not accounted as pressure, nor its workers' (Dom0's kernel has what turns that off).
[ "$(cat /sys/fs/cgroup/xenopticd.service/cgroup.pressure)" = 0 ]

# Removed under it: no process stays, and a configuration does.
echo '# mine' >>/etc/xenoptic/xenoptic.conf
dpkg -r xenoptic xenoptic-guest
wait_until 20 eval '! pgrep -f "xenopticd|libexec/xenoptic"' || fail "left: $(pgrep -fa 'xenopticd|libexec/xenoptic')"
grep '# mine' /etc/xenoptic/xenoptic.conf
[ -z "$(find /usr/bin/xenoptic* /usr/sbin/xenopticd /usr/libexec/xenoptic /lib/systemd/system/xenopticd.service 2>/dev/null || :)" ]
guest_destroy g1

dpkg -P xenoptic xenoptic-guest
files >after
# The user stays, as Debian's rules want it: its number must never become another's.
not grep -vE '^[0-9,]+[acd][0-9,]+$|^> /etc/(passwd|group|shadow|gshadow)-$' <(diff before after || :)
