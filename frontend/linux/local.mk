# SPDX-License-Identifier: GPL-2.0-or-later
# The Linux frontend is built by Kbuild: by DKMS from what is installed here, or by hand with
#	make -C /lib/modules/$(uname -r)/build M=$PWD/frontend/linux modules
cdfrontdir = $(prefix)/src/xenoptic-cdfront-$(VERSION)
cdfront_DATA = \
	frontend/linux/Kbuild frontend/linux/compat.h frontend/linux/cdfront.h frontend/linux/cdfront-pool.c \
	frontend/linux/cdfront-requests.c frontend/linux/cdfront-xenbus.c
nodist_cdfront_DATA = frontend/linux/dkms.conf.out
EXTRA_DIST += $(cdfront_DATA) frontend/linux/dkms.conf
CLEANFILES += frontend/linux/dkms.conf.out

frontend/linux/dkms.conf.out: $(srcdir)/frontend/linux/dkms.conf
	$(AM_V_GEN)$(MKDIR_P) frontend/linux && \
	$(SED) 's/#MODULE_VERSION#/$(VERSION)/' $(srcdir)/frontend/linux/dkms.conf >$@

install-data-hook:
	cd '$(DESTDIR)$(cdfrontdir)' && mv -f dkms.conf.out dkms.conf
uninstall-local:
	rm -f '$(DESTDIR)$(cdfrontdir)/dkms.conf'
