# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: nothing: records what SeaBIOS, GRUB and Linux do to both controllers, for the seeds of tests/fuzz (README.md)
# program: tests/fuzz/ioemu_recording
# time: 2400

mkdir "$XO_LOGS/recordings"
XO_ENV=("XENOPTIC_RECORD=$XO_LOGS/recordings")

# recorded NAME: what the workers have written since the last call.
recorded() {
	wait_until 20 eval '! pgrep -x xenoptic-ioemu'
	local file n=0
	for file in "$XO_LOGS"/recordings/recording.*; do
		n=$((n + 1))
		tr -d '\0' <"$file" | gzip >"$XO_LOGS/$1-$n.rec.gz"
		rm "$file"
	done
	[ $n -gt 0 ] || fail "nothing was recorded: $1"
	note "$1: $n"
}

GRUB_PATIENCE=400
xenoptic_start
install "$XO_BIN/ioemu_recording" /usr/libexec/xenoptic/xenoptic-ioemu
hvm_disc 16
disc_ata_generic=$DISC
hvm_disc 16 second
disc_ahci=$DISC
hvm_guest h1 "drive=virtual:disc,bus=ide,slot=9\", \"-optical\", \"drive=virtual:second,bus=ahci"
wait_until 120 guest h1 'test -b /dev/sr0 && test -b /dev/sr1' || fail "not both drives: $(guest h1 'dmesg | tail -n 20')"
for device in sr0 sr1; do
	driver=$(hvm_drives | awk -v d="/dev/$device" '$1 == d { print $2 }')
	disc=disc_$driver
	DISC=${!disc}
	note "$device: $driver"
	hvm_burn 1 "/dev/$device"
	guest h1 "sg_modes -6 /dev/$device; sg_modes -a /dev/$device; eject /dev/$device; eject -t /dev/$device" >/dev/null 2>&1 || :
done
guest_destroy h1
recorded linux

note "by PIO"
rm -f boot.img
hvm_disc 16
GUEST_EXTRA=libata.dma=0 hvm_guest h1 "drive=virtual:disc,bus=ide,slot=9"
hvm_ide_by_pio 0000:00:09.0
wait_until 120 guest h1 'test -b /dev/sr0' || fail "no drive: $(guest h1 'dmesg | tail -n 20')"
hvm_burn 1
guest_destroy h1
recorded linux-pio
xenoptic disc eject virtual:disc

for bus in ahci ide; do
	hvm_grub "$bus" "$bus.serial"
	recorded "grub-$bus"
done
BOOT_NATIVE=1 hvm_grub ahci native.serial ls
recorded grub-native
