#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a command's instructions are: report.py BLOCKS LOGS COMMANDS [ROWS]

BLOCKS is the plugin's file; LOGS has what Dom0 and the guests say of their kernels' and Xen's symbols. CPU 0 is Dom0's,
the last one the guest's, and one between them the driver domain's. What has no symbol of its own, as a guest's modules
and programs compiled for a filter, is shown by the one before it."""

import bisect
import collections
import pathlib
import sys

XEN = range(0xFFFF82D000000000, 0xFFFF82E000000000)
KERNEL = range(0xFFFFFFFF80000000, 1 << 64)


class Symbols:
    def __init__(self, path):
        words = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        table = sorted((int(w[0], 16), w[2]) for w in words if len(w) > 2)
        self.addresses, self.names = [a for a, _ in table], [n for _, n in table]

    def name(self, address):
        at = bisect.bisect_right(self.addresses, address) - 1
        return self.names[at] if at >= 0 else "%#x" % address


def main():
    blocks, logs, commands = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    rows = int(sys.argv[4]) if len(sys.argv) > 4 else 40
    xen, kernels = Symbols(logs / "xensyms.log"), {}
    counts = collections.defaultdict(collections.Counter)
    lines = [[int(word, 16 if i == 0 else 10) for i, word in enumerate(line.split())] for line in open(blocks)]
    used = [cpu for cpu in range(len(lines[0]) - 1) if any(line[1 + cpu] for line in lines)]
    domains = dict(zip(used, ("Dom0", "guest") if len(used) == 2 else ("Dom0", "driver domain", "guest")))
    for cpu, domain in domains.items():
        kernels[cpu] = Symbols(logs / ("kallsyms-%s.log" % domain.replace(" ", "-")))
    for address, *executed in lines:
        for cpu in used:
            if not executed[cpu]:
                continue
            if address in XEN:
                place, name = "Xen", xen.name(address)
            elif address in KERNEL:
                place, name = "kernel", kernels[cpu].name(address)
            else:
                place, name = "programs", "%#x" % (address & ~0xFFF)
            counts[domains[cpu] + ", " + place][name] += executed[cpu]
    for title, of in sorted(counts.items(), key=lambda item: -item[1].total()):
        print("%8.0f  %s" % (of.total() / commands, title))
    for title, of in sorted(counts.items(), key=lambda item: -item[1].total()):
        print("\n%s: instructions a command" % title)
        for name, count in of.most_common(rows):
            print("%8.0f  %s" % (count / commands, name))


main()
