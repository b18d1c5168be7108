# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: a guest that is saved and left running (xl save -c) reads and burns on, by xen-cdfront and by the stock frontend
# time: 600
# when: full

# checkpoint: it is saved, and not stopped.
checkpoint() {
	xl save -c g1 saved 2>save.log || fail "$(cat save.log)"
	rm saved
}

# reads: how often its program has read the disc.
reads() { guest g1 'wc -l </tmp/sums'; }

# reads_on: it does so once more.
reads_on() {
	local before
	before=$(reads)
	wait_until 60 eval "[ \"\$(reads)\" -gt $((before + 1)) ]" || fail "it does not read on: $(guest g1 'cat /tmp/errors; dmesg | tail -n 20')"
}

# readers_begin DEVICE: a program in the guest that reads the disc over and over, and keeps what it saw.
readers_begin() {
	guest g1 "printf '%s\n' '#!/bin/sh' 'while [ ! -e /tmp/enough ]; do dd if=$1 bs=64k count=$BLOCKS iflag=direct status=none | sha256sum; done' >/tmp/reads
		chmod +x /tmp/reads; rm -f /tmp/enough; nohup /tmp/reads >/tmp/sums 2>/tmp/errors </dev/null &"
}

# readers_end: every turn of it was the same, and right.
readers_end() {
	guest g1 'touch /tmp/enough; while pidof -x reads >/dev/null; do sleep 0.2; done; cat /tmp/errors; [ ! -s /tmp/errors ]'
	[ "$(guest g1 'sort -u /tmp/sums')" = "$SUM" ] || fail "read: $(guest g1 'sort /tmp/sums | uniq -c')"
	note "read $(reads) times"
}

# read_through: the guest is saved twice while the program reads.
read_through() {
	readers_begin /dev/sr0
	checkpoint
	reads_on
	checkpoint
	reads_on
	readers_end
}

xenoptic_start "[drive virtual:v1]" "speed = 500" # a burn takes longer than a save
make_iso disc.iso 8 5
BLOCKS=$(($(stat -c %s disc.iso) / 65536)) SUM=$(head -c $((BLOCKS * 65536)) disc.iso | sha256sum)
xenoptic disc insert virtual:v1 "$PWD/disc.iso"
cdfront_start g1
xenoptic attach g1 drive=virtual:v1 bus=vcd
guest_drive g1
wait_until 60 guest g1 'sg_turs /dev/sr0'

note "xen-cdfront, under a program that reads"
read_through
drive_says virtual:v1 g1

note "in mid-burn"
xenoptic disc eject --force virtual:v1
xenoptic disc new "$PWD/blank" --type dvd+r --size 32M
xenoptic disc insert virtual:v1 "$PWD/blank"
guest g1 'head -c 24M /dev/urandom >/tmp/data; genisoimage -quiet -o /tmp/in.iso /tmp/data; sha256sum </tmp/in.iso; stat -c %s /tmp/in.iso' | tee sum
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso 2>&1 | tail -n 5'
wait_until 60 eval '[ "$(stat -c %s blank)" -gt 500000 ]'
checkpoint
guest g1 'pgrep -x xorriso' || fail "the burn was over before: $(stat -c %s blank) bytes"
wait "$BG"
[ "$(head -c "$(tail -n 1 sum)" blank | sha256sum)" = "$(head -n 1 sum)" ]
cdfront_clean g1
xenoptic detach g1
wait_until 30 guest g1 '! test -b /dev/sr0'

note "the stock frontend, under a program that reads"
xenoptic disc eject --force virtual:v1
xenoptic disc insert virtual:v1 "$PWD/disc.iso"
guest g1 'modprobe xen-scsifront'
xenoptic attach g1 drive=virtual:v1
guest_drive g1
wait_until 60 guest g1 'sg_turs /dev/sr0'
read_through
cdfront_clean g1
guest_destroy g1
