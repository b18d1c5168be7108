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

/*
 * The move takes the page's type away with it. Were that changed first, what the guest's CPUs write to registers
 * until then would stay in the page, and no command would come of it.
 */
static int bring_home(struct xo_host *host)
{
	struct xo_ioemu_window *window = &host->record->window;
	int r;

	host->memory.window = 0;
	if (!window->away)
		return 0;
	r = relocate(host, window->at, window->home);
	xo_point(XO_IOEMU_POINT_MOVED);
	xo_ledger_commit(&window->away, XO_WINDOW_HOME);
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

/* Where RAM is, the guest has its registers behind it, as on hardware; nothing is put over it. */
static bool is_ram(struct xo_host *host, uint64_t page)
{
	uint32_t *memory = map_page(host, page);

	unmap_page(host, memory);
	return memory;
}

/* A predecessor may have died before the page had moved, or before that was written down. */
static void find_page(struct xo_host *host)
{
	struct xo_ioemu_window *window = &host->record->window;

	if (window->away && !is_ram(host, window->at))
		xo_ledger_commit(&window->away, XO_WINDOW_HOME);
	if (window->hidden)
		bring_home(host);
}

/*
 * A predecessor's page stays where it is: the guest's CPUs use it while we start. Only its type may be missing yet
 * (Xen refuses to give it twice). The server has the memory type already; given up and claimed again, its pages
 * would be plain memory in between.
 */
static int inherit(struct xo_host *host)
{
	struct xo_ioemu_window *window = &host->record->window;
	int r;

	host->window = map_page(host, window->at);
	r = host->window ? 0 : -errno;
	if (!r && window->away != XO_WINDOW_TYPED)
		r = set_type(host, window->at, HVMMEM_ioreq_server);
	if (!r)
		xo_ledger_commit(&window->away, XO_WINDOW_TYPED);
	if (r) {
		unmap_page(host, host->window);
		host->window = NULL;
		bring_home(host);
		return r;
	}
	host->memory.window = window->at;
	/* Only to be compared: what differs is shown. */
	memcpy(host->shown, host->window, sizeof(host->shown));
	return 0;
}

void xo_window_open(struct xo_host *host)
{
	int r = find_home(host);

	if (!r) {
		find_page(host);
		r = host->record->window.away ? inherit(host) : claim(host);
	}
	if (!r && !host->window) {
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
	xo_ledger_commit(&window->away, XO_WINDOW_AWAY);
	xo_point(XO_IOEMU_POINT_MOVING);
	r = relocate(host, window->home, page);
	if (r) {
		xo_ledger_commit(&window->away, XO_WINDOW_HOME);
		return r;
	}
	xo_point(XO_IOEMU_POINT_MOVED);
	host->memory.window = page;
	r = set_type(host, page, HVMMEM_ioreq_server);
	if (!r)
		xo_ledger_commit(&window->away, XO_WINDOW_TYPED);
	return r;
}

void xo_window_place(struct xo_host *host, uint64_t base)
{
	uint64_t page = base >> PAGE_SHIFT;
	int r;

	if (host->memory.window == page)
		return;
	xo_window_remove(host);
	if (!host->window || host->record->window.hidden || is_ram(host, page))
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

static bool registers_mapped(const struct xo_host *host)
{
	return host->options.bus == XO_BUS_AHCI && host->started && host->ahci.abar.mapped;
}

void xo_window_settle(struct xo_host *host)
{
	if (!registers_mapped(host) || host->ahci.abar.base >> PAGE_SHIFT != host->memory.window)
		xo_window_remove(host);
}

void xo_window_hide(struct xo_host *host, uint32_t reason, bool hide)
{
	uint32_t *hidden = &host->record->window.hidden;

	xo_ledger_commit(hidden, hide ? *hidden | reason : *hidden & ~reason);
	if (*hidden)
		xo_window_remove(host);
}

/* Between the move and the change of the type a register is memory to the guest's CPUs. */
void xo_window_return(struct xo_host *host)
{
	if (!host->record->window.hidden && registers_mapped(host))
		xo_window_place(host, host->ahci.abar.base);
}

void xo_window_show(struct xo_host *host)
{
	if (host->memory.window)
		xo_ahci_show(&host->ahci, host->shown, host->window);
}
