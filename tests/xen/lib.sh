# shellcheck shell=bash disable=SC2034 # variables are for the tests
# SPDX-License-Identifier: GPL-2.0-or-later
# What tests in Dom0 are written with. A test runs under `set -eE` in an empty folder of its own; what it started
# through these functions is ended afterwards, so that the next test on a real Dom0 finds nothing.

XO_BIN=$XO_ROOT/bin
XO_GUEST_ROOT=${XO_GUEST_ROOT:-/dev/vdc}
XO_GUESTS=()
XO_UNDO=()
XO_ENV=()
XL_LINES=()
QEMU_DISCS=0
# What no healthy kernel says.
KERNEL_COMPLAINTS='KASAN:|\bBUG[: ]|UBSAN:|WARNING: |ODEBUG:|INFO: (trying|task .* blocked|rcu)|Oops|soft lockup'
KERNEL_COMPLAINTS+='|suspicious RCU|possible (recursive|circular|irq)|inconsistent lock|unreferenced object|cut here'

note() { echo "   $*"; }
fail() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "skip: $*"; exit 77; }
# not COMMAND…: it must fail (`! command` would not end the test).
not() { if "$@"; then fail "this must not succeed: $*"; fi; }
undo() { XO_UNDO+=("$*"); }

# wait_until SECONDS COMMAND…: try until it succeeds; XO_PATIENCE times as long where guests are slow.
wait_until() {
	local end=$((SECONDS + $1 * ${XO_PATIENCE:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

lib_cleanup() {
	local g i
	trap - ERR
	set +eE
	for g in "${XO_GUESTS[@]}"; do kernel_log "$g"; done
	for g in "${XO_GUESTS[@]}"; do xl destroy "$g" >/dev/null 2>&1; done
	for ((i = ${#XO_UNDO[@]} - 1; i >= 0; i--)); do eval "${XO_UNDO[i]}" >/dev/null 2>&1; done
	rm -rf "$PWD"
}

# --- guests -----------------------------------------------------------------------------------------------------------

# guest_config NAME pv|pvh|hvm [LINE…]: write NAME.cfg: the stock guest with further lines of xl's configuration.
# GUEST_MEMORY, GUEST_VCPUS, GUEST_ROOT and GUEST_DISKS (", \"…\"") change its memory, vCPUs, root and add disks;
# GUEST_EXTRA goes to its kernel, GUEST_CRASH says what xl does when it has crashed. Its TSC is the processor's, as it is
# by default where that is invariant; the emulated one does not say so, and Xen would emulate each RDTSC. A checking
# kernel (tests/xen/kasan) runs as PVH where the test says PV: Linux makes KASAN's early shadow in x86_64_start_kernel(),
# which a PV guest does not pass.
guest_config() {
	local name=$1 type=$2 disk=xvda
	shift 2
	[ -z "${XO_CHECKING_KERNEL-}" ] || [ "$type" != pv ] || type=pvh
	[ "$type" != hvm ] || disk=xvde # QEMU, which emulates the first four, has no read-only IDE disk
	cat >"$name.cfg" <<-END
		name = "$name"
		type = "$type"
		kernel = "${XO_KERNEL:-$(echo /boot/vmlinuz-*-amd64)}"
		ramdisk = "${XO_INITRD:-$XO_ROOT/initrd}"
		extra = "console=hvc0 tsc=nowatchdog ${XO_CHECKING_KERNEL:+log_buf_len=4M }${GUEST_EXTRA:+$GUEST_EXTRA }xo.role=guest xo.disk=/dev/$disk xo.init=/usr/lib/xenoptic-test/init"
		memory = $((${GUEST_MEMORY:-256} + ${XO_MEMORY_MORE:-0}))
		vcpus = ${GUEST_VCPUS:-1}
		on_crash = "${GUEST_CRASH:-preserve}"
		disk = [ "format=raw,vdev=$disk,access=ro,target=${GUEST_ROOT:-$XO_GUEST_ROOT}" ${GUEST_DISKS-} ]
		tsc_mode = "native"
	END
	[ $# = 0 ] || printf '%s\n' "$@" >>"$name.cfg"
}

# guest_start NAME TYPE [LINE…]: create it and wait until it takes commands.
guest_start() {
	local name=$1
	guest_config "$@"
	XO_GUESTS+=("$name")
	xl create -q "$name.cfg"
	guest_console "$name"
}

# guest_console NAME [SECONDS]: (again) take the console of a guest that was created, restored or rebooted.
guest_console() {
	local name=$1 domid tty
	domid=$(xl domid "$name")
	wait_until 120 xenstore-exists "/local/domain/$domid/console/tty" || fail "guest $name has no console"
	wait_until 10 eval "tty=\$(xenstore-read /local/domain/$domid/console/tty) && [ -n \"\$tty\" ]"
	tty=$(xenstore-read "/local/domain/$domid/console/tty")
	"$XO_BIN/guest" serve "$tty" "$PWD/$name.sock" "$XO_LOGS/console-$name.log" </dev/null >/dev/null 2>&1 &
	echo $! >"$name.pid"
	disown $!
	wait_until 5 [ -S "$name.sock" ] || fail "console of $name"
	timeout $((${2:-480} * ${XO_PATIENCE:-1})) "$XO_BIN/guest" run "$PWD/$name.sock" true || {
		tail -n 30 "$XO_LOGS/console-$name.log" >&2
		fail "guest $name did not come up"
	}
}

# kernel_log NAME: keep all that a checking kernel (tests/xen/kasan) has said since it booted, whatever `dmesg -C` took
# away, and what lockdep counted; KERNEL_LOG is the file. Not with Debian's kernel, nor when the guest is gone.
kernel_log() {
	local domid
	[ -n "${XO_CHECKING_KERNEL-}" ] || return 1
	domid=$(xl domid "$1" 2>/dev/null) || return 1
	KERNEL_LOG=$XO_LOGS/kernel-$1-$domid.log
	timeout 300 "$XO_BIN/guest" run "$PWD/$1.sock" \
		'dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null; uname -r; cat /proc/lockdep_stats' >"$KERNEL_LOG" || :
}

# kernel_checked NAME: a checking kernel has no complaint, and has checked all the time: lockdep ends with its first one.
kernel_checked() {
	kernel_log "$1" || return 0
	not grep -E "$KERNEL_COMPLAINTS" <(grep -v hw-vuln "$KERNEL_LOG")
	grep -q 'KernelAddressSanitizer initialized' "$KERNEL_LOG" || fail "$1: a kernel without KASAN, or no log: $KERNEL_LOG"
	grep -qE '^ *debug_locks: +1$' "$KERNEL_LOG" || fail "$1: lockdep is off: $KERNEL_LOG"
}

# guest NAME COMMAND…: run a shell command in the guest; its output and status are the guest's, 255 if it is gone.
guest() {
	local name=$1
	shift
	"$XO_BIN/guest" run "$PWD/$name.sock" "$*"
}

# guest_bg NAME COMMAND…: the same in the background; BG is the client, and killing it kills the command in the guest.
guest_bg() {
	local name=$1
	shift
	"$XO_BIN/guest" run "$PWD/$name.sock" "$*" &
	BG=$!
}

# guest_put NAME FILE PATH: copy a (small) file into the guest.
guest_put() {
	guest "$1" "base64 -d <<'END' | gunzip >'$3'
$(gzip -9c "$2" | base64)
END"
}

# guest_shell NAME: for tests/xen/shell.
guest_shell() {
	kill "$(cat "$1.pid")" 2>/dev/null || : # it may have ended with the old console
	echo "press Enter; Ctrl-] leaves guest $1"
	xl console "$1"
}

# disk_line VDEV FILE: for GUEST_DISKS: FILE, whole sectors, as a read-only disk.
disk_line() { echo ", \"format=raw,vdev=$1,access=ro,target=$(realpath "$2")\""; }

# cdfront_start NAME [PARAMETERS]: a PV guest (or one of CDFRONT_TYPE) with xen-cdfront loaded, whose module comes on a
# disk, and the lines of xl_lines, if those were called.
# Under a checking kernel the module is checked as well: the compiler has put KASAN's calls into it.
cdfront_start() {
	local name=$1
	[ -f "$XO_BIN/xen-cdfront.ko" ] || skip "no xen-cdfront.ko: the headers of the guests' kernel are not installed"
	[ -z "${XO_CHECKING_KERNEL-}" ] || grep -q __asan_ "$XO_BIN/xen-cdfront.ko" || fail "xen-cdfront.ko without KASAN"
	tar -C "$XO_BIN" -cf cdfront.tar xen-cdfront.ko
	shift
	GUEST_DISKS=$(disk_line xvdb cdfront.tar) guest_start "$name" "${CDFRONT_TYPE:-pv}" "${XL_LINES[@]}"
	guest "$name" "modprobe -a sr_mod sg; tar -C /tmp -xf /dev/xvdb && insmod /tmp/xen-cdfront.ko $*"
}

# cdfront_unload NAME: Linux' xenbus keeps a driver as long as it has a device.
cdfront_unload() {
	guest "$1" 'for device in /sys/bus/xen/drivers/vcd/vcd-*; do [ ! -e $device ] || echo ${device##*/} >${device%/*}/unbind; done
		rmmod xen_cdfront'
}

# cdfront_clean NAME: nothing in the guest's log that a kernel says of itself (but what it warns of the processor).
cdfront_clean() {
	guest "$1" '! dmesg | grep -v hw-vuln | grep -E "cut here|BUG|Oops|WARNING|blocked for more|rcu.*stall|soft lockup|Call Trace"'
}

guest_destroy() {
	kernel_checked "$1"
	xl destroy "$1"
	wait_until 30 guest_gone "$1" || fail "domain $1 is still there: $(xl list)"
}

# No domain of that name, and no zombie of any.
guest_gone() { ! xl domid "$1" >/dev/null 2>&1 && ! xl list | grep -q '(null)'; }

# --- Dom0's drives ----------------------------------------------------------------------------------------------------

XO_IQN=iqn.2000-01.test.xenoptic

# tgt_drive N: the tgt daemon's DVD+R burner number N, with a blank disc, through open-iscsi. Sets DRIVE
# to its /dev/srN, DRIVE_SG to its /dev/sgN and DRIVE_DISC to the file behind the disc.
tgt_drive() {
	local n=$1
	pidof tgtd >/dev/null || { systemctl start tgt 2>/dev/null || tgtd; }
	wait_until 20 tgtadm --lld iscsi --mode target --op show
	DRIVE_DISC=$PWD/disc$n.img
	tgtimg --op new --device-type cd --type dvd+r --file "$DRIVE_DISC" >/dev/null
	tgtadm --lld iscsi --mode target --op new --tid "$n" --targetname "$XO_IQN:$n"
	undo tgtadm --lld iscsi --mode target --op delete --force --tid "$n"
	tgtadm --lld iscsi --mode logicalunit --op new --tid "$n" --lun 1 --device-type cd --backing-store "$DRIVE_DISC"
	tgtadm --lld iscsi --mode target --op bind --tid "$n" --initiator-address ALL
	modprobe iscsi_tcp
	iscsiadm -m discoverydb -t sendtargets -p 127.0.0.1 --discover >/dev/null
	tgt_login "$n"
}

tgt_login() {
	# No pings, or rarely: a test may stop the daemon for a while.
	iscsiadm -m node -T "$XO_IQN:$1" -p 127.0.0.1 --op update -n 'node.conn[0].timeo.noop_out_interval' -v 3600
	iscsiadm -m node -T "$XO_IQN:$1" -p 127.0.0.1 --login >/dev/null
	undo iscsiadm -m node -T "$XO_IQN:$1" -p 127.0.0.1 --logout
	wait_until 30 tgt_find "$1" || fail "the burner of tgt did not appear"
	udevadm settle --timeout=30
	DRIVE=$(tgt_find "$1")
	DRIVE_SG=/dev/$(basename "/sys/block/${DRIVE#/dev/}"/device/scsi_generic/*)
}

tgt_logout() { iscsiadm -m node -T "$XO_IQN:$1" -p 127.0.0.1 --logout >/dev/null; }

tgt_find() {
	local link
	link=$(readlink "/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-$XO_IQN:$1-lun-1") || return 1
	[ -b "/dev/${link##*/}" ] && echo "/dev/${link##*/}"
}

# tgt_eject N, tgt_insert N [FILE]: what a hand at the drive does. Between them the kernel must have seen the empty tray,
# or it keeps the old size: tgt reports no event.
tgt_eject() {
	tgtadm --lld iscsi --mode logicalunit --op update --tid "$1" --lun 1 --params online=0
}

tgt_insert() {
	{ [ $# = 1 ] || tgtadm --lld iscsi --mode logicalunit --op update --tid "$1" --lun 1 --params "path=$2"; } &&
		tgtadm --lld iscsi --mode logicalunit --op update --tid "$1" --lun 1 --params online=1
}

tgt_reload() {
	tgt_eject "$1"
	not blockdev --getsize64 "$(tgt_find "$1")" 2>/dev/null
	tgt_insert "$1"
}

# qmp COMMAND [ARGUMENTS]: a command, with JSON arguments, for the monitor of the QEMU that Dom0 runs in; prints the answer.
qmp() {
	local line
	if [ -z "${QMP-}" ]; then
		[ -c /dev/virtio-ports/xenoptic.qmp ] || skip "this is not the testbed's virtual machine"
		exec {QMP}<>/dev/virtio-ports/xenoptic.qmp
		qmp qmp_capabilities >/dev/null
	fi
	printf '{"execute":"%s","arguments":%s}\n' "$1" "${2-"{}"}" >&"$QMP"
	while IFS= read -r -t 120 -u "$QMP" line; do
		case $line in
		'{"return"'*) echo "$line" && return 0 ;;
		'{"error"'*) echo "qmp $*: $line" >&2 && return 1 ;;
		esac
	done
	fail "QEMU does not answer: qmp $*"
}

# qemu_cd_plug [NODE], qemu_cd_unplug: QEMU's CD-ROM with one of the machine's read-only disks ("guest" is /dev/vdc, "test"
# /dev/vdb) as its disc, or none. DRIVE is its /dev/srN, DRIVE_LINK its stable name.
qemu_cd_plug() {
	local disc=
	[ $# = 0 ] || {
		qemu_cd_disc "$1"
		disc=",\"drive\":\"$QEMU_DISC\""
	}
	qmp device_add '{"driver":"scsi-cd","bus":"scsi.0","id":"cd"'"$disc"',"serial":"xenoptic-cd"}' >/dev/null
	DRIVE_LINK=/dev/disk/by-id/scsi-0QEMU_QEMU_CD-ROM_xenoptic-cd
	wait_until 60 test -b "$DRIVE_LINK" || fail "QEMU's drive did not appear: $(ls /dev/disk/by-id)"
	udevadm settle --timeout=60
	DRIVE=$(readlink -f "$DRIVE_LINK")
}

# A node of its own: one that a disk of the machine uses cannot be inserted.
qemu_cd_disc() {
	QEMU_DISC=disc$((++QEMU_DISCS))
	qmp blockdev-add '{"driver":"raw","node-name":"'"$QEMU_DISC"'","read-only":true,"file":"'"$1"'"}' >/dev/null
}

qemu_cd_unplug() {
	qmp device_del '{"id":"cd"}' >/dev/null
	wait_until 60 eval "! test -b $DRIVE_LINK" || fail "QEMU's drive did not go"
}

# qemu_cd_is tray_open|locked: of that drive.
qemu_cd_is() { qmp query-block | jq -e ".return[] | select(.qdev == \"cd\") | .$1" >/dev/null; }

# qemu_cd_load NODE: a hand takes the disc out of the open tray, puts that one in and closes it.
qemu_cd_load() {
	qemu_cd_disc "$1"
	qmp blockdev-remove-medium '{"id":"cd"}' >/dev/null
	qmp blockdev-insert-medium '{"id":"cd","node-name":"'"$QEMU_DISC"'"}' >/dev/null
	qmp blockdev-close-tray '{"id":"cd"}' >/dev/null
}

# burn_xorriso DEVICE ISO
burn_xorriso() { xorriso -as cdrecord -v dev="$1" -tao "$2" 2>&1 | tail -n 5; }

# make_iso FILE MIB SEED: an ISO image of about that size, no two sectors alike.
make_iso() {
	local dir
	dir=$(mktemp -d ./iso.XXXXXX)
	seq "$3" 999999999 2>/dev/null | head -c "$(($2 << 20))" >"$dir/data"
	genisoimage -quiet -V "DISC$3" -o "$1" "$dir"
	rm -rf "$dir"
}

# same_as FILE DEVICE: the device begins with the file.
same_as() { cmp -n "$(stat -c %s "$1")" "$1" "$2"; }

# --- xenoptic ---------------------------------------------------------------------------------------------------------

# Install the packages that were handed in; in Dom0 the daemon is then started. On a real Dom0 what is installed there
# is tested. A test's own configuration stays.
xenoptic_install() {
	[ -z "${XO_HERE-}" ] || return 0
	[ -d "$XO_ROOT/packages" ] || skip "no build of xenoptic was handed in"
	dpkg --force-unsafe-io --force-confold -i "$XO_ROOT"/packages/xenoptic{,-guest}_*.deb >"$XO_LOGS/dpkg.log" 2>&1 || {
		cat "$XO_LOGS/dpkg.log"
		fail "the packages cannot be installed"
	}
}

# xenoptic_start [CONFIGURATION-LINE…]: install, start the daemon, wait until it answers.
xenoptic_start() {
	local new=
	command -v xenopticd >/dev/null || new=1
	if [ $# -gt 0 ]; then
		[ -z "${XO_HERE-}" ] || keep_configuration
		mkdir -p /etc/xenoptic
		printf '%s\n' "$@" >/etc/xenoptic/xenoptic.conf
	fi
	# So that the package's own start is the test's as well: reading all units again takes an emulated machine long.
	xenoptic_unit_lines
	[ -z "$new" ] || xenoptic_install
	if [ -n "$new" ] && xenoptic_unit; then xenoptic_answers; else xenoptic_restart; fi
	undo xenoptic_stop
}

# What tests add to the unit.
xenoptic_unit_lines() {
	local drop=/run/systemd/system/xenopticd.service.d
	[ -d /run/systemd/system ] || return 0
	mkdir -p "$drop"
	printf '[Service]\nExecStart=\nExecStart=/usr/sbin/xenopticd --log 7\n' >"$drop/test.conf"
	[ ${#XO_ENV[@]} = 0 ] || printf 'Environment="%s"\n' "${XO_ENV[@]}" >>"$drop/test.conf"
}

# keep_configuration: the real Dom0's, until xenoptic_stop.
keep_configuration() {
	[ ! -e configuration ] || return 0
	mkdir configuration
	[ ! -e /etc/xenoptic/xenoptic.conf ] || cp -a /etc/xenoptic/xenoptic.conf configuration
}

# A real Dom0 goes on with its own.
xenoptic_stop() {
	[ -n "${XO_HERE-}" ] || return 0
	if [ -e configuration ]; then
		rm -f /etc/xenoptic/xenoptic.conf
		[ ! -e configuration/xenoptic.conf ] || cp -a configuration/xenoptic.conf /etc/xenoptic/
	fi
	rm -f /run/systemd/system/xenopticd.service.d/test.conf
	systemctl daemon-reload
	systemctl restart xenopticd
}

xenoptic_answers() {
	wait_until 30 xenoptic list || { xenoptic_log | tail -n 20; fail "xenopticd does not answer"; }
}

# The systemd unit where it is installed (not in a driver domain's plain guest), with XO_ENV in its environment.
xenoptic_restart() {
	if xenoptic_unit; then
		xenoptic_unit_lines
		systemctl daemon-reload
		systemctl restart xenopticd
	else
		! pidof xenopticd >/dev/null || { kill "$(pidof xenopticd)"; wait_until 10 eval '! pidof xenopticd'; }
		mkdir -p /run/xenoptic /var/lib/xenoptic
		env "${XO_ENV[@]}" xenopticd --log 7 >>"$XO_LOGS/xenopticd.log" 2>&1 </dev/null &
		disown
	fi
	xenoptic_answers
}

xenoptic_unit() { [ -d /run/systemd/system ] && [ -e /usr/lib/systemd/system/xenopticd.service ]; }

# xenoptic_kill [PROGRAM…]: kill -9 of the daemon, at once with these workers, and its successor.
xenoptic_kill() {
	# shellcheck disable=SC2046 # pids
	kill -9 $(pidof xenopticd "$@")
	xenoptic_unit || xenoptic_restart
	wait_until 30 xenoptic list || fail "xenopticd does not come back"
}

# What daemon and workers have logged.
xenoptic_log() {
	if xenoptic_unit; then
		journalctl -b -u xenopticd -o cat --no-pager
	else
		cat "$XO_LOGS/xenopticd.log"
	fi
}

# xenoptic_shut_in: each process that serves guests is in its sandbox (tests/shut-in), and so are the daemon's helpers;
# for a test to call when a guest's drive has come up.
xenoptic_shut_in() {
	local role pid
	"$XO_ROOT/shut-in"
	for role in keeper domctl; do
		pidof "xenoptic-$role" >/dev/null || fail "no xenoptic-$role runs"
		for pid in $(pidof "xenoptic-$role"); do "$XO_ROOT/shut-in" --worker "$role" "$pid"; done
	done
}

# seeded_kills NUMBER MOST POINT…: a line for each of so many deaths at these points (base/point.h), at passes up to MOST.
# They are random, and the same in every run: KILL_SEED begins the sequence. Not for a subshell, which would lose its place.
KILL_SEED=1
seeded_kills() {
	local number=$1 most=$2 i points
	shift 2
	points=("$@")
	for ((i = 0; i < number; i++)); do
		KILL_SEED=$(((KILL_SEED * 1103515245 + 12345) & 0x7fffffff))
		echo "${points[i % ${#points[@]}]}=$((KILL_SEED / 65536 % most + 1))"
	done
}

# xenoptic_env NAME=VALUE…: start the daemon again with this in its environment and its workers'.
xenoptic_env() { XO_ENV=("$@"); xenoptic_restart; }

# guest_drive NAME [DEVICE]: wait for that drive (/dev/sr0) in the guest.
guest_drive() {
	local device=${2:-/dev/sr0}
	wait_until 300 guest "$1" "test -b $device" || {
		guest "$1" 'dmesg | tail -n 15' || :
		xenstore-ls -f | grep -E '/backend/optical/|/device/v(scsi|cd)/' || :
		fail "guest $1 has no $device: $(xenoptic list)"
	}
}

# guest_raw NAME: /tmp/raw DEVICE SECONDS CDB… in the guest: a packet command that may take so long, to sr0 and the like. It
# says whether that "ended well": sg_raw prints a status that is Good beside a transport's error as well.
# shellcheck disable=SC2016 # the guest expands it
guest_raw() {
	guest "$1" 'cat >/tmp/raw <<"END"
g=/dev/$(basename /sys/block/$1/device/scsi_generic/*)
t=$2
shift 2
sg_raw -t $t $g "$@" 2>&1 && echo "it ended well"
END
chmod +x /tmp/raw'
}

# guest_iso NAME MIB SEED: make /tmp/in.iso in the guest; ISO_SUM and ISO_SIZE tell what it is.
guest_iso() {
	local text
	text=$(guest "$1" "seq $3 999999999 2>/dev/null | head -c ${2}M >/tmp/data; genisoimage -quiet -o /tmp/in.iso /tmp/data;
		rm /tmp/data; sha256sum </tmp/in.iso; stat -c %s /tmp/in.iso")
	read -r ISO_SUM _ <<<"$text"
	ISO_SIZE=${text##*$'\n'}
}

# begins_with_iso FILE: it begins with the guest's image.
begins_with_iso() { [ "$(head -c "$ISO_SIZE" "$1" | sha256sum)" = "$ISO_SUM  -" ]; }

# blocks NAME FILE: a sum for each 32 KiB of it, to see where two differ.
blocks() { guest "$1" "head -c $ISO_SIZE $2 | split -b 32768 --filter=md5sum"; }

# guest_burn NAME [DEVICE]: the guest's own program burns its image.
guest_burn() { guest "$1" "xorriso -as cdrecord -v dev=${2:-/dev/sr0} -tao /tmp/in.iso 2>&1" | tr '\r' '\n' | grep -v UPDATE; }

# guest_reads_back NAME [DEVICE]: it reads its image back from the disc that it burned, by packet commands: the guest's
# block layer, like any Linux', keeps the blank disc's size until the medium changes.
guest_reads_back() {
	guest "$1" "sg_dd if=${2:-/dev/sr0} blk_sgio=1 bs=2048 bpt=32 count=$((ISO_SIZE / 2048)) of=/tmp/back 2>&1 && cmp /tmp/back /tmp/in.iso"
}

# lent DRIVE: the ring of the guest that has it gives commands to it itself.
lent() { xenoptic list --json | jq -e --arg d "$1" '[.. | objects | select(.drive? == $d and .lent?)] | length == 1' >/dev/null; }

# burned KIB: so much of tgt's disc is written.
burned() { [ "$(stat -c %s "$DRIVE_DISC")" -ge "$(($1 << 10))" ]; }

# Nothing of ours is left in xenstore.
no_nodes() { ! xenstore-ls -f | grep -E '/(backend/optical/|device/vscsi|device/vcd)'; }

# no_errors NAME [TIMES]: no message of the guest's kernel about errors, but what Dom0's says as well when a drive is new
# (it was so once, or TIMES), when a blank disc is read, and at boot of emulation and of PVH.
no_errors() {
	not grep -iE 'error|abort|timed out|failed|reset|offline|hung' <(guest "$1" dmesg |
		awk -v times="${2-1}" '!/sr .*: Power-on or device reset occurred/ || times-- <= 0' | grep -vE \
		'tag#.* (FAILED Result: hostbyte=DID_OK|Sense Key : Illegal|Add. Sense: Logical block address out|CDB: Read)|critical target error, dev sr[0-9]+, sector 0 |Fast TSC calibration failed|ACPI Error: No handler or method for GPE')
}

# The drive is nobody's: free and its door unlocked.
drive_free() { xenoptic list | grep -E "^$DRIVE +unused"; }

# drive_says DRIVE TEXT: the list has it in the drive's line: its state, "present" or "absent" for the medium.
drive_says() { xenoptic list | grep -qE "^$1 .*$2"; }

# xl_lines OPTIONS…: XL_LINES are the two lines of xl's configuration, with an -optical for each.
xl_lines() {
	local o args=''
	for o in "$@"; do args+=", \"-optical\", \"$o\""; done
	XL_LINES=('device_model_override = "/usr/libexec/xenoptic/device-model"' "device_model_args = [ ${args#, } ]")
}

# xl_says TEXT NODE: g1's error is in xenstore, in the list and in the journal.
xl_says() {
	local node
	node=/local/domain/0/backend/optical/$(xl domid g1)/$2/error
	wait_until 20 eval "xenstore-read $node | grep -qF '$1'" || fail "$node: $(xenstore-read "$node")"
	xenoptic list | grep -qF "$1" || fail "not listed: $1: $(xenoptic list)"
	xenoptic_log | grep -qF "$1" || fail "not in the journal: $1"
}

# xl_reads NAME: the guest's drive answers with the disc's first sectors.
xl_reads() { guest "$1" "[ \"\$(head -c $ISO_SIZE /dev/sr0 | sha256sum)\" = '$ISO_SUM  -' ]"; }

# guest_again NAME: the console of a guest that got a new domain.
guest_again() {
	kill "$(cat "$1.pid")" 2>/dev/null || : # it may have ended with the old console
	rm -f "$1.sock"
	guest_console "$1"
}

# xl_disc: an ISO in the virtual drive "disc"; ISO_SUM and ISO_SIZE tell what it is.
xl_disc() {
	make_iso disc.iso 2 1
	ISO_SUM=$(sha256sum <disc.iso)
	ISO_SUM=${ISO_SUM%% *}
	ISO_SIZE=$(stat -c %s disc.iso)
	xenoptic disc eject virtual:disc 2>/dev/null || : # what a test before left in it
	xenoptic disc insert virtual:disc "$PWD/disc.iso"
}

# --- a driver domain --------------------------------------------------------------------------------------------------

# driver_domain TYPE [LINE…]: "dd", a DomU with Dom0's packages and the build; only the testbed has the disks for it.
driver_domain() {
	[ -z "${XO_HERE-}" ] || skip "the driver domain is made from the testbed's own disks"
	GUEST_MEMORY=512 GUEST_ROOT=/dev/vda GUEST_DISKS=$(disk_line xvdb /dev/vdb) guest_start dd "$@"
	guest dd 'mkdir -p /test /lib/modules && tar -C /test -xf /dev/xvdb && modprobe -a xen-evtchn xen-gntdev'
}

# in_driver_domain COMMAND…: there, with these functions, in a shell that a failure ends.
in_driver_domain() { guest dd "set -e; cd /root; export XO_ROOT=/test XO_LOGS=/root; . /test/lib.sh; $*"; }

# --- the table of burns (tests/burn/matrix.sh) -----------------------------------------------------------------------

# burn_begin KILOBYTES: the table's functions, for burn_guest with the virtual drive burn_drive; the material.
# shellcheck disable=SC2034 # matrix.sh's
burn_begin() {
	burn_tests=$XO_ROOT/burn burn_dir=$PWD/burn burn_material=/tmp/burn burn_tmp=/tmp burn_count=0
	. "$burn_tests/matrix.sh"
	mkdir "$burn_dir"
	matrix_material "$1"
	genisoimage -quiet -R -o material.iso "$burn_dir"
}

burn_text() { guest "$burn_guest" "$1" >"$burn_dir/program.log" 2>&1; }

burn_insert() {
	burn_count=$((burn_count + 1))
	burn_disc=$PWD/disc$burn_count
	xenoptic disc new "$burn_disc" --type "$1" >/dev/null
	xenoptic disc insert "$burn_drive" "$burn_disc" >/dev/null
}

# The guest's udev locks the door of a drive with a medium. Then it is asked, and opens the tray itself.
burn_eject() {
	xenoptic disc eject "$burn_drive" >/dev/null || wait_until 60 drive_says "$burn_drive" absent
}

# The guest gets the material on a disc.
burn_hand_in() {
	xenoptic disc insert "$burn_drive" "$PWD/material.iso"
	guest "$burn_guest" "xorriso -osirrox on -indev ${burn_device:-/dev/sr0} -extract / $burn_material 2>&1 | tail -n 2"
	[ "$(guest "$burn_guest" "cat $burn_material/*.* $burn_material/iso | sha256sum")" = \
		"$(cat "$burn_dir"/*.* "$burn_dir/iso" | sha256sum)" ] || fail "the guest has other material"
	burn_eject
}

# --- HVM guests with an emulated controller ---------------------------------------------------------------------------

# hvm_lines OPTIONS [ARGUMENT…]: lines of xl's configuration that give an HVM guest that drive, by the key HVM_ARGS, and
# its QEMU those arguments; without OPTIONS none of them is of ours.
hvm_lines() {
	local args=''
	[ $# = 1 ] || args=$(printf ', "%s"' "${@:2}")
	HVM_LINES=('device_model_version = "qemu-xen"')
	if [ -z "$1" ]; then
		HVM_LINES+=("device_model_args = [ ${args#, } ]")
	else
		HVM_LINES+=('device_model_override = "/usr/libexec/xenoptic/device-model"'
			"${HVM_ARGS:-device_model_args} = [ \"-optical\", \"$1\"$args ]")
	fi
}

# hvm_disc [MIB] [NAME]: a blank DVD+R for the virtual drive of that name ("disc"): DISC is its file.
hvm_disc() {
	local drive=virtual:${2:-disc}
	DISC=$(mktemp "$PWD/disc.XXXXXX")
	rm "$DISC"
	xenoptic disc new "$DISC" --type dvd+r --size "${1:-64}M"
	xenoptic disc eject "$drive" 2>/dev/null || :
	xenoptic disc insert "$drive" "$DISC"
}

# boot_iso FILE MENU…: an ISO that boots GRUB, from a CD drive or as a disk; MENU are the lines of its grub.cfg.
# What lies in BOOT_FILES is in its /boot. With BOOT_NATIVE=1 GRUB reads by its own drivers, with BOOT_EFI=1 UEFI boots
# it, too.
boot_iso() {
	local file=$1 dir efi=()
	shift
	[ -f "$XO_BIN/eltorito.img" ] || skip "no GRUB (package grub-pc-bin) where the test was handed in"
	dir=$(mktemp -d ./iso.XXXXXX)
	mkdir -p "$dir/boot/grub"
	cp "$XO_BIN/eltorito${BOOT_NATIVE:+-native}.img" "$dir/boot/grub/eltorito.img"
	[ ${#BOOT_FILES[@]} = 0 ] || cp "${BOOT_FILES[@]}" "$dir/boot/"
	[ -z "${BOOT_EFI-}" ] || {
		[ -f "$XO_BIN/efi.img" ] || skip "no GRUB for UEFI (packages grub-efi-amd64-bin, mtools) where the test was handed in"
		cp "$XO_BIN/efi.img" "$dir/boot/grub/"
		efi=(-eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot)
	}
	printf '%s\n' "$@" >"$dir/boot/grub/grub.cfg"
	xorriso -as mkisofs -quiet -r -V BOOT --grub2-mbr "$XO_BIN/boot_hybrid.img" -b boot/grub/eltorito.img -no-emul-boot \
		-boot-load-size 4 -boot-info-table --grub2-boot-info "${efi[@]}" -o "$file" "$dir"
	rm -rf "$dir"
}

# hvm_grub BUS FILE [MENU…]: GRUB boots a disc in our drive by that controller and prints 400 lines of it, after the
# lines of MENU. Each byte is an exit to QEMU, on its serial port, which FILE is of.
hvm_grub() {
	seq 1 400 >text
	BOOT_FILES=(text)
	boot_iso boot.iso 'serial' 'terminal_output serial' "${@:3}" 'cat /boot/text' 'halt'
	xenoptic disc insert virtual:disc "$PWD/boot.iso"
	hvm_lines "drive=virtual:disc,bus=$1"
	guest_config h1 hvm "${HVM_LINES[@]}" 'boot = "d"' "serial = \"file:$PWD/$2\""
	sed -i '/^\(kernel\|ramdisk\|extra\|disk\) =/d' h1.cfg
	XO_GUESTS+=(h1)
	xl create -q h1.cfg
	wait_until "${GRUB_PATIENCE:-120}" grep -q '400' "$2" || {
		xenoptic list --json | jq '.drives[].process.counters' # how far it came
		fail "GRUB has not read the disc: $(tail -n 5 "$2")"
	}
	diff <(sed 's/\x1b\[[0-9;]*[A-Za-z]//g; s/\r//g' "$2" | grep -E '^[0-9]+$') text >diff ||
		fail "GRUB printed other text: $(head -n 5 diff; head -c 400 "$2" | cat -v)"
	xl destroy h1 2>/dev/null || : # GRUB's halt may have been faster
	wait_until 30 guest_gone h1
	xenoptic disc eject virtual:disc
}

# hvm_guest NAME OPTIONS [LINE…]: an HVM guest with that drive, or '' for none. It boots its kernel from a disk of QEMU's
# that needs one exit for 64 KiB: by `kernel=` SeaBIOS moves ten megabytes a few bytes at a time.
hvm_guest() {
	local name=$1 args kernel initrd
	hvm_lines "$2" -drive "if=none,id=boot,format=raw,readonly=on,file=$PWD/boot.img" -device virtio-blk-pci,drive=boot,bootindex=0
	guest_config "$name" hvm "${HVM_LINES[@]}" "${@:3}"
	args=$(sed -n 's/^extra = "\(.*\)"$/\1/p' "$name.cfg")
	kernel=$(sed -n 's/^kernel = "\(.*\)"$/\1/p' "$name.cfg")
	initrd=$(sed -n 's/^ramdisk = "\(.*\)"$/\1/p' "$name.cfg")
	sed -i "/^\(kernel\|ramdisk\|extra\) =/d; s|access=ro,|access=ro,script=$XO_BIN/block-plain,|" "$name.cfg"
	BOOT_FILES=("$kernel" "$initrd")
	[ -f boot.img ] || boot_iso boot.img "linux /boot/${kernel##*/} $args" "initrd /boot/${initrd##*/}" boot
	XO_GUESTS+=("$name")
	xl create -q "$name.cfg"
	guest_console "$name" 600
}

# hvm_drives: h1's optical drives, a line each: device, driver of its controller, what it calls itself. libata numbers
# its hosts as it finds them.
# shellcheck disable=SC2016 # the guest expands it
hvm_drives() {
	guest h1 'for i in /sys/block/sr*; do
		echo "/dev/${i##*/} $(basename "$(readlink -f $i/device/../../../../driver)") $(cat $i/device/model)"; done'
}

# hvm_driver NAME [DEVICE]: h1 has that drive (/dev/sr0), that is its controller's driver, and lspci finds nothing odd.
hvm_driver() {
	local device=${2:-/dev/sr0} driver
	guest_drive h1 "$device"
	guest h1 "dmesg | grep -E '$1|ata[0-9]|${device#/dev/}'"
	driver=$(hvm_drives | awk -v d="$device" '$1 == d { print $2 }')
	[ "$driver" = "$1" ] || fail "$device is driven by $driver"
	guest h1 "lspci -vv -s \$(basename \$(readlink -f /sys/block/${device#/dev/}/device/../../../..)) 2>&1" | tee lspci
	grep -q "Kernel driver in use: $1" lspci || fail "lspci does not know of $1"
	not grep -iE 'lspci:|!!!|unknown|unassigned|\[(disabled|virtual)\]|ignored|broken|\?\?' lspci
}

# hvm_burn [MIB] [DEVICE]: h1 burns an image, reads it back, and Dom0 compares.
hvm_burn() {
	local device=${2:-/dev/sr0}
	guest_iso h1 "${1:-4}" 1
	guest_burn h1 "$device" | tail -n 5
	begins_with_iso "$DISC" || fail "the disc is not what was burned"
	guest_reads_back h1 "$device" || fail "the guest reads other data"
}

# hvm_ide_by_pio ADDRESS: h1's ata_generic drives the function there by PIO. It goes by what a firmware has said of the
# drive in the bus master's status, not by libata.dma.
hvm_ide_by_pio() {
	guest h1 "udevadm settle; cd /sys/bus/pci/drivers/ata_generic; echo $1 >unbind
		base=\$(sed -n '5s/ .*//p' /sys/bus/pci/devices/$1/resource)
		printf '\\0' | dd of=/dev/port bs=1 seek=\$((base + 2)) conv=notrunc 2>/dev/null
		dmesg -C; echo $1 >bind; udevadm settle"
	wait_until 120 guest h1 'dmesg | grep "configured for PIO"' || fail "not by PIO: $(guest h1 'dmesg | tail -n 20')"
}

# No complaint of the drivers of disks and discs.
hvm_clean_dmesg() {
	guest h1 'dmesg | grep -E "(ata[0-9.]+|ahci|sr0|sr [0-9:]+).*(xception|rror|ailed|frozen|timeout|reset)|irq.*nobody cared"' || return 0
	fail "complaints of the guest's kernel"
}

# hvm_reads_disk DEVICE DISK: what h1 reads there is what that disk of Dom0's begins with.
hvm_reads_disk() { [ "$(guest h1 "head -c 1000000 $1 | md5sum")" = "$(head -c 1000000 "$2" | md5sum)" ]; }

# hvm_host_drive DEVICE: eject, medium changes and the door of the host's drive, which QEMU's CD-ROM is (qemu_cd_plug guest)
# and which h1 has as DEVICE.
hvm_host_drive() {
	local device=$1 generic
	# By /dev/sgN, which leaves the door alone.
	guest h1 'udevadm settle; pkill -9 udevd; modprobe sg'
	generic=/dev/$(guest h1 "basename /sys/block/${device#/dev/}/device/scsi_generic/*")
	guest h1 "sg_raw $generic 1e 00 00 00 00 00" # udev has locked the door
	wait_until 60 hvm_reads_disk "$device" /dev/vdc || fail "other data: $(guest h1 'dmesg | tail')"
	guest h1 "eject $device"
	qemu_cd_is tray_open
	qemu_cd_load test
	wait_until 60 drive_says "$DRIVE_LINK" present
	wait_until 60 hvm_reads_disk "$device" /dev/vdb || fail "the new disc does not show: $(guest h1 'dmesg | tail')"
	qmp blockdev-open-tray '{"id":"cd"}' >/dev/null
	wait_until 60 drive_says "$DRIVE_LINK" absent
	wait_until 60 guest h1 "sg_turs $device 2>&1 | grep -q 'not ready'" ||
		fail "the guest does not see the open tray: $(guest h1 "sg_raw $generic 00 00 00 00 00 00 2>&1")"
	qemu_cd_load guest
	wait_until 60 drive_says "$DRIVE_LINK" present
	wait_until 60 hvm_reads_disk "$device" /dev/vdc || fail "the second change does not show"
	guest h1 "sg_raw $generic 1e 00 00 00 01 00"
	wait_until 20 qemu_cd_is locked
	qmp blockdev-open-tray '{"id":"cd"}' 2>/dev/null || :
	not qemu_cd_is tray_open
}

# hvm_host_drive_left: the guest vanishes with the door locked.
hvm_host_drive_left() {
	guest_destroy h1
	wait_until 30 eval "xenoptic list | grep -E '^$DRIVE_LINK +unused'"
	not qemu_cd_is locked
	no_nodes
	not pgrep xenoptic-ioemu
}

# hvm_matrix BUS DRIVER: the table of burns in an HVM guest by that controller, which that driver of the guest's has; and
# a DVD+R of tgt's burner by another such controller.
hvm_matrix() {
	local device drivers
	tgt_drive 1
	burn_guest=h1 burn_drive=virtual:a
	burn_begin 1024
	xenoptic_start
	GUEST_MEMORY=320 hvm_guest h1 "drive=$burn_drive,bus=$1\", \"-optical\", \"drive=$DRIVE,bus=$1"
	wait_until 120 guest h1 'test -b /dev/sr0 && test -b /dev/sr1' || fail "not both drives: $(guest h1 'dmesg | tail -n 20')"
	hvm_drives | tee drives
	drivers=$(awk '{ print $2 }' drives | sort -u)
	[ "$drivers" = "$2" ] || fail "not all drives are driven by $2"
	burn_device=$(awk '$3 " " $4 == "VIRTUAL BURNER" { print $1 }' drives)
	device=$(awk '$3 != "VIRTUAL" || $4 != "BURNER" { print $1 }' drives)
	burn_hand_in
	matrix_run "$1" -v pure=1 -v pairs="program medium way" || fail "a row of the table"
	hvm_clean_dmesg

	note "tgt's drive"
	guest_iso h1 2 1
	guest_burn h1 "$device" | tail -n 3
	begins_with_iso "$DRIVE_DISC" || fail "the disc is not what was burned"
	guest_reads_back h1 "$device" || fail "the guest reads other data"
	hvm_clean_dmesg
	guest_destroy h1
	wait_until 20 eval '! pgrep xenoptic-ioemu'
	no_nodes
}
