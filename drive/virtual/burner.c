// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The burner's life: its region with two copies of the state and the store
 * that switches between them, the command as a transaction, the disc put in
 * and taken out.
 */
#include "virtual.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ledger.h"
#include "dispatch.h"

#define REGION_MAGIC 0x42564f58u /* "XOVB" */
#define REGION_LAYOUT ((uint32_t)sizeof(struct vb_region) << 4 | 1u)

size_t xo_burner_region_size(void)
{
	return (sizeof(struct vb_region) + 63) / 64 * 64;
}

uint64_t vb_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const struct xo_medium *vb_medium(const struct vb *vb)
{
	return xo_medium(vb->s->disc.media);
}

void vb_changed(struct vb *vb)
{
	vb->s->generation++;
}

static struct vb *to_vb(struct xo_unit *unit)
{
	return (struct vb *)unit;
}

static struct vb_state *valid_state(const struct vb *vb)
{
	return &vb->region->state[xo_ledger_state(&vb->region->active) & 1];
}

/* What is in use of it; the rest of the copy that it goes to is never looked at. */
static void copy_state(struct vb_state *to, const struct vb_state *from)
{
	uint32_t segments = XO_MIN(from->sao.segments, VB_SEGMENTS_MAX);
	uint32_t tracks = from->disc.track_count + from->sao.tracks;

	memcpy(to, from, offsetof(struct vb_state, sao.segment));
	memcpy(to->sao.segment, from->sao.segment, segments * sizeof(to->sao.segment[0]));
	xo_disc_copy(&to->disc, &from->disc);
	for (uint32_t i = from->disc.track_count; i < tracks && i < XO_DISC_TRACKS_MAX; i++)
		to->disc.track[i] = from->disc.track[i];
}

static void begin(struct vb *vb)
{
	uint32_t active = xo_ledger_state(&vb->region->active) & 1;

	vb->s = &vb->region->state[!active];
	copy_state(vb->s, &vb->region->state[active]);
}

static void pass_point(struct vb *vb, enum xo_burner_point point)
{
	if (vb->host.point)
		vb->host.point(vb->host.priv, point);
}

static void commit(struct vb *vb)
{
	uint32_t active = xo_ledger_state(&vb->region->active) & 1;

	pass_point(vb, XO_BURNER_DONE);
	xo_ledger_commit(&vb->region->active, !active);
	pass_point(vb, XO_BURNER_COMMITTED);
}

/* What the host must know and may not know yet, also because a predecessor died here. */
static void tell_host(struct vb *vb)
{
	const struct vb_state *s = valid_state(vb);
	ssize_t length;

	if (s->generation != vb->region->saved_generation && s->disc.media != XO_MEDIA_NONE) {
		length = xo_disc_print(&s->disc, vb->json, sizeof(vb->json));
		if (length > 0 && vb->host.save_description)
			vb->host.save_description(vb->host.priv, vb->json, (size_t)length);
		vb->region->saved_generation = s->generation;
	}
	if (s->tray_open != (vb->region->tray_told != 0)) {
		if (vb->host.tray)
			vb->host.tray(vb->host.priv, s->tray_open);
		vb->region->tray_told = s->tray_open;
	}
}

static void answer(struct xo_command *command, const struct vb_result *result)
{
	command->status = result->status;
	command->transport = XO_TRANSPORT_OK;
	command->residual = result->residual;
	command->sense_length = result->sense_length;
	memcpy(command->sense, result->sense, result->sense_length);
}

static void burner_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct vb *vb = to_vb(unit);
	struct vb_state *s = valid_state(vb);

	if (command->id && command->id == s->id) { /* done before a restart; its data lie there */
		answer(command, &s->result);
		return;
	}
	begin(vb);
	vb->command = command;
	vb_dispatch(vb);
	vb->s->id = command->id;
	vb->s->commands++;
	vb->s->used = true;
	answer(command, &vb->s->result);
	vb->command = NULL;
	commit(vb);
	tell_host(vb);
}

/* Ends what a client began and cannot end any more. */
static void interrupt(struct vb *vb)
{
	struct vb_state *s = vb->s;

	if (s->sao.active && s->sao.begun)
		vb_sao_finish(vb);
	vb_sao_drop(vb);
	s->test_active = false;
	if (s->unsynced) {
		vb_file_flush(vb);
		vb_changed(vb);
	}
}

static void burner_release(struct xo_unit *unit)
{
	struct vb *vb = to_vb(unit);

	begin(vb);
	interrupt(vb);
	vb->s->prevented = false;
	vb->s->read_speed = 0;
	vb->s->write_speed = 0;
	vb->s->media_event = 0;
	vb->s->operational_event = false;
	vb->s->attention = VB_UA_RESET;
	vb->s->used = false;
	vb_mode_reset(vb->s);
	commit(vb);
	tell_host(vb);
}

static void close_file(struct vb *vb)
{
	if (vb->fd >= 0)
		close(vb->fd);
	vb->fd = -1;
}

static void burner_free(struct xo_unit *unit)
{
	struct vb *vb = to_vb(unit);

	if (!vb)
		return;
	close_file(vb);
	free(vb);
}

static const struct xo_unit_ops burner_ops = {
	.name = "virtual burner",
	.execute = burner_execute,
	.release = burner_release,
	.free = burner_free,
};

static void init_region(struct vb_region *region)
{
	struct vb_state *s = &region->state[0];

	s->attention = VB_UA_RESET;
	vb_mode_reset(s);
	region->layout = REGION_LAYOUT;
	xo_ledger_commit(&region->magic, REGION_MAGIC);
}

