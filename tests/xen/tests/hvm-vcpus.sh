# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: four vCPUs load an AHCI and an IDE drive at once and read Dom0's ISO from both; one drive burns while all vCPUs read the other; ioemu dies in between
# when: full
# time: 3600

KILL_SEED=4
seeded_kills 12 4000 ioemu.{taken,done,committed,answered} >points # at each access
seeded_kills 8 300 ioemu.{sent,replied,completed} >>points
XO_ENV=("XENOPTIC_KILL=$(paste -sd, points)")
xenoptic_start "[xenopticd]" "restart-limit = 1000"
make_iso disc.iso 1 1
iso_sum=$(sha256sum <disc.iso)
iso_sum=${iso_sum%% *} iso_blocks=$(($(stat -c %s disc.iso) / 2048))
for drive in a b; do xenoptic disc insert "virtual:$drive" "$PWD/disc.iso"; done
# Where an emulated processor runs Dom0 and a guest of several vCPUs by turns, the guest dies in its boot loader, or
# stands.
apart=()
[ -n "${XO_HERE-}" ] || {
	xl vcpu-pin Domain-0 all 0
	apart=('cpus = "1"')
}
GUEST_MEMORY=320 GUEST_VCPUS=4
hvm_guest h1 "drive=virtual:a,bus=ahci\", \"-optical\", \"drive=virtual:b,bus=ide" "${apart[@]}"
[ "$(guest h1 'cat /sys/devices/system/cpu/online')" = 0-3 ] ||
	fail "not four vCPUs: $(guest h1 'dmesg | grep -i smp')"
wait_until 120 guest h1 'test -b /dev/sr0 && test -b /dev/sr1' ||
	fail "not both drives: $(guest h1 'dmesg | tail -n 20')"
declare -A device
while read -r name driver _; do device[$driver]=$name; done < <(hvm_drives)
ahci=${device[ahci]} ide=${device[ata_generic]}

# Which vCPU gives libata's commands to the controllers.
guest h1 'mount -t tracefs tracefs /sys/kernel/tracing; echo 1 >/sys/kernel/tracing/events/libata/ata_qc_issue/enable'

# all_read DEVICE…: every vCPU reads every of these drives whole, all at once, among other commands.
all_read() {
	guest h1 "for device in $*; do for cpu in 0 1 2 3; do
		(sum=\$(taskset -c \$cpu sg_dd if=\$device blk_sgio=1 bs=2048 bpt=32 count=$iso_blocks 2>/dev/null | sha256sum)
			echo \"\$cpu \$device \${sum%% *}\") &
		(taskset -c \$cpu sg_turs -n 25 \$device >/dev/null 2>&1; echo \"\$cpu \$device ready \$?\") &
		done; done; wait" | sort >read
	[ "$(grep -c " $iso_sum\$" read)" = $((4 * $#)) ] && [ "$(grep -c ' ready 0$' read)" = $((4 * $#)) ] ||
		fail "$(cat read; guest h1 'dmesg | tail -n 20')"
}

# burn_beside BURNS READS: an image is burned on the one drive, while every vCPU reads the other.
burn_beside() {
	local burn
	guest_iso h1 1 2
	wait_until 60 guest h1 "sg_turs $1 && udevadm settle"
	guest_bg h1 "taskset -c 3 xorriso -as cdrecord -v dev=$1 -tao /tmp/in.iso 2>&1 | tail -n 3; exit \${PIPESTATUS[0]}"
	burn=$BG
	while all_read "$2" && kill -0 "$burn" 2>/dev/null; do :; done
	wait "$burn" || fail "the burn ended with $?: $(guest h1 'dmesg | tail -n 20')"
	begins_with_iso "$DISC" || fail "the disc is not what was burned"
	guest_reads_back h1 "$1" || fail "the guest reads other data"
}

# interrupts_on VCPU DEVICE…: the controllers of these drives signal that vCPU.
interrupts_on() {
	guest h1 "for device in ${*:2}; do
		echo $1 >/proc/irq/\$(cat /sys/block/\${device#/dev/}/device/../../../../irq)/smp_affinity_list || exit 1; done"
}
# signalled VCPU DEVICE: how often it has done so.
signalled() {
	guest h1 "awk -v irq=\$(cat /sys/block/${2#/dev/}/device/../../../../irq): '\$1 == irq { print \$(2 + $1) }' /proc/interrupts"
}

for cpu in 0 1 2 3; do
	note "all vCPUs load both drives, vCPU $cpu has the interrupts"
	interrupts_on $cpu "$ahci" "$ide"
	all_read "$ahci" "$ide"
	[ "$(signalled $cpu "$ahci")" -gt 0 ] && [ "$(signalled $cpu "$ide")" -gt 0 ] ||
		fail "no interrupt on vCPU $cpu: $(guest h1 'cat /proc/interrupts')"
done
note "one burns by AHCI"
burn_drive=virtual:a
burn_eject
hvm_disc 16 a
burn_beside "$ahci" "$ide"
note "one burns by IDE"
burn_eject
xenoptic disc insert virtual:a "$PWD/disc.iso"
wait_until 60 guest h1 "sg_turs $ahci && udevadm settle"
burn_drive=virtual:b
burn_eject
hvm_disc 16 b
burn_beside "$ide" "$ahci"

for cpu in 0 1 2 3; do
	guest h1 "grep '^entries: [1-9]' /sys/kernel/tracing/per_cpu/cpu$cpu/stats" || fail "no command came from vCPU $cpu"
done
note "$(xenoptic_log | grep -c 'ioemu.*dies at') workers died"
[ "$(xenoptic_log | sed -n 's/.*ioemu\[\([0-9/]*\) .*dies at.*/\1/p' | sort -u | wc -l)" = 2 ] || fail "not of both drives"
[ "$(pgrep -c -x xenoptic-ioemu)" = 2 ] || fail "$(pgrep -a xenoptic-ioemu)"
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
no_nodes
