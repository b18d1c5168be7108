/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launcher's side of xenoptic-domctl, which holds new domains paused until
 * their nodes are there: it is started, started again, and told whom to let go.
 */
#ifndef XO_BACKEND_HOLDS_H
#define XO_BACKEND_HOLDS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "configured.h"
#include "daemon_config.h"
#include "rate.h"

struct xo_holds {
	uv_loop_t *loop;
	const struct xo_config *config;
	/* Whether nothing is left to be done for a domain that is held. */
	bool (*settled)(void *priv, unsigned int domid);
	void *priv;
	uv_process_t *process;
	uv_poll_t *poll;
	int control; /* -1: it does not run */
	uint8_t held[XO_DOMIDS / 8 + 1];
	struct xo_rate rate;
};

/* Starts the helper. Without it guests start all the same, and a restored one may lose its drive: logged. */
void xo_holds_init(struct xo_holds *holds);
/* The helper ends by itself when it holds nobody any more. */
void xo_holds_fini(struct xo_holds *holds);

/* The domain may run; if it is not held, this does nothing. */
void xo_holds_release(struct xo_holds *holds, unsigned int domid);

#endif
