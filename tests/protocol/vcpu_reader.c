/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_reader DOMID DEVICE ahci|ide IMAGE [ROUNDS]: a guest's driver on the loopback's
 * virtual CPU: sets up the controller and reads the disc whole, as often as
 * asked, each time comparing it with IMAGE. Prints "read" after each round.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "vcpu_drive.h"

#define BLOCKS 8u
#define BYTES (BLOCKS * 2048u)

static void read_disc(const uint8_t *image, size_t size)
{
	uint8_t *buffer = vcpu_drive_buffer();

	for (size_t at = 0; at < size; at += BYTES) {
		uint32_t bytes = size - at < BYTES ? (uint32_t)(size - at) : BYTES;
		uint8_t cdb[12] = { 0x28 };

		xo_put_be32(cdb + 2, (uint32_t)(at / 2048));
		xo_put_be16(cdb + 7, (uint16_t)(bytes / 2048));
		memset(buffer, 0xa5, BYTES);
		if (!vcpu_drive_command(cdb, false, bytes))
			vcpu_drive_die("READ (10) failed");
		if (memcmp(buffer, image + at, bytes) != 0)
			vcpu_drive_die("the disc reads differently");
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 5 ? atoi(argv[5]) : 1;
	uint8_t *image;
	struct stat st;
	int fd;

	if (argc < 5)
		vcpu_drive_die("DOMID DEVICE ahci|ide IMAGE [ROUNDS]");
	fd = open(argv[4], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		vcpu_drive_die("cannot open the image");
	image = malloc((size_t)st.st_size);
	if (!image || read(fd, image, (size_t)st.st_size) != st.st_size)
		vcpu_drive_die("cannot read the image");
	vcpu_drive_open((uint32_t)atoi(argv[1]), (unsigned int)atoi(argv[2]), argv[3]);
	for (int i = 0; i < rounds; i++) {
		vcpu_drive_ready();
		read_disc(image, (size_t)st.st_size);
		puts("read");
		fflush(stdout);
	}
	free(image);
	close(fd);
	vcpu_drive_close();
	return 0;
}
