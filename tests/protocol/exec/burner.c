// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual burner in the same process, with a disc that is kept when the program ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive/burner.h"
#include "drive/disc.h"
#include "unit.h"

#define DESCRIPTION_MAX (1 << 20)

const char xo_test_unit_help[] = "FILE is a disc's sector file with its description FILE.json; '-' "
				 "for an empty tray";

static char description[4096];

static void save_description(void *priv, const char *json, size_t length)
{
	char next[sizeof(description) + 8];
	FILE *f;

	(void)priv;
	if (!description[0])
		return;
	(void)snprintf(next, sizeof(next), "%s.new", description);
	f = fopen(next, "we");
	if (!f || fwrite(json, 1, length, f) != length || fclose(f) != 0 ||
	    rename(next, description) != 0)
		fprintf(stderr, "%s: %s\n", next, strerror(errno));
}

static int read_description(char **json, size_t *length)
{
	FILE *f = fopen(description, "re");

	*json = malloc(DESCRIPTION_MAX);
	if (!f || !*json) {
		fprintf(stderr, "%s: %s\n", description, strerror(errno));
		if (f)
			fclose(f);
		return -ENOENT;
	}
	*length = fread(*json, 1, DESCRIPTION_MAX, f);
	fclose(f);
	return 0;
}

static int insert(struct xo_unit *unit, const char *file)
{
	char *json = NULL, *error = NULL;
	size_t length;
	int fd, r;

	(void)snprintf(description, sizeof(description), "%s.json", file);
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", file, strerror(errno));
		return -ENOENT;
	}
	r = read_description(&json, &length);
	if (r < 0)
		close(fd);
	else
		r = xo_burner_insert(unit, fd, json, length, false, &error);
	if (error)
		fprintf(stderr, "%s: %s\n", description, error);
	free(error);
	free(json);
	return r;
}

/* Blank, and of the usual capacity. */
static int make_disc(const struct xo_medium *medium, const char *file)
{
	static struct xo_disc disc;
	static char text[XO_DISC_JSON_MAX];
	char name[4096];
	ssize_t length;
	FILE *f;
	int fd;

	if (xo_disc_make(&disc, medium->media, 0) < 0)
		return -EINVAL;
	length = xo_disc_print(&disc, text, sizeof(text));
	(void)snprintf(name, sizeof(name), "%s.json", file);
	f = length < 0 ? NULL : fopen(name, "wxe");
	if (!f || fwrite(text, 1, (size_t)length, f) != (size_t)length || fclose(f) != 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return -EIO;
	}
	fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", file, strerror(errno));
		return -EIO;
	}
	close(fd);
	return 0;
}

/* "cd-r:FILE": makes the disc. *file is then FILE. */
static int make_if_asked(const char **file)
{
	const char *colon = strchr(*file, ':');
	const struct xo_medium *medium;
	char name[16] = "";

	if (!colon || (size_t)(colon - *file) >= sizeof(name))
		return 0;
	memcpy(name, *file, (size_t)(colon - *file));
	medium = xo_medium_by_name(name);
	if (!medium)
		return 0;
	*file = colon + 1;
	return make_disc(medium, *file);
}

int xo_test_unit_open(const char *file, struct xo_unit **unit)
{
	static struct xo_burner_host host = { .save_description = save_description };
	size_t size = (xo_burner_region_size() + 63) / 64 * 64;
	static void *region __attribute__((used)); /* kept until the process ends */
	int r;

	region = aligned_alloc(64, size);
	if (!region)
		return -ENOMEM;
	memset(region, 0, size);
	r = make_if_asked(&file);
	if (r == 0)
		r = xo_burner_new(unit, region, &host);
	if (r == 0 && strcmp(file, "-") != 0)
		r = insert(*unit, file);
	return r;
}
