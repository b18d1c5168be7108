#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The harness itself: a test that leaves a program behind, or a handle, fails and is cleaned up; one
# that is killed leaves nothing either.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# An orphan that nobody reaps counts as gone.
gone() {
	for _ in {1..200}; do
		grep -qs '^State:.[^ZX]' "/proc/$1/status" || return 0
		sleep 0.05
	done
	return 1
}

cat >"$dir/leaves" <<'END'
lb_grace=0
. "$top_srcdir/tests/loopback/lib.sh"
lb_start
lb_create one
(setsid sleep 1000 & echo $! >"$1")
exit 0
END
bash "$dir/leaves" "$dir/pid" >"$dir/out" 2>&1 && { echo "FAIL: a program was left behind"; exit 1; }
grep -q "left behind: $(cat "$dir/pid") sleep 1000" "$dir/out" || { cat "$dir/out"; exit 1; }
gone "$(cat "$dir/pid")" || { echo "FAIL: it is still there"; exit 1; }

cat >"$dir/killed" <<'END'
. "$top_srcdir/tests/loopback/lib.sh"
TMPDIR=$1 lb_start
echo "$lb_hypervisor $lb_xenstored" >"$1/pids"
kill -KILL $$
END
bash "$dir/killed" "$dir" >/dev/null 2>&1
read -ra pids <"$dir/pids"
for pid in "${pids[@]}"; do
	gone "$pid" || { echo "FAIL: $pid survives its test"; exit 1; }
done
