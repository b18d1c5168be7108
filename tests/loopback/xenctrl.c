// SPDX-License-Identifier: GPL-2.0-or-later
/* Stand-in for the few calls of libxenctrl 4.17 that xenstored and xenoptic-domctl make. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

struct xc_interface_core {
	struct lb_conn conn;
};

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned int open_flags)
{
	xc_interface *xch = calloc(1, sizeof(*xch));
	int r;

	(void)logger;
	(void)dombuild_logger;
	(void)open_flags;
	if (!xch)
		return NULL;
	r = lb_connect(&xch->conn, LB_KIND_CONTROL, O_CLOEXEC);
	if (r < 0) {
		free(xch);
		errno = -r;
		return NULL;
	}
	return xch;
}

int xc_interface_close(xc_interface *xch)
{
	if (!xch)
		return 0;
	lb_disconnect(&xch->conn);
	free(xch);
	return 0;
}

static int list(xc_interface *xch, uint32_t first, struct lb_dom_info *info)
{
	struct lb_msg msg = { .op = LB_DOM_INFO, .a = { first } };

	return lb_call(&xch->conn, &msg, NULL, 0, info, LB_MAX_DOMAINS * sizeof(*info), NULL, 0);
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid, unsigned int max_doms,
		      xc_dominfo_t *info)
{
	struct lb_dom_info found[LB_MAX_DOMAINS];
	int n = list(xch, first_domid, found);

	if (n < 0)
		return lb_errno(n);
	if ((unsigned int)n > max_doms)
		n = (int)max_doms;
	memset(info, 0, max_doms * sizeof(*info));
	for (int i = 0; i < n; i++) {
		const struct lb_dom_info *f = &found[i];

		info[i].domid = f->domid;
		info[i].dying = f->dying != 0;
		info[i].paused = f->paused != 0;
		info[i].shutdown = f->shutdown != 0;
		info[i].shutdown_reason = f->shutdown_reason;
		info[i].crashed = f->shutdown && f->shutdown_reason == SHUTDOWN_crash;
		info[i].hvm = f->type != LB_TYPE_PV;
		info[i].nr_pages = f->pages;
		info[i].nr_online_vcpus = f->vcpus;
		info[i].max_vcpu_id = f->vcpus - 1;
		memcpy(info[i].handle, f->uuid, 16);
	}
	if (n == 0) {
		errno = ESRCH;
		return -1;
	}
	return n;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first_domain, unsigned int max_domains,
			  xc_domaininfo_t *info)
{
	struct lb_dom_info found[LB_MAX_DOMAINS];
	int n = list(xch, first_domain, found);

	if (n < 0)
		return lb_errno(n);
	if ((unsigned int)n > max_domains)
		n = (int)max_domains;
	memset(info, 0, max_domains * sizeof(*info));
	for (int i = 0; i < n; i++) {
		const struct lb_dom_info *f = &found[i];

		info[i].domain = (domid_t)f->domid;
		info[i].flags = (f->dying ? XEN_DOMINF_dying : 0) |
				(f->paused ? XEN_DOMINF_paused : 0) |
				(f->shutdown ? XEN_DOMINF_shutdown : 0) |
				(f->type != LB_TYPE_PV ? XEN_DOMINF_hvm_guest : 0) |
				f->shutdown_reason << XEN_DOMINF_shutdownshift;
		info[i].tot_pages = f->pages;
		info[i].nr_online_vcpus = f->vcpus;
		info[i].max_vcpu_id = f->vcpus - 1;
		memcpy(info[i].handle, f->uuid, 16);
	}
	return n;
}

static int control(xc_interface *xch, enum lb_op op, uint32_t domid, uint32_t arg)
{
	return lb_errno(lb_call3(&xch->conn, op, domid, arg, 0));
}

int xc_domain_pause(xc_interface *xch, uint32_t domid)
{
	return control(xch, LB_DOM_PAUSE, domid, 0);
}

int xc_domain_unpause(xc_interface *xch, uint32_t domid)
{
	return control(xch, LB_DOM_UNPAUSE, domid, 0);
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domid, int reason)
{
	return control(xch, LB_DOM_SHUTDOWN, domid, (uint32_t)reason);
}

int xc_domain_destroy(xc_interface *xch, uint32_t domid)
{
	return control(xch, LB_DOM_DESTROY, domid, 0);
}
