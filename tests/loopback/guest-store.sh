#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs in a domain see the store through its ring: with the domain's own paths and rights, several
# at once, with watches and transactions; nothing of a program that was killed is left.
set -u
. "${top_srcdir:?}/tests/loopback/lib.sh"
lb_start
lb_create one
lb_create two

# paths are relative to the domain's home, and rights are the domain's
lb_as 1 xenstore-write data/x 1 || lb_fail "cannot write data/x"
[ "$(xenstore-read /local/domain/1/data/x)" = 1 ] || lb_fail "data/x is elsewhere"
[ "$(lb_as 1 xenstore-read domid)" = 1 ] || lb_fail "domid"
[ "$(lb_as 2 xenstore-read domid)" = 2 ] || lb_fail "domid"
lb_as 1 xenstore-write device/x 1 2>/dev/null && lb_fail "wrote below device"
lb_as 1 xenstore-read /local/domain/2/name 2>/dev/null && lb_fail "read another's name"
lb_as 1 xenstore-read /libxl/1 2>/dev/null && lb_fail "read /libxl"

# large values, and more than the ring holds at once
big=$(printf 'x%.0s' {1..2000})
for i in 1 2 3 4 5 6 7 8; do
	lb_as 1 xenstore-write "data/big$i" "$big" &
done
wait -n && wait -n && wait -n && wait -n && wait -n && wait -n && wait -n && wait -n
for i in 1 2 3 4 5 6 7 8; do
	[ "$(lb_as 1 xenstore-read "data/big$i")" = "$big" ] || lb_fail "data/big$i"
done

# a watch in the domain hears of Dom0's writes, with its own path
lb_as 1 lb_spawn watch xenstore-watch data/y
seen() {
	for _ in {1..50}; do
		[ "$(grep -c data/y "${lb_dir:?}/watch.log")" -ge "$1" ] && return
		sleep 0.1
	done
	lb_fail "watch: $(cat "$lb_dir/watch.log")"
}
seen 1
xenstore-write /local/domain/1/data/y 2
seen 2
lb_stop "${lb_pid:?}" KILL
lb_as 1 xenstore-write data/y 3 || lb_fail "write after a killed watcher"

lbctl destroy-domain 1
lb_as 1 xenstore-read domid 2>/dev/null && lb_fail "the store of a dead domain"
[ "$(lb_as 2 xenstore-read domid)" = 2 ] || lb_fail "domid"
