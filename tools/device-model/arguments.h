/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line that libxl gives a device model: what is ours in it, and what QEMU gets. */
#ifndef XO_TOOLS_ARGUMENTS_H
#define XO_TOOLS_ARGUMENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define XO_OPTICAL_MAX 8 /* drives of one guest */

struct xo_dm_arguments {
	char **qemu; /* argv of QEMU: the same without `-optical …`; ends with NULL */
	const char *optical[XO_OPTICAL_MAX]; /* the options, "drive=…,bus=…" */
	size_t optical_count;
	int domid; /* -1: not for a domain, libxl's probe of the binary */
	int qmp_fd; /* the listening socket on which libxl speaks to QEMU; -1: there is none */
	char *qmp_path; /* where QEMU was to make that socket (libxl gives either); NULL */
	int qmp_at; /* the place in `qemu` of the option with qmp_fd or qmp_path */
	int incoming_fd; /* QEMU's saved state; -1: the guest starts anew */
	bool pv; /* QEMU is only the backend of a guest without a device model */
};

/* 0; -EINVAL with the reason in error[size]. argv is borrowed; xo_dm_arguments_fini frees the rest. */
int xo_dm_arguments_parse(struct xo_dm_arguments *arguments, int argc, char **argv, char *error,
			  size_t size);
void xo_dm_arguments_fini(struct xo_dm_arguments *arguments);

/* What in QEMU's command line says which PCI devices it makes: an array, for the launcher (qemu_slots.h). */
json_t *xo_dm_devices(const struct xo_dm_arguments *arguments);

/*
 * The options of `-optical` as the launcher takes them, for the `n`-th of its emulated controllers (a
 * drive may be given on two buses): ["drive=…", "bus=…", …]; NULL when it has no n-th one. Its
 * buses of the ring are left to the launcher.
 */
json_t *xo_dm_options(const char *optical, size_t n);

#endif
