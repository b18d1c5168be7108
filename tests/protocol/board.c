/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A board with one shipping controller and the virtual burner, driven from
 * outside by the qtest text protocol on a unix socket; see board.md.
 *
 *	board --qtest SOCKET [--cd ISO] [--ide|--ahci]
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "drive/burner.h"
#include "rig.h"

#define LINE_MAX_BYTES (64u << 20)
#define WORDS_MAX 8
#define INTERRUPT_LINE 11
#define BUFFER_SIZE (512u << 10)
#define HANDLES 8

struct pending {
	bool used;
	bool with_drive;
	bool dropped;
	struct xo_command command;
};

static struct {
	struct rig rig;
	struct xo_unit *unit;
	struct pending pending[HANDLES];
	uint8_t buffers[HANDLES][BUFFER_SIZE];
	uint64_t next_id;
	bool tray_open;
	char disc[4096]; /* on the tray or in the drive; empty: none */
	bool intercept;
	bool raised;
	uint64_t clock;
	FILE *out;
} board;

static void reply(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void reply(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(board.out, format, args);
	va_end(args);
}

/* --- the drive --- */

static int drive_begin(void *priv)
{
	(void)priv;
	for (int i = 0; i < HANDLES; i++) {
		if (board.pending[i].used)
			continue;
		board.pending[i] = (struct pending){ .used = true };
		return i;
	}
	return -EBUSY;
}

static uint8_t *drive_buffer(void *priv, int handle)
{
	(void)priv;
	return board.buffers[handle];
}

static void drive_submit(void *priv, int handle, const uint8_t cdb[XO_CDB_MAX], uint8_t cdb_length,
			 uint8_t direction, uint32_t length)
{
	struct pending *p = &board.pending[handle];

	(void)priv;
	p->with_drive = true;
	p->command = (struct xo_command){
		.cdb_length = cdb_length,
		.direction = direction,
		.length = length,
		.data = board.buffers[handle],
		.id = ++board.next_id,
		.client = "board",
	};
	memcpy(p->command.cdb, cdb, XO_CDB_MAX);
}

static void drive_end(void *priv, int handle)
{
	struct pending *p = &board.pending[handle];

	(void)priv;
	if (p->with_drive)
		p->dropped = true;
	else
		p->used = false;
}

static const struct xo_packet_drive_ops drive_ops = {
	.begin = drive_begin,
	.buffer = drive_buffer,
	.submit = drive_submit,
	.end = drive_end,
};

static void drive_execute(int handle)
{
	struct pending *p = &board.pending[handle];
	struct xo_packet_result result;

	xo_unit_execute(board.unit, &p->command);
	p->with_drive = false;
	if (p->dropped) {
		p->used = false;
		return;
	}
	result = (struct xo_packet_result){
		.status = p->command.status,
		.transport = p->command.transport,
		.sense_length = p->command.sense_length,
		.residual = p->command.residual,
	};
	memcpy(result.sense, p->command.sense, sizeof(result.sense));
	xo_packet_complete(rig_packet(&board.rig), handle, &result);
}

/*
 * What an access submitted is carried out in real time, before its OK. A list
 * of commands may start the next; a guest's list is finite.
 */
static void drive_run(void)
{
	bool again = true;

	while (again) {
		again = false;
		for (int i = 0; i < HANDLES; i++) {
			if (!board.pending[i].with_drive)
				continue;
			drive_execute(i);
			again = true;
		}
	}
}

static void tray_moved(void *priv, bool open)
{
	(void)priv;
	if (board.tray_open == open)
		return;
	board.tray_open = open;
	reply("EVENT tray %s\n", open ? "open" : "closed");
}

/* Puts a disc in and closes the tray; what was on the tray is taken away. */
static int insert(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *error = NULL;
	int r;

	if (fd < 0)
		return -errno;
	xo_burner_eject(board.unit, true);
	r = xo_burner_insert(board.unit, fd, NULL, 0, false, &error);
	free(error);
	return r;
}

/* --- interrupts --- */

static void line_changed(struct rig *rig)
{
	if (board.intercept && rig->intx != board.raised)
		reply("IRQ %s %d\n", rig->intx ? "raise" : "lower", INTERRUPT_LINE);
	board.raised = rig->intx;
}

/* --- the protocol --- */

static bool number(const char *text, uint64_t *value)
{
	char *end;

	if (!text)
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end;
}

static unsigned int width_of(char suffix)
{
	switch (suffix) {
	case 'b':
		return 1;
	case 'w':
		return 2;
	case 'l':
		return 4;
	case 'q':
		return 8;
	default:
		return 0;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four bytes at an address that is no RAM are one access to a register. */
static void block_read(uint64_t address, uint8_t *bytes, uint64_t size)
{
	const uint8_t *ram = size ? rig_ram(&board.rig, address, size) : NULL;

	if (ram) {
		memcpy(bytes, ram, size);
		return;
	}
	if (size == 4) {
		xo_put_le32(bytes, (uint32_t)rig_read(&board.rig, address, 4));
		return;
	}
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rig_read(&board.rig, address + i, 1);
}

static void block_write(uint64_t address, const uint8_t *bytes, uint64_t size)
{
	uint8_t *ram = size ? rig_ram(&board.rig, address, size) : NULL;

	if (ram)
		memcpy(ram, bytes, size);
	else if (size == 4)
		rig_write(&board.rig, address, 4, xo_get_le32(bytes));
	else
		for (uint64_t i = 0; i < size; i++)
			rig_write(&board.rig, address + i, 1, bytes[i]);
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "+/";

static void put_base64(const uint8_t *bytes, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += 3) {
		uint32_t left = (uint32_t)XO_MIN(size - i, (uint64_t)3);
		uint32_t v = (uint32_t)bytes[i] << 16;

		if (left > 1)
			v |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			v |= bytes[i + 2];
		putc(base64_digits[v >> 18 & 63], board.out);
		putc(base64_digits[v >> 12 & 63], board.out);
		putc(left > 1 ? base64_digits[v >> 6 & 63] : '=', board.out);
		putc(left > 2 ? base64_digits[v & 63] : '=', board.out);
	}
}

/* Decodes at most `size` bytes; how many there were. */
static uint64_t get_base64(const char *text, uint8_t *bytes, uint64_t size)
{
	uint64_t done = 0;
	uint32_t v = 0;
	unsigned int bits = 0;

	for (; *text && *text != '='; text++) {
		const char *digit = strchr(base64_digits, *text);

		if (!digit)
			break;
		v = v << 6 | (uint32_t)(digit - base64_digits);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (done == size)
			break;
		bytes[done++] = (uint8_t)(v >> bits);
	}
	return done;
}

static bool run_port(char **words)
{
	bool write = words[0][0] == 'o';
	unsigned int width = width_of(words[0][write ? 3 : 2]);
	uint64_t port;
	uint64_t value = 0;

	if (!width || width > 4 || !number(words[1], &port) || port > 0xffff ||
	    (write && !number(words[2], &value)))
		return false;
	if (write) {
		rig_out(&board.rig, (uint16_t)port, width, (uint32_t)value);
		drive_run();
		reply("OK\n");
		return true;
	}
	value = rig_in(&board.rig, (uint16_t)port, width);
	drive_run();
	reply("OK 0x%04" PRIx64 "\n", value);
	return true;
}

static bool run_memory(char **words)
{
	bool write = words[0][0] == 'w';
	unsigned int width = width_of(words[0][write ? 5 : 4]);
	uint64_t address;
	uint64_t value = 0;

	if (!width || !number(words[1], &address) || (write && !number(words[2], &value)))
		return false;
	if (write) {
		rig_write(&board.rig, address, width, value);
		drive_run();
		reply("OK\n");
		return true;
	}
	value = rig_read(&board.rig, address, width);
	drive_run();
	reply("OK 0x%016" PRIx64 "\n", value);
	return true;
}

/* read, write, b64read, b64write, memset: an address and a size, which may be 0. */
static bool run_block(char **words)
{
	bool base64 = !strncmp(words[0], "b64", 3);
	const char *name = words[0] + (base64 ? 3 : 0);
	uint64_t address;
	uint64_t size;
	uint64_t value;
	uint8_t *bytes;

	if (!number(words[1], &address) || !number(words[2], &size) || size > RIG_RAM_SIZE)
		return false;
	bytes = calloc(1, size + 1);
	if (!bytes)
		return false;
	if (!strcmp(name, "read")) {
		block_read(address, bytes, size);
		drive_run();
		reply(base64 ? "OK " : "OK 0x");
		if (base64)
			put_base64(bytes, size);
		for (uint64_t i = 0; i < size && !base64; i++)
			reply("%02x", bytes[i]);
		reply("\n");
		free(bytes);
		return true;
	}
	if (!strcmp(name, "memset")) {
		if (number(words[3], &value))
			memset(bytes, (int)(value & 0xff), size);
	} else if (base64) {
		get_base64(words[3] ? words[3] : "", bytes, size);
	} else if (words[3] && !strncmp(words[3], "0x", 2)) {
		for (uint64_t i = 0; i < size; i++) {
			const char *digits = words[3] + 2 + 2 * i;
			int high = hex_digit(digits[0]);
			int low = high < 0 ? -1 : hex_digit(digits[1]);

			if (low < 0)
				break;
			bytes[i] = (uint8_t)(high << 4 | low);
		}
	}
	block_write(address, bytes, size);
	free(bytes);
	drive_run();
	reply("OK\n");
	return true;
}

static bool run_endianness(char **words)
{
	(void)words;
	reply("OK little\n");
	return true;
}

static bool run_intercept(char **words)
{
	(void)words;
	board.intercept = true;
	reply("OK\n");
	return true;
}

/* Time is real; the protocol's clock is only counted. */
static bool run_clock(char **words)
{
	uint64_t ns = 0;

	if (words[1] && !number(words[1], &ns))
		return false;
	board.clock = !strcmp(words[0], "clock_set") ? ns : board.clock + ns;
	drive_run();
	reply("OK %" PRIu64 "\n", board.clock);
	return true;
}

/* The burner gives a disc away when its tray opens: the board lays it back when the tray closes. */
static int move_media(const char *what, const char *file)
{
	int r = 0;

	if (!strcmp(what, "insert") && file) {
		snprintf(board.disc, sizeof(board.disc), "%s", file);
	} else if (!strcmp(what, "open") || !strcmp(what, "remove")) {
		r = xo_burner_eject(board.unit, true);
		if (!strcmp(what, "remove"))
			board.disc[0] = '\0';
		tray_moved(NULL, !strcmp(what, "open") || board.tray_open);
		return r == -ENOENT ? 0 : r;
	} else if (strcmp(what, "close")) {
		return -EINVAL;
	}
	if (board.disc[0])
		r = insert(board.disc);
	if (!r)
		tray_moved(NULL, false);
	return r;
}

static bool run_media(char **words)
{
	int r = words[1] ? move_media(words[1], words[2]) : -EINVAL;

	if (r == -EINVAL)
		return false;
	if (r) {
		reply("FAIL %s\n", strerror(-r));
		return true;
	}
	if (board.rig.kind == RIG_AHCI)
		xo_ahci_notify(&board.rig.ahci);
	reply("OK\n");
	return true;
}

static const struct {
	const char *name;
	bool (*run)(char **words);
} commands[] = {
	{ "inb", run_port },
	{ "inw", run_port },
	{ "inl", run_port },
	{ "outb", run_port },
	{ "outw", run_port },
	{ "outl", run_port },
	{ "readb", run_memory },
	{ "readw", run_memory },
	{ "readl", run_memory },
	{ "readq", run_memory },
	{ "writeb", run_memory },
	{ "writew", run_memory },
	{ "writel", run_memory },
	{ "writeq", run_memory },
	{ "read", run_block },
	{ "write", run_block },
	{ "memset", run_block },
	{ "b64read", run_block },
	{ "b64write", run_block },
	{ "endianness", run_endianness },
	{ "irq_intercept_in", run_intercept },
	{ "clock_step", run_clock },
	{ "clock_set", run_clock },
	{ "x-media", run_media },
};

static void run_line(char *line)
{
	char *words[WORDS_MAX + 1] = { NULL };
	char *save = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \t\r\n", &save); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " \t\r\n", &save))
		words[n++] = word;
	if (!n)
		return;
	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, words[0]))
			continue;
		if (!commands[i].run(words))
			reply("FAIL malformed %s\n", words[0]);
		fflush(board.out);
		return;
	}
	reply("FAIL unknown command %s\n", words[0]);
	fflush(board.out);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/*
 * Existing test programs listen themselves and expect to be connected to:
 * a socket that is there already is one of those.
 */
static int open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int listener;

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	listener = listen_at(path);
	if (listener < 0) {
		fprintf(stderr, "board: %s: %s\n", path, strerror(-listener));
		return -1;
	}
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	unlink(path);
	return fd;
}

