/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library that `xenoptic-guest exec` preloads: inside an unmodified
 * program it stands in for a CD-ROM's device node. Everything here runs in
 * somebody else's process: errno and signals are left alone, nothing is
 * printed, and a descriptor that is not the device's costs one bit test.
 */
#ifndef XO_EXEC_PRELOAD_H
#define XO_EXEC_PRELOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "exec/protocol.h"

#define XO_PRE_EXPORT __attribute__((visibility("default")))

/* The next definition of a function: the C library's, as a rule. */
void *xo_pre_next(void **slot, const char *name);
#define XO_NEXT(function)                                                \
	({                                                               \
		static void *slot_;                                      \
		(__typeof__(&(function)))xo_pre_next(&slot_, #function); \
	})

/* Fails a call the way the C library does. */
#define XO_FAIL(error)         \
	do {                   \
		errno = error; \
		return -1;     \
	} while (0)

/* preload.c: which paths and descriptors are ours */

enum xo_pre_kind {
	XO_PRE_OTHER, /* not ours */
	XO_PRE_DEVICE, /* the device node */
	XO_PRE_LINK, /* a symbolic link to it: /dev/cdrom */
	XO_PRE_SHOWN, /* a file that the server shows: the path to use instead is in `shown` */
};

#define XO_PRE_PATH_MAX 512

/* What `path` (relative to `dirfd`) is. `shown` has XO_PRE_PATH_MAX bytes. */
enum xo_pre_kind xo_pre_path(int dirfd, const char *path, char *shown);
/* The number of the file that descriptor `fd` is an open of, or -1. */
int64_t xo_pre_file(int fd);
/* `fd` may be one of ours from now on. */
void xo_pre_mark(int fd);
bool xo_pre_marked(int fd);
const char *xo_pre_device(void);
unsigned int xo_pre_minor(void);
/* What stat(2) says of the device. */
void xo_pre_stat(struct stat *st);
/* The address of the server's socket; a NULL-terminated path. */
const char *xo_pre_socket(void);

/* client.c: talking to the server */

struct xo_pre_result {
	uint8_t status; /* SAM */
	uint8_t transport; /* enum xo_transport */
	uint8_t sense_length;
	uint32_t residual;
	uint32_t duration; /* ms */
	uint8_t sense[XO_SENSE_MAX];
};

/* open(2) of the device: a descriptor, or -errno. */
int xo_pre_open(int flags);

/*
 * Runs a packet command to its end. 0 when it was tried, whatever came of it,
 * or -errno. `data` may be scattered over `pieces`.
 */
struct iovec;
int xo_pre_command(uint32_t file, const uint8_t *cdb, unsigned int cdb_length,
		   enum xo_direction direction, const struct iovec *pieces, unsigned int count,
		   uint32_t timeout, struct xo_pre_result *result);

int xo_pre_get(uint32_t file, enum xo_exec_register reg, uint64_t *value);
int xo_pre_set(uint32_t file, enum xo_exec_register reg, uint64_t value);
/* The largest transfer in bytes; 0 when the server cannot be reached. */
uint32_t xo_pre_max_transfer(void);
/* True when `fd` is the library's own and the program must not close it. */
bool xo_pre_own(int fd);

/* block.c: the device as a block device, and packet commands as the kernel's drivers use them */

#define XO_PRE_BLOCK 2048

/*
 * One packet command of the kernel's own: tried again after UNIT ATTENTION; 0 when its
 * status is GOOD, else the -errno that a driver would make of it. `result` may be NULL.
 */
int xo_pre_packet(uint32_t file, const uint8_t *cdb, unsigned int cdb_length,
		  enum xo_direction direction, void *data, uint32_t length,
		  struct xo_pre_result *result);
/* open(2) without O_NONBLOCK needs a medium, and with O_RDWR one that takes random writes. */
int xo_pre_check_medium(uint32_t file, int flags);
int xo_pre_capacity(uint32_t file, uint64_t *bytes);
ssize_t xo_pre_pread(uint32_t file, void *data, size_t count, uint64_t offset);
ssize_t xo_pre_pwrite(uint32_t file, const void *data, size_t count, uint64_t offset);
ssize_t xo_pre_read(uint32_t file, void *data, size_t count);
ssize_t xo_pre_write(uint32_t file, const void *data, size_t count);
int64_t xo_pre_seek(uint32_t file, int64_t offset, int whence);

/* ioctl.c, cdrom.c, sg.c */

/* The result of ioctl(2), or -errno. */
int xo_pre_ioctl(uint32_t file, unsigned long request, unsigned long argument);

struct xo_pre_ioctl {
	unsigned long request;
	int (*run)(uint32_t file, unsigned long argument);
};

/* Tables of the device's ioctls; each ends with request 0. */
extern const struct xo_pre_ioctl xo_pre_sg_ioctls[];
extern const struct xo_pre_ioctl xo_pre_cdrom_ioctls[];
extern const struct xo_pre_ioctl xo_pre_audio_ioctls[];

#endif
