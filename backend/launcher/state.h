/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state file, RUN-DIR/state.json: which workers there are, what they serve,
 * and so which descriptors in the keeper are whose, for the launcher's successor.
 */
#ifndef XO_BACKEND_STATE_H
#define XO_BACKEND_STATE_H

#include <stdint.h>

#include "controllers.h"
#include "devices.h"
#include "drives.h"
#include "worker.h"

/* Writes it anew. Failure is logged; the daemon goes on. */
void xo_state_save(const char *run_dir, const struct xo_workers *workers, uint32_t next_link);

/*
 * Finds the workers again that a former launcher left in `run_dir`. `devices` is NULL
 * when the backend role is off. How many were found.
 */
unsigned int xo_state_adopt(const char *run_dir, struct xo_drives *drives,
			    struct xo_devices *devices, struct xo_controllers *controllers);

#endif
