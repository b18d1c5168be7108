# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --- what tests/bench/xen and tests/bench/ioemu share (common/dom0.sh) ------------------------------------------------
# The script that follows sets PATHS, the ways to the drive, COMMANDS, COUNT and SECONDS_EACH, WARM_UP (the commands of
# sgload that it does not time), GUEST, the guest's name, and has load WAY COMMAND…, which runs sgload there. Its lines
# "sample …" and "count …" are what table.py reads.

# there COMMAND… : in the domain that has the drives, if that is not Dom0.
declare -F there >/dev/null || there() { eval "$*"; }

# Time of the drives' domain that was not idle, in ms since it was booted: its CPUs' uptime less their idle time (FACTS:
# xl's CPU times are not to be relied on). Idling is measured, at its begin and end; the rest of /proc/stat is counted in
# ticks, which commands may go with. Steal is taken for the domain's: its processors are its own.
# shellcheck disable=SC2016 # awk's
busy_ms() { there "awk 'NR == 1 { up = \$1 * 1000 } /^cpu / { idle = (\$5 + \$6) * 10 } /^cpu[0-9]/ { n++ } END { print up * n - idle }' /proc/uptime /proc/stat"; }

sample() {
	local before line
	before=$(busy_ms)
	line=$(load "$1" "$2" "$3" "seconds:$SECONDS_EACH") || fail "way $1: $2 $3: $line"
	echo "sample way=$1 command=$2-$3${SPEED-} round=$4 $line dom0_ms=$(($(busy_ms) - before))"
}

# way_ready WAY: before each measurement of it; for those that share something.
way_ready() { :; }

rounds() {
	local round command way
	for ((round = 1; round <= ROUNDS; round++)); do
		for command in "${COMMANDS[@]}"; do
			for way in "${PATHS[@]}"; do
				way_ready "$way" >&2
				# shellcheck disable=SC2086 # a command and its size
				sample "$way" $command "$round"
			done
		done
	done
}

# What happened in Dom0 during COUNT commands, by the kernel's own tracepoints: system calls, context switches, and
# interrupts, which are Xen's events. Instructions where the machine counts them for a guest of Xen.
count_kernel() {
	local events=raw_syscalls:sys_enter,sched:sched_switch,irq:irq_handler_entry,instructions
	perf stat -a -x, -o perf.out -e "$events" -- true 2>/dev/null || return 0
	perf stat -a -x, -o perf.out -e "$events" -- "$XO_BIN/guest" run "$PWD/$GUEST.sock" "/tmp/sgload ${NODE[$1]} $2 $3 count:$COUNT" >/dev/null
	awk -F, -v n="$((COUNT + WARM_UP))" -v head="count way=$1 command=$2-$3" '
		$3 ~ /sys_enter/ { head = head " syscalls=" $1 / n }
		$3 ~ /sched_switch/ { head = head " switches=" $1 / n }
		$3 ~ /irq_handler/ { head = head " events=" $1 / n }
		$3 ~ /instructions/ && $1 ~ /^[0-9]/ { head = head " instructions=" $1 / n }
		END { print head }' perf.out
}

# trace MASK WAY COMMAND SIZE [RANGE…]: hypercalls of Dom0 and the guest, by Xen's own trace of them and of who runs;
# with ranges, port:FIRST-LAST or mem:FIRST-LAST, the accesses there that Xen emulated as well.
trace() {
	local mask=$1 pid
	shift
	rm -f trace.bin
	xentrace -D -e "$mask" -S 256 -T 120 trace.bin >/dev/null 2>&1 &
	pid=$!
	wait_until 10 test -s trace.bin || true
	load "$1" "$2" "$3" "count:$COUNT" >/dev/null
	kill -INT "$pid"
	wait "$pid" || true
	python3 "$XO_BIN/hypercalls.py" trace.bin "${BACKEND:-0}" "$((COUNT + WARM_UP))" "count way=$1 command=$2-$3" "${@:4}"
}
