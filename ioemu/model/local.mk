# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LTLIBRARIES += ioemu/model/libmodel.la
ioemu_model_libmodel_la_SOURCES = \
	ioemu/model/ahci.c ioemu/model/ahci_command.c ioemu/model/ahci_private.h \
	ioemu/model/ata.c \
	ioemu/model/bus.c \
	ioemu/model/ide.c ioemu/model/ide_bm.c ioemu/model/ide_channel.c ioemu/model/ide_private.h \
	ioemu/model/packet.c \
	ioemu/model/pci.c \
	ioemu/model/regs.c \
	ioemu/model/include/model/ahci.h \
	ioemu/model/include/model/ata.h \
	ioemu/model/include/model/bus.h \
	ioemu/model/include/model/ide.h \
	ioemu/model/include/model/machine.h \
	ioemu/model/include/model/packet.h \
	ioemu/model/include/model/pci.h \
	ioemu/model/include/model/regs.h
ioemu_model_libmodel_la_CPPFLAGS = $(AM_CPPFLAGS) $(MODEL_INC)
ioemu_model_libmodel_la_LIBADD = mmc/libmmc.la base/libbase.la
