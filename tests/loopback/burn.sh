#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unmodified burning programs in a guest, through ring and drive process onto the virtual burner:
# each disc compared byte for byte by other programs. Prints the table. With --full, or XO_FULL=1 in
# the environment, also the rows that a normal run leaves out; it names them.
# shellcheck disable=SC2317 # row() calls functions by name
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"

make_material() {
	burn_make_iso 6000
	mkdir "$lb_dir/more"
	printf 'The second session.\n' >"$lb_dir/more/second"
	for n in 1 2; do
		openssl enc -aes-128-ctr -nosalt -K 0$n -iv 00 </dev/zero 2>/dev/null |
			head -c $((2352 * 400)) >"$lb_dir/track$n.pcm"
		xorriso_free_wav "$lb_dir/track$n.pcm" "$lb_dir/track$n.wav"
	done
	cat >"$lb_dir/audio.toc" <<-TOC
		CD_DA
		TRACK AUDIO
		FILE "$lb_dir/track1.wav" 0
		TRACK AUDIO
		FILE "$lb_dir/track2.wav" 0
	TOC
	cat >"$lb_dir/data.toc" <<-TOC
		CD_ROM
		TRACK MODE1
		DATAFILE "$lb_dir/iso"
	TOC
}

# 44.1 kHz, 16 bits, two channels: a RIFF header in front of the samples.
xorriso_free_wav() {
	local size
	size=$(stat -c %s "$1")
	{
		printf 'RIFF'
		le32 $((size + 36))
		printf 'WAVEfmt '
		le32 16
		printf '\1\0\2\0'
		le32 44100
		le32 176400
		printf '\4\0\20\0data'
		le32 "$size"
		cat "$1"
	} >"$2"
}

le32() {
	# shellcheck disable=SC2059 # the format is the bytes
	printf "\\x$(printf %02x $(($1 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))\\x$(printf %02x $(($1 >> 24 & 255)))"
}

data() {
	burn_same_iso "$lb_dir/iso"
}

audio() {
	burn_same_audio 1 "$lb_dir/track1.pcm" && burn_same_audio 2 "$lb_dir/track2.pcm" &&
		[ "$(burn_description '.tracks | length')" = 2 ]
}

# Both trees are on the disc: the second session's directory names the first one's files, too.
sessions() {
	local lba
	[ "$(burn_description '.tracks | length')" = 2 ] || return 1
	lba=$(burn_description '.tracks[1].start')
	xorriso -indev "stdio:$burn_disc" -load sbsector "$lba" -osirrox on \
		-extract / "$lb_dir/out$burn_count" >/dev/null 2>&1 || true
	isoinfo -R -f -N 0 -T "$lba" -i "$burn_disc" >"$lb_dir/names" 2>/dev/null
	diff -r "$lb_dir/both" "$lb_dir/out$burn_count" && grep -q second "$lb_dir/names" && grep -q data "$lb_dir/names"
}

# The tree as a file system of the program's own making.
tree() {
	rm -rf "$lb_dir/out"
	xorriso -indev "stdio:$burn_disc" -osirrox on -extract / "$lb_dir/out" >/dev/null 2>&1
	diff -r "$lb_dir/tree" "$lb_dir/out" &&
		[ "$(isoinfo -R -i "$burn_disc" -x /data | sha256sum)" = "$(sha256sum <"$lb_dir/tree/data")" ]
}

two_sessions_by_xorriso() {
	burn_guest xorriso -outdev /dev/sr0 -joliet off -map "$lb_dir/tree" / -commit -close off || return
	burn_guest xorriso -dev /dev/sr0 -map "$lb_dir/more/second" /second -commit
}

full=${XO_FULL:-}
[ "${1:-}" = --full ] && full=1
failed=0
# full_row: as row, in a full run only.
full_row() {
	if [ -n "$full" ]; then
		row "$@"
	else
		printf '| %-6s | %-24s | left out: not a full run\n' "$1" "$3"
	fi
}

