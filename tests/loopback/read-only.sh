#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mode=ro refuses whatever writes, on every way to a drive: vscsi, vcd, AHCI and IDE, said by the guest's
# options or by the drive's configuration, also by workers and a launcher that were started again. Every
# command of opcodes.def that writes is sent (writers.c); the disc reads as before, its files are the same.
# Then mode=rw, to see that the commands were such as write.
# shellcheck disable=SC2317 # functions are called by name
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"
[ "$(id -u)" = 0 ] || lb_skip "workers change their user: needs root"
export ASAN_OPTIONS=verify_asan_link_order=0 # the preload comes before it in LD_PRELOAD
writers=$top_builddir/tests/loopback/writers
failed=0

# attach DOMAIN DRIVE OPTION…; its workers are looked at.
attach() {
	local domain=$1 drive=$2
	shift 2
	xenoptic attach "$domain" "drive=$drive" "$@" >/dev/null || lb_fail "attach $domain $drive $*"
	burn_shut_in true || lb_fail "a worker is not in its sandbox"
}

# Launcher and drive process die, the ring or the controller stays.
kill_both() {
	local victim
	victim=$(xenoptic control query-workers | jq -r '.workers[] | select(.role == "drive") | .pid')
	kill -KILL "$burn_daemon_pid" "$victim"
	wait "$burn_daemon_pid" 2>/dev/null
	burn_daemon
	burn_shut_in true || lb_fail "a worker is not in its sandbox"
}

# by_ring ro|all|rw DRIVE OPTION…: writers in a guest, through its ring
by_ring() {
	local mode=$1 drive=$2 status=0
	shift 2
	attach guest "$drive" "$@"
	burn_guest "$writers" "$mode" "$image" sg /dev/sr0 || status=$?
	xenoptic detach guest >/dev/null || lb_fail "detach"
	return "$status"
}

# by_controller ro|all ahci|ide: the same by an emulated controller; then launcher and drive process die, and again
by_controller() {
	local status=0
	attach machine virtual:burner bus="$2" mode=ro
	"$writers" "$1" "$image" "$2" "$machine" 27 >"$lb_dir/program.log" 2>&1 || status=$?
	kill_both
	"$writers" ro "$image" "$2" "$machine" 27 >>"$lb_dir/program.log" 2>&1 || status=$?
	xenoptic detach machine >/dev/null || lb_fail "detach"
	return "$status"
}

sums() {
	sha256sum "$burn_disc" "$burn_disc.json"
}

# way NAME COMMAND…: the disc is the same afterwards.
way() {
	local name=$1
	shift
	if "$@" && [ "$(sums)" = "$before" ]; then
		echo "$medium, $name: $(paste -sd '|' "$lb_dir/program.log")"
		return
	fi
	echo "$medium, $name: FAILED"
	sed 's/^/    /' "$lb_dir/program.log"
	[ "$(sums)" = "$before" ] || echo "    the disc was changed"
	failed=1
}

insert() {
	xenoptic disc insert "$1" "$burn_disc" >/dev/null || lb_fail "disc insert"
}

# writes COMMAND…: mode=rw, and these commands do their work on this disc.
writes() {
	local command
	insert virtual:burner
	by_ring rw virtual:burner || lb_fail "$medium: mode=rw: $(cat "$lb_dir/program.log")"
	for command in "$@"; do
		grep -q "^$command: good" "$lb_dir/program.log" && continue
		cat "$lb_dir/program.log"
		lb_fail "$medium: mode=rw: $command does nothing"
	done
	[ "$(sums)" != "$before" ] || lb_fail "$medium: mode=rw: the disc is the same"
	burn_eject
	echo "$medium, mode=rw: the disc was written"
}

# on MEDIUM [PROGRAM…]: a disc that the program has begun, or a blank one, on every way.
on() {
	medium=$1 image=-
	shift
	burn_insert "$medium"
	if [ $# != 0 ]; then
		image=$lb_dir/iso
		xenoptic attach guest drive=virtual:burner >/dev/null || lb_fail attach
		burn_guest "$@" || lb_fail "$medium: $*: $(cat "$lb_dir/program.log")"
		xenoptic detach guest >/dev/null || lb_fail detach
	fi
	before=$(sums)
	way vscsi by_ring all virtual:burner mode=ro
	way vcd by_ring ro virtual:burner bus=vcd mode=ro
	way ahci by_controller all ahci
	way ide by_controller ro ide
	burn_eject
	insert virtual:protected
	way "the drive's own" by_ring ro virtual:protected mode=rw
	xenoptic disc eject virtual:protected >/dev/null || lb_fail "disc eject"
}

burn_start --log 6
xenoptic detach guest >/dev/null || lb_fail detach
printf '[xenopticd]\nrestart-limit = 1000\n[drive virtual:protected]\nmode = ro\n' >"$lb_dir/conf"
burn_options+=(--config "$lb_dir/conf")
lb_stop "$burn_daemon_pid" || lb_fail "the daemon ends with $?"
burn_daemon
lb_create --type hvm --memory 32 machine
machine=$lb_domid
burn_make_iso 300

on cd-r wodim -s gracetime=0 dev=/dev/sr0 -multi -tao "$lb_dir/iso"
writes "SEND OPC INFORMATION" "WRITE(10)" "WRITE(12)" "CLOSE TRACK SESSION"
on bd-r xorriso -as cdrecord -multi dev=/dev/sr0 "$lb_dir/iso"
writes "WRITE(10)" "WRITE AND VERIFY(10)" "CLOSE TRACK SESSION" "RESERVE TRACK"
on bd-r
writes "FORMAT UNIT" "WRITE(10)"
burn_stop
exit $failed
