# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the event channels of xen-cdfront in a driver domain with two processors: all on one of them, for each ring's process
# time: 400
# when: full

# gathered: the interrupts of the ring's process in the driver domain are eight, and go to one processor.
# shellcheck disable=SC2016 # the domain's variables
gathered() {
	guest dd 'pid=$(pgrep -f /xenoptic-ring)
		irqs=$(sed -n "s/^ *\([0-9]*\):.* evtchn:ring-$pid\$/\1/p" /proc/interrupts)
		for irq in $irqs; do cat /proc/irq/$irq/effective_affinity_list; done >/root/processors
		grep evtchn: /proc/interrupts
		echo "ring $pid: $(tr "\n" " " </root/processors)"
		[ "$(wc -l </root/processors)" = 8 ] && [ "$(sort -u /root/processors | wc -l)" = 1 ]'
}

GUEST_VCPUS=2 driver_domain pvh
in_driver_domain 'modprobe scsi_debug ptype=5 sector_size=2048 dev_size_mb=16 delay=0
modprobe -a sr_mod sg
wait_until 20 test -c /dev/sg0
head -c 16M /dev/urandom >/root/in
sg_dd if=/root/in of=/dev/sg0 bs=2048 blk_sgio=1
xenoptic_install
xenopticd --no-toolstack --log 7 >/root/xenopticd.log 2>&1 </dev/null &
wait_until 20 xenoptic list'
# Its daemon's log is kept here as it comes: the domain's own file goes with it.
guest_bg dd 'tail -n +1 -f /root/xenopticd.log' >"$XO_LOGS/xenopticd-dd.log"
sum=$(guest dd 'sha256sum </root/in')

xenoptic_start '[xenopticd]' 'backend = no'
cdfront_start g1
xenoptic attach g1 drive=/dev/sr0 bus=vcd backend=dd
guest_drive g1
wait_until 30 gathered
[ "$(guest g1 'sha256sum </dev/sr0')" = "$sum" ]
note "one sector after the other, and the ring's process killed beside it"
guest_bg g1 'dd if=/dev/sr0 bs=2048 iflag=direct status=none | sha256sum >/tmp/sum; touch /tmp/read'
for _ in 1 2 3; do
	guest dd 'pkill -KILL -f /xenoptic-ring'
	wait_until 30 gathered
done
wait_until 120 guest g1 'test -e /tmp/read'
[ "$(guest g1 'cat /tmp/sum')" = "$sum" ]
no_errors g1
cdfront_clean g1
xenoptic detach g1
guest_destroy g1
guest_destroy dd
