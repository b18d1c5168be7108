# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: SG_IO of a killed process completes and leaves its result in a memfd that another process holds
# time: 180
#
# DESIGN.md, "Exactly once", assumes it. The drive's daemon is stopped (SIGSTOP) while the command runs, so that the
# process is killed for certain in the middle of it, and goes on afterwards.

SGKILL=$XO_BIN/sgkill

tgt_drive 1
make_iso in.iso 4 7
burn_xorriso "$DRIVE" in.iso >/dev/null
tgt_reload 1
same_as in.iso "$DRIVE"
tgtd=$(pidof tgtd)
undo kill -CONT "$tgtd"

# measure WHAT SGKILL-OPTION CDB LENGTH
measure() {
	local option=()
	[ -z "$2" ] || option=("$2")
	echo "--- $1"
	udevadm settle
	"$SGKILL" "${option[@]}" "$DRIVE" "kill -STOP $tgtd" "kill -CONT $tgtd" "$3" "$4" data
}

# READ(10) of 32 blocks from 100: through the kernel's own pages, or the memfd's where the kernel maps them.
measure "READ(10), 64 KiB" "" 28000000006400002000 65536
cmp data <(dd if=in.iso bs=2048 skip=100 count=32 status=none)
measure "READ(10), 64 KiB, issued by a second thread" -t 28000000006400002000 65536
cmp data <(dd if=in.iso bs=2048 skip=100 count=32 status=none)
# A length that is no multiple of the alignment is copied by the kernel after the command.
measure "GET CONFIGURATION, 10 bytes" "" 46000000000000000a00 10
sg_raw -b -o expected -r 10 "$DRIVE" 46 00 00 00 00 00 00 00 0a 00 2>/dev/null
cmp data expected
measure "READ(10) beyond the end: sense" "" 2800fffffff000000100 2048 | tee sense
grep -q 'status 0x2 .*sense length 18: 70 00 03 .* 11 00' sense
measure "TEST UNIT READY, no data" "" 000000000000 0
