#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a file of xentrace holds, for tests/bench:
hypercalls.py FILE DOMID COMMANDS HEAD [port:FIRST-LAST|mem:FIRST-LAST…]

Prints "HEAD DOMAIN.NAME=PER-COMMAND …" for each hypercall: those of DOMID, which has the drives ("dom0"), and of the
guests ("guest"). Calls inside a multicall count as their own ("multicall" is the call that carries them). With ranges (in
hexadecimal) also "ioreq.KIND=PER-COMMAND" for the accesses there that Xen had emulated; what it answers itself is not
among them where only a controller's registers are named. The record's layout is that of xen/trace.h: event, number of
extra words and whether a time stamp follows, in one word."""

import collections
import struct
import sys

CPU_CHANGE = 0x0001F003
SWITCH_NEXT = 0x0002800F
HYPERCALL = 0x0020100D
SUBCALL = 0x0020200E
ADDRESS_64 = 0x100
ACCESSES = {
    0x00082016: ("port", "port-read"),
    0x00082017: ("mem", "memory-read"),
    0x00082216: ("port", "port-write"),
    0x00082217: ("mem", "memory-write"),
}
CALLS_OF_GUESTS = 0x00082012

# xen/xen.h
NAMES = {
    1: "mmu_update", 2: "set_gdt", 3: "stack_switch", 5: "fpu_taskswitch", 7: "platform_op", 8: "set_debugreg",
    10: "update_descriptor", 12: "memory_op", 13: "multicall", 14: "update_va_mapping", 15: "set_timer_op",
    18: "console_io", 20: "grant_table_op", 23: "iret", 24: "vcpu_op", 25: "set_segment_base", 26: "mmuext_op",
    29: "sched_op", 32: "event_channel_op", 33: "physdev_op", 34: "hvm_op", 35: "sysctl", 36: "domctl",
    40: "xenpmu_op", 41: "dm_op",
}  # fmt: skip


def ranges_of(words):
    ranges = []
    for word in words:
        space, numbers = word.split(":")
        first, last = (int(n, 16) for n in numbers.split("-"))
        ranges.append((space, first, last))
    return ranges


def records(data):
    at = 0
    while at + 4 <= len(data):
        (word,) = struct.unpack_from("<I", data, at)
        event, extra, timed = word & 0x0FFFFFFF, word >> 28 & 7, word >> 31
        at += 4 + 8 * timed
        if at + 4 * extra > len(data):
            return
        yield event, struct.unpack_from("<%dI" % extra, data, at)
        at += 4 * extra


def main():
    name, domid, commands, head = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    ranges = ranges_of(sys.argv[5:])
    counts = collections.Counter()
    runs = {}  # the domain on each physical CPU
    cpu = 0
    with open(name, "rb") as file:
        data = file.read()
    for event, words in records(data):
        if not words:
            continue
        if event == CPU_CHANGE:
            cpu = words[0]
        elif event == SWITCH_NEXT:
            runs[cpu] = words[0]
        elif event in (HYPERCALL, SUBCALL) and cpu in runs:
            op = words[0] & 0xFFFFF
            counts["dom0" if runs[cpu] == domid else "guest", NAMES.get(op, "op%d" % op)] += 1
        elif event == CALLS_OF_GUESTS:
            counts["dom0" if runs.get(cpu) == domid else "guest", NAMES.get(words[0], "op%d" % words[0])] += 1
        elif event & ~ADDRESS_64 in ACCESSES:
            space, kind = ACCESSES[event & ~ADDRESS_64]
            address = words[0] | (words[1] << 32 if event & ADDRESS_64 and len(words) > 1 else 0)
            if any(s == space and first <= address <= last for s, first, last in ranges):
                counts["ioreq", kind] += 1
    parts = ["%s.%s=%.2f" % (d, n, v / commands) for (d, n), v in sorted(counts.items()) if v * 20 >= commands]
    print(head, *parts)


main()
