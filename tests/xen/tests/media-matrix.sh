# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: wodim, cdrskin, xorriso, growisofs and cdrdao of a stock PV guest on each medium of the virtual burner, each disc compared; audio ripped
# time: 900

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

burn_eject() { xenoptic disc eject virtual:burner >/dev/null; }

mkdir "$burn_dir"
matrix_material 1500
tar -C "$burn_dir" -cf material.tar .
dd if=material.tar of=/dev/vdd bs=1M conv=fsync 2>/dev/null
xenoptic_start
# The guest's /tmp is memory, and holds the material twice while it is unpacked.
GUEST_DISKS=', "format=raw,vdev=xvdb,access=ro,target=/dev/vdd"' guest_start g1 pv
guest g1 "mkdir $burn_material && tar -C $burn_material -xf /dev/xvdb"
xenoptic attach g1 drive=virtual:burner
guest_drive g1
# ERR traps and -e do not reach into a condition: a failed row is said, and the others run.
matrix_run vscsi -v pure=1 -v pairs="program medium way" || fail "a row of the table"
no_errors g1
xenoptic detach g1
guest_destroy g1
