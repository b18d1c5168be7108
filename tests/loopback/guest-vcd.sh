#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What xenoptic-guest has of the class vcd, through the whole chain: a ring of four pages, a command of 512 KiB,
# and the host's wish for the disc told while the guest has locked the door, and met when the guest opens the tray.
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"
command -v sg_raw >/dev/null || lb_skip "no sg_raw (sg3-utils)"
# shellcheck disable=SC2034 # for burn_start
burn_bus=vcd
burn_start --log 6
node=/local/domain/$burn_domid/device/vcd/0

burn_make_iso 1024
xenoptic disc insert virtual:burner "$lb_dir/iso" >/dev/null || lb_fail "disc insert"
burn_exec sg_raw -o "$lb_dir/read" -r 524288 /dev/sr0 28 00 00 00 00 00 00 01 00 00 >"$lb_dir/program.log" 2>&1 ||
	lb_fail "READ(10) of 512 KiB: $(cat "$lb_dir/program.log")"
cmp -n 524288 "$lb_dir/read" "$lb_dir/iso" || lb_fail "other data"
for wanted in ring-page-order=2 event-channels=8 feature-persistent=1 feature-media-events=1; do
	[ "$(xenstore-read "$node/${wanted%=*}")" = "${wanted#*=}" ] || lb_fail "not $wanted"
done
echo "ok: 512 KiB over four pages"
burn_eject

burn_insert bd-r
lb_as "$burn_domid" lb_spawn locker "$top_builddir/xenoptic-guest" exec -- sh -c "
	sg_prevent /dev/sr0 && echo locked
	while [ ! -e '$lb_dir/go' ]; do sleep 0.1; done
	sg_prevent --allow /dev/sr0 && sg_start --eject /dev/sr0"
locker=$lb_pid
# said TEXT: the program's terminal shows it, in the end.
said() {
	for _ in {1..200}; do
		grep -q "$1" "$lb_dir/locker.log" && return
		sleep 0.1
	done
	lb_fail "not said: $1"
}
said locked
xenoptic disc eject virtual:burner >"$lb_dir/eject.log" 2>&1 && lb_fail "the door was not locked"
said "the host asks for the disc"
xenoptic list | grep -q "^virtual:burner .*present" || lb_fail "the list does not have the disc"
touch "$lb_dir/go"
wait "$locker" || lb_fail "the program fails"
for _ in {1..200}; do
	xenoptic disc insert virtual:burner "$lb_dir/iso" >"$lb_dir/insert.log" 2>&1 && break
	sleep 0.1
done
burn_exec sg_raw -o "$lb_dir/read" -r 2048 /dev/sr0 28 00 00 00 00 10 00 00 01 00 >"$lb_dir/program.log" 2>&1 ||
	lb_fail "the next disc is not read: $(cat "$lb_dir/insert.log" "$lb_dir/program.log")"
burn_eject
echo "ok: the host's wish is told"
burn_stop
