/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the launcher and xenoptic-drive: argv, descriptors,
 * and the commands and events of its control channel (base/control.h).
 *
 * Start. argv, then descriptors at the numbers of base/worker.h:
 *
 *	xenoptic-drive --name NAME BOTTOM [OPTION…]
 *
 *	--name NAME		for messages and `xenoptic list`, for example "sr0"
 *	BOTTOM, one of:
 *	--device FD		/dev/srN, open O_RDWR | O_EXCL | O_NONBLOCK, or
 *	--unplugged		it is not there now and comes by "device"; both with
 *	  --path PATH		its path, for messages only
 *	  --max-transfer BYTES	max_hw_sectors_kb * 1024 of its queue (sysfs); default: asked by BLKSECTGET
 *	  --max-segments N	max_segments of its queue (sysfs); default: no limit known
 *	--burner		the virtual burner; its disc comes by "insert"
 *	OPTION:
 *	--mode rw|ro		ro: nothing on any link may write (default rw)
 *	--user USER		to become (default XO_WORKER_USER; without root nobody is changed)
 *	--allow NAME		a thing that policy refuses by default, allowed here; may be repeated
 *	--trace			a line per command, level debug, to stderr
 *	--trace-fd FD		the same lines to FD instead
 *	--speed KBPS		of data (10^3 bytes a second); slows down to it
 *	--buffer KIB		with --speed: a write buffer, as a drive has it (default: none)
 *	--delay MATCH=MS[,…]	MATCH: a two-digit hex opcode, or "all"
 *	--fault SPEC[,…]	tests only; see drive/fault.c
 *	--poll-ms MS		interval of the media event poll (default 2000; 0: no poll)
 *	--log LEVEL		3 (errors) to 7 (debug); default 6
 *	--ledger-size		prints XO_DRIVE_REGION_SIZE and ends
 *
 * The ledger (fd 4) is xo_ledger_create(XO_DRIVE_REGION_SIZE), one for as long
 * as the drive is configured. A process that ended is replaced by the same
 * argv, the same ledger, and duplicates of the same descriptors; then the
 * launcher sends, in this order, "insert" with "again" if a disc is in the
 * burner (commands wait for it), and "add-link" for each link (same id; the geometry and the
 * domain must be the same). Only start a successor when the predecessor is dead (waitpid or
 * pidfd): a command that still runs in the drive keeps it alive, and its result
 * is in the ledger by then.
 *
 * The process ends by "shutdown" (status 0). It outlives the launcher, whose end of the
 * channel the keeper holds as well: a successor gets that there, and the links and files, and
 * asks "query". Exit status 2: argv or the descriptors are wrong: do not restart.
 *
 * Commands. Each is answered in order, except those marked (waits), which are
 * answered when the command that runs in the drive has ended; others overtake
 * them. An error has one of the classes XO_DRIVE_ERROR_*.
 *
 * add-link		{"link": ID, "domid": N, "name": "guest", "uuid": "…", "mode": "rw"|"ro",
 *			 "path": "vscsi"|"vcd"|"ahci"|"ide", "slots": N, "slot-size": N,
 *			 "resume": BOOL, "lend": BOOL}	2 descriptors: server end of the socket, arena
 *	ID: 1 to 2^31-1, the launcher's choice, never used twice in the life of the ledger.
 *	Takes the lease if nobody has it: {"lease": STANDING, "holder": ID, "max-transfer": BYTES};
 *	STANDING (as "yours" in "query"): "held" | "next" (has it when the drive has been drained)
 *	| "waiting" (somebody else has it: every command of this link but INQUIRY and REQUEST SENSE
 *	is answered 02/3A/00; gets it when all before it are gone). A launcher that does not
 *	want a waiting link removes it.
 *	A link with the uuid of the holder and another domid inherits (reboot, migration) at once;
 *	what the former left behind is undone first, unless "resume" (default false) says that the guest
 *	goes on where it was. Same uuid and same domid: a second path of one guest: it waits.
 *	"lend" (default false): the launcher lends the drive to this link's client whenever LEASE says so.
 * returned		{"link": ID}		Nobody has the drive by this link any more: the process that it
 *	was lent to has ended, or it was lent to none. The answer to "recall" in LEASE, and said for
 *	nothing else: between the end of one such process and the next loan nobody asks.
 * remove-link		{"link": ID, "force": BOOL, "resume": BOOL}
 *	"Busy" without force while a command of its runs or a write session is open. With force its
 *	queued commands are dropped; the command in the drive goes on and the lease drains:
 *	{"lease": LEASE as in "query"}. "resume" (default false): an heir that waits goes on where this one
 *	was (a migration that failed). A link that is not known is removed already: no error.
 *	The launcher may forget the link at once; its id must not come back.
 * query		{}
 *	{"name": …, "bottom": "device"|"burner", "path": …, "mode": …, "generation": N,
 *	 "ready": BOOL (the sandbox is entered),
 *	 "lease": {"state": "none"|"held"|"draining", "link": ID, "domid": N, "name": …, "uuid": …,
 *	           "path": …, "next": ID, "since-ms": N, "lend": BOOL (the launcher may lend the drive to
 *	           the holder's client), "recall": ID (it waits for "returned" with that)}	link … path only unless "none",
 *	 "running": {"opcode": "WRITE (10)", "link": ID, "ms": N} | null,
 *	 "queued": N, "write-session": BOOL, "medium": "unknown"|"absent" (also: in an open tray)|"present",
 *	 "gone": BOOL (the device has been unplugged), "max-transfer": BYTES,
 *	 "links": [{"link": ID, "domid": N, "name": …, "uuid": …, "path": …, "mode": …, "yours": …, "queued": N,
 *	            "commands": N, "errors": N, "refused": N, "open": BOOL (its descriptors
 *	            came by "add-link"), "slots": N, "slot-size": N}, …],
 *	 "disc": BOOL (it came by "insert"),
 *	 "buffer": null | {"size": BYTES, "lowest": BYTES (that were left in a burn), "empty": N (times)},
 *	 "counters": {"commands": N, "in-bytes": N, "out-bytes": N, "checks": N, "transport-errors": N,
 *	              "replayed": N, "duplicates": N, "split": N, "refused": N, "polls": N, "handovers": N, "burner-commands": N}}
 * insert (waits)	{"again": BOOL}		burner only; 1 or 2 descriptors: sector file, description
 *	(JSON, read from 0; without it: a finished data disc, as an ISO file is).
 *	{} or "Busy" (the tray holds a disc, the door is locked) or "InvalidDescription". "again": as after a
 *	restart; the description is not read. The sector file is open read-write, or read-only for
 *	a disc that must not change.
 * eject (waits)	{"force": BOOL}		{} or "Busy" (door locked: an eject request is raised instead; "tray"
 *	tells that the guest has answered it, and then "eject" takes the disc out)
 *	Burner: the tray opens. Device: START STOP UNIT, after PREVENT ALLOW 0 with force.
 * query-description (waits)	{}	burner only: {"disc": BOOL}, and if true 1 descriptor: the text
 * device (waits)	{"path": …, "max-transfer": BYTES, "max-segments": N}	1 descriptor
 *	The drive that was gone is back (or is another): links get DRIVE_BACK, and the holder's next
 *	commands 06/29/00 and 06/28/00: what the drive had to say was said to the host's kernel.
 * unplug (waits)	{}			The launcher saw the drive leave: it is closed, as after
 *	a command that finds out, and "drive-gone" follows. Then the first command is answered
 *	02/3A/00, all others with NO CONNECT, until "device".
 * trace		{}			0 or 1 descriptor: the write end of a pipe that does not block
 *	A line for each command that has ended goes there, until its other end is closed or the next
 *	"trace" comes (without a descriptor: to nobody). Lines that have no room are counted, not kept.
 * query-commands	{}			{"commands": ["add-link", …]}
 * shutdown (waits)	{}			{}; undoes what the holder left, saves the description, then the process ends.
 *	Said twice, it is answered twice. A process that ended before it had answered has a successor, which goes on
 *	with the undoing and is told "shutdown" as well.
 *
 * Events:
 *
 * ready		{"generation": N}	the sandbox is entered; commands that came before wait
 * lease-changed	LEASE as in "query". At "none" the launcher drops the host's cached view
 *			(BLKFLSBUF needs CAP_SYS_ADMIN, which this process has not).
 * medium-changed	{"medium": "absent"|"present"}
 * tray			{"open": BOOL}		burner only
 * save-description	{"length": N}		burner only; 1 descriptor: a memfd with the text, from 0.
 *			Only the newest counts; write it to a new file and rename.
 * drive-gone		{"path": …}		until "device" comes
 * link-closed		{"link": ID, "reason": "…"}	the client hung up or broke the protocol; its lease
 *			stays until remove-link
 *
 * Events tell of states: those that a slow launcher could not be given are merged, and
 * "query" (and "query-description") tells all of it again.
 */
#ifndef XO_BASE_DRIVE_CONTROL_H
#define XO_BASE_DRIVE_CONTROL_H

#define XO_DRIVE_LINKS_MAX 8 /* add-link beyond it: "Busy" */
#define XO_DRIVE_REGION_SIZE (4u << 20)
#define XO_DRIVE_LINK_ID_MAX 0x7fffffff

#define XO_DRIVE_ADD_LINK "add-link"
#define XO_DRIVE_REMOVE_LINK "remove-link"
#define XO_DRIVE_QUERY "query"
#define XO_DRIVE_INSERT "insert"
#define XO_DRIVE_EJECT "eject"
#define XO_DRIVE_QUERY_DESCRIPTION "query-description"
#define XO_DRIVE_DEVICE "device"
#define XO_DRIVE_TRACE "trace"
#define XO_DRIVE_RETURNED "returned"
#define XO_DRIVE_UNPLUG "unplug"
#define XO_DRIVE_QUERY_COMMANDS "query-commands"
#define XO_DRIVE_SHUTDOWN "shutdown"

#define XO_DRIVE_EVENT_READY "ready"
#define XO_DRIVE_EVENT_LEASE "lease-changed"
#define XO_DRIVE_EVENT_MEDIUM "medium-changed"
#define XO_DRIVE_EVENT_TRAY "tray"
#define XO_DRIVE_EVENT_DESCRIPTION "save-description"
#define XO_DRIVE_EVENT_GONE "drive-gone"
#define XO_DRIVE_EVENT_LINK_CLOSED "link-closed"

#define XO_DRIVE_ERROR_ARGUMENTS "InvalidArguments"
#define XO_DRIVE_ERROR_COMMAND "CommandNotFound"
#define XO_DRIVE_ERROR_BUSY "Busy"
#define XO_DRIVE_ERROR_DESCRIPTION "InvalidDescription"
#define XO_DRIVE_ERROR_UNSUPPORTED "Unsupported"
#define XO_DRIVE_ERROR_FAILED "Failed"

/* Exit status: argv or descriptors are wrong; a restart would not help. */
#define XO_DRIVE_EXIT_USAGE 2

#endif
