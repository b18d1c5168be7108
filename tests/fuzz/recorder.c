/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes down what a guest does to its emulated controller: linked into a xenoptic-ioemu of its own (local.mk), between
 * the ioreq server and the model, that takes the place of the installed one while record.sh runs. One line for each
 * access, in the order in which the model sees them, and below it what the model then read and wrote in guest memory;
 * recording.py makes seeds of them.
 *
 * $XENOPTIC_RECORD is the folder. The file is made before main() and is a mapping: the worker, shut in, can open and
 * write nothing. It has a fixed size; what no longer fits is left out.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host.h"
#include "mmc/sense.h"

#define RECORDING_BYTES (32u << 20)
/* Of a transfer: whole tables of descriptors, but of data only the begin. */
#define READ_BYTES 512u
#define WRITE_BYTES 64u

static char *recording;
static size_t used;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list arguments;
	int n;

	if (!recording)
		return;
	va_start(arguments, format);
	n = vsnprintf(recording + used, RECORDING_BYTES - used, format, arguments);
	va_end(arguments);
	if (n < 0 || used + (size_t)n >= RECORDING_BYTES) {
		recording[used] = '\0';
		recording = NULL;
		return;
	}
	used += (size_t)n;
}

static void say_bytes(const char *what, uint64_t address, const uint8_t *bytes, size_t length,
		      size_t shown)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * READ_BYTES + 1];
	size_t n = XO_MIN(length, shown);

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[2 * n] = '\0';
	say("%s %llx %zu %s\n", what, (unsigned long long)address, length, hex);
}

__attribute__((constructor)) static void recording_open(int argc, char **argv)
{
	const char *folder = getenv("XENOPTIC_RECORD");
	char path[512];
	int fd;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/recording.%d", folder, (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, RECORDING_BYTES) < 0) {
		perror(path);
		exit(1);
	}
	recording = mmap(NULL, RECORDING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (recording == MAP_FAILED)
		recording = NULL;
	say("#");
	for (int i = 1; i < argc; i++)
		say(" %s", argv[i]);
	say("\n");
}

/* The linker's --wrap: who calls F comes to __wrap_F, and __real_F is F. */
#define WRAPPED(type, name, ...)         \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

static const char *space_name(enum xo_space space, const char *port, const char *memory)
{
	return space == XO_SPACE_PORT ? port : memory;
}

WRAPPED(bool, xo_bus_read, struct xo_bus *bus, enum xo_space space, uint64_t address,
	unsigned int width, uint64_t *value)
{
	say("%s %llx %u\n", space_name(space, "in", "read"), (unsigned long long)address, width);
	return __real_xo_bus_read(bus, space, address, width, value);
}

WRAPPED(bool, xo_bus_write, struct xo_bus *bus, enum xo_space space, uint64_t address,
	unsigned int width, uint64_t value)
{
	say("%s %llx %u %llx\n", space_name(space, "out", "write"), (unsigned long long)address,
	    width, (unsigned long long)value);
	return __real_xo_bus_write(bus, space, address, width, value);
}

WRAPPED(bool, xo_bus_read_string, struct xo_bus *bus, uint64_t port, unsigned int width,
	uint8_t *elements, uint32_t count)
{
	say("ins %llx %u %u\n", (unsigned long long)port, width, count);
	return __real_xo_bus_read_string(bus, port, width, elements, count);
}

WRAPPED(bool, xo_bus_write_string, struct xo_bus *bus, uint64_t port, unsigned int width,
	const uint8_t *elements, uint32_t count)
{
	say("outs %llx %u %u\n", (unsigned long long)port, width, count);
	say_bytes("data", 0, elements, (size_t)width * count, WRITE_BYTES);
	return __real_xo_bus_write_string(bus, port, width, elements, count);
}

WRAPPED(uint32_t, xo_pci_config_read, struct xo_pci *pci, uint32_t offset, unsigned int width)
{
	say("config-read %x %u\n", offset, width);
	return __real_xo_pci_config_read(pci, offset, width);
}

WRAPPED(void, xo_pci_config_write, struct xo_pci *pci, uint32_t offset, unsigned int width,
	uint32_t value)
{
	say("config-write %x %u %x\n", offset, width, value);
	__real_xo_pci_config_write(pci, offset, width, value);
}

WRAPPED(int, xo_guest_memory_read, struct xo_guest_memory *memory, uint64_t address, void *buffer,
	size_t length)
{
	int r = __real_xo_guest_memory_read(memory, address, buffer, length);

	say_bytes("dma-read", address, buffer, length, r ? 0 : READ_BYTES);
	return r;
}

WRAPPED(int, xo_guest_memory_write, struct xo_guest_memory *memory, uint64_t address,
	const void *buffer, size_t length)
{
	say_bytes("dma-write", address, buffer, length, WRITE_BYTES);
	return __real_xo_guest_memory_write(memory, address, buffer, length);
}

WRAPPED(void, xo_packet_complete, struct xo_packet *packet, int handle,
	const struct xo_packet_result *result)
{
	struct xo_sense sense = { 0 };
	uint32_t kcq = 0;

	if (result->sense_length && !xo_sense_parse(result->sense, result->sense_length, &sense))
		kcq = xo_sense_kcq(&sense);
	say("answer %x %x %u\n", result->status, kcq, result->residual);
	__real_xo_packet_complete(packet, handle, result);
}

WRAPPED(void, xo_ahci_notify, struct xo_ahci *ahci)
{
	say("notify\n");
	__real_xo_ahci_notify(ahci);
}
