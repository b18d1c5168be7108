# SPDX-License-Identifier: GPL-2.0-or-later
UNIT_LIBS = $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_base tests/unit/test_sandbox
TESTS += tests/unit/test_base tests/unit/test_sandbox

tests_unit_test_base_SOURCES = tests/unit/test_base.c
tests_unit_test_base_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC)
tests_unit_test_base_LDADD = base/libbase.la $(UNIT_LIBS) $(JANSSON_LIBS)

tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c
tests_unit_test_sandbox_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC)
tests_unit_test_sandbox_LDADD = base/libbase.la $(UNIT_LIBS)
