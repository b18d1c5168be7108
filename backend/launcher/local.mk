# SPDX-License-Identifier: GPL-2.0-or-later
# The launcher's parts that need no Xen are a library, so that tests can use them.
LAUNCHER_INC = $(MMC_INC) $(SCHEMA_INC) -I$(srcdir)/backend/launcher
LAUNCHER_DEFS = \
	-DXO_RUN_DIR='"$(runstatedir)/xenoptic"' \
	-DXO_STATE_DIR='"$(localstatedir)/lib/xenoptic"' \
	-DXO_CONFIG_FILE='"$(sysconfdir)/xenoptic/xenoptic.conf"' \
	-DXO_LIBEXEC_DIR='"$(xolibexecdir)"'

noinst_LTLIBRARIES += backend/launcher/liblauncher.la
backend_launcher_liblauncher_la_SOURCES = \
	backend/launcher/xenbus.c backend/launcher/xenbus.h
backend_launcher_liblauncher_la_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC) $(LAUNCHER_DEFS)

check_PROGRAMS += tests/unit/test_xenbus
TESTS += tests/unit/test_xenbus
tests_unit_test_xenbus_SOURCES = tests/unit/test_xenbus.c
tests_unit_test_xenbus_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC)
tests_unit_test_xenbus_LDADD = backend/launcher/liblauncher.la $(CMOCKA_LIBS)
