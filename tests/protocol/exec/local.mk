# SPDX-License-Identifier: GPL-2.0-or-later
# Unmodified programs on a drive in the same process (tests/protocol/README).
check_PROGRAMS += tests/protocol/exec-reader
tests_protocol_exec_reader_SOURCES = \
	tests/protocol/exec/direct.c tests/protocol/exec/reader.c tests/protocol/exec/unit.h
tests_protocol_exec_reader_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC) -I$(srcdir)/tools
tests_protocol_exec_reader_LDADD = tools/libexec-server.la mmc/libmmc.la base/libbase.la

check_PROGRAMS += tests/protocol/exec-direct
tests_protocol_exec_direct_SOURCES = \
	tests/protocol/exec/direct.c tests/protocol/exec/burner.c tests/protocol/exec/unit.h
tests_protocol_exec_direct_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC) -I$(srcdir)/tools
tests_protocol_exec_direct_LDADD = tools/libexec-server.la drive/virtual/libburner.la \
	mmc/libmmc.la base/libbase.la
EXTRA_DIST += tests/protocol/README
TESTS += tests/protocol/exec.test
EXTRA_DIST += tests/protocol/exec.test
