/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenoptic disc new, xenoptic disc info: discs as files, without the daemon. */
#include "disc.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drive/disc.h"

enum { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE };

static const char usage[] = "usage: xenoptic disc new FILE --type TYPE [--size "
			    "SECTORS|SIZE(K|M|G)]\n"
			    "       xenoptic disc info FILE [--json]\n";

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "xenoptic: disc %s: %s\n", path, what);
	return EXIT_REFUSED;
}

static int fail_usage(const char *what)
{
	if (what)
		fprintf(stderr, "xenoptic: %s\n", what);
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static char *description_path(const char *path)
{
	char *name;

	return asprintf(&name, "%s.json", path) < 0 ? NULL : name;
}

/* Sectors: a plain number, or bytes with a unit. */
static bool parse_size(const char *text, uint32_t *sectors)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long n;
	const char *unit;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || text[0] == '-' || n > UINT32_MAX)
		return false;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return false;
		n = (n << 10 * (unit - units + 1)) / 2048;
	}
	*sectors = (uint32_t)n;
	return n > 0 && n <= UINT32_MAX;
}

static int write_file(const char *path, const char *text, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = length ? write(fd, text, length) : 0;
	if (n < 0 || (size_t)n != length || fsync(fd)) {
		int r = n < 0 ? -errno : -EIO;

		close(fd);
		unlink(path);
		return r;
	}
	close(fd);
	return 0;
}

/* The sector file first: a description without one is no disc. */
static int create(const char *path, const char *text, size_t length)
{
	char *json = description_path(path);
	int r = json ? write_file(path, NULL, 0) : -ENOMEM;

	if (!r) {
		r = write_file(json, text, length);
		if (r)
			unlink(path);
	}
	free(json);
	return r ? fail(path, strerror(-r)) : EXIT_DONE;
}

static int disc_new(const char *path, const char *type, const char *size)
{
	const struct xo_medium *medium = type ? xo_medium_by_name(type) : NULL;
	struct xo_disc *disc;
	uint32_t sectors = 0;
	char *text;
	ssize_t length;
	int code;

	if (!type)
		return fail_usage("--type is missing");
	if (!medium || !medium->burned)
		return fail_usage("no such type of blank; there are cd-r, dvd+r and bd-r");
	if (size && !parse_size(size, &sectors))
		return fail_usage("--size is a number of sectors, or of bytes with K, M or G");
	disc = malloc(sizeof(*disc));
	text = malloc(XO_DISC_JSON_MAX);
	if (!disc || !text) {
		code = fail(path, strerror(ENOMEM));
	} else if (xo_disc_make(disc, medium->media, sectors)) {
		code = fail(path, "no such medium is that large");
	} else {
		disc->serial = (uint32_t)(time(NULL) ^ (time_t)getpid() << 16) | 1;
		length = xo_disc_print(disc, text, XO_DISC_JSON_MAX);
		code = length < 0 ? fail(path, strerror((int)-length))
				  : create(path, text, (size_t)length);
	}
	free(text);
	free(disc);
	return code;
}

static char *read_whole(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(XO_DISC_JSON_MAX + 1) : NULL;

	if (text) {
		*length = fread(text, 1, XO_DISC_JSON_MAX + 1, file);
		if (ferror(file)) {
			free(text);
			text = NULL;
			errno = EIO;
		}
	}
	if (file)
		fclose(file);
	return text;
}

/* From the description beside the file, or from the file's size where there is none. */
static int load(const char *path, struct xo_disc *disc)
{
	char *json = description_path(path);
	size_t length = 0;
	char *text = json ? read_whole(json, &length) : NULL;
	char *error = NULL;
	struct stat st;
	int code = EXIT_DONE;

	if (text) {
		if (xo_disc_parse(disc, text, length, &error))
			code = fail(json, error ? error : strerror(ENOMEM));
	} else if (!json || errno != ENOENT || stat(path, &st)) {
		code = fail(path, strerror(errno));
	} else if (xo_disc_make_image(disc, XO_MEDIA_NONE, (uint64_t)st.st_size)) {
		code = fail(path, "has no description and is not an image of a disc");
	}
	free(error);
	free(text);
	free(json);
	return code;
}

static void print_track(unsigned int number, const struct xo_disc_track *track)
{
	static const char *const modes[] = { "audio", "mode 1", "mode 2", "XA" };
	static const char *const states[] = { "closed", "open", "reserved" };

	printf("  track %2u  session %-3u %-8s %-7s start %-9" PRIu32 " sectors %-9" PRIu32
	       " of %4u bytes at %" PRIu64,
	       number, track->session, states[track->state], modes[track->mode], track->start,
	       track->size, xo_track_stride(track), track->offset);
	if (track->state == XO_TRACK_RESERVED)
		printf(" (%" PRIu32 " written)", track->written);
	if (track->isrc[0])
		printf(" ISRC %s", track->isrc);
	putchar('\n');
}

static const char *state_of(const struct xo_disc *disc)
{
	if (disc->finished)
		return "finished";
	return disc->track_count ? "appendable" : "blank";
}

static void print_disc(const char *path, const struct xo_disc *disc)
{
	printf("%s: %s, %s, %" PRIu32 " sectors (%.1f MiB), %" PRIu32 " session%s closed\n", path,
	       xo_medium(disc->media)->name, state_of(disc), disc->capacity, disc->capacity / 512.0,
	       disc->sessions_closed, disc->sessions_closed == 1 ? "" : "s");
	if (disc->mcn[0])
		printf("  catalogue number %s\n", disc->mcn);
	if (disc->cd_text_length)
		printf("  CD-TEXT in %" PRIu32 " packs\n", disc->cd_text_length / 18);
	for (uint32_t i = 0; i < disc->track_count; i++)
		print_track(i + 1, &disc->track[i]);
}

static int disc_info(const char *path, bool json)
{
	struct xo_disc *disc = malloc(sizeof(*disc));
	char *text = malloc(XO_DISC_JSON_MAX);
	int code = disc && text ? load(path, disc) : fail(path, strerror(ENOMEM));

	if (code == EXIT_DONE && !json)
		print_disc(path, disc);
	if (code == EXIT_DONE && json && xo_disc_print(disc, text, XO_DISC_JSON_MAX) > 0)
		fputs(text, stdout);
	free(text);
	free(disc);
	return code;
}

int disc_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "type", required_argument, NULL, 't' },
		{ "size", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	const char *type = NULL;
	const char *size = NULL;
	bool json = false;
	bool create_one;
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			type = optarg;
		else if (option == 's')
			size = optarg;
		else if (option == 'j')
			json = true;
		else
			return fail_usage(NULL);
	}
	create_one = argc > 0 && !strcmp(argv[0], "new");
	if (argc - optind != 1 || (create_one ? json : type || size))
		return fail_usage(NULL);
	return create_one ? disc_new(argv[optind], type, size) : disc_info(argv[optind], json);
}
