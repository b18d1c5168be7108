// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What burning programs sent to another drive (tests/data/traces), sent to the
 * virtual burner: where that drive had no complaint, it has none either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "burner_kit.h"
#include "mmc/cdb.h"

struct recording {
	const char *name;
	unsigned int media; /* blank */
};

static const struct recording recordings[] = {
	{ "peerA-cdrdao", XO_MEDIA_CD_R },
	{ "peerA-cdrskin-dvdr", XO_MEDIA_DVD_PLUS_R },
	{ "peerA-cdrskin-sao", XO_MEDIA_CD_R },
	{ "peerA-cdrskin-tao", XO_MEDIA_CD_R },
	{ "peerA-growisofs-dvdr", XO_MEDIA_DVD_PLUS_R },
	{ "peerA-mediainfo-bdr", XO_MEDIA_BD_R },
	{ "peerA-mediainfo-cdr", XO_MEDIA_CD_R },
	{ "peerA-mediainfo-dvdr", XO_MEDIA_DVD_PLUS_R },
	{ "peerA-wodim-audio", XO_MEDIA_CD_R },
	{ "peerA-wodim-dvdr", XO_MEDIA_DVD_PLUS_R },
	{ "peerA-wodim-mixed", XO_MEDIA_CD_R },
	{ "peerA-wodim-sao", XO_MEDIA_CD_R },
	{ "peerA-wodim-tao", XO_MEDIA_CD_R },
	{ "peerA-xorriso-bdr", XO_MEDIA_BD_R },
	{ "peerA-xorriso-dvdr", XO_MEDIA_DVD_PLUS_R },
	{ "peerA-xorriso-native", XO_MEDIA_CD_R },
	{ "recorder-growisofs-bdr", XO_MEDIA_BD_R },
	{ "tgt-growisofs", XO_MEDIA_DVD_PLUS_R },
	{ "tgt-xorriso-tao", XO_MEDIA_DVD_PLUS_R },
};

/* Where the two drives may differ, and why. */
struct exception {
	const char *name; /* of the recording; NULL: of all */
	const char *cdb; /* begins with */
	const char *parameters; /* contain; NULL: whatever they are */
	const char *reason;
};

static const struct exception exceptions[] = {
	{ NULL, "b6", NULL, "the recordings do not have SET STREAMING's parameter list" },
	{ NULL, "04", NULL, "nor that of FORMAT UNIT" },
	{ NULL, "5510", "053243", "raw writing, which this drive does not have" },
	{ NULL, "5510", "053223", "raw writing, which this drive does not have" },
	{ "peerA-xorriso-native", "2a0000000", NULL, "that drive leaves no gap between sessions" },
};

struct line {
	char cdb[2 * XO_CDB_MAX + 1];
	char direction;
	unsigned int length;
	unsigned int status;
	unsigned int count;
	unsigned int step;
	char parameters[16384];
};

static bool excused(const char *name, const struct line *line)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(exceptions); i++) {
		const struct exception *e = &exceptions[i];

		if ((!e->name || !strcmp(e->name, name)) &&
		    !strncmp(e->cdb, line->cdb, strlen(e->cdb)) &&
		    (!e->parameters || strstr(line->parameters, e->parameters)))
			return true;
	}
	return false;
}

static size_t from_hex(const char *text, uint8_t *to, size_t size)
{
	size_t n = 0;

	while (text[0] && text[1] && n < size) {
		char byte[3] = { text[0], text[1] };

		to[n++] = (uint8_t)strtoul(byte, NULL, 16);
		text += 2;
	}
	return n;
}

static bool parse(char *text, struct line *line)
{
	char *save = NULL;
	char *word;

	*line = (struct line){ .count = 1 };
	if (sscanf(text, "%32s %c %u %x", line->cdb, &line->direction, &line->length,
		   &line->status) != 4)
		return false;
	strtok_r(text, " \n", &save);
	for (int i = 0; i < 3; i++)
		strtok_r(NULL, " \n", &save);
	while ((word = strtok_r(NULL, " \n", &save))) {
		if (word[0] == 'x')
			line->count = (unsigned int)strtoul(word + 1, NULL, 10);
		else if (word[0] == '+')
			line->step = (unsigned int)strtoul(word + 1, NULL, 10);
		else
			snprintf(line->parameters, sizeof(line->parameters), "%s", word);
	}
	return true;
}

static unsigned int direction_of(const struct line *line)
{
	if (!line->length)
		return XO_DIR_NONE;
	return line->direction == 'W' ? XO_DIR_OUT : XO_DIR_IN;
}

/* Runs a line; the number of commands that failed where the recording's did not. */
static unsigned int run_line(struct kit *kit, const char *name, const struct line *line)
{
	uint8_t cdb[XO_CDB_MAX];
	size_t n = from_hex(line->cdb, cdb, sizeof(cdb));
	unsigned int failed = 0;

	for (unsigned int i = 0; i < line->count; i++) {
		uint32_t sense;
		char text[160];

		memset(kit->data, 0, line->length);
		from_hex(line->parameters, kit->data, line->length);
		sense = kit_run(kit, cdb, n, direction_of(line), line->length);
		if (sense && !line->status && !excused(name, line)) {
			xo_cdb_format(text, sizeof(text), cdb, n);
			print_error("%s: %s: sense %06x\n", name, text, sense);
			failed++;
		}
		if (line->count > 1)
			xo_put_be32(cdb + 2, xo_get_be32(cdb + 2) + line->step);
	}
	return failed;
}

static unsigned int replay(const struct recording *recording)
{
	const char *source = getenv("top_srcdir");
	static struct line line;
	static char text[20000];
	unsigned int failed = 0;
	char path[4096];
	struct kit kit;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/data/traces/%s.cdb", source ? source : "..",
		 recording->name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s cannot be read", path);
	kit_open_with(&kit, recording->media, 0);
	while (fgets(text, sizeof(text), file)) {
		if (parse(text, &line))
			failed += run_line(&kit, recording->name, &line);
	}
	fclose(file);
	kit_close(&kit);
	return failed;
}

static void programs_are_content(void **state)
{
	unsigned int failed = 0;

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(recordings); i++)
		failed += replay(&recordings[i]);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(programs_are_content) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
