// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store as a guest's kernel gives it to its programs: Linux's xenbus driver, on the domain's
 * ring with the real xenstored. Requests of several programs are numbered anew, watches get tokens of
 * our own, and what a program leaves open when it ends is closed.
 */
#include "hv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)

struct message {
	TAILQ_ENTRY(message) link;
	size_t done; /* bytes written to the ring */
	struct xsd_sockmsg header;
	char payload[];
};

struct request {
	LIST_ENTRY(request) link;
	struct client *client; /* NULL: nobody waits for the reply */
	uint32_t id, client_id, type, tx_id;
	struct watch *watch;
};

struct watch {
	LIST_ENTRY(watch) link;
	struct client *client;
	uint32_t number;
	char *path, *token;
};

struct transaction {
	LIST_ENTRY(transaction) link;
	uint32_t id;
};

struct client {
	struct hv_source source;
	LIST_ENTRY(client) link;
	struct hv_xenbus *xenbus;
	int fd;
	bool dead;
	size_t have;
	union {
		struct xsd_sockmsg header;
		char bytes[MESSAGE_MAX];
	} in;
	LIST_HEAD(, transaction) transactions;
};

struct hv_xenbus {
	struct hv_source accepting, events;
	struct hv_domain *domain;
	struct hv_handle *handle;
	struct xenstore_domain_interface *ring;
	int listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uint32_t next_request, next_watch;
	size_t have;
	union {
		struct xsd_sockmsg header;
		char bytes[MESSAGE_MAX];
	} in;
	TAILQ_HEAD(, message) out;
	LIST_HEAD(, client) clients;
	LIST_HEAD(, request) requests;
	LIST_HEAD(, watch) watches;
};

/* ---- to the store ---- */

static void push(struct hv_xenbus *x)
{
	struct xenstore_domain_interface *ring = x->ring;
	struct message *m;
	bool sent = false;

	while ((m = TAILQ_FIRST(&x->out))) {
		uint32_t prod = ring->req_prod;
		uint32_t room = XENSTORE_RING_SIZE - (prod - *(volatile uint32_t *)&ring->req_cons);
		size_t size = sizeof(m->header) + m->header.len;

		atomic_thread_fence(memory_order_seq_cst);
		if (room == 0)
			break;
		while (room && m->done < size) {
			ring->req[MASK_XENSTORE_IDX(prod++)] =
				((const char *)&m->header)[m->done++];
			room--;
		}
		atomic_thread_fence(memory_order_seq_cst);
		*(volatile uint32_t *)&ring->req_prod = prod;
		sent = true;
		if (m->done == size) {
			TAILQ_REMOVE(&x->out, m, link);
			free(m);
		}
	}
	if (sent)
		hv_port_send(x->domain, x->domain->store_port);
}

/* Queues a request for the store; its reply is for client, if any. */
static struct request *send_request(struct hv_xenbus *x, struct client *client,
				    const struct xsd_sockmsg *header, const void *payload,
				    uint32_t len)
{
	struct message *m = calloc(1, sizeof(*m) + len);
	struct request *r = calloc(1, sizeof(*r));

	if (!m || !r)
		abort();
	m->header = *header;
	m->header.req_id = x->next_request++;
	m->header.len = len;
	memcpy(m->payload, payload, len);
	*r = (struct request){ .client = client,
			       .id = m->header.req_id,
			       .client_id = header->req_id,
			       .type = header->type,
			       .tx_id = header->tx_id };
	TAILQ_INSERT_TAIL(&x->out, m, link);
	LIST_INSERT_HEAD(&x->requests, r, link);
	return r;
}

/* ---- to a program ---- */

static void answer(struct client *c, const struct xsd_sockmsg *header, const void *payload)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)header, sizeof(*header) },
				{ (void *)(uintptr_t)payload, header->len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	/* A program that does not read is cut off once its socket is full. */
	if (sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)(sizeof(*header) + header->len))
		c->dead = true;
}

static void answer_error(struct client *c, const struct xsd_sockmsg *request, const char *error)
{
	struct xsd_sockmsg header = { .type = XS_ERROR,
				      .req_id = request->req_id,
				      .tx_id = request->tx_id,
				      .len = (uint32_t)strlen(error) + 1 };

	answer(c, &header, error);
}

/* ---- watches ---- */

/* Splits "path\0token\0"; false: it is not that. */
static bool split(const char *payload, uint32_t len, const char **path, const char **token)
{
	const char *end = memchr(payload, 0, len);

	if (!end || end + 1 >= payload + len || payload[len - 1])
		return false;
	*path = payload;
	*token = end + 1;
	return true;
}

static void watch_free(struct watch *w)
{
	LIST_REMOVE(w, link);
	free(w->path);
	free(w->token);
	free(w);
}

/* The store is told of our number instead of the program's token. */
static struct request *send_watch(struct client *c, struct watch *w,
				  const struct xsd_sockmsg *header)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	int n = snprintf(payload, sizeof(payload), "%s%c%u", w->path, 0, w->number);

	return send_request(w->client->xenbus, c, header, payload, (uint32_t)n + 1);
}

