# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The table of burns (cases), run wherever there is a guest. Who sources this has
#
#     burn_tests                  the folder of this file
#     burn_dir                    a folder of the host, for the material and what is compared
#     burn_material, burn_tmp     the guest's names of the material's folder, and of one that it may write into
#     burn_text TEXT              a function: runs a shell text in the guest; output in $burn_dir/program.log
#     burn_insert MEDIUM          a function: a blank disc in the drive; its sector file is then $burn_disc
#     burn_eject                  a function: the tray opens, and the disc is at rest
#     burn_ways                   the ways in that it has, if there are more than one
#     burn_device                 the guest's name of the drive, if that is not /dev/sr0

# matrix_material KILOBYTES: tree/, more/, both/, iso, track1 and track2 as .pcm and .wav, .toc files. The content is
# the same each time, no two sectors are alike.
matrix_material() {
	local n m=$burn_material
	mkdir -p "$burn_dir/tree" "$burn_dir/more" "$burn_dir/both"
	printf 'A file in a guest.\n' >"$burn_dir/tree/readme"
	seq 1 99999999 2>/dev/null | head -c "${1}k" >"$burn_dir/tree/data"
	printf 'The second session.\n' >"$burn_dir/more/second"
	cp "$burn_dir/tree/"* "$burn_dir/more/second" "$burn_dir/both"
	genisoimage -quiet -R -V XENOPTIC -o "$burn_dir/iso" "$burn_dir/tree"
	for n in 1 2; do matrix_track "$n"; done
	printf 'CD_ROM\nTRACK MODE1\nDATAFILE "%s"\n' "$m/iso" >"$burn_dir/data.toc"
	printf 'CD_DA\nTRACK AUDIO\nFILE "%s" 0\nTRACK AUDIO\nFILE "%s" 0\n' "$m/track1.wav" "$m/track2.wav" \
		>"$burn_dir/audio.toc"
}

# matrix_track N: 302 sectors of 44.1 kHz, 16 bits, two channels. Tones with a little noise: cdparanoia guesses the
# order of bytes from what it hears.
matrix_track() {
	perl -e 'my $n = shift; my $r = $n;
		for my $i (0 .. 588 * 302 - 1) {
			$r = ($r * 1103515245 + 12345) & 0x7fffffff;
			print pack("s<s<", 9000 * sin($i * $n * 0.03) + ($r >> 16) % 64, 9000 * sin($i * $n * 0.07));
		}' "$1" >"$burn_dir/track$1.pcm"
	matrix_wav "$1"
}

# matrix_wav N: track N's samples as .wav.
matrix_wav() {
	perl -e 'my $n = shift;
		print pack("A4VA4A4VvvVVvvA4V", "RIFF", $n + 36, "WAVE", "fmt ", 16, 1, 2, 44100, 176400, 4, 16, "data", $n)
		' "$(stat -c %s "$burn_dir/track$1.pcm")" >"$burn_dir/track$1.wav"
	cat "$burn_dir/track$1.pcm" >>"$burn_dir/track$1.wav"
}

# What the description says, jq's way.
burn_description() {
	jq -r "$1" "$burn_disc.json"
}

# burn_same_iso ISO [LBA]: the disc holds it there, says cmp, and isoinfo finds the same files.
burn_same_iso() {
	local iso=$1 lba=${2:-0} size
	size=$(stat -c %s "$iso")
	cmp -n "$size" -i "$((lba * 2048)):0" "$burn_disc" "$iso" || return 1
	diff <(isoinfo -R -l -i "$iso") <(isoinfo -R -l -i "$burn_disc" -N "$lba" 2>/dev/null || true) >/dev/null ||
		[ "$lba" != 0 ] || return 1
}