static int serve(const char *path)
{
	char *line = NULL;
	size_t size = 0;
	int fd = open_socket(path);
	FILE *in;

	if (fd < 0)
		return EXIT_FAILURE;
	in = fdopen(fd, "r");
	board.out = fdopen(dup(fd), "w");
	if (!in || !board.out)
		return EXIT_FAILURE;
	while (getline(&line, &size, in) > 0) {
		if (size > LINE_MAX_BYTES)
			break;
		run_line(line);
	}
	free(line);
	fclose(in);
	fclose(board.out);
	return EXIT_SUCCESS;
}

static int set_up(enum rig_controller kind, const char *cd)
{
	static const struct xo_burner_host host = { .tray = tray_moved };
	const struct xo_packet_drive drive = { .ops = &drive_ops, .buffer_size = BUFFER_SIZE };
	size_t size = (xo_burner_region_size() + 63) / 64 * 64;
	void *region = aligned_alloc(64, size);
	int r;

	if (!region)
		return -ENOMEM;
	memset(region, 0, size);
	r = xo_burner_new(&board.unit, region, &host);
	if (!r && cd)
		r = move_media("insert", cd);
	if (!r)
		r = rig_init(&board.rig, kind, &drive);
	if (r)
		return r;
	board.rig.intx_changed = line_changed;
	rig_config_write(&board.rig, 0x3c, 1, INTERRUPT_LINE);
	return 0;
}

static void usage(FILE *to)
{
	fputs("Usage: board --qtest SOCKET [--cd ISO] [--ide|--ahci]\n"
	      "A PCI board with one controller and one ATAPI drive; see tests/protocol/board.md.\n",
	      to);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "qtest", required_argument, NULL, 'q' }, { "cd", required_argument, NULL, 'c' },
		{ "ide", no_argument, NULL, 'i' },	   { "ahci", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },	   { NULL, 0, NULL, 0 },
	};
	enum rig_controller kind = RIG_AHCI;
	const char *path = NULL;
	const char *cd = NULL;
	int option;
	int r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			path = strncmp(optarg, "unix:", 5) ? optarg : optarg + 5;
			break;
		case 'c':
			cd = optarg;
			break;
		case 'i':
			kind = RIG_IDE;
			break;
		case 'a':
			kind = RIG_AHCI;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!path || optind != argc) {
		usage(stderr);
		return 2;
	}
	board.out = stdout;
	r = set_up(kind, cd);
	if (r) {
		fprintf(stderr, "board: %s: %s\n", cd ? cd : "set-up", strerror(-r));
		return EXIT_FAILURE;
	}
	return serve(path);
}
