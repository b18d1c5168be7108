# SPDX-License-Identifier: GPL-2.0-or-later
# The loopback: stand-ins for the Xen libraries, in a folder of their own for LD_LIBRARY_PATH, and
# what serves them. They are never instrumented, so that any program can load them.
LOOPBACK_LIBDIR = tests/loopback/lib
LOOPBACK_LIBS = \
	$(LOOPBACK_LIBDIR)/libxenevtchn.so.1 \
	$(LOOPBACK_LIBDIR)/libxengnttab.so.1 \
	$(LOOPBACK_LIBDIR)/libxenctrl.so.4.17 \
	$(LOOPBACK_LIBDIR)/xenstored-preload.so
LOOPBACK_HDRS = %D%/proto.h %D%/client.h

noinst_DATA += $(LOOPBACK_LIBS)
CLEANFILES += $(LOOPBACK_LIBS)
noinst_HEADERS += %D%/proto.h %D%/client.h %D%/hv.h
EXTRA_DIST += %D%/xenevtchn.map %D%/xengnttab.map %D%/xenctrl.map %D%/lib.sh

LOOPBACK_LINK = $(AM_V_CCLD)$(MKDIR_P) $(LOOPBACK_LIBDIR) && \
	$(CC) -std=gnu17 $(AM_CPPFLAGS) $(CPPFLAGS) $(WARN_CFLAGS) $(CFLAGS) -fPIC -shared $(LDFLAGS) \
	-Wl,-soname,$(@F) -Wl,-z,defs

$(LOOPBACK_LIBDIR)/libxenevtchn.so.1: %D%/xenevtchn.c %D%/client.c %D%/xenevtchn.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xenevtchn.map -o $@ \
		$(srcdir)/%D%/xenevtchn.c $(srcdir)/%D%/client.c -lxentoolcore
$(LOOPBACK_LIBDIR)/libxengnttab.so.1: %D%/xengnttab.c %D%/xengntshr.c %D%/client.c %D%/xengnttab.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xengnttab.map -o $@ \
		$(srcdir)/%D%/xengnttab.c $(srcdir)/%D%/xengntshr.c $(srcdir)/%D%/client.c -lxentoolcore
$(LOOPBACK_LIBDIR)/libxenctrl.so.4.17: %D%/xenctrl.c %D%/client.c %D%/xenctrl.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xenctrl.map -o $@ \
		$(srcdir)/%D%/xenctrl.c $(srcdir)/%D%/client.c
$(LOOPBACK_LIBDIR)/xenstored-preload.so: %D%/xenstored-preload.c
	$(LOOPBACK_LINK) -o $@ $(srcdir)/%D%/xenstored-preload.c -ldl

noinst_PROGRAMS += tests/loopback/hypervisor tests/loopback/lbctl
tests_loopback_hypervisor_SOURCES = %D%/hypervisor.c %D%/hv_domain.c %D%/hv_evtchn.c %D%/hv_grant.c \
	%D%/hv_xenbus.c
tests_loopback_lbctl_SOURCES = %D%/lbctl.c %D%/client.c
tests_loopback_lbctl_CPPFLAGS = $(AM_CPPFLAGS)
tests_loopback_lbctl_CFLAGS = $(AM_CFLAGS) $(XENSTORE_CFLAGS)
tests_loopback_lbctl_LDADD = $(XENSTORE_LIBS)

loopback_units = tests/loopback/test_evtchn tests/loopback/test_gnttab
check_PROGRAMS += $(loopback_units)
loopback_tests = %D%/domains.sh %D%/evtchn.sh %D%/gnttab.sh %D%/guest-store.sh
TESTS += $(loopback_tests)
EXTRA_DIST += $(loopback_tests) %D%/with
tests_loopback_test_evtchn_SOURCES = %D%/test_evtchn.c
tests_loopback_test_evtchn_LDADD = $(CMOCKA_LIBS) $(XENEVTCHN_LIBS) $(XENTOOLCORE_LIBS)
tests_loopback_test_gnttab_SOURCES = %D%/test_gnttab.c
tests_loopback_test_gnttab_LDADD = $(CMOCKA_LIBS) $(XENEVTCHN_LIBS) $(XENGNTTAB_LIBS)
