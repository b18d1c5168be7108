// SPDX-License-Identifier: GPL-2.0-or-later
/* Stand-in for libxendevicemodel: each operation is one message to the loopback's hypervisor. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <xendevicemodel.h>

struct xendevicemodel_handle {
	struct Xentoolcore__Active_Handle ah;
	struct lb_conn conn;
};

static int restrict_cb(struct Xentoolcore__Active_Handle *ah, uint16_t domid)
{
	return xendevicemodel_restrict(lb_container_of(ah, struct xendevicemodel_handle, ah),
				       domid);
}

xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger,
					   unsigned int open_flags)
{
	struct xendevicemodel_handle *dmod = calloc(1, sizeof(*dmod));
	int r;

	(void)logger;
	(void)open_flags;
	if (!dmod)
		return NULL;
	dmod->ah.restrict_callback = restrict_cb;
	r = lb_connect(&dmod->conn, LB_KIND_DEVICEMODEL, O_CLOEXEC);
	if (r < 0) {
		free(dmod);
		errno = -r;
		return NULL;
	}
	xentoolcore__register_active_handle(&dmod->ah);
	return dmod;
}

int xendevicemodel_close(xendevicemodel_handle *dmod)
{
	if (!dmod)
		return 0;
	xentoolcore__deregister_active_handle(&dmod->ah);
	lb_disconnect(&dmod->conn);
	free(dmod);
	return 0;
}

static int op(xendevicemodel_handle *dmod, struct lb_msg *msg)
{
	return lb_errno(lb_call(&dmod->conn, msg, NULL, 0, NULL, 0, NULL, 0));
}

#define OP(dmod, code, ...) op(dmod, &(struct lb_msg){ .op = code, .a = { __VA_ARGS__ } })

int xendevicemodel_create_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
				       int handle_bufioreq, ioservid_t *id)
{
	struct lb_msg msg = { .op = LB_DM_CREATE, .a = { domid, (uint64_t)handle_bufioreq } };
	int r = op(dmod, &msg);

	if (r == 0)
		*id = (ioservid_t)msg.a[0];
	return r;
}

int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
					 xen_pfn_t *ioreq_gfn, xen_pfn_t *bufioreq_gfn,
					 evtchn_port_t *bufioreq_port)
{
	struct lb_msg msg = { .op = LB_DM_INFO, .a = { domid, id, ioreq_gfn || bufioreq_gfn } };
	int r = op(dmod, &msg);

	if (r == 0 && bufioreq_port)
		*bufioreq_port = (evtchn_port_t)msg.a[0];
	return r;
}

static uint64_t range_type(int is_mmio)
{
	return is_mmio ? LB_RANGE_MEMORY : LB_RANGE_PORT;
}

int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
						ioservid_t id, int is_mmio, uint64_t start,
						uint64_t end)
{
	return OP(dmod, LB_DM_MAP_RANGE, domid, id, range_type(is_mmio), start, end);
}

int xendevicemodel_unmap_io_range_from_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
						    ioservid_t id, int is_mmio, uint64_t start,
						    uint64_t end)
{
	return OP(dmod, LB_DM_UNMAP_RANGE, domid, id, range_type(is_mmio), start, end);
}

static int pcidev(xendevicemodel_handle *dmod, enum lb_op code, domid_t domid, ioservid_t id,
		  uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
{
	uint64_t sbdf;

	if (device > 0x1f || function > 0x7)
		return lb_errno(-EINVAL);
	sbdf = (uint64_t)segment << 16 | (uint64_t)bus << 8 | (uint64_t)device << 3 | function;
	return OP(dmod, code, domid, id, LB_RANGE_PCI, sbdf, sbdf);
}

int xendevicemodel_map_pcidev_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
					      ioservid_t id, uint16_t segment, uint8_t bus,
					      uint8_t device, uint8_t function)
{
	return pcidev(dmod, LB_DM_MAP_RANGE, domid, id, segment, bus, device, function);
}

int xendevicemodel_unmap_pcidev_from_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
						  ioservid_t id, uint16_t segment, uint8_t bus,
						  uint8_t device, uint8_t function)
{
	return pcidev(dmod, LB_DM_UNMAP_RANGE, domid, id, segment, bus, device, function);
}

int xendevicemodel_map_mem_type_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid,
						ioservid_t id, uint16_t type, uint32_t flags)
{
	return OP(dmod, LB_DM_MAP_MEM_TYPE, domid, id, type, flags);
}

int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id)
{
	return OP(dmod, LB_DM_DESTROY, domid, id);
}

int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
					  int enabled)
{
	return OP(dmod, LB_DM_STATE, domid, id, enabled != 0);
}

int xendevicemodel_set_pci_intx_level(xendevicemodel_handle *dmod, domid_t domid, uint16_t segment,
				      uint8_t bus, uint8_t device, uint8_t intx, unsigned int level)
{
	return OP(dmod, LB_DM_INTX, domid, (uint64_t)segment << 8 | bus, device, intx, level);
}

int xendevicemodel_set_isa_irq_level(xendevicemodel_handle *dmod, domid_t domid, uint8_t irq,
				     unsigned int level)
{
	return OP(dmod, LB_DM_ISA_IRQ, domid, irq, level);
}

int xendevicemodel_inject_msi(xendevicemodel_handle *dmod, domid_t domid, uint64_t msi_addr,
			      uint32_t msi_data)
{
	return OP(dmod, LB_DM_MSI, domid, msi_addr, msi_data);
}

int xendevicemodel_modified_memory_bulk(xendevicemodel_handle *dmod, domid_t domid,
					struct xen_dm_op_modified_memory_extent extents[],
					uint32_t nr)
{
	uint64_t pairs[2 * 512];

	while (nr) {
		uint32_t n = nr < 512 ? nr : 512;
		struct lb_msg msg = { .op = LB_DM_MODIFIED, .a = { domid }, .count = n };
		int r;

		for (uint32_t i = 0; i < n; i++) {
			pairs[2 * i] = extents[i].first_pfn;
			pairs[2 * i + 1] = extents[i].nr;
		}
		r = lb_call(&dmod->conn, &msg, pairs, 2 * n * sizeof(pairs[0]), NULL, 0, NULL, 0);
		if (r < 0)
			return lb_errno(r);
		extents += n;
		nr -= n;
	}
	return 0;
}

int xendevicemodel_modified_memory(xendevicemodel_handle *dmod, domid_t domid, uint64_t first_pfn,
				   uint32_t nr)
{
	struct xen_dm_op_modified_memory_extent extent = { .first_pfn = first_pfn, .nr = nr };

	return xendevicemodel_modified_memory_bulk(dmod, domid, &extent, 1);
}

int xendevicemodel_set_mem_type(xendevicemodel_handle *dmod, domid_t domid, hvmmem_type_t mem_type,
				uint64_t first_pfn, uint32_t nr)
{
	return OP(dmod, LB_DM_SET_MEM_TYPE, domid, mem_type, first_pfn, nr);
}

int xendevicemodel_relocate_memory(xendevicemodel_handle *dmod, domid_t domid, uint32_t size,
				   uint64_t src_gfn, uint64_t dst_gfn)
{
	return OP(dmod, LB_DM_RELOCATE, domid, size, src_gfn, dst_gfn);
}

int xendevicemodel_shutdown(xendevicemodel_handle *dmod, domid_t domid, unsigned int reason)
{
	return OP(dmod, LB_DM_SHUTDOWN, domid, reason);
}

int xendevicemodel_nr_vcpus(xendevicemodel_handle *dmod, domid_t domid, unsigned int *vcpus)
{
	int r = OP(dmod, LB_DM_NR_VCPUS, domid);

	if (r < 0)
		return r;
	*vcpus = (unsigned int)r;
	return 0;
}

int xendevicemodel_restrict(xendevicemodel_handle *dmod, domid_t domid)
{
	return OP(dmod, LB_RESTRICT, domid);
}

/* ---- what only QEMU needs ---- */

