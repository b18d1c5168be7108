/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The launcher's pure parts: options of an attachment, restart rate, configuration. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "daemon_config.h"
#include "options.h"
#include "rate.h"
#include "text.h"

static void options_good(void **state)
{
	struct xo_options o;
	char error[512];

	(void)state;
	xo_options_init(&o);
	assert_int_equal(xo_options_parse(&o,
					  "drive=/dev/sr0,bus=ahci,bus=vscsi,mode=ro,slot=0x1f,"
					  "identity=generic,interrupt=msi,name=the burner",
					  error, sizeof(error)),
			 0);
	assert_string_equal(o.drive, "/dev/sr0");
	assert_int_equal(o.bus, XO_BUS_AHCI);
	assert_int_equal(o.second_bus, XO_BUS_VSCSI);
	assert_true(o.read_only);
	assert_true(o.generic_identity);
	assert_true(o.msi);
	assert_int_equal(o.slot, 31);
	assert_string_equal(o.name, "the burner");
	xo_options_init(&o);
	assert_false(o.msi);
	assert_int_equal(xo_options_parse(&o, "backend=storage,drive=virtual:a,bus=vcd", error,
					  sizeof(error)),
			 0);
	assert_string_equal(o.backend, "storage");
	assert_int_equal(o.slot, -1);
	assert_int_equal(o.second_bus, XO_BUS_DEFAULT);
	assert_false(o.read_only);
}

static const struct {
	const char *text;
	const char *says; /* a part of the message */
} bad_options[] = {
	{ "", "not known" },
	{ "drive", "drive=/dev/" },
	{ "drive=", "drive=/dev/" },
	{ "drive=sr0", "/dev/… or virtual:NAME" },
	{ "drive=/dev/../etc/passwd", "/dev/… or virtual:NAME" },
	{ "drive=virtual:../a", "virtual:NAME" },
	{ "bus=vscsi", "no drive given" },
	{ "drive=/dev/sr0,bus=scsi", "ahci, ide, vscsi or vcd" },
	{ "drive=/dev/sr0,bus=vscsi,bus=vscsi", "two different" },
	{ "drive=/dev/sr0,bus=vscsi,bus=vcd,bus=ide", "at most two" },
	{ "drive=/dev/sr0,mode=r", "rw or ro" },
	{ "drive=/dev/sr0,mode=rwo", "rw or ro" },
	{ "drive=/dev/sr0,slot=0", "1 to 31" },
	{ "drive=/dev/sr0,slot=32", "1 to 31" },
	{ "drive=/dev/sr0,slot=5x", "1 to 31" },
	{ "drive=/dev/sr0,identity=x", "drive or generic" },
	{ "drive=/dev/sr0,interrupt=", "intx or msi" },
	{ "drive=/dev/sr0,interrupt=msix", "intx or msi" },
	{ "drive=/dev/sr0,interrupt=msi,bus=ide", "only bus=ahci" },
	{ "drive=/dev/sr0,sped=4", "drive, bus, mode, identity, interrupt, slot, backend, name" },
	{ "drive=/dev/sr0,name=", "a text" },
	{ "drive=/dev/sr0,name=a\nb", "a text" },
	{ "drive=/dev/sr0,speed=4", "not known" },
	{ "drives=/dev/sr0", "not known" },
	{ "drive=/dev/sr0,backend=dd,bus=ide", "needs privilege" },
	{ "drive=/dev/sr0,backend=dd,bus=vscsi,bus=ahci", "bus=ahci" },
};

static void options_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(bad_options); i++) {
		struct xo_options o;
		char error[512] = "";

		xo_options_init(&o);
		if (xo_options_parse(&o, bad_options[i].text, error, sizeof(error)) != -EINVAL ||
		    !strstr(error, bad_options[i].says))
			fail_msg("\"%s\": \"%s\"", bad_options[i].text, error);
	}
}

static void rate_holds_in_every_window(void **state)
{
	struct xo_rate rate;

	(void)state;
	xo_rate_init(&rate, 3, 100);
	assert_true(xo_rate_allows(&rate, 1000));
	assert_true(xo_rate_allows(&rate, 1050));
	assert_true(xo_rate_allows(&rate, 1099));
	assert_false(xo_rate_allows(&rate, 1099));
	assert_true(xo_rate_allows(&rate, 1100)); /* the first is a whole window ago */
	assert_false(xo_rate_allows(&rate, 1149));
	assert_true(xo_rate_allows(&rate, 1150));
	assert_true(xo_rate_allows(&rate, 5000));
	assert_true(xo_rate_allows(&rate, 5000));
	assert_true(xo_rate_allows(&rate, 5000));
	assert_false(xo_rate_allows(&rate, 5000));
	xo_rate_init(&rate, 0, 100);
	assert_false(xo_rate_allows(&rate, 1));
}

