#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What burn.sh leaves out: programs that only ask, on an empty drive, blank discs and full ones; tracks
# of both kinds on one disc, ripping, growisofs' sessions; and xenoptic-guest's own commands.
# shellcheck disable=SC2317 # functions are called by name
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"
failed=0

# row WHAT FUNCTION [ARGUMENT…]: a line of the table
row() {
	local what=$1 before=$SECONDS
	shift
	if "$@" >"$lb_dir/row.log" 2>&1; then
		printf '%-32s ok %4d s\n' "$what" $((SECONDS - before))
		return
	fi
	printf '%-32s FAILED\n' "$what"
	tail -n 30 "$lb_dir/row.log" "$lb_dir/program.log" | sed 's/^/    /'
	failed=1
}

# asks WHAT says|refuses PATTERN PROGRAM …
asks() {
	if command -v "$4" >/dev/null; then
		row "$@"
	else
		printf '%-32s left out: no %s\n' "$1" "$4"
	fi
}

found() {
	[ -z "$1" ] || grep -Eqi -- "$1" "$lb_dir/program.log"
}

says() {
	local pattern=$1
	shift
	burn_guest "$@" && found "$pattern"
}

refuses() {
	local pattern=$1
	shift
	! burn_guest "$@" && found "$pattern"
}

# guest COMMAND…: xenoptic-guest's own
guest() {
	lb_as "$burn_domid" timeout 100 "$top_builddir/xenoptic-guest" "$@" >"$lb_dir/program.log" 2>&1
}

# make_audio FILE N: tones with a little noise; cdparanoia guesses the order of bytes from what it hears.
make_audio() {
	python3 - "$1" "$2" <<'PYTHON'
import math, random, struct, sys, wave
n = int(sys.argv[2])
random.seed(n)
pcm = b"".join(
    struct.pack("<hh", *(int(9000 * math.sin(i * n * step)) + random.randrange(64) for step in (0.03, 0.07)))
    for i in range(588 * (350 + 50 * n))
)
open(sys.argv[1] + ".pcm", "wb").write(pcm)
with wave.open(sys.argv[1] + ".wav", "wb") as w:
    w.setnchannels(2)
    w.setsampwidth(2)
    w.setframerate(44100)
    w.writeframes(pcm)
PYTHON
}

# new MEDIUM: a blank disc instead of the last one
new() {
	if [ -n "${burn_disc:-}" ]; then
		xenoptic disc eject virtual:burner --force
		rm -f "$burn_disc" "$burn_disc.json"
	fi
	burn_insert "$1"
}

mixed() {
	new cd-r
	burn_guest wodim -s gracetime=0 dev=/dev/sr0 -tao -data "$lb_dir/iso" \
		-audio "$lb_dir/audio1.wav" "$lb_dir/audio2.wav" || return 1
	burn_eject
	burn_same_iso "$lb_dir/iso" && burn_same_audio 2 "$lb_dir/audio1.pcm" &&
		burn_same_audio 3 "$lb_dir/audio2.pcm"
}

rip() {
	new cd-r
	burn_guest cdrskin dev=/dev/sr0 -audio "$lb_dir/audio1.wav" "$lb_dir/audio2.wav" || return 1
	burn_guest cdparanoia -q -d /dev/sr0 2 "$lb_dir/rip.wav" || return 1
	cmp "$lb_dir/rip.wav" "$lb_dir/audio2.wav" || return 1
	burn_eject
	burn_same_audio 1 "$lb_dir/audio1.pcm"
}

# genisoimage reads the first session through growisofs' drive, as /dev/fd/N
growisofs_sessions() {
	new "$1"
	burn_guest growisofs -Z /dev/sr0 -quiet -R "$lb_dir/tree" || return 1
	burn_guest growisofs -M /dev/sr0 -quiet -R "$lb_dir/more" || return 1
	rm -rf "$lb_dir/out"
	burn_guest xorriso -osirrox on -indev /dev/sr0 -extract / "$lb_dir/out" || return 1
	diff -r "$lb_dir/both" "$lb_dir/out"
}

