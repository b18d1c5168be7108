/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend that does what a test tells it, well or badly: in Dom0 of the
 * loopback, in the same process as the front that it is to annoy.
 */
#ifndef XO_TEST_FAKE_BACKEND_H
#define XO_TEST_FAKE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include "../../../frontend/lib/front.h" /* the ring, with its barriers */

#define FAKE_DOMID 1
#define FAKE_VSCSI "/local/domain/1/device/vscsi/0"
#define FAKE_VCD "/local/domain/1/device/vcd/0"
#define FAKE_BACKEND "/local/domain/0/backend/optical/1/0"

struct fake {
	const char *frontend; /* its path */
	struct xs_handle *xs;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	struct vscsiif_sring *shared; /* NULL: not connected */
	unsigned int pages; /* of it */
	struct vscsiif_back_ring ring;
	evtchn_port_t ports[XO_FRONT_CHANNELS];
	unsigned int channels; /* so many of them */
};

/* What the process does from here on it does in this domain of the loopback. */
void fake_become(unsigned int domid);

/* In Dom0; makes the device's nodes in state 1, with one unit. Leaves the process in the guest. */
void fake_new(struct fake *fake, unsigned int sg_grant);
/* The same of the class vcd; everything that it has is offered. */
void fake_new_vcd(struct fake *fake, unsigned int order, unsigned int max_transfer);
void fake_free(struct fake *fake);

void fake_write(struct fake *fake, const char *dir, const char *node, const char *value);
void fake_write_number(struct fake *fake, const char *dir, const char *node, unsigned int value);
unsigned int fake_read(struct fake *fake, const char *dir, const char *node);
/* The backend's state and that of unit 0. */
void fake_state(struct fake *fake, unsigned int state);
void fake_unit_state(struct fake *fake, unsigned int state);

/* Maps the ring that the frontend offers and binds its port. */
void fake_connect(struct fake *fake);
void fake_disconnect(struct fake *fake);

/* The next request, if there is one. */
bool fake_take(struct fake *fake, struct vscsiif_request *request);
/* Puts a response into the ring as it is and tells the frontend. */
void fake_put(struct fake *fake, const struct vscsiif_response *response);
/* Moves rsp_prod without responses. */
void fake_overrun(struct fake *fake, unsigned int by);
void fake_notify(struct fake *fake);
/* GOOD for a request. */
void fake_good(struct fake *fake, const struct vscsiif_request *request);

/* Copies between `data` and a request's segments, indirect ones too. Their bytes. */
uint32_t fake_copy(struct fake *fake, const struct vscsiif_request *request, void *data,
		   uint32_t size, bool to_guest);

#endif
