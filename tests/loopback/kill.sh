#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exactly once: ring worker and drive process killed at every named point and at seeded counts, the launcher
# at seeded counts (or ended by SIGTERM), alone and at once with the ring, the drive process and both (then
# nobody but the keeper has what they promised), all in the middle of burns. The program notices nothing, the
# burner counts just the commands that the guest gave, the disc is equal. CD-R by the class vscsi, the others
# by vcd.
# XO_FULL=1: 100 seeded kills of each in every burn.
# shellcheck disable=SC2317,SC2030,SC2031 # functions called by name, in subshells of their own
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"

# Points that a burn passes with each command, or each batch of them (drive.submit, drive.returned and
# drive.part belong to a real drive: tests/xen) …
frequent=(ring.{copied,taken,sent,linked,replied,publishing,intended,pushed,published,notified}
	drive.{received,accepted,issued,result,done,replied,freed}
	burner.{done,committed})
# … and those it passes a few times.
rare=(ring.fetched ring.stored drive.lease drive.linked)

seed=1
# random N: 0 to N-1 in $random; the same in every run.
random() {
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	random=$((seed / 65536 % $1))
}

# kills SEEDED: XENOPTIC_KILL with every named point once, and so many more.
kills() {
	local p list=()
	for p in "${frequent[@]}"; do
		random 60
		list+=("$p=$((random + 1))")
	done
	for p in "${rare[@]}"; do list+=("$p=1"); done
	for ((p = 0; p < $1; p++)); do
		random ${#frequent[@]}
		local point=${frequent[random]}
		random 200
		list+=("$point=$((random + 1))")
	done
	(
		IFS=,
		printf '%s' "${list[*]}"
	)
}

burn_cdr_tao() { burn_guest wodim -s gracetime=0 dev=/dev/sr0 -tao "$lb_dir/iso"; }
burn_cdr_sao() { burn_guest wodim -s gracetime=0 dev=/dev/sr0 -sao "$lb_dir/iso"; }
burn_cdrdao() { burn_guest cdrdao write --device /dev/sr0 --driver generic-mmc -n "$lb_dir/data.toc"; }
burn_audio() { burn_guest cdrskin dev=/dev/sr0 -audio "$lb_dir/track1.wav"; }
burn_sessions() {
	burn_text "xorriso -outdev /dev/sr0 -joliet off -map '$lb_dir/tree' / -commit -close off &&
		xorriso -dev /dev/sr0 -map '$lb_dir/more/second' /second -commit"
}
burn_dvdr() { burn_guest growisofs -dvd-compat -Z /dev/sr0="$lb_dir/iso"; }
burn_bdr() { burn_guest xorriso -as cdrecord dev=/dev/sr0 "$lb_dir/iso"; }

# The guest has closed, its link was undone and a new one waits for it: the burner is at rest.
settle() {
	local link
	for _ in {1..1000}; do
		link=$(xenoptic control query-guests |
			jq -r '.guests[0] | select(.state == "closed") | .units[0] | select(.attached) | .link')
		[ -n "$link" ] && [ "$link" != "$settled" ] && {
			settled=$link
			return
		}
	done
	lb_fail "does not come to rest: $(xenoptic control list)"
}
settled=''

# The drive process may die of the eject's own commands. Who asked is told, and asks again.
eject_again() {
	local said
	until said=$(xenoptic disc eject virtual:burner 2>&1); do
		case $said in
		*"the worker ended before it answered"*) ;;
		*"there is no disc in it"*) return ;; # it was carried out, and only the answer is lost
		*) lb_fail "disc eject: $said" ;;
		esac
	done
}

same_iso() { burn_same_iso "$lb_dir/iso"; }
same_audio() { burn_same_audio 1 "$lb_dir/track1.pcm"; }

# once MEDIUM BURN [CHECK]: a burn; then in $extra what the burner did beyond the guest's commands.
once() {
	local before after given answered failed
	burn_insert "$1"
	before=$(burn_query '.process.counters["burner-commands"]')
	$2 || lb_fail "$2: the program failed: $(tail -n 20 "$lb_dir/program.log")"
	: >"$lb_dir/over"
	while [ -e "$lb_dir/killing" ]; do sleep 0.1; done
	settle
	after=$(burn_query '.process.counters["burner-commands"]')
	read -r given answered failed <"$lb_dir/count"
	[ "$given" = "$answered" ] || lb_fail "$2: $given commands, $answered answers"
	[ "$failed" = 0 ] || lb_fail "$2: $failed commands failed on the way"
	eject_again
	"${3:-same_iso}" || lb_fail "$2: the disc differs"
	extra=$((after - before - given))
	commands=$given
	rm -f "$burn_disc"
}