# row MEDIUM CHECK NAME PROGRAM…
row() {
	local medium=$1 check=$2 name=$3 result=ok
	shift 3
	command -v "${1%% *}" >/dev/null || [ "$(type -t "$1")" = function ] || {
		printf '| %-6s | %-24s | left out: no %s\n' "$medium" "$name" "$1"
		return
	}
	burn_insert "$medium"
	if [ "$(type -t "$1")" = function ]; then
		"$@" || result="program failed"
	else
		burn_guest "$@" || result="program failed"
	fi
	burn_eject
	[ "$result" = ok ] && { $check >"$lb_dir/check.log" 2>&1 || result="the disc differs"; }
	printf '| %-6s | %-24s | %s\n' "$medium" "$name" "$result"
	[ "$result" = ok ] && {
		rm -f "$burn_disc"
		return
	}
	failed=1
	tail -n 25 "$lb_dir/program.log"
	cat "$lb_dir/check.log" 2>/dev/null
	burn_description . | head -c 1500
}

burn_start --log 6
make_material
mkdir "$lb_dir/both"
cp "$lb_dir/tree/"* "$lb_dir/more/second" "$lb_dir/both"
iso=$lb_dir/iso
w1=$lb_dir/track1.wav w2=$lb_dir/track2.wav

row cd-r data "wodim -tao" wodim -s gracetime=0 dev=/dev/sr0 -tao "$iso"
row cd-r data "wodim -sao" wodim -s gracetime=0 dev=/dev/sr0 -sao "$iso"
row cd-r audio "wodim -audio -tao" wodim -s gracetime=0 dev=/dev/sr0 -tao -audio "$w1" "$w2"
row cd-r audio "wodim -audio -sao" wodim -s gracetime=0 dev=/dev/sr0 -sao -audio "$w1" "$w2"
row cd-r data "cdrskin -tao" cdrskin dev=/dev/sr0 -tao "$iso"
row cd-r data "cdrskin -sao" cdrskin dev=/dev/sr0 -sao "$iso"
row cd-r data "cdrdao, data" cdrdao write --device /dev/sr0 --driver generic-mmc -n "$lb_dir/data.toc"
row cd-r audio "cdrdao, audio" cdrdao write --device /dev/sr0 --driver generic-mmc -n "$lb_dir/audio.toc"
row cd-r tree "xorriso, native" xorriso -outdev /dev/sr0 -map "$lb_dir/tree" / -commit -close on
row cd-r sessions "xorriso, two sessions" two_sessions_by_xorriso
row dvd+r data "growisofs -Z" growisofs -dvd-compat -Z /dev/sr0="$iso"
row dvd+r data "cdrskin" cdrskin dev=/dev/sr0 "$iso"
row dvd+r data "xorriso" xorriso -as cdrecord dev=/dev/sr0 "$iso"
row dvd+r data "wodim" wodim -s gracetime=0 dev=/dev/sr0 "$iso"
row bd-r data "growisofs -Z" growisofs -Z /dev/sr0="$iso"
row bd-r data "xorriso" xorriso -as cdrecord dev=/dev/sr0 "$iso"
full_row cd-r data "xorriso" xorriso -as cdrecord dev=/dev/sr0 "$iso"
full_row cd-r audio "cdrskin -audio" cdrskin dev=/dev/sr0 -audio "$w1" "$w2"
full_row dvd+r tree "xorriso, native" xorriso -outdev /dev/sr0 -map "$lb_dir/tree" / -commit -close on
full_row dvd+r sessions "xorriso, two sessions" two_sessions_by_xorriso
full_row bd-r data "cdrskin" cdrskin dev=/dev/sr0 "$iso"
full_row bd-r tree "xorriso, native" xorriso -outdev /dev/sr0 -map "$lb_dir/tree" / -commit -close on
full_row bd-r sessions "xorriso, two sessions" two_sessions_by_xorriso
burn_stop
exit $failed
