# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LTLIBRARIES += drive/virtual/libburner.la
drive_virtual_libburner_la_SOURCES = \
	drive/include/drive/burner.h drive/include/drive/unit.h \
	drive/virtual/virtual.h \
	drive/virtual/buffer.c \
	drive/virtual/burner.c \
	drive/virtual/configuration.c \
	drive/virtual/dispatch.c drive/virtual/dispatch.h \
	drive/virtual/file.c \
	drive/virtual/information.c \
	drive/virtual/mode.c \
	drive/virtual/operation.c \
	drive/virtual/read.c \
	drive/virtual/readcd.c \
	drive/virtual/sao.c \
	drive/virtual/sector.c \
	drive/virtual/session.c \
	drive/virtual/speeds.c \
	drive/virtual/status.c \
	drive/virtual/structure.c \
	drive/virtual/subchannel.c \
	drive/virtual/toc.c \
	drive/virtual/tracks.c \
	drive/virtual/transfer.c \
	drive/virtual/write.c drive/virtual/store.h
drive_virtual_libburner_la_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
drive_virtual_libburner_la_CFLAGS = $(AM_CFLAGS)
drive_virtual_libburner_la_LIBADD = drive/libdisc.la mmc/libmmc.la base/libbase.la

BURNER_KIT = tests/unit/burner_kit.c tests/unit/burner_kit.h
BURNER_TESTS = tests/unit/test_disc \
	tests/unit/test_burner_cd tests/unit/test_burner_media tests/unit/test_burner_promises \
	tests/unit/test_burner_replay tests/unit/test_burner_rules
check_PROGRAMS += $(BURNER_TESTS)
TESTS += $(BURNER_TESTS)
tests_unit_test_burner_media_SOURCES = tests/unit/test_burner_media.c $(BURNER_KIT)
tests_unit_test_burner_media_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_unit_test_burner_media_LDADD = drive/virtual/libburner.la $(CMOCKA_LIBS)
tests_unit_test_burner_promises_SOURCES = tests/unit/test_burner_promises.c $(BURNER_KIT)
tests_unit_test_burner_promises_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_unit_test_burner_promises_LDADD = drive/virtual/libburner.la $(CMOCKA_LIBS)
tests_unit_test_burner_rules_SOURCES = tests/unit/test_burner_rules.c $(BURNER_KIT)
tests_unit_test_burner_rules_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_unit_test_burner_rules_LDADD = drive/virtual/libburner.la $(CMOCKA_LIBS)
tests_unit_test_burner_replay_SOURCES = tests/unit/test_burner_replay.c $(BURNER_KIT)
tests_unit_test_burner_replay_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_unit_test_burner_replay_LDADD = drive/virtual/libburner.la $(CMOCKA_LIBS)
tests_unit_test_burner_cd_SOURCES = tests/unit/test_burner_cd.c $(BURNER_KIT)
tests_unit_test_burner_cd_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_unit_test_burner_cd_LDADD = drive/virtual/libburner.la $(CMOCKA_LIBS)
tests_unit_test_disc_SOURCES = tests/unit/test_disc.c
tests_unit_test_disc_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_unit_test_disc_LDADD = drive/libdisc.la $(CMOCKA_LIBS)
