/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A launcher and its clients for tests of the drive process: starts the real
 * program, starts it again when it was killed, adds links, sends commands and
 * resends them as the link's rules say.
 */
#ifndef XO_TEST_DRIVE_HARNESS_H
#define XO_TEST_DRIVE_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/drive_control.h"
#include "base/link.h"
#include "fake_sgio.h"

#define HARNESS_LINKS 10
#define HARNESS_ARGS 24
#define HARNESS_SLOTS 16
#define HARNESS_SLOT_SIZE (256u << 10)

struct harness;

/* A guest's side of one link, as a ring or an ioemu has it. */
struct client {
	struct harness *harness;
	uint32_t id;
	uint32_t domid;
	const char *name;
	const char *uuid;
	const char *mode;
	bool resume;
	bool lend;
	bool added;
	int client_fd;
	int server_fd; /* the launcher's duplicate */
	int arena_fd;
	struct xo_link link; /* the client's end */
	uint64_t tag;
	struct {
		bool sent; /* and not answered */
		struct xo_link_request request;
		struct xo_link_reply reply;
		unsigned int replies; /* for this tag */
	} slot[HARNESS_SLOTS];
	uint32_t notices; /* 1 << enum xo_notice, as they came */
	uint32_t max_transfer;
	unsigned int hellos;
};

struct harness {
	const char *program;
	const char *args[HARNESS_ARGS];
	unsigned int arg_count;
	const char *kill; /* XENOPTIC_KILL */
	bool burner;
	int control;
	int ledger;
	int device; /* memfd of struct fake_device */
	struct fake_device *fake;
	int disc; /* the burner's sector file */
	int description;
	bool inserted;
	int log; /* where its stderr goes */
	pid_t pid;
	unsigned int starts;
	uint32_t slots; /* of new clients */
	uint32_t slot_size;
	bool restart; /* when it dies: start it again */
	struct client clients[HARNESS_LINKS];
	json_t *events; /* array of all that came */
	uint64_t commands; /* sent by clients, each once */
};

/* `burner`: the real xenoptic-drive with a burner; otherwise the one with the fake SG_IO. */
void harness_init(struct harness *h, bool burner);
void harness_arg(struct harness *h, const char *arg);
/* Starts the process, waits for "ready", and gives it the disc and the links again. */
void harness_start(struct harness *h);
/* By "shutdown"; checks the exit status. */
void harness_stop(struct harness *h);
/* kill -9, and waits until it is dead. */
void harness_kill(struct harness *h);
void harness_fini(struct harness *h);
/* Waits until the process has ended by itself; its wait status. */
int harness_wait_end(struct harness *h);
/* Everything that the process has written to stderr. */
char *harness_log(struct harness *h);

/* The whole answer ("return" or "error"); the caller's. NULL: the process died on the way. */
json_t *harness_call(struct harness *h, const char *command, json_t *arguments, const int *fds,
		     size_t count);
/* Sends a command whose answer nobody waits for. */
void harness_post(struct harness *h, const char *command, json_t *arguments);
/* The class of the error, or NULL if it went well. */
const char *harness_try(struct harness *h, const char *command, json_t *arguments);
json_t *harness_query(struct harness *h); /* the "return"; the caller's */
/* "lease" → "state" of a query, copied to a static buffer. */
const char *harness_lease(struct harness *h);
int64_t harness_counter(struct harness *h, const char *name);
/* Reads events until one of that name is there (it is taken out); the caller's. */
json_t *harness_event(struct harness *h, const char *name);
/* Lets the harness read what has come, for at most `ms`. */
void harness_pump(struct harness *h, int ms);

/* A disc in a memfd, with its description. */
struct xo_disc;
void harness_insert(struct harness *h, const struct xo_disc *disc);
/* The newest description that the drive has given out; the caller's. */
char *harness_description(struct harness *h);

/* A link that is not added yet; `domid` also makes its id. */
struct client *harness_client(struct harness *h, uint32_t id, uint32_t domid, const char *uuid);
/* "held", "next", "waiting", or the class of an error; NULL: the drive died. */
const char *client_add(struct client *c);
/* Also when the drive is killed on the way. */
const char *client_add_surely(struct client *c);
/* Lets the lease drain. */
void harness_wait_lease(struct harness *h, const char *state);
const char *client_remove(struct client *c, bool force);
uint8_t *client_data(struct client *c, unsigned int slot);
void client_send(struct client *c, unsigned int slot, const void *cdb, size_t cdb_length,
		 enum xo_direction direction, uint32_t length);
void client_send_kind(struct client *c, unsigned int slot, enum xo_link_kind kind,
		      unsigned int target);
/* Exactly as given, nothing noted. */
void client_send_raw(struct client *c, const void *bytes, size_t size);
/* Waits for the reply. */
const struct xo_link_reply *client_wait(struct client *c, unsigned int slot);
/* Send and wait. */
const struct xo_link_reply *client_do(struct client *c, const void *cdb, size_t cdb_length,
				      enum xo_direction direction, uint32_t length);
const struct xo_link_reply *client_tur(struct client *c);
void client_write10(struct client *c, unsigned int slot, uint32_t lba, uint16_t blocks,
		    uint32_t seed);
uint32_t reply_kcq(const struct xo_link_reply *reply);
/* What client_write10() puts into a sector. */
void fill_sector(uint8_t *sector, uint32_t lba, uint32_t seed);

/* Checks uid, capabilities, seccomp and descriptors of the process in /proc. */
void harness_check_sandbox(struct harness *h);

#endif
