# shellcheck shell=bash disable=SC2016 # the guest expands what is its own
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: xen-cdfront under what a kernel's own block and SCSI checks do: schedulers and limits changed, attributes read, odd SG_IO, resets, the device deleted, all while it reads
# time: 900
# when: full

# A read takes a while, so that something is always on its way.
xenoptic_start '[drive virtual:v1]' 'delay = 28=5'
make_iso disc1.iso 2 7
make_iso disc2.iso 1 8
cdfront_start g1
xenoptic attach g1 drive=virtual:v1 bus=vcd
xenoptic disc insert virtual:v1 "$PWD/disc1.iso"
guest_drive g1
size=$(stat -c %s disc1.iso)
sum() { sha256sum <"$1" | cut -d' ' -f1; }
wait_until 60 guest g1 "[ \$(blockdev --getsize64 /dev/sr0) = $size ]"
top=$(guest g1 'readlink -f /sys/block/sr0')
top=${top%/host*}
guest g1 "echo $(sum disc1.iso) >/tmp/sum; udevadm settle; dmesg -C
head -c 65536 /dev/sr0 >/tmp/begin
cat >/tmp/lib <<'END'
q=/sys/block/sr0/queue
top=$top
# The whole disc, in pieces of so many bytes: its sum.
pass() { dd if=/dev/sr0 bs=\$1 iflag=direct status=none | sha256sum | cut -d' ' -f1; }
# Reads until it is told to stop, and counts; other data end it.
reader() {
	until [ -e /tmp/stop ]; do
		[ \"\$(pass \$1)\" = \"\$(cat /tmp/sum)\" ] || { echo \"other data, read by \$1\"; return 1; }
		echo >>/tmp/passes
	done
}
passes() { wc -l </tmp/passes; }
# while_reading PASSES COMMAND…: again and again, until two readers have read the disc so often.
while_reading() {
	local passes=\$1 code=0 times=0
	shift
	rm -f /tmp/stop
	: >/tmp/passes
	reader 65536 & a=\$!
	reader 10240 & b=\$!
	until [ \$(passes) -ge \$passes ] || [ \$code != 0 ]; do
		\"\$@\" || code=1
		times=\$((times + 1))
		kill -0 \$a && kill -0 \$b || code=1
	done
	touch /tmp/stop
	wait \$a || code=1
	wait \$b || code=1
	echo \"\$times times while the disc was read \$(passes) times\"
	return \$code
}
END"
# checks COMMAND: in the guest, with the functions above; then it is well. quietly: and its log tells of no error.
checks() {
	guest g1 ". /tmp/lib; dmesg -C; $1" || fail "the guest says: $(guest g1 'dmesg | tail -n 15')"
	cdfront_clean g1
}
quietly() {
	checks "$1"
	guest g1 '! dmesg | grep -iE "error|abort|timed out|failed|reset|offline|hung"'
}

note "every scheduler"
quietly 'want=4
	modprobe -a mq-deadline kyber-iosched
	modprobe bfq || want=3 # the checking kernel is without
	all=$(tr -d "[]" <$q/scheduler)
	echo "schedulers: $all"
	[ $(echo $all | wc -w) = $want ] || exit
	switch() { for s in $all; do echo $s >$q/scheduler && grep -qF "[$s]" $q/scheduler || return 1; done; }
	while_reading 6 switch
	echo mq-deadline >$q/scheduler'

note "limits of the queue"
quietly 'most=$(cat $q/max_hw_sectors_kb)
	limits() {
		for n in 4 64 256; do echo $n >$q/nr_requests || return 1; done
		for n in 0 4 128 4096; do echo $n >$q/read_ahead_kb || return 1; done
		for n in 4 64 $most; do echo $n >$q/max_sectors_kb || return 1; done
		for n in 0 1 2; do echo $n >$q/rq_affinity && echo $n >$q/nomerges || return 1; done
		! { echo $((most + 1)) >$q/max_sectors_kb; } 2>/dev/null
	}
	while_reading 6 limits'

note "every attribute of device, host, unit and queue"
quietly 'attributes() {
		find $top -type f -perm -400 >/tmp/all
		xargs cat </tmp/all >/dev/null 2>/tmp/unread
		[ $(wc -l </tmp/all) -ge 100 ]
	}
	while_reading 2 attributes
	code=$?
	echo "$(wc -l </tmp/all) attributes"
	# What Linux refuses of any device that has no such thing.
	! grep -vE "/(power/autosuspend_delay_ms|preferred_path|access_state|wbt_lat_usec)\W*: " /tmp/unread
	[ $? = 0 ] && [ $code = 0 ]'

note "many readers, of all sizes, by block and by packet; the counters tell"
quietly 'before=$(awk "{print \$3}" /sys/block/sr0/stat)
	for i in 2048 4096 10240 65536 262144 524288; do pass $i >/tmp/pass.$i & done
	sg_dd if=/dev/sg0 bs=2048 bpt=16 count='$((size / 2048))' 2>/dev/null | sha256sum | cut -d" " -f1 >/tmp/pass.sg &
	dd if=/dev/sr0 bs=65536 status=none | sha256sum | cut -d" " -f1 >/tmp/pass.buffered &
	wait
	for i in /tmp/pass.*; do cmp $i /tmp/sum || exit 1; done
	moved=$(($(awk "{print \$3}" /sys/block/sr0/stat) - before))
	echo "$moved sectors"
	[ $moved -ge $((6 * '$((size / 512))')) ]'

