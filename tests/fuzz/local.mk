# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzz_NAME.c is linked twice: replay_NAME runs its corpus in `make check`, fuzz_NAME (--enable-fuzzers,
# clang) looks for more. The second is made of the first's objects, with libFuzzer in the place of replay.c.
EXTRA_DIST += tests/fuzz/corpus
FUZZ_NAMES = $(patsubst tests/fuzz/replay_%,%,$(filter tests/fuzz/replay_%,$(check_PROGRAMS)))
FUZZ_TARGETS = $(FUZZ_NAMES:%=tests/fuzz/fuzz_%)
CLEANFILES += $(FUZZ_TARGETS)
if FUZZERS
all-local: $(FUZZ_TARGETS)
endif
$(FUZZ_TARGETS): tests/fuzz/fuzz_%: tests/fuzz/replay_%
	$(AM_V_CCLD)$(LINK) -fsanitize=fuzzer $(filter-out %-replay.o,$(tests_fuzz_replay_$*_OBJECTS)) \
		$(tests_fuzz_replay_$*_LDADD) $(LIBS)

# For tests/fuzz/soak.
.PHONY: print-fuzzers
print-fuzzers:
	@printf '%s\n' $(FUZZ_TARGETS)

check_PROGRAMS += tests/fuzz/replay_xenstore
TESTS += tests/fuzz/replay_xenstore
tests_fuzz_replay_xenstore_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_xenstore.c
tests_fuzz_replay_xenstore_CPPFLAGS = $(AM_CPPFLAGS) $(SCHEMA_INC)
tests_fuzz_replay_xenstore_LDADD = xenstore-schemas/libschema.la

check_PROGRAMS += tests/fuzz/replay_lines
TESTS += tests/fuzz/replay_lines
tests_fuzz_replay_lines_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_lines.c
tests_fuzz_replay_lines_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC)
tests_fuzz_replay_lines_LDADD = backend/launcher/liblauncher.la

check_PROGRAMS += tests/fuzz/replay_cdb
TESTS += tests/fuzz/replay_cdb
tests_fuzz_replay_cdb_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_cdb.c
tests_fuzz_replay_cdb_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC)
tests_fuzz_replay_cdb_LDADD = mmc/libmmc.la

FUZZ_RIG = tests/protocol/rig.c tests/protocol/rig.h tests/protocol/fake_drive.c tests/protocol/fake_drive.h
FUZZ_CONTROLLER = tests/fuzz/fuzz_controller.c tests/fuzz/fuzz_controller.h $(FUZZ_RIG)

check_PROGRAMS += tests/fuzz/replay_ide
TESTS += tests/fuzz/replay_ide
tests_fuzz_replay_ide_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_ide.c $(FUZZ_CONTROLLER)
tests_fuzz_replay_ide_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_fuzz_replay_ide_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la

check_PROGRAMS += tests/fuzz/replay_ahci
TESTS += tests/fuzz/replay_ahci
tests_fuzz_replay_ahci_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_ahci.c $(FUZZ_CONTROLLER)
tests_fuzz_replay_ahci_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_fuzz_replay_ahci_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la

check_PROGRAMS += tests/fuzz/replay_fis
TESTS += tests/fuzz/replay_fis
tests_fuzz_replay_fis_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_fis.c $(FUZZ_RIG)
tests_fuzz_replay_fis_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_fuzz_replay_fis_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la

check_PROGRAMS += tests/fuzz/replay_prd
TESTS += tests/fuzz/replay_prd
tests_fuzz_replay_prd_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_prd.c $(FUZZ_RIG)
tests_fuzz_replay_prd_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
tests_fuzz_replay_prd_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la

# A xenoptic-ioemu that writes down what its guest does (recorder.c); built for record.sh alone (`# program:`).
EXTRA_PROGRAMS += tests/fuzz/ioemu_recording
tests_fuzz_ioemu_recording_SOURCES = $(xenoptic_ioemu_SOURCES) tests/fuzz/recorder.c
tests_fuzz_ioemu_recording_CPPFLAGS = $(xenoptic_ioemu_CPPFLAGS) -I$(srcdir)/ioemu/host
tests_fuzz_ioemu_recording_CFLAGS = $(xenoptic_ioemu_CFLAGS)
tests_fuzz_ioemu_recording_LDADD = $(xenoptic_ioemu_LDADD)
RECORDED = xo_bus_read xo_bus_write xo_bus_read_string xo_bus_write_string xo_pci_config_read xo_pci_config_write \
	xo_guest_memory_read xo_guest_memory_write xo_packet_complete xo_ahci_notify
tests_fuzz_ioemu_recording_LDFLAGS = $(AM_LDFLAGS) $(RECORDED:%=-Wl,--wrap=%)
CLEANFILES += tests/fuzz/ioemu_recording
EXTRA_DIST += tests/fuzz/README.md tests/fuzz/record.sh tests/fuzz/recording.py tests/fuzz/soak tests/fuzz/take-seeds

FUZZ_RING = tests/fuzz/fuzz_ring.c tests/unit/ring_rig.c tests/unit/ring_rig.h
check_PROGRAMS += tests/fuzz/replay_ring
TESTS += tests/fuzz/replay_ring
tests_fuzz_replay_ring_SOURCES = tests/fuzz/replay.c $(FUZZ_RING)
tests_fuzz_replay_ring_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC) -I$(srcdir)/tests/unit
tests_fuzz_replay_ring_LDADD = backend/libring.la mmc/libmmc.la base/libbase.la

FUZZ_BURNER = tests/fuzz/burner_rig.c tests/fuzz/burner_rig.h

check_PROGRAMS += tests/fuzz/replay_burner
TESTS += tests/fuzz/replay_burner
tests_fuzz_replay_burner_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_burner.c $(FUZZ_BURNER)
tests_fuzz_replay_burner_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_fuzz_replay_burner_LDADD = drive/virtual/libburner.la

check_PROGRAMS += tests/fuzz/replay_cue
TESTS += tests/fuzz/replay_cue
tests_fuzz_replay_cue_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_cue.c $(FUZZ_BURNER)
tests_fuzz_replay_cue_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_fuzz_replay_cue_LDADD = drive/virtual/libburner.la

check_PROGRAMS += tests/fuzz/replay_modepage
TESTS += tests/fuzz/replay_modepage
tests_fuzz_replay_modepage_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_modepage.c $(FUZZ_BURNER)
tests_fuzz_replay_modepage_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_fuzz_replay_modepage_LDADD = drive/virtual/libburner.la

check_PROGRAMS += tests/fuzz/replay_disc
TESTS += tests/fuzz/replay_disc
tests_fuzz_replay_disc_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_disc.c $(FUZZ_BURNER)
tests_fuzz_replay_disc_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
tests_fuzz_replay_disc_LDADD = drive/virtual/libburner.la

check_PROGRAMS += tests/fuzz/replay_link
TESTS += tests/fuzz/replay_link
tests_fuzz_replay_link_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_link.c
tests_fuzz_replay_link_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_PRIVATE_INC)
tests_fuzz_replay_link_LDADD = $(DRIVE_LIBS)
