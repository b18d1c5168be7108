// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A load of packet commands by SG_IO, one after the other, for tests/bench/xen; the same program in Dom0 and in guests.
 *
 * usage: sgload DEVICE tur|read|write KIB seconds:S|count:N [BYTES/S]
 * READ(10) and WRITE(10) go through the first 16 MiB of the medium (2 KiB blocks). With BYTES/S each command waits
 * until its time has come at that rate, as a burning program that feeds a buffer does.
 *
 * Prints one line of NAME=VALUE: commands, us (all of them together), busy_us (this system's CPUs, from /proc/stat),
 * and the quantiles of a command's latency in us: q10, q25, q50, q75, q90, q99, max.
 */
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 2048u
#define SPAN_BLOCKS (16u << 20 >> 11)
#define SAMPLES_MAX 200000u
#define LENGTH_MAX (512u << 10)
#define WARM_UP 8

static const struct {
	const char *name;
	unsigned char opcode, cdb_length;
	int direction;
} kinds[] = {
	{ "tur", 0x00, 6, SG_DXFER_NONE },
	{ "read", 0x28, 10, SG_DXFER_FROM_DEV },
	{ "write", 0x2a, 10, SG_DXFER_TO_DEV },
};

static float samples[SAMPLES_MAX];
static unsigned char *data;
static const char *device;
static unsigned int kind;
static int fd;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/*
 * Time of all CPUs that was not idle, since some moment. What /proc/stat says of idling is measured, at its begin and
 * end; what it says of the rest is counted in ticks, which commands may go with.
 */
static double busy_us(void)
{
	unsigned long long idle, wait;
	FILE *f = fopen("/proc/stat", "re");
	int n = f ? fscanf(f, "cpu %*u %*u %*u %llu %llu", &idle, &wait) : 0;

	if (f)
		fclose(f);
	return n == 2 ? now_us() * (double)sysconf(_SC_NPROCESSORS_ONLN) -
				(double)(idle + wait) * 1e6 / (double)sysconf(_SC_CLK_TCK)
		      : 0;
}

static void run(unsigned int number, unsigned int length)
{
	unsigned char sense[64];
	unsigned int blocks = length / BLOCK;
	unsigned int block = blocks ? number % (SPAN_BLOCKS / blocks) * blocks : 0;
	unsigned char cdb[10] = { kinds[kind].opcode,
				  0,
				  (unsigned char)(block >> 24),
				  (unsigned char)(block >> 16),
				  (unsigned char)(block >> 8),
				  (unsigned char)block,
				  0,
				  (unsigned char)(blocks >> 8),
				  (unsigned char)blocks };
	sg_io_hdr_t hdr = {
		.interface_id = 'S',
		.dxfer_direction = kinds[kind].direction,
		.cmd_len = kinds[kind].cdb_length,
		.mx_sb_len = sizeof(sense),
		.dxfer_len = length,
		.dxferp = data,
		.cmdp = cdb,
		.sbp = sense,
		.timeout = 60000,
	};

	if (!length)
		memset(cdb, 0, sizeof(cdb));
	if (ioctl(fd, SG_IO, &hdr) < 0) {
		fprintf(stderr, "sgload: %s: %s of %u bytes: %s\n", device, kinds[kind].name,
			length, strerror(errno));
		exit(1);
	}
	/* A UNIT ATTENTION of the first commands is none of ours. */
	if ((hdr.status || hdr.host_status) && number >= WARM_UP) {
		fprintf(stderr,
			"sgload: %s: %s of %u bytes: status %#x, host status %#x, sense "
			"%02x/%02x/%02x\n",
			device, kinds[kind].name, length, hdr.status, hdr.host_status,
			sense[2] & 15, sense[12], sense[13]);
		exit(1);
	}
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void print(unsigned int count, double us, double busy)
{
	static const unsigned int quantiles[] = { 10, 25, 50, 75, 90, 99 };

	qsort(samples, count, sizeof(samples[0]), compare);
	printf("commands=%u us=%.0f busy_us=%.0f", count, us, busy);
	for (unsigned int i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		printf(" q%u=%.1f", quantiles[i],
		       (double)samples[(uint64_t)(count - 1) * quantiles[i] / 100]);
	printf(" max=%.1f\n", (double)samples[count - 1]);
}

/* What an observer of the machine counts between: tests/bench/profile knows them by their addresses. */
void measured_begins(void);
void measured_ends(void);

__attribute__((noinline)) void measured_begins(void)
{
	__asm__ volatile("");
}

__attribute__((noinline)) void measured_ends(void)
{
	__asm__ volatile("");
}

static void load(unsigned int length, double seconds, unsigned int most, double rate)
{
	unsigned int count = 0;
	double busy, begin, at;

	for (unsigned int i = 0; i < WARM_UP; i++)
		run(i, length);
	busy = busy_us();
	measured_begins();
	begin = at = now_us();
	while (count < most && at - begin < seconds * 1e6) {
		double issued;

		if (rate > 0 && at < begin + count * (length / rate) * 1e6)
			usleep((useconds_t)(begin + count * (length / rate) * 1e6 - at));
		issued = now_us();
		run(WARM_UP + count, length);
		at = now_us();
		samples[count++] = (float)(at - issued);
	}
	measured_ends();
	print(count, at - begin, busy_us() - busy);
}

int main(int argc, char **argv)
{
	unsigned int length = argc > 3 ? (unsigned int)atoi(argv[3]) << 10 : 0;
	bool by_count = argc > 4 && !strncmp(argv[4], "count:", 6);
	double seconds = argc > 4 && !strncmp(argv[4], "seconds:", 8) ? atof(argv[4] + 8) : 1e9;

	while (argc > 2 && kind < 3 && strcmp(argv[2], kinds[kind].name) != 0)
		kind++;
	if (argc < 5 || kind == 3 || length > LENGTH_MAX || (kind > 0) != (length > 0))
		return 2;
	device = argv[1];
	fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		perror(device);
		return 1;
	}
	data = aligned_alloc(4096, LENGTH_MAX);
	if (!data)
		return 1;
	for (unsigned int i = 0; i < LENGTH_MAX; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096);
	load(length, seconds, by_count ? (unsigned int)atoi(argv[4] + 6) : SAMPLES_MAX,
	     argc > 5 ? atof(argv[5]) : 0);
	return 0;
}
