# shellcheck shell=bash disable=SC2154 # XO_BIN and the rest are lib.sh's
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: what a packet command costs by SG_IO in Dom0, by xen-scsiback, by xenoptic's ring, and by it to xen-cdfront
# time: 1500
#
# Dom0's part of tests/bench/xen; its lines "sample …" and "count …" are what xen.d/table.py reads. The drives are two
# of scsi_debug's, which share one memory and answer at once, so that the way to them is what is measured:
#	a	SG_IO in Dom0
#	b	stock xen-scsifront, xen-scsiback and target_core_pscsi
#	c	stock xen-scsifront, xenoptic
#	d	xen-cdfront, xenoptic (the second drive: a guest has a drive by one way only)

SECONDS_EACH=1
COUNT=500
GUEST=g1
WARM_UP=8 # sgload's
PATHS=(a b c d)
COMMANDS=("tur 0" "read 2" "read 32" "read 64" "read 128" "write 32" "write 64")

# --- the drives and the ways to them ----------------------------------------------------------------------------------

drives() {
	modprobe sr_mod
	modprobe sg
	modprobe scsi_debug ptype=5 sector_size=2048 dev_size_mb=32 num_tgts=2 max_luns=1 delay=0
	undo rmmod scsi_debug
	udevadm settle --timeout=120
	HOST=$(grep -l scsi_debug /sys/class/scsi_host/*/proc_name | sed 's|.*/host\([0-9]*\)/.*|\1|')
	wait_until 20 test -d "/sys/class/scsi_device/$HOST:0:1:0/device/block"
	DRIVE=/dev/$(ls "/sys/class/scsi_device/$HOST:0:0:0/device/block")
	DRIVE2=/dev/$(ls "/sys/class/scsi_device/$HOST:0:1:0/device/block")
}

# scsiback DOMID DEVID: the kernel's backend, by hand: what a toolstack would write.
scsiback() {
	local core=/sys/kernel/config/target/core/pscsi_0 fabric=/sys/kernel/config/target/xen-pvscsi naa=naa.6001405708ab297e
	local back=/local/domain/0/backend/vscsi/$1/$2 front=/local/domain/$1/device/vscsi/$2
	modprobe -a target_core_mod target_core_pscsi xen-scsiback
	mkdir -p "$core/dvd"
	echo "scsi_host_id=$HOST,scsi_channel_id=0,scsi_target_id=0,scsi_lun_id=0" >"$core/dvd/control"
	echo "$DRIVE" >"$core/dvd/udev_path"
	echo 1 >"$core/dvd/enable"
	mkdir -p "$fabric/$naa/tpgt_1"
	echo "$naa" >"$fabric/$naa/tpgt_1/nexus"
	mkdir -p "$fabric/$naa/tpgt_1/lun/lun_0"
	ln -s "$core/dvd" "$fabric/$naa/tpgt_1/lun/lun_0/dvd"
	undo "rm -f $fabric/$naa/tpgt_1/lun/lun_0/dvd; rmdir $fabric/$naa/tpgt_1/lun/lun_0 $fabric/$naa/tpgt_1 $fabric/$naa $core/dvd $core"
	undo "xenstore-rm $back; xenstore-rm $front"
	xenstore-write "$back/frontend" "$front" "$back/frontend-id" "$1" "$back/online" 1 "$back/feature-host" 0 \
		"$back/vscsi-devs/dev-0/p-dev" "$naa:0" "$back/vscsi-devs/dev-0/v-dev" 0:0:0:0 \
		"$back/vscsi-devs/dev-0/state" 1
	xenstore-write "$front/backend" "$back" "$front/backend-id" 0
	xenstore-chmod "$front" "n$1" r0
	xenstore-chmod -r "$back" n0 "r$1"
	xenstore-write "$front/state" 1
	xenstore-chmod "$front/state" "n$1" r0
	xenstore-write "$back/state" 1
}

# One new drive in the guest after COMMAND…: sets NEW to its name.
new_drive() {
	local before after
	before=$(guest g1 'ls /dev | grep -x "sr[0-9]*" || true')
	"$@"
	wait_until 60 eval "[ \"\$(guest g1 'ls /dev | grep -x \"sr[0-9]*\" || true')\" != '$before' ]" || fail "no drive in the guest by $*"
	guest g1 'udevadm settle --timeout=30'
	after=$(guest g1 'ls /dev | grep -x "sr[0-9]*"')
	NEW=/dev/$(comm -13 <(sort <<<"$before") <(sort <<<"$after"))
}

bench_guest() {
	local files=(sgload)
	[ ! -f "$XO_BIN/xen-cdfront.ko" ] || files+=(xen-cdfront.ko)
	tar -C "$XO_BIN" -cf hand-in.tar "${files[@]}"
	GUEST_DISKS=$(disk_line xvdb hand-in.tar) guest_start "$1" pv
	guest "$1" 'tar -C /tmp -xf /dev/xvdb; modprobe -a sr_mod sg xen-scsifront'
}

declare -A NODE
ways() {
	local way
	drives
	NODE[a]=$DRIVE
	bench_guest g1
	for way in "${PATHS[@]}"; do
		case $way in
		b) new_drive scsiback "$(xl domid g1)" 7 ;;
		c) new_drive xenoptic attach g1 "drive=$DRIVE" ;;
		d)
			guest g1 'insmod /tmp/xen-cdfront.ko'
			new_drive xenoptic attach g1 "drive=$DRIVE2" bus=vcd
			;;
		*) continue ;;
		esac
		NODE[$way]=$NEW
		note "$way: $NEW, max_sectors_kb $(guest g1 "cat /sys/block/${NEW#/dev/}/queue/max_sectors_kb")"
	done
}

# load WAY COMMAND… : sgload there.
load() {
	local way=$1
	shift
	if [ "$way" = a ]; then
		"$XO_BIN/sgload" "${NODE[a]}" "$@"
	else
		guest g1 "/tmp/sgload ${NODE[$way]} $*"
	fi
}

# --- counts -----------------------------------------------------------------------------------------------------------

counts() {
	local command way
	for command in "tur 0" "read 64" "write 64"; do
		for way in "${PATHS[@]}"; do
			[ "$way" != a ] || continue
			# shellcheck disable=SC2086
			count_kernel "$way" $command
			# shellcheck disable=SC2086
			trace 0x0022f000 "$way" $command
		done
	done
}

bench() {
	[ -f "$XO_BIN/xen-cdfront.ko" ] || PATHS=(a b c) # the headers of the guests' kernel are not installed
	xenoptic_start
	ways
	counts
	rounds
}

bench