# begin SPEED [NAME=VALUE]: daemon, guest, material. SPEED in KB/s; 0: as fast as it goes.
begin() {
	local conf=$work/conf$1
	{
		printf '[xenopticd]\nrestart-limit = 1000\n[drive virtual:burner]\npoll-ms = 0\n'
		[ "$1" = 0 ] || printf 'speed = %s\n' "$1"
	} >"$conf"
	shift
	# shellcheck disable=SC2163 # NAME=VALUE
	[ $# = 0 ] || export "$@"
	burn_start --log 6 --config "$conf"
	unset XENOPTIC_KILL
	settled=
	matrix_material 6200
	head -c $((2352 * 2600)) "$lb_dir/tree/data" >"$lb_dir/track1.pcm" # longer, for all the kills
	matrix_wav 1
}

# What was to be killed and was, in $deaths; a named point that was not reached fails.
count_deaths() {
	local p
	deaths=$(grep -c 'dies at' "$lb_dir/daemon.log")
	for p in "${frequent[@]}" "${rare[@]}"; do
		grep -q "dies at $p," "$lb_dir/daemon.log" || lb_fail "$p was not reached"
	done
}

# The workers that die with the launcher, as the filter of query-workers says it; the next time others.
together=(none ring drive 'ring|drive')

# The launcher is killed when the burner has counted so many commands, at once with workers, and started again.
kill_launcher_at() {
	local at count n=0 roles signal victims
	for at in "$@"; do
		while :; do
			[ -e "$lb_dir/over" ] && break 2
			count=$(burn_query '.process.counters["burner-commands"]')
			[ "${count:-0}" -ge "$at" ] && break
		done
		roles="^(${together[n++ % 4]})\$"
		mapfile -t victims < <(xenoptic control query-workers | jq -r --arg roles "$roles" \
			'.workers[] | select(.pid > 0 and (.role | test($roles))) | .pid')
		# Now and then it is told to end, as by a service manager that restarts it.
		signal=KILL
		[ $((n % 8)) != 1 ] || signal=TERM
		kill -$signal "$burn_daemon_pid" "${victims[@]}"
		wait "$burn_daemon_pid" 2>/dev/null
		burn_daemon
		echo "$at" >>"$lb_dir/launcher-kills"
		[ ${#victims[@]} = 0 ] || printf '%s\n' "${victims[@]}" >>"$lb_dir/victims"
	done
	rm "$lb_dir/killing"
}

# Each in a loopback of its own, so that counts begin anew.
reference() (
	begin 0
	once "$@"
	once "$@"
	burn_stop
	echo "$extra $commands" >"$work/reference"
)

workers_killed() (
	begin 0 XENOPTIC_KILL="$(kills "$seeded")"
	once "$@"
	burn_stop
	count_deaths
	echo "$extra $commands $deaths" >"$work/workers"
)

launcher_killed() (
	local at=() n burn
	begin $((9000 / launcher_kills)) # slow enough for them all
	: >"$lb_dir/victims"
	for ((n = 0; n < launcher_kills; n++)); do
		random 160
		at+=("$((random + 5))")
	done
	mapfile -t at < <(printf '%s\n' "${at[@]}" | sort -n)
	: >"$lb_dir/killing"
	(
		trap ': >"$lb_dir/over"' EXIT
		once "$@" && echo "$extra $commands" >"$lb_dir/once"
	) &
	burn=$!
	kill_launcher_at "${at[@]}"
	wait "$burn" || lb_fail "see above"
	burn_stop
	n=$(wc -l <"$lb_dir/victims")
	[ "$n" -ge $((launcher_kills / 2)) ] || lb_fail "only $n workers were killed with the launcher"
	echo "$(cat "$lb_dir/once") $(wc -l <"$lb_dir/launcher-kills") with $n workers" >"$work/launcher"
)

failed=0
row() {
	local name=$1 wanted dead with who result=ok
	shift
	seed=$((seed + 1)) # the subshells do not tell where they left it
	rm -f "$work"/{reference,workers,launcher}
	if ! { reference "$@" && workers_killed "$@" && launcher_killed "$@"; }; then
		printf '| %-14s | FAILED\n' "$name"
		failed=1
		return
	fi
	read -r wanted _ <"$work/reference"
	for who in workers launcher; do
		read -r extra commands dead with <"$work/$who"
		[ "$extra" = "$wanted" ] || result="the burner did $((extra - wanted)) commands more than it was given"
		printf '| %-14s | %4d commands | %-8s killed %3d times %-15s | %s\n' \
			"$name" "$commands" "$who" "$dead" "$with" "$result"
		[ "$result" = ok ] || failed=1
	done
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
seeded=20 launcher_kills=8
[ -z "${XO_FULL:-}" ] || seeded=100 launcher_kills=100
row "CD-R TAO" cd-r burn_cdr_tao
row "CD-R SAO" cd-r burn_cdr_sao
row "CD-R cdrdao" cd-r burn_cdrdao
row "CD-R audio" cd-r burn_audio same_audio
row "CD-R sessions" cd-r burn_sessions check_sessions
burn_bus=vcd # a ring of four pages, grants that are kept, events
row "DVD+R, vcd" dvd+r burn_dvdr
row "BD-R, vcd" bd-r burn_bdr
exit $failed
