/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the virtual burner: its state, what a command handler gets, and the
 * helpers that handlers share. Everything that must survive a restart is in
 * struct vb_state; struct vb can be made anew from it at any time.
 */
#ifndef XO_VIRTUAL_H
#define XO_VIRTUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "drive/burner.h"
#include "drive/disc.h"
#include "mmc/opcode.h"
#include "mmc/profile.h"
#include "mmc/sense.h"

#define VB_PARAMETERS_MAX 65536u /* the longest parameter list that is looked at */
#define VB_PAGE_MAX 64u /* the longest mode page that is kept */
#define VB_SEGMENTS_MAX 512u /* parts of a cue sheet with a start address */
#define VB_BUFFER_KIB 2048u /* that the drive says it has */
#define VB_BUFFER_BYTES (VB_BUFFER_KIB * 1024u)
#define VB_SECTOR_MAX (2352 + 296 + 96)

/* Unit attentions that wait to be reported, in this order. */
enum vb_attention {
	VB_UA_RESET = 1 << 0, /* 06/29/00 */
	VB_UA_NO_MEDIUM =
		1 << 1, /* 02/3A/xx once: the host changed the disc between two commands */
	VB_UA_MEDIUM = 1 << 2, /* 06/28/00 */
};

/* Events of GET EVENT STATUS NOTIFICATION that wait (MMC-6 6.6). */
enum vb_media_event {
	VB_EVENT_EJECT_REQUEST = 1 << 0,
	VB_EVENT_NEW_MEDIA = 1 << 1,
	VB_EVENT_MEDIA_REMOVAL = 1 << 2,
};

/* What goes on in the background. */
enum vb_operation { VB_IDLE = 0, VB_SYNC, VB_CLOSE, VB_FORMAT, VB_BLANK, VB_LOAD };

/* Mode pages whose current values are kept. */
enum vb_page {
	VB_PAGE_01,
	VB_PAGE_05,
	VB_PAGE_08,
	VB_PAGE_0D,
	VB_PAGE_0E,
	VB_PAGE_1A,
	VB_PAGE_1D,
	VB_PAGES
};

/* One entry of a cue sheet that has an address. */
struct vb_segment {
	int32_t lba;
	uint16_t track; /* index into disc.track of the track it belongs to */
	uint8_t form; /* data form (MMC-6 tables 548, 549) */
	uint8_t index; /* 0: pregap; 1 and more: the track */
};

/* A session-at-once recording, from SEND CUE SHEET to its last block. */
struct vb_sao {
	bool active;
	bool multisession; /* another session may follow */
	bool test;
	bool begun; /* the tracks belong to the disc */
	bool lead_in; /* R-W data for the lead-in come first */
	bool text_complete; /* the CD-TEXT packs repeat themselves */
	int32_t next; /* LBA that WRITE has to come with */
	int32_t end; /* the lead-out's */
	uint32_t tracks; /* staged behind disc.track_count until begun */
	uint32_t segments;
	struct vb_segment segment[VB_SEGMENTS_MAX];
};

/* The result of the last command. */
struct vb_result {
	uint32_t residual;
	uint8_t status;
	uint8_t sense_length;
	uint8_t sense[XO_SENSE_FIXED_LEN];
};

struct vb_state {
	uint64_t id; /* of the last command carried out */
	uint64_t commands;
	struct vb_result result;
	/* the drive */
	uint8_t attention; /* enum vb_attention */
	uint8_t media_event; /* enum vb_media_event */
	bool operational_event; /* the features may have changed */
	bool tray_open;
	bool prevented;
	bool used; /* a command was carried out since the burner was made or released */
	uint8_t operation; /* enum vb_operation */
	uint64_t operation_start; /* ns, CLOCK_MONOTONIC */
	uint64_t operation_end;
	uint32_t read_speed; /* kB/s; 0: the fastest */
	uint32_t write_speed;
	uint8_t page[VB_PAGES][VB_PAGE_MAX];
	uint32_t generation; /* counts what must be saved of the disc */
	/* recording */
	bool unsynced; /* written since the last flush */
	bool test_active; /* a test write runs: */
	int32_t test_next;
	struct vb_sao sao; /* from here on only what is in use is copied (copy_state) */
	struct xo_disc disc; /* media is XO_MEDIA_NONE without one */
};

