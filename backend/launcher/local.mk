# SPDX-License-Identifier: GPL-2.0-or-later
# The launcher's parts that need no Xen are a library, so that tests can use them.
LAUNCHER_INC = $(MMC_INC) $(SCHEMA_INC) -I$(srcdir)/backend/launcher
LAUNCHER_DEFS = \
	-DXO_RUN_DIR='"$(runstatedir)/xenoptic"' \
	-DXO_STATE_DIR='"$(localstatedir)/lib/xenoptic"' \
	-DXO_CONFIG_FILE='"$(sysconfdir)/xenoptic/xenoptic.conf"' \
	-DXO_LIBEXEC_DIR='"$(xolibexecdir)"'

noinst_LTLIBRARIES += backend/launcher/liblauncher.la
backend_launcher_liblauncher_la_SOURCES = \
	backend/launcher/daemon_config.c backend/launcher/daemon_config.h \
	backend/launcher/xl_lines.c backend/launcher/xl_lines.h \
	backend/launcher/options.c backend/launcher/options.h \
	backend/launcher/rate.c backend/launcher/rate.h \
	backend/launcher/text.c backend/launcher/text.h \
	backend/launcher/xenbus.c backend/launcher/xenbus.h
backend_launcher_liblauncher_la_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC) $(LAUNCHER_DEFS)
backend_launcher_liblauncher_la_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS) $(JANSSON_CFLAGS)
backend_launcher_liblauncher_la_LIBADD = xenstore-schemas/libschema.la $(INIH_LIBS) $(JANSSON_LIBS)

# All of the launcher but what opens a real drive: a test opens another.
noinst_LTLIBRARIES += backend/launcher/libdaemon.la
backend_launcher_libdaemon_la_SOURCES = \
	backend/launcher/attachment.c \
	backend/launcher/commands.c \
	backend/launcher/configured.c backend/launcher/configured.h \
	backend/launcher/controller_worker.c \
	backend/launcher/controllers.c backend/launcher/controllers.h \
	backend/launcher/controllers_private.h backend/launcher/controller_orders.c \
	backend/launcher/device.c \
	backend/launcher/device_ring.c \
	backend/launcher/devices.c backend/launcher/devices.h backend/launcher/devices_private.h \
	backend/launcher/disc_control.c \
	backend/launcher/drives.c backend/launcher/drives.h backend/launcher/drives_private.h \
	backend/launcher/elsewhere.c backend/launcher/elsewhere.h \
	backend/launcher/holds.c backend/launcher/holds.h \
	backend/launcher/host_view.c \
	backend/launcher/hotplug.c backend/launcher/hotplug.h \
	backend/launcher/jobs.c backend/launcher/jobs.h \
	backend/launcher/keeper.c backend/launcher/keeper.h \
	backend/launcher/launcher.h \
	backend/launcher/lending.c backend/launcher/lending.h \
	backend/launcher/migration.c backend/launcher/migration.h \
	backend/launcher/notify.c backend/launcher/notify.h \
	backend/launcher/optical_device.h \
	backend/launcher/points.c backend/launcher/points.h \
	backend/launcher/process.c backend/launcher/process.h \
	backend/launcher/qemu_slots.c backend/launcher/qemu_slots.h \
	backend/launcher/refusals.c backend/launcher/refusals.h \
	backend/launcher/server.c backend/launcher/server.h \
	backend/launcher/state.c backend/launcher/state.h \
	backend/launcher/store.c backend/launcher/store.h \
	backend/launcher/toolstack.c backend/launcher/toolstack.h \
	backend/launcher/trace.c backend/launcher/trace.h \
	backend/launcher/tray.c backend/launcher/tray.h \
	backend/launcher/unit.c \
	backend/launcher/unplugged.c \
	backend/launcher/worker.c backend/launcher/worker.h backend/launcher/worker_private.h \
	backend/launcher/worker_control.c \
	backend/launcher/xenopticd.c
backend_launcher_libdaemon_la_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC) $(LAUNCHER_DEFS)
backend_launcher_libdaemon_la_CFLAGS = \
	$(AM_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS) $(XENSTORE_CFLAGS) $(UDEV_CFLAGS)

sbin_PROGRAMS += xenopticd
xenopticd_SOURCES = backend/launcher/optical_device.c
xenopticd_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC)
xenopticd_LDADD = backend/launcher/libdaemon.la backend/launcher/liblauncher.la base/libbase.la \
	$(UV_LIBS) $(JANSSON_LIBS) $(XENSTORE_LIBS) $(UDEV_LIBS)

xolibexec_PROGRAMS += xenoptic-refresh
xenoptic_refresh_SOURCES = \
	backend/launcher/optical_device.c backend/launcher/optical_device.h \
	backend/launcher/refresh.c
xenoptic_refresh_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC)
xenoptic_refresh_LDADD = base/libbase.la

check_PROGRAMS += tests/unit/test_xenbus
TESTS += tests/unit/test_xenbus
tests_unit_test_xenbus_SOURCES = tests/unit/test_xenbus.c
tests_unit_test_xenbus_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC)
tests_unit_test_xenbus_LDADD = backend/launcher/liblauncher.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_launcher
TESTS += tests/unit/test_launcher
tests_unit_test_launcher_SOURCES = tests/unit/test_launcher.c
tests_unit_test_launcher_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC)
tests_unit_test_launcher_LDADD = backend/launcher/liblauncher.la base/libbase.la $(CMOCKA_LIBS)

# The launcher with drives that are files, whose commands the workers' own ioctl() answers.
check_PROGRAMS += tests/protocol/launcher/fake-device
tests_protocol_launcher_fake_device_SOURCES = tests/protocol/launcher/fake_device.c
tests_protocol_launcher_fake_device_CPPFLAGS = $(AM_CPPFLAGS) $(LAUNCHER_INC)
tests_protocol_launcher_fake_device_LDADD = $(xenopticd_LDADD)

TESTS += tests/protocol/launcher.test tests/protocol/lines.test tests/protocol/lent.test
EXTRA_DIST += tests/protocol/launcher.test tests/protocol/lines.test tests/protocol/lent.test \
	tests/protocol/launcher/cases.py tests/protocol/launcher/lent.py \
	tests/protocol/launcher/lines.py tests/protocol/launcher/rig.py
