/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stopping, and the state that goes with a guest that is saved or migrated. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "host.h"

#define IMAGE_MAGIC 0x584f494du /* "XOIM" */
#define IMAGE_VERSION 1

/* What is saved: a header, then the controller's state. Both ends are the same architecture. */
struct image {
	uint32_t magic;
	uint32_t version;
	uint32_t length; /* of `controller` */
	uint32_t bus; /* enum xo_ioemu_bus */
	struct xo_ata_identity identity;
	union {
		struct xo_ide_state ide;
		struct xo_ahci_state ahci;
	};
};

static uint32_t controller_size(const struct xo_host *host)
{
	return host->options.bus == XO_BUS_IDE ? sizeof(struct xo_ide_state)
					       : sizeof(struct xo_ahci_state);
}

void xo_host_stop(struct xo_host *host)
{
	if (host->stopped)
		return;
	/* The last DMA: the command's end, which the guest finds when it goes on. */
	xo_packet_abort(xo_machine_packet(host));
	xo_machine_commit(host);
	xo_window_hide(host, XO_WINDOW_STOPPED, true);
	host->stopped = true;
}

void xo_host_continue(struct xo_host *host)
{
	xo_host_runs(host);
	xo_window_return(host);
}

void xo_host_runs(struct xo_host *host)
{
	host->stopped = false;
	xo_window_hide(host, XO_WINDOW_STOPPED, false);
	if (host->notice_due)
		xo_drive_port_notify(host);
	xo_access_recover(host);
}

void xo_host_look_at_log(struct xo_host *host)
{
	bool logged = host->record->window.hidden & XO_WINDOW_LOG_DIRTY;

	host->memory.quiet = host->options.dirty_if_logged && !logged;
}

void xo_host_log_dirty(struct xo_host *host, bool log)
{
	xo_window_hide(host, XO_WINDOW_LOG_DIRTY, log);
	/* All that was written before goes along: a migration begins with the whole memory. */
	xo_host_look_at_log(host);
}

int xo_host_save(struct xo_host *host)
{
	struct image image = {
		.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.length = controller_size(host),
		.bus = host->options.bus,
		.identity = host->record->identity,
	};
	int fd;

	memcpy(&image.ide, &host->state.ide, image.length);
	fd = memfd_create("xenoptic-state", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, &image, sizeof(image), 0) != (ssize_t)sizeof(image)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static bool image_valid(const struct xo_host *host, const struct image *image)
{
	if (image->magic != IMAGE_MAGIC || image->version != IMAGE_VERSION ||
	    image->bus != (uint32_t)host->options.bus || image->length != controller_size(host))
		return false;
	return host->options.bus == XO_BUS_IDE ? xo_ide_state_valid(&image->ide)
					       : xo_ahci_state_valid(&image->ahci);
}

/* The guest has not run yet here: the fresh controller becomes the saved one. */
int xo_host_load(struct xo_host *host, int fd)
{
	struct image image;
	int r;

	if (pread(fd, &image, sizeof(image), 0) != (ssize_t)sizeof(image) ||
	    !image_valid(host, &image)) {
		xo_error("the saved state is not one of this controller and version");
		return -EINVAL;
	}
	host->record->identity = image.identity;
	xo_pci_fini(xo_machine_pci(host));
	memcpy(&host->state.ide, &image.ide, image.length);
	xo_machine_commit(host);
	r = xo_machine_start(host);
	if (r)
		return r;
	xo_packet_attend(xo_machine_packet(host));
	xo_machine_commit(host);
	/* Whose drive may have another medium, and who does not poll, is told to look. */
	xo_drive_port_notify(host);
	return 0;
}
