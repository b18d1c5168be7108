#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The loopback's part of tests/bench/burn: loopback.sh SPEED…; its lines "burn …" are the table's.
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"
SECONDS_EACH=5
guests=(guest other)

lb_start
export XENOPTIC_SOCKET=$lb_dir/run/control.sock
export XENOPTIC_PRELOAD=$top_builddir/tools/.libs/xenoptic-exec.so
mkdir "$lb_dir/run"
domids=()
for guest in "${guests[@]}"; do
	lb_create --type pv "$guest"
	domids+=("$lb_domid")
done

burn_one() { # burn_one N DISC
	lb_as "${domids[$1]}" timeout 300 "$top_builddir/xenoptic-guest" exec -- \
		xorriso -as cdrecord dev=/dev/sr0 -tao "$lb_dir/iso" >"$lb_dir/burn$1.log" 2>&1 || lb_fail "$(cat "$lb_dir/burn$1.log")"
}

for speed; do
	conf=$lb_dir/conf
	buffer=2048 # KiB, as real drives have; those that burn BDs have more
	[ "$speed" -le 40000 ] || buffer=4096
	for n in 0 1; do printf '[drive virtual:b%d]\nspeed = %d\nbuffer = %d\n' $n "$speed" "$buffer"; done >"$conf"
	burn_options=(--run-dir "$lb_dir/run" --state-dir "$lb_dir/state" --libexec-dir "$top_builddir" \
		--libxl-dir "$lb_dir/libxl" --user nobody --log 5 --config "$conf")
	burn_daemon
	burn_make_iso $((speed * SECONDS_EACH * 1000 / 1024))
	bytes=$(stat -c %s "$lb_dir/iso")
	for n in 0 1; do
		rm -f "$lb_dir/disc$n"*
		xenoptic disc new "$lb_dir/disc$n" --type bd-r >/dev/null || lb_fail "disc new"
		xenoptic attach "${guests[n]}" drive=virtual:b$n >/dev/null || lb_fail "attach"
		xenoptic disc insert virtual:b$n "$lb_dir/disc$n" >/dev/null || lb_fail "disc insert"
	done
	pids=()
	for n in 0 1; do
		burn_one $n &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || lb_fail "a burn failed"; done
	echo "burn speed=$speed bytes=$bytes $(xenoptic list --json | jq -r '[.drives[].process.buffer | select(. != null)] |
		"size=\(map(.size) | min) lowest=\(map(.lowest) | min) empty=\(map(.empty) | add)"')"
	for n in 0 1; do
		cmp -n "$bytes" "$lb_dir/iso" "$lb_dir/disc$n" || lb_fail "the disc is another"
		xenoptic detach "${guests[n]}" >/dev/null || lb_fail "detach"
		xenoptic disc eject virtual:b$n >/dev/null || lb_fail "disc eject"
	done
	burn_stop
	wait "$burn_daemon_pid"
done
