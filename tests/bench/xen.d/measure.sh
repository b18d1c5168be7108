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
#
# With DRIVER_DOMAIN the drives and both backends are in a PVH domain, "dd", that has a processor of its own; a is SG_IO
# there, and what is counted of Dom0 otherwise is counted of that.

: "${SECONDS_EACH:=1}"
COUNT=500
GUEST=g1
WARM_UP=8 # sgload's
PATHS=(a b c d)
COMMANDS=("tur 0" "read 2" "read 32" "read 64" "read 128" "write 32" "write 64")

# --- the drives and the ways to them ----------------------------------------------------------------------------------

# there COMMAND… : in the domain of the drives, with lib.sh's functions and these.
there() {
	if [ -n "${DRIVER_DOMAIN-}" ]; then
		in_driver_domain "$(declare -f make_drives scsiback_target); $*"
	else
		eval "$*"
	fi
}

# Prints the SCSI host's number and the two drives.
make_drives() {
	modprobe sr_mod
	modprobe sg
	modprobe scsi_debug ptype=5 sector_size=2048 dev_size_mb=32 num_tgts=2 max_luns=1 delay=0
	udevadm settle --timeout=120
	local host
	host=$(grep -l scsi_debug /sys/class/scsi_host/*/proc_name | sed 's|.*/host\([0-9]*\)/.*|\1|')
	wait_until 20 test -d "/sys/class/scsi_device/$host:0:1:0/device/block"
	echo "$host /dev/$(ls "/sys/class/scsi_device/$host:0:0:0/device/block") /dev/$(ls "/sys/class/scsi_device/$host:0:1:0/device/block")"
}

NAA=naa.6001405708ab297e

# scsiback_target HOST DRIVE: what the kernel's backend gives its guests.
scsiback_target() {
	local core=/sys/kernel/config/target/core/pscsi_0/dvd tpg=/sys/kernel/config/target/xen-pvscsi/$3/tpgt_1
	modprobe -a target_core_mod target_core_pscsi xen-scsiback
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	mkdir -p "$core"
	echo "scsi_host_id=$1,scsi_channel_id=0,scsi_target_id=0,scsi_lun_id=0" >"$core/control"
	echo "$2" >"$core/udev_path"
	echo 1 >"$core/enable"
	mkdir -p "$tpg"
	echo "$3" >"$tpg/nexus"
	mkdir -p "$tpg/lun/lun_0"
	ln -s "$core" "$tpg/lun/lun_0/dvd"
}

# scsiback DOMID DEVID: the kernel's backend, by hand: what a toolstack would write.
scsiback() {
	local back=/local/domain/$BACKEND/backend/vscsi/$1/$2 front=/local/domain/$1/device/vscsi/$2
	[ -n "${DRIVER_DOMAIN-}" ] ||
		undo "cd /sys/kernel/config/target; rm -f xen-pvscsi/$NAA/tpgt_1/lun/lun_0/dvd; rmdir xen-pvscsi/$NAA/tpgt_1/lun/lun_0 xen-pvscsi/$NAA/tpgt_1 xen-pvscsi/$NAA core/pscsi_0/dvd core/pscsi_0"
	there scsiback_target "$HOST" "$DRIVE" "$NAA"
	undo "xenstore-rm $back; xenstore-rm $front"
	xenstore-write "$back/frontend" "$front" "$back/frontend-id" "$1" "$back/online" 1 "$back/feature-host" 0 \
		"$back/vscsi-devs/dev-0/p-dev" "$NAA:0" "$back/vscsi-devs/dev-0/v-dev" 0:0:0:0 \
		"$back/vscsi-devs/dev-0/state" 1
	xenstore-write "$front/backend" "$back" "$front/backend-id" "$BACKEND"
	xenstore-chmod "$front" "n$1" "r$BACKEND"
	xenstore-chmod -r "$back" "n$BACKEND" "r$1"
	xenstore-write "$front/state" 1
	xenstore-chmod "$front/state" "n$1" "r$BACKEND"
	xenstore-write "$back/state" 1
}

# The driver domain, with the build's daemon.
start_driver_domain() {
	driver_domain pvh 'cpus = "1"'
	in_driver_domain 'modprobe xen-gntalloc; xenoptic_install'
	guest_bg dd 'xenopticd --no-toolstack --log 7 >/root/xenopticd.log 2>&1'
	in_driver_domain 'wait_until 20 xenoptic list'
	xl vcpu-pin 0 all 0
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
	GUEST_DISKS=$(disk_line xvdb hand-in.tar) guest_start "$1" pv "${@:2}"
	guest "$1" 'tar -C /tmp -xf /dev/xvdb; modprobe -a sr_mod sg xen-scsifront'
}

declare -A NODE
ways() {
	local way backend=''
	BACKEND=0
	if [ -n "${DRIVER_DOMAIN-}" ]; then
		start_driver_domain
		BACKEND=$(xl domid dd) backend=backend=dd
		bench_guest g1 'cpus = "2"'
	else
		undo rmmod scsi_debug
		bench_guest g1
	fi
	read -r HOST DRIVE DRIVE2 < <(there make_drives)
	NODE[a]=$DRIVE
	for way in "${PATHS[@]}"; do
		case $way in
		b) new_drive scsiback "$(xl domid g1)" 7 ;;
		c) new_drive xenoptic attach g1 "drive=$DRIVE" $backend ;;
		d)
			guest g1 'insmod /tmp/xen-cdfront.ko'
			new_drive xenoptic attach g1 "drive=$DRIVE2" bus=vcd $backend
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
		there "$XO_BIN/sgload" "${NODE[a]}" "$@"
	else
		guest g1 "/tmp/sgload ${NODE[$way]} $*"
	fi
}

