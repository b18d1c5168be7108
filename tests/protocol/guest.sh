#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xenoptic-guest in a guest of the loopback: its subcommands, their output and exit statuses, on a
# small backend with a CD-ROM drive behind it.
set -u
. "${top_srcdir:?}/tests/loopback/lib.sh"
command -v genisoimage >/dev/null || lb_skip "genisoimage is missing"
lb_start
lb_create guest
export XENOPTIC_PRELOAD=$top_builddir/tools/.libs/xenoptic-exec.so XENOPTIC_RUNDIR=$lb_dir
guest=$top_builddir/xenoptic-guest
dd if=/dev/urandom of="$lb_dir/data" bs=1k count=900 2>/dev/null
genisoimage -quiet -V GUESTTEST -o "$lb_dir/iso" "$lb_dir/data" || exit 1

run() {
	lb_as 1 timeout 60 "$guest" "$@" >"$lb_dir/out" 2>"$lb_dir/err"
}

# expect WHAT STATUS PATTERN ARGUMENT…: of stdout and stderr together
expect() {
	local what=$1 status=$2 pattern=$3 got
	shift 3
	run "$@"
	got=$?
	if [ "$got" != "$status" ] || { [ -n "$pattern" ] &&
		! grep -Eqh -- "$pattern" "$lb_dir/out" "$lb_dir/err"; }; then
		cat "$lb_dir/out" "$lb_dir/err"
		lb_fail "$what: status $got, expected $status and /$pattern/"
	fi
	echo "ok: $what"
}

serve() {
	mkfifo "$lb_dir/up"
	# shellcheck disable=SC2016 # for the inner shell
	lb_spawn serve sh -c 'exec "$0" "$1" >"$2"' "$top_builddir/tests/protocol/serve-reader" "$1" \
		"$lb_dir/up"
	read -r _ <"$lb_dir/up" || lb_fail "the backend does not start"
	rm "$lb_dir/up"
}

expect "help" 0 "Commands:" --help
expect "help of a command" 0 "usage: .* burn" burn --help
expect "version" 0 "^xenoptic " --version
expect "no command" 2 "usage:"
expect "unknown command" 2 "no such command" frobnicate
expect "unknown option" 2 "unrecognized|invalid" --frobnicate
expect "bad device" 2 "not a device number" --device x info
expect "bad CDB" 2 "usage:" raw 12 zz
expect "no drive" 3 "no optical drive" info
expect "no drive to read" 3 "no optical drive" read -o /dev/null

serve "$lb_dir/iso"
expect "list" 0 "device 0 \(vscsi\): virtual:test in domain 0" info --list
expect "info" 0 "XENOPTIC TEST READER, revision 0001" info
expect "info of the disc" 0 "CD-ROM, complete" info
expect "no such device" 3 "no such device" --device 5 raw 0 0 0 0 0 0
expect "no such unit" 3 "no unit dev-3" --device 0:3 raw 0 0 0 0 0 0
{ run --json info && python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))[0]
assert d["product"] == "TEST READER" and d["disc"]["status"] == "complete", d' "$lb_dir/out"; } ||
	lb_fail "info --json: $(cat "$lb_dir/out")"

expect "raw" 0 "TEST READER" raw 12 0 0 0 24 0 --in 36
expect "raw in one word" 0 "TEST READER" raw 120000002400 --in 36
expect "raw, not whole pages" 0 "TEST READER" raw 12 0 0 0 24 0 --in 70000
expect "raw, refused" 1 "SECURITY PROTOCOL OUT: Illegal Request, .*nvalid command operation code \(05/20/00\)" raw b5 0 0 0 0 0 0 0 0 0 0 0
{ run --json raw 12 0 0 0 24 0 --in 36 && grep -q '"data": "058005' "$lb_dir/out"; } || lb_fail "raw --json"
{ run raw --binary --in 8 25 0 0 0 0 0 0 0 0 0 && [ "$(wc -c <"$lb_dir/out")" = 8 ]; } || lb_fail "raw --binary"

expect "read" 0 "read 0.9 MB|read 1.[0-9] MB" read -o "$lb_dir/copy"
cmp "$lb_dir/copy" "$lb_dir/iso" || lb_fail "read: another image"
# shellcheck disable=SC2162 # our subcommand
{ run "read" && cmp "$lb_dir/out" "$lb_dir/iso"; } || lb_fail "read to stdout"
expect "read to nowhere" 1 "No such file" read -o /no/such/folder/file
expect "a full disk" 1 "No space left" read -o /dev/full
expect "burn a CD-ROM" 4 "CD-ROM: it cannot be burned" burn "$lb_dir/iso"
expect "burn nothing" 1 "No such file" burn /no/such/file
expect "blank a CD-ROM" 4 "cannot be erased" blank

expect "exec, its status" 7 "" exec -- sh -c 'exit 7'
expect "exec, a signal" 143 "" exec sh -c 'kill -TERM $$'
expect "exec, no program" 127 "No such file" exec /no/such/program
expect "exec, no permission" 126 "Permission denied" exec /etc/passwd
expect "exec, usage" 2 "usage:" exec
expect "exec, bad name" 2 "usage:" exec --as /dev/sda -- true
expect "exec, another name" 0 "block special" exec --as /dev/sr2 stat /dev/sr2
{ run exec dd if=/dev/sr0 bs=10000 status=none && cmp "$lb_dir/out" "$lb_dir/iso"; } || lb_fail "exec dd"
echo "ok: exec dd"
expect "exec isoinfo" 0 "Volume id: GUESTTEST" exec isoinfo -d -i /dev/sr0
expect "exec wodim" 0 "TEST READER" exec wodim dev=/dev/sr0 -inq
expect "exec, two readers at once" 0 "" exec sh -c 'cat /dev/sr0 | cmp - /dev/sr0'
# shellcheck disable=SC2016 # for the inner shell
expect "exec, left in the background" 0 "" exec sh -c 'exec 9</dev/sr0; cat <&9 >"$0" &' "$lb_dir/copy2"
cmp "$lb_dir/copy2" "$lb_dir/iso" || lb_fail "exec in the background: another image"

expect "eject" 0 "" eject
expect "info of an empty drive" 0 "disc +none" info
expect "read an open tray" 4 "no disc in the drive; its tray is open" read -o /dev/null
expect "load" 0 "" eject --load
expect "info again" 0 "CD-ROM, complete" info

# two at once: the second is told
# shellcheck disable=SC2016 # for the inner shell
lb_as 1 lb_spawn first "$guest" exec sh -c 'echo $$ >"$0"; exec sleep 1000' "$lb_dir/pid"
first=$lb_pid
until [ -s "$lb_dir/pid" ] && [ "$(xenstore-read /local/domain/1/device/vscsi/0/state)" = 4 ]; do
	kill -0 "$first" || lb_fail "the first program ended"
	sleep 0.1
done
expect "a second program" 3 "another program has it" raw 0 0 0 0 0 0
# killed, it leaves the device connected: the next one undoes that
lb_stop "$first" KILL 2>/dev/null
kill "$(cat "$lb_dir/pid")"
expect "after a killed program" 0 "XENOPTIC TEST READER" info
exit 0
