# SPDX-License-Identifier: GPL-2.0-or-later
# The nodes' constants, checks and manual tables, all from the .json files.
SCHEMA_INC = -I$(srcdir)/xenstore-schemas/include -I$(builddir)/xenstore-schemas/include
SCHEMA_JSON = \
	$(srcdir)/xenstore-schemas/optical.json \
	$(srcdir)/xenstore-schemas/vscsi.json \
	$(srcdir)/xenstore-schemas/vcd.json \
	$(srcdir)/xenstore-schemas/libxl.json
SCHEMA_GENERATE = $(srcdir)/xenstore-schemas/generate
SCHEMA_HEADER = xenstore-schemas/include/schema/nodes.h
SCHEMA_TABLE = xenstore-schemas/nodes.c

EXTRA_DIST += $(SCHEMA_JSON) $(SCHEMA_GENERATE)
BUILT_SOURCES += $(SCHEMA_HEADER)
CLEANFILES += $(SCHEMA_HEADER) $(SCHEMA_TABLE)

$(SCHEMA_HEADER): $(SCHEMA_JSON) $(SCHEMA_GENERATE)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PYTHON3) $(SCHEMA_GENERATE) --header $(SCHEMA_JSON) >$@.tmp && mv $@.tmp $@

$(SCHEMA_TABLE): $(SCHEMA_JSON) $(SCHEMA_GENERATE)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PYTHON3) $(SCHEMA_GENERATE) --table $(SCHEMA_JSON) >$@.tmp && mv $@.tmp $@

noinst_LTLIBRARIES += xenstore-schemas/libschema.la
xenstore_schemas_libschema_la_SOURCES = \
	xenstore-schemas/schema.c xenstore-schemas/include/schema/schema.h
nodist_xenstore_schemas_libschema_la_SOURCES = $(SCHEMA_TABLE) $(SCHEMA_HEADER)
xenstore_schemas_libschema_la_CPPFLAGS = $(AM_CPPFLAGS) $(SCHEMA_INC)

check_PROGRAMS += tests/unit/test_schema
TESTS += tests/unit/test_schema
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c
tests_unit_test_schema_CPPFLAGS = $(AM_CPPFLAGS) $(BASE_INC) $(SCHEMA_INC)
tests_unit_test_schema_LDADD = xenstore-schemas/libschema.la $(CMOCKA_LIBS)