/* The caller's region. */
struct vb_region {
	uint32_t magic;
	uint32_t layout;
	uint32_t active; /* which of the two is valid: the one store that makes a command done */
	uint32_t saved_generation; /* of the description that the host was given */
	uint32_t tray_told; /* state of the tray that the host was told */
	uint32_t reserved[11];
	struct vb_state state[2];
};

/* What one process knows; made anew after a restart. */
struct vb {
	struct xo_unit unit; /* first */
	struct vb_region *region;
	struct xo_burner_host host;
	int fd; /* the sector file, or -1 */
	bool read_only; /* its descriptor is */
	/* during a command: */
	struct vb_state *s; /* the copy that is worked on */
	struct xo_command *command;
	struct xo_sense sense; /* what vb_bad_cdb and the like have to say beside the code */
	uint32_t transferred;
	uint8_t parameters[VB_PARAMETERS_MAX]; /* copied out of the client's memory */
	uint32_t parameters_length;
	char json[XO_DISC_JSON_MAX];
};

/* A handler returns 0 for GOOD, or a sense code (enum xo_kcq). */
typedef uint32_t (*vb_handler)(struct vb *vb);

enum vb_op_flags {
	VB_NEEDS_MEDIUM = 1 << 0,
	VB_WHILE_BUSY = 1 << 1, /* also while something goes on in the background */
	VB_WRITES = 1 << 2, /* refused on a disc that must not change */
};

struct vb_op {
	vb_handler handler;
	uint8_t flags;
	uint8_t usage[16]; /* the bits of each CDB byte that may be set */
};

extern const struct vb_op vb_ops[256];

/* burner.c */
uint64_t vb_now(void);
const struct xo_medium *vb_medium(const struct vb *vb);
void vb_changed(struct vb *vb); /* the description has to be saved */

/* transfer.c: data to and from the client */
void vb_reply(struct vb *vb, const void *data, size_t length, uint32_t allocation);
/* Fills a response whose first two (or four) bytes count the rest, and replies. */
void vb_reply_counted16(struct vb *vb, struct xo_writer *w, uint32_t allocation);
void vb_reply_counted32(struct vb *vb, struct xo_writer *w, uint32_t allocation);
/* The next `length` bytes of the client's buffer to fill, or NULL if it is smaller; see vb_filled. */
uint8_t *vb_data_in(struct vb *vb, uint32_t *length);
const uint8_t *vb_data_out(struct vb *vb, uint32_t length);
/* Copies a parameter list of that length into vb->parameters. */
uint32_t vb_fetch_parameters(struct vb *vb, uint32_t length);
uint32_t vb_bad_cdb(struct vb *vb, unsigned int byte, int bit);
uint32_t vb_bad_parameter(struct vb *vb, unsigned int byte, int bit);
uint32_t vb_fail_at(struct vb *vb, uint32_t kcq, int64_t lba);

/* file.c: the sector file */
int vb_file_read(struct vb *vb, void *to, size_t length, uint64_t offset);
int vb_file_write(struct vb *vb, const void *from, size_t length, uint64_t offset);
int vb_file_flush(struct vb *vb);
int vb_file_truncate(struct vb *vb, uint64_t size);

/* operation.c: what goes on in the background */
void vb_start(struct vb *vb, enum vb_operation operation, uint32_t ms);
bool vb_busy(struct vb *vb);
/* The not-ready code of the running operation, with its progress in vb->sense. */
uint32_t vb_busy_sense(struct vb *vb);

/* tracks.c: the disc's sessions and tracks */
struct xo_disc_track *vb_last_track(struct vb *vb);
struct xo_disc_track *vb_open_track(struct vb *vb); /* incomplete and growing, or NULL */
bool vb_appendable(const struct vb *vb);
uint32_t vb_next_start(const struct vb *vb); /* where the invisible track starts */
uint32_t vb_sessions(const struct vb *vb); /* counting an open or empty last one */
uint32_t
vb_visible_end(const struct vb *vb); /* LBA behind the last block of READ CAPACITY; 0: none */
uint32_t vb_visible_tracks(const struct vb *vb); /* those in the TOC */
const struct xo_disc_track *vb_track_at(const struct vb *vb, int32_t lba); /* pregap included */
uint32_t vb_session_end(const struct vb *vb, uint32_t session); /* its lead-out's LBA */
struct xo_disc_track *vb_append_track(struct vb *vb);
void vb_close_track(struct vb *vb, struct xo_disc_track *track);
void vb_close_session(struct vb *vb, bool finish);
uint32_t vb_align(const struct vb *vb, uint32_t lba);
bool vb_is_cd(const struct vb *vb);
bool vb_has_pow(const struct vb *vb); /* a BD-R that was formatted for pseudo-overwrite */
unsigned int vb_profile(const struct vb *vb);

