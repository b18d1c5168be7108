# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzz_NAME.c is built twice: replay_NAME runs its corpus in `make check`,
# fuzz_NAME (--enable-fuzzers, clang) looks for more.
EXTRA_DIST += tests/fuzz/corpus
FUZZER_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer

check_PROGRAMS += tests/fuzz/replay_xenstore
TESTS += tests/fuzz/replay_xenstore
tests_fuzz_replay_xenstore_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_xenstore.c
tests_fuzz_replay_xenstore_CPPFLAGS = $(AM_CPPFLAGS) $(SCHEMA_INC)
tests_fuzz_replay_xenstore_LDADD = xenstore-schemas/libschema.la
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_xenstore
tests_fuzz_fuzz_xenstore_SOURCES = tests/fuzz/fuzz_xenstore.c
tests_fuzz_fuzz_xenstore_CPPFLAGS = $(tests_fuzz_replay_xenstore_CPPFLAGS)
tests_fuzz_fuzz_xenstore_LDADD = $(tests_fuzz_replay_xenstore_LDADD)
tests_fuzz_fuzz_xenstore_LDFLAGS = $(FUZZER_LINK)
endif

check_PROGRAMS += tests/fuzz/replay_cdb
TESTS += tests/fuzz/replay_cdb
tests_fuzz_replay_cdb_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_cdb.c
tests_fuzz_replay_cdb_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC)
tests_fuzz_replay_cdb_LDADD = mmc/libmmc.la
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_cdb
tests_fuzz_fuzz_cdb_SOURCES = tests/fuzz/fuzz_cdb.c
tests_fuzz_fuzz_cdb_CPPFLAGS = $(tests_fuzz_replay_cdb_CPPFLAGS)
tests_fuzz_fuzz_cdb_LDADD = $(tests_fuzz_replay_cdb_LDADD)
tests_fuzz_fuzz_cdb_LDFLAGS = $(FUZZER_LINK)
endif
