// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loopback's event channels behave as Xen's and Linux's evtchn driver do, and refuse what they
 * refuse. Runs in a loopback that has domains 1 and 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <xenevtchn.h>
#include <xentoolcore.h>
#include <xen/xen.h>

#define assert_errno(e, call)               \
	do {                                \
		errno = 0;                  \
		assert_int_equal(call, -1); \
		assert_int_equal(errno, e); \
	} while (0)

static xenevtchn_handle *open_as(const char *domid)
{
	xenevtchn_handle *xce;

	setenv("XENOPTIC_LOOPBACK_DOMID", domid, 1);
	xce = xenevtchn_open(NULL, 0);
	assert_non_null(xce);
	return xce;
}

static int ready(xenevtchn_handle *xce)
{
	struct pollfd p = { xenevtchn_fd(xce), POLLIN, 0 };

	return poll(&p, 1, 0);
}

/* Takes one event and says which; the port stays masked. */
static int take(xenevtchn_handle *xce)
{
	assert_int_equal(ready(xce), 1);
	return xenevtchn_pending(xce);
}

struct pair {
	xenevtchn_handle *front, *back; /* domain 1 and Dom0 */
	int fport, bport;
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	p->front = open_as("1");
	p->back = open_as("0");
	p->fport = xenevtchn_bind_unbound_port(p->front, 0);
	assert_true(p->fport > 0);
	p->bport = xenevtchn_bind_interdomain(p->back, 1, (evtchn_port_t)p->fport);
	assert_true(p->bport > 0);
	/* "conservatively always setting a notification on the local port" */
	assert_int_equal(take(p->back), p->bport);
	xenevtchn_unmask(p->back, (evtchn_port_t)p->bport);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	xenevtchn_close(p->front);
	xenevtchn_close(p->back);
	free(p);
	return 0;
}

static void both_ways(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(xenevtchn_notify(p->back, (evtchn_port_t)p->bport), 0);
		assert_int_equal(take(p->front), p->fport);
		assert_int_equal(xenevtchn_unmask(p->front, (evtchn_port_t)p->fport), 0);
		assert_int_equal(xenevtchn_notify(p->front, (evtchn_port_t)p->fport), 0);
		assert_int_equal(take(p->back), p->bport);
		assert_int_equal(xenevtchn_unmask(p->back, (evtchn_port_t)p->bport), 0);
	}
	assert_int_equal(ready(p->front), 0);
	assert_int_equal(ready(p->back), 0);
}

/* Events merge; one that comes while the port is masked fires at the unmask. */
static void masked_until_unmasked(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < 3; i++)
		xenevtchn_notify(p->front, (evtchn_port_t)p->fport);
	assert_int_equal(take(p->back), p->bport);
	assert_int_equal(ready(p->back), 0);
	xenevtchn_notify(p->front, (evtchn_port_t)p->fport);
	assert_int_equal(ready(p->back), 0);
	xenevtchn_unmask(p->back, (evtchn_port_t)p->bport);
	assert_int_equal(take(p->back), p->bport);
	xenevtchn_unmask(p->back, (evtchn_port_t)p->bport);
	assert_int_equal(ready(p->back), 0);
}

static void many_ports(void **state)
{
	struct pair *p = *state;
	int fports[200], bports[200];
	bool seen[200] = { false };

	for (int i = 0; i < 200; i++) {
		fports[i] = xenevtchn_bind_unbound_port(p->front, 0);
		bports[i] = xenevtchn_bind_interdomain(p->back, 1, (evtchn_port_t)fports[i]);
		assert_true(bports[i] > 0);
	}
	for (int i = 0; i < 200; i++) {
		int port = take(p->back);

		for (int k = 0; k < 200; k++)
			if (bports[k] == port) {
				assert_false(seen[k]);
				seen[k] = true;
			}
	}
	assert_int_equal(ready(p->back), 0);
}

