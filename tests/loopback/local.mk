# SPDX-License-Identifier: GPL-2.0-or-later
# The loopback: stand-ins for the Xen libraries, in a folder of their own for LD_LIBRARY_PATH, and
# what serves them. They are never instrumented, so that any program can load them.
LOOPBACK_LIBDIR = tests/loopback/lib
LOOPBACK_LIBS = \
	$(LOOPBACK_LIBDIR)/libxenevtchn.so.1 \
	$(LOOPBACK_LIBDIR)/libxengnttab.so.1 \
	$(LOOPBACK_LIBDIR)/libxenforeignmemory.so.1 \
	$(LOOPBACK_LIBDIR)/libxendevicemodel.so.1 \
	$(LOOPBACK_LIBDIR)/libxencall.so.1 \
	$(LOOPBACK_LIBDIR)/libxenctrl.so.4.17 \
	$(LOOPBACK_LIBDIR)/xenstored-preload.so
LOOPBACK_HDRS = %D%/proto.h %D%/client.h %D%/events.h

noinst_DATA += $(LOOPBACK_LIBS)
CLEANFILES += $(LOOPBACK_LIBS)
noinst_HEADERS += %D%/proto.h %D%/client.h %D%/events.h %D%/hv.h %D%/lb.h
EXTRA_DIST += %D%/xenevtchn.map %D%/xengnttab.map %D%/xenforeignmemory.map %D%/xendevicemodel.map \
	%D%/xencall.map %D%/xenctrl.map %D%/lib.sh %D%/README.md

LOOPBACK_LINK = $(AM_V_CCLD)$(MKDIR_P) $(LOOPBACK_LIBDIR) && \
	$(CC) -std=gnu17 $(AM_CPPFLAGS) $(CPPFLAGS) $(WARN_CFLAGS) $(CFLAGS) -fPIC -shared $(LDFLAGS) \
	-Wl,-soname,$(@F) -Wl,-z,defs

$(LOOPBACK_LIBDIR)/libxenevtchn.so.1: %D%/xenevtchn.c %D%/events.c %D%/client.c %D%/xenevtchn.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xenevtchn.map -o $@ \
		$(srcdir)/%D%/xenevtchn.c $(srcdir)/%D%/events.c $(srcdir)/%D%/client.c -lxentoolcore
$(LOOPBACK_LIBDIR)/libxengnttab.so.1: %D%/xengnttab.c %D%/xengntshr.c %D%/client.c %D%/xengnttab.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xengnttab.map -o $@ \
		$(srcdir)/%D%/xengnttab.c $(srcdir)/%D%/xengntshr.c $(srcdir)/%D%/client.c -lxentoolcore
$(LOOPBACK_LIBDIR)/libxenforeignmemory.so.1: %D%/xenforeignmemory.c %D%/client.c %D%/xenforeignmemory.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xenforeignmemory.map -o $@ \
		$(srcdir)/%D%/xenforeignmemory.c $(srcdir)/%D%/client.c -lxentoolcore
$(LOOPBACK_LIBDIR)/libxendevicemodel.so.1: %D%/xendevicemodel.c %D%/client.c %D%/xendevicemodel.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xendevicemodel.map -o $@ \
		$(srcdir)/%D%/xendevicemodel.c $(srcdir)/%D%/client.c -lxentoolcore
$(LOOPBACK_LIBDIR)/libxencall.so.1: %D%/xencall.c %D%/client.c %D%/xencall.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xencall.map -o $@ \
		$(srcdir)/%D%/xencall.c $(srcdir)/%D%/client.c -lxentoolcore
$(LOOPBACK_LIBDIR)/libxenctrl.so.4.17: %D%/xenctrl.c %D%/client.c %D%/xenctrl.map $(LOOPBACK_HDRS)
	$(LOOPBACK_LINK) -Wl,--version-script=$(srcdir)/%D%/xenctrl.map -o $@ \
		$(srcdir)/%D%/xenctrl.c $(srcdir)/%D%/client.c
$(LOOPBACK_LIBDIR)/xenstored-preload.so: %D%/xenstored-preload.c
	$(LOOPBACK_LINK) -o $@ $(srcdir)/%D%/xenstored-preload.c -ldl

noinst_PROGRAMS += tests/loopback/hypervisor tests/loopback/lbctl
tests_loopback_hypervisor_SOURCES = %D%/hypervisor.c %D%/hv_domain.c %D%/hv_evtchn.c %D%/hv_grant.c \
	%D%/hv_memory.c %D%/hv_ioreq.c %D%/hv_xenbus.c

