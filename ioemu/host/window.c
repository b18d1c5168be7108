/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page of the guest's memory in the place of AHCI's registers, of Xen's type HVMMEM_ioreq_server: reads
 * find the page, writes come to the ioreq server. Linux reads three registers for each command.
 *
 * The page is one of those that libxc makes for ioreq servers which are mapped the old way; ours is not, so
 * its share is free. It lies there, at home, whenever it shows nothing, and with it goes through a save: a
 * guest that is restored elsewhere, by whomever, has the same memory. Only hints for the guest are in it;
 * nothing is ever read from it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>

#include "base/bytes.h"
#include "base/log.h"
#include "host.h"

#include <xen/hvm/params.h>

#define PAGE_SHIFT 12
#define PAGE_BYTES (1u << PAGE_SHIFT)

static int hvm_param(xencall_handle *call, uint16_t domid, uint32_t index, uint64_t *value)
{
	struct xen_hvm_param *param = xencall_alloc_buffer(call, sizeof(*param));
	int r;

	if (!param)
		return -ENOMEM;
	*param = (struct xen_hvm_param){ .domid = domid, .index = index };
	r = xencall2(call, __HYPERVISOR_hvm_op, HVMOP_get_param, (uint64_t)(uintptr_t)param);
	r = r < 0 ? -errno : 0;
	*value = param->value;
	xencall_free_buffer(call, param);
	return r;
}

/* The last of the pages for ioreq servers: Xen hands them out from the first one on. */
static int find_home(struct xo_host *host)
{
	struct xo_ioemu_window *window = &host->record->window;
	xencall_handle *call;
	uint64_t first = 0;
	uint64_t count = 0;
	int r;

	if (window->found)
		return 0;
	call = xencall_open(NULL, 0);
	if (!call)
		return -errno;
	r = hvm_param(call, host->options.domid, HVM_PARAM_IOREQ_SERVER_PFN, &first);
	if (!r)
		r = hvm_param(call, host->options.domid, HVM_PARAM_NR_IOREQ_SERVER_PAGES, &count);
	xencall_close(call);
	if (r || !first || !count)
		return r ? r : -ENOENT;
	window->home = first + count - 1;
	xo_ledger_commit(&window->found, 1);
	return 0;
}

static int relocate(struct xo_host *host, uint64_t from, uint64_t to)
{
	int r = xendevicemodel_relocate_memory(host->devicemodel, host->options.domid, 1, from, to);

	r = r < 0 ? -errno : 0;
	xo_guest_memory_moved(&host->memory, from);
	xo_guest_memory_moved(&host->memory, to);
	return r;
}

static int set_type(struct xo_host *host, uint64_t page, hvmmem_type_t type)
{
	return xendevicemodel_set_mem_type(host->devicemodel, host->options.domid, type, page, 1) <
			       0
		       ? -errno
		       : 0;
}

/* From wherever a predecessor may have left it, too: what was done already fails, and changes nothing. */
static int bring_home(struct xo_host *host)
{
	struct xo_ioemu_window *window = &host->record->window;
	int r;

	host->memory.window = 0;
	if (!window->away)
		return 0;
	set_type(host, window->at, HVMMEM_ram_rw);
	xo_point(XO_IOEMU_POINT_MOVED);
	r = relocate(host, window->at, window->home);
	xo_ledger_commit(&window->away, 0);
	return r;
}

static uint32_t *map_page(struct xo_host *host, uint64_t page)
{
	xen_pfn_t pages[1] = { page };
	int errors[1];
	uint32_t *memory = xenforeignmemory_map(host->memory.handle, host->options.domid,
						PROT_READ | PROT_WRITE, 1, pages, errors);

	if (memory && errors[0]) {
		xenforeignmemory_unmap(host->memory.handle, memory, 1);
		memory = NULL;
		errno = -errors[0];
	}
	return memory;
}

static void unmap_page(struct xo_host *host, uint32_t *memory)
{
	if (memory)
		xenforeignmemory_unmap(host->memory.handle, memory, 1);
}

static int map_type(struct xo_host *host, uint32_t accesses)
{
	return xendevicemodel_map_mem_type_to_ioreq_server(host->devicemodel, host->options.domid,
							   host->ioservid, HVMMEM_ioreq_server,
							   accesses) < 0
		       ? -errno
		       : 0;
}

/*
 * One server of a domain has the memory type, and keeps it when its process dies: given up first, so that
 * EBUSY says that it is another's.
 */
static int claim(struct xo_host *host)
{
	map_type(host, 0);
	return map_type(host, XEN_DMOP_IOREQ_MEM_ACCESS_WRITE);
}

void xo_window_open(struct xo_host *host)
{
	int r = find_home(host);

	if (!r) {
		bring_home(host);
		r = claim(host);
	}
	if (!r) {
		host->window = map_page(host, host->record->window.home);
		r = host->window ? 0 : -errno;
	}
	if (r)
		xo_debug("every register is read by an exit: %s", strerror(-r));
}

void xo_window_close(struct xo_host *host, bool destroy)
{
	/* A successor finds it where it is; with the server go its type and whoever could serve it. */
	if (destroy)
		xo_window_remove(host);
	unmap_page(host, host->window);
	host->window = NULL;
}

/* Where RAM is, the guest has its registers behind it, as on hardware; nothing is put over it. */
static bool is_ram(struct xo_host *host, uint64_t page)
{
	uint32_t *memory = map_page(host, page);

	unmap_page(host, memory);
	return memory;
}

static void give_up(struct xo_host *host, const char *what, int r)
{
	xo_warning("registers are read by exits from now on: %s: %s", what, strerror(-r));
	unmap_page(host, host->window);
	host->window = NULL;
}

static int place(struct xo_host *host, uint64_t page)
{
	struct xo_ioemu_window *window = &host->record->window;
	int r;

	memset(host->window, 0, PAGE_BYTES);
	memset(host->shown, 0, sizeof(host->shown));
	xo_ahci_show(&host->ahci, host->shown, host->window);
	window->at = page;
	xo_ledger_commit(&window->away, 1);
	xo_point(XO_IOEMU_POINT_MOVING);
	r = relocate(host, window->home, page);
	if (r) {
		xo_ledger_commit(&window->away, 0);
		return r;
	}
	xo_point(XO_IOEMU_POINT_MOVED);
	host->memory.window = page;
	return set_type(host, page, HVMMEM_ioreq_server);
}

void xo_window_place(struct xo_host *host, uint64_t base)
{
	uint64_t page = base >> PAGE_SHIFT;
	int r;

	if (!host->window || host->record->window.hidden || host->memory.window ||
	    is_ram(host, page))
		return;
	r = place(host, page);
	if (!r)
		return;
	bring_home(host);
	give_up(host, "the page cannot be put there", r);
}

void xo_window_remove(struct xo_host *host)
{
	int r;

	if (!host->memory.window)
		return;
	r = bring_home(host);
	/* The guest may have given the page away; then it is at home no more. */
	if (r)
		give_up(host, "the page cannot be taken back", r);
}

void xo_window_hide(struct xo_host *host, uint32_t reason, bool hide)
{
	uint32_t *hidden = &host->record->window.hidden;

	xo_ledger_commit(hidden, hide ? *hidden | reason : *hidden & ~reason);
	if (*hidden)
		xo_window_remove(host);
	else if (host->options.bus == XO_BUS_AHCI && host->started && host->ahci.abar.mapped)
		xo_window_place(host, host->ahci.abar.base);
}

void xo_window_show(struct xo_host *host)
{
	if (host->memory.window)
		xo_ahci_show(&host->ahci, host->shown, host->window);
}
