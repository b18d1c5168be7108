/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's driver of an emulated drive, on the loopback's virtual CPU: sets up the controller and
 * carries packet commands. One drive a process. What cannot be in a guest ends the process with a
 * message; what the drive says is the caller's.
 */
#ifndef XO_TESTS_VCPU_DRIVE_H
#define XO_TESTS_VCPU_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#define VCPU_DRIVE_BYTES 65536u /* of the buffer */

/* The drive behind device number `device` of the domain; bus is "ahci" or "ide". */
void vcpu_drive_open(uint32_t domid, unsigned int device, const char *bus);
void vcpu_drive_close(void);

/* Guest memory that commands read to and write from. */
uint8_t *vcpu_drive_buffer(void);

/*
 * One packet command; `write`: its data go to the drive. By AHCI the guest's buffer has `bytes`; by
 * IDE the drive has what it asks for. False: CHECK CONDITION, REQUEST SENSE tells why.
 */
bool vcpu_drive_command(const uint8_t cdb[12], bool write, uint32_t bytes);

/* TEST UNIT READY until it is good: unit attentions and BECOMING READY pass. */
void vcpu_drive_ready(void);

/* Ends the process with the message. */
_Noreturn void vcpu_drive_die(const char *what);

#endif
