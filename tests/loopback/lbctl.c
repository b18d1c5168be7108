// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lbctl: the toolstack of the loopback. Makes, pauses and destroys domains with the store nodes that
 * libxl would write, lists them, and says which processes hold what.
 */
#include "client.h"
#include "lb.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <xenstore.h>

static struct lb_conn conn;

static int fail(const char *what, int r)
{
	fprintf(stderr, "lbctl: %s: %s\n", what, strerror(-r));
	return 1;
}

static int usage(const char *text)
{
	fprintf(stderr, "usage: lbctl %s\n", text);
	return 2;
}

/* ---- store ---- */

struct node {
	const char *path; /* below the domain's home; %s is not used elsewhere */
	enum { OF_DOM0, READABLE, OF_GUEST } perms;
};

/* What libxl makes for every domain: a home that it reads, and few places that it writes. */
static const struct node home[] = {
	{ "", READABLE },
	{ "/cpu", READABLE },
	{ "/memory", READABLE },
	{ "/device", READABLE },
	{ "/control", READABLE },
	{ "/control/shutdown", OF_GUEST },
	{ "/control/feature-poweroff", OF_GUEST },
	{ "/control/feature-reboot", OF_GUEST },
	{ "/control/feature-suspend", OF_GUEST },
	{ "/control/sysrq", OF_GUEST },
	{ "/device/suspend/event-channel", OF_GUEST },
	{ "/data", OF_GUEST },
	{ "/drivers", OF_GUEST },
	{ "/feature", OF_GUEST },
	{ "/attr", OF_GUEST },
	{ "/error", OF_GUEST },
};

static bool make(struct xs_handle *xs, const char *path, const char *value, unsigned int domid,
		 int perms)
{
	struct xs_permissions p[2] = { { .id = 0, .perms = XS_PERM_NONE },
				       { .id = domid, .perms = XS_PERM_READ } };

	if (perms == OF_GUEST)
		p[0].id = domid;
	return xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value)) &&
	       xs_set_permissions(xs, XBT_NULL, path, p, perms == READABLE ? 2 : 1);
}

