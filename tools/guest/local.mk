# SPDX-License-Identifier: GPL-2.0-or-later
bin_PROGRAMS += xenoptic-guest
xenoptic_guest_SOURCES = \
	tools/guest/blank.c tools/guest/burn.c tools/guest/burn.h tools/guest/burn-media.c \
	tools/guest/disc.c tools/guest/disc.h tools/guest/drive.c tools/guest/drive.h \
	tools/guest/eject.c tools/guest/exec.c tools/guest/guest.h tools/guest/info.c \
	tools/guest/main.c tools/guest/progress.c tools/guest/progress.h tools/guest/raw.c \
	tools/guest/read.c
xenoptic_guest_CPPFLAGS = $(AM_CPPFLAGS) $(FRONT_INC) -I$(srcdir)/tools -I$(builddir) \
	-DPRELOAD_PATH='"$(pkglibdir)/xenoptic-exec.so"'
xenoptic_guest_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
xenoptic_guest_LDADD = frontend/lib/libfront.la tools/libexec-server.la mmc/libmmc.la \
	base/libbase.la $(FRONT_LIBS) $(JANSSON_LIBS)
