# shellcheck shell=bash disable=SC2154 # XO_BIN and the rest are lib.sh's
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: what a packet command costs in an HVM guest by QEMU's IDE and AHCI drives and by xenoptic's, the same disc in each
# time: 900
#
# Dom0's part of tests/bench/ioemu; its lines "sample …" and "count …" are what ioemu.d/table.py reads. One guest has all
# of them, their discs copies of one ISO (a drive of ours is had by one guest's way only):
#	a	QEMU's IDE CD-ROM (xl's own)
#	b	QEMU's AHCI CD-ROM
#	c	xenoptic by AHCI
#	d	xenoptic by IDE
#	e	the same controller as c with its message interrupts, which are what QEMU's has. The guest's driver is
#		bound to it anew, with or without them: only one of a guest's controllers is read without exits.

: "${SECONDS_EACH:=2}"
COUNT=100
WARM_UP=8 # sgload's
GUEST=h1
PATHS=(a b c d e)
COMMANDS=("tur 0" "read 64")
# Where each is on the guest's PCI bus; QEMU's PIIX has its own place.
declare -A PLACE=([a]=01.1 [b]=0b.0 [c]=0c.0 [d]=0d.0 [e]=0c.0)
declare -A DRIVER=([a]=ata_piix [b]=ahci [c]=ahci [d]=ata_generic [e]=ahci)
declare -A NODE RANGES

start_guest() {
	local a i
	make_iso a.iso 20 1
	for i in b c d; do cp a.iso "$i.iso"; done
	for i in c d; do xenoptic disc insert "virtual:$i" "$PWD/$i.iso"; done
	a='drive=virtual:c,bus=ahci,slot=12,interrupt=msi", "-optical", "drive=virtual:d,bus=ide,slot=13'
	a+="\", \"-drive\", \"if=none,id=b,media=cdrom,format=raw,readonly=on,file=$PWD/b.iso"
	a+='", "-device", "ich9-ahci,id=b-ahci,addr=0x0b", "-device", "ide-cd,bus=b-ahci.0,drive=b'
	GUEST_DISKS=", \"format=raw,vdev=hdc,devtype=cdrom,access=ro,target=$PWD/a.iso\"" hvm_guest h1 "$a"
	guest_put h1 "$XO_BIN/sgload" /tmp/sgload
	guest h1 'chmod +x /tmp/sgload; modprobe -a sr_mod sg'
	wait_until 120 guest h1 '[ "$(ls -d /dev/sr[0-9] | wc -l)" = 4 ]' || fail "not all four drives: $(guest h1 'ls -l /sys/block; dmesg | grep -E "ata|sr[0-9]"')"
	# Nobody else's commands.
	guest h1 'udevadm settle; for i in /sys/block/sr*/events_poll_msecs; do echo 0 >$i; done'
}

# Each way's device and the addresses of its controller's registers.
find_ways() {
	local way text name driver limit ranges
	for way in "${PATHS[@]}"; do
		# One command: each takes an emulated machine long.
		text=$(guest h1 "cd /sys/bus/pci/devices/0000:00:${PLACE[$way]}
			block=\$(ls -d ata*/host*/target*/*/block/sr*) || exit
			echo \${block##*/} \$(basename \$(readlink driver)) \$(cat \$block/queue/max_sectors_kb)
			cat resource") || fail "way $way has no drive"
		read -r name driver limit <<<"$text"
		NODE[$way]=/dev/$name
		[ "$driver" = "${DRIVER[$way]}" ] || fail "way $way is driven by $driver"
		ranges=$(tail -n +2 <<<"$text" | awk '
			/^0x0+ / { next }
			{ sub(/^0x0*/, "", $1); sub(/^0x0*/, "", $2); print ($3 ~ /1..$/ ? "port:" : "mem:") $1 "-" $2 }')
		RANGES[$way]=${ranges//$'\n'/ }
		note "$way: /dev/$name, $driver, max_sectors_kb $limit, registers ${RANGES[$way]}"
	done
}

# way_ready WAY: the controller that c and e share has that one's interrupts.
INTERRUPTS=e # the driver prefers messages
way_ready() {
	local message
	case $1 in
	c) message=0 ;;
	e) message=1 ;;
	*) return 0 ;;
	esac
	[ "$1" != "$INTERRUPTS" ] || return 0
	guest h1 "cd /sys/bus/pci/devices/0000:00:0c.0 && echo 0000:00:0c.0 >driver/unbind &&
		echo $message >msi_bus && echo 0000:00:0c.0 >/sys/bus/pci/drivers/ahci/bind"
	wait_until 60 guest h1 'ls -d /sys/bus/pci/devices/0000:00:0c.0/ata*/host*/target*/*/block/sr*'
	NODE[$1]=/dev/$(guest h1 'udevadm settle; cd /sys/bus/pci/devices/0000:00:0c.0/ata*/host*/target*/*/block/sr* &&
		echo 0 >events_poll_msecs && basename $PWD')
	[ "$(guest h1 'ls /sys/bus/pci/devices/0000:00:0c.0/msi_irqs 2>/dev/null | wc -l')" = "$message" ] ||
		fail "way $1 has other interrupts"
	INTERRUPTS=$1
}

# load WAY COMMAND…: sgload there.
load() {
	local way=$1
	shift
	guest h1 "/tmp/sgload ${NODE[$way]} $*"
}

counts() {
	local command way
	for command in "${COMMANDS[@]}"; do
		for way in "${PATHS[@]}"; do
			way_ready "$way" >&2
			# shellcheck disable=SC2086 # a command and its size; ranges
			count_kernel "$way" $command
			# shellcheck disable=SC2086
			trace 0x002af000 "$way" $command ${RANGES[$way]}
		done
	done
}

bench() {
	xenoptic_start
	start_guest
	find_ways
	# The same data by all of them.
	guest h1 "for i in ${NODE[*]}; do sg_dd if=\$i blk_sgio=1 bs=2048 bpt=32 count=512 of=- 2>/dev/null | md5sum; done | sort -u | wc -l" | grep -x 1
	counts
	rounds
	hvm_clean_dmesg
	guest_destroy h1
}

bench
