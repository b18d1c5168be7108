# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The host's part of the measurements on real Xen.

# bench_script FOLDER TEXT…: prints FOLDER/measure.sh with these texts behind its header, which tests/xen/run reads. Dom0
# gets no environment of ours, and one script: that is the way of the settings, and of dom0.sh.
bench_script() {
	sed -n '1,/^# time:/p' "$1/measure.sh"
	printf '%s\n' "${@:2}"
	sed '1,/^# time:/d' "$1/measure.sh"
}

# bench FOLDER [--here] [ROUNDS]: runs FOLDER/measure.sh in Dom0, with dom0.sh before it, and prints FOLDER/table.py's
# tables of its lines "sample …" and "count …".
bench() {
	local folder=$1 top name log rounds=5 status=0 options=() settings=()
	local machine='' short=SECONDS_EACH=0.25 # counted times are the same each time
	local common=${BASH_SOURCE[0]%/*}
	top=$(readlink -f "$common/../../..")
	name=$(basename "$folder" .d)
	shift
	for word; do
		case $word in
		--here) options+=(--here) ;;
		--icount) machine=${machine:-icount} ;;
		--driver-domain)
			[ "$name" = xen ] || { echo "bench: --driver-domain is for tests/bench/xen" >&2; exit 2; }
			machine=icount-3 settings+=(DRIVER_DOMAIN=1)
			name=$name-driver-domain
			;;
		[1-9]*) rounds=$word ;;
		*) sed -n '3,/^set /s/^# \{0,1\}//p' "$0"; exit 2 ;;
		esac
	done
	[ -z "$machine" ] || options+=(--machine "$machine") settings+=("$short")
	log=${XENOPTIC_XEN_BUILD:-$top/build-xen}/bench-$name.log
	mkdir -p "$(dirname "$log")"
	script=$(mktemp -d)
	trap 'rm -rf "$script"' EXIT
	cp "$common"/*.py "$script/"
	bench_script "$folder" "ROUNDS=$rounds" "${settings[@]}" "$(cat "$common/dom0.sh")" >"$script/bench-$name.sh"
	"$top/tests/xen/run" "${options[@]}" "$script/bench-$name.sh" | tee "$log" |
		{ grep --line-buffered -v -E '^(sample|count) ' || true; } || status=$?
	PYTHONPATH=$common PYTHONDONTWRITEBYTECODE=1 python3 "$folder/table.py" <"$log" || status=$?
	return "$status"
}
