/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ioreq server: made for a new guest, taken over from a predecessor that
 * died. It outlives the process, with its ranges and its vCPUs that wait.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xentoolcore.h>

#include "base/bytes.h"
#include "base/log.h"
#include "host.h"

static int failed(const char *what)
{
	int r = -errno;

	xo_error("%s: %s", what, strerror(-r));
	return r ? r : -EIO;
}

static int create(struct xo_host *host)
{
	struct xo_ioemu_ledger *record = host->record;

	if (record->server) {
		host->ioservid = (uint16_t)record->ioservid;
		return 0;
	}
	if (xendevicemodel_create_ioreq_server(host->devicemodel, host->options.domid,
					       HVM_IOREQSRV_BUFIOREQ_OFF, &host->ioservid) < 0)
		return failed("cannot create an ioreq server");
	record->ioservid = host->ioservid;
	xo_ledger_commit(&record->server, 1);
	return 0;
}

static int map_page(struct xo_host *host)
{
	void *page = NULL;

	host->resource = xenforeignmemory_map_resource(host->memory.handle, host->options.domid,
						       XENMEM_resource_ioreq_server, host->ioservid,
						       XENMEM_resource_ioreq_server_frame_ioreq(0),
						       1, &page, PROT_READ | PROT_WRITE, 0);
	if (!host->resource)
		return failed("cannot map the ioreq page");
	host->iopage = page;
	return 0;
}

/* The page of synchronous requests has room for this many vCPUs. */
static int count_vcpus(struct xo_host *host)
{
	if (xendevicemodel_nr_vcpus(host->devicemodel, host->options.domid, &host->vcpus) < 0)
		return failed("cannot ask for the guest's vCPUs");
	if (!host->vcpus || host->vcpus > XO_IOEMU_VCPUS_MAX) {
		xo_error("the guest has %u vCPUs; at most %u can be served", host->vcpus,
			 XO_IOEMU_VCPUS_MAX);
		return -E2BIG;
	}
	return 0;
}

/* Ports are there only once the server is enabled. */
static int bind_ports(struct xo_host *host)
{
	for (unsigned int i = 0; i < host->vcpus; i++) {
		int port = xenevtchn_bind_interdomain(host->evtchn, host->options.domid,
						      host->iopage->vcpu_ioreq[i].vp_eport);

		if (port < 0)
			return failed("cannot bind a vCPU's event channel");
		host->ports[i] = (evtchn_port_t)port;
	}
	return 0;
}

static int attach(struct xo_host *host)
{
	int r = create(host);

	if (!r)
		r = map_page(host);
	if (r)
		return r;
	if (xendevicemodel_map_pcidev_to_ioreq_server(host->devicemodel, host->options.domid,
						      host->ioservid, 0, 0, host->options.device,
						      0) < 0 &&
	    errno != EEXIST)
		return failed("cannot take the PCI device number");
	if (xendevicemodel_set_ioreq_server_state(host->devicemodel, host->options.domid,
						  host->ioservid, 1) < 0)
		return failed("cannot enable the ioreq server");
	r = count_vcpus(host);
	return r ? r : bind_ports(host);
}

int xo_server_open(struct xo_host *host)
{
	int r;

	host->devicemodel = xendevicemodel_open(NULL, 0);
	if (!host->devicemodel)
		return failed("cannot open the device model interface");
	r = xo_guest_memory_open(&host->memory, host->options.domid, host->devicemodel);
	if (r)
		return failed("cannot open foreign memory");
	host->evtchn = xenevtchn_open(NULL, 0);
	if (!host->evtchn)
		return failed("cannot open the event channel device");
	r = attach(host);
	if (r)
		return r;
	if (host->options.bus == XO_BUS_AHCI)
		xo_window_open(host);
	/* From here on these handles reach this guest and no other. */
	if (xentoolcore_restrict_all(host->options.domid) < 0)
		return failed("cannot restrict the handles to the guest");
	return 0;
}

