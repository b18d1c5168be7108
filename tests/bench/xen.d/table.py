#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of tests/bench/xen, from the lines "sample …" and "count …" on standard input (xen.d/measure.sh)."""

import collections
import statistics
import sys

PAIRS = ("ca", "cb", "da", "db", "dc")


def fields(line):
    return dict(word.split("=", 1) for word in line.split()[1:])


def size_of(command):
    return int(command.split("-")[1]) << 10


def spread(values):
    """Median, and the half of the values around it."""
    values = sorted(values)
    n = len(values)
    return statistics.median(values), values[n // 4], values[(3 * n) // 4]


def ratio(ours, theirs):
    """The median of the rounds' ratios; "tie" if the rounds' own spread reaches over 1."""
    ratios = [a / b for a, b in zip(ours, theirs) if b]
    if not ratios:
        return "-"
    middle, low, high = spread(ratios)
    word = " tie" if low <= 1 <= high and middle != 1 else ""
    return "%.2f (%.2f-%.2f)%s" % (middle, low, high, word)


def times(samples, commands, ways):
    def table(title, value, form):
        print("\n%s: median of the rounds (half of them)" % title)
        print("%-10s" % "" + "".join("%24s" % way for way in ways) + "".join("%24s" % (p[0] + "/" + p[1]) for p in pairs))
        for command in commands:
            of = {way: [value(s, command) for s in samples[way, command]] for way in ways}
            row = "".join("%24s" % (form % spread(of[way]) if of[way] else "-") for way in ways)
            row += "".join("%24s" % ratio(of[p[0]], of[p[1]]) for p in pairs)
            print("%-10s" % command + row)

    pairs = [p for p in PAIRS if p[0] in ways and p[1] in ways]
    table("latency in us", lambda s, c: float(s["q50"]), "%.0f (%.0f-%.0f)")
    data = [c for c in commands if size_of(c)]
    commands, every = data, commands
    table(
        "throughput in MiB/s (more is better)",
        lambda s, c: int(s["commands"]) * size_of(c) / float(s["us"]) * 1e6 / (1 << 20),
        "%.1f (%.1f-%.1f)",
    )
    table(
        "Dom0's CPU in ms per MiB",
        lambda s, c: float(s["dom0_ms"]) / (int(s["commands"]) * size_of(c) / (1 << 20)),
        "%.2f (%.2f-%.2f)",
    )
    guests = [way for way in ways if way != "a"]
    ways, all_ways = guests, ways
    pairs = [p for p in PAIRS if p[0] in ways and p[1] in ways]
    table(
        "the guest's CPU in ms per MiB",
        lambda s, c: float(s["busy_us"]) / 1000 / (int(s["commands"]) * size_of(c) / (1 << 20)),
        "%.2f (%.2f-%.2f)",
    )
    commands = [c for c in every if not size_of(c)]
    ways = all_ways
    pairs = [p for p in PAIRS if p[0] in ways and p[1] in ways]
    table("Dom0's CPU in us per command", lambda s, c: float(s["dom0_ms"]) * 1000 / int(s["commands"]), "%.0f (%.0f-%.0f)")


def counts(counted):
    commands = list(dict.fromkeys(command for _, command in counted))
    ways = sorted({way for way, _ in counted})
    for command in commands:
        names = sorted({n for (w, c), f in counted.items() if c == command for n in f})
        print("\n%s: per command" % command)
        print("%-28s" % "" + "".join("%10s" % way for way in ways))
        for name in names:
            row = [counted.get((way, command), {}).get(name) for way in ways]
            print("%-28s" % name + "".join("%10s" % ("-" if v is None else "%.2f" % float(v)) for v in row))
        print("%-28s" % "hypercalls for grants+events" + "".join("%10.2f" % total(counted, way, command, WORK) for way in ways))
        print("%-28s" % "hypercalls in all" + "".join("%10.2f" % total(counted, way, command, None) for way in ways))


# What a backend asks Xen for; the rest is what a PV kernel needs to switch tasks and return from traps.
WORK = ("dom0.grant_table_op", "dom0.event_channel_op")


def total(counted, way, command, names):
    f = counted.get((way, command), {})
    return sum(float(v) for n, v in f.items() if (n in names if names else n.startswith("dom0.")))


def main():
    samples, counted = collections.defaultdict(list), collections.defaultdict(dict)
    for line in sys.stdin:
        if line.startswith("sample "):
            f = fields(line)
            samples[f["way"], f["command"]].append(f)
        elif line.startswith("count "):
            f = fields(line)
            counted[f.pop("way"), f.pop("command")].update(f)
    if not samples and not counted:
        return "bench: nothing was measured"
    print("a: SG_IO in Dom0   b: xen-scsifront, xen-scsiback   c: xen-scsifront, xenoptic   d: xen-cdfront, xenoptic")
    if samples:
        commands = list(dict.fromkeys(command for _, command in samples))
        times(samples, commands, sorted({way for way, _ in samples}))
    if counted:
        counts(counted)
    return 0


sys.exit(main())
