# SPDX-License-Identifier: GPL-2.0-or-later
# The shell on Dom0's console waits in the saved state; what tests/xen/shell hands in is read before its next prompt.
PS1='dom0:\w# '
xo_handed_in() {
	[ -e /test/shellrc ] || return
	unset PROMPT_COMMAND
	# shellcheck disable=SC1091
	. /test/shellrc
}
PROMPT_COMMAND=xo_handed_in
