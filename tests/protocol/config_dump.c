/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints a controller's configuration space as `lspci -F` reads it: `config_dump ide|ahci [enumerated]`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_drive.h"
#include "rig.h"

static void enumerate(struct rig *rig)
{
	for (unsigned int bar = 0; bar < 6; bar++) {
		uint32_t size;

		rig_config_write(rig, 0x10 + 4 * bar, 4, 0xffffffff);
		size = rig_config_read(rig, 0x10 + 4 * bar, 4);
		rig_config_write(rig, 0x10 + 4 * bar, 4,
				 size & 1 ? 0xc000 + 0x20 * bar : 0xf3000000 + 0x10000 * bar);
	}
	rig_config_write(rig, 0x3c, 1, 5);
	rig_config_write(rig, 0x0d, 1, 0x40);
	rig_config_write(rig, 4, 2, 7);
	if (rig->kind == RIG_AHCI) {
		rig_config_write(rig, 0x84, 4, 0xfee01000);
		rig_config_write(rig, 0x8c, 2, 0x4041);
		rig_config_write(rig, 0x82, 2, 1);
	}
}

int main(int argc, char **argv)
{
	static struct fake_drive fake;
	static struct rig rig;
	struct xo_packet_drive drive;

	fake_drive_init(&fake, &drive);
	if (argc < 2 || rig_init(&rig, strcmp(argv[1], "ide") ? RIG_AHCI : RIG_IDE, &drive))
		return EXIT_FAILURE;
	if (argc > 2)
		enumerate(&rig);
	printf("%02x:%02x.%x 0000: 0000:0000\n", 0, rig.devfn >> 3, rig.devfn & 7);
	for (unsigned int at = 0; at < 256; at++)
		printf("%s%02x", at % 16 ? " " : (printf("%s%02x: ", at ? "\n" : "", at), ""),
		       rig_config_read(&rig, at, 1));
	puts("");
	rig_fini(&rig);
	return EXIT_SUCCESS;
}
