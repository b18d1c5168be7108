# SPDX-License-Identifier: GPL-2.0-or-later
dist_man_MANS += man/xenoptic.1 man/xenopticd.8 man/xenoptic.conf.5 man/xenoptic-xl.5 \
	man/xenoptic-security.7 man/xenoptic-guest.1

# The nodes' tables come from the schemas, as the constants and checks do.
XENSTORE_MAN = man/xenoptic-xenstore.7
nodist_man_MANS += $(XENSTORE_MAN)
EXTRA_DIST += $(XENSTORE_MAN).in
CLEANFILES += $(XENSTORE_MAN)

$(XENSTORE_MAN): $(srcdir)/$(XENSTORE_MAN).in $(SCHEMA_JSON) $(SCHEMA_GENERATE)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
		$(PYTHON3) $(SCHEMA_GENERATE) --man $(srcdir)/$(XENSTORE_MAN).in $(SCHEMA_JSON) >$@.tmp && mv $@.tmp $@

check_DATA = $(nodist_man_MANS)
TESTS += man/manuals.sh
EXTRA_DIST += man/manuals.sh
