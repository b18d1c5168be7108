// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker enters its seccomp filter with its handles open, and only then maps, copies, binds,
 * notifies and unmaps; the filter has nothing for the loopback's sake. A forbidden call kills the
 * process. Runs with domain 1; the frontend is a process of its own.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xen/grant_table.h>

#include "base/sandbox.h"

#define ROUNDS 3

struct offer {
	int port;
	uint32_t refs[4];
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "FAIL: %s: %m\n", what);
	_exit(1);
}

static int wait_event(xenevtchn_handle *xce)
{
	int port;

	do
		port = xenevtchn_pending(xce);
	while (port < 0 && errno == EAGAIN);
	xenevtchn_unmask(xce, (evtchn_port_t)port);
	return port;
}

static void frontend(int fd)
{
	xenevtchn_handle *xce;
	xengntshr_handle *xgs;
	struct offer offer;
	char *pages;

	setenv("XENOPTIC_LOOPBACK_DOMID", "1", 1);
	xce = xenevtchn_open(NULL, 0);
	xgs = xengntshr_open(NULL, 0);
	must(xce && xgs, "open");
	offer.port = xenevtchn_bind_unbound_port(xce, 0);
	pages = xengntshr_share_pages(xgs, 0, 4, offer.refs, 1);
	must(pages && offer.port > 0, "share");
	strcpy(pages, "ring");
	strcpy(pages + 4096, "data");
	for (int i = 0; i < ROUNDS; i++) {
		must(write(fd, &offer, sizeof(offer)) == sizeof(offer), "offer");
		wait_event(xce);
		must(strcmp(pages, "RING") == 0 && strcmp(pages + 4096, "DATA") == 0, "answer");
		strcpy(pages, "ring");
		strcpy(pages + 4096, "data");
	}
}

static void backend_round(xenevtchn_handle *xce, xengnttab_handle *xgt, const struct offer *offer)
{
	uint32_t refs[2] = { offer->refs[0], offer->refs[2] };
	xengnttab_grant_copy_segment_t seg = { .flags = GNTCOPY_source_gref, .len = 5 };
	char buffer[5] = "";
	char *ring = xengnttab_map_domain_grant_refs(xgt, 2, 1, refs, PROT_READ | PROT_WRITE);
	int port = xenevtchn_bind_interdomain(xce, 1, (evtchn_port_t)offer->port);

	must(ring && port > 0, "attach");
	must(wait_event(xce) == port, "first event");
	must(strcmp(ring, "ring") == 0, "ring");
	seg.source.foreign.domid = 1;
	seg.source.foreign.ref = offer->refs[1];
	seg.dest.virt = buffer;
	must(xengnttab_grant_copy(xgt, 1, &seg) == 0 && seg.status == GNTST_okay, "copy");
	must(strcmp(buffer, "data") == 0, "data");
	seg.flags = GNTCOPY_dest_gref;
	seg.dest = seg.source;
	seg.source.virt = (void *)(uintptr_t) "DATA";
	must(xengnttab_grant_copy(xgt, 1, &seg) == 0 && seg.status == GNTST_okay, "copy back");
	strcpy(ring, "RING");
	must(xenevtchn_notify(xce, (evtchn_port_t)port) == 0, "notify");
	must(xenevtchn_unbind(xce, (evtchn_port_t)port) == 0, "unbind");
	must(xengnttab_unmap(xgt, ring, 2) == 0, "unmap");
}

static void backend(int fd)
{
	static const struct xo_sandbox sandbox = { .user = NULL };
	xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
	xenevtchn_handle *xce = xenevtchn_open(NULL, 0);
	xengnttab_handle *xgt = xengnttab_open(NULL, 0);
	xen_pfn_t pfn = 3;
	struct offer offer;
	void *page;

	must(xce && xgt && fmem, "open");
	must(xenevtchn_restrict(xce, 1) == 0, "restrict");
	must(xo_sandbox_enter(&sandbox) == 0, "sandbox");
	for (int i = 0; i < ROUNDS; i++) {
		must(read(fd, &offer, sizeof(offer)) == sizeof(offer), "offer");
		backend_round(xce, xgt, &offer);
	}
	page = xenforeignmemory_map(fmem, 1, PROT_READ, 1, &pfn, NULL);
	must(page && xenforeignmemory_unmap(fmem, page, 1) == 0, "foreign memory");
	xenforeignmemory_close(fmem);
	xengnttab_close(xgt);
	xenevtchn_close(xce);
}

int main(void)
{
	int fds[2], status;
	pid_t pids[2];

	alarm(60);
	must(pipe(fds) == 0, "pipe");
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			if (i == 0)
				frontend(fds[1]);
			else
				backend(fds[0]);
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++) {
		must(wait(&status) > 0, "wait");
		if (status == 0)
			continue;
		fprintf(stderr, "FAIL: a side ended with %#x\n", (unsigned int)status);
		kill(pids[0], SIGKILL);
		kill(pids[1], SIGKILL);
		return 1;
	}
	return 0;
}
