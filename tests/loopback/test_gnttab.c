// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loopback's grants: what is shared can be mapped and copied by the domain it was granted to,
 * and by nobody else, not longer, and not more than was granted. Runs with domains 1 and 2.
 */
#include <errno.h>
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <xen/grant_table.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096

struct sides {
	xengntshr_handle *front; /* domain 1 */
	xengnttab_handle *back; /* Dom0 */
};

static void as(const char *domid)
{
	setenv("XENOPTIC_LOOPBACK_DOMID", domid, 1);
}

static int setup(void **state)
{
	struct sides *s = calloc(1, sizeof(*s));

	as("1");
	s->front = xengntshr_open(NULL, 0);
	as("0");
	s->back = xengnttab_open(NULL, 0);
	assert_non_null(s->front);
	assert_non_null(s->back);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct sides *s = *state;

	xengntshr_close(s->front);
	xengnttab_close(s->back);
	free(s);
	return 0;
}

static void mapped_pages_are_shared(void **state)
{
	struct sides *s = *state;
	uint32_t refs[8], mixed[4];
	char *f = xengntshr_share_pages(s->front, 0, 8, refs, 1), *b;

	assert_non_null(f);
	for (int i = 0; i < 8; i++)
		f[i * PAGE] = (char)('a' + i);
	b = xengnttab_map_domain_grant_refs(s->back, 8, 1, refs, PROT_READ | PROT_WRITE);
	assert_non_null(b);
	for (int i = 0; i < 8; i++)
		assert_int_equal(b[i * PAGE], 'a' + i);
	b[5 * PAGE + 17] = 'z';
	assert_int_equal(f[5 * PAGE + 17], 'z');
	assert_int_equal(xengnttab_unmap(s->back, b, 8), 0);

	/* in any order */
	mixed[0] = refs[7], mixed[1] = refs[2], mixed[2] = refs[3], mixed[3] = refs[0];
	b = xengnttab_map_domain_grant_refs(s->back, 4, 1, mixed, PROT_READ);
	assert_non_null(b);
	assert_memory_equal(b, "h", 1);
	assert_memory_equal(b + PAGE, "c", 1);
	assert_memory_equal(b + 2 * PAGE, "d", 1);
	assert_memory_equal(b + 3 * PAGE, "a", 1);
	assert_int_equal(xengnttab_unmap(s->back, b, 4), 0);
	assert_int_equal(xengntshr_unshare(s->front, f, 8), 0);
}

static void unmappable(struct sides *s, uint32_t domid, uint32_t ref, int prot)
{
	errno = 0;
	assert_null(xengnttab_map_grant_ref(s->back, domid, ref, prot));
	assert_int_equal(errno, EINVAL);
}

static void refused_mappings(void **state)
{
	struct sides *s = *state;
	uint32_t refs[2], foreign, domids[2] = { 1, 1 };
	char *ro = xengntshr_share_pages(s->front, 0, 1, &refs[0], 0);
	char *other = xengntshr_share_pages(s->front, 2, 1, &foreign, 1);
	char *b;

	unmappable(s, 1, refs[0], PROT_READ | PROT_WRITE); /* read-only */
	b = xengnttab_map_grant_ref(s->back, 1, refs[0], PROT_READ);
	assert_non_null(b);
	assert_int_equal(xengnttab_unmap(s->back, b, 1), 0);
	unmappable(s, 1, foreign, PROT_READ); /* another domain's */
	unmappable(s, 2, refs[0], PROT_READ);
	unmappable(s, 1, 5000, PROT_READ);
	unmappable(s, 1, 4000000000u, PROT_READ);
	unmappable(s, 77, refs[0], PROT_READ);

	/* one bad one fails all of them */
	refs[1] = foreign;
	assert_null(xengnttab_map_grant_refs(s->back, 2, domids, refs, PROT_READ));
	assert_int_equal(errno, EINVAL);

	xengntshr_unshare(s->front, ro, 1);
	xengntshr_unshare(s->front, other, 1);
	unmappable(s, 1, refs[0], PROT_READ); /* revoked */
}

