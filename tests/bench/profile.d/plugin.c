// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU's emulator (its API 1, whose header Debian does not have): how often the instructions of each
 * translated block were executed by each of the machine's CPUs, between two calls of functions of a guest's program.
 *
 * -plugin plugin.so,begin=ADDRESS,end=ADDRESS,out=FILE: counting starts when the first is executed; when the second is, FILE
 * gets a line "ADDRESS COUNT…" a block, and the machine goes on without the plugin.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info;
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned int vcpu, void *userdata);
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_vcpu_tb_trans_cb_t cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, qemu_plugin_vcpu_udata_cb_t cb,
					  enum qemu_plugin_cb_flags flags, void *userdata);
typedef void (*qemu_plugin_simple_cb_t)(qemu_plugin_id_t id);
void qemu_plugin_uninstall(qemu_plugin_id_t id, qemu_plugin_simple_cb_t cb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

#define EXPORTED __attribute__((visibility("default")))
extern int qemu_plugin_version;
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);
EXPORTED int qemu_plugin_version = 1;

#define CPUS 4
#define BLOCKS (1u << 22)
#define LENGTHS 1024u /* a block has fewer instructions */

static struct block {
	uint64_t address;
	uint64_t executed[CPUS];
} * blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t begin, end;
static const char *out;
static qemu_plugin_id_t self;

static void gone(qemu_plugin_id_t id)
{
	(void)id;
}

static void executed(unsigned int vcpu, void *userdata)
{
	uintptr_t word = (uintptr_t)userdata;

	if (vcpu < CPUS)
		blocks[word / LENGTHS].executed[vcpu] += word % LENGTHS;
}

static void started(unsigned int vcpu, void *userdata)
{
	(void)vcpu;
	(void)userdata;
	for (unsigned int i = 0; i < BLOCKS; i++)
		memset(blocks[i].executed, 0, sizeof(blocks[i].executed));
}

static void ended(unsigned int vcpu, void *userdata)
{
	FILE *f = fopen(out, "w");

	(void)vcpu;
	(void)userdata;
	if (!f)
		abort();
	for (unsigned int i = 0; i < BLOCKS; i++) {
		uint64_t sum = 0;

		for (unsigned int cpu = 0; cpu < CPUS; cpu++)
			sum += blocks[i].executed[cpu];
		if (!sum)
			continue;
		fprintf(f, "%" PRIx64, blocks[i].address);
		for (unsigned int cpu = 0; cpu < CPUS; cpu++)
			fprintf(f, " %" PRIu64, blocks[i].executed[cpu]);
		fputc('\n', f);
	}
	if (fclose(f))
		abort();
	qemu_plugin_uninstall(self, gone);
}

/* Open addressing; a full table would be sixteen times what a machine translates here. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	uintptr_t at = (uintptr_t)((address * 0x9e3779b97f4a7c15ull) >> 42) % BLOCKS;

	(void)id;
	pthread_mutex_lock(&lock);
	while (blocks[at].address && blocks[at].address != address)
		at = (at + 1) % BLOCKS;
	blocks[at].address = address;
	pthread_mutex_unlock(&lock);
	if (address == begin)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, started, QEMU_PLUGIN_CB_NO_REGS, NULL);
	if (address == end)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, ended, QEMU_PLUGIN_CB_NO_REGS, NULL);
	qemu_plugin_register_vcpu_tb_exec_cb(
		tb, executed, QEMU_PLUGIN_CB_NO_REGS,
		(void *)(at * LENGTHS + qemu_plugin_tb_n_insns(tb) % LENGTHS));
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
				 char **argv)
{
	(void)info;
	self = id;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "begin=", 6))
			begin = strtoull(argv[i] + 6, NULL, 0);
		else if (!strncmp(argv[i], "end=", 4))
			end = strtoull(argv[i] + 4, NULL, 0);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	}
	blocks = calloc(BLOCKS, sizeof(*blocks));
	if (!begin || !end || !out || !blocks)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
