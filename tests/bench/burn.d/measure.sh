# shellcheck shell=bash disable=SC2154 # XO_BIN and the rest are lib.sh's
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: two guests burn at once, in drives of a given speed and buffer: how low those get
# time: 1500
#
# Dom0's part of tests/bench/burn; its lines "burn …" are the table's.

MIB=48
declare -A BURN=(
	[xorriso]='xorriso -as cdrecord dev=/dev/sr0 -tao /tmp/in.iso'
	[growisofs]='growisofs -use-the-force-luke=notray -Z /dev/sr0=/tmp/in.iso'
)

# Both buffers: size, the lowest fill, times empty.
buffers() {
	xenoptic list --json | jq -r '[.drives[].process.buffer | select(. != null)] |
		"size=\(map(.size) | min) lowest=\(map(.lowest) | min) empty=\(map(.empty) | add)"'
}

# Each guest's image, which has the time in it that it was made.
declare -A SIZE SUM

burn_both() {
	local speed=$1 n pids=()
	for n in 1 2; do
		rm -f disc$n disc$n.json
		xenoptic disc new "$PWD/disc$n" --type dvd+r --size $((2 * MIB))M >/dev/null
		xenoptic disc insert virtual:b$n "$PWD/disc$n" >/dev/null
	done
	for n in 1 2; do
		guest_bg b$n "${BURN[$PROGRAM]} >/tmp/burn.log 2>&1 || { cat /tmp/burn.log; exit 1; }"
		pids+=("$BG")
	done
	for n in "${pids[@]}"; do wait "$n"; done
	echo "burn speed=$speed bytes=$ISO_SIZE $(buffers)"
	for n in 1 2; do
		ISO_SIZE=${SIZE[$n]} ISO_SUM=${SUM[$n]}
		begins_with_iso disc$n
	done
}

for speed in "${SPEEDS[@]}"; do
	lines=()
	# Of both drives, or FIRST+SECOND.
	rates=("${speed%+*}" "${speed#*+}")
	for n in 1 2; do
		buffer=2048 # KiB, as real drives have; those that burn BDs have more
		[ "${rates[n - 1]}" -le 40000 ] || buffer=4096
		lines+=("[drive virtual:b$n]" "speed = ${rates[n - 1]}" "buffer = $buffer")
	done
	xenoptic_start "${lines[@]}"
	for n in 1 2; do
		[ -S "$PWD/b$n.sock" ] || {
			guest_start b$n pv
			guest_iso b$n $MIB 1
			SIZE[$n]=$ISO_SIZE SUM[$n]=$ISO_SUM
		}
		xenoptic attach b$n drive=virtual:b$n
		guest_drive b$n
	done
	burn_both "$speed"
	for n in 1 2; do xenoptic detach b$n >/dev/null; done
	for n in 1 2; do wait_until 30 guest b$n '! test -b /dev/sr0'; done
	for n in 1 2; do xenoptic disc eject virtual:b$n >/dev/null; done
	xenoptic_stop
done
for n in 1 2; do guest_destroy b$n; done