# --- counts -----------------------------------------------------------------------------------------------------------

counts() {
	local command way mask=0x0022f000
	[ -z "${DRIVER_DOMAIN-}" ] || mask=0x002af000 # a PVH domain's calls are exits
	for command in "tur 0" "read 64" "write 64"; do
		for way in "${PATHS[@]}"; do
			[ "$way" != a ] || continue
			# shellcheck disable=SC2086
			[ -n "${DRIVER_DOMAIN-}" ] || count_kernel "$way" $command
			# shellcheck disable=SC2086
			trace "$mask" "$way" $command
		done
	done
}

# at_speed KB_PER_S: the rounds of 64 KiB again, with drives that take as long for them as at that speed.
at_speed() {
	there "echo $((65536 * 1000000 / $1)) >/sys/bus/pseudo/drivers/scsi_debug/ndelay"
	SPEED=@$1 COMMANDS=("read 64" "write 64")
	rounds
}

# symbols_of NAME FILE: its kernel's, without modules. It is Dom0's kernel, and a console takes minutes for a copy.
symbols_of() {
	[ "$(guest "$1" 'grep -w _text /proc/kallsyms')" = "$(grep -w _text /proc/kallsyms)" ] || fail "$1 has its kernel elsewhere"
	grep -v '\[' /proc/kallsyms >"$XO_LOGS/kallsyms-$2.log"
}

# profile WAY COMMAND KIB COMMANDS: that load, for tests/bench/profile; each domain on a processor of its own.
profile() {
	xl vcpu-pin 0 all 0
	[ -n "${DRIVER_DOMAIN-}" ] || xl vcpu-pin g1 all 1
	load "$1" "$2" "$3" "count:$4"
	[ -e /proc/xen/xensyms ] || mount -t xenfs none /proc/xen
	cat /proc/xen/xensyms >"$XO_LOGS/xensyms.log"
	cat /proc/kallsyms >"$XO_LOGS/kallsyms-Dom0.log"
	symbols_of g1 guest
	[ -z "${DRIVER_DOMAIN-}" ] || symbols_of dd driver-domain
}

bench() {
	# shellcheck disable=SC2086 # four words
	set -- ${PROFILE-}
	[ $# = 0 ] || PATHS=(a "$1")
	[ $# -gt 0 ] || [ -f "$XO_BIN/xen-cdfront.ko" ] || PATHS=(a b c) # the headers of the guests' kernel are not installed
	if [ -n "${DRIVER_DOMAIN-}" ]; then xenoptic_start '[xenopticd]' 'backend = no'; else xenoptic_start; fi
	ways
	if [ $# -gt 0 ]; then
		profile "$@"
		return
	fi
	counts
	rounds
	at_speed 72000 # BD 16x
}

bench
