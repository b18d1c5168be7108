/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the AHCI controller with a guest made of bytes; see fuzz_controller.h. */
#include "fuzz_controller.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_controller(RIG_AHCI, data, size);
}