static void add_watch(struct client *c, const char *path, const char *token)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->client = c;
	w->number = c->xenbus->next_watch++;
	w->path = strdup(path);
	w->token = strdup(token);
	LIST_INSERT_HEAD(&c->xenbus->watches, w, link);
	send_watch(c, w, &c->in.header)->watch = w;
}

static void remove_watch(struct client *c, const char *path, const char *token)
{
	struct watch *w;

	LIST_FOREACH (w, &c->xenbus->watches, link)
		if (w->client == c && strcmp(w->path, path) == 0 && strcmp(w->token, token) == 0)
			break;
	if (!w) {
		answer_error(c, &c->in.header, "ENOENT");
		return;
	}
	send_watch(c, w, &c->in.header);
	watch_free(w);
}

static void watch_event(struct hv_xenbus *x, const struct xsd_sockmsg *header, const char *payload)
{
	char out[XENSTORE_PAYLOAD_MAX];
	const char *path, *token;
	struct watch *w;

	if (!split(payload, header->len, &path, &token))
		return;
	LIST_FOREACH (w, &x->watches, link)
		if (w->number == strtoul(token, NULL, 10))
			break;
	if (w) {
		struct xsd_sockmsg h = *header;
		int n = snprintf(out, sizeof(out), "%s%c%s", path, 0, w->token);

		h.len = (uint32_t)n + 1;
		if (h.len <= sizeof(out))
			answer(w->client, &h, out);
	}
}

/* ---- from the store ---- */

static void transaction_reply(struct request *r, const struct xsd_sockmsg *header,
			      const char *payload)
{
	struct transaction *t;

	if (r->type == XS_TRANSACTION_START && header->type == XS_TRANSACTION_START) {
		t = calloc(1, sizeof(*t));
		if (!t)
			abort();
		t->id = (uint32_t)strtoul(payload, NULL, 10);
		LIST_INSERT_HEAD(&r->client->transactions, t, link);
	} else if (r->type == XS_TRANSACTION_END) {
		LIST_FOREACH (t, &r->client->transactions, link)
			if (t->id == r->tx_id)
				break;
		if (t) {
			LIST_REMOVE(t, link);
			free(t);
		}
	}
}

static void from_store(struct hv_xenbus *x, struct xsd_sockmsg *header, const char *payload)
{
	struct request *r;

	if (header->type == XS_WATCH_EVENT) {
		watch_event(x, header, payload);
		return;
	}
	LIST_FOREACH (r, &x->requests, link)
		if (r->id == header->req_id)
			break;
	if (!r)
		return;
	LIST_REMOVE(r, link);
	if (r->client) {
		transaction_reply(r, header, payload);
		header->req_id = r->client_id;
		answer(r->client, header, payload);
	} else if (r->type == XS_TRANSACTION_START && header->type == XS_TRANSACTION_START) {
		const struct xsd_sockmsg end = { .type = XS_TRANSACTION_END,
						 .tx_id = (uint32_t)strtoul(payload, NULL, 10) };

		send_request(x, NULL, &end, "F", 2); /* its program has gone meanwhile */
	}
	if (r->watch && header->type == XS_ERROR)
		watch_free(r->watch);
	free(r);
}

static void pull(struct hv_xenbus *x)
{
	struct xenstore_domain_interface *ring = x->ring;
	uint32_t cons = ring->rsp_cons;
	uint32_t prod = *(volatile uint32_t *)&ring->rsp_prod;

	if (cons == prod)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	while (cons != prod) {
		x->in.bytes[x->have++] = ring->rsp[MASK_XENSTORE_IDX(cons++)];
		if (x->have < sizeof(x->in.header))
			continue;
		if (x->in.header.len > XENSTORE_PAYLOAD_MAX) {
			hv_log("domain %u: the store's ring is broken", x->domain->domid);
			break;
		}
		if (x->have == sizeof(x->in.header) + x->in.header.len) {
			x->have = 0;
			from_store(x, &x->in.header, x->in.bytes + sizeof(x->in.header));
		}
	}
	atomic_thread_fence(memory_order_seq_cst);
	*(volatile uint32_t *)&ring->rsp_cons = cons;
	hv_port_send(x->domain, x->domain->store_port);
}

