# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LTLIBRARIES += mmc/libmmc.la
mmc_libmmc_la_SOURCES = \
	mmc/opcodes.def \
	mmc/opcode.c mmc/include/mmc/opcode.h \
	mmc/cdb.c mmc/blocks.c mmc/split.c mmc/trace.c mmc/fields.h mmc/include/mmc/cdb.h \
	mmc/policy.c mmc/include/mmc/policy.h \
	mmc/profile.c mmc/include/mmc/profile.h \
	mmc/sense.c mmc/include/mmc/sense.h
mmc_libmmc_la_CPPFLAGS = $(AM_CPPFLAGS) $(MMC_INC)
mmc_libmmc_la_CFLAGS = $(AM_CFLAGS)
mmc_libmmc_la_LIBADD = base/libbase.la $(SGUTILS_LIBS)
