// SPDX-License-Identifier: GPL-2.0-or-later
/* Stand-in for libxencall: the one hypercall that xenoptic-ioemu makes itself, a guest's HVM parameter. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <xencall.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/xen.h>

struct xencall_handle {
	struct Xentoolcore__Active_Handle ah;
	struct lb_conn conn;
};

/* As the library: a handle for any hypercall is of no use once it is restricted. */
static int restrict_cb(struct Xentoolcore__Active_Handle *ah, uint16_t domid)
{
	struct xencall_handle *call = lb_container_of(ah, struct xencall_handle, ah);

	(void)domid;
	return xentoolcore__restrict_by_dup2_null(call->conn.fd);
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	xencall_handle *call = calloc(1, sizeof(*call));
	int r;

	(void)logger;
	(void)open_flags;
	if (!call)
		return NULL;
	call->ah.restrict_callback = restrict_cb;
	r = lb_connect(&call->conn, LB_KIND_DEVICEMODEL, O_CLOEXEC);
	if (r < 0) {
		free(call);
		errno = -r;
		return NULL;
	}
	xentoolcore__register_active_handle(&call->ah);
	return call;
}

int xencall_close(xencall_handle *call)
{
	if (!call)
		return 0;
	xentoolcore__deregister_active_handle(&call->ah);
	lb_disconnect(&call->conn);
	free(call);
	return 0;
}

int xencall_fd(xencall_handle *call)
{
	return call->conn.fd;
}

void *xencall_alloc_buffer_pages(xencall_handle *call, size_t pages)
{
	(void)call;
	return calloc(pages, LB_PAGE);
}

void xencall_free_buffer_pages(xencall_handle *call, void *p, size_t pages)
{
	(void)call;
	(void)pages;
	free(p);
}

void *xencall_alloc_buffer(xencall_handle *call, size_t size)
{
	return xencall_alloc_buffer_pages(call, (size + LB_PAGE - 1) / LB_PAGE);
}

void xencall_free_buffer(xencall_handle *call, void *p)
{
	xencall_free_buffer_pages(call, p, 1);
}

int xencall_buffers_never_fault(xencall_handle *call)
{
	(void)call;
	return 1;
}

int xencall2(xencall_handle *call, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	struct xen_hvm_param *param = (struct xen_hvm_param *)(uintptr_t)arg2;
	struct lb_msg msg = { .op = LB_DM_PARAM };
	int r;

	if (op != __HYPERVISOR_hvm_op || arg1 != HVMOP_get_param)
		return lb_errno(-ENOSYS);
	msg.a[0] = param->domid;
	msg.a[1] = param->index;
	r = lb_call(&call->conn, &msg, NULL, 0, NULL, 0, NULL, 0);
	if (r >= 0)
		param->value = msg.a[0];
	return lb_errno(r);
}

long xencall2L(xencall_handle *call, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	return xencall2(call, op, arg1, arg2);
}

/* ---- hypercalls that nobody makes ---- */

int xencall0(xencall_handle *call, unsigned int op)
{
	(void)call, (void)op;
	return lb_errno(-ENOSYS);
}

int xencall1(xencall_handle *call, unsigned int op, uint64_t arg1)
{
	(void)arg1;
	return xencall0(call, op);
}

int xencall3(xencall_handle *call, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	(void)arg1, (void)arg2, (void)arg3;
	return xencall0(call, op);
}

int xencall4(xencall_handle *call, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
	     uint64_t arg4)
{
	(void)arg1, (void)arg2, (void)arg3, (void)arg4;
	return xencall0(call, op);
}

int xencall5(xencall_handle *call, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
	     uint64_t arg4, uint64_t arg5)
{
	(void)arg1, (void)arg2, (void)arg3, (void)arg4, (void)arg5;
	return xencall0(call, op);
}
