#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of tests/bench/ioemu, from the lines "sample …" and "count …" on standard input (ioemu.d/measure.sh)."""

import sys

import tables

PAIRS = ("cb", "eb", "da", "ca", "ea")


def main():
    samples, counted = tables.read(sys.stdin)
    if not samples and not counted:
        return "bench: nothing was measured"
    print("a: QEMU's IDE   b: QEMU's AHCI   c: our AHCI   d: our IDE   e: our AHCI, interrupt=msi")
    commands, ways = tables.commands_of(samples), tables.ways_of(samples)
    data = [c for c in commands if tables.size_of(c)]
    if samples:
        for title, which, value, form in (
            ("latency in us", commands, tables.latency, "%.0f (%.0f-%.0f)"),
            ("throughput in MiB/s (more is better)", data, tables.throughput, "%.2f (%.2f-%.2f)"),
            ("Dom0's CPU in ms per MiB", data, tables.dom0_per_mib, "%.1f (%.1f-%.1f)"),
            ("Dom0's CPU in us per command", commands, tables.dom0_per_command, "%.0f (%.0f-%.0f)"),
        ):
            tables.times(title, samples, which, ways, PAIRS, value, form)
    tables.counts(
        counted,
        (
            ("ioreqs", lambda name: name.startswith("ioreq.")),
            ("hypercalls of Dom0", lambda name: name.startswith("dom0.")),
        ),
    )
    return 0


sys.exit(main())
