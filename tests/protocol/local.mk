# SPDX-License-Identifier: GPL-2.0-or-later

include tests/protocol/drive/local.mk
include tests/protocol/exec/local.mk
include tests/protocol/front/local.mk

# Register-level drivers against the controllers' model.
RIG_SOURCES = tests/protocol/rig.c tests/protocol/rig.h \
	tests/protocol/fake_drive.c tests/protocol/fake_drive.h
BOARD_SOURCES = $(RIG_SOURCES) tests/protocol/rig_board.c tests/protocol/rig_board.h
MODEL_TEST_LIBS = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la $(CMOCKA_LIBS)
IDE_DRIVER_SOURCES = $(BOARD_SOURCES) tests/protocol/ide_driver.c tests/protocol/ide_driver.h
AHCI_DRIVER_SOURCES = $(BOARD_SOURCES) tests/protocol/ahci_driver.c tests/protocol/ahci_driver.h
check_PROGRAMS += tests/protocol/test_ide
TESTS += tests/protocol/test_ide
tests_protocol_test_ide_SOURCES = tests/protocol/test_ide.c $(IDE_DRIVER_SOURCES)
tests_protocol_test_ide_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ide_LDADD = $(MODEL_TEST_LIBS)

check_PROGRAMS += tests/protocol/test_ide_commands
TESTS += tests/protocol/test_ide_commands
tests_protocol_test_ide_commands_SOURCES = tests/protocol/test_ide_commands.c $(IDE_DRIVER_SOURCES)
tests_protocol_test_ide_commands_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ide_commands_LDADD = $(MODEL_TEST_LIBS)

check_PROGRAMS += tests/protocol/test_ide_orders
TESTS += tests/protocol/test_ide_orders
tests_protocol_test_ide_orders_SOURCES = tests/protocol/test_ide_orders.c $(IDE_DRIVER_SOURCES)
tests_protocol_test_ide_orders_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ide_orders_LDADD = $(MODEL_TEST_LIBS)

check_PROGRAMS += tests/protocol/test_ahci
TESTS += tests/protocol/test_ahci
tests_protocol_test_ahci_SOURCES = tests/protocol/test_ahci.c $(AHCI_DRIVER_SOURCES)
tests_protocol_test_ahci_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ahci_LDADD = $(MODEL_TEST_LIBS)

check_PROGRAMS += tests/protocol/test_ahci_commands
TESTS += tests/protocol/test_ahci_commands
tests_protocol_test_ahci_commands_SOURCES = tests/protocol/test_ahci_commands.c $(AHCI_DRIVER_SOURCES)
tests_protocol_test_ahci_commands_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ahci_commands_LDADD = $(MODEL_TEST_LIBS)

check_PROGRAMS += tests/protocol/test_ahci_orders
TESTS += tests/protocol/test_ahci_orders
tests_protocol_test_ahci_orders_SOURCES = tests/protocol/test_ahci_orders.c $(AHCI_DRIVER_SOURCES)
tests_protocol_test_ahci_orders_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_ahci_orders_LDADD = $(MODEL_TEST_LIBS)

check_PROGRAMS += tests/protocol/test_pci tests/protocol/config_dump
TESTS += tests/protocol/test_pci tests/protocol/lspci.test
EXTRA_DIST += tests/protocol/lspci.test tests/protocol/lspci.golden
tests_protocol_test_pci_SOURCES = tests/protocol/test_pci.c $(BOARD_SOURCES)
tests_protocol_test_pci_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_test_pci_LDADD = $(MODEL_TEST_LIBS)
tests_protocol_config_dump_SOURCES = tests/protocol/config_dump.c $(RIG_SOURCES)
tests_protocol_config_dump_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_protocol_config_dump_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la

# The ring worker between a frontend, a launcher and drives that are all the test's.
ring_stage = tests/protocol/ring/stage.c tests/protocol/ring/stage.h
check_PROGRAMS += tests/protocol/ring-process
tests_protocol_ring_process_SOURCES = tests/protocol/ring/process.c $(ring_stage)
tests_protocol_ring_process_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC)
tests_protocol_ring_process_LDADD = backend/libring.la mmc/libmmc.la base/libbase.la \
	$(XENGNTTAB_LIBS) $(XENEVTCHN_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
TESTS += tests/protocol/ring.test
# The same worker with an ioctl() of its own, for a drive that is lent to it.
check_PROGRAMS += tests/protocol/ring/fake-sgio
tests_protocol_ring_fake_sgio_SOURCES = $(xenoptic_ring_SOURCES) \
	tests/protocol/drive/fake_sgio.c tests/protocol/drive/fake_sgio.h
tests_protocol_ring_fake_sgio_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC)
tests_protocol_ring_fake_sgio_CFLAGS = $(xenoptic_ring_CFLAGS)
tests_protocol_ring_fake_sgio_LDADD = $(xenoptic_ring_LDADD)
EXTRA_DIST += tests/protocol/ring.test