void xo_server_close(struct xo_host *host, bool destroy)
{
	if (host->record)
		xo_window_close(host, destroy);
	if (host->resource)
		xenforeignmemory_unmap_resource(host->memory.handle, host->resource);
	host->resource = NULL;
	if (destroy && host->record && host->record->server) {
		/* Xen keeps the level of a device that is there no more, and others may share the line. */
		xendevicemodel_set_pci_intx_level(host->devicemodel, host->options.domid, 0, 0,
						  host->options.device, 0, 0);
		xendevicemodel_destroy_ioreq_server(host->devicemodel, host->options.domid,
						    host->ioservid);
		xo_ledger_commit(&host->record->server, 0);
	}
	if (host->evtchn)
		xenevtchn_close(host->evtchn);
	xo_guest_memory_close(&host->memory);
	if (host->devicemodel)
		xendevicemodel_close(host->devicemodel);
	host->evtchn = NULL;
	host->devicemodel = NULL;
}

static int range_map(struct xo_host *host, const struct xo_ioemu_range *range)
{
	return xendevicemodel_map_io_range_to_ioreq_server(
		host->devicemodel, host->options.domid, host->ioservid,
		range->space == XO_SPACE_MEMORY, range->base, range->base + range->size - 1);
}

static void range_unmap(struct xo_host *host, const struct xo_ioemu_range *range)
{
	if (xendevicemodel_unmap_io_range_from_ioreq_server(
		    host->devicemodel, host->options.domid, host->ioservid,
		    range->space == XO_SPACE_MEMORY, range->base,
		    range->base + range->size - 1) < 0 &&
	    errno != ENOENT)
		xo_log_limited(XO_LOG_WARNING, "cannot unmap %#llx: %s",
			       (unsigned long long)range->base, strerror(errno));
}

/* The record of exactly this range. */
static struct xo_ioemu_range *range_find(struct xo_host *host, enum xo_space space, uint64_t base,
					 uint64_t size)
{
	struct xo_ioemu_range *ranges = host->record->ranges;

	for (unsigned int i = 0; i < XO_IOEMU_RANGES_MAX; i++)
		if (ranges[i].used && ranges[i].space == space && ranges[i].base == base &&
		    ranges[i].size == size)
			return &ranges[i];
	return NULL;
}

static struct xo_ioemu_range *range_new(struct xo_host *host, enum xo_space space, uint64_t base,
					uint64_t size)
{
	struct xo_ioemu_range *ranges = host->record->ranges;

	for (unsigned int i = 0; i < XO_IOEMU_RANGES_MAX; i++) {
		if (ranges[i].used)
			continue;
		ranges[i].space = space;
		ranges[i].base = base;
		ranges[i].size = size;
		xo_ledger_commit(&ranges[i].used, 1);
		return &ranges[i];
	}
	return NULL;
}

int xo_server_map(struct xo_host *host, enum xo_space space, uint64_t base, uint64_t size)
{
	struct xo_ioemu_range *range = range_find(host, space, base, size);

	if (!range)
		range = range_new(host, space, base, size);
	if (!range)
		return -ENOSPC;
	host->inherited &= ~(1u << (range - host->record->ranges));
	if (range_map(host, range) < 0 && errno != EEXIST) {
		int r = -errno;

		xo_ledger_commit(&range->used, 0);
		return r;
	}
	xo_point(XO_IOEMU_POINT_MAPPED);
	return 0;
}

void xo_server_unmap(struct xo_host *host, enum xo_space space, uint64_t base, uint64_t size)
{
	struct xo_ioemu_range *range = range_find(host, space, base, size);

	if (!range)
		return;
	range_unmap(host, range);
	xo_ledger_commit(&range->used, 0);
}

void xo_server_inherit_ranges(struct xo_host *host)
{
	const struct xo_ioemu_range *ranges = host->record->ranges;

	host->inherited = 0;
	for (unsigned int i = 0; i < XO_IOEMU_RANGES_MAX; i++)
		host->inherited |= (ranges[i].used ? 1u : 0u) << i;
}

void xo_server_drop_inherited(struct xo_host *host)
{
	struct xo_ioemu_range *ranges = host->record->ranges;

	for (unsigned int i = 0; i < XO_IOEMU_RANGES_MAX; i++) {
		if (!(host->inherited & 1u << i))
			continue;
		range_unmap(host, &ranges[i]);
		xo_ledger_commit(&ranges[i].used, 0);
	}
	/* One that went may have overlapped one that is to stay, whose mapping then was refused, or went with it. */
	for (unsigned int i = 0; i < XO_IOEMU_RANGES_MAX && host->inherited; i++)
		if (ranges[i].used && range_map(host, &ranges[i]) < 0 && errno != EEXIST)
			xo_error("cannot map %#llx: %s", (unsigned long long)ranges[i].base,
				 strerror(errno));
	host->inherited = 0;
}