int xo_burner_new(struct xo_unit **unit, void *memory, const struct xo_burner_host *host)
{
	struct vb_region *region = memory;
	struct vb *vb;

	if (region->magic == 0)
		init_region(region);
	if (region->magic != REGION_MAGIC || region->layout != REGION_LAYOUT)
		return -EPROTO;
	vb = calloc(1, sizeof(*vb));
	if (!vb)
		return -ENOMEM;
	vb->unit.ops = &burner_ops;
	vb->region = region;
	vb->fd = -1;
	if (host)
		vb->host = *host;
	*unit = &vb->unit;
	return 0;
}

static void take_file(struct vb *vb, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	close_file(vb);
	vb->fd = fd;
	vb->read_only = flags < 0 || (flags & O_ACCMODE) == O_RDONLY;
}

static int describe(struct xo_disc *disc, int fd, const char *json, size_t length, char **error)
{
	struct stat st;

	if (json) {
		int r = xo_disc_parse(disc, json, length, error);

		/* A profile that is current must be one of the list's (MMC-6 5.3.1). */
		if (r || !xo_medium(disc->media)->writable || xo_medium(disc->media)->burned)
			return r;
		*error = strdup("the virtual burner does not write media of that type");
		return -EINVAL;
	}
	if (fstat(fd, &st))
		return -errno;
	return xo_disc_make_image(disc, XO_MEDIA_NONE, (uint64_t)st.st_size);
}

/* A disc has come into the drive: what the client will be told of it. */
static void announce_medium(struct vb_state *s)
{
	s->tray_open = false;
	s->sao = (struct vb_sao){ .active = false };
	s->test_active = false;
	s->unsynced = false;
	if (!s->used) { /* the first command learns of a reset, which says it all */
		s->attention = VB_UA_RESET;
		return;
	}
	s->attention |= VB_UA_MEDIUM;
	s->media_event = (uint8_t)((s->media_event & ~VB_EVENT_EJECT_REQUEST) | VB_EVENT_NEW_MEDIA);
	s->operational_event = true;
}

int xo_burner_insert(struct xo_unit *unit, int sectors_fd, const char *json, size_t length,
		     bool again, char **error)
{
	struct vb *vb = to_vb(unit);
	struct vb_state *s = valid_state(vb);
	bool occupied = s->disc.media != XO_MEDIA_NONE;
	int r = 0;

	*error = NULL;
	if (again != occupied)
		r = again ? -ENOENT : -EBUSY;
	else if (!again && s->prevented && !s->tray_open)
		r = -EBUSY;
	if (r) {
		close(sectors_fd);
		return r;
	}
	if (!again) {
		begin(vb);
		r = describe(&vb->s->disc, sectors_fd, json, length, error);
		if (r) {
			close(sectors_fd);
			return r;
		}
		announce_medium(vb->s);
		vb_start(vb, VB_LOAD, vb->s->disc.timing.load);
		vb_changed(vb);
		vb->region->saved_generation = vb->s->generation; /* the host knows it */
		commit(vb);
	}
	take_file(vb, sectors_fd);
	tell_host(vb);
	return 0;
}

/* Without the medium: what a client is told when it asks next. */
static void forget_medium(struct vb_state *s)
{
	s->disc.media = XO_MEDIA_NONE;
	s->disc.track_count = 0;
	s->disc.cd_text_length = 0;
	s->tray_open = true;
	s->operation = VB_IDLE;
	s->attention = (uint8_t)((s->attention & ~VB_UA_MEDIUM) | VB_UA_NO_MEDIUM);
	s->media_event = VB_EVENT_MEDIA_REMOVAL;
	s->operational_event = true;
}

int xo_burner_eject(struct xo_unit *unit, bool force)
{
	struct vb *vb = to_vb(unit);
	bool held;

	if (valid_state(vb)->disc.media == XO_MEDIA_NONE)
		return -ENOENT;
	begin(vb);
	held = !force && !vb->s->tray_open && (vb->s->prevented || vb_busy(vb));
	if (held) {
		vb->s->media_event |= VB_EVENT_EJECT_REQUEST;
		commit(vb);
		return -EBUSY;
	}
	interrupt(vb);
	commit(vb);
	tell_host(vb); /* the description as it is, while there is a disc */
	begin(vb);
	forget_medium(vb->s);
	commit(vb);
	close_file(vb);
	tell_host(vb);
	return 0;
}

void xo_burner_save(struct xo_unit *unit)
{
	struct vb *vb = to_vb(unit);

	vb->region->saved_generation = valid_state(vb)->generation - 1;
	tell_host(vb);
}

bool xo_burner_loaded(const struct xo_unit *unit)
{
	return valid_state((const struct vb *)unit)->disc.media != XO_MEDIA_NONE;
}

bool xo_burner_medium_present(const struct xo_unit *unit)
{
	return xo_burner_loaded(unit) && !valid_state((const struct vb *)unit)->tray_open;
}

ssize_t xo_burner_describe(const struct xo_unit *unit, char *text, size_t size)
{
	const struct xo_disc *disc = &valid_state((const struct vb *)unit)->disc;

	return disc->media == XO_MEDIA_NONE ? -ENOENT : xo_disc_print(disc, text, size);
}

uint64_t xo_burner_commands(const struct xo_unit *unit)
{
	return valid_state((const struct vb *)unit)->commands;
}
