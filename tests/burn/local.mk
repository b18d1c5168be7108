# SPDX-License-Identifier: GPL-2.0-or-later
# The table of burns that the loopback and real Xen share, and which of its rows a run takes.
TESTS += tests/burn/cover.sh
EXTRA_DIST += tests/burn/cases tests/burn/cover tests/burn/cover.sh tests/burn/matrix.sh tests/shut-in