static int read_text(struct xo_config *config, const char *text)
{
	char path[] = "/tmp/xenoptic-conf.XXXXXX";
	int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	r = xo_config_read(config, path);
	unlink(path);
	return r;
}

/* Longer than the name of a section in inih. */
#define LONG_NAME "/dev/disk/by-id/ata-HL-DT-ST_BD-RE_BH16NS55_K9OGC1A1234-with-more"

static void config_good(void **state)
{
	struct xo_config config;
	const struct xo_drive_config *drive;

	(void)state;
	assert_int_equal(xo_config_init(&config), 0);
	assert_true(config.toolstack && config.backend);
	assert_int_equal(read_text(&config, "# comment\n[xenopticd]\nuser = burner\n"
					    "toolstack = no\nrestart-limit = 500\n"
					    "run-dir = /tmp/x\n\n[drive /dev/sr0]\nmode = ro\n"
					    "allow = write-buffer\nallow = send-key\n"
					    "[drive virtual:a]\nbuffer = 2048\nspeed = 4800\n"
					    "[drive " LONG_NAME "] ; named\npoll-ms = 7\n"),
			 0);
	assert_string_equal(config.user, "burner");
	assert_string_equal(config.run_dir, "/tmp/x");
	assert_false(config.toolstack);
	assert_int_equal(config.restart_limit, 500);
	drive = xo_config_drive(&config, "/dev/sr0");
	assert_non_null(drive);
	assert_true(drive->read_only);
	assert_int_equal(drive->allow_count, 2);
	assert_string_equal(drive->allow[1], "send-key");
	drive = xo_config_drive(&config, "virtual:a");
	assert_non_null(drive);
	assert_string_equal(drive->speed, "4800");
	drive = xo_config_drive(&config, LONG_NAME);
	assert_non_null(drive);
	assert_string_equal(drive->poll_ms, "7");
	assert_null(xo_config_drive(&config, "/dev/sr1"));
	xo_config_fini(&config);
}

static void config_bad(void **state)
{
	static const char indented[] = " [drive " LONG_NAME "]\nmode = ro\n";
	static const char *const texts[] = {
		"[xenopticd]\nuser\n",
		"[xenopticd]\ncolour = red\n",
		"[xenoptic]\nuser = x\n",
		"[xenopticd]\ntoolstack = maybe\n",
		"[xenopticd]\nrun-dir = run\n",
		"[xenopticd]\nrestart-limit = -1\n",
		"[xenopticd]\nlog = 9\n",
		"[drive sr0]\nmode = ro\n",
		"[drive virtual:]\nmode = ro\n",
		"[drive /dev/sr0]\nmode = x\n",
		"[drive virtual:a]\nbuffer = 2048\n",
		indented,
	};
	struct xo_config config;

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(texts); i++) {
		assert_int_equal(xo_config_init(&config), 0);
		if (read_text(&config, texts[i]) != -EINVAL)
			fail_msg("%s", texts[i]);
		xo_config_fini(&config);
	}
	assert_int_equal(xo_config_init(&config), 0);
	assert_int_equal(xo_config_read(&config, "/nonexistent/file"), -ENOENT);
	xo_config_fini(&config);
}

static void texts_are_cleaned(void **state)
{
	/* The last of a text may be cut off, anywhere. */
	static const char *const texts[][2] = {
		{ "", "" },
		{ "drive /dev/sr0: busy", "drive /dev/sr0: busy" },
		{ "a\tb\nc\x7f", "a?b?c?" },
		{ "\xc3\xa4 \xe2\x80\xa6 \xf0\x9f\x92\xbf", "\xc3\xa4 \xe2\x80\xa6 "
							    "\xf0\x9f\x92\xbf" },
		{ "x\xc3", "x?" },
		{ "x\xe2\x80", "x??" },
		{ "x\xf0\x9f\x92", "x???" },
		{ "\xc3: not known", "?: not known" },
		{ "\xa4", "?" },
		{ "\xc0\x80\xc1\xbf", "????" }, /* overlong */
		{ "\xe0\x80\x80\xf0\x80\x80\x80", "???????" },
		{ "\xed\xa0\x80", "???" }, /* a surrogate */
		{ "\xf4\x90\x80\x80\xf5\xff", "??????" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(texts); i++) {
		strcpy(text, texts[i][0]);
		xo_text_clean(text);
		assert_string_equal(text, texts[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_cleaned), cmocka_unit_test(options_good),
		cmocka_unit_test(options_bad),	     cmocka_unit_test(rate_holds_in_every_window),
		cmocka_unit_test(config_good),	     cmocka_unit_test(config_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
