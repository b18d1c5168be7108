#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xenoptic-guest killed at steps of connecting, commanding and disconnecting, and in the middle of a burn: the
# next one connects and finds the drive in order. Steps are system calls, counted by strace.
# XO_FULL=1: every step; else $KILLS of them, spread evenly.
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"
command -v strace >/dev/null || lb_skip "strace is missing"
strace -o /dev/null true 2>/dev/null || lb_skip "strace is not allowed"
guest=$top_builddir/xenoptic-guest
export ASAN_OPTIONS=detect_leaks=0 # not possible under strace
# what reaches xenstore, the hypervisor and the ring
calls=connect,sendmsg,sendto,write,recvmsg,mmap,munmap,epoll_wait

in_order() {
	lb_as "$burn_domid" timeout 60 "$guest" raw 12 0 0 0 24 0 --in 36 >"$lb_dir/after" 2>&1 &&
		grep -q "VIRTUAL BURNER" "$lb_dir/after" && return
	cat "$lb_dir/after"
	xenoptic list
	lb_fail "$1"
}

once() {
	lb_as "$burn_domid" strace -qq "$@" "$guest" raw 12 0 0 0 24 0 --in 36
}

burn_start --log 6
burn_insert dvd+r

# As "CALL ORDINAL", from the connection to xenstore on.
once -o "$lb_dir/strace" -e "trace=$calls" >/dev/null 2>&1 || lb_fail "under strace"
awk -v kills="${KILLS:-40}" -v full="${XO_FULL:-}" '
	{ call = $0; sub(/\(.*/, "", call); number[call]++ }
	/xenbus/ { begun = 1 }
	begun { steps[count++] = call " " number[call] }
	END {
		if (full || kills > count) kills = count
		for (i = 0; i < kills; i++) print steps[int(i * count / kills)]
	}
' "$lb_dir/strace" | uniq >"$lb_dir/steps"
kills=0
while read -r call number; do
	once -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$number" >/dev/null 2>&1 ||
		kills=$((kills + 1))
	in_order "killed at $call number $number"
done <"$lb_dir/steps"
steps=$(wc -l <"$lb_dir/steps")
[ "$kills" -ge $((steps * 3 / 4)) ] || lb_fail "only $kills kills in $steps steps"
echo "ok: $kills kills"

# in the middle of a burn: the door is unlocked, the drive free for the next
mkfifo "$lb_dir/slow"
{ head -c 4000000 /dev/zero; sleep 3; } >"$lb_dir/slow" 2>/dev/null &
lb_as "$burn_domid" lb_spawn burn "$guest" burn "$lb_dir/slow"
burner=$lb_pid
for _ in {1..100}; do
	[ "$(stat -c %s "$burn_disc")" -gt 100000 ] && break
	sleep 0.1
done
lb_stop "$burner" KILL 2>/dev/null
in_order "killed in a burn"
lb_as "$burn_domid" "$guest" eject || lb_fail "killed in a burn: the door is locked"
burn_eject
burn_insert dvd+r
lb_as "$burn_domid" "$guest" info | grep -q blank || lb_fail "killed in a burn: no new disc"
echo "ok: killed in a burn"

# the device is taken away from a program under exec, and comes back: errors in between, and then it works
lb_as "$burn_domid" lb_spawn patient "$guest" exec -- sh -c '
	while sg_raw /dev/sr0 0 0 0 0 0 0 >/dev/null 2>&1; do sleep 0.1; done
	echo "gone"
	until sg_raw /dev/sr0 0 0 0 0 0 0 >/dev/null 2>&1; do sleep 0.1; done
	echo "back"'
patient=$lb_pid
said() {
	for _ in {1..200}; do
		grep -q "^$1" "$lb_dir/patient.log" && return
		sleep 0.1
	done
	cat "$lb_dir/patient.log"
	lb_fail "a device that went and came: not $1"
}
connected() {
	for _ in {1..200}; do
		[ "$(xenstore-read "/local/domain/$burn_domid/device/vscsi/0/state")" = 4 ] && return
		sleep 0.1
	done
	lb_fail "exec does not connect"
}
connected
sleep 0.3
xenoptic detach guest --force >/dev/null || lb_fail "detach"
said gone
xenoptic attach guest drive=virtual:burner >/dev/null || lb_fail "attach again"
said back
wait "$patient" || lb_fail "a device that went and came: the program fails"
echo "ok: went and came back"

# a program under exec whose server is killed gets errors, and ends
lb_as "$burn_domid" lb_spawn server "$guest" exec -- sh -c 'while sg_raw /dev/sr0 0 0 0 0 0 0 >/dev/null 2>&1; do :; done; echo "ended"'
server=$lb_pid
connected
sleep 0.3
lb_stop "$server" KILL 2>/dev/null
for _ in {1..100}; do
	grep -q ended "$lb_dir/server.log" && break
	sleep 0.1
done
grep -q ended "$lb_dir/server.log" || lb_fail "a program goes on without its server"
in_order "the server of exec killed"
echo "ok: exec killed"
burn_stop
