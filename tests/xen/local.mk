# SPDX-License-Identifier: GPL-2.0-or-later
EXTRA_DIST += \
	tests/xen/README.md tests/xen/build tests/xen/demo tests/xen/kasan tests/xen/run tests/xen/shell tests/xen/testbed.py tests/xen/handin.py tests/xen/start \
	tests/xen/lib.sh tests/xen/packages.dkms tests/xen/packages.dom0 tests/xen/packages.guest tests/xen/image tests/xen/tests tests/xen/tools/block-plain \
	tests/xen/tools/frame.h tests/xen/tools/agent.c tests/xen/tools/guest.c tests/xen/tools/sgkill.c tests/xen/tools/sgload.c tests/xen/tools/rogue.c \
	tests/xen/tools/sgrecord.c

# Every test on real Xen; outside `make check`, because it makes and boots images. At most two machines at once: more
# gain nothing on two cores.
.PHONY: check-xen
check-xen:
	XENOPTIC_XEN_BUILD='$(abs_top_builddir)/build-xen' '$(top_srcdir)/tests/xen/run' --all --jobs 2
