/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the launcher and xenoptic-keeper say to each other. The keeper holds
 * descriptors under names and does nothing else: what is kept outlives any
 * death of launcher and workers, and so does what they had promised.
 *
 *	xenoptic-keeper [--user USER]
 *
 * Descriptor 3 is a listening SOCK_SEQPACKET socket in the run directory. Only
 * who has the uid that started the keeper is served, one client after the
 * other: a launcher's last words are heard before its successor's first.
 *
 * Packets as on a control channel (base/control.h), each answered at once. The
 * descriptors of a packet belong to its names, in that order.
 *
 *	"put"	{"names": [TEXT, …]}, as many descriptors	return {}
 *		Keeps them. What had the name before is closed.
 *	"get"	{"names": [TEXT, …]}	return {}, as many descriptors
 *		error	"NotKept": one of them is not there (none is given then)
 *	"drop"	{"names": [TEXT, …]}	return {}: closed; those not kept are passed over
 *	"sweep"	{}	return {"dropped": N}
 *		Closes what this client has neither put nor got.
 *	"query"	{}	return {"kept": N}
 *	"end"	{}	return {}, then the keeper ends, whatever it holds
 *
 * When a client hangs up and nothing is kept, the keeper ends too.
 */
#ifndef XO_BASE_KEEPER_CONTROL_H
#define XO_BASE_KEEPER_CONTROL_H

#define XO_KEEPER_LISTEN 3
#define XO_KEEPER_NAME_MAX 256 /* with the NUL */
#define XO_KEEPER_MAX 8192 /* descriptors */

#define XO_KEEPER_PUT "put"
#define XO_KEEPER_GET "get"
#define XO_KEEPER_DROP "drop"
#define XO_KEEPER_SWEEP "sweep"
#define XO_KEEPER_QUERY "query"
#define XO_KEEPER_END "end"

#define XO_KEEPER_ERROR_NOT_KEPT "NotKept"

#endif
