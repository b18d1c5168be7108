# SPDX-License-Identifier: GPL-2.0-or-later
# The userspace frontend against a scripted backend.
check_PROGRAMS += tests/protocol/test_front
tests_protocol_test_front_SOURCES = tests/protocol/front/test_front.c \
	tests/protocol/front/vcd.c tests/protocol/front/rig.c tests/protocol/front/rig.h \
	tests/protocol/front/fake_backend.c tests/protocol/front/fake_backend.h
tests_protocol_test_front_CPPFLAGS = $(AM_CPPFLAGS) $(FRONT_INC)
tests_protocol_test_front_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=xo_now_ns
tests_protocol_test_front_LDADD = frontend/lib/libfront.la $(CMOCKA_LIBS)
TESTS += tests/protocol/front.sh
EXTRA_DIST += tests/protocol/front.sh

# The guest's command on a small backend with a reader behind it.
check_PROGRAMS += tests/protocol/serve-reader
tests_protocol_serve_reader_SOURCES = tests/protocol/front/serve.c \
	tests/protocol/front/fake_backend.c tests/protocol/front/fake_backend.h \
	tests/protocol/exec/reader.c tests/protocol/exec/unit.h
tests_protocol_serve_reader_CPPFLAGS = $(AM_CPPFLAGS) $(FRONT_INC) -I$(srcdir)/drive/include
tests_protocol_serve_reader_LDADD = frontend/lib/libfront.la $(CMOCKA_LIBS)
TESTS += tests/protocol/guest.sh
EXTRA_DIST += tests/protocol/guest.sh

# The same with the virtual burner.
check_PROGRAMS += tests/protocol/serve-burner
tests_protocol_serve_burner_SOURCES = tests/protocol/front/serve.c \
	tests/protocol/front/fake_backend.c tests/protocol/front/fake_backend.h \
	tests/protocol/exec/burner.c tests/protocol/exec/unit.h
tests_protocol_serve_burner_CPPFLAGS = $(AM_CPPFLAGS) $(FRONT_INC) -I$(srcdir)/drive/include
tests_protocol_serve_burner_LDADD = frontend/lib/libfront.la drive/virtual/libburner.la \
	$(CMOCKA_LIBS)
TESTS += tests/protocol/guest-burn.sh
EXTRA_DIST += tests/protocol/guest-burn.sh
