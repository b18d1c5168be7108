// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loopback's memory: foreign mappings, a guest's own grants, restricted handles, and domains that
 * die with their memory mapped. Runs with domain 1 (HVM, 64 MiB) and domain 2 (PV).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xentoolcore.h>

#include "client.h"
#include "lb.h"

#define GUEST 1
#define PV 2
#define PORTS 0x1000

#define assert_errno(e, call)               \
	do {                                \
		errno = 0;                  \
		assert_true((call) < 0);    \
		assert_int_equal(errno, e); \
	} while (0)

static void as(const char *domid)
{
	setenv("XENOPTIC_LOOPBACK_DOMID", domid, 1);
}

static void foreign_memory(void **state)
{
	struct lb_guest *g = lb_guest_open(GUEST);
	xenforeignmemory_handle *fmem;
	xen_pfn_t pfns[4] = { 7, 3, 16384, 4 };
	int err[4];
	uint8_t *p;

	(void)state;
	as("0");
	fmem = xenforeignmemory_open(NULL, 0);
	memcpy(lb_guest_memory(g, 0x3000, 3), "abc", 3);
	p = xenforeignmemory_map(fmem, GUEST, PROT_READ | PROT_WRITE, 4, pfns, err);
	assert_non_null(p);
	assert_int_equal(err[0], 0);
	assert_int_equal(err[1], 0);
	assert_int_equal(err[2], -EINVAL);
	assert_int_equal(err[3], 0);
	assert_memory_equal(p + 4096, "abc", 3);
	p[3 * 4096] = 'x';
	assert_memory_equal(lb_guest_memory(g, 0x4000, 1), "x", 1);
	assert_errno(EINVAL, xenforeignmemory_unmap(fmem, p, 3));
	assert_int_equal(xenforeignmemory_unmap(fmem, p, 4), 0);

	/* Without an array for the errors one bad page fails all. */
	assert_null(xenforeignmemory_map(fmem, GUEST, PROT_READ, 4, pfns, NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(xenforeignmemory_map(fmem, 77, PROT_READ, 1, pfns, NULL));
	assert_int_equal(errno, ESRCH);

	/* A page that was ballooned out is none; a fresh one is empty. */
	assert_int_equal(lb_guest_balloon(g, 3, 1, true), 0);
	assert_null(xenforeignmemory_map(fmem, GUEST, PROT_READ, 1, &pfns[1], NULL));
	assert_int_equal(lb_guest_balloon(g, 3, 1, false), 0);
	p = xenforeignmemory_map(fmem, GUEST, PROT_READ, 1, &pfns[1], NULL);
	assert_non_null(p);
	assert_int_equal(p[0], 0);
	assert_int_equal(xenforeignmemory_unmap(fmem, p, 1), 0);

	/* restricted: the one domain, for good */
	assert_int_equal(xenforeignmemory_restrict(fmem, GUEST), 0);
	assert_int_equal(xenforeignmemory_restrict(fmem, GUEST), 0);
	assert_errno(EINVAL, xenforeignmemory_restrict(fmem, PV));
	assert_null(xenforeignmemory_map(fmem, PV, PROT_READ, 1, pfns, NULL));
	assert_int_equal(errno, EPERM);
	p = xenforeignmemory_map(fmem, GUEST, PROT_READ, 1, pfns, NULL);
	assert_int_equal(xenforeignmemory_unmap(fmem, p, 1), 0);
	xenforeignmemory_close(fmem);

	as("2");
	fmem = xenforeignmemory_open(NULL, 0);
	assert_null(xenforeignmemory_map(fmem, GUEST, PROT_READ, 1, pfns, NULL));
	assert_int_equal(errno, EPERM);
	xenforeignmemory_close(fmem);
	lb_guest_close(g);
}

/* All of a guest's memory at once: more than one message. */
static void all_of_it(void **state)
{
	struct lb_guest *g = lb_guest_open(GUEST);
	xenforeignmemory_handle *fmem;
	static xen_pfn_t pfns[16384];
	uint8_t *p;

	(void)state;
	for (unsigned int i = 0; i < 16384; i++) {
		pfns[i] = 16383 - i;
		memcpy(lb_guest_memory(g, i * 4096ull, 4), &i, 4);
	}
	as("0");
	fmem = xenforeignmemory_open(NULL, 0);
	p = xenforeignmemory_map(fmem, GUEST, PROT_READ, 16384, pfns, NULL);
	assert_non_null(p);
	for (unsigned int i = 0; i < 16384; i++)
		assert_memory_equal(p + i * 4096, &pfns[i], 4);
	assert_int_equal(xenforeignmemory_unmap(fmem, p, 16384), 0);
	xenforeignmemory_close(fmem);
	lb_guest_close(g);
}

/* Gone are, after restrict_all, the grants: gntdev cannot be limited. */
static void restricted_grants(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	as("0");
	pid = fork();
	if (pid == 0) {
		xengnttab_handle *xgt = xengnttab_open(NULL, 0);
		xengntshr_handle *xgs = xengntshr_open(NULL, 0);
		xengnttab_grant_copy_segment_t seg = { .flags = 1, .len = 1 };
		uint32_t ref;
		int r = 0;

		if (xentoolcore_restrict_all(GUEST) != 0)
			r |= 1;
		if (xengnttab_map_grant_ref(xgt, GUEST, 1, PROT_READ) || errno != ENOTTY)
			r |= 2;
		if (xengnttab_grant_copy(xgt, 1, &seg) != -1 || errno != ENOTTY)
			r |= 4;
		if (xengntshr_share_pages(xgs, GUEST, 1, &ref, 1) || errno != ENOTTY)
			r |= 8;
		_exit(r);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* A guest grants pages of its RAM; while they are mapped the grant cannot be ended. */
static void granted_ram(void **state)
{
	struct lb_guest *g = lb_guest_open(GUEST);
	xengnttab_handle *xgt;
	char *p;
	int ref;

	(void)state;
	as("0");
	xgt = xengnttab_open(NULL, 0);
	ref = lb_guest_grant(g, 0, 0x77, true);
	assert_true(ref >= 8);
	p = xengnttab_map_grant_ref(xgt, GUEST, (uint32_t)ref, PROT_READ | PROT_WRITE);
	assert_non_null(p);
	p[9] = 'q';
	assert_memory_equal(lb_guest_memory(g, 0x77009, 1), "q", 1);
	assert_int_equal(lb_guest_ungrant(g, (uint32_t)ref), -EBUSY);
	assert_int_equal(xengnttab_unmap(xgt, p, 1), 0);
	assert_int_equal(lb_guest_ungrant(g, (uint32_t)ref), 0);
	assert_int_equal(lb_guest_ungrant(g, (uint32_t)ref), -EINVAL);
	xengnttab_close(xgt);
	lb_guest_close(g);
}

static int domain_state(struct lb_conn *toolstack, uint32_t domid, struct lb_dom_info *info)
{
	struct lb_dom_info all[LB_MAX_DOMAINS];
	struct lb_msg msg = { .op = LB_DOM_INFO, .a = { domid } };
	int n = lb_call(toolstack, &msg, NULL, 0, all, sizeof(all), NULL, 0);

	if (n < 1 || all[0].domid != domid)
		return -ESRCH;
	*info = all[0];
	return 0;
}

/* A dead domain stays, dying, for as long as somebody has its memory mapped. */
static void zombie(void **state)
{
	static const uint8_t uuid[16] = { 1 };
	struct lb_msg msg = { .op = LB_DOM_CREATE, .a = { 99, LB_TYPE_HVM, 1024, 1 } };
	struct lb_conn toolstack;
	struct lb_dom_info info = { 0 };
	xenforeignmemory_handle *fmem;
	struct lb_vcpu *vcpu;
	xen_pfn_t pfn = 5;
	uint32_t value;
	void *p;

	(void)state;
	as("0");
	assert_int_equal(lb_connect_as(&toolstack, LB_KIND_CONTROL, 0, 0), 0);
	assert_int_equal(lb_call(&toolstack, &msg, uuid, 16, NULL, 0, NULL, 0), 99);
	assert_int_equal(lb_call3(&toolstack, LB_DOM_UNPAUSE, 99, 0, 0), 0);
	fmem = xenforeignmemory_open(NULL, 0);
	vcpu = lb_vcpu_open(99, 0);
	p = xenforeignmemory_map(fmem, 99, PROT_READ, 1, &pfn, NULL);
	assert_non_null(p);
	assert_int_equal(lb_call3(&toolstack, LB_DOM_DESTROY, 99, 0, 0), 0);
	assert_int_equal(lb_in(vcpu, PORTS, 4, &value), -ESRCH);
	assert_null(lb_vcpu_open(99, 0));
	assert_int_equal(domain_state(&toolstack, 99, &info), 0);
	assert_int_equal(info.dying, 1);
	assert_int_equal(info.foreign_mapped, 1);
	assert_null(xenforeignmemory_map(fmem, 99, PROT_READ, 1, &pfn, NULL));
	assert_int_equal(xenforeignmemory_unmap(fmem, p, 1), 0);
	assert_int_equal(domain_state(&toolstack, 99, &info), -ESRCH);
	lb_vcpu_close(vcpu);
	xenforeignmemory_close(fmem);
	lb_disconnect(&toolstack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_memory),
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(restricted_grants),
		cmocka_unit_test(granted_ram),
		cmocka_unit_test(zombie),
	};

	alarm(60); /* nothing here waits for long */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
