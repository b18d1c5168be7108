/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-schemas/: what each type takes and refuses, defaults, and what is said of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "schema/schema.h"

static int check(enum xo_node node, const char *value)
{
	return xo_schema_check(node, value, strlen(value));
}

static const struct {
	enum xo_node node;
	const char *value;
	int result;
} cases[] = {
	{ XO_OPTICAL_ONLINE, "0", 0 },
	{ XO_OPTICAL_ONLINE, "1", 0 },
	{ XO_OPTICAL_ONLINE, "2", -EINVAL },
	{ XO_OPTICAL_ONLINE, "", -EINVAL },
	{ XO_VSCSI_STATE, "8", 0 },
	{ XO_VSCSI_STATE, "9", -EINVAL },
	{ XO_VSCSI_STATE, "-1", -EINVAL },
	{ XO_VSCSI_STATE, " 4", -EINVAL },
	{ XO_VSCSI_STATE, "4 ", -EINVAL },
	{ XO_VSCSI_STATE, "0x4", -EINVAL },
	{ XO_VSCSI_STATE, "4294967300", -EINVAL },
	{ XO_VSCSI_STATE, "18446744073709551620", -EINVAL },
	{ XO_VSCSI_RING_REF, "0", 0 },
	{ XO_VSCSI_RING_REF, "4294967295", 0 },
	{ XO_VSCSI_RING_REF, "4294967296", -EINVAL },
	{ XO_VSCSI_EVENT_CHANNEL, "0", -EINVAL },
	{ XO_VSCSI_EVENT_CHANNEL, "131071", 0 },
	{ XO_VSCSI_EVENT_CHANNEL, "131072", -EINVAL },
	{ XO_VSCSI_PROTOCOL, "x86_64-abi", 0 },
	{ XO_VSCSI_PROTOCOL, "x86_64-abi-", -EINVAL },
	{ XO_VSCSI_PROTOCOL, "x86_64-ab", -EINVAL },
	{ XO_VSCSI_PROTOCOL, "", -EINVAL },
	{ XO_VCD_RING_PAGE_ORDER, "2", 0 },
	{ XO_VCD_RING_PAGE_ORDER, "3", -EINVAL },
	{ XO_OPTICAL_NAME, "guest 1 (ünïcode)", 0 },
	{ XO_OPTICAL_NAME, "gu\nest", -EINVAL },
	{ XO_OPTICAL_NAME, "gu\x7f", -EINVAL },
	{ XO_OPTICAL_FRONTEND, "/local/domain/1/device/vscsi/0", 0 },
	{ XO_OPTICAL_FRONTEND, "/local/domain/1/device/vscsi/0/", -EINVAL },
	{ XO_OPTICAL_FRONTEND, "/local//domain", -EINVAL },
	{ XO_OPTICAL_FRONTEND, "local", -EINVAL },
	{ XO_OPTICAL_FRONTEND, "/", -EINVAL },
	{ XO_OPTICAL_FRONTEND, "/a b", -EINVAL },
	{ XO_OPTICAL_FRONTEND, "/a/../b", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "/dev/sr0", 0 },
	{ XO_OPTICAL_UNIT_P_DEV, "/dev/disk/by-id/ata-DRIVE_1.0:2", 0 },
	{ XO_OPTICAL_UNIT_P_DEV, "/dev/", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "/dev/../etc/shadow", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "/etc/shadow", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "sr0", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "virtual:a", 0 },
	{ XO_OPTICAL_UNIT_P_DEV, "virtual:Disc_1.0-x", 0 },
	{ XO_OPTICAL_UNIT_P_DEV, "virtual:", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "virtual:.", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "virtual:..", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "virtual:a/b", -EINVAL },
	{ XO_OPTICAL_UNIT_P_DEV, "virtual:-a", -EINVAL },
	{ XO_OPTICAL_UNIT_V_DEV, "0:0:0:0", 0 },
	{ XO_OPTICAL_UNIT_V_DEV, "1:2:3:65535", 0 },
	{ XO_OPTICAL_UNIT_V_DEV, "1:2:3:65536", -EINVAL },
	{ XO_OPTICAL_UNIT_V_DEV, "1:2:3", -EINVAL },
	{ XO_OPTICAL_UNIT_V_DEV, "1:2:3:4:5", -EINVAL },
	{ XO_OPTICAL_UNIT_V_DEV, "1::3:4", -EINVAL },
	{ XO_OPTICAL_UNIT_V_DEV, "1:2:3:", -EINVAL },
	{ XO_OPTICAL_UNIT_V_DEV, "", -EINVAL },
	{ XO_OPTICAL_UUID, "", 0 },
	{ XO_OPTICAL_UUID, "00000000-0000-0000-0000-00000000000f", 0 },
	{ XO_OPTICAL_UUID, "00000000-0000-0000-0000-00000000000g", -EINVAL },
	{ XO_OPTICAL_UUID, "00000000-0000-0000-0000-0000000000000", -EINVAL },
	{ XO_OPTICAL_UUID, "0000000000000000000000000000000000000", -EINVAL },
	{ XO_OPTICAL_UNIT_MODE, "ro", 0 },
	{ XO_OPTICAL_UNIT_MODE, "r", -EINVAL },
};

