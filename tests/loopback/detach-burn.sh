#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Detaching in the middle of a burn: refused, also while the drive's process is being replaced; --force ends
# the burn as the medium allows, and the next guest burns on another disc.
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"

# The burner has so many bytes of the disc.
written() { [ "$(stat -c %s "$burn_disc")" -ge "$1" ]; }

# As lb_fail, without its end of the whole loopback: for a background job.
fail() {
	echo "FAIL: $*" >&2
	return 1
}

# refused WHEN: detaching is, with the reason.
refused() {
	! said=$(xenoptic detach guest 2>&1) || { fail "$1: the guest lost its drive"; return; }
	[[ $said == *"is in progress; --force ends it"* ]] || fail "$1: $said"
}

printf '[xenopticd]\nrestart-limit = 1000\n[drive virtual:burner]\npoll-ms = 0\nspeed = 1500\n' >"${conf:=$(mktemp)}"
trap 'rm -f "$conf"' EXIT
burn_start --log 6 --config "$conf"
burn_make_iso 12000
burn_insert dvd+r
burn_guest xorriso -as cdrecord dev=/dev/sr0 -tao "$lb_dir/iso" &
burn=$!
until written 1000000; do kill -0 $burn 2>/dev/null || lb_fail "the burn ended early"; done
refused "in a burn" || exit 1
# The drive's process dies with the question unanswered.
pid=$(xenoptic control query-workers | jq '.workers[] | select(.role == "drive") | .pid')
kill -STOP "$pid"
refused "in a burn, the drive's process dead" &
detach=$!
for _ in {1..20}; do xenoptic control query-commands >/dev/null; done
kill -KILL "$pid"
wait $detach || exit 1
kill -0 $burn || lb_fail "the burn ended early"

xenoptic detach guest --force >/dev/null || lb_fail "detach --force"
! wait $burn || lb_fail "the program did not notice that its drive is gone"
for _ in {1..400}; do
	xenoptic list | grep -qE '^virtual:burner +unused' && break
	sleep 0.05
done
xenoptic list | grep -qE '^virtual:burner +unused' || lb_fail "not given back: $(xenoptic list)"
[ "$(burn_description '.tracks | length')" -ge 1 ] || lb_fail "nothing of the burn is on the disc"
! burn_same_iso "$lb_dir/iso" 2>/dev/null || lb_fail "the burn was not ended"

xenoptic attach guest drive=virtual:burner >/dev/null || lb_fail "attach again"
burn_eject
burn_insert dvd+r
burn_make_iso 500
burn_guest xorriso -as cdrecord dev=/dev/sr0 -tao "$lb_dir/iso" || lb_fail "the next burn"
burn_same_iso "$lb_dir/iso" || lb_fail "the next disc differs"
burn_stop
