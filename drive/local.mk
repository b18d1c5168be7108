# SPDX-License-Identifier: GPL-2.0-or-later
# Discs and their descriptions: for the burner, and for tools that make discs.
noinst_LTLIBRARIES += drive/libdisc.la
drive_libdisc_la_SOURCES = drive/disc.c drive/disc-json.c drive/include/drive/disc.h
drive_libdisc_la_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
drive_libdisc_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
drive_libdisc_la_LIBADD = $(JANSSON_LIBS)

DRIVE_PRIVATE_INC = $(DRIVE_INC) -I$(srcdir)/drive

noinst_LTLIBRARIES += drive/libdrive.la
drive_libdrive_la_SOURCES = \
	drive/include/drive/unit.h \
	drive/attention.c \
	drive/commands.c drive/control.c drive/control.h \
	drive/delay.c \
	drive/drive.c drive/drive.h \
	drive/events.c \
	drive/fault.c \
	drive/handover.c \
	drive/holding.c \
	drive/journal.h \
	drive/lease.c drive/lease.h \
	drive/lending.c \
	drive/links.c \
	drive/options.c drive/options.h \
	drive/passthrough.c \
	drive/policy.c \
	drive/query.c \
	drive/record.c drive/record.h \
	drive/split.c \
	drive/stack.c drive/stack.h \
	drive/trace.c \
	drive/unit.c
drive_libdrive_la_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_PRIVATE_INC)
drive_libdrive_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

DRIVE_LIBS = drive/libdrive.la drive/virtual/libburner.la mmc/libmmc.la base/libbase.la \
	$(JANSSON_LIBS) $(SECCOMP_LIBS)

xolibexec_PROGRAMS += xenoptic-drive
xenoptic_drive_SOURCES = drive/main.c
xenoptic_drive_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_PRIVATE_INC)
xenoptic_drive_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
xenoptic_drive_LDADD = $(DRIVE_LIBS)
