// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measures what the ledger rests on: a process is killed (-9) while its SG_IO runs; does the command complete, and do
 * sg_io_hdr, sense and data, which lie in a memfd that another process holds, get filled in?
 *
 * usage: sgkill [-t] DEVICE HOLD-COMMAND RELEASE-COMMAND HEX-CDB LENGTH DATA-FILE
 * DEVICE is opened, then HOLD-COMMAND makes the drive stop answering. The child issues the CDB with a data-in buffer of
 * LENGTH (0: none); -t from a second thread. When it sleeps uninterruptibly in the ioctl the parent kills it, runs
 * RELEASE-COMMAND, which lets the drive go on, waits for the
 * child's end, prints what the memfd holds and writes its data to DATA-FILE. Exits 0 if the result is there.
 */
#include <fcntl.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILL 0xa5
#define DATA_MAX (1 << 20)

/* What lies in the memfd. */
struct cell {
	sg_io_hdr_t hdr;
	unsigned char cdb[16];
	unsigned char sense[64];
	unsigned char untouched[4096 - sizeof(sg_io_hdr_t) - 16 - 64];
	unsigned char data[DATA_MAX];
};

static struct cell *cell;
static int device;

static void *issue(void *unused)
{
	(void)unused;
	ioctl(device, SG_IO, &cell->hdr);
	_exit(3); /* not reached by a killed process */
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The state letter of a thread of the process, '?' when it is gone. With any: D if one of its threads is in D. */
static char state_of(pid_t pid)
{
	char command[128], letters[64] = "";
	FILE *f;

	snprintf(command, sizeof(command),
		 "sed 's/.*) //' /proc/%d/task/*/stat 2>/dev/null | cut -c1 | tr -d '\\n'",
		 (int)pid);
	f = popen(command, "r");
	if (f && !fgets(letters, sizeof(letters), f))
		letters[0] = '?';
	if (f)
		pclose(f);
	return strchr(letters, 'D') ? 'D' : letters[0];
}

static bool wait_state(pid_t pid, char want)
{
	for (int i = 0; i < 500; i++) {
		if (state_of(pid) == want)
			return true;
		usleep(20000);
	}
	return false;
}

static int prepare(const char *hex, unsigned int length)
{
	int fd = memfd_create("cell", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*cell)) < 0)
		return -1;
	cell = mmap(NULL, sizeof(*cell), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cell == MAP_FAILED)
		return -1;
	memset(cell, FILL, sizeof(*cell)); /* faults every page in */
	memset(&cell->hdr, 0, sizeof(cell->hdr));
	cell->hdr.interface_id = 'S';
	cell->hdr.cmd_len = (unsigned char)(strlen(hex) / 2);
	for (unsigned int i = 0; i < cell->hdr.cmd_len && i < sizeof(cell->cdb); i++)
		if (sscanf(hex + 2 * i, "%2hhx", &cell->cdb[i]) != 1)
			return -1;
	cell->hdr.dxfer_direction = length ? SG_DXFER_FROM_DEV : SG_DXFER_NONE;
	cell->hdr.dxfer_len = length;
	cell->hdr.mx_sb_len = sizeof(cell->sense);
	cell->hdr.cmdp = cell->cdb;
	cell->hdr.sbp = cell->sense;
	cell->hdr.dxferp = cell->data;
	cell->hdr.timeout = 600000;
	cell->hdr.status = 0xee;
	cell->hdr.host_status = 0xeeee;
	return 0;
}

static pid_t start(bool threaded)
{
	pthread_t thread;
	pid_t pid = fork();

	if (pid)
		return pid;
	/* A fork shares the pages but has its own page tables: fault them in again. */
	for (size_t i = 0; i < sizeof(*cell); i += 4096)
		((volatile unsigned char *)cell)[i] = ((volatile unsigned char *)cell)[i];
	if (threaded) {
		pthread_create(&thread, NULL, issue, NULL);
		pause();
	}
	issue(NULL);
	_exit(3);
}

/* Bytes up to the last that differs from the filling. */
static unsigned int filled(const unsigned char *p, unsigned int n)
{
	while (n && p[n - 1] == FILL)
		n--;
	return n;
}

int main(int argc, char **argv)
{
	bool threaded = argc > 1 && !strcmp(argv[1], "-t");
	unsigned int length;
	double killed;
	int status, out;
	pid_t pid;

	argv += threaded;
	if (argc - threaded != 7)
		return 2;
	length = (unsigned int)strtoul(argv[5], NULL, 0);
	device = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (device < 0 || length > DATA_MAX || prepare(argv[4], length) < 0) {
		perror(argv[1]);
		return 2;
	}
	if (system(argv[2]) != 0) {
		printf("%s failed\n", argv[2]);
		return 2;
	}
	pid = start(threaded);
	if (!wait_state(pid, 'D')) {
		printf("the process never slept in D: state %c\n", state_of(pid));
		kill(pid, SIGKILL);
		return 1;
	}
	kill(pid, SIGKILL);
	killed = now();
	usleep(300000);
	printf("killed while in SG_IO; 0.3 s later its state is %c, host_status in the memfd %#x\n",
	       state_of(pid), cell->hdr.host_status);
	if (waitpid(pid, &status, WNOHANG) == pid) {
		printf("the process is gone before its command ended\n");
		return 1;
	}
	if (system(argv[3]) != 0)
		printf("%s failed\n", argv[3]);
	waitpid(pid, &status, 0);
	printf("ended %.1f s after the kill, by signal %d\n", now() - killed,
	       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	printf("memfd: status %#x host %#x driver %#x info %#x resid %d sense length %d:",
	       cell->hdr.status, cell->hdr.host_status, cell->hdr.driver_status, cell->hdr.info,
	       cell->hdr.resid, cell->hdr.sb_len_wr);
	for (int i = 0; i < cell->hdr.sb_len_wr && i < 18; i++)
		printf(" %02x", cell->sense[i]);
	printf("\nmemfd: %u of %u data bytes filled in\n", filled(cell->data, length), length);
	fflush(stdout);
	if (cell->hdr.status == 0xee || cell->hdr.host_status == 0xeeee)
		return 1;
	out = open(argv[6], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || write(out, cell->data, length) != (ssize_t)length) {
		perror(argv[6]);
		return 1;
	}
	return 0;
}
