# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: the same programs on the drive get the same answers in Dom0 and in a stock guest: status, sense, residual, data
# time: 900
#
# A preloaded recorder (tools/sgrecord.c) writes down every SG_IO of each program, on both sides; then the recordings are
# compared. What may differ is listed at the end, with the reason.

tgt_drive 1
xenoptic_start "[drive $DRIVE]" "allow = vendor" # which wodim sends
guest_start g1 pv
guest_put g1 "$XO_BIN/sgrecord.so" /tmp/sgrecord.so
cp "$XO_BIN/sgrecord.so" /tmp/
undo rm -rf /tmp/sgrecord.so /tmp/record /tmp/programs

# Runs on both sides: programs DEVICE ask|burn PROGRAM.
cat >/tmp/programs <<'END'
d=$1
mkdir -p /tmp/record
cd /tmp/record || exit
record() {
	name=$1
	shift
	: >/tmp/record/$name
	SGRECORD=/tmp/record/$name LD_PRELOAD=/tmp/sgrecord.so timeout 120 "$@" >/tmp/record/$name.out 2>&1 </dev/null
	echo "$name: status $?, $(wc -l <$name) commands"
}
# A unit attention after the change of the disc is told once, to whoever comes first.
for i in 1 2 3; do sg_turs "$d" >/dev/null 2>&1; done
case $2 in
ask)
	record sg_inq sg_inq "$d"
	record sg_get_config sg_get_config "$d"
	record sg_modes sg_modes -a "$d"
	record mediainfo dvd+rw-mediainfo "$d"
	record prcap wodim -prcap dev="$d"
	record atip wodim -atip dev="$d"
	record toc wodim -toc dev="$d"
	record xorriso-toc xorriso -outdev "$d" -toc
	record reserve-track sg_raw "$d" 53 00 00 00 00 00 00 02 00 00
	;;
burn)
	seq 100000 187770 >image
	truncate -s 614400 image
	case $3 in
	growisofs) record growisofs growisofs -dvd-compat -Z "$d=image" ;;
	cdrskin) record cdrskin cdrskin dev="$d" -tao image ;;
	xorriso) record xorriso xorriso -as cdrecord dev="$d" -tao image ;;
	esac
	record "$3-cd-info" cd-info --no-header --no-cddb "$d"
	record "$3-mediainfo" dvd+rw-mediainfo "$d"
	;;
esac
END
guest_put g1 /tmp/programs /tmp/programs

burners="growisofs cdrskin xorriso"
# fresh NAME DEVICE WHERE…: a fresh blank. udev locks the door when it has seen a disc: it is unlocked where DEVICE is.
fresh() {
	DRIVE_DISC=$PWD/$1.img
	"${@:3}" "udevadm settle --timeout=60; sg_prevent --allow $2"
	tgt_eject 1
	tgtimg --op new --device-type cd --type dvd+r --file "$DRIVE_DISC" >/dev/null
	tgt_insert 1 "$DRIVE_DISC"
}

note "in Dom0"
sh /tmp/programs "$DRIVE" ask
for burner in $burners; do
	fresh "dom0-$burner" "$DRIVE" sh -c
	udevadm settle --timeout=60
	sh /tmp/programs "$DRIVE" burn "$burner"
done
mv /tmp/record dom0

note "in the guest"
fresh blank "$DRIVE" sh -c
xenoptic attach g1 "drive=$DRIVE"
guest_drive g1
guest g1 'udevadm settle --timeout=60; sh /tmp/programs /dev/sr0 ask'
for burner in $burners; do
	fresh "guest-$burner" /dev/sr0 guest g1
	guest g1 "sh /tmp/programs /dev/sr0 burn $burner"
done
mkdir guest
guest g1 'cd /tmp/record; tar czf - . | base64' | base64 -d | tar xzf - -C guest
xenoptic detach g1

for burner in $burners; do
	cmp "dom0-$burner.img" "guest-$burner.img"
done
# How often a program asks while it waits depends on time: repeated lines count once.
differs=0
for file in dom0/*; do
	name=${file##*/}
	case $name in
	prcap | atip | toc) sed -i -E 's/^(..)2/\10/; s/^(..)3/\11/' "$file" ;; # wodim writes the LUN into the CDB: 1 on tgt
	*cd-info.out) sed -i "s|$DRIVE|/dev/sr0|g" "$file" ;; # most of what it asks are the kernel's own ioctls
	*.out | image) continue ;;
	esac
	if diff -u <(uniq "$file") <(uniq "guest/$name") >"$name.diff"; then
		note "$name: $(uniq "$file" | wc -l) answers, the same"
	else
		differs=1
		echo "--- $name"
		cut -c1-300 "$name.diff" | head -n 30
	fi
done
[ $differs = 0 ] || fail "answers differ"
guest_destroy g1
