#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypercalls in a file of xentrace, for tests/bench/xen: hypercalls.py FILE COMMANDS HEAD

Prints "HEAD DOMAIN.NAME=PER-COMMAND …" for each hypercall: those of Dom0 ("dom0") and of the guests ("guest"). Calls
inside a multicall count as their own ("multicall" is the call that carries them). The record's layout is that of xen/trace.h: event, number of extra
words and whether a time stamp follows, in one word."""

import collections
import struct
import sys

CPU_CHANGE = 0x0001F003
SWITCH_NEXT = 0x0002800F
HYPERCALL = 0x0020100D
SUBCALL = 0x0020200E

# xen/xen.h
NAMES = {
    1: "mmu_update", 2: "set_gdt", 3: "stack_switch", 5: "fpu_taskswitch", 7: "platform_op", 8: "set_debugreg",
    10: "update_descriptor", 12: "memory_op", 13: "multicall", 14: "update_va_mapping", 15: "set_timer_op",
    18: "console_io", 20: "grant_table_op", 23: "iret", 24: "vcpu_op", 25: "set_segment_base", 26: "mmuext_op",
    29: "sched_op", 32: "event_channel_op", 33: "physdev_op", 35: "sysctl", 36: "domctl", 40: "xenpmu_op",
}


def main():
    name, commands, head = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    data = open(name, "rb").read()
    counts = collections.Counter()
    runs = {}  # the domain on each physical CPU
    cpu, at = 0, 0
    while at + 4 <= len(data):
        (word,) = struct.unpack_from("<I", data, at)
        event, extra, timed = word & 0x0FFFFFFF, word >> 28 & 7, word >> 31
        at += 4 + 8 * timed
        if at + 4 * extra > len(data):
            break
        words = struct.unpack_from("<%dI" % extra, data, at)
        at += 4 * extra
        if event == CPU_CHANGE and extra:
            cpu = words[0]
        elif event == SWITCH_NEXT and extra:
            runs[cpu] = words[0]
        elif event in (HYPERCALL, SUBCALL) and extra and cpu in runs:
            op = words[0] & 0xFFFFF
            counts["guest" if runs[cpu] else "dom0", NAMES.get(op, "op%d" % op)] += 1
    parts = ["%s.%s=%.2f" % (d, n, v / commands) for (d, n), v in sorted(counts.items()) if v * 20 >= commands]
    print(head, *parts)


main()