/* mode.c */
void vb_mode_reset(struct vb_state *s);
unsigned int vb_write_type(const struct vb *vb);

/* speeds.c */
struct vb_speeds {
	uint32_t read; /* kB/s, the fastest */
	uint32_t count;
	uint32_t write[8]; /* kB/s, the fastest first */
};
const struct vb_speeds *vb_speeds(const struct vb *vb);
uint32_t vb_current_write_speed(const struct vb *vb);
uint32_t vb_current_read_speed(const struct vb *vb);

/* sector.c: CD sectors made up from what is stored */
void vb_sector_finish_mode1(uint8_t *sector);
void vb_sector_finish_form1(uint8_t *sector);
void vb_sector_finish_form2(uint8_t *sector);
void vb_sector_header(uint8_t *sector, int32_t lba, unsigned int mode);
void vb_msf(uint8_t *to, int32_t lba); /* minutes, seconds, frames */
uint8_t vb_bcd(unsigned int value);
/* The 2352 (and 96) bytes of the block at lba, which lies in `track` or its pregap. 0 or a sense code. */
uint32_t vb_sector_load(struct vb *vb, const struct xo_disc_track *track, int32_t lba,
			uint8_t *sector, uint8_t *subchannel);

/* subchannel.c */
void vb_q_position(const struct vb *vb, int32_t lba,
		   uint8_t *q); /* 12 bytes with CRC, MMC-6 table 359 */

/* sao.c */
uint32_t vb_sao_write(struct vb *vb, int32_t lba, uint32_t count);
void vb_sao_finish(struct vb *vb); /* what was begun becomes a closed session */
void vb_sao_drop(struct vb *vb);

/* the handlers, by file */
uint32_t vb_test_unit_ready(struct vb *vb);
uint32_t vb_request_sense(struct vb *vb);
uint32_t vb_inquiry(struct vb *vb);
uint32_t vb_report_luns(struct vb *vb);
uint32_t vb_start_stop_unit(struct vb *vb);
uint32_t vb_prevent_allow(struct vb *vb);
uint32_t vb_get_event_status(struct vb *vb);
uint32_t vb_mechanism_status(struct vb *vb);
uint32_t vb_get_configuration(struct vb *vb);
uint32_t vb_mode_sense(struct vb *vb);
uint32_t vb_mode_select(struct vb *vb);
uint32_t vb_read_disc_information(struct vb *vb);
uint32_t vb_read_track_information(struct vb *vb);
uint32_t vb_read_capacity(struct vb *vb);
uint32_t vb_read_format_capacities(struct vb *vb);
uint32_t vb_read_toc(struct vb *vb);
uint32_t vb_read_disc_structure(struct vb *vb);
uint32_t vb_get_performance(struct vb *vb);
uint32_t vb_set_streaming(struct vb *vb);
uint32_t vb_set_cd_speed(struct vb *vb);
uint32_t vb_read_buffer(struct vb *vb);
uint32_t vb_read_buffer_capacity(struct vb *vb);
uint32_t vb_read(struct vb *vb);
uint32_t vb_verify(struct vb *vb);
uint32_t vb_seek(struct vb *vb);
uint32_t vb_read_cd(struct vb *vb);
uint32_t vb_read_cd_msf(struct vb *vb);
uint32_t vb_read_subchannel(struct vb *vb);
uint32_t vb_write(struct vb *vb);
uint32_t vb_synchronize_cache(struct vb *vb);
uint32_t vb_reserve_track(struct vb *vb);
uint32_t vb_close_track_session(struct vb *vb);
uint32_t vb_send_opc(struct vb *vb);
uint32_t vb_send_cue_sheet(struct vb *vb);
uint32_t vb_blank(struct vb *vb);
uint32_t vb_format_unit(struct vb *vb);

#endif
