/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the launcher and xenoptic-ioemu say to each other: the worker's command
 * line, and the commands and events on its control channel (base/control.h).
 * One worker is one emulated controller with one drive in one HVM guest.
 *
 *	xenoptic-ioemu --domid D --name TEXT --bus ahci|ide --device N
 *		--link FD,ARENA,SLOTS,SIZE [--identity drive|generic]
 *		[--dirty-pages always|logged] [--user USER] [--verbose]
 *
 *	D	the guest; --name for messages only
 *	N	PCI device number on bus 0 (1 to 31), function 0
 *	--link	the inherited descriptors of the link's client end and of its arena, and the
 *		arena's geometry; at least XO_IOEMU_LINK_SLOTS slots
 *	--identity	what IDENTIFY PACKET DEVICE says: the drive's own INQUIRY data (default),
 *		or the same for every drive
 *
 *	--dirty-pages	tell Xen of changed pages "always" (default), or while they are "logged":
 *		"log-dirty" comes before Xen logs them. Otherwise Xen does nothing with it
 *
 * The ledger (fd 5) is xo_ledger_create(XO_IOEMU_LEDGER_REGION). A successor of a
 * worker that died gets the same command line, ledger and link; the ioreq server,
 * which outlives the process, is taken over (same ioservid), and vCPUs that wait in
 * an access go on. A drive that was gone and has come comes with another link, for a
 * successor too: what was under way on the old one ends, there was no medium.
 *
 * The worker creates or takes over the ioreq server, restricts its handles to the
 * guest, enters its sandbox, and only then sends "ready" and serves.
 *
 * Commands
 *	"stop"	{}	DMA ends: commands that are with the drive are aborted towards the
 *		guest when it goes on. Return {} when guest memory is touched no more.
 *	"cont"	{}	serves again after "stop", before the guest runs; return {}
 *	"runs"	{}	the guest runs: "stop", if there was one, is over; return {}
 *	"log-dirty" {}, before a migration begins: every access of the guest comes to the
 *		worker, since Xen would not log its dirty pages otherwise, and what it changes
 *		of the guest's memory it tells Xen. "log-clean" {}: no longer. Return {}
 *	"save"	{}, after "stop": return {}, and 1 descriptor: a memfd with the state from 0
 *	"load"	{}, with 1 descriptor as "save" gave it, before the guest runs: return {};
 *		error "InvalidState", "InvalidImage". What was under way comes back as
 *		an error that the guest's driver retries.
 *	"query"	{}: return {"slots": N, "slot-size": N, "ioservid": N,
 *		"vcpus": N, "accesses": N, "commands": N, "generation": N, "sandboxed": bool,
 *		"window": bool, whether the guest reads registers without an access}
 *	"quit"	{}: destroys the ioreq server, return {}, exit status 0
 *
 * Events
 *	"ready"	{"generation": N}
 *	"error"	{"message": TEXT}	could not be set up; exit status 1
 *	"link-lost" {"message": TEXT}	the drive's link ended: the guest sees no medium
 *
 * The end of the control channel without "quit" ends the process and leaves the
 * ioreq server for a successor.
 */
#ifndef XO_BASE_IOEMU_CONTROL_H
#define XO_BASE_IOEMU_CONTROL_H

/* Bytes of the ledger's region that the launcher makes for an ioemu worker. */
#define XO_IOEMU_LEDGER_REGION (64u << 10)

/* Geometry of the link: commands that a guest has reset stay in a slot until the drive has done them. */
#define XO_IOEMU_LINK_SLOTS 8u
#define XO_IOEMU_LINK_SLOT_SIZE (512u << 10)

#endif
