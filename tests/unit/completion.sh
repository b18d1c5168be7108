#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2317,SC2001 # xl and xenoptic are what completion calls; sed takes apart what readline would
# The shell completes every subcommand that the commands know, and what follows "drive=" and "bus=".
set -u
main=/usr/share/bash-completion/bash_completion
[ -f $main ] || { echo "bash-completion is not installed"; exit 77; }
# shellcheck disable=SC1090 # Debian's
. $main
# shellcheck source=tools/completion/xenoptic
. "${top_srcdir:?}/tools/completion/xenoptic"
# shellcheck source=tools/completion/xenoptic-guest
. "$top_srcdir/tools/completion/xenoptic-guest"
xl() { printf 'Name ID\nDomain-0 0\ng1 1\n'; }
xenoptic() { printf 'DRIVE STATE\nvirtual:v1 unused\n'; }
status=0

# offers LINE WORD…: these and others are offered at the end of the line; readline takes it apart at "=" and ":".
offers() {
	local line=$1 word
	shift
	read -ra COMP_WORDS <<<"$(sed 's/[=:]/ & /g' <<<"$line")"
	[[ $line != *[=:\ ] ]] || COMP_WORDS+=('')
	COMP_LINE=$line COMP_POINT=${#line} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
	"_${COMP_WORDS[0]//-/_}" 2>/dev/null # compopt works only for readline
	for word; do
		[[ " ${COMPREPLY[*]} " == *" $word "* ]] || { echo "$line: no $word among: ${COMPREPLY[*]}"; status=1; }
	done
}

mapfile -t known < <("${top_builddir:?}/xenoptic" help | sed -n 's/^  \([a-z]\+\) .*/\1/p')
[ ${#known[@]} -gt 5 ] || { echo "xenoptic help shows no subcommands"; exit 1; }
offers 'xenoptic ' "${known[@]}"
mapfile -t known < <("$top_builddir/xenoptic-guest" --help | sed -n '/^Commands/,/^Options/s/^  \([a-z]\+\) .*/\1/p')
[ ${#known[@]} -gt 5 ] || { echo "xenoptic-guest --help shows no subcommands"; exit 1; }
offers 'xenoptic-guest ' "${known[@]}"
offers 'xenoptic attach ' g1
offers 'xenoptic attach g1 ' drive= bus= mode= slot= identity= interrupt= backend= name=
offers 'xenoptic attach g1 bus=' ahci ide vscsi vcd
offers 'xenoptic attach g1 drive=v' virtual:v1
offers 'xenoptic attach g1 drive=virtual:' v1
offers 'xenoptic detach ' g1
offers 'xenoptic disc ' new info insert eject
offers 'xenoptic disc new --type ' cd-r dvd+r bd-r
offers 'xenoptic disc insert virtual:' v1
offers 'xenoptic-guest --device 0 b' burn blank
offers 'xenoptic-guest burn --' --speed --multi --eject
offers 'xenoptic-guest exec ' # no error
[ $status != 0 ] || echo "ok: completed"
exit $status
