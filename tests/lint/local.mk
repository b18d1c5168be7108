# SPDX-License-Identifier: GPL-2.0-or-later
# Who may use what holds at every commit; ./check runs all of this folder.
TESTS += tests/lint/layering
EXTRA_DIST += check build-aux/packages .clang-format .clang-tidy \
	tests/lint/compile-commands tests/lint/cppcheck tests/lint/format tests/lint/layering \
	tests/lint/module tests/lint/package tests/lint/scripts tests/lint/source tests/lint/tidy

# For ./check, which runs the tests by kind.
.PHONY: print-tests
print-tests:
	@printf '%s\n' $(TESTS)
