# SPDX-License-Identifier: GPL-2.0-or-later
# The public headers as of this release, with the barriers that we define (xen/io/ring.h).
XEN_DEFS = -D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__
RING_INC = $(MMC_INC) -I$(srcdir)/backend $(XEN_DEFS)

# The ring's core: memory in, memory out; no Xen library.
noinst_LTLIBRARIES += backend/libring.la
backend_libring_la_SOURCES = \
	backend/ring.c backend/ring.h backend/ring_ledger.h \
	backend/ring_direct.c \
	backend/ring_publish.c \
	backend/ring_request.c
backend_libring_la_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC)
backend_libring_la_CFLAGS = $(AM_CFLAGS) $(XENGNTTAB_CFLAGS)

xolibexec_PROGRAMS += xenoptic-ring
xenoptic_ring_SOURCES = \
	backend/ring_control.c \
	backend/ring_channels.c backend/ring_channels.h backend/ring_grants.c backend/ring_grants.h \
	backend/ring_main.c \
	backend/ring_options.c \
	backend/ring_worker.h
xenoptic_ring_CPPFLAGS = $(AM_CPPFLAGS) $(RING_INC)
xenoptic_ring_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(XENGNTTAB_CFLAGS) $(XENEVTCHN_CFLAGS)
xenoptic_ring_LDADD = backend/libring.la mmc/libmmc.la base/libbase.la \
	$(XENGNTTAB_LIBS) $(XENEVTCHN_LIBS) $(JANSSON_LIBS) $(SECCOMP_LIBS)

xolibexec_PROGRAMS += xenoptic-keeper
xenoptic_keeper_SOURCES = backend/keeper.c
xenoptic_keeper_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC)
xenoptic_keeper_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
xenoptic_keeper_LDADD = base/libbase.la $(JANSSON_LIBS) $(SECCOMP_LIBS)

# The only program with libxenctrl, which has another SONAME in each release of Xen.
xolibexec_PROGRAMS += xenoptic-domctl
xenoptic_domctl_SOURCES = \
	backend/domctl.c \
	backend/domctl_record.c backend/domctl_record.h
xenoptic_domctl_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC)
xenoptic_domctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(XENCTRL_CFLAGS) $(XENSTORE_CFLAGS)
xenoptic_domctl_LDADD = base/libbase.la $(JANSSON_LIBS) $(XENCTRL_LIBS) $(XENSTORE_LIBS)

include backend/launcher/local.mk