static void on_event(struct hv_source *source)
{
	struct hv_xenbus *x = hv_of(source, struct hv_xenbus, events);
	struct lb_port *p = &x->domain->shared->ports[x->domain->store_port];
	uint64_t one;

	if (x->domain->dying)
		return;
	if (read(x->handle->event_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return;
	lb_unmark_delivered(hv_shared, x->handle->id, x->domain->store_port);
	/* What came meanwhile is dealt with below. */
	do
		atomic_fetch_or(&p->flags, LB_PORT_CONSUMED);
	while (lb_port_unmask(p));
	pull(x);
	push(x);
}

/* ---- from a program ---- */

static void from_client(struct client *c)
{
	const char *payload = c->in.bytes + sizeof(c->in.header), *path, *token;
	uint32_t type = c->in.header.type, len = c->in.header.len;

	if (type != XS_WATCH && type != XS_UNWATCH)
		send_request(c->xenbus, c, &c->in.header, payload, len);
	else if (!split(payload, len, &path, &token) || len > XENSTORE_PAYLOAD_MAX / 2)
		answer_error(c, &c->in.header, "EINVAL");
	else if (type == XS_WATCH)
		add_watch(c, path, token);
	else
		remove_watch(c, path, token);
	push(c->xenbus);
}

static void on_client(struct hv_source *source)
{
	struct client *c = hv_of(source, struct client, source);
	size_t want = sizeof(c->in.header);
	ssize_t n;

	if (c->dead)
		return;
	if (c->have >= want)
		want += c->in.header.len;
	n = recv(c->fd, c->in.bytes + c->have, want - c->have, MSG_DONTWAIT);
	if (n <= 0) {
		c->dead = n == 0 || errno != EAGAIN;
		return;
	}
	c->have += (size_t)n;
	if (c->have < sizeof(c->in.header))
		return;
	if (c->in.header.len > XENSTORE_PAYLOAD_MAX) {
		c->dead = true;
		return;
	}
	if (c->have == sizeof(c->in.header) + c->in.header.len) {
		c->have = 0;
		from_client(c);
	}
}

static void on_accept(struct hv_source *source)
{
	struct hv_xenbus *x = hv_of(source, struct hv_xenbus, accepting);
	int fd = accept4(x->listener, NULL, NULL, SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->source.ready = on_client;
	c->xenbus = x;
	c->fd = fd;
	LIST_INSERT_HEAD(&x->clients, c, link);
	hv_poll(&c->source, fd);
}

/* What the program left open is closed for it, as the kernel does. */
static void client_free(struct client *c)
{
	struct hv_xenbus *x = c->xenbus;
	struct watch *w, *next;
	struct request *r;

	LIST_FOREACH (r, &x->requests, link)
		if (r->client == c)
			r->client = NULL, r->watch = NULL;
	for (w = LIST_FIRST(&x->watches); w; w = next) {
		const struct xsd_sockmsg unwatch = { .type = XS_UNWATCH };

		next = LIST_NEXT(w, link);
		if (w->client != c)
			continue;
		send_watch(NULL, w, &unwatch);
		watch_free(w);
	}
	while (!LIST_EMPTY(&c->transactions)) {
		struct transaction *t = LIST_FIRST(&c->transactions);
		const struct xsd_sockmsg end = { .type = XS_TRANSACTION_END, .tx_id = t->id };

		send_request(x, NULL, &end, "F", 2);
		LIST_REMOVE(t, link);
		free(t);
	}
	LIST_REMOVE(c, link);
	close(c->fd);
	free(c);
}

void hv_xenbus_bury(struct hv_xenbus *x)
{
	struct client *c, *next;

	if (x->domain->dying) {
		x->domain->xenbus = NULL;
		hv_xenbus_free(x);
		return;
	}
	for (c = LIST_FIRST(&x->clients); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->dead)
			client_free(c);
	}
	push(x);
}

/* ---- life ---- */

static int listen_at(struct hv_xenbus *x)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n = snprintf(x->path, sizeof(x->path), "%s/xenbus-%u", hv_directory(),
			 x->domain->domid);

	if (n >= (int)sizeof(x->path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, x->path, sizeof(addr.sun_path));
	unlink(x->path);
	x->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (x->listener < 0 || bind(x->listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(x->listener, 16) < 0)
		return -errno;
	return 0;
}

struct hv_xenbus *hv_xenbus_new(struct hv_domain *d)
{
	struct hv_xenbus *x = calloc(1, sizeof(*x));
	void *ring;

	if (!x)
		return NULL;
	TAILQ_INIT(&x->out);
	x->domain = d;
	x->listener = -1;
	x->accepting.ready = on_accept;
	x->events.ready = on_event;
	x->handle = hv_handle_new(d);
	ring = mmap(NULL, LB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, d->memory_fd,
		    (off_t)d->store_pfn * LB_PAGE);
	x->ring = ring == MAP_FAILED ? NULL : ring;
	if (!x->handle || !x->ring || listen_at(x) < 0) {
		hv_xenbus_free(x);
		return NULL;
	}
	fcntl(x->handle->event_fd, F_SETFL, O_NONBLOCK);
	hv_ports_give(d, d->store_port, x->handle);
	hv_poll(&x->accepting, x->listener);
	hv_poll(&x->events, x->handle->event_fd);
	return x;
}

void hv_xenbus_free(struct hv_xenbus *x)
{
	struct message *m;

	if (!x)
		return;
	while (!LIST_EMPTY(&x->clients))
		client_free(LIST_FIRST(&x->clients));
	while (!LIST_EMPTY(&x->requests)) {
		struct request *r = LIST_FIRST(&x->requests);

		LIST_REMOVE(r, link);
		free(r);
	}
	while ((m = TAILQ_FIRST(&x->out))) {
		TAILQ_REMOVE(&x->out, m, link);
		free(m);
	}
	hv_handle_put(x->handle);
	if (x->ring)
		munmap(x->ring, LB_PAGE);
	if (x->listener >= 0) {
		close(x->listener);
		unlink(x->path);
	}
	free(x);
}