# A guest for tests: lb.h; and a driver of an emulated drive in it.
VCPU_DRIVE = tests/protocol/vcpu_drive.c tests/protocol/vcpu_drive.h
noinst_LTLIBRARIES += tests/loopback/liblb.la
tests_loopback_liblb_la_SOURCES = %D%/lb.c %D%/vcpu.c %D%/events.c %D%/client.c
LB_INC = -I$(srcdir)/tests/loopback

tests_loopback_lbctl_SOURCES = %D%/lbctl.c
tests_loopback_lbctl_CPPFLAGS = $(AM_CPPFLAGS)
tests_loopback_lbctl_CFLAGS = $(AM_CFLAGS) $(XENSTORE_CFLAGS)
tests_loopback_lbctl_LDADD = tests/loopback/liblb.la $(XENSTORE_LIBS)

loopback_units = tests/loopback/test_evtchn tests/loopback/test_gnttab \
	tests/loopback/test_ioreq tests/loopback/test_memory tests/loopback/test_sandboxed
check_PROGRAMS += $(loopback_units)
loopback_tests = %D%/domains.sh %D%/evtchn.sh %D%/gnttab.sh \
	%D%/guest-store.sh %D%/ioreq.sh %D%/memory.sh %D%/sandboxed.sh \
	%D%/versions.sh %D%/left-behind.sh
TESTS += $(loopback_tests)
EXTRA_DIST += $(loopback_tests) %D%/with
tests_loopback_test_evtchn_SOURCES = %D%/test_evtchn.c
tests_loopback_test_evtchn_LDADD = $(CMOCKA_LIBS) $(XENEVTCHN_LIBS) $(XENTOOLCORE_LIBS)
tests_loopback_test_gnttab_SOURCES = %D%/test_gnttab.c
tests_loopback_test_gnttab_LDADD = $(CMOCKA_LIBS) $(XENEVTCHN_LIBS) $(XENGNTTAB_LIBS)
tests_loopback_test_ioreq_SOURCES = %D%/test_ioreq.c
tests_loopback_test_ioreq_LDADD = tests/loopback/liblb.la $(CMOCKA_LIBS) $(XENEVTCHN_LIBS) \
	$(XENGNTTAB_LIBS) $(XENFOREIGNMEMORY_LIBS) $(XENDEVICEMODEL_LIBS) $(XENTOOLCORE_LIBS)
tests_loopback_test_memory_SOURCES = %D%/test_memory.c
tests_loopback_test_memory_LDADD = tests/loopback/liblb.la $(CMOCKA_LIBS) $(XENGNTTAB_LIBS) \
	$(XENFOREIGNMEMORY_LIBS) $(XENTOOLCORE_LIBS)
tests_loopback_test_sandboxed_SOURCES = %D%/test_sandboxed.c
tests_loopback_test_sandboxed_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC)
tests_loopback_test_sandboxed_LDADD = tests/loopback/liblb.la base/libbase.la $(XENEVTCHN_LIBS) \
	$(XENGNTTAB_LIBS) $(XENFOREIGNMEMORY_LIBS) $(XENDEVICEMODEL_LIBS) $(XENTOOLCORE_LIBS)

# What ./quickstart needs of it.
quickstart-loopback: $(LOOPBACK_LIBS) tests/loopback/hypervisor tests/loopback/lbctl
.PHONY: quickstart-loopback
TESTS += tests/loopback/burn.sh tests/loopback/guest-programs.sh tests/loopback/guest-killed.sh tests/loopback/detach-burn.sh tests/loopback/guest-vcd.sh
EXTRA_DIST += tests/loopback/burn.sh tests/loopback/guest-programs.sh tests/loopback/guest-killed.sh tests/loopback/detach-burn.sh tests/loopback/guest-vcd.sh tests/loopback/burn/lib.sh

# Burning through the whole chain.
TESTS += tests/loopback/kill.sh
EXTRA_DIST += tests/loopback/kill.sh

# mode=ro on every way.
check_PROGRAMS += tests/loopback/writers
tests_loopback_writers_SOURCES = tests/loopback/writers.c $(VCPU_DRIVE)
tests_loopback_writers_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC) $(LB_INC) -I$(srcdir)/tests/protocol
tests_loopback_writers_LDADD = tests/loopback/liblb.la mmc/libmmc.la base/libbase.la $(SGUTILS_LIBS)
TESTS += tests/loopback/read-only.sh
EXTRA_DIST += tests/loopback/read-only.sh