static void unmap_is_exact(void **state)
{
	struct sides *s = *state;
	uint32_t refs[2];
	char *f = xengntshr_share_pages(s->front, 0, 2, refs, 1);
	char *b = xengnttab_map_domain_grant_refs(s->back, 2, 1, refs, PROT_READ);

	assert_int_equal(xengnttab_unmap(s->back, b, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(xengnttab_unmap(s->back, b + PAGE, 1), -1);
	assert_int_equal(xengnttab_unmap(s->back, NULL, 1), -1);
	assert_int_equal(xengnttab_unmap(s->back, b, 2), 0);
	assert_int_equal(xengnttab_unmap(s->back, b, 2), -1);
	assert_int_equal(xengntshr_unshare(s->front, f, 2), 0);
	assert_int_equal(xengntshr_unshare(s->front, f, 2), -1);
}

/* A grant in use stays valid until it is unmapped; then it is gone. */
static void revoked_when_unmapped(void **state)
{
	struct sides *s = *state;
	uint32_t ref, next;
	char *f = xengntshr_share_pages(s->front, 0, 1, &ref, 1), *b, *g;

	f[0] = 'x';
	b = xengnttab_map_grant_ref(s->back, 1, ref, PROT_READ | PROT_WRITE);
	assert_int_equal(xengntshr_unshare(s->front, f, 1), 0);
	assert_int_equal(b[0], 'x');
	g = xengntshr_share_pages(s->front, 0, 1, &next, 1);
	assert_int_not_equal(next, ref);
	assert_int_equal(g[0], 0);
	assert_int_equal(xengnttab_unmap(s->back, b, 1), 0);
	unmappable(s, 1, ref, PROT_READ);
	assert_int_equal(xengntshr_unshare(s->front, g, 1), 0);
}

static void limit(void **state)
{
	struct sides *s = *state;
	uint32_t refs[1024], one;
	char *f = xengntshr_share_pages(s->front, 0, 1024, refs, 1);

	assert_non_null(f);
	assert_null(xengntshr_share_pages(s->front, 0, 1, &one, 1));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(xengntshr_unshare(s->front, f, 1024), 0);
	f = xengntshr_share_pages(s->front, 0, 1, &one, 1);
	assert_non_null(f);
	assert_int_equal(xengntshr_unshare(s->front, f, 1), 0);
}

static xengnttab_grant_copy_segment_t from(uint32_t domid, uint32_t ref, unsigned int offset,
					   void *to, unsigned int len)
{
	xengnttab_grant_copy_segment_t seg = { .flags = GNTCOPY_source_gref, .len = (uint16_t)len };

	seg.source.foreign.domid = (uint16_t)domid;
	seg.source.foreign.ref = ref;
	seg.source.foreign.offset = (uint16_t)offset;
	seg.dest.virt = to;
	return seg;
}

static xengnttab_grant_copy_segment_t to(uint32_t domid, uint32_t ref, unsigned int offset,
					 void *source, unsigned int len)
{
	xengnttab_grant_copy_segment_t seg = { .flags = GNTCOPY_dest_gref, .len = (uint16_t)len };

	seg.dest.foreign.domid = (uint16_t)domid;
	seg.dest.foreign.ref = ref;
	seg.dest.foreign.offset = (uint16_t)offset;
	seg.source.virt = source;
	return seg;
}

static void copies(void **state)
{
	struct sides *s = *state;
	uint32_t refs[2], ro, foreign;
	char *f = xengntshr_share_pages(s->front, 0, 2, refs, 1);
	char *r = xengntshr_share_pages(s->front, 0, 1, &ro, 0);
	char *o = xengntshr_share_pages(s->front, 2, 1, &foreign, 1);
	char buffer[2 * PAGE] = "";
	xengnttab_grant_copy_segment_t segs[8];

	memcpy(f + PAGE + 100, "hello", 5);
	segs[0] = from(1, refs[1], 100, buffer, 5);
	segs[1] = to(1, refs[0], 4090, buffer, 6); /* the end of the page, and of the order */
	segs[2] = to(1, ro, 0, buffer, 1);
	segs[3] = from(1, ro, 0, buffer + 10, 1);
	segs[4] = from(1, foreign, 0, buffer, 1);
	segs[5] = from(1, 4000000000u, 0, buffer, 1);
	segs[6] = from(77, 8, 0, buffer, 1);
	segs[7] = from(1, refs[1], 0, buffer + 100, 4000);
	for (int i = 0; i < 8; i++)
		segs[i].status = 77;
	assert_int_equal(xengnttab_grant_copy(s->back, 8, segs), 0);
	assert_int_equal(segs[0].status, GNTST_okay);
	assert_int_equal(segs[1].status, GNTST_okay);
	assert_int_equal(segs[2].status, GNTST_general_error);
	assert_int_equal(segs[3].status, GNTST_okay);
	assert_int_equal(segs[4].status, GNTST_general_error);
	assert_int_equal(segs[5].status, GNTST_bad_gntref);
	assert_int_equal(segs[6].status, GNTST_bad_domain);
	assert_int_equal(segs[7].status, GNTST_okay);
	assert_memory_equal(buffer, "hello", 5);
	assert_memory_equal(f + 4090, "hello", 6);
	assert_memory_equal(buffer + 200, "hello", 5);

	/* These are gntdev's own: the whole call fails. */
	segs[0] = from(1, refs[1], 100, buffer, 3997);
	assert_int_equal(xengnttab_grant_copy(s->back, 1, segs), -1);
	assert_int_equal(errno, EINVAL);
	segs[0].flags = 0;
	assert_int_equal(xengnttab_grant_copy(s->back, 1, segs), -1);

	xengntshr_unshare(s->front, f, 2);
	xengntshr_unshare(s->front, r, 1);
	xengntshr_unshare(s->front, o, 1);
	segs[0] = from(1, refs[1], 100, buffer, 5);
	assert_int_equal(xengnttab_grant_copy(s->back, 1, segs), 0);
	assert_int_equal(segs[0].status, GNTST_general_error);
}

/* Unmapping clears a byte and sends an event, also when the process is killed. */
static void notified(void **state)
{
	struct sides *s = *state;
	xenevtchn_handle *xce;
	int port, status, pipefd[2];
	uint32_t ref;
	char *f = xengntshr_share_pages(s->front, 0, 1, &ref, 1), byte = 0;
	pid_t pid;

	as("1");
	xce = xenevtchn_open(NULL, 0);
	port = xenevtchn_bind_unbound_port(xce, 0);
	f[77] = 1;
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		xengnttab_handle *xgt;
		int own;

		as("0");
		xgt = xengnttab_open(NULL, 0);
		own = xenevtchn_bind_interdomain(xenevtchn_open(NULL, 0), 1, (evtchn_port_t)port);
		if (xengnttab_map_grant_ref_notify(xgt, 1, ref, PROT_READ | PROT_WRITE, 77,
						   (evtchn_port_t)own) &&
		    write(pipefd[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipefd[0], &byte, 1), 1);
	assert_int_equal(f[77], 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	/* Event and byte come in either order of the two sockets' ends: the byte surely comes. */
	while (*(volatile char *)(f + 77))
		sched_yield();
	xenevtchn_close(xce);
	xengntshr_unshare(s->front, f, 1);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* What a killed frontend shared is revoked, what a killed backend mapped is unmapped. */
static void killed(void **state)
{
	struct sides *s = *state;
	int pipefd[2], status;
	uint32_t ref;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		xengntshr_handle *xgs;

		as("1");
		xgs = xengntshr_open(NULL, 0);
		if (xengntshr_share_pages(xgs, 0, 1, &ref, 1) &&
		    write(pipefd[1], &ref, sizeof(ref)) > 0)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipefd[0], &ref, sizeof(ref)), sizeof(ref));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	for (;;) {
		void *b = xengnttab_map_grant_ref(s->back, 1, ref, PROT_READ);

		if (!b)
			break;
		xengnttab_unmap(s->back, b, 1);
	}
	close(pipefd[0]);
	close(pipefd[1]);
}

int main(void)
{
#define with_sides(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		with_sides(mapped_pages_are_shared),
		with_sides(refused_mappings),
		with_sides(unmap_is_exact),
		with_sides(revoked_when_unmapped),
		with_sides(limit),
		with_sides(copies),
		with_sides(notified),
		with_sides(killed),
	};

	alarm(60); /* nothing here waits for long */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
