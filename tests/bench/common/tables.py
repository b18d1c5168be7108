# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables from the lines "sample …" and "count …" of the measurements on real Xen (common/dom0.sh)."""

import collections
import statistics


def fields(line):
    return dict(word.split("=", 1) for word in line.split()[1:])


def size_of(command):
    return int(command.split("-")[1].split("@")[0]) << 10


def mib(sample, command):
    return int(sample["commands"]) * size_of(command) / (1 << 20)


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


def read(lines):
    """samples[way, command] is a list with a dictionary a round, counted[way, command] one dictionary."""
    samples, counted = collections.defaultdict(list), collections.defaultdict(dict)
    for line in lines:
        if line.startswith("sample "):
            f = fields(line)
            samples[f["way"], f["command"]].append(f)
        elif line.startswith("count "):
            f = fields(line)
            counted[f.pop("way"), f.pop("command")].update(f)
    return samples, counted


def commands_of(table):
    return list(dict.fromkeys(command for _, command in table))


def ways_of(table):
    return sorted({way for way, _ in table})


def times(title, samples, commands, ways, pairs, value, form):
    """A row a command, a column a way, and a column "x/y" a pair of ways: the ratio of its rounds."""
    pairs = [p for p in pairs if p[0] in ways and p[1] in ways]
    print("\n%s: median of the rounds (half of them)" % title)
    print("%-14s" % "" + "".join("%24s" % way for way in ways) + "".join("%24s" % (p[0] + "/" + p[1]) for p in pairs))
    for command in commands:
        of = {way: [value(s, command) for s in samples[way, command]] for way in ways}
        row = "".join("%24s" % (form % spread(of[way]) if of[way] else "-") for way in ways)
        row += "".join("%24s" % ratio(of[p[0]], of[p[1]]) for p in pairs)
        print("%-14s" % command + row)


def latency(sample, command):
    return float(sample["q50"])


def throughput(sample, command):
    return mib(sample, command) / float(sample["us"]) * 1e6


def dom0_per_mib(sample, command):
    return float(sample["dom0_ms"]) / mib(sample, command)


def guest_per_mib(sample, command):
    return float(sample["busy_us"]) / 1000 / mib(sample, command)


def dom0_per_command(sample, command):
    return float(sample["dom0_ms"]) * 1000 / int(sample["commands"])


def counts(counted, totals):
    """A row for each name that was counted, then one for each (title, whether a name belongs to it)."""
    ways = ways_of(counted)
    for command in commands_of(counted):
        of = {way: counted.get((way, command), {}) for way in ways}
        print("\n%s: per command" % command)
        print("%-28s" % "" + "".join("%10s" % way for way in ways))
        for name in sorted({n for way in ways for n in of[way]}):
            row = [of[way].get(name) for way in ways]
            print("%-28s" % name + "".join("%10s" % ("-" if v is None else "%.2f" % float(v)) for v in row))
        for title, belongs in totals:
            row = [sum(float(v) for n, v in of[way].items() if belongs(n)) for way in ways]
            print("%-28s" % title + "".join("%10.2f" % v for v in row))
