# SPDX-License-Identifier: GPL-2.0-or-later
# Discs and their descriptions: for the burner, and for tools that make discs.
noinst_LTLIBRARIES += drive/libdisc.la
drive_libdisc_la_SOURCES = drive/disc.c drive/disc-json.c drive/include/drive/disc.h
drive_libdisc_la_CPPFLAGS = $(AM_CPPFLAGS) $(DRIVE_INC)
drive_libdisc_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
drive_libdisc_la_LIBADD = $(JANSSON_LIBS)
