# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the drive in a driver domain: the guest burns there, Dom0's daemon has the toolstack's role only
# time: 500

driver_domain pv
# shellcheck disable=SC2016 # the domain's variables
in_driver_domain 'ip link set lo up
tgtd; mkdir -p /run/lock /etc/iscsi; modprobe iscsi_tcp
[ -e /etc/iscsi/initiatorname.iscsi ] && grep -q ^Init /etc/iscsi/initiatorname.iscsi || echo InitiatorName=iqn.2000-01.test:dd >/etc/iscsi/initiatorname.iscsi
iscsid
tgt_drive 1
xenoptic_install
echo "$DRIVE $DRIVE_DISC" >/root/drive
xenopticd --no-toolstack --log 7 >/root/xenopticd.log 2>&1 </dev/null &
wait_until 20 xenoptic list
xenoptic list'
# Its daemon's log is kept here as it comes: the domain's own file goes with it.
guest_bg dd 'tail -n +1 -f /root/xenopticd.log' >"$XO_LOGS/xenopticd-dd.log"
read -r drive disc < <(guest dd 'cat /root/drive')

xenoptic_start '[xenopticd]' 'backend = no'
guest_start g1 pv
xenoptic attach g1 "drive=$drive" backend=dd
guest_drive g1
xenoptic list
guest dd 'xenoptic list'
guest_iso g1 3 5
guest_burn g1
guest dd "head -c $ISO_SIZE $disc | sha256sum" | tee sum
grep -q "$ISO_SUM" sum || { blocks dd "$disc" >there; blocks g1 /tmp/in.iso >here; diff here there; }
xenoptic detach g1
wait_until 20 guest dd "xenoptic list | grep -E '^$drive +unused'"
guest_destroy g1
no_nodes
guest_destroy dd
