#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Domains of the loopback: the store hears of them, their homes have libxl's permissions, a domain
# whose pages are mapped lingers on, and a program that is left behind is found.
set -u
. "${top_srcdir:?}/tests/loopback/lib.sh"
lb_start
lb_spawn watch xenstore-watch @releaseDomain
lb_create --type hvm --vcpus 2 alpha
[ "$lb_domid" = 1 ] || lb_fail "first domain is $lb_domid"
lb_create beta
[ "$(xenstore-read /local/domain/2/name)" = beta ] || lb_fail "no name"
[ "$(xenstore-ls -p /local/domain/2 | grep -c '(n2)')" = 11 ] || lb_fail "permissions"
lbctl list | grep -q '^1 hvm --- vcpus=2 ' || lb_fail "list: $(lbctl list)"
lbctl pause 1 && lbctl pause 1 && lbctl unpause 1
lbctl list | grep -q '^1 hvm p-- .*paused=1' || lb_fail "pause is counted"
lbctl destroy-domain 1
lbctl destroy-domain 1 2>/dev/null && lb_fail "destroyed twice"
xenstore-exists /local/domain/1 && lb_fail "home is still there"
# The watch's event is in the log as soon as a second one after it is.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(grep -c releaseDomain "$lb_dir/watch.log")" = 2 ] && break
	sleep 0.1
done
[ "$(grep -c releaseDomain "$lb_dir/watch.log")" = 2 ] || lb_fail "no @releaseDomain"
lbctl list | grep -q '^1 ' && lb_fail "a zombie: $(lbctl list)"
lbctl clients || lb_fail "clients"
