/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's way to the drive: the client's end of a drive link. A request
 * goes out only after the state that knows of it is committed, so that a
 * successor sends it again with the same tag, and the drive does it once.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/log.h"
#include "base/worker.h"
#include "host.h"

#define IDENTIFY_MS 5000

static struct xo_ioemu_handle *handle_at(struct xo_host *host, int handle)
{
	return &host->state.handles[handle];
}

static int port_begin(void *priv)
{
	struct xo_host *host = priv;

	for (int i = 0; i < (int)XO_IOEMU_LINK_SLOTS; i++) {
		struct xo_ioemu_handle *handle = handle_at(host, i);

		if (handle->state != XO_HANDLE_FREE)
			continue;
		*handle = (struct xo_ioemu_handle){ .state = XO_HANDLE_HELD };
		return i;
	}
	return -EBUSY;
}

static uint8_t *port_buffer(void *priv, int handle)
{
	struct xo_host *host = priv;

	return xo_link_data(&host->link, (unsigned int)handle);
}

static void port_submit(void *priv, int index, const uint8_t cdb[XO_CDB_MAX], uint8_t cdb_length,
			uint8_t direction, uint32_t length)
{
	struct xo_host *host = priv;
	struct xo_ioemu_handle *handle = handle_at(host, index);

	/* A successor's xo_packet_resume() comes here for what has a tag already. */
	if (handle->state != XO_HANDLE_SENT) {
		handle->state = XO_HANDLE_SENT;
		handle->tag = host->state.next_tag++;
		handle->length = length;
		handle->direction = direction;
		handle->cdb_length = cdb_length;
		memcpy(handle->cdb, cdb, sizeof(handle->cdb));
		host->state.commands++;
	}
	host->unsent |= 1ull << index;
}

static void port_end(void *priv, int index)
{
	struct xo_host *host = priv;
	struct xo_ioemu_handle *handle = handle_at(host, index);

	if (handle->state == XO_HANDLE_SENT)
		handle->dropped = true;
	else
		handle->state = XO_HANDLE_FREE;
}

const struct xo_packet_drive_ops xo_drive_port_ops = {
	.begin = port_begin,
	.buffer = port_buffer,
	.submit = port_submit,
	.end = port_end,
};

static void request_of(const struct xo_ioemu_handle *handle, int index,
		       union xo_link_message *message)
{
	*message = (union xo_link_message){
		.request = {
			.type = XO_LINK_REQUEST,
			.kind = XO_LINK_COMMAND,
			.direction = handle->direction,
			.cdb_length = handle->cdb_length,
			.slot = (uint8_t)index,
			.tag = handle->tag,
			.length = handle->length,
		},
	};
	memcpy(message->request.cdb, handle->cdb, sizeof(handle->cdb));
}

static void complete(struct xo_host *host, int index, const struct xo_packet_result *result)
{
	struct xo_ioemu_handle *handle = handle_at(host, index);
	bool dropped = handle->dropped;

	handle->state = dropped ? XO_HANDLE_FREE : XO_HANDLE_HELD;
	handle->dropped = false;
	host->unsent &= ~(1ull << index);
	if (!dropped)
		xo_packet_complete(xo_machine_packet(host), index, result);
	xo_point(XO_IOEMU_POINT_COMPLETED);
	xo_machine_commit(host);
}

/*
 * A guest with asynchronous notification on polls no more: it asks GET EVENT STATUS NOTIFICATION and TEST UNIT READY
 * when it is notified (Serial ATA, asynchronous notification; AHCI 1.3.1 §3.3.15). So it is told of whatever
 * changes their answers, a drive that is gone or has come as well. IDE has no such way, and its drivers go on
 * polling. Before the guest goes on its memory and registers are left as they are.
 */
void xo_drive_port_notify(struct xo_host *host)
{
	if (host->options.bus != XO_BUS_AHCI || !host->started)
		return;
	host->notice_due = host->record->window.hidden & XO_WINDOW_STOPPED;
	if (host->notice_due)
		return;
	xo_ahci_notify(&host->ahci);
	xo_machine_commit(host);
}