/* The end that closes leaves the other unbound: it can be bound again, and fires once. */
static void back_to_unbound(void **state)
{
	struct pair *p = *state;

	assert_int_equal(xenevtchn_unbind(p->back, (evtchn_port_t)p->bport), 0);
	assert_int_equal(ready(p->front), 0);
	assert_int_equal(xenevtchn_notify(p->front, (evtchn_port_t)p->fport), 0); /* dropped */
	p->bport = xenevtchn_bind_interdomain(p->back, 1, (evtchn_port_t)p->fport);
	assert_true(p->bport > 0);
	assert_int_equal(take(p->back), p->bport);
	xenevtchn_unmask(p->back, (evtchn_port_t)p->bport);
	assert_int_equal(xenevtchn_notify(p->back, (evtchn_port_t)p->bport), 0);
	assert_int_equal(take(p->front), p->fport);
}

/* An event that was delivered and not read goes with its port. */
static void unbind_takes_back(void **state)
{
	struct pair *p = *state;

	xenevtchn_notify(p->front, (evtchn_port_t)p->fport);
	assert_int_equal(ready(p->back), 1);
	assert_int_equal(xenevtchn_unbind(p->back, (evtchn_port_t)p->bport), 0);
	assert_int_equal(ready(p->back), 0);
}

static void refusals(void **state)
{
	struct pair *p = *state;
	xenevtchn_handle *two = open_as("2"), *other = open_as("0");
	int port;

	/* bound already; not waiting for us; closed; no such domain; no such port */
	assert_errno(EINVAL, xenevtchn_bind_interdomain(other, 1, (evtchn_port_t)p->fport));
	port = xenevtchn_bind_unbound_port(p->front, 0);
	assert_errno(EINVAL, xenevtchn_bind_interdomain(two, 1, (evtchn_port_t)port));
	assert_int_equal(xenevtchn_unbind(p->front, (evtchn_port_t)port), 0);
	assert_errno(EINVAL, xenevtchn_bind_interdomain(other, 1, (evtchn_port_t)port));
	assert_errno(ESRCH, xenevtchn_bind_interdomain(other, 77, 1));
	assert_errno(EINVAL, xenevtchn_bind_interdomain(other, 1, 0));
	assert_errno(EINVAL, xenevtchn_bind_interdomain(other, 1, 100000));

	/* A port belongs to the handle that bound it. */
	assert_errno(ENOTCONN, xenevtchn_notify(other, (evtchn_port_t)p->bport));
	assert_errno(ENOTCONN, xenevtchn_unbind(other, (evtchn_port_t)p->bport));
	assert_int_equal(xenevtchn_unmask(other, (evtchn_port_t)p->bport), 0);

	/* Global interrupts are Dom0's. */
	assert_errno(EPERM, xenevtchn_bind_virq(two, VIRQ_DOM_EXC));
	assert_errno(EINVAL, xenevtchn_bind_virq(other, 1000));
	xenevtchn_close(two);
	xenevtchn_close(other);
}

static void restricted(void **state)
{
	struct pair *p = *state;
	xenevtchn_handle *front2 = open_as("2");
	int port2 = xenevtchn_bind_unbound_port(front2, 0);
	int port1 = xenevtchn_bind_unbound_port(p->front, 0);

	assert_errno(EINVAL, xenevtchn_restrict(p->back, 0));
	assert_int_equal(xenevtchn_restrict(p->back, 1), 0);
	assert_errno(EACCES, xenevtchn_restrict(p->back, 1));
	assert_errno(EACCES, xenevtchn_bind_interdomain(p->back, 2, (evtchn_port_t)port2));
	assert_errno(EACCES, xenevtchn_bind_unbound_port(p->back, 2));
	assert_errno(EACCES, xenevtchn_bind_virq(p->back, VIRQ_DOM_EXC));
	/* its own domain, and what it has, go on */
	assert_true(xenevtchn_bind_interdomain(p->back, 1, (evtchn_port_t)port1) > 0);
	assert_int_equal(xenevtchn_notify(p->back, (evtchn_port_t)p->bport), 0);
	assert_int_equal(take(p->front), p->fport);
	xenevtchn_close(front2);
}

