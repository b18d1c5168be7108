/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptions of discs. What is accepted can be printed, and read again as the same; and the
 * burner can have such a disc put in and answer all questions about it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "burner_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct rig *rig)
{
	static const uint8_t questions[][12] = {
		{ 0x00 },
		{ 0x51, 0, 0, 0, 0, 0, 0, 0, 34 },
		{ 0x52, 1, 0, 0, 0, 1, 0, 0, 48 },
		{ 0x52, 1, 0, 0, 0, 0xff, 0, 0, 48 },
		{ 0x52, 0, 0, 0, 1, 0, 0, 0, 48 },
		{ 0x52, 2, 0, 0, 0, 1, 0, 0, 48 },
		{ 0x43, 0, 0, 0, 0, 0, 0, 0x40, 0 },
		{ 0x43, 2, 1, 0, 0, 0, 0, 0x40, 0 },
		{ 0x43, 2, 2, 0, 0, 0, 0, 0x40, 0 },
		{ 0x43, 2, 3, 0, 0, 0, 0, 0x40, 0 },
		{ 0x43, 2, 4, 0, 0, 0, 0, 0x40, 0 },
		{ 0x43, 2, 5, 0, 0, 0, 0, 0xff, 0 },
		{ 0x25 },
		{ 0x23, 0, 0, 0, 0, 0, 0, 0, 64 },
		{ 0x46, 0, 0, 0, 0, 0, 0, 2, 0 },
		{ 0xad, 0, 0, 0, 0, 0, 0, 0, 0x20, 0 },
		{ 0xad, 1, 0, 0, 0, 0, 0, 0, 0x20, 0 },
		{ 0xac, 4, 0, 0, 0, 0, 0, 0, 0, 4, 0 },
		{ 0x42, 2, 0x40, 3, 0, 0, 1, 0, 24 },
		{ 0x28, 0, 0, 0, 0, 0, 0, 0, 16 },
		{ 0x28, 0, 0, 0, 0x10, 0, 0, 0, 16 },
		{ 0xbe, 0, 0, 0, 0, 0, 0, 0, 4, 0xf8, 1 },
		{ 0x2a, 0, 0, 0, 0, 0, 0, 0, 16 },
		{ 0x53, 0, 0, 0, 0, 0, 0, 1, 0, 0 },
		{ 0x5b, 0, 2 },
	};

	for (size_t i = 0; i < XO_ARRAY_SIZE(questions); i++) {
		static const uint8_t lengths[8] = { 6, 10, 10, 12, 16, 12, 12, 12 };
		uint8_t opcode = questions[i][0];

		rig_run(rig, questions[i], lengths[opcode >> 5],
			opcode == 0x2a ? XO_DIR_OUT : XO_DIR_IN, 32768);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xo_disc disc, again;
	static char text[XO_DISC_JSON_MAX], text2[XO_DISC_JSON_MAX];
	char *error = NULL;
	struct rig rig;
	ssize_t length;
	int r;

	memset(&disc, 0xff, sizeof(disc));
	r = xo_disc_parse(&disc, (const char *)data, size, &error);
	if (r) {
		if (!error)
			abort();
		free(error);
		return 0;
	}
	length = xo_disc_print(&disc, text, sizeof(text));
	if (length < 0 || xo_disc_parse(&again, text, (size_t)length, &error))
		abort();
	if (xo_disc_print(&again, text2, sizeof(text2)) != length || strcmp(text, text2) != 0)
		abort();
	rig_open(&rig, XO_MEDIA_CD_R);
	xo_burner_eject(rig.unit, true);
	if (xo_burner_insert(rig.unit, dup(rig.fd), text, (size_t)length, false, &error))
		abort();
	rig_run(&rig, (const uint8_t[6]){ 0 }, 6, XO_DIR_NONE, 0);
	ask(&rig);
	rig_close(&rig);
	return 0;
}
