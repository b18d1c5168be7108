# SPDX-License-Identifier: GPL-2.0-or-later
xolibexec_PROGRAMS += xenoptic-ioemu
xenoptic_ioemu_SOURCES = \
	ioemu/host/access.c \
	ioemu/host/control.c \
	ioemu/host/drive_port.c \
	ioemu/host/host.h \
	ioemu/host/machine.c \
	ioemu/host/main.c \
	ioemu/host/memory.c \
	ioemu/host/options.c \
	ioemu/host/save.c \
	ioemu/host/server.c \
	ioemu/host/window.c
xenoptic_ioemu_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC) $(XEN_DEFS) -D__XEN_TOOLS__
xenoptic_ioemu_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(XENDEVICEMODEL_CFLAGS) \
	$(XENFOREIGNMEMORY_CFLAGS) $(XENEVTCHN_CFLAGS) $(XENCALL_CFLAGS)
xenoptic_ioemu_LDADD = ioemu/model/libmodel.la mmc/libmmc.la base/libbase.la \
	$(XENDEVICEMODEL_LIBS) $(XENFOREIGNMEMORY_LIBS) $(XENEVTCHN_LIBS) $(XENTOOLCORE_LIBS) \
	$(XENCALL_LIBS) $(JANSSON_LIBS) $(SECCOMP_LIBS)
EXTRA_DIST += base/include/base/ioemu_control.h
