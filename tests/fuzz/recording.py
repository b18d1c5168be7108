#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make seeds for fuzz_ahci, fuzz_ide, fuzz_fis and fuzz_prd of recordings (recorder.c).

    recording.py FILE.rec.gz… FOLDER

For the controllers, a recording is cut into pieces of as many steps as a target runs (fuzz_controller.c), each begun
with what a controller must be told to be where the recording is then. The guest's memory becomes the targets' window:
what the device reads of it is written there before the access that makes it read, tables and packets at the same place
modulo the window's size, and pointers to them are changed; data lie behind the window, and have no contents. For the
other two, AHCI's commands are strung together, and each table of a shape not seen before is a seed of its own.
FOLDER/ahci, ide, fis and prd get the seeds, named after recording and piece.
"""

import gzip
import pathlib
import struct
import sys

STEPS = 380  # STEPS_MAX is 400
BYTES = 3500
WINDOW, WINDOW_SIZE = 0x200000, 0x10000
DATA, DATA_SIZE = 0x300000, 0x100000
ABAR = 0xF2000000
PORTS = 0xC000
# Where the targets' window of ports has room for each BAR of the IDE controller.
PORT_BARS = {0x10: 0x00, 0x14: 0x10, 0x18: 0x08, 0x1C: 0x18, 0x20: 0x20}
PORT_SIZES = {0x10: 8, 0x14: 4, 0x18: 8, 0x1C: 4, 0x20: 16}
WRITE, READ, MEMORY, ANSWER, CONFIG, STRING, NOTIFY = range(7)
CONFIG_READ, STRING_READ, STRING_DATA = 0x80, 1, 2
STRING_BYTES = 64  # of a string's data in the input
WIDTHS = {1: 0, 2: 1, 4: 2, 8: 3}
NOT_READY = 2


def in_window(address):
    return WINDOW + address % WINDOW_SIZE


def in_data(address):
    return DATA + address % DATA_SIZE


class Commands:
    """What the device read for each command, as fuzz_fis and fuzz_prd take it."""

    OPCODES = (0x28, 0x2A, 0x12, 0x55, 0x43, 0x00, 0xBE, 0xA8)  # make_cdb() of fuzz_prd.c
    COUNTS = {0x12: 4, 0xA8: 9}
    IN_PIECE = 40

    def __init__(self):
        self.slot, self.header, self.fis, self.packet, self.table = 0, None, b"", bytes(12), None
        self.to_memory = True
        self.commands = []
        self.tables = {}

    def begin(self, slot, header):
        self.end(0, 0)
        self.slot, self.header = slot, header
        self.to_memory = not header[0] & 0x40

    def end(self, kcq, residual):
        """The drive has answered, or another command begins: what did not need the drive is over then."""
        residual = min(residual // 64, 254)
        if self.header:
            goes = self.slot & 15 | (0x20 if kcq else 0)
            fis, packet = self.fis.rstrip(b"\0"), self.packet.rstrip(b"\0")
            self.commands.append(
                bytes([goes, residual]) + self.header[:4] + bytes([len(fis)]) + fis + bytes([len(packet)]) + packet
            )
        if self.table:
            self.add_table(residual)
        self.header, self.table, self.fis, self.packet = None, None, b"", bytes(12)

    def add_table(self, residual):
        ahci, table = self.table
        opcode = self.packet[0]
        if opcode not in self.OPCODES:
            opcode = 0x12 if self.to_memory else 0x55
        count = self.packet[self.COUNTS.get(opcode, 8)]
        how = (1 if ahci else 0) | (2 if self.to_memory else 0) | self.OPCODES.index(opcode) << 5
        if ahci and self.fis and not self.fis[3] & 1:
            how |= 4
        head = bytes([how, count, residual]) + struct.pack(">HH", len(table) // 16 if ahci else 0, 0x1000)
        # Its lengths are its shape, wherever they lie.
        size = 16 if ahci else 8
        shape = b"".join(table[i + 4 : i + size] for i in range(0, len(table), size))
        self.tables.setdefault((how, residual > 0, shape), head + table)

    def pieces(self):
        self.end(0, 0)
        once = list(dict.fromkeys(self.commands))
        return [b"".join(once[i : i + self.IN_PIECE]) for i in range(0, len(once), self.IN_PIECE)]


class Memory:
    """What a piece has in the window; only differences become steps."""

    def __init__(self):
        self.bytes = [0] * WINDOW_SIZE

    def written_by_device(self, address, length):
        for i in range(address % WINDOW_SIZE, min(address % WINDOW_SIZE + length, WINDOW_SIZE)):
            self.bytes[i] = None

    def put(self, address, data):
        offset = address % WINDOW_SIZE
        data = data[: WINDOW_SIZE - offset]
        changed = [i for i, byte in enumerate(data) if self.bytes[offset + i] != byte]
        self.bytes[offset : offset + len(data)] = data
        steps = []
        while changed:
            first = changed[0]
            last = first
            # A step has four bytes beside its data.
            for i in changed:
                if i - last > 4 or i - first >= 63:
                    break
                last = i
            changed = [i for i in changed if i > last]
            steps.append(struct.pack(">BHB", MEMORY, offset + first, last - first + 1) + bytes(data[first : last + 1]))
        return steps


class Ahci:
    name = "ahci"
    bars = {0x24: ABAR}
    BLOCK = {0x100: "list", 0x108: "received"}

    def __init__(self):
        self.base = None
        self.image = {}
        self.table = None
        self.commands = Commands()

    def register(self, space, address):
        return address - self.base if self.base is not None and 0 <= address - self.base < 0x1000 else None

    def bar(self, offset, value):
        self.base = value

    def value(self, register, value):
        return in_window(value) if register in self.BLOCK else value

    def note(self, register, width, value):
        if width == 4:
            self.image[register] = value

    def prologue(self):
        """The port as its driver has set it up; what stands in no register (a mode that was set) is left out."""
        image = self.image
        order = [r for r in (0x004, 0x100, 0x104, 0x108, 0x10C, 0x114) if r in image]
        steps = [(r, 4, self.value(r, image[r])) for r in order]
        steps.append((0x130, 4, 0xFFFFFFFF))
        steps.append((0x110, 4, 0xFFFFFFFF))
        command = image.get(0x118, 0)
        steps += [(0x118, 4, bits) for bits in (command & ~1, command) if command]
        return steps

    def may_begin(self, register):
        return register == 0x138

    def is_structure(self, address):
        for register, size in ((0x100, 0x400), (0x108, 0x100)):
            if 0 <= address - self.image.get(register, 1 << 63) < size:
                return True
        return False

    def structure(self, address, data, wanted):
        """What the device reads of its list, as it must be in the window; None: data."""
        if self.is_structure(address) and wanted == 32:
            low, high = struct.unpack_from("<II", data, 8)
            self.table = (low & ~0x7F) | high << 32
            self.commands.begin((address - self.image[0x100]) // 32, data)
            return data[:8] + struct.pack("<II", in_window(low), 0) + data[16:]
        if self.table is None:
            return None
        at = address - self.table
        if at == 0:
            self.commands.fis = data
            return data
        if at == 0x40:
            self.commands.packet = data[:12]
            return data
        if at < 0x80 or at % 16 or at >= 0x80 + 16 * 65535 or wanted % 16 or at > 0x80 and wanted > 512:
            return None
        entries = []
        for i in range(0, len(data) - 15, 16):
            low, _, reserved, count = struct.unpack_from("<IIII", data, i)
            entries.append(struct.pack("<IIII", in_data(low), 0, reserved, count))
        if at == 0x80 and not self.commands.table:
            self.commands.table = True, b"".join(entries)
        return b"".join(entries)


class Ide:
    name = "ide"
    bars = {bar: PORTS + at for bar, at in PORT_BARS.items()}

    def __init__(self):
        self.bases = {}
        self.image = {}
        self.commands = Commands()

    def bar(self, offset, value):
        self.bases[offset] = value

    def register(self, space, address):
        for bar, base in self.bases.items():
            if 0 <= address - base < PORT_SIZES[bar]:
                return PORT_BARS[bar] + address - base
        return None

    def value(self, register, value):
        return in_window(value) if register in (0x24, 0x2C) else value

    direction = 0

    def note(self, register, width, value):
        if register in (0x20, 0x28):
            self.direction = value
        if register == 0x07:
            self.commands.end(0, 0)
        if register not in (0x00, 0x07, 0x08, 0x0F, 0x20, 0x28):
            self.image[register] = (width, value)

    def prologue(self):
        return [(r, w, self.value(r, v)) for r, (w, v) in sorted(self.image.items(), reverse=True)]

    def may_begin(self, register):
        return register in (0x07, 0x0F)

    def is_structure(self, address):
        return False

    def structure(self, address, data, wanted):
        tables = [self.image[r][1] for r in (0x24, 0x2C) if r in self.image]
        # The model fetches 32 descriptors at once; what strings read of memory may lie nearby.
        if wanted > 256 or wanted % 8 or not any(a in range(0, 0x10000, 256) for a in (address - t for t in tables)):
            return None
        entries = []
        for i in range(0, len(data) - 7, 8):
            low, count = struct.unpack_from("<II", data, i)
            entries.append(struct.pack("<II", in_data(low), count))
            if count >> 31:
                break
        commands = self.commands
        if not commands.table:
            commands.table = False, b"".join(entries)
            commands.to_memory = bool(self.direction & 8)
        return b"".join(entries)


class Converter:
    def __init__(self, controller):
        self.controller = controller
        self.memory = Memory()
        self.steps = []
        self.pieces = []
        self.seen = set()  # reads since the last change: polling is one step
        self.config = {}

    def size(self):
        return sum(map(len, self.steps))

    def cut(self):
        if self.steps:
            self.pieces.append(b"".join(self.steps))
        self.memory = Memory()
        self.steps = []
        self.seen.clear()
        for (offset, width), value in sorted(self.config.items()):
            self.steps.append(struct.pack(">BBBI", CONFIG, offset, WIDTHS[width], value))
        for register, width, value in self.controller.prologue():
            self.steps.append(self.write(register, width, value))

    def write(self, register, width, value):
        return struct.pack(">BHBI", WRITE, register, WIDTHS[width], value & 0xFFFFFFFF)

    def room(self, register):
        full = len(self.steps) / STEPS, self.size() / BYTES
        if max(full) > 0.97 or max(full) > 0.6 and register is not None and self.controller.may_begin(register):
            self.cut()

    def config_write(self, offset, width, value):
        controller = self.controller
        if width == 4 and offset in controller.bars:
            if value and value < 0xFFFFF000:
                controller.bar(offset, value & ~0xF if controller.name == "ahci" else value & ~3)
                value = controller.bars[offset]
        elif offset >= 0x40:
            self.config[offset, width] = value
        self.seen.clear()
        self.steps.append(struct.pack(">BBBI", CONFIG, offset, WIDTHS[width], value))

    def config_read(self, offset, width):
        if width in (1, 2, 4) and ("config", offset, width) not in self.seen:
            self.seen.add(("config", offset, width))
            self.steps.append(struct.pack(">BBB", CONFIG, offset, CONFIG_READ | WIDTHS[width]))

    def memory_read(self, address, wanted, data):
        there = self.controller.structure(address, data, wanted) if data else None
        return self.memory.put(address, there) if there else []

    def access(self, kind, words, dma):
        """One access, after the memory that the device reads because of it."""
        controller = self.controller
        if kind == "config-write":
            self.config_write(int(words[0], 16), int(words[1]), int(words[2], 16))
        elif kind == "config-read":
            self.config_read(int(words[0], 16), int(words[1]))
        elif kind == "answer":
            self.memory_steps(dma)
            status, kcq, residual = int(words[0], 16), int(words[1], 16), int(words[2])
            controller.commands.end(kcq if status else 0, residual)
            sense = 0 if not status else 1 if kcq >> 16 == NOT_READY else 2
            self.seen.clear()
            self.steps.append(struct.pack(">BBB", ANSWER, sense, min(residual // 64, 255)))
        elif kind == "notify":
            self.steps.append(bytes([NOTIFY]))
        elif kind in ("in", "read", "out", "write", "ins", "outs"):
            register = controller.register(kind, int(words[0], 16))
            if register is None:
                return
            self.room(register if kind in ("out", "write") else None)
            self.register_access(kind, register, words, dma)

    def register_access(self, kind, register, words, dma):
        width = int(words[1])
        if kind in ("in", "read"):
            if (register, width) not in self.seen:
                self.seen.add((register, width))
                self.steps.append(struct.pack(">BHB", READ, register, WIDTHS[width]))
            return
        self.seen.clear()
        if kind in ("out", "write"):
            value = int(words[2], 16)
            self.controller.note(register, width, value)
            self.memory_steps(dma)
            self.steps.append(self.write(register, width, self.controller.value(register, value)))
            return
        count = int(words[2])
        head = struct.pack(">BBBH", STRING, register, WIDTHS[width], count)
        if kind == "ins":
            self.steps.append(head + bytes([STRING_READ]))
            return
        data = next((bytes.fromhex(w[3]) for w in dma if w[0] == "data" and len(w) > 3), b"")
        if len(data) == 12:
            self.controller.commands.packet = data
        self.steps.append(head + bytes([STRING_DATA]) + data[: min(width * count, STRING_BYTES)])

    def memory_steps(self, dma):
        for words in dma:
            if words[0] not in ("dma-read", "dma-write"):
                continue
            address, length = int(words[1], 16), int(words[2])
            if words[0] == "dma-read":
                self.steps += self.memory_read(address, length, bytes.fromhex(words[3]) if len(words) > 3 else b"")
            elif self.controller.is_structure(address):
                self.memory.written_by_device(address, length)


def events(lines):
    """Each access with the lines of what the model did because of it."""
    access, dma = None, []
    for line in lines:
        words = line.split()
        if words[0] in ("dma-read", "dma-write", "data"):
            dma.append(words)
            continue
        if access:
            yield access, dma
        access, dma = words, []
    if access:
        yield access, dma


def convert(path):
    """Seeds by target and name."""
    with gzip.open(path, "rt") as file:
        controller = Ide() if "--bus ide" in file.readline() else Ahci()
        converter = Converter(controller)
        for words, dma in events(file):
            converter.access(words[0], words[1:], dma)
    converter.cut()
    commands = controller.commands
    pieces = {controller.name: converter.pieces, "fis": commands.pieces(), "prd": list(commands.tables.values())}
    name = path.name.split(".")[0]
    return {(target, "%s-%03d" % (name, i)): piece for target in pieces for i, piece in enumerate(pieces[target])}


def main():
    *recordings, folder = map(pathlib.Path, sys.argv[1:])
    if not recordings:
        sys.exit(__doc__)
    for path in recordings:
        seeds = convert(path)
        for (target, name), seed in seeds.items():
            (folder / target).mkdir(parents=True, exist_ok=True)
            (folder / target / name).write_bytes(seed)
        print("%s: %d seeds, %d bytes" % (path, len(seeds), sum(map(len, seeds.values()))))


if __name__ == "__main__":
    main()
