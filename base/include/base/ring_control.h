/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the launcher and xenoptic-ring say to each other: the worker's command
 * line, and the commands and events on its control channel (base/control.h).
 * One ring worker lives as long as one connection of one frontend device.
 *
 *	xenoptic-ring --domid D --devid V --name TEXT --type vscsi|vcd
 *		--ring-ref R[,R…] --event-channel E[,E…] --protocol x86_64-abi|x86_32-abi
 *		[--lun LUN]… [--sg-grant N] [--feature NAME]… [--user USER] [--verbose]
 *
 *	D, V	the frontend's domain and device number, R grant references of the
 *		ring's pages (1, 2 or 4), E the frontend's event channel port, or several
 *		(up to 8): requests come by that of number req_event modulo their number,
 *		responses go by the first
 *	--name	the guest's name, for messages only
 *	--sg-grant	segments that the backend offered as feature-sg-grant
 *	--feature	what was negotiated beyond vscsiif with a vcd frontend:
 *		"persistent-grants", "media-events"
 *	LUN	"CHANNEL:ID:LUN,LINK,FD,ARENA,SLOTS,SIZE": the unit's address in the
 *		guest, the link's number (below), the inherited descriptors of the
 *		link's client end and of its arena, and the arena's geometry
 *
 * A successor of a worker that died gets the same command line and the same
 * ledger (generation > 1), with the LUNs that there were then. LINK names a
 * link in the life of a connection: the ledger stores it with each request,
 * and it is never used for another link of the same connection.
 *
 * The worker connects (maps the ring, binds the port), enters its sandbox and
 * only then sends "ready" and serves. What fails before is an "error" event and
 * exit status 1.
 *
 * Commands
 *	"add-lun"	{"lun": "CHANNEL:ID:LUN", "link": N, "slots": N, "slot-size": N},
 *			with 2 descriptors: the link's client end, its arena
 *		return	{}
 *		error	"DeviceExists", "InvalidParameter", "ResourceExhausted"
 *	"remove-lun"	{"lun": "CHANNEL:ID:LUN"}
 *		New requests for it get NO_CONNECT at once; the return {} comes when
 *		its last request is answered, and the link is closed then.
 *		error	"DeviceNotFound"
 *	"lend"		{"lun": …, "max-transfer": BYTES}, with 1 descriptor: the unit's drive
 *		TEST UNIT READY, READ and WRITE go to it without its process in between, as
 *		far as the guest's order allows, until "recall", or until the drive is gone.
 *		return	{}; the descriptor may be of the same drive again
 *		error	"DeviceNotFound", "InvalidParameter"
 *	"recall"	{"lun": …}
 *		No further command goes by it; it is closed when none does. Nobody needs to
 *		believe that: who must be sure ends the worker, and waits for its end.
 *		return	{}
 *	"disconnect"	{"force": bool}
 *		Takes no more requests, waits for the replies of those sent (with
 *		force: does not), publishes them, unmaps the ring, closes the port.
 *		return	{}, after the event "disconnected", and then the end of what comes by the
 *			channel, for a launcher that finds both read; the worker exits with status
 *			0, but its process is there until the end of a command that it had given
 *			to a lent drive
 *	"query"		{}
 *		return	{"luns": [{"lun": TEXT, "link": N, "slots": N, "slot-size": N,
 *			"in-flight": N, "lent": bool}…], "requests": N, "responses": N, "bad-requests": N,
 *			"events": N, "sandboxed": bool}
 * All are answered in any state after "ready"; "add-lun" after "disconnect" is
 * "InvalidState".
 *
 * Events
 *	"ready"	{}
 *	"error"	{"message": TEXT}	the ring is broken beyond a request (wild req_prod, the
 *			page was revoked …) or could not be connected. The worker serves no
 *			more; the launcher writes TEXT to the backend's `error` node, closes
 *			the device, and ends the worker.
 *	"media"	{"lun": TEXT, "event": "change"|"eject"}	with "media-events": the medium may
 *			have changed, or the drive's button was pressed
 *	"disconnected"	{}	nothing of the guest is in use any more
 *	"lun-lost" {"lun": TEXT, "message": TEXT}	the link's other end is gone or broke the
 *			protocol (-EPIPE, -EPROTO). Its requests are answered with NO_CONNECT
 *			until it is removed and added again.
 * The link's server end is held by the launcher as well, so the death of a drive
 * process is no end of the link: its successor says HELLO on the same one.
 */
#ifndef XO_BASE_RING_CONTROL_H
#define XO_BASE_RING_CONTROL_H

/* Bytes of the ledger's region that the launcher makes for a ring worker. */
#define XO_RING_LEDGER_REGION (256u << 10)

#define XO_RING_PAGES_MAX 4
#define XO_RING_CHANNELS_MAX 8
#define XO_RING_LUNS_MAX 8

/* What the launcher offers as feature-sg-grant: 512 KiB in a request. */
#define XO_RING_SG_GRANT 128

/* Geometry of a link between ring and drive: a slot for every request the ring can hold. */
#define XO_RING_LINK_SLOTS(pages) (16u * (pages))
#define XO_RING_LINK_SLOT_SIZE (XO_RING_SG_GRANT * 4096u)

#endif
