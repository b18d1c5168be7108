#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The cover of the table of burns: what a run takes has every program, medium, mode and way in, and every pair of those
# that it was asked for; a row that somebody adds is taken if it brings anything new; the rest is named.
set -u
folder=${top_srcdir:?}/tests/burn

fail() {
	echo "FAIL: $*"
	exit 1
}

# chosen WHAT [cover's options]: "PROGRAM MEDIUM MODE WAY" of the rows that run or are left.
chosen() {
	local what=$1 table=$folder/cases
	shift
	[ ! -f "$work/cases" ] || table=$work/cases
	awk -f "$folder/cover" "$@" "$table" | awk -v what="$what" '
		NR == FNR { if ($0 !~ /^#/ && NF >= 6) row[++n] = $1 " " $2 " " $3; next }
		$1 == what { print row[$2], $3 }' "$table" -
}

# same COLUMNS [cover's options]: what runs has the same combinations of these columns as the whole.
same() {
	local columns=$1
	shift
	diff <(chosen run "$@" | cut -d' ' -f"$columns" | sort -u) \
		<(chosen run "$@" -v full=1 | cut -d' ' -f"$columns" | sort -u) || fail "columns $columns under: $*"
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for ways in vscsi "vscsi vcd" "vscsi vcd ahci ide"; do
	for pure in 0 1; do
		for column in 1 2 3 4; do
			same $column -v ways="$ways" -v pure=$pure -v pairs="program medium way"
		done
		for pair in 1,2 1,4 2,4; do same $pair -v ways="$ways" -v pure=$pure -v pairs="program medium way"; done
		for pair in 1,2 1,3 1,4 2,3 2,4 3,4; do same $pair -v ways="$ways" -v pure=$pure; done
	done
done

# It is a cover, not everything, and each row is either run or left.
asked=(-v pure=1 -v pairs="program medium way" -v ways="vscsi vcd")
all=$(chosen run "${asked[@]}" -v full=1 | wc -l)
runs=$(chosen run "${asked[@]}" | wc -l)
left=$(chosen leave "${asked[@]}" | wc -l)
[ "$runs" -lt $((all / 3)) ] || fail "$runs of $all rows are a small cover"
[ $((runs + left)) -eq "$all" ] || fail "$runs rows run, $left are left, of $all"

# "always" means that; pure=1 does without.
always=$(grep -c '^[a-z].* always ' "$folder/cases")
[ "$(awk -f "$folder/cover" -v pairs=program "$folder/cases" | grep -c run)" -ge "$always" ] ||
	fail "not every row that must always run does"

# A new medium, or an old program on a medium that is new to it, is taken at once.
for row in "wodim new-medium data-tao - data true" "cdrdao bd-r data - data true"; do
	{
		cat "$folder/cases"
		echo "$row"
	} >"$work/cases"
	chosen run "${asked[@]}" | grep -q "^$(echo "$row" | cut -d' ' -f1-3) " || fail "not taken: $row"
done
echo "cover: $runs of $all rows"
