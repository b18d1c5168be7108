# SPDX-License-Identifier: GPL-2.0-or-later

# tests/bench/ring: the way of a packet command.
check_PROGRAMS += tests/bench/ring-bench
tests_bench_ring_bench_SOURCES = \
	tests/bench/ring.d/bench.c \
	tests/bench/ring.d/count.c tests/bench/ring.d/count.h $(ring_stage)
tests_bench_ring_bench_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC) $(DRIVE_INC) \
	-I$(srcdir)/tests/protocol/ring
tests_bench_ring_bench_LDADD = drive/virtual/libburner.la backend/libring.la mmc/libmmc.la \
	base/libbase.la $(XENGNTTAB_LIBS) $(XENEVTCHN_LIBS) $(JANSSON_LIBS) $(SECCOMP_LIBS)
EXTRA_DIST += \
	tests/bench/README.md tests/bench/common tests/bench/ring tests/bench/xen tests/bench/xen.d \
	tests/bench/profile tests/bench/profile.d tests/bench/ioemu tests/bench/ioemu.d tests/bench/burn tests/bench/burn.d
