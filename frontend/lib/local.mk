# SPDX-License-Identifier: GPL-2.0-or-later
FRONT_INC = $(MMC_INC) -I$(srcdir)/frontend/lib/include $(XEN_DEFS)
FRONT_LIBS = $(XENSTORE_LIBS) $(XENEVTCHN_LIBS) $(XENGNTTAB_LIBS)

noinst_LTLIBRARIES += frontend/lib/libfront.la
frontend_lib_libfront_la_SOURCES = \
	frontend/lib/front.c frontend/lib/front.h frontend/lib/include/frontend/frontend.h \
	frontend/lib/handshake.c frontend/lib/list.c frontend/lib/pool.c frontend/lib/ring.c \
	frontend/lib/store.c frontend/lib/units.c
frontend_lib_libfront_la_CPPFLAGS = $(AM_CPPFLAGS) $(FRONT_INC)
frontend_lib_libfront_la_CFLAGS = $(AM_CFLAGS) $(XENSTORE_CFLAGS) $(XENEVTCHN_CFLAGS) \
	$(XENGNTTAB_CFLAGS)
frontend_lib_libfront_la_LIBADD = mmc/libmmc.la base/libbase.la $(FRONT_LIBS)