static bool write_home(struct xs_handle *xs, unsigned int domid, const char *name, const char *uuid,
		       const char *type)
{
	char base[64], vm[64], path[256], text[64];
	bool ok = true;

	snprintf(base, sizeof(base), "/local/domain/%u", domid);
	snprintf(vm, sizeof(vm), "/vm/%s", uuid);
	for (size_t i = 0; i < sizeof(home) / sizeof(home[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", base, home[i].path);
		ok = ok && make(xs, path, "", domid, home[i].perms);
	}
	snprintf(path, sizeof(path), "%s/vm", base);
	ok = ok && make(xs, path, vm, domid, READABLE);
	snprintf(path, sizeof(path), "%s/name", base);
	ok = ok && make(xs, path, name, domid, READABLE);
	snprintf(path, sizeof(path), "%s/domid", base);
	snprintf(text, sizeof(text), "%u", domid);
	ok = ok && make(xs, path, text, domid, READABLE);
	ok = ok && make(xs, vm, "", domid, READABLE);
	snprintf(path, sizeof(path), "%s/uuid", vm);
	ok = ok && make(xs, path, uuid, domid, READABLE);
	snprintf(path, sizeof(path), "%s/name", vm);
	ok = ok && make(xs, path, name, domid, READABLE);
	snprintf(path, sizeof(path), "/libxl/%u", domid);
	ok = ok && make(xs, path, "", domid, OF_DOM0);
	snprintf(path, sizeof(path), "/libxl/%u/type", domid);
	return ok && make(xs, path, type, domid, OF_DOM0);
}

/* Where libxl would keep the domain's configuration; "" without the loopback's folder. */
static const char *json_path(char path[4096], unsigned int domid, const char *uuid)
{
	const char *dir = getenv("XENOPTIC_LOOPBACK_DIR");

	path[0] = '\0';
	if (dir)
		snprintf(path, 4096, "%s/libxl/userdata-d.%u.%s.libxl-json", dir, domid, uuid);
	return path;
}

/* As libxl at the very end of a domain's making: written aside, then renamed. */
static bool write_json(unsigned int domid, const char *uuid)
{
	char path[4096], aside[4200];
	FILE *f;

	if (!*json_path(path, domid, uuid))
		return true;
	snprintf(aside, sizeof(aside), "%s.new", path);
	f = fopen(aside, "w");
	if (!f)
		return errno == ENOENT; /* a loopback without that folder */
	fprintf(f, "{\n    \"c_info\": {},\n    \"b_info\": {}\n}\n");
	return !fclose(f) && !rename(aside, path);
}

static void remove_home(struct xs_handle *xs, unsigned int domid)
{
	char path[256], json[4096];
	unsigned int len;
	char *vm;

	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	vm = xs_read(xs, XBT_NULL, path, &len);
	if (vm && strlen(vm) > 4)
		unlink(json_path(json, domid, vm + 4));
	if (vm)
		xs_rm(xs, XBT_NULL, vm);
	free(vm);
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	xs_rm(xs, XBT_NULL, path);
	snprintf(path, sizeof(path), "/libxl/%u", domid);
	xs_rm(xs, XBT_NULL, path);
}

/* ---- commands ---- */

static int parse_uuid(const char *text, uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++) {
		unsigned int byte;

		if (*text == '-')
			text++;
		if (sscanf(text, "%2x", &byte) != 1)
			return -EINVAL;
		uuid[i] = (uint8_t)byte;
		text += 2;
	}
	return *text ? -EINVAL : 0;
}

static void random_uuid(char text[37])
{
	int fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);

	memset(text, 0, 37);
	if (fd < 0 || read(fd, text, 36) != 36)
		strcpy(text, "00000000-0000-0000-0000-000000000001");
	if (fd >= 0)
		close(fd);
}

