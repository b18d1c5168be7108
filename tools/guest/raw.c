// SPDX-License-Identifier: GPL-2.0-or-later
/* xenoptic-guest raw: one packet command as it is. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "drive.h"
#include "mmc/opcode.h"

static const struct option known[] = {
	{ "in", required_argument, NULL, 'i' },
	{ "out", required_argument, NULL, 'o' },
	{ "timeout", required_argument, NULL, 't' },
	{ "binary", no_argument, NULL, 'b' },
	{ 0 },
};

struct request {
	struct packet packet;
	bool binary;
	const char *file; /* for --out */
};

/* Hexadecimal bytes, apart or not: "12 0 0 0 24 0", "120000002400". */
static bool add_bytes(struct packet *packet, const char *text)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");
	char pair[3] = "";

	if (digits == 0 || text[digits] != '\0' || (digits > 2 && digits % 2))
		return false;
	while (*text) {
		if (packet->cdb_length == XO_CDB_MAX)
			return false;
		pair[0] = *text++;
		pair[1] = '\0';
		if (*text)
			pair[1] = *text++;
		packet->cdb[packet->cdb_length++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return true;
}

static bool parse_number(const char *text, uint32_t *number)
{
	char *end;

	errno = 0;
	*number = (uint32_t)strtoul(text, &end, 0);
	return !errno && end != text && *end == '\0' && isdigit((unsigned char)text[0]);
}

static bool parse(struct request *request, int argc, char *argv[])
{
	int c;

	while ((c = getopt_long(argc, argv, "i:o:t:b", known, NULL)) != -1) {
		switch (c) {
		case 'i':
			request->packet.direction = XO_DIR_IN;
			if (!parse_number(optarg, &request->packet.length))
				return false;
			break;
		case 'o':
			request->packet.direction = XO_DIR_OUT;
			request->file = optarg;
			break;
		case 't':
			if (!parse_number(optarg, &request->packet.timeout))
				return false;
			break;
		case 'b':
			request->binary = true;
			break;
		default:
			return false;
		}
	}
	for (; optind < argc; optind++)
		if (!add_bytes(&request->packet, argv[optind]))
			return false;
	return request->packet.cdb_length >= 6;
}

static int load(struct request *request, uint32_t limit)
{
	FILE *f = strcmp(request->file, "-") == 0 ? stdin : fopen(request->file, "re");
	size_t n;

	if (!f) {
		guest_say("%s: %s", request->file, strerror(errno));
		return EXIT_FAILED;
	}
	n = fread(request->packet.data, 1, limit, f);
	if (fgetc(f) != EOF) {
		guest_say("%s: larger than the %u bytes that a command can carry", request->file,
			  limit);
		n = 0;
	}
	if (f != stdin)
		fclose(f);
	request->packet.length = (uint32_t)n;
	return n > 0 ? EXIT_OK : EXIT_FAILED;
}

static void dump(const uint8_t *data, uint32_t length)
{
	for (uint32_t at = 0; at < length; at += 16) {
		printf("%06x ", at);
		for (uint32_t i = at; i < at + 16; i++) {
			if (i < length)
				printf(" %02x", data[i]);
			else
				printf("   ");
		}
		printf("  ");
		for (uint32_t i = at; i < at + 16 && i < length; i++)
			putchar(data[i] >= 0x20 && data[i] < 0x7f ? data[i] : '.');
		putchar('\n');
	}
}

static char *hex(const uint8_t *data, uint32_t length)
{
	char *text = malloc((size_t)length * 2 + 1);

	for (uint32_t i = 0; text && i < length; i++)
		(void)snprintf(text + (size_t)i * 2, 3, "%02x", data[i]);
	if (text)
		text[(size_t)length * 2] = '\0';
	return text;
}

static void print_json(const struct outcome *outcome, const uint8_t *data, uint32_t length)
{
	char text[OUTCOME_TEXT], *bytes = hex(data, length);
	char *sense = hex(outcome->raw_sense, outcome->sense_length);
	json_t *object = json_pack("{s:i, s:i, s:I, s:s*, s:s*, s:s*}", "status",
				   (int)outcome->status, "transport", (int)outcome->transport,
				   "residual", (json_int_t)outcome->residual, "sense",
				   outcome->sense_length ? sense : NULL, "text",
				   outcome->good ? NULL : outcome_text(outcome, text), "data",
				   length ? bytes : NULL);

	json_dumpf(object, stdout, 0);
	putchar('\n');
	json_decref(object);
	free(bytes);
	free(sense);
}

static int carry_out(struct drive *drive, struct request *request,
		     const struct guest_options *options)
{
	struct packet *packet = &request->packet;
	struct outcome outcome;
	uint32_t length = 0;

	if (drive_run(drive, packet, &outcome) < 0)
		return EXIT_FAILED;
	if (packet->direction == XO_DIR_IN && outcome.transport == XO_TRANSPORT_OK)
		length = packet->length - outcome.residual;
	if (options->json)
		print_json(&outcome, packet->data, length);
	else if (request->binary)
		fwrite(packet->data, 1, length, stdout);
	else
		dump(packet->data, length);
	if (!outcome.good && !options->json)
		outcome_say(xo_opcode_find(packet->cdb, packet->cdb_length)->name, &outcome);
	return outcome.good ? EXIT_OK : EXIT_FAILED;
}

static int run(const struct guest_options *options, int argc, char *argv[])
{
	struct request request = { 0 };
	struct drive drive = { 0 };
	uint32_t limit;
	int status;

	if (!parse(&request, argc, argv))
		return guest_usage(&guest_raw);
	status = drive_open(&drive, options, 1, XO_MAX(request.packet.length, 65536u));
	if (status != EXIT_OK)
		return status;
	limit = xo_front_max_transfer(drive.front);
	request.packet.data = calloc(1, limit);
	if (!request.packet.data)
		status = EXIT_FAILED;
	if (status == EXIT_OK && request.packet.length > limit) {
		guest_say("--in %u: a command can carry %u bytes", request.packet.length, limit);
		status = EXIT_USAGE;
	}
	if (status == EXIT_OK && request.file)
		status = load(&request, limit);
	if (status == EXIT_OK)
		status = carry_out(&drive, &request, options);
	free(request.packet.data);
	drive_close(&drive);
	return status;
}

const struct guest_command guest_raw = {
	.name = "raw",
	.arguments = "CDB [--in N | --out FILE]",
	.summary = "one packet command",
	.help = "  CDB             6 to 16 bytes in hexadecimal: 12 0 0 0 24 0, or 120000002400\n"
		"  -i, --in N      N bytes from the drive\n"
		"  -o, --out FILE  the bytes of FILE ('-': stdin) to the drive\n"
		"  -t, --timeout S seconds, if longer than the command's own time\n"
		"  -b, --binary    the drive's bytes as they are, not as a dump\n",
	.run = run,
};