own_burn() {
	new "$1"
	guest burn "$lb_dir/iso" || return 1
	guest read --output "$lb_dir/copy" || return 1
	cmp -n "$(stat -c %s "$lb_dir/iso")" "$lb_dir/iso" "$lb_dir/copy" || return 1
	guest burn "$lb_dir/iso" && return 1
	grep -q "is complete" "$lb_dir/program.log" || return 1
	guest eject || return 1
	burn_same_iso "$lb_dir/iso"
}

burn_start --log 6
burn_make_iso 3000
make_audio "$lb_dir/audio1" 1
make_audio "$lb_dir/audio2" 2
mkdir "$lb_dir/more" "$lb_dir/both"
printf 'The second session.\n' >"$lb_dir/more/second"
cp "$lb_dir/tree/"* "$lb_dir/more/second" "$lb_dir/both"

echo "empty:"
asks "sg_inq" says "VIRTUAL BURNER" sg_inq /dev/sr0
asks "sg_get_config" says "profile" sg_get_config /dev/sr0
asks "sg_luns" says "0000000000000000" sg_luns /dev/sr0
asks "sg_raw, READ BUFFER" says "00 20 00 00" sg_raw -r 4 /dev/sr0 3c 03 00 00 00 00 00 00 04 00
asks "sg_turs" refuses "not ready" sg_turs /dev/sr0
asks "wodim -prcap" says "Does write CD-R media" wodim dev=/dev/sr0 -prcap
asks "wodim -atip" refuses "No disk" wodim dev=/dev/sr0 -atip
asks "xorriso -toc" says "Media current:" xorriso -outdev /dev/sr0 -toc
asks "blkid" refuses "" blkid -p /dev/sr0

echo "blank CD-R:"
new cd-r
asks "sg_turs" says "" sg_turs /dev/sr0
asks "wodim -atip" says "ATIP start of lead out: *359849" wodim dev=/dev/sr0 -atip
asks "cdrskin -atip" says "ATIP start of lead out: *359849" cdrskin dev=/dev/sr0 -atip
asks "cdrskin -minfo" says "disk status: *empty" cdrskin dev=/dev/sr0 -minfo
asks "cdrdao disk-info" says "CD-R empty *: yes" cdrdao disk-info --device /dev/sr0 \
	--driver generic-mmc
asks "xorriso -toc" says "Media status : is blank" xorriso -outdev /dev/sr0 -toc

echo "blank DVD+R:"
new dvd+r
asks "dvd+rw-mediainfo" says "Disc status: *blank" dvd+rw-mediainfo /dev/sr0
asks "xorriso -toc" says "Media current: DVD\+R" xorriso -outdev /dev/sr0 -toc
asks "sg_get_config" says "DVD\+R" sg_get_config /dev/sr0

echo "full DVD+R:"
row "xenoptic-guest burn" guest burn "$lb_dir/iso"
asks "dvd+rw-mediainfo" says "Disc status: *complete" dvd+rw-mediainfo /dev/sr0
asks "sg_readcap" says "2048" sg_readcap /dev/sr0
asks "sg_modes" says "capabilities" sg_modes /dev/sr0
asks "isoinfo" says "Volume id: XENOPTIC" isoinfo -d -i /dev/sr0
asks "cd-info" says "ISO 9660" cd-info --no-cddb /dev/sr0
asks "cd-drive" says "VIRTUAL BURNER" cd-drive -i /dev/sr0
asks "blkid" says 'LABEL="XENOPTIC"' blkid -p /dev/sr0
asks "blockdev" says "^[0-9]+$" blockdev --getsize64 /dev/sr0
asks "readom" says "" readom dev=/dev/sr0 "f=$lb_dir/copy"
row "readom, compared" cmp -n "$(stat -c %s "$lb_dir/iso")" "$lb_dir/iso" "$lb_dir/copy"
asks "eject" says "" eject /dev/sr0
asks "eject -t" says "" eject -t /dev/sr0

echo "burned:"
row "CD-R: data and audio" mixed
row "CD-R: ripped by cdparanoia" rip
row "DVD+R: growisofs, two sessions" growisofs_sessions dvd+r
row "BD-R: growisofs, two sessions" growisofs_sessions bd-r
for medium in cd-r dvd+r bd-r; do
	row "$medium: xenoptic-guest" own_burn $medium
done
burn_stop
exit $failed
