# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: wodim, cdrskin, xorriso, growisofs and cdrdao of a stock PV guest on each medium of the virtual burner, each disc compared; audio ripped
# time: 1400

burn_tests=$XO_ROOT/burn
. "$burn_tests/matrix.sh"
burn_dir=$PWD/burn burn_material=/tmp/burn burn_tmp=/tmp
burn_count=0

burn_text() { guest g1 "$1" >"$burn_dir/program.log" 2>&1; }

burn_insert() {
	burn_count=$((burn_count + 1))
	burn_disc=$PWD/disc$burn_count
	xenoptic disc new "$burn_disc" --type "$1" >/dev/null
	xenoptic disc insert virtual:burner "$burn_disc" >/dev/null
}

# The guest's udev locks the door of a drive with a medium. Then it is asked, and opens the tray itself.
burn_eject() {
	xenoptic disc eject virtual:burner >/dev/null || wait_until 60 drive_says virtual:burner absent
}

mkdir "$burn_dir"
matrix_material 1024
genisoimage -quiet -R -o material.iso "$burn_dir"
xenoptic_start
guest_start g1 pv
# The guest gets the material on a disc as well.
xenoptic attach g1 drive=virtual:burner
guest_drive g1
xenoptic_shut_in
xenoptic disc insert virtual:burner "$PWD/material.iso"
guest g1 "xorriso -osirrox on -indev /dev/sr0 -extract / $burn_material 2>&1 | tail -n 2"
[ "$(guest g1 "cat $burn_material/*.* $burn_material/iso | sha256sum")" = "$(cat "$burn_dir"/*.* "$burn_dir/iso" | sha256sum)" ]
burn_eject
# ERR traps and -e do not reach into a condition: a failed row is said, and the others run.
matrix_run vscsi -v pure=1 -v pairs="program medium way" || fail "a row of the table"
no_errors g1
xenoptic detach g1
guest_destroy g1