note "a reader is killed again and again"
quietly 'killed() { pass 2048 >/dev/null & pid=$!; until grep -q "[1-9]" /sys/block/sr0/inflight; do :; done; kill -9 $pid; wait $pid; true; }
	while_reading 4 killed 2>/dev/null'

note "SG_IO of odd lengths"
# What comes is what the CDB and the buffer both have room for.
quietly 'odd() {
		sg_raw -t 60 -r $1 -o /tmp/odd $2 28 00 00 00 00 00 00 00 $3 00 >/tmp/said 2>&1 || { cat /tmp/said; return 1; }
		want=$(($3 * 2048))
		[ $want -le $1 ] || want=$1
		[ -e /tmp/odd ] || : >/tmp/odd
		[ $(stat -c %s /tmp/odd) = $want ] && cmp -n $want /tmp/odd /tmp/begin || { echo "$2: $3 blocks into $1 bytes: $(stat -c %s /tmp/odd)"; return 1; }
		rm -f /tmp/odd
	}
	for device in /dev/sg0 /dev/sr0; do
		for n in 1 13 511 2047 2048 2049 4097 65535; do
			for blocks in 0 1 3; do odd $n $device $blocks || exit 1; done
		done
	done'

note "SG_IO of the wrong direction, and of none"
quietly 'good() { sg_raw -t 60 "$@" >/tmp/said 2>&1 || { cat /tmp/said; return 1; }; }
	illegal() { ! good "$@" >/dev/null && grep -iq "illegal request" /tmp/said || { cat /tmp/said; return 1; }; }
	head -c 2048 /dev/zero >/tmp/zero
	for device in /dev/sg0 /dev/sr0; do
		illegal -s 2048 -i /tmp/zero $device 28 00 00 00 00 00 00 00 01 00 || exit 1
		illegal -r 64 $device 55 10 00 00 00 00 00 00 40 00 || exit 1
		good -r 64 $device 00 00 00 00 00 00 || exit 1
		good -s 64 -i /tmp/zero $device 00 00 00 00 00 00 || exit 1
		good $device 28 00 00 00 00 00 00 00 01 00 || exit 1
		good $device 12 00 00 00 24 00 || exit 1
		good $device 00 00 00 00 00 00 || exit 1
	done
	# By the interface of read and write, too short, and with nothing to be had.
	for n in 0 1 35 36 41 42 43 100; do
		head -c $n /dev/zero | dd of=/dev/sg0 bs=100 oflag=nonblock status=none 2>/dev/null
		dd if=/dev/sg0 of=/dev/null bs=36 count=1 iflag=nonblock status=none 2>/dev/null
		dd if=/dev/sg0 of=/dev/null bs=1 count=0 iflag=nonblock status=none 2>/dev/null
	done
	[ $(pass 65536) = $(cat /tmp/sum) ]'

note "what cannot be written is not"
quietly '! dd if=/tmp/zero of=/dev/sr0 bs=2048 count=1 oflag=direct status=none 2>/dev/null || exit 1
	! blkdiscard /dev/sr0 2>/dev/null || exit 1
	[ $(pass 65536) = $(cat /tmp/sum) ]'

note "resets: each kind that somebody may ask for"
checks 'resets() { for i in d t b H; do sg_reset -$i /dev/sg0 || return 1; done; }
	while_reading 1 resets
	[ $(cat /sys/block/sr0/device/state) = running ] && [ $(pass 65536) = $(cat /tmp/sum) ]'

note "the device is deleted while it reads, and found again"
checks 'host=$(echo $top/host*)
	rm -f /tmp/stop
	for i in 1 2 3; do
		: >/tmp/passes
		reader 65536 >/dev/null 2>&1 & a=$!
		reader 2048 >/dev/null 2>&1 & b=$!
		until grep -q "[1-9]" /sys/block/sr0/inflight; do :; done
		echo 1 >/sys/block/sr0/device/delete
		wait $a && exit 1
		wait $b && exit 1
		[ -z "$(ls -d $host/target*/*/block 2>/dev/null)" ] || exit 1
		udevadm settle
		echo "- - -" >$host/scsi_host/${host##*/}/scan
		udevadm settle
		[ -b /dev/sr0 ] || { ls $host/target*/*/block; exit 1; }
		[ $(pass 65536) = $(cat /tmp/sum) ] || exit 1
	done'

note "the same with its disc mounted; its partitions are not read again meanwhile"
checks 'host=$(echo $top/host*)
	modprobe isofs
	mount -t iso9660 -o ro /dev/sr0 /mnt || exit 1
	! blockdev --rereadpt /dev/sr0 2>/dev/null || exit 1
	sha256sum /mnt/* >/dev/null || exit 1
	echo 1 >/sys/block/sr0/device/delete
	dd if=/mnt/data of=/dev/null bs=65536 iflag=direct status=none 2>/dev/null
	umount /mnt
	udevadm settle
	echo "- - -" >$host/scsi_host/${host##*/}/scan
	udevadm settle
	[ $(pass 65536) = $(cat /tmp/sum) ]'

note "the drive that was found again hears of another disc"
xenoptic disc eject virtual:v1 || wait_until 60 drive_says virtual:v1 absent
xenoptic disc insert virtual:v1 "$PWD/disc2.iso"
wait_until 60 guest g1 "[ \$(blockdev --getsize64 /dev/sr0) = $(stat -c %s disc2.iso) ]" || fail "the guest sees no other disc"
guest g1 "echo $(sum disc2.iso) >/tmp/sum"
checks '[ $(pass 65536) = $(cat /tmp/sum) ]'
cdfront_unload g1
guest_destroy g1
