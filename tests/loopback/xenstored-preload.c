// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into Debian's xenstored: Dom0's event channel and store page, which it reads from
 * /proc/xen, come from the directory $XENOPTIC_LOOPBACK_DIR. Everything else that it asks of Xen
 * goes through the stand-in libraries.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static void __attribute__((constructor)) die_with_the_test(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int open(const char *path, int flags, ...)
{
	static const char prefix[] = "/proc/xen/";
	const char *dir = getenv("XENOPTIC_LOOPBACK_DIR");
	int (*real)(const char *, int, ...) =
		(int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	char other[4096];
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (dir && strncmp(path, prefix, sizeof(prefix) - 1) == 0) {
		snprintf(other, sizeof(other), "%s/%s", dir, path + sizeof(prefix) - 1);
		path = other;
	}
	return real(path, flags, mode);
}