static void take_notice(struct xo_host *host, uint32_t notice)
{
	xo_point(XO_IOEMU_POINT_NOTICED);
	switch (notice) {
	case XO_NOTICE_MEDIUM_CHANGED:
	case XO_NOTICE_EJECT_REQUEST:
	case XO_NOTICE_MEDIUM_REMOVED:
	case XO_NOTICE_LEASE_HELD:
	case XO_NOTICE_DRIVE_GONE:
	case XO_NOTICE_DRIVE_BACK:
		xo_drive_port_notify(host);
		break;
	default:
		/* LEASE_LOST: the guest leaves the drive, for its own successor or for good. */
		break;
	}
}

static void lose_link(struct xo_host *host, int why)
{
	const char *text =
		why == -EPROTO ? "the drive broke the protocol" : "the drive's end is gone";

	if (host->link_lost)
		return;
	host->link_lost = true;
	xo_loop_remove(host->loop, &host->link_watch);
	xo_warning("drive link lost: %s", text);
	xo_control_event(XO_FD_CONTROL, "link-lost", json_pack("{s:s}", "message", text));
	xo_drive_port_notify(host);
}

/* Without a drive every command ends at once: there is no medium. */
static void answer_without_drive(struct xo_host *host)
{
	const struct xo_packet_result gone = { .transport = XO_TRANSPORT_NO_CONNECT };

	bool again = true;

	/* An answer may start the next command of a list, which has no more than its slots. */
	for (int round = 0; again && round <= XO_AHCI_SLOTS; round++) {
		again = false;
		for (int i = 0; i < (int)XO_IOEMU_LINK_SLOTS; i++) {
			if (handle_at(host, i)->state != XO_HANDLE_SENT)
				continue;
			complete(host, i, &gone);
			again = true;
		}
	}
}

void xo_drive_port_flush(struct xo_host *host)
{
	union xo_link_message message;

	for (int i = 0; i < (int)XO_IOEMU_LINK_SLOTS && host->unsent && !host->link_lost; i++) {
		int r;

		if (!(host->unsent & 1ull << i))
			continue;
		request_of(handle_at(host, i), i, &message);
		r = xo_link_send(&host->link, &message);
		if (r == -EAGAIN) {
			xo_loop_change(host->loop, &host->link_watch, EPOLLIN | EPOLLOUT);
			return;
		}
		if (r) {
			lose_link(host, r);
			break;
		}
		host->unsent &= ~(1ull << i);
		xo_point(XO_IOEMU_POINT_SENT);
	}
	if (host->link_lost && !host->stopped)
		answer_without_drive(host);
}

bool xo_drive_port_busy(const struct xo_host *host)
{
	for (int i = 0; i < (int)XO_IOEMU_LINK_SLOTS; i++)
		if (host->state.handles[i].state == XO_HANDLE_SENT)
			return true;
	return false;
}

/*
 * The predecessor's drive went, and this link leads to one that has come. Its arena is empty: what was under way would
 * write zeros, or give them to a guest that is in the middle of a block, and the drive does not know the tags. So it ends
 * as without a drive, and what the guest was no longer waiting for is forgotten.
 */
void xo_drive_port_begin(struct xo_host *host)
{
	struct xo_ioemu_ledger *record = host->record;

	if (record->arena && record->arena != host->arena) {
		memset(host->state.handles, 0, sizeof(host->state.handles));
		host->unsent = 0;
		xo_packet_lose(xo_machine_packet(host));
		xo_machine_commit(host);
	}
	/* Only now: until nothing is left of it, a successor has to look as well. */
	xo_ledger_commit64(&record->arena, host->arena);
}

void xo_drive_port_resend(struct xo_host *host)
{
	for (int i = 0; i < (int)XO_IOEMU_LINK_SLOTS; i++)
		if (handle_at(host, i)->state == XO_HANDLE_SENT)
			host->unsent |= 1ull << i;
	xo_drive_port_flush(host);
}

