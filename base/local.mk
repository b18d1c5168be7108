# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LTLIBRARIES += base/libbase.la
base_libbase_la_SOURCES = \
	base/control.c base/include/base/control.h \
	base/include/base/bytes.h \
	base/include/base/domctl_control.h \
	base/include/base/worker.h \
	base/ledger.c base/include/base/ledger.h \
	base/link.c base/include/base/link.h \
	base/log.c base/include/base/log.h \
	base/loop.c base/include/base/loop.h \
	base/point.c base/include/base/point.h \
	base/runner.c base/include/base/runner.h \
	base/sandbox.c base/restrict.c base/include/base/sandbox.h \
	base/sgio.c base/include/base/sgio.h
base_libbase_la_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC)
if SANITIZERS
base_libbase_la_CPPFLAGS += -DXO_SANITIZERS_ON
endif
base_libbase_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS) $(CAPNG_CFLAGS)
base_libbase_la_LIBADD = $(JANSSON_LIBS) $(SECCOMP_LIBS) $(CAPNG_LIBS)