static int cmd_create(int argc, char **argv)
{
	static const struct option options[] = {
		{ "type", 1, NULL, 't' },   { "memory", 1, NULL, 'm' },
		{ "vcpus", 1, NULL, 'v' },  { "uuid", 1, NULL, 'u' },
		{ "domid", 1, NULL, 'd' },  { "no-store", 0, NULL, 'n' },
		{ "paused", 0, NULL, 'p' }, { "unfinished", 0, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const types[] = { "pv", "pvh", "hvm" };
	const char *type;
	struct lb_msg msg = { .op = LB_DOM_CREATE, .a = { LB_NO_DOMAIN, LB_TYPE_PV, 32 * 256, 1 } };
	bool store = true, paused = false, finished = true, ok = true;
	struct xs_handle *xs = NULL;
	char uuid_text[37];
	uint8_t uuid[16];
	int c, r;

	random_uuid(uuid_text);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			while (msg.a[1] < 3 && strcmp(types[msg.a[1]], optarg) != 0)
				msg.a[1]++;
			break;
		case 'm':
			msg.a[2] = strtoul(optarg, NULL, 10) * 256;
			break;
		case 'v':
			msg.a[3] = strtoul(optarg, NULL, 10);
			break;
		case 'u':
			snprintf(uuid_text, sizeof(uuid_text), "%s", optarg);
			break;
		case 'd':
			msg.a[0] = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			store = false;
			break;
		case 'p':
			paused = true;
			break;
		case 'f': /* libxl is in the middle of it: no JSON yet */
			paused = true;
			finished = false;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 1 || parse_uuid(uuid_text, uuid) < 0 || msg.a[1] > 2)
		return usage("create-domain [--type pv|pvh|hvm] [--memory MIB] [--vcpus N] "
			     "[--uuid U] [--domid N] [--no-store] [--paused] [--unfinished] NAME");
	type = types[msg.a[1]];
	r = lb_call(&conn, &msg, uuid, 16, NULL, 0, NULL, 0);
	if (r < 0)
		return fail("create-domain", r);
	if (store) {
		xs = xs_open(0);
		ok = xs && write_home(xs, (unsigned int)r, argv[optind], uuid_text, type) &&
		     xs_introduce_domain(xs, (unsigned int)r, msg.a[0], (unsigned int)msg.a[1]);
		ok = ok && (!finished || write_json((unsigned int)r, uuid_text));
		if (!ok)
			fail("store", -errno);
		if (xs)
			xs_close(xs);
	}
	if (ok && !paused)
		lb_call3(&conn, LB_DOM_UNPAUSE, (uint64_t)r, 0, 0);
	printf("%d\n", r);
	return !ok;
}

static int cmd_destroy(int argc, char **argv)
{
	bool keep = argc == 3 && strcmp(argv[2], "--keep-store") == 0;
	struct xs_handle *xs;
	unsigned int domid;
	int r;

	if (argc != 2 && !keep)
		return usage("destroy-domain DOMID [--keep-store]");
	domid = (unsigned int)strtoul(argv[1], NULL, 10);
	r = lb_call3(&conn, LB_DOM_DESTROY, domid, 0, 0);
	if (r < 0)
		return fail("destroy-domain", r);
	xs = keep ? NULL : xs_open(0);
	if (xs) {
		remove_home(xs, domid);
		xs_close(xs);
	}
	return 0;
}

static int simple(const char *name, enum lb_op op, int argc, char **argv)
{
	int r;

	if (argc < 2)
		return usage("pause|unpause|shutdown DOMID [REASON]");
	r = lb_call3(&conn, op, strtoul(argv[1], NULL, 10),
		     argc > 2 ? strtoul(argv[2], NULL, 10) : 0, 0);
	return r < 0 ? fail(name, r) : 0;
}

static int cmd_pause(int argc, char **argv)
{
	return simple("pause", LB_DOM_PAUSE, argc, argv);
}

static int cmd_unpause(int argc, char **argv)
{
	return simple("unpause", LB_DOM_UNPAUSE, argc, argv);
}

static int cmd_shutdown(int argc, char **argv)
{
	return simple("shutdown", LB_DOM_SHUTDOWN, argc, argv);
}

static int domains(struct lb_dom_info *info)
{
	struct lb_msg msg = { .op = LB_DOM_INFO };

	return lb_call(&conn, &msg, NULL, 0, info, LB_MAX_DOMAINS * sizeof(*info), NULL, 0);
}

static int cmd_list(int argc, char **argv)
{
	static const char *const types[] = { "pv", "pvh", "hvm" };
	struct lb_dom_info info[LB_MAX_DOMAINS];
	int n = domains(info);

	(void)argc;
	(void)argv;
	if (n < 0)
		return fail("list", n);
	for (int i = 0; i < n; i++)
		printf("%u %s %c%c%c vcpus=%u pages=%llu paused=%u grants-mapped=%u "
		       "foreign-mapped=%u\n",
		       info[i].domid, types[info[i].type], info[i].paused ? 'p' : '-',
		       info[i].shutdown ? 's' : '-', info[i].dying ? 'd' : '-', info[i].vcpus,
		       (unsigned long long)info[i].pages, info[i].paused, info[i].grants_mapped,
		       info[i].foreign_mapped);
	return 0;
}

static const char *program(int pid, char *buffer, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, buffer, size - 1);
		close(fd);
	}
	buffer[n > 0 ? n - 1 : 0] = 0;
	return buffer;
}

