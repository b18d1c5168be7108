#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xenoptic-guest burns a disc of each medium through a ring in the loopback; the disc on the host's
# side is compared with the image, and read again by the guest. The virtual burner is at the other end.
set -u
. "${top_srcdir:?}/tests/loopback/lib.sh"
command -v genisoimage >/dev/null || lb_skip "genisoimage is missing"
lb_start
lb_create guest
export XENOPTIC_PRELOAD=$top_builddir/tools/.libs/xenoptic-exec.so XENOPTIC_RUNDIR=$lb_dir
guest=$top_builddir/xenoptic-guest
dd if=/dev/urandom of="$lb_dir/data" bs=1k count=3001 2>/dev/null
genisoimage -quiet -V BURNTEST -o "$lb_dir/iso" "$lb_dir/data" || exit 1
size=$(stat -c %s "$lb_dir/iso")

run() {
	lb_as 1 timeout 100 "$guest" "$@" >"$lb_dir/out" 2>"$lb_dir/err"
}

fail() {
	cat "$lb_dir/out" "$lb_dir/err"
	lb_fail "$@"
}

serve() { # MEDIUM:FILE, or FILE
	mkfifo "$lb_dir/up"
	# shellcheck disable=SC2016 # for the inner shell
	lb_spawn serve sh -c 'exec "$0" "$1" >"$2"' "$top_builddir/tests/protocol/serve-burner" "$1" \
		"$lb_dir/up"
	server=$lb_pid
	read -r _ <"$lb_dir/up" || lb_fail "the backend does not start"
	rm "$lb_dir/up"
}

stop() {
	lb_stop "$server" || lb_fail "the backend failed"
}

# The image is the beginning of the disc's sector file, and nothing but zeros follow.
same() {
	cmp -n "$size" "$lb_dir/iso" "$1" || fail "$1: another image"
	tail -c +$((size + 1)) "$1" | tr -d '\0' | cmp -s - /dev/null || fail "$1: not only zeros follow"
}

for medium in cd-r dvd+r bd-r; do
	disc=$lb_dir/$medium
	serve "$medium:$disc"
	run info || fail "$medium: info"
	grep -q "blank" "$lb_dir/out" || fail "$medium: not blank"
	run --json burn "$lb_dir/iso" || fail "$medium: burn"
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["bytes"] >= int(sys.argv[2]) and d["first-block"] == 0, d' "$lb_dir/out" "$size" ||
		fail "$medium: burn --json"
	same "$disc"
	{ run info && grep -q "complete" "$lb_dir/out"; } || fail "$medium: not complete"
	run burn "$lb_dir/iso"
	[ $? = 4 ] || fail "$medium: burned twice"
	grep -q "is complete" "$lb_dir/err" || fail "$medium: no reason"
	# shellcheck disable=SC2162 # the subcommand
	run read --output "$lb_dir/copy" || fail "$medium: read"
	same "$lb_dir/copy"
	{ run exec isoinfo -d -i /dev/sr0 && grep -q BURNTEST "$lb_dir/out"; } || fail "$medium: isoinfo"
	run eject || fail "$medium: eject"
	stop
	grep -q '"finished": true' "$disc.json" || fail "$medium: not finished"
	[ "$medium" != cd-r ] || isoinfo -d -i "$disc" | grep -q BURNTEST || fail "isoinfo on the host"
	rm "$disc" "$disc.json"
	echo "ok: $medium"
done

# from a pipe, of unknown length; the session stays open
serve "dvd+r:$lb_dir/pipe"
lb_as 1 timeout 100 "$guest" burn --multi - <"$lb_dir/iso" >"$lb_dir/out" 2>"$lb_dir/err" || fail "burn -"
{ run info && grep -q "appendable" "$lb_dir/out"; } || fail "burn --multi: not appendable"
same "$lb_dir/pipe"
echo "ok: from a pipe"
stop

# a short image: a CD's track has 300 blocks at least
head -c 5000 "$lb_dir/data" >"$lb_dir/short"
serve "cd-r:$lb_dir/short-disc"
run burn "$lb_dir/short" || fail "short image"
[ "$(stat -c %s "$lb_dir/short-disc")" -ge 614400 ] || fail "short track"
cmp -n 5000 "$lb_dir/short" "$lb_dir/short-disc" || fail "short image: another one"
echo "ok: a short image"
stop

# too large: said before anything is written
serve "cd-r:$lb_dir/small"
truncate -s 1G "$lb_dir/large"
run burn "$lb_dir/large"
[ $? = 4 ] || fail "too large an image"
grep -q "room for" "$lb_dir/err" || fail "too large: no reason"
[ ! -s "$lb_dir/small" ] || fail "too large: something was written"
run burn "$lb_dir/iso" || fail "the disc is not usable after a refusal"
echo "ok: too large an image"
stop

# interrupted: the disc is closed, and the drive free
serve "dvd+r:$lb_dir/broken"
mkfifo "$lb_dir/slow"
{ head -c 4000000 /dev/zero; exec sleep 1000; } >"$lb_dir/slow" &
feeder=$!
lb_as 1 lb_spawn burn "$guest" burn "$lb_dir/slow"
burn=$lb_pid
until [ "$(stat -c %s "$lb_dir/broken")" -gt 0 ]; do
	kill -0 "$burn" || lb_fail "the burn ended: $(cat "$lb_dir/burn.log")"
	sleep 0.1
done
lb_stop "$burn" INT
status=$?
kill "$feeder"
[ "$status" = 130 ] || fail "interrupted: status $status"
grep -q "of no use" "$lb_dir/burn.log" || lb_fail "interrupted: $(cat "$lb_dir/burn.log")"
run eject || fail "interrupted: the door is locked"
echo "ok: interrupted"
stop
exit 0
