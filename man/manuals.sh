#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual says what there is: every node of the schemas, every permission of the policy, every subcommand and its
# options (the shell's completion knows them as well); and each page is one that groff reads without a warning.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
man=$top_srcdir/man
failed=0

wrong() {
	echo "$*"
	failed=1
}

# plain PAGE: its text, without the escapes that stand between a program's words and the page's.
plain() { sed -e 's/\\-/-/g' -e 's/\\f[A-Z]//g' -e 's/^\.[A-Z]* //' "$1"; }

# mentions PAGE WORD…
mentions() {
	local page=$1 word
	shift
	for word; do
		plain "$page" | grep -qwF -e "$word" || wrong "${page##*/} does not mention $word"
	done
}

nodes=$(python3 -c '
import json, sys
for path in sys.argv[1:]:
    for node in json.load(open(path, encoding="utf-8"))["nodes"]:
        print(node["path"])' "$top_srcdir"/xenstore-schemas/*.json) || exit 1
for node in $nodes; do mentions "$top_builddir/man/xenoptic-xenstore.7" "$node"; done
[ "$(wc -w <<<"$nodes")" -gt 20 ] || wrong "no nodes in the schemas"

permissions=$(sed -n 's/^XO_PERMISSION([A-Z_]*, "\([a-z-]*\)".*/\1/p' "$top_srcdir/mmc/opcodes.def")
for permission in $permissions; do mentions "$man/xenoptic.conf.5" "$permission"; done
[ "$(wc -w <<<"$permissions")" -gt 5 ] || wrong "no permissions in mmc/opcodes.def"

# help PROGRAM: "SUBCOMMAND [ARGUMENTS…]" a line
help() { "$top_builddir/$1" --help | sed -n 's/^  \([a-z]\)/\1/p'; }

for program in xenoptic xenoptic-guest; do
	page=$man/$program.1 lines=0
	while read -r subcommand arguments; do
		lines=$((lines + 1))
		mentions "$page" "$subcommand"
		while read -r option; do
			mentions "$page" "$option"
			[ "$program" != xenoptic ] || grep -qF -e "$option" "$top_srcdir/tools/completion/xenoptic" ||
				wrong "the completion does not know $subcommand $option"
		done < <(grep -oE -e '--[a-z-]+' <<<"$arguments")
		[ "$program" != xenoptic ] || grep -qw -e "$subcommand" "$top_srcdir/tools/completion/xenoptic" ||
			wrong "the completion does not know $subcommand"
	done < <(help "$program")
	[ $lines -gt 4 ] || wrong "$program --help lists nothing"
done

if command -v groff >/dev/null; then
	for page in "$man"/*.[0-9] "$top_builddir"/man/*.7; do
		said=$(groff -Kutf8 -man -Tutf8 -ww -z "$page" 2>&1)
		[ -z "$said" ] || wrong "${page##*/}: $said"
	done
fi
[ $failed = 0 ] && echo "manuals: $(wc -w <<<"$nodes") nodes, $(wc -w <<<"$permissions") permissions"
exit $failed
