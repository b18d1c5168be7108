// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hypervisor: the daemon of the loopback. One loop over the connections of the stand-in libraries;
 * every request is answered at once, and a connection that closes takes along all that it held.
 *
 * usage: hypervisor SOCKET. Closes its standard output when it serves.
 */
#include "hv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct lb_shared *hv_shared;
int hv_shared_fd;
struct hv_conns hv_conns = LIST_HEAD_INITIALIZER(hv_conns);

static int epoll;
static const char *socket_path;
static uint8_t in[LB_MAX_PAYLOAD], out[LB_MAX_PAYLOAD];

void hv_log(const char *fmt, ...)
{
	va_list ap;

	fputs("loopback: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int hv_poll(struct hv_source *source, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = source };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

const char *hv_directory(void)
{
	static char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", socket_path);
	return dirname(directory);
}

/* a[0] kind, a[1] domid */
static int hello(struct hv_conn *conn, struct hv_call *call)
{
	struct lb_msg *msg = call->msg;

	if (conn->domain)
		return -EINVAL;
	conn->kind = (enum lb_kind)msg->a[0];
	conn->domain = hv_domain_find((uint32_t)msg->a[1]);
	if (!conn->domain)
		return -ENODEV;
	call->fds[call->nfds++] = hv_shared_fd;
	if (conn->kind == LB_KIND_EVTCHN || conn->kind == LB_KIND_GUEST) {
		conn->handle = hv_handle_new(conn->domain);
		if (!conn->handle)
			return -ENOMEM;
		call->fds[call->nfds++] = conn->handle->event_fd;
	}
	msg->a[0] = conn->domain->slot;
	msg->a[1] = conn->handle ? conn->handle->id : 0;
	return 0;
}

static hv_handler *const handlers[LB_OP_COUNT] = {
	[LB_HELLO] = hello,
	[LB_EVTCHN_ADOPT] = hv_evtchn_adopt,
	[LB_EVTCHN_BIND_UNBOUND] = hv_evtchn_bind_unbound,
	[LB_EVTCHN_BIND_INTERDOMAIN] = hv_evtchn_bind_interdomain,
	[LB_EVTCHN_BIND_VIRQ] = hv_evtchn_bind_virq,
	[LB_EVTCHN_UNBIND] = hv_evtchn_unbind,
	[LB_EVTCHN_PEER] = hv_evtchn_peer,
	[LB_RESTRICT] = hv_restrict,
	[LB_GNT_MAP] = hv_gnt_map,
	[LB_GNT_UNMAP] = hv_gnt_unmap,
	[LB_GNT_MEMORY] = hv_gnt_memory,
	[LB_GNT_SHARE] = hv_gnt_share,
	[LB_GNT_UNSHARE] = hv_gnt_unshare,
	[LB_DOM_CREATE] = hv_dom_create,
	[LB_DOM_DESTROY] = hv_dom_destroy,
	[LB_DOM_PAUSE] = hv_dom_pause,
	[LB_DOM_UNPAUSE] = hv_dom_unpause,
	[LB_DOM_SHUTDOWN] = hv_dom_shutdown,
	[LB_DOM_INFO] = hv_dom_info,
	[LB_CLIENTS] = hv_clients,
	[LB_GUEST_GRANT] = hv_guest_grant,
	[LB_GUEST_UNGRANT] = hv_guest_ungrant,
	[LB_MEM_MAP] = hv_mem_map,
	[LB_MEM_UNMAP] = hv_mem_unmap,
	[LB_MEM_RESOURCE] = hv_mem_resource,
	[LB_DM_CREATE] = hv_dm_create,
	[LB_DM_DESTROY] = hv_dm_destroy,
	[LB_DM_INFO] = hv_dm_info,
	[LB_DM_MAP_RANGE] = hv_dm_map_range,
	[LB_DM_UNMAP_RANGE] = hv_dm_unmap_range,
	[LB_DM_MAP_MEM_TYPE] = hv_dm_map_mem_type,
	[LB_DM_STATE] = hv_dm_state,
	[LB_DM_INTX] = hv_dm_intx,
	[LB_DM_ISA_IRQ] = hv_dm_isa_irq,
	[LB_DM_MSI] = hv_dm_msi,
	[LB_DM_MODIFIED] = hv_dm_modified,
	[LB_DM_SET_MEM_TYPE] = hv_dm_set_mem_type,
	[LB_DM_NR_VCPUS] = hv_dm_nr_vcpus,
	[LB_DM_SHUTDOWN] = hv_dm_shutdown,
	[LB_DM_RELOCATE] = hv_dm_relocate,
	[LB_DM_PARAM] = hv_dm_param,
	[LB_GUEST_ATTACH] = hv_guest_attach,
	[LB_GUEST_SERVER] = hv_guest_server,
	[LB_GUEST_BALLOON] = hv_guest_balloon,
	[LB_GUEST_DIRTY] = hv_guest_dirty,
};

static void conn_close(struct hv_conn *conn)
{
	hv_grant_conn_close(conn);
	hv_memory_conn_close(conn);
	hv_guest_conn_close(conn);
	hv_handle_put(conn->handle);
	LIST_REMOVE(conn, link);
	close(conn->fd);
	free(conn);
}

/* An ill-formed packet, or 0 when the other end has gone: -EIO; the connection ends. */
static ssize_t receive(struct hv_conn *conn, struct lb_msg *msg, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov[2] = { { msg, sizeof(*msg) }, { in, sizeof(in) } };
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(conn->fd, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*fd = -1;
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return n < (ssize_t)sizeof(*msg) ? -EIO : n - (ssize_t)sizeof(*msg);
}

static int reply(struct hv_conn *conn, struct hv_call *call)
{
	char control[CMSG_SPACE(sizeof(int) * LB_MAX_FDS)] __attribute__((aligned(8))) = { 0 };
	struct iovec iov[2] = { { call->msg, sizeof(*call->msg) }, { out, call->out_len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = call->out_len ? 2 : 1 };
	struct cmsghdr *c;

	if (call->nfds) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * call->nfds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * call->nfds);
		memcpy(CMSG_DATA(c), call->fds, sizeof(int) * call->nfds);
	}
	return sendmsg(conn->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -EIO : 0;
}

static void serve(struct hv_source *source)
{
	struct hv_conn *conn = hv_of(source, struct hv_conn, source);
	struct lb_msg msg;
	struct hv_call call = { .msg = &msg, .in = in, .out = out };
	ssize_t n;
	int r;

	if (conn->dead)
		return;
	n = receive(conn, &msg, &call.in_fd);
	if (n < 0) {
		conn->dead = true;
		return;
	}
	call.in_len = (size_t)n;
	if (msg.op >= LB_OP_COUNT || !handlers[msg.op])
		r = -ENOSYS;
	else if (!conn->domain && msg.op != LB_HELLO)
		r = -EPERM;
	else
		r = handlers[msg.op](conn, &call);
	if (call.in_fd >= 0)
		close(call.in_fd);
	msg.result = r;
	if (r < 0)
		call.nfds = 0, call.out_len = 0;
	if (reply(conn, &call) < 0)
		conn->dead = true;
}

static void bury(void)
{
	struct hv_conn *c, *next;

	for (c = LIST_FIRST(&hv_conns); c; c = next) {
		next = LIST_NEXT(c, link);
		if (!c->dead)
			continue;
		conn_close(c);
		next = LIST_FIRST(&hv_conns); /* a notification on closing may have ended others */
	}
	for (unsigned int i = 0; i < LB_MAX_DOMAINS; i++) {
		if (hv_domains[i] && hv_domains[i]->xenbus)
			hv_xenbus_bury(hv_domains[i]->xenbus);
		if (hv_domains[i])
			hv_domain_release(hv_domains[i]);
	}
}

static int listener;

static void accept_one(struct hv_source *source)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	struct hv_conn *conn;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	(void)source;
	if (fd < 0)
		return;
	conn = calloc(1, sizeof(*conn));
	if (!conn) {
		close(fd);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	conn->source.ready = serve;
	conn->fd = fd;
	conn->pid = cred.pid;
	conn->restrict_domid = LB_NO_DOMAIN;
	conn->next_id = 1;
	LIST_INSERT_HEAD(&hv_conns, conn, link);
	hv_poll(&conn->source, fd);
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 128) < 0)
		return -errno;
	return fd;
}

static int shared_init(void)
{
	hv_shared_fd = memfd_create("loopback", MFD_CLOEXEC);
	if (hv_shared_fd < 0 || ftruncate(hv_shared_fd, sizeof(*hv_shared)) < 0)
		return -errno;
	hv_shared =
		mmap(NULL, sizeof(*hv_shared), PROT_READ | PROT_WRITE, MAP_SHARED, hv_shared_fd, 0);
	if (hv_shared == MAP_FAILED)
		return -errno;
	for (unsigned int i = 0; i < LB_MAX_DOMAINS; i++)
		atomic_store(&hv_shared->domains[i].domid, LB_NO_DOMAIN);
	return 0;
}

int main(int argc, char **argv)
{
	static const uint8_t uuid[16];
	static struct hv_source accepting = { accept_one };

	if (argc != 2) {
		fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	socket_path = argv[1];
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_at(socket_path);
	if (epoll < 0 || listener < 0 || shared_init() < 0 ||
	    !hv_domain_create(0, LB_TYPE_PV, 0x10000, 1, uuid)) {
		fprintf(stderr, "%s: %m\n", argv[1]);
		return 1;
	}
	hv_poll(&accepting, listener);
	if (!freopen("/dev/null", "w", stdout))
		return 1;

	for (;;) {
		struct epoll_event events[32];
		int n = epoll_wait(epoll, events, 32, -1);

		/* What ends is freed only after the round: its events may still be in the list. */
		for (int i = 0; i < n; i++) {
			struct hv_source *source = events[i].data.ptr;

			source->ready(source);
		}
		bury();
	}
}
