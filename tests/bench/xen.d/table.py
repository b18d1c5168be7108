#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of tests/bench/xen, from the lines "sample …" and "count …" on standard input (xen.d/measure.sh)."""

import sys

import tables

PAIRS = ("ca", "cb", "da", "db", "dc")

# What a backend asks Xen for; the rest is what a PV kernel needs to switch tasks and return from traps.
WORK = ("dom0.grant_table_op", "dom0.event_channel_op")


def times(samples):
    commands, ways = tables.commands_of(samples), tables.ways_of(samples)
    data = [c for c in commands if tables.size_of(c)]
    rest = [c for c in commands if not tables.size_of(c)]
    guests = [way for way in ways if way != "a"]
    for title, which, of, value, form in (
        ("latency in us", commands, ways, tables.latency, "%.0f (%.0f-%.0f)"),
        ("throughput in MiB/s (more is better)", data, ways, tables.throughput, "%.1f (%.1f-%.1f)"),
        ("Dom0's CPU in ms per MiB", data, ways, tables.dom0_per_mib, "%.2f (%.2f-%.2f)"),
        ("the guest's CPU in ms per MiB", data, guests, tables.guest_per_mib, "%.2f (%.2f-%.2f)"),
        ("Dom0's CPU in us per command", rest, ways, tables.dom0_per_command, "%.0f (%.0f-%.0f)"),
    ):
        tables.times(title, samples, which, of, PAIRS, value, form)


def main():
    samples, counted = tables.read(sys.stdin)
    if not samples and not counted:
        return "bench: nothing was measured"
    print("a: SG_IO in Dom0   b: xen-scsifront, xen-scsiback   c: xen-scsifront, xenoptic   d: xen-cdfront, xenoptic")
    if samples:
        times(samples)
    tables.counts(
        counted,
        (
            ("hypercalls for grants+events", WORK.__contains__),
            ("hypercalls in all", lambda name: name.startswith("dom0.")),
        ),
    )
    return 0


sys.exit(main())
