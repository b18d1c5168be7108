# SPDX-License-Identifier: GPL-2.0-or-later

include tests/protocol/exec/local.mk
include tests/protocol/front/local.mk

# Register-level drivers against the controllers' model.
RIG_SOURCES = tests/protocol/rig.c tests/protocol/rig.h \
	tests/protocol/fake_drive.c tests/protocol/fake_drive.h
check_PROGRAMS += tests/protocol/test_ide
TESTS += tests/protocol/test_ide
tests_protocol_test_ide_SOURCES = tests/protocol/test_ide.c $(RIG_SOURCES)
tests_protocol_test_ide_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ide_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/protocol/test_ahci
TESTS += tests/protocol/test_ahci
tests_protocol_test_ahci_SOURCES = tests/protocol/test_ahci.c $(RIG_SOURCES)
tests_protocol_test_ahci_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ahci_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/protocol/test_pci tests/protocol/config_dump
TESTS += tests/protocol/test_pci tests/protocol/lspci.test
EXTRA_DIST += tests/protocol/lspci.test tests/protocol/lspci.golden
tests_protocol_test_pci_SOURCES = tests/protocol/test_pci.c $(RIG_SOURCES)
tests_protocol_test_pci_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_pci_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la $(CMOCKA_LIBS)
tests_protocol_config_dump_SOURCES = tests/protocol/config_dump.c $(RIG_SOURCES)
tests_protocol_config_dump_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_config_dump_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la
