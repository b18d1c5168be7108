# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For shell tests that need Xen: starts the loopback (hypervisor and Debian's xenstored) in a folder
# of its own, makes domains, runs programs in them, and on exit checks that nothing is left.
# See README.md.

: "${top_builddir:?}" "${top_srcdir:?}"
lb_bin=$top_builddir/tests/loopback
lb_pids=()
lb_hypervisor='' lb_xenstored='' lb_dir=''

lb_skip() {
	echo "SKIP: $*"
	exit 77
}

lb_fail() {
	echo "FAIL: $*" >&2
	exit 1
}

lb_find_xenstored() {
	local x
	for x in "${XENSTORED:-}" /usr/lib/xen-*/bin/xenstored; do
		[ -x "$x" ] && echo "$x" && return
	done
	return 1
}

# lb_start: afterwards $lb_dir is the test's folder and the environment leads into the loopback.
lb_start() {
	local xenstored
	xenstored=$(lb_find_xenstored) || lb_skip "no xenstored (package xen-utils-4.17)"
	lb_dir=$(mktemp -d "${TMPDIR:-/tmp}/lb.XXXXXX")
	mkdir "$lb_dir/libxl" # where lbctl leaves what libxl keeps of a domain: xenopticd's --libxl-dir
	trap lb_exit EXIT
	trap 'exit 1' INT TERM HUP
	export XENOPTIC_LOOPBACK=$lb_dir/hypervisor
	export XENOPTIC_LOOPBACK_DIR=$lb_dir
	export XENOPTIC_LOOPBACK_DOMID=0
	export XENSTORED_RUNDIR=$lb_dir XENSTORED_PATH=$lb_dir/socket
	export LD_LIBRARY_PATH=$lb_bin/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

	# The hypervisor closes its output when it serves.
	mkfifo "$lb_dir/ready"
	"$lb_bin/hypervisor" "$XENOPTIC_LOOPBACK" >"$lb_dir/ready" 2>"$lb_dir/hypervisor.log" &
	lb_hypervisor=$!
	cat "$lb_dir/ready"
	lbctl prepare-store "$lb_dir" || lb_fail "no hypervisor"
	LD_PRELOAD=$lb_bin/lib/xenstored-preload.so "$xenstored" -N --pid-file \
		"$lb_dir/xenstored.pid" >"$lb_dir/xenstored.log" 2>&1 &
	lb_xenstored=$!
	lbctl wait-file "$lb_dir" socket || lb_fail "no xenstored"
	lbctl init-dom0 || lb_fail "xenstored does not answer"
}

lbctl() {
	"$lb_bin/lbctl" "$@"
}

# lb_create [lbctl create-domain's options] NAME: a domain; its number is then in $lb_domid.
lb_create() {
	# shellcheck disable=SC2034 # for the caller
	lb_domid=$(lbctl create-domain "$@") || lb_fail "create-domain $*"
}

# lb_as DOMID COMMAND…: runs a program in a domain, with the domain's own view of the store.
lb_as() {
	local domid=$1 store=$lb_dir/socket
	shift
	[ "$domid" = 0 ] || store=$lb_dir/xenbus-$domid
	mkdir -p "$lb_dir/guest-$domid" # its own /run
	XENOPTIC_LOOPBACK_DOMID=$domid XENSTORED_PATH=$store XENOPTIC_RUNDIR=$lb_dir/guest-$domid "$@"
}

# lb_spawn NAME COMMAND…: in the background, output in $lb_dir/NAME.log; $lb_pid is its process.
lb_spawn() {
	local name=$1
	shift
	"$@" >>"$lb_dir/$name.log" 2>&1 &
	lb_pid=$!
	lb_pids+=("$lb_pid")
}

# lb_stop PID [SIGNAL]: ends a spawned program and returns its status.
lb_stop() {
	kill -"${2:-TERM}" "$1" 2>/dev/null
	wait "$1"
}

# lb_logs: what everybody said, for a failed test.
lb_logs() {
	local f
	for f in "$lb_dir"/*.log; do
		[ -s "$f" ] || continue
		echo "--- ${f##*/}"
		tail -n 40 "$f"
	done
}

# lb_survivors: processes that were started in this loopback and are still there, by their environment.
lb_survivors() {
	local f pid
	# shellcheck disable=SC2013
	for f in $(grep -lsz "^XENOPTIC_LOOPBACK_DIR=$lb_dir\$" /proc/[0-9]*/environ); do
		pid=${f//[!0-9]/}
		case $pid in
		"$$" | "$lb_hypervisor" | "$lb_xenstored") ;;
		*) [ -d "/proc/$pid" ] && echo "$pid" ;;
		esac
	done
}

# lb_gone: waits until what was started in this loopback has ended; after $lb_grace (5) seconds it fails.
lb_gone() {
	local end=$((SECONDS + ${lb_grace:-5}))
	while [ -n "$(lb_survivors)" ]; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.05
	done
}

lb_exit() {
	local status=$? pid left
	trap - EXIT
	for pid in "${lb_pids[@]}"; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in "${lb_pids[@]}"; do
		# A program that does not end by itself is killed, and the test fails.
		timeout 10 tail --pid="$pid" -f /dev/null || {
			echo "process $pid does not end"
			kill -KILL "$pid"
			[ "$status" != 0 ] || status=1
		}
		wait "$pid" 2>/dev/null
	done
	lb_gone || {
		for pid in $(lb_survivors); do
			echo "left behind: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
			kill -KILL "$pid"
		done
		[ "$status" != 0 ] && [ "$status" != 77 ] || status=1
	}
	if [ -n "$lb_hypervisor" ] && ! left=$(lbctl clients); then
		echo "left behind:"
		echo "$left"
		[ "$status" != 0 ] && [ "$status" != 77 ] || status=1
	fi
	case $status in
	0 | 77) ;;
	*) lb_logs ;;
	esac
	[ -z "$lb_xenstored" ] || { kill -KILL "$lb_xenstored" && wait "$lb_xenstored"; } 2>/dev/null
	[ -z "$lb_hypervisor" ] || { kill -KILL "$lb_hypervisor" && wait "$lb_hypervisor"; } 2>/dev/null
	rm -rf "$lb_dir"
	exit "$status"
}
