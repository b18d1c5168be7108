/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of devices in driver domains: the nodes that their daemons write. */
#include "elsewhere.h"

#include "toolstack.h"
#include "xenbus.h"

#define DOMAINS_MAX 1024
#define DEVICES_MAX 16 /* of one guest */

static const char *text_of(struct xo_store *store, const struct xo_device_nodes *nodes,
			   enum xo_node node, char *text)
{
	if (xo_store_text(store, nodes->backend, node, 0, text, XO_SCHEMA_VALUE_MAX))
		text[0] = '\0';
	return text;
}

static const char *state_of(struct xo_store *store, const char *base, enum xo_node node)
{
	uint64_t state;

	return xo_xenbus_state_name(xo_store_number(store, base, node, 0, &state)
					    ? XO_XENBUS_UNKNOWN
					    : (enum xo_xenbus_state)state);
}

static void set_error(struct xo_store *store, const struct xo_device_nodes *nodes,
		      enum xo_node node, json_t *json)
{
	char text[XO_SCHEMA_VALUE_MAX];

	if (text_of(store, nodes, node, text)[0])
		json_object_set_new(json, "error", json_string(text));
}

/* The only one that this toolstack makes; NULL: a device that was refused has none. */
static json_t *describe_unit(struct xo_store *store, const struct xo_device_nodes *nodes)
{
	char drive[XO_SCHEMA_VALUE_MAX];
	char address[XO_SCHEMA_VALUE_MAX];
	char mode[XO_SCHEMA_VALUE_MAX];
	json_t *json;

	if (!text_of(store, nodes, XO_OPTICAL_UNIT_P_DEV, drive)[0])
		return NULL;
	json = json_pack("{s:i,s:s,s:s,s:s,s:s}", "unit", 0, "drive", drive, "address",
			 text_of(store, nodes, XO_OPTICAL_UNIT_V_DEV, address), "mode",
			 text_of(store, nodes, XO_OPTICAL_UNIT_MODE, mode), "state",
			 state_of(store, nodes->backend, XO_OPTICAL_UNIT_STATE));
	set_error(store, nodes, XO_OPTICAL_UNIT_ERROR, json);
	return json;
}

static json_t *describe(struct xo_store *store, const struct xo_device_nodes *nodes)
{
	char name[XO_SCHEMA_VALUE_MAX];
	char uuid[XO_SCHEMA_VALUE_MAX];
	json_t *unit = describe_unit(store, nodes);
	json_t *units = json_array();
	json_t *json;

	if (unit)
		json_array_append_new(units, unit);
	json = json_pack("{s:i,s:i,s:i,s:s,s:s,s:s,s:s,s:o}", "domid", (int)nodes->domid, "devid",
			 (int)nodes->number, "backend", (int)nodes->backend_domid, "guest",
			 text_of(store, nodes, XO_OPTICAL_NAME, name), "uuid",
			 text_of(store, nodes, XO_OPTICAL_UUID, uuid), "type",
			 nodes->is_vcd ? "vcd" : "vscsi", "state",
			 state_of(store, nodes->backend, XO_OPTICAL_STATE), "units", units);
	set_error(store, nodes, XO_OPTICAL_ERROR, json);
	return json;
}

void xo_elsewhere_list(struct xo_store *store, bool own_too, json_t *list)
{
	static unsigned int domids[DOMAINS_MAX];
	int count = xo_store_numbers(store, "/local/domain", "", domids, DOMAINS_MAX);

	for (int i = 0; i < count; i++) {
		struct xo_device_nodes nodes[DEVICES_MAX];
		int devices = xo_toolstack_list(store, domids[i], nodes, DEVICES_MAX);

		for (int j = 0; j < devices; j++) {
			json_t *json = NULL;

			if (own_too || nodes[j].backend_domid != store->domid)
				json = describe(store, &nodes[j]);
			if (json) /* NULL: what a driver domain wrote is no UTF-8 */
				json_array_append_new(list, json);
		}
	}
}