/* Prints who is connected, beside xenstored; 1 when anybody is. */
static int cmd_clients(int argc, char **argv)
{
	static const char *const kinds[] = { "?",	"evtchn",	 "gnttab",
					     "gntshr",	"foreignmemory", "devicemodel",
					     "control", "guest" };
	static struct lb_client_info info[LB_MAX_PAYLOAD / sizeof(struct lb_client_info)];
	struct lb_msg msg = { .op = LB_CLIENTS };
	int n = lb_call(&conn, &msg, NULL, 0, info, sizeof(info), NULL, 0), left = 0;
	char comm[64];

	(void)argc;
	(void)argv;
	if (n < 0)
		return fail("clients", n);
	for (int i = 0; i < n; i++) {
		if (strcmp(program(info[i].pid, comm, sizeof(comm)), "xenstored") == 0)
			continue;
		left = 1;
		printf("pid %d (%s) domain %u %s ports=%u mapped=%u shared=%u\n", info[i].pid, comm,
		       info[i].domid, kinds[info[i].kind <= LB_KIND_GUEST ? info[i].kind : 0],
		       info[i].ports, info[i].maps, info[i].shares);
	}
	return left;
}

/* What xenstored reads from /proc/xen: Dom0's port and page. */
static int cmd_prepare_store(int argc, char **argv)
{
	struct lb_dom_info info[LB_MAX_DOMAINS];
	char path[4096];
	FILE *f;
	int n;

	if (argc != 2)
		return usage("prepare-store DIRECTORY");
	n = domains(info);
	if (n < 1)
		return fail("prepare-store", n);
	snprintf(path, sizeof(path), "%s/xsd_port", argv[1]);
	f = fopen(path, "we");
	if (!f)
		return fail(path, -errno);
	fprintf(f, "%u", info[0].store_port);
	fclose(f);
	snprintf(path, sizeof(path), "%s/xsd_kva", argv[1]);
	f = fopen(path, "we");
	if (!f)
		return fail(path, -errno);
	if (ftruncate(fileno(f), LB_PAGE) < 0)
		n = -errno;
	fclose(f);
	return n < 0 ? fail(path, n) : 0;
}

/* What xen-init-dom0 writes when Dom0 comes up */
static int cmd_init_dom0(int argc, char **argv)
{
	struct xs_handle *xs = xs_open(0);
	bool ok;

	(void)argc;
	(void)argv;
	ok = xs && make(xs, "/local/domain/0/domid", "0", 0, OF_DOM0) &&
	     make(xs, "/local/domain/0/name", "Domain-0", 0, OF_DOM0);
	if (xs)
		xs_close(xs);
	return ok ? 0 : fail("init-dom0", -errno);
}

/* Until DIRECTORY/NAME exists, at most ten seconds */
static int cmd_wait_file(int argc, char **argv)
{
	char path[4096], buffer[4096];
	struct pollfd p = { .events = POLLIN };

	if (argc != 3)
		return usage("wait-file DIRECTORY NAME");
	snprintf(path, sizeof(path), "%s/%s", argv[1], argv[2]);
	p.fd = inotify_init1(IN_CLOEXEC);
	if (p.fd < 0 || inotify_add_watch(p.fd, argv[1], IN_CREATE | IN_MOVED_TO) < 0)
		return fail(argv[1], -errno);
	while (access(path, F_OK) < 0) {
		if (poll(&p, 1, 10000) != 1)
			return fail(path, -ETIMEDOUT);
		if (read(p.fd, buffer, sizeof(buffer)) < 0)
			return fail(path, -errno);
	}
	close(p.fd);
	return 0;
}

