/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slots QEMU's command line takes. */
#include "qemu_slots.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* PCI devices that libxl's configurations lead to (libxl_dm.c) or that people add, by the beginnings of their names. */
static const char *const pci_devices[] = {
	"AC97",
	"ES1370",
	"VGA",
	"ahci",
	"bochs-display",
	"cirrus-vga",
	"e100",
	"i8255",
	"ich9-",
	"intel-hda",
	"lsi53c8",
	"ne2k_pci",
	"nec-usb-xhci",
	"pcnet",
	"piix3-usb-uhci",
	"piix4-usb-uhci",
	"pvscsi",
	"qemu-xhci",
	"qxl",
	"rtl8139",
	"sdhci-pci",
	"usb-ehci",
	"vmxnet3",
	"xen-pci-passthrough",
	"xen-platform",
	"xen-pvdevice",
};

static bool is_pci(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < XO_ARRAY_SIZE(pci_devices); i++)
		if (!strncmp(name, pci_devices[i], strlen(pci_devices[i])))
			return true;
	return length > 4 && !strncmp(name, "virtio-", 7) && !strcmp(name + length - 4, "-pci");
}

/* The value of an item of "DRIVER,KEY=VALUE,…"; false: it is not there. */
static bool item(const char *option, const char *key, char *value, size_t size)
{
	size_t length = strlen(key);

	while ((option = strchr(option, ','))) {
		option++;
		if (strncmp(option, key, length) != 0 || option[length] != '=')
			continue;
		option += length + 1;
		snprintf(value, size, "%.*s", (int)strcspn(option, ","), option);
		return true;
	}
	return false;
}

static void take(struct xo_qemu_slots *slots, unsigned long slot, const char *holder)
{
	if (slot < XO_PCI_SLOTS && !slots->holder[slot][0])
		snprintf(slots->holder[slot], sizeof(slots->holder[slot]), "%s", holder);
}

/* What has no address gets the lowest slot that is free, in the order of the command line. */
static void take_lowest(struct xo_qemu_slots *slots, const char *holder)
{
	unsigned int slot = 0;

	while (slot < XO_PCI_SLOTS && slots->holder[slot][0])
		slot++;
	take(slots, slot, holder);
}

/* With an address (hexadecimal, "1d" or "1d.7"), or, if `lowest`, without one. */
static void take_device(struct xo_qemu_slots *slots, const char *option, bool lowest)
{
	char name[32];
	char bus[16] = "pci.0";
	char address[16];
	bool addressed = item(option, "addr", address, sizeof(address));
	char *end;
	unsigned long slot;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(option, ","), option);
	item(option, "bus", bus, sizeof(bus));
	if (strcmp(bus, "pci.0") != 0 || addressed == lowest)
		return;
	if (lowest) {
		if (is_pci(name))
			take_lowest(slots, name);
		return;
	}
	slot = strtoul(address, &end, 16);
	if (end > address && (!*end || *end == '.'))
		take(slots, slot, name);
}

/* "-NAME" or "--NAME". */
static bool is_option(const char *argument, const char *name)
{
	if (*argument++ != '-')
		return false;
	if (*argument == '-')
		argument++;
	return !strcmp(argument, name);
}

void xo_qemu_slots_read(struct xo_qemu_slots *slots, const char *const *argv, size_t count)
{
	bool platform = false;
	bool vga = false;

	memset(slots, 0, sizeof(*slots));
	/* The only machine that hvmloader knows. */
	take(slots, 0, "host bridge");
	take(slots, 1, "PIIX3");
	for (size_t i = 0; i + 1 < count; i++)
		if (is_option(argv[i], "device"))
			take_device(slots, argv[i + 1], false);
	for (size_t i = 0; i + 1 < count; i++) {
		if (is_option(argv[i], "machine") || is_option(argv[i], "M"))
			platform = !strncmp(argv[i + 1], "xenfv", 5);
		else if (is_option(argv[i], "vga"))
			vga = strcmp(argv[i + 1], "none") != 0;
	}
	/* The machine's own come first; which of these slots has which is for the message only. */
	if (platform)
		take_lowest(slots, "xen-platform");
	if (vga)
		take_lowest(slots, "VGA");
	for (size_t i = 0; i + 1 < count; i++)
		if (is_option(argv[i], "device"))
			take_device(slots, argv[i + 1], true);
}

#define ARGUMENTS_MAX 1024
#define COMMAND_LINE_MAX 65536

static void read_told(struct xo_qemu_slots *slots, const json_t *told)
{
	const char *argv[ARGUMENTS_MAX];
	size_t count = 0;
	const json_t *argument;
	size_t i;

	json_array_foreach (told, i, argument)
		if (count < ARGUMENTS_MAX && json_is_string(argument))
			argv[count++] = json_string_value(argument);
	xo_qemu_slots_read(slots, argv, count);
}

/* Splits what /proc says at its zeros. How many; 0 unless it is the device model of that domain. */
static size_t split(const char *text, size_t length, unsigned int domid, const char **argv)
{
	bool ours = false;
	size_t count = 0;
	char number[12];

	snprintf(number, sizeof(number), "%u", domid);
	for (size_t at = 0; at < length && count < ARGUMENTS_MAX; at += strlen(text + at) + 1) {
		argv[count++] = text + at;
		ours = ours || (count > 1 && is_option(argv[count - 2], "xen-domid") &&
				!strcmp(text + at, number));
	}
	return ours ? count : 0;
}

/* libxl_dm.c leaves the pid there, which no guest can write. */
static void read_running(struct xo_qemu_slots *slots, struct xo_store *store, unsigned int domid)
{
	const char *argv[ARGUMENTS_MAX] = { NULL };
	char path[XO_STORE_PATH_MAX];
	char pid[16];
	size_t count = 0;
	size_t length = 0;
	char *text = calloc(1, COMMAND_LINE_MAX + 1);
	FILE *f = NULL;

	snprintf(path, sizeof(path), "/local/domain/%u/image/device-model-pid", domid);
	if (text && !xo_store_read(store, path, pid, sizeof(pid)) && atoi(pid) > 0) {
		snprintf(path, sizeof(path), "/proc/%d/cmdline", atoi(pid));
		f = fopen(path, "re");
	}
	if (f) {
		length = fread(text, 1, COMMAND_LINE_MAX, f);
		count = split(text, length, domid, argv);
		fclose(f);
	}
	xo_qemu_slots_read(slots, argv, count);
	free(text);
}

void xo_qemu_slots_find(struct xo_qemu_slots *slots, struct xo_store *store, unsigned int domid,
			const json_t *told)
{
	if (json_is_array(told))
		read_told(slots, told);
	else
		read_running(slots, store, domid);
}
