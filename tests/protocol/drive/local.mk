# SPDX-License-Identifier: GPL-2.0-or-later
# xenoptic-drive itself, with a launcher and clients around it: once with its own ioctl(), behind
# which a drive lies in a memfd, and once as it is installed, with the virtual burner.
check_PROGRAMS += tests/protocol/drive/fake-sgio
tests_protocol_drive_fake_sgio_SOURCES = \
	drive/main.c tests/protocol/drive/fake_sgio.c tests/protocol/drive/fake_sgio.h
tests_protocol_drive_fake_sgio_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_PRIVATE_INC)
tests_protocol_drive_fake_sgio_CFLAGS = $(xenoptic_drive_CFLAGS)
tests_protocol_drive_fake_sgio_LDADD = $(DRIVE_LIBS)

DRIVE_HARNESS = tests/protocol/drive/harness.c tests/protocol/drive/harness.h \
	tests/protocol/drive/fake_sgio.h
DRIVE_TEST_LIBS = drive/libdisc.la mmc/libmmc.la base/libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/protocol/drive/test_link
TESTS += tests/protocol/drive/test_link
tests_protocol_drive_test_link_SOURCES = tests/protocol/drive/test_link.c $(DRIVE_HARNESS)
tests_protocol_drive_test_link_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_protocol_drive_test_link_LDADD = $(DRIVE_TEST_LIBS)

check_PROGRAMS += tests/protocol/drive/test_exact
TESTS += tests/protocol/drive/test_exact
tests_protocol_drive_test_exact_SOURCES = tests/protocol/drive/test_exact.c $(DRIVE_HARNESS)
tests_protocol_drive_test_exact_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_protocol_drive_test_exact_LDADD = $(DRIVE_TEST_LIBS)

check_PROGRAMS += tests/protocol/drive/test_lease
TESTS += tests/protocol/drive/test_lease
tests_protocol_drive_test_lease_SOURCES = tests/protocol/drive/test_lease.c $(DRIVE_HARNESS)
tests_protocol_drive_test_lease_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_protocol_drive_test_lease_LDADD = $(DRIVE_TEST_LIBS)

check_PROGRAMS += tests/protocol/drive/test_unplug
TESTS += tests/protocol/drive/test_unplug
tests_protocol_drive_test_unplug_SOURCES = tests/protocol/drive/test_unplug.c $(DRIVE_HARNESS)
tests_protocol_drive_test_unplug_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_protocol_drive_test_unplug_LDADD = $(DRIVE_TEST_LIBS)
