#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unmodified burning programs in a guest, through ring and drive process onto the virtual burner: each disc compared
# byte for byte by other programs. Prints the table (tests/burn/cases). With --full, or XO_FULL=1 in the environment,
# also the rows that the pairwise cover leaves out; it names them.
set -u
. "${top_srcdir:?}/tests/loopback/burn/lib.sh"
[ "${1:-}" != --full ] || export XO_FULL=1
for program in wodim cdrskin cdrdao xorriso growisofs genisoimage isoinfo cdparanoia; do
	command -v "$program" >/dev/null || lb_skip "no $program"
done

# Each way in with a loopback of its own; the rows that must always run are shared out among them.
burn_ways="vscsi vcd"
by_way() (
	burn_bus=$1
	burn_start --log 6
	matrix_material 6000
	matrix_run "$1" -v pairs="program medium way"
	failed=$?
	burn_stop
	exit $failed
)

failed=0
for way in $burn_ways; do by_way "$way" || failed=1; done
exit $failed
