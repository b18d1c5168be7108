# SPDX-License-Identifier: GPL-2.0-or-later

# `xenoptic-guest exec`: the library that programs preload, and the server it talks to.
# The library never has sanitizers: the programs that load it have none.
pkglib_LTLIBRARIES += tools/xenoptic-exec.la
tools_xenoptic_exec_la_SOURCES = \
	tools/exec/client.c tools/exec/preload.c tools/exec/preload.h tools/exec/protocol.h \
	tools/exec/preload-audio.c tools/exec/preload-block.c tools/exec/preload-cdrom.c \
	tools/exec/preload-io.c tools/exec/preload-open.c tools/exec/preload-sg.c \
	tools/exec/preload-stat.c
tools_xenoptic_exec_la_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC) -I$(srcdir)/tools
tools_xenoptic_exec_la_CFLAGS = -std=gnu17 $(WARN_CFLAGS) -fvisibility=hidden -U_FORTIFY_SOURCE
tools_xenoptic_exec_la_LDFLAGS = -module -avoid-version -shared -Wl,-z,now

noinst_LTLIBRARIES += tools/libexec-server.la
tools_libexec_server_la_SOURCES = \
	tools/exec/folder.c tools/exec/folder.h tools/exec/protocol.h \
	tools/exec/server.c tools/exec/server.h
tools_libexec_server_la_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC) -I$(srcdir)/tools
tools_libexec_server_la_CFLAGS = $(AM_CFLAGS)
tools_libexec_server_la_LIBADD = base/libbase.la

# The host's command.
bin_PROGRAMS += xenoptic
xenoptic_SOURCES = \
	tools/xenoptic.c \
	tools/disc.c tools/disc.h \
	tools/cli/client.c tools/cli/client.h \
	tools/cli/list.c tools/cli/list.h
xenoptic_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC) -I$(srcdir)/tools \
	-DXO_CONTROL_SOCKET='"$(runstatedir)/xenoptic/control.sock"' -DXO_VERSION='"$(PACKAGE_VERSION)"'
xenoptic_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
xenoptic_LDADD = drive/libdisc.la $(JANSSON_LIBS)

# What xl runs in QEMU's place.
xolibexec_PROGRAMS += device-model
device_model_SOURCES = \
	tools/device-model/arguments.c tools/device-model/arguments.h \
	tools/device-model/daemon.c tools/device-model/daemon.h \
	tools/device-model/main.c \
	tools/device-model/relay.c tools/device-model/relay.h \
	tools/device-model/trailer.c tools/device-model/trailer.h \
	tools/cli/client.c tools/cli/client.h
device_model_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC) -I$(srcdir)/tools -DXO_QEMU='"$(XO_QEMU)"' \
	-DXO_CONTROL_SOCKET='"$(runstatedir)/xenoptic/control.sock"'
device_model_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
device_model_LDADD = $(JANSSON_LIBS)

# What a Debian Dom0 expects beside the programs.
systemdunit_DATA = tools/systemd/xenopticd.service
systemdunitdir = $(systemdsystemunitdir)
sysusersdir = $(prefix)/lib/sysusers.d
nodist_sysusers_DATA = tools/systemd/sysusers/xenoptic.conf
xoconfdir = $(sysconfdir)/xenoptic
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = tools/completion/xenoptic tools/completion/xenoptic-guest
EXTRA_DIST += tools/systemd/xenopticd.service.in tools/systemd/xenoptic.sysusers tools/systemd/xenoptic.conf
CLEANFILES += tools/systemd/xenopticd.service tools/systemd/sysusers/xenoptic.conf

tools/systemd/xenopticd.service: $(srcdir)/tools/systemd/xenopticd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) tools/systemd && \
	$(SED) 's|@sbindir[@]|$(sbindir)|' $(srcdir)/tools/systemd/xenopticd.service.in >$@

tools/systemd/sysusers/xenoptic.conf: $(srcdir)/tools/systemd/xenoptic.sysusers
	$(AM_V_GEN)$(MKDIR_P) tools/systemd/sysusers && cp $(srcdir)/tools/systemd/xenoptic.sysusers $@

# A configuration that somebody has changed is theirs: neither written over nor taken away.
install-data-local:
	@$(MKDIR_P) '$(DESTDIR)$(xoconfdir)'
	test -e '$(DESTDIR)$(xoconfdir)/xenoptic.conf' || \
	$(INSTALL_DATA) $(srcdir)/tools/systemd/xenoptic.conf '$(DESTDIR)$(xoconfdir)'
uninstall-hook:
	! cmp -s $(srcdir)/tools/systemd/xenoptic.conf '$(DESTDIR)$(xoconfdir)/xenoptic.conf' || \
	rm -f '$(DESTDIR)$(xoconfdir)/xenoptic.conf'
	@for folder in '$(xoconfdir)' '$(xolibexecdir)' '$(pkglibdir)' '$(cdfrontdir)'; do \
		rmdir "$(DESTDIR)$$folder" 2>/dev/null || :; \
	done

include tools/guest/local.mk
