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

MMC_TESTS = tests/unit/test_opcode tests/unit/test_cdb tests/unit/test_sense tests/unit/test_traces
check_PROGRAMS += $(MMC_TESTS)
TESTS += $(MMC_TESTS)
EXTRA_DIST += tests/data/traces

tests_unit_test_opcode_SOURCES = tests/unit/test_opcode.c
tests_unit_test_opcode_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC)
tests_unit_test_opcode_LDADD = mmc/libmmc.la $(UNIT_LIBS)

tests_unit_test_cdb_SOURCES = tests/unit/test_cdb.c
tests_unit_test_cdb_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC)
tests_unit_test_cdb_LDADD = mmc/libmmc.la $(UNIT_LIBS)

tests_unit_test_sense_SOURCES = tests/unit/test_sense.c
tests_unit_test_sense_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC)
tests_unit_test_sense_LDADD = mmc/libmmc.la $(UNIT_LIBS) $(SGUTILS_LIBS)

tests_unit_test_traces_SOURCES = tests/unit/test_traces.c
tests_unit_test_traces_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC)
tests_unit_test_traces_LDADD = mmc/libmmc.la $(UNIT_LIBS)

RING_TESTS = tests/unit/test_ring tests/unit/test_ring_restart tests/unit/test_ring_direct
check_PROGRAMS += $(RING_TESTS)
TESTS += $(RING_TESTS)
ring_rig = tests/unit/ring_rig.c tests/unit/ring_rig.h
tests_unit_test_ring_SOURCES = tests/unit/test_ring.c tests/unit/ring_expect.h $(ring_rig)
tests_unit_test_ring_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC)
tests_unit_test_ring_LDADD = backend/libring.la mmc/libmmc.la base/libbase.la $(UNIT_LIBS)

tests_unit_test_ring_restart_SOURCES = tests/unit/test_ring_restart.c $(ring_rig)
tests_unit_test_ring_restart_CPPFLAGS = $(tests_unit_test_ring_CPPFLAGS)
tests_unit_test_ring_restart_LDADD = $(tests_unit_test_ring_LDADD)
tests_unit_test_ring_direct_SOURCES = tests/unit/test_ring_direct.c tests/unit/ring_expect.h $(ring_rig)
tests_unit_test_ring_direct_CPPFLAGS = $(tests_unit_test_ring_CPPFLAGS)
tests_unit_test_ring_direct_LDADD = $(tests_unit_test_ring_LDADD)

check_PROGRAMS += tests/unit/test_regs
TESTS += tests/unit/test_regs
tests_unit_test_regs_SOURCES = tests/unit/test_regs.c
tests_unit_test_regs_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_unit_test_regs_LDADD = ioemu/model/libmodel.la $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_ring_grants
TESTS += tests/unit/test_ring_grants
tests_unit_test_ring_grants_SOURCES = \
	tests/unit/test_ring_grants.c backend/ring_grants.c backend/ring_grants.h
tests_unit_test_ring_grants_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC)
tests_unit_test_ring_grants_LDADD = base/libbase.la $(UNIT_LIBS)
DRIVE_UNIT_TESTS = tests/unit/test_lease tests/unit/test_filters tests/unit/test_runner
check_PROGRAMS += $(DRIVE_UNIT_TESTS)
TESTS += $(DRIVE_UNIT_TESTS)
tests_unit_test_lease_SOURCES = tests/unit/test_lease.c
tests_unit_test_lease_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_PRIVATE_INC)
tests_unit_test_lease_LDADD = $(DRIVE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_filters_SOURCES = tests/unit/test_filters.c
tests_unit_test_filters_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_PRIVATE_INC)
tests_unit_test_filters_LDADD = $(DRIVE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_runner_SOURCES = tests/unit/test_runner.c
tests_unit_test_runner_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_PRIVATE_INC)
tests_unit_test_runner_LDADD = $(DRIVE_LIBS) $(CMOCKA_LIBS)

# What is installed: for a package, and for the shell.
TESTS += tests/unit/install.sh tests/unit/completion.sh
EXTRA_DIST += tests/unit/install.sh tests/unit/completion.sh

# A machine with nothing on it.
TESTS += tests/unit/quickstart.sh
EXTRA_DIST += tests/unit/quickstart.sh