# burn_same_audio N FILE: the samples of track N, with the end of it that is the next track's pregap,
# are the raw file's, padded with silence to whole sectors (and to four seconds).
burn_same_audio() {
	local begin end pcm
	begin=$(burn_description ".tracks[$1 - 1] | .offset + .stored_pregap * 2352")
	end=$(burn_description "(.tracks[$1] | if . and .stored_pregap > 0 then . else null end) as \$next |
		if \$next then \$next.offset + \$next.stored_pregap * 2352
		else .tracks[$1 - 1] | .offset + (.stored_pregap + .size) * 2352 end")
	pcm=$(stat -c %s "$2")
	cmp -n "$pcm" -i "$begin:0" "$burn_disc" "$2" || return 1
	[ $((end - begin - pcm)) -ge 0 ] &&
		{ [ $((end - begin - pcm)) -lt 2352 ] || [ $((end - begin)) -eq $((300 * 2352)) ]; }
}

check_data() {
	burn_same_iso "$burn_dir/iso"
}

check_audio() {
	burn_same_audio 1 "$burn_dir/track1.pcm" && burn_same_audio 2 "$burn_dir/track2.pcm" &&
		[ "$(burn_description '.tracks | length')" = 2 ]
}

# Before the disc comes out: the guest rips what it burned.
# shellcheck disable=SC2016 # the guest's shell expands it
read_audio='for n in 1 2; do
	cdparanoia -q -r -d $D $n $T/rip && cmp -n $(stat -c %s $M/track$n.pcm) $T/rip $M/track$n.pcm || exit 1
done'

# Both trees are on the disc: the second session's directory names the first one's files, too.
check_sessions() {
	local lba
	[ "$(burn_description '.tracks | length')" = 2 ] || return 1
	lba=$(burn_description '.tracks[1].start')
	rm -rf "$burn_dir/out"
	xorriso -indev "stdio:$burn_disc" -load sbsector "$lba" -osirrox on \
		-extract / "$burn_dir/out" >/dev/null 2>&1 || true
	isoinfo -R -f -N 0 -T "$lba" -i "$burn_disc" >"$burn_dir/names" 2>/dev/null
	diff -r "$burn_dir/both" "$burn_dir/out" && grep -q second "$burn_dir/names" && grep -q data "$burn_dir/names"
}

# The tree as a file system of the program's own making.
check_tree() {
	rm -rf "$burn_dir/out"
	xorriso -indev "stdio:$burn_disc" -osirrox on -extract / "$burn_dir/out" >/dev/null 2>&1
	diff -r "$burn_dir/tree" "$burn_dir/out" &&
		[ "$(isoinfo -R -i "$burn_disc" -x /data | sha256sum)" = "$(sha256sum <"$burn_dir/tree/data")" ]
}

# matrix_case PROGRAM MEDIUM MODE CHECK COMMAND: one row; says in $matrix_result how it went.
matrix_case() {
	local medium=$2 check=$4 command=$5 set="D=${burn_device:-/dev/sr0} M=$burn_material T=$burn_tmp;" ripped=read_$4
	matrix_result=ok
	burn_insert "$medium"
	burn_text "$set $command" || matrix_result="the program failed"
	if [ "$matrix_result" = ok ] && [ -n "${!ripped:-}" ]; then
		burn_text "$set ${!ripped}" || matrix_result="read back in the guest, it differs"
	fi
	burn_eject
	if [ "$matrix_result" = ok ] && ! "check_$check" >"$burn_dir/check.log" 2>&1; then
		matrix_result="the disc differs"
	fi
	if [ "$matrix_result" = ok ]; then
		rm -f "$burn_disc" "$burn_disc.json"
		return 0
	fi
	tail -n 25 "$burn_dir/program.log"
	cat "$burn_dir/check.log" 2>/dev/null
	burn_description . | head -c 1500
	return 1
}

# matrix_run WAY [cover's options]: the rows that the cover takes for this way in, as a table. 1 if one failed.
matrix_run() {
	local way=$1 failed=0 verdict number on began
	local program medium mode always check command rows=()
	shift
	mapfile -t rows < <(grep -v '^#' "$burn_tests/cases" | grep .)
	while read -r verdict number on <&7; do
		[ "$on" = "$way" ] || continue
		read -r program medium mode always check command <<<"${rows[number - 1]}"
		matrix_result='left out: its pairs are in other rows (--full runs it)'
		began=$SECONDS
		if [ "$verdict" = run ]; then
			matrix_case "$program" "$medium" "$mode" "$check" "$command" || failed=1
			matrix_result="$matrix_result, $((SECONDS - began)) s"
		fi
		printf '| %-9s | %-6s | %-9s | %-5s | %s\n' "$program" "$medium" "$mode" "$way" "$matrix_result"
	done 7< <(awk -v ways="${burn_ways:-$way}" -v full="${XO_FULL:-0}" "$@" -f "$burn_tests/cover" "$burn_tests/cases")
	return $failed
}
