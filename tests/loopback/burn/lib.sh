# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Burning through the whole chain on the loopback: a guest with a virtual drive, unmodified programs
# in it (xenoptic-guest exec), and comparisons by other programs on the host.

. "${top_srcdir:?}/tests/loopback/lib.sh"
burn_tests=$top_srcdir/tests/burn
. "$burn_tests/matrix.sh"

# burn_start [xenopticd's options]: daemon, guest with virtual:burner, by $burn_bus (vscsi); $burn_domid.
burn_start() {
	lb_start
	lb_create --type pv guest
	burn_domid=$lb_domid
	export XENOPTIC_SOCKET=$lb_dir/run/control.sock
	export XENOPTIC_PRELOAD=$top_builddir/tools/.libs/xenoptic-exec.so
	mkdir "$lb_dir/run"
	burn_options=(--run-dir "$lb_dir/run" --state-dir "$lb_dir/state" --libexec-dir "$top_builddir" --libxl-dir "$lb_dir/libxl" \
		--user nobody "$@") # without root nobody changes
	burn_daemon
	xenoptic attach guest drive=virtual:burner bus="${burn_bus:-vscsi}" >/dev/null || lb_fail "attach"
	burn_shut_in || lb_fail "a worker is not in its sandbox"
	burn_count=0
	burn_dir=$lb_dir burn_material=$lb_dir burn_tmp=$lb_dir # of the table's; see matrix.sh
}

# burn_shut_in [PROGRAM…]: see tests/shut-in.
burn_shut_in() {
	XENOPTIC=$top_builddir/xenoptic "$top_srcdir/tests/shut-in" "$@"
}

# The daemon in the background; again after it was killed.
burn_daemon() {
	lb_spawn daemon "$top_builddir/xenopticd" "${burn_options[@]}"
	burn_daemon_pid=$lb_pid
	burn_ready
}

burn_ready() {
	local i
	for i in {1..500}; do
		xenoptic control query-commands >/dev/null 2>&1 && return
		kill -0 "$burn_daemon_pid" 2>/dev/null || lb_fail "the daemon ended ($i)"
		sleep 0.05
	done
	lb_fail "the daemon does not answer"
}

xenoptic() {
	"$top_builddir/xenoptic" "$@"
}

# The drive's process is asked, as often as it takes until launcher and process are there.
burn_query() {
	local answer
	for _ in {1..500}; do
		answer=$(xenoptic control query-drives 2>/dev/null |
			jq -r ".drives[] | select(.drive == \"virtual:burner\") | $1 // empty")
		[ -n "$answer" ] && echo "$answer" && return
		sleep 0.02
	done
	lb_fail "the drive does not say $1"
}

burn_stop() {
	xenoptic control quit '{"workers": true}' >/dev/null || lb_fail "quit"
}

# burn_insert TYPE [SIZE [FILE]]: a fresh disc in the drive; $burn_disc is its sector file.
burn_insert() {
	burn_count=$((burn_count + 1))
	burn_disc=${3:-$lb_dir/disc$burn_count}
	xenoptic disc new "$burn_disc" --type "$1" ${2:+--size "$2"} >/dev/null || lb_fail "disc new $1"
	xenoptic disc insert virtual:burner "$burn_disc" >/dev/null || lb_fail "disc insert"
}

burn_eject() {
	xenoptic disc eject virtual:burner >/dev/null || lb_fail "disc eject"
}

# burn_guest PROGRAM…: an unmodified program in the guest, with /dev/sr0; output in $lb_dir/program.log.
burn_guest() {
	burn_exec "$@" >"$lb_dir/program.log" 2>&1
}

burn_text() {
	burn_guest sh -c "$1"
}

# Between the connection and the program's first command the workers are looked at.
burn_exec() {
	XENOPTIC=$top_builddir/xenoptic lb_as "$burn_domid" timeout "${burn_timeout:-300}" \
		"$top_builddir/xenoptic-guest" exec --count "$lb_dir/count" -- "$top_srcdir/tests/shut-in" "$@"
}

# A tree and an ISO of it: $lb_dir/tree, $lb_dir/iso; the content is the same each time.
burn_make_iso() {
	local kilobytes=$1
	mkdir -p "$lb_dir/tree"
	printf 'A file in a guest.\n' >"$lb_dir/tree/readme"
	openssl enc -aes-128-ctr -nosalt -K 00 -iv 00 </dev/zero 2>/dev/null |
		head -c "${kilobytes}k" >"$lb_dir/tree/data"
	genisoimage -quiet -R -V XENOPTIC -o "$lb_dir/iso" "$lb_dir/tree" || lb_skip "no genisoimage"
	[ -s "$lb_dir/tree/data" ] || lb_skip "no openssl"
}
