/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Named points where a test lets the process die; see base/point.h. */
#include "base/point.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

#define KILLS_MAX 256

uint64_t *xo_point_hits;

static uint64_t own_hits[XO_LEDGER_POINTS_MAX];
static const char *const *point_names;
static struct {
	unsigned int point;
	uint64_t pass;
	bool trespass;
} kills[KILLS_MAX];
static size_t kill_count;

static int point_find(const char *const *names, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (names[i] && strlen(names[i]) == length && !memcmp(names[i], name, length))
			return (int)i;
	return -ENOENT;
}

/* "NAME=N" at `text`; sets *end behind it. Names of other processes are passed over. */
static int kill_add(const char *text, const char **end, const char *const *names, size_t count)
{
	const char *equals = strchr(text, '=');
	unsigned long long pass;
	char *after;
	int point;

	if (!equals || equals[1] < '1' || equals[1] > '9')
		return -EINVAL;
	errno = 0;
	pass = strtoull(equals + 1, &after, 10);
	if (errno ||
	    (*after && *after != ',' && strcmp(after, "!") != 0 && strncmp(after, "!,", 2) != 0))
		return -EINVAL;
	if (kill_count < KILLS_MAX)
		kills[kill_count].trespass = *after == '!';
	after += *after == '!';
	*end = *after ? after + 1 : after;
	point = point_find(names, count, text, (size_t)(equals - text));
	if (point < 0)
		return 0;
	if (kill_count == KILLS_MAX)
		return -E2BIG;
	kills[kill_count].point = (unsigned int)point;
	kills[kill_count++].pass = pass;
	return 0;
}

int xo_point_init(const char *const *names, size_t count, struct xo_ledger *ledger)
{
	const char *text = getenv("XENOPTIC_KILL");

	xo_point_hits = NULL;
	point_names = names;
	kill_count = 0;
	if (count > XO_LEDGER_POINTS_MAX)
		return -EINVAL;
	while (text && *text) {
		int r = kill_add(text, &text, names, count);

		if (r) {
			xo_error("XENOPTIC_KILL: expected NAME=N[!][,NAME=N[!]…] at \"%s\"", text);
			return r;
		}
	}
	if (kill_count)
		xo_point_hits = ledger ? ledger->header->point_hits : own_hits;
	return 0;
}

/* A call that no worker may make. It does not return where there is a filter. */
static void trespass(unsigned int point)
{
	xo_notice("makes a forbidden call at %s", point_names[point]);
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno)
		xo_error("the call was not stopped: this process is not in its sandbox");
}

void xo_point_pass(unsigned int point)
{
	uint64_t pass = __atomic_add_fetch(&xo_point_hits[point], 1, __ATOMIC_SEQ_CST);

	for (size_t i = 0; i < kill_count; i++) {
		if (kills[i].point != point || kills[i].pass != pass)
			continue;
		if (kills[i].trespass) {
			trespass(point);
			continue;
		}
		xo_notice("dies at %s, pass %llu", point_names[point], (unsigned long long)pass);
		__builtin_trap(); /* no system call, so no filter can stop it */
	}
}