/* One access by a vCPU of the domain: what a guest's in, out, or mov would be. */
static int cmd_io(int argc, char **argv)
{
	static const char text[] = "io DOMID VCPU in|out|read|exits|write|pci-read|pci-write "
				   "ADDRESS SIZE [VALUE] (PCI: BDF << 8 | REGISTER; exits: of a "
				   "read)";
	struct lb_vcpu *vcpu;
	uint64_t address, value = 0;
	unsigned int size;
	uint32_t word = 0;
	int r = -EINVAL;

	if (argc < 6)
		return usage(text);
	address = strtoull(argv[4], NULL, 0);
	size = (unsigned int)strtoul(argv[5], NULL, 0);
	if (argc > 6)
		value = strtoull(argv[6], NULL, 0);
	vcpu = lb_vcpu_open((uint32_t)strtoul(argv[1], NULL, 10),
			    (unsigned int)strtoul(argv[2], NULL, 10));
	if (!vcpu)
		return fail("io", -errno);
	if (strcmp(argv[3], "in") == 0)
		r = lb_in(vcpu, (uint32_t)address, size, &word);
	else if (strcmp(argv[3], "out") == 0)
		r = lb_out(vcpu, (uint32_t)address, size, (uint32_t)value);
	else if (strcmp(argv[3], "read") == 0 || strcmp(argv[3], "exits") == 0)
		r = lb_read(vcpu, address, size, &value);
	else if (strcmp(argv[3], "write") == 0)
		r = lb_write(vcpu, address, size, value);
	else if (strcmp(argv[3], "pci-read") == 0)
		r = lb_pci_read(vcpu, (unsigned int)(address >> 8), address & 255, size, &word);
	else if (strcmp(argv[3], "pci-write") == 0)
		r = lb_pci_write(vcpu, (unsigned int)(address >> 8), address & 255, size,
				 (uint32_t)value);
	if (strcmp(argv[3], "exits") == 0)
		word = (uint32_t)lb_vcpu_exits(vcpu);
	lb_vcpu_close(vcpu);
	if (r < 0)
		return fail("io", r);
	if (argc == 6)
		printf("%#llx\n", (unsigned long long)(strcmp(argv[3], "read") ? word : value));
	return 0;
}

/* What emulators have injected, the oldest kept one first. */
static int cmd_injections(int argc, char **argv)
{
	const struct lb_domain *d;
	uint64_t n, first;
	int slot;

	if (argc != 2)
		return usage("injections DOMID");
	slot = lb_slot_of(conn.shared, (uint32_t)strtoul(argv[1], NULL, 10));
	if (slot < 0)
		return fail(argv[1], -ESRCH);
	d = &conn.shared->domains[slot];
	n = d->injected;
	first = n > LB_MAX_INJECTIONS ? n - LB_MAX_INJECTIONS : 0;
	for (uint64_t i = first; i < n; i++) {
		const struct lb_injection *j = &d->injections[i % LB_MAX_INJECTIONS];
		unsigned long long address = j->address;

		if (j->type == LB_INJECTED_MSI)
			printf("msi %#llx %#x\n", address, j->data);
		else if (j->type == LB_INJECTED_INTX)
			printf("intx %llu %c %u\n", address >> 2, "ABCD"[address & 3], j -> data);
		else if (j->type == LB_INJECTED_ISA)
			printf("isa %llu %u\n", address, j->data);
		else
			printf("shutdown %u\n", j->data);
	}
	return 0;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	bool connects;
} commands[] = {
	{ "create-domain", cmd_create, true },	{ "destroy-domain", cmd_destroy, true },
	{ "pause", cmd_pause, true },		{ "unpause", cmd_unpause, true },
	{ "shutdown", cmd_shutdown, true },	{ "list", cmd_list, true },
	{ "clients", cmd_clients, true },	{ "io", cmd_io, false },
	{ "injections", cmd_injections, true }, { "prepare-store", cmd_prepare_store, true },
	{ "init-dom0", cmd_init_dom0, false },	{ "wait-file", cmd_wait_file, false },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		int r;

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		r = commands[i].connects ? lb_connect_as(&conn, LB_KIND_CONTROL, O_CLOEXEC, 0) : 0;
		if (r < 0)
			return fail("XENOPTIC_LOOPBACK", r);
		r = commands[i].run(argc - 1, argv + 1);
		if (commands[i].connects)
			lb_disconnect(&conn);
		return r;
	}
	fprintf(stderr, "usage: lbctl COMMAND …; commands:");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, " %s", commands[i].name);
	fputc('\n', stderr);
	return 2;
}
