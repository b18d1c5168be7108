// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A small backend for tests of the guest's side alone: serves device/vscsi/0 of
 * domain 1 with a drive in the same process. Does the handshake as xenopticd does.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "../exec/unit.h"
#include "base/bytes.h"
#include "fake_backend.h"

#define MAX_TRANSFER (512u << 10)

static struct fake fake;
static struct xo_unit *unit;
static uint8_t *data;
static uint64_t commands;

static void carry_out(const struct vscsiif_request *request, struct vscsiif_response *response)
{
	struct xo_command command = {
		.cdb_length = request->cmd_len,
		.data = data,
		.id = ++commands,
		.client = "guest",
		.timeout = request->timeout_per_command,
	};

	memcpy(command.cdb, request->cmnd, sizeof(command.cdb));
	if (request->sc_data_direction != 3) {
		command.direction = request->sc_data_direction == 2 ? XO_DIR_IN : XO_DIR_OUT;
		command.length = fake_copy(&fake, request, data, MAX_TRANSFER, false);
	}
	xo_unit_execute(unit, &command);
	if (command.direction == XO_DIR_IN)
		(void)fake_copy(&fake, request, data, command.length - command.residual, true);
	response->rslt = (int32_t)command.status | (int32_t)command.transport << 16;
	response->residual_len = command.residual;
	response->sense_len = command.sense_length;
	memcpy(response->sense_buffer, command.sense,
	       XO_MIN(command.sense_length, sizeof(response->sense_buffer)));
}

static void serve_ring(void)
{
	struct vscsiif_request request;
	xenevtchn_port_or_error_t port = xenevtchn_pending(fake.evtchn);

	if (port >= 0)
		(void)xenevtchn_unmask(fake.evtchn, (evtchn_port_t)port);
	while (fake.shared && fake_take(&fake, &request)) {
		struct vscsiif_response response = { .rqid = request.rqid };

		if (request.act == VSCSIIF_ACT_SCSI_CDB)
			carry_out(&request, &response);
		else
			response.rslt = XEN_VSCSIIF_RSLT_RESET_SUCCESS;
		fake_put(&fake, &response);
	}
}

static void follow(void)
{
	unsigned int frontend = fake_read(&fake, FAKE_VSCSI, "state");

	switch (frontend) {
	case XenbusStateInitialising:
		fake_disconnect(&fake);
		fake_unit_state(&fake, XenbusStateInitialising);
		fake_state(&fake, XenbusStateInitWait);
		break;
	case XenbusStateInitialised:
		if (fake.shared)
			break;
		fake_connect(&fake);
		fake_unit_state(&fake, XenbusStateInitialised);
		fake_state(&fake, XenbusStateConnected);
		break;
	case XenbusStateConnected:
		fake_unit_state(&fake, XenbusStateConnected);
		break;
	default:
		fake_disconnect(&fake);
		fake_state(&fake,
			   frontend == XenbusStateClosing ? XenbusStateClosing : XenbusStateClosed);
		break;
	}
}

static int serve(void)
{
	struct pollfd fds[3] = { { .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN } };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[0].fd = xs_fileno(fake.xs);
	fds[1].fd = xenevtchn_fd(fake.evtchn);
	fds[2].fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (!xs_watch(fake.xs, FAKE_VSCSI "/state", "state"))
		return 1;
	puts("ready");
	fflush(stdout);
	while (!(fds[2].revents & POLLIN)) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return 1;
		if (xo_store_changed(fake.xs))
			follow();
		if (fds[1].revents & POLLIN)
			serve_ring();
	}
	close(fds[2].fd);
	return 0;
}

int main(int argc, char *argv[])
{
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: serve FILE\n%s\n", xo_test_unit_help);
		return 2;
	}
	data = malloc(MAX_TRANSFER);
	if (!data || xo_test_unit_open(argv[1], &unit) < 0)
		return 1;
	fake_new(&fake, 128);
	status = serve();
	fake_free(&fake);
	unit->ops->free(unit);
	free(data);
	return status;
}