# The emulated controllers' process on the loopback.
ioemu_stage = tests/protocol/ioemu_stage.c tests/protocol/ioemu_stage.h
ioemu_stage_cppflags = $(AM_CPPFLAGS) $(BASE_INC) $(LB_INC) -D__XEN_TOOLS__
ioemu_stage_cflags = $(AM_CFLAGS) $(XENDEVICEMODEL_CFLAGS)
ioemu_stage_libs = tests/loopback/liblb.la base/libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS) \
	$(XENDEVICEMODEL_LIBS)
check_PROGRAMS += tests/protocol/test_ioemu tests/protocol/test_ioemu_memory tests/protocol/test_ioemu_save
TESTS += tests/protocol/ioemu.test tests/protocol/ioemu-memory.test tests/protocol/ioemu-save.test
EXTRA_DIST += tests/protocol/ioemu.test tests/protocol/ioemu-memory.test tests/protocol/ioemu-save.test
tests_protocol_test_ioemu_SOURCES = tests/protocol/test_ioemu.c $(ioemu_stage)
tests_protocol_test_ioemu_CPPFLAGS = $(ioemu_stage_cppflags)
tests_protocol_test_ioemu_CFLAGS = $(ioemu_stage_cflags)
tests_protocol_test_ioemu_LDADD = $(ioemu_stage_libs)
tests_protocol_test_ioemu_memory_SOURCES = tests/protocol/test_ioemu_memory.c $(ioemu_stage)
tests_protocol_test_ioemu_memory_CPPFLAGS = $(ioemu_stage_cppflags)
tests_protocol_test_ioemu_memory_CFLAGS = $(ioemu_stage_cflags)
tests_protocol_test_ioemu_memory_LDADD = $(ioemu_stage_libs)
tests_protocol_test_ioemu_save_SOURCES = tests/protocol/test_ioemu_save.c $(ioemu_stage)
tests_protocol_test_ioemu_save_CPPFLAGS = $(ioemu_stage_cppflags)
tests_protocol_test_ioemu_save_CFLAGS = $(ioemu_stage_cflags)
tests_protocol_test_ioemu_save_LDADD = $(ioemu_stage_libs)
# With a virtual burner behind it.
check_PROGRAMS += tests/protocol/test_ioemu_commands
TESTS += tests/protocol/ioemu-commands.test
EXTRA_DIST += tests/protocol/ioemu-commands.test
tests_protocol_test_ioemu_commands_SOURCES = tests/protocol/test_ioemu_commands.c $(ioemu_stage) $(BURNER_KIT)
tests_protocol_test_ioemu_commands_CPPFLAGS = $(ioemu_stage_cppflags) $(DRIVE_INC)
tests_protocol_test_ioemu_commands_CFLAGS = $(ioemu_stage_cflags)
tests_protocol_test_ioemu_commands_LDADD = tests/loopback/liblb.la drive/virtual/libburner.la mmc/libmmc.la \
	base/libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS) $(XENDEVICEMODEL_LIBS)

# The board: the controllers and the virtual burner under the qtest protocol (board.md).
check_PROGRAMS += tests/protocol/board
TESTS += tests/protocol/board.test
EXTRA_DIST += tests/protocol/board.test tests/protocol/board_client.py tests/protocol/board.md
tests_protocol_board_SOURCES = tests/protocol/board.c tests/protocol/rig.c tests/protocol/rig.h
tests_protocol_board_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC) $(DRIVE_INC)
tests_protocol_board_LDADD = ioemu/model/libmodel.la drive/virtual/libburner.la mmc/libmmc.la \
	base/libbase.la $(JANSSON_LIBS) $(SGUTILS_LIBS)

# Emulated controllers, from the launcher to the guest's virtual CPU.
check_PROGRAMS += tests/protocol/vcpu_reader
TESTS += tests/protocol/controller.test
EXTRA_DIST += tests/protocol/controller.test
tests_protocol_vcpu_reader_SOURCES = tests/protocol/vcpu_reader.c $(VCPU_DRIVE)
tests_protocol_vcpu_reader_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC) $(LB_INC)
tests_protocol_vcpu_reader_LDADD = tests/loopback/liblb.la base/libbase.la

# The wrapper that xl runs in QEMU's place.
TESTS += tests/protocol/device-model.test tests/protocol/held.test
EXTRA_DIST += tests/protocol/device-model.test tests/protocol/held.test

# The relay that the wrapper leaves between libxl and QEMU.
TESTS += tests/protocol/relay.test tests/protocol/standstill.test
EXTRA_DIST += tests/protocol/standstill.test tests/protocol/launcher/standstill.py
EXTRA_DIST += tests/protocol/relay.test tests/protocol/relay.py
