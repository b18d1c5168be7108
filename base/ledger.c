/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger's memfd: made and sealed by the launcher, opened and checked by a worker. */
#include "base/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

#define LEDGER_PAGE 4096u
#define LEDGER_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(sizeof(struct xo_ledger_header) <= LEDGER_PAGE, "the header has the first page");

size_t xo_ledger_size(size_t region_size)
{
	size_t size;

	if (xo_add_overflows(region_size, 2 * (size_t)LEDGER_PAGE - 1, &size))
		return 0;
	return size / LEDGER_PAGE * LEDGER_PAGE;
}

int xo_ledger_create(size_t region_size)
{
	size_t size = xo_ledger_size(region_size);
	int fd;

	if (!size || size > (size_t)1 << 31)
		return -EINVAL;
	fd = memfd_create("xenoptic-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, LEDGER_SEALS) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static int header_check(struct xo_ledger_header *header, const char *kind, uint32_t layout,
			size_t region_size)
{
	if (xo_ledger_state(&header->magic) == 0) {
		header->layout = layout;
		header->region_size = region_size;
		memcpy(header->kind, kind, strlen(kind) + 1);
		xo_ledger_commit(&header->magic, XO_LEDGER_MAGIC);
	}
	if (header->magic != XO_LEDGER_MAGIC || header->layout != layout ||
	    header->region_size != region_size || memcmp(header->kind, kind, strlen(kind) + 1)) {
		xo_error("ledger: not one of kind %s, layout %u, %zu bytes", kind, layout,
			 region_size);
		return -EPROTO;
	}
	return 0;
}

int xo_ledger_open(struct xo_ledger *ledger, int fd, const char *kind, uint32_t layout,
		   size_t region_size)
{
	size_t size = xo_ledger_size(region_size);
	struct stat st;
	void *p;
	int r;

	if (!size || strlen(kind) >= XO_LEDGER_KIND_MAX)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (size_t)st.st_size != size ||
	    fcntl(fd, F_GET_SEALS) != LEDGER_SEALS) {
		xo_error("ledger: descriptor %d is no sealed memfd of %zu bytes", fd, size);
		return -EPROTO;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	r = header_check(p, kind, layout, region_size);
	if (r) {
		munmap(p, size);
		return r;
	}
	*ledger = (struct xo_ledger){
		.fd = fd,
		.header = p,
		.region = (uint8_t *)p + LEDGER_PAGE,
		.region_size = region_size,
	};
	ledger->header->generation++;
	return 0;
}

void xo_ledger_close(struct xo_ledger *ledger)
{
	if (!ledger->header)
		return;
	munmap(ledger->header, xo_ledger_size(ledger->region_size));
	close(ledger->fd);
	*ledger = (struct xo_ledger){ .fd = -1 };
}
