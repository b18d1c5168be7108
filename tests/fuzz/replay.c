/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays a corpus without libFuzzer: replay_NAME runs every file of corpus/NAME as it is and in a
 * few mutations (always the same ones). replay_NAME FILE… runs just these files; -m N after a file
 * is its mutation N, -w PATH writes the input instead of running it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1u << 20)
#define MUTATIONS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
	uint8_t *data;
	size_t size;
};

/* Which input runs, for the message when it kills us. */
static char running[4096 + 64];

static void tell(void)
{
	ssize_t n = write(STDERR_FILENO, running, strlen(running));

	(void)n;
}

static void on_abort(int signal)
{
	(void)signal;
	tell();
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t limit)
{
	return limit ? (size_t)(next_random(state) % limit) : 0;
}

static int load(const char *path, struct input *input)
{
	FILE *f = fopen(path, "rb");

	input->data = malloc(INPUT_MAX);
	if (!f || !input->data) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		if (f)
			fclose(f);
		free(input->data);
		return -1;
	}
	input->size = fread(input->data, 1, INPUT_MAX, f);
	fclose(f);
	return 0;
}

/* One to four changes: a byte, a bit, an edge value, bytes cut out, bytes doubled, the end. */
static void mutate(struct input *input, unsigned number)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	uint64_t state = number * 0x1000193ull + input->size;
	unsigned changes = 1 + (unsigned)below(&state, 4);

	while (changes-- && input->size) {
		size_t at = below(&state, input->size);
		size_t n = 1 + below(&state, input->size - at < 16 ? input->size - at : 16);

		switch (below(&state, 6)) {
		case 0:
			input->data[at] = (uint8_t)next_random(&state);
			break;
		case 1:
			input->data[at] ^= (uint8_t)(1u << below(&state, 8));
			break;
		case 2:
			input->data[at] = edges[below(&state, sizeof(edges))];
			break;
		case 3:
			input->size = at;
			break;
		case 4:
			if (n > input->size - at)
				n = input->size - at;
			memmove(input->data + at, input->data + at + n, input->size - at - n);
			input->size -= n;
			break;
		default:
			if (n > input->size - at || input->size + n > INPUT_MAX)
				break;
			memmove(input->data + at + n, input->data + at, input->size - at);
			input->size += n;
			break;
		}
	}
}

/* Runs one input, in memory of exactly its size so that a byte too far is seen. */
static int run(const struct input *input)
{
	uint8_t *exact = malloc(input->size ? input->size : 1);

	if (!exact)
		return -1;
	memcpy(exact, input->data, input->size);
	LLVMFuzzerTestOneInput(exact, input->size);
	free(exact);
	return 0;
}

/* Mutation 0 is the file itself. */
static int replay(const char *path, unsigned mutation, const char *write_to)
{
	struct input input;
	int r;

	if (load(path, &input))
		return 1;
	if (mutation)
		mutate(&input, mutation);
	if (write_to) {
		FILE *f = fopen(write_to, "wb");

		r = !f || fwrite(input.data, 1, input.size, f) != input.size;
		if (f)
			r |= fclose(f);
	} else {
		snprintf(running, sizeof(running), "input: %s -m %u\n", path, mutation);
		r = run(&input);
	}
	free(input.data);
	return r != 0;
}

static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int failed = 0;
	int count = 0;

	if (!dir) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return 1;
	}
	while ((entry = readdir(dir))) {
		char *path;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			exit(1);
		for (unsigned m = 0; m <= MUTATIONS; m++)
			failed |= replay(path, m, NULL);
		free(path);
		count++;
	}
	closedir(dir);
	printf("%s: %d inputs, %d mutations of each\n", folder, count, MUTATIONS);
	return failed || !count;
}

static int replay_arguments(int argc, char **argv)
{
	const char *write_to = NULL;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		unsigned mutation = 0;
		const char *path = argv[i];

		if (!strcmp(path, "-w") && i + 1 < argc) {
			write_to = argv[++i];
			continue;
		}
		if (i + 2 < argc && !strcmp(argv[i + 1], "-m")) {
			mutation = (unsigned)strtoul(argv[i + 2], NULL, 10);
			i += 2;
		}
		failed |= replay(path, mutation, write_to);
	}
	return failed;
}

int main(int argc, char **argv)
{
	const char *source = getenv("top_srcdir");
	const char *name = strstr(argv[0], "replay_");
	char folder[4096];

	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(tell);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (argc > 1)
		return replay_arguments(argc, argv);
	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", source ? source : ".",
		 name ? name + strlen("replay_") : "");
	return replay_folder(folder);
}