static void take_reply(struct xo_host *host, const struct xo_link_reply *reply)
{
	struct xo_packet_result result = {
		.status = reply->status,
		.transport = reply->transport,
		.sense_length = reply->sense_length,
		.residual = reply->residual,
	};
	struct xo_ioemu_handle *handle;

	if (reply->slot >= XO_IOEMU_LINK_SLOTS)
		return;
	handle = handle_at(host, reply->slot);
	if (handle->state != XO_HANDLE_SENT || handle->tag != reply->tag)
		return; /* a reply given again */
	xo_point(XO_IOEMU_POINT_REPLIED);
	memcpy(result.sense, reply->sense, sizeof(result.sense));
	complete(host, reply->slot, &result);
}

static void take_message(struct xo_host *host, const union xo_link_message *message)
{
	switch (message->type) {
	case XO_LINK_HELLO:
		xo_drive_port_resend(host);
		break;
	case XO_LINK_REPLY:
		take_reply(host, &message->reply);
		break;
	case XO_LINK_NOTICE:
		take_notice(host, message->notice.notice);
		break;
	}
}

void xo_drive_port_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_host *host = watch->priv;
	union xo_link_message message;
	int r;

	if (events & EPOLLOUT)
		xo_loop_change(host->loop, watch, EPOLLIN);
	/* A port has one command with the drive, so a look for a second message finds none: if there is one, it wakes us. */
	r = xo_link_receive(&host->link, &message);
	if (r == 1)
		take_message(host, &message);
	else if (r < 0)
		lose_link(host, r);
	xo_drive_port_flush(host);
}

/* --- before the guest runs --- */

static int wait_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&poll_fd, 1, IDENTIFY_MS);
	while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : -ETIMEDOUT;
}

static void put_text(char *to, size_t size, const uint8_t *from, size_t length)
{
	memset(to, ' ', size);
	for (size_t i = 0; i < XO_MIN(size, length); i++)
		to[i] = (char)(from[i] >= 0x20 && from[i] < 0x7f ? from[i] : ' ');
}

static bool inquire(struct xo_host *host, uint8_t data[36])
{
	struct xo_ioemu_handle *handle = handle_at(host, 0);
	union xo_link_message message;

	*handle = (struct xo_ioemu_handle){
		.state = XO_HANDLE_SENT,
		.tag = host->state.next_tag++,
		.length = 36,
		.direction = XO_DIR_IN,
		.cdb_length = 6,
		.cdb = { 0x12, 0, 0, 0, 36 },
		.dropped = true,
	};
	request_of(handle, 0, &message);
	if (xo_link_send(&host->link, &message))
		return false;
	while (!wait_readable(host->link.fd)) {
		const struct xo_link_reply *reply = &message.reply;
		int r = xo_link_receive(&host->link, &message);

		if (r < 0)
			return false;
		if (r == 0 || reply->type != XO_LINK_REPLY || reply->slot != 0 ||
		    reply->tag != handle->tag)
			continue;
		handle->state = XO_HANDLE_FREE;
		handle->dropped = false;
		memcpy(data, port_buffer(host, 0), 36);
		return !reply->transport && !reply->status && reply->residual == 0;
	}
	return false;
}

void xo_drive_port_identify(struct xo_host *host, struct xo_ata_identity *identity)
{
	uint8_t data[36];

	put_text(identity->model, sizeof(identity->model), (const uint8_t *)"XENOPTIC DVD/BD DRIVE",
		 21);
	put_text(identity->firmware, sizeof(identity->firmware), (const uint8_t *)"1.00", 4);
	put_text(identity->serial, sizeof(identity->serial), NULL, 0);
	host->state.next_tag = 1;
	if (host->options.generic_identity || !inquire(host, data))
		return;
	/* Vendor and product, as drives put them into one field. */
	put_text(identity->model, sizeof(identity->model), data + 8, 24);
	put_text(identity->firmware, sizeof(identity->firmware), data + 32, 4);
}