static void values(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++)
		if (check(cases[i].node, cases[i].value) != cases[i].result)
			fail_msg("%s/%s: \"%s\"", xo_schema_nodes[cases[i].node].schema,
				 xo_schema_nodes[cases[i].node].path, cases[i].value);
}

static void zeros_in_values_are_refused(void **state)
{
	(void)state;
	assert_int_equal(xo_schema_check(XO_VSCSI_STATE, "4\0", 2), -EINVAL);
	assert_int_equal(xo_schema_check(XO_OPTICAL_NAME, "a\0b", 3), -EINVAL);
	assert_int_equal(xo_schema_check(XO_OPTICAL_FRONTEND, "/a\0b", 4), -EINVAL);
	assert_int_equal(xo_schema_check(XO_OPTICAL_UNIT_P_DEV, "virtual:a\0b", 11), -EINVAL);
	assert_int_equal(xo_schema_check(XO_OPTICAL_UNIT_P_DEV, "/dev/s\0b", 8), -EINVAL);
}

static void long_texts_are_refused(void **state)
{
	char text[600];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(xo_schema_check(XO_OPTICAL_ERROR, text, 512), 0);
	assert_int_equal(xo_schema_check(XO_OPTICAL_ERROR, text, 513), -EINVAL);
	text[0] = '/';
	assert_int_equal(xo_schema_check(XO_OPTICAL_FRONTEND, text, 256), -EINVAL);
	assert_int_equal(xo_schema_check(XO_OPTICAL_FRONTEND, text, 255), 0);
	memcpy(text, "/dev/", 5);
	assert_int_equal(xo_schema_check(XO_OPTICAL_UNIT_P_DEV, text, 201), -EINVAL);
	assert_int_equal(xo_schema_check(XO_OPTICAL_UNIT_P_DEV, text, 200), 0);
}

static void absent_nodes(void **state)
{
	char text[XO_SCHEMA_VALUE_MAX];
	uint64_t number;

	(void)state;
	assert_int_equal(xo_schema_number(XO_OPTICAL_ONLINE, NULL, 0, &number), 0);
	assert_int_equal(number, 1);
	assert_int_equal(xo_schema_number(XO_VSCSI_PROTOCOL, NULL, 0, &number), 0);
	assert_int_equal(number, XO_VSCSI_PROTOCOL_X86_64_ABI);
	assert_int_equal(xo_schema_number(XO_VSCSI_RING_REF, NULL, 0, &number), -ENOENT);
	assert_int_equal(xo_schema_text(XO_OPTICAL_NAME, NULL, 0, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(xo_schema_text(XO_OPTICAL_UNIT_P_DEV, NULL, 0, text, sizeof(text)),
			 -ENOENT);
}

static void defaults_are_valid(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < XO_NODE_COUNT; i++)
		if (xo_schema_nodes[i].fallback)
			assert_int_equal(check((enum xo_node)i, xo_schema_nodes[i].fallback), 0);
}

static void units(void **state)
{
	struct xo_unit_address unit;

	(void)state;
	assert_int_equal(xo_schema_unit("1:2:3:4", 7, &unit), 0);
	assert_int_equal(unit.host, 1);
	assert_int_equal(unit.channel, 2);
	assert_int_equal(unit.target, 3);
	assert_int_equal(unit.lun, 4);
}

static void messages_and_paths(void **state)
{
	char text[128];
	char path[XO_SCHEMA_PATH_MAX];

	(void)state;
	assert_string_equal(xo_schema_expected(XO_VSCSI_EVENT_CHANNEL, text, sizeof(text)), "a "
											    "number"
											    " from "
											    "1 to "
											    "13107"
											    "1");
	assert_string_equal(xo_schema_expected(XO_OPTICAL_UNIT_MODE, text, sizeof(text)), "rw or "
											  "ro");
	assert_string_equal(xo_schema_path(XO_OPTICAL_UNIT_P_DEV, 12, path, sizeof(path)), "vscsi-"
											   "devs/"
											   "dev-12/"
											   "p-dev");
	assert_string_equal(xo_schema_path(XO_VCD_RING_REFN, 3, path, sizeof(path)), "ring-ref3");
	assert_string_equal(xo_schema_path(XO_VCD_STATE, 3, path, sizeof(path)), "state");
	for (unsigned int i = 0; i < XO_NODE_COUNT; i++)
		assert_true(strlen(xo_schema_expected((enum xo_node)i, text, sizeof(text))) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(zeros_in_values_are_refused),
		cmocka_unit_test(long_texts_are_refused),
		cmocka_unit_test(absent_nodes),
		cmocka_unit_test(defaults_are_valid),
		cmocka_unit_test(units),
		cmocka_unit_test(messages_and_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