static void restrict_all(void **state)
{
	struct pair *p = *state;

	/* It holds for every open handle of the process, so in a child. */
	if (fork() == 0) {
		xenevtchn_handle *xce = open_as("0");

		_exit(xentoolcore_restrict_all(1) == 0 &&
				      xenevtchn_bind_unbound_port(xce, 2) == -1 && errno == EACCES
			      ? 0
			      : 1);
	}
	int status;

	wait(&status);
	/* The child's libxentoolcore knows the handles that it inherited, too. */
	assert_int_equal(status, 0);
	assert_errno(EACCES, xenevtchn_bind_unbound_port(p->back, 2));
}

/* A process that dies at any time leaves nothing. */
static void killed(void **state)
{
	struct pair *p = *state;
	int pipefd[2], port, status;
	pid_t pid;

	assert_int_equal(xenevtchn_unbind(p->back, (evtchn_port_t)p->bport), 0);
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		xenevtchn_handle *xce = open_as("0");

		port = xenevtchn_bind_interdomain(xce, 1, (evtchn_port_t)p->fport);
		xenevtchn_notify(xce, (evtchn_port_t)port);
		if (write(pipefd[1], &port, sizeof(port)) > 0)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipefd[0], &port, sizeof(port)), sizeof(port));
	assert_true(port > 0);
	assert_int_equal(take(p->front), p->fport);
	xenevtchn_unmask(p->front, (evtchn_port_t)p->fport);
	assert_errno(EINVAL, xenevtchn_bind_interdomain(p->back, 1, (evtchn_port_t)p->fport));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	/* The socket's end is seen by the hypervisor before our next request, or a moment later. */
	do
		p->bport = xenevtchn_bind_interdomain(p->back, 1, (evtchn_port_t)p->fport);
	while (p->bport < 0 && errno == EINVAL);
	assert_true(p->bport > 0);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* The descriptor alone carries a handle to another process. */
static void adopted(void **state)
{
	struct pair *p = *state;
	int fd = dup(xenevtchn_fd(p->back));
	xenevtchn_handle *heir = xenevtchn_fdopen(NULL, fd, 0);

	assert_non_null(heir);
	xenevtchn_close(p->back);
	assert_int_equal(xenevtchn_notify(p->front, (evtchn_port_t)p->fport), 0);
	assert_int_equal(take(heir), p->bport);
	xenevtchn_unmask(heir, (evtchn_port_t)p->bport);
	assert_int_equal(xenevtchn_notify(heir, (evtchn_port_t)p->bport), 0);
	assert_int_equal(take(p->front), p->fport);
	p->back = heir;

	fd = open("/dev/null", O_RDWR);
	assert_null(xenevtchn_fdopen(NULL, fd, 0));
	assert_int_equal(errno, EBADF);
	close(fd);
}

static void not_blocking(void **state)
{
	struct pair *p = *state;

	fcntl(xenevtchn_fd(p->back), F_SETFL, O_NONBLOCK);
	assert_errno(EAGAIN, xenevtchn_pending(p->back));
}

/* Whoever was told by poll that there is an event is not left waiting when there is none. */
static void one_too_many(void **state)
{
	const uint64_t one = 1;
	struct pair *p = *state;

	assert_int_equal(write(xenevtchn_fd(p->back), &one, sizeof(one)), sizeof(one));
	assert_int_equal(ready(p->back), 1);
	assert_errno(EAGAIN, xenevtchn_pending(p->back));
	assert_int_equal(ready(p->back), 0);
}

int main(void)
{
#define with_pair(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		with_pair(both_ways),
		with_pair(masked_until_unmasked),
		with_pair(many_ports),
		with_pair(back_to_unbound),
		with_pair(unbind_takes_back),
		with_pair(refusals),
		with_pair(restricted),
		with_pair(restrict_all),
		with_pair(killed),
		with_pair(adopted),
		with_pair(not_blocking),
		with_pair(one_too_many),
	};

	alarm(60); /* nothing here waits for long */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
