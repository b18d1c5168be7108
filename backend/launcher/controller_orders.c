/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a controller's worker is told. It may be dead at that moment, or die of it, and whoever asked waits for what it
 * asked for: its successor is told instead.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controllers_private.h"

struct xo_controller_order {
	STAILQ_ENTRY(xo_controller_order) entry;
	struct xo_controller *controller;
	const char *command;
	xo_worker_reply *reply;
	void *priv;
};

static bool takes_orders(const struct xo_controller *c)
{
	/* What is saved comes first. */
	return c->worker && c->worker->ready && c->state_fd < 0;
}

static void wait_for_worker(struct xo_controller_order *order)
{
	STAILQ_INSERT_TAIL(&order->controller->orders, order, entry);
}

static void answered(void *priv, const json_t *data, const char *error_class, const char *error,
		     int *fds, size_t count)
{
	struct xo_controller_order *order = priv;

	if (!data && !strcmp(error_class, XO_WORKER_DIED)) {
		wait_for_worker(order);
		return;
	}
	order->reply(order->priv, data, error_class, error, fds, count);
	free(order);
}

/* -EPIPE: the worker is dead, and that is not yet known. */
static int give(struct xo_controller_order *order)
{
	return xo_worker_command(order->controller->worker, order->command, NULL, NULL, 0, answered,
				 order);
}

int xo_controller_order(struct xo_controller *c, const char *command, xo_worker_reply *reply,
			void *priv)
{
	struct xo_controller_order *order = malloc(sizeof(*order));
	int r = -EPIPE;

	if (!order)
		return -ENOMEM;
	*order = (struct xo_controller_order){
		.controller = c,
		.command = command,
		.reply = reply,
		.priv = priv,
	};
	if (takes_orders(c))
		r = give(order);
	if (r == -EPIPE) {
		wait_for_worker(order);
		return 0;
	}
	if (r)
		free(order);
	return r;
}

void xo_controller_orders_give(struct xo_controller *c)
{
	while (!STAILQ_EMPTY(&c->orders) && takes_orders(c)) {
		struct xo_controller_order *order = STAILQ_FIRST(&c->orders);
		int r = give(order);

		if (r == -EPIPE)
			return;
		STAILQ_REMOVE_HEAD(&c->orders, entry);
		if (!r)
			continue;
		order->reply(order->priv, NULL, "GenericError", strerror(-r), NULL, 0);
		free(order);
	}
}

void xo_controller_orders_drop(struct xo_controller *c, const char *error_class, const char *why)
{
	while (!STAILQ_EMPTY(&c->orders)) {
		struct xo_controller_order *order = STAILQ_FIRST(&c->orders);

		STAILQ_REMOVE_HEAD(&c->orders, entry);
		order->reply(order->priv, NULL, error_class, why, NULL, 0);
		free(order);
	}
}