int xendevicemodel_set_irq_level(xendevicemodel_handle *dmod, domid_t domid, unsigned int irq,
				 unsigned int level)
{
	(void)dmod, (void)domid, (void)irq, (void)level;
	return lb_errno(-EOPNOTSUPP);
}

int xendevicemodel_set_pci_link_route(xendevicemodel_handle *dmod, domid_t domid, uint8_t link,
				      uint8_t irq)
{
	(void)dmod, (void)domid, (void)link, (void)irq;
	return lb_errno(-EOPNOTSUPP);
}

int xendevicemodel_track_dirty_vram(xendevicemodel_handle *dmod, domid_t domid, uint64_t first_pfn,
				    uint32_t nr, unsigned long *dirty_bitmap)
{
	(void)dmod, (void)domid, (void)first_pfn, (void)nr, (void)dirty_bitmap;
	return lb_errno(-EOPNOTSUPP);
}

int xendevicemodel_inject_event(xendevicemodel_handle *dmod, domid_t domid, int vcpu,
				uint8_t vector, uint8_t type, uint32_t error_code, uint8_t insn_len,
				uint64_t extra)
{
	(void)dmod, (void)domid, (void)vcpu, (void)vector, (void)type, (void)error_code;
	(void)insn_len, (void)extra;
	return lb_errno(-EOPNOTSUPP);
}

int xendevicemodel_pin_memory_cacheattr(xendevicemodel_handle *dmod, domid_t domid, uint64_t start,
					uint64_t end, uint32_t type)
{
	(void)dmod, (void)domid, (void)start, (void)end, (void)type;
	return lb_errno(-EOPNOTSUPP);
}
