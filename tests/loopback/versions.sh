#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The stand-ins have the symbols of Debian's libraries, with the same versions: all of them but
# libxenctrl's, of which xenstored and xenoptic-domctl need a few.
set -u
PATH=$PATH:/sbin
r=0
exported() {
	objdump -T "$1" | awk '/ (DF|DO) / && !/\*UND\*/ { print $(NF - 1), $NF }' |
		grep -v '^0* ' | tr -d '()' | sort
}
for lib in evtchn gnttab foreignmemory devicemodel call; do
	real=$(ldconfig -p | awk -v l="libxen$lib.so.1" '$1 == l && /x86-64/ { print $NF; exit }')
	[ -n "$real" ] || {
		echo "SKIP: no libxen$lib.so.1"
		exit 77
	}
	ours=${top_builddir:?}/tests/loopback/lib/libxen$lib.so.1
	diff <(exported "$real") <(exported "$ours") || {
		echo "libxen$lib differs (<: Debian's)"
		r=1
	}
	[ "$(objdump -p "$ours" | awk '/SONAME/ { print $2 }')" = "libxen$lib.so.1" ] || {
		echo "libxen$lib: soname"
		r=1
	}
done
exit $r
