# shellcheck shell=bash disable=SC2034,SC2153 # lib.sh's variables
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: two guests burn on two drives at once while the programs are replaced and the daemon restarted; a busy drive is refused; detach in a burn; one guest with both; xen-scsiback loaded
# time: 700

modprobe xen-scsiback
tgt_drive 1
xenoptic_start '[drive virtual:v1]' 'speed = 1000'
xenoptic disc new "$PWD/disc1" --type bd-r
guest_start g1 pv
guest_start g2 pv
domid=$(xl domid g2)
uuid=$(xenstore-read "$(xenstore-read "/local/domain/$domid/vm")/uuid")
xenoptic attach g1 "drive=$DRIVE"
xenoptic attach "$uuid" drive=virtual:v1
xenoptic disc insert virtual:v1 "$PWD/disc1"
guest_drive g1
guest_drive g2
code=0
said=$(xenoptic attach g2 "drive=$DRIVE" 2>&1) || code=$?
[ $code != 0 ] && [[ $said == *"in use by guest g1"* ]] || fail "a busy drive: $code, $said"
[ "$(xenstore-list "/local/domain/$domid/device/vscsi")" = 0 ] || fail "nodes of a refused drive"

guest_iso g2 6 2
sum2=$ISO_SUM size2=$ISO_SIZE
guest_iso g1 6 1
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr0 -tao /tmp/in.iso 2>&1 | tail -n 3'
burn1=$BG
guest_bg g2 'xorriso -as cdrecord -v dev=/dev/sr0 /tmp/in.iso 2>&1 | tail -n 3'
burn2=$BG
wait_until 120 burned 1024
wait_until 120 eval '[ "$(stat -c %s disc1)" -gt 500000 ]' ||
	fail "g2 does not burn: $(xenoptic list; ls -l disc1*; guest g2 'ps ax | tail -n 5; dmesg | tail -n 5')"
code=0
said=$(xenoptic detach g2 2>&1) || code=$?
[ $code != 0 ] && [[ $said == *"in progress; --force"* ]] || fail "detach in a burn: $code, $said"
# What a package manager does, and what was running goes on; then a worker of each kind from the new files.
for program in /usr/sbin/xenopticd /usr/libexec/xenoptic/*; do
	cp -p "$program" "$program.new"
	mv "$program.new" "$program"
done
workers=$(pidof xenoptic-ring xenoptic-drive xenoptic-keeper | xargs -n1 | sort)
systemctl restart xenopticd
wait_until 30 xenoptic list
[ "$(pidof xenoptic-ring xenoptic-drive xenoptic-keeper | xargs -n1 | sort)" = "$workers" ] || fail "workers were started again"
# shellcheck disable=SC2046 # pids
kill -9 $(pidof xenoptic-ring) $(pidof xenoptic-drive)
wait "$burn1" && wait "$burn2" || fail "a burn failed: $(xenoptic list)"
begins_with_iso "$DRIVE_DISC" || fail "the disc of tgt's drive differs"
[ "$(head -c "$size2" disc1 | sha256sum)" = "$sum2  -" ] || fail "the virtual disc differs"

# One guest with both; then the second is taken away in the middle of a burn.
xenoptic detach g2
wait_until 20 eval "xenoptic list | grep -E '^virtual:v1 +unused'"
xenoptic disc eject virtual:v1
xenoptic disc new "$PWD/disc2" --type bd-r
xenoptic disc insert virtual:v1 "$PWD/disc2"
xenoptic attach g1 drive=virtual:v1
guest_drive g1 /dev/sr1
guest_reads_back g1
guest_bg g1 'xorriso -as cdrecord -v dev=/dev/sr1 /tmp/in.iso 2>&1 | tail -n 3; exit ${PIPESTATUS[0]}'
wait_until 120 eval '[ "$(stat -c %s disc2)" -gt 500000 ]'
device=$(xenoptic list | awk '$5 == "virtual:v1" { sub(".*/", "", $2); print $2 }')
xenoptic detach g1 "$device" --force
not wait "$BG"
wait_until 30 eval "xenoptic list | grep -E '^virtual:v1 +unused'" || fail "not given back: $(xenoptic list)"
xenoptic disc info "$PWD/disc2"
drive_says "$DRIVE" held
guest g1 "sg_dd if=/dev/sr0 blk_sgio=1 bs=2048 count=32 of=/dev/null"
lsmod | grep xen_scsiback
not grep -q xen-scsiback <(dmesg | grep -i error)
guest_destroy g1
guest_destroy g2
wait_until 20 no_nodes
