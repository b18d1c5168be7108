/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as a guest may write them against every node's check: the first byte names the node. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[XO_SCHEMA_VALUE_MAX];
	struct xo_unit_address unit;
	const char *value;
	enum xo_node node;
	uint64_t number;
	char *copy;
	int valid;

	if (!size)
		return 0;
	node = (enum xo_node)(data[0] % XO_NODE_COUNT);
	size--;
	copy = malloc(size + 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size);
	value = copy;
	valid = xo_schema_check(node, value, size) == 0;
	if (!xo_schema_number(node, value, size, &number)) {
		require(valid);
		require(xo_schema_nodes[node].type >= XO_SCHEMA_WORD ||
			(number >= xo_schema_nodes[node].min &&
			 number <= xo_schema_nodes[node].max));
	}
	if (!xo_schema_text(node, value, size, text, sizeof(text)))
		require(valid && strlen(text) == size);
	if (xo_schema_nodes[node].type == XO_SCHEMA_UNIT)
		require((xo_schema_unit(value, size, &unit) == 0) == valid);
	xo_schema_name_check(value, size);
	free(copy);
	return 0;
}
