/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event channels over libxenevtchn; see ring_channels.h. */
#include "ring_channels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define NAME_MAX_SIZE 16 /* of a thread */
#define INTERRUPTS "/proc/interrupts"

/* A line of /proc/interrupts: the interrupt that it is of, if it ends in that name; or -1. */
static int interrupt_named(const char *line, const char *name)
{
	size_t length = strcspn(line, "\n");
	size_t end = strlen(name);
	char *after;
	long irq;

	if (length <= end || strncmp(line + length - end, name, end) != 0 ||
	    line[length - end - 1] != ' ')
		return -1;
	irq = strtol(line, &after, 10);
	return after != line && *after == ':' ? (int)irq : -1;
}

/* The processor that an interrupt goes to, as a list. */
static bool read_processor(int irq, char *text, int size)
{
	char path[64];
	FILE *file;
	bool read;

	snprintf(path, sizeof(path), "/proc/irq/%d/effective_affinity_list", irq);
	file = fopen(path, "re");
	read = file && fgets(text, size, file);
	if (file)
		fclose(file);
	return read;
}

static bool write_processor(int irq, const char *text)
{
	char path[64];
	FILE *file;
	bool written;

	snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity_list", irq);
	file = fopen(path, "we");
	if (!file)
		return false;
	written = fputs(text, file) >= 0;
	return !fclose(file) && written;
}

/*
 * The kernel spreads interrupts over its processors: each command would wake another one. All that have the name go
 * where the first of them goes.
 */
static void gather(const char *name)
{
	FILE *file = fopen(INTERRUPTS, "re");
	char processor[32] = "";
	char *line = NULL;
	size_t size = 0;
	bool done = file;

	while (file && done && getline(&line, &size, file) > 0) {
		const int irq = interrupt_named(line, name);

		if (irq < 0)
			continue;
		done = processor[0] ? write_processor(irq, processor)
				    : read_processor(irq, processor, sizeof(processor));
	}
	if (!done)
		xo_debug("the event channels' interrupts stay where they are: %m");
	free(line);
	if (file)
		fclose(file);
}

static int bind_all(struct xo_channels *channels, uint16_t domid, const uint32_t *remote,
		    unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		xenevtchn_port_or_error_t port =
			xenevtchn_bind_interdomain(channels->handle, domid, remote[i]);

		if (port < 0) {
			int r = -errno;

			xo_error("cannot bind event channel %u of domain %u: %s", remote[i], domid,
				 strerror(-r));
			return r;
		}
		channels->ports[channels->count++] = (evtchn_port_t)port;
	}
	return 0;
}

/* The device names its interrupts by the thread that opens it. */
static xenevtchn_handle *open_named(const char *name)
{
	char before[NAME_MAX_SIZE];
	xenevtchn_handle *handle;

	prctl(PR_GET_NAME, before);
	prctl(PR_SET_NAME, name);
	handle = xenevtchn_open(NULL, 0);
	prctl(PR_SET_NAME, before);
	return handle;
}

int xo_channels_open(struct xo_channels *channels, uint16_t domid, const uint32_t *remote,
		     unsigned int count)
{
	char name[sizeof("evtchn:") + NAME_MAX_SIZE] = "evtchn:";
	char *own = name + strlen(name);
	struct stat device;
	int r;

	*channels = (struct xo_channels){ 0 };
	snprintf(own, NAME_MAX_SIZE, "ring-%d", getpid());
	channels->handle = open_named(own);
	if (!channels->handle) {
		r = -errno;
		xo_error("cannot open the event channel device: %s", strerror(-r));
		return r;
	}
	channels->device =
		!fstat(xenevtchn_fd(channels->handle), &device) && S_ISCHR(device.st_mode);
	r = bind_all(channels, domid, remote, count);
	if (r)
		return r;
	if (channels->device && count > 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1)
		gather(name);
	if (xenevtchn_restrict(channels->handle, domid) < 0)
		xo_info("event channels cannot be restricted to the guest: %s", strerror(errno));
	return 0;
}

void xo_channels_unbind(struct xo_channels *channels)
{
	while (channels->count)
		xenevtchn_unbind(channels->handle, channels->ports[--channels->count]);
}

int xo_channels_fd(const struct xo_channels *channels)
{
	return xenevtchn_fd(channels->handle);
}

/* The library gives the device one port a call. */
int xo_channels_unmask_several(struct xo_channels *channels, uint32_t asked)
{
	evtchn_port_t ports[XO_RING_CHANNELS_MAX];
	unsigned int masked = channels->masked;
	unsigned int count = 0;
	int r = 0;

	if (!(masked & 1u << asked % channels->count))
		return 0;
	channels->masked = 0;
	for (; masked; masked &= masked - 1)
		ports[count++] = channels->ports[__builtin_ctz(masked)];
	if (channels->device && count > 1)
		return write(xenevtchn_fd(channels->handle), ports, count * sizeof(ports[0])) < 0;
	for (unsigned int i = 0; i < count && !r; i++)
		r = xenevtchn_unmask(channels->handle, ports[i]);
	return r;
}
