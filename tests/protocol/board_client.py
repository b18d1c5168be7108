# SPDX-License-Identifier: GPL-2.0-or-later
"""A small client of the board: enumerates, reads a block by AHCI (DMA) or IDE (PIO), moves the tray."""
import socket
import struct
import sys
import time


class Board:
    def __init__(self, path):
        for _ in range(500):
            try:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect(path)
                break
            except OSError:
                time.sleep(0.01)
        else:
            raise SystemExit("the board does not listen")
        self.file = self.sock.makefile("rw")
        self.lines = []

    def __call__(self, command):
        self.file.write(command + "\n")
        self.file.flush()
        while True:
            line = self.file.readline().strip()
            if line.startswith("OK"):
                return line[3:]
            if line.startswith(("IRQ", "EVENT")):
                self.lines.append(line)
                continue
            raise SystemExit(f"{command}: {line!r}")

    def number(self, command):
        return int(self(command), 16)

    def config(self, devfn, reg, width="l", value=None):
        self(f"outl 0xcf8 {0x80000000 | devfn << 8 | reg & 0xfc:#x}")
        port = 0xcfc + (reg & 3)
        if value is None:
            return self.number(f"in{width} {port:#x}")
        self(f"out{width} {port:#x} {value:#x}")
        return None


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, expected {wanted!r}")


def find(board):
    for devfn in range(256):
        if board.config(devfn, 8) >> 16 in (0x0106, 0x0101):
            return devfn
    raise SystemExit("no controller")


READ = bytes([0x28, 0, 0, 0, 0, 16, 0, 0, 1, 0, 0, 0])


def run_ahci(board, devfn, block):
    abar, lst, fis, table, buffer = 0xF0000000, 0x200000, 0x201000, 0x202000, 0x300000
    board.config(devfn, 0x24, "l", 0xFFFFFFFF)
    expect("ABAR size", board.config(devfn, 0x24), 0xFFFFF000)
    board.config(devfn, 0x24, "l", abar)
    board.config(devfn, 4, "w", 6)
    port = abar + 0x100
    board(f"writel {port:#x} {lst:#x}")
    board(f"writel {port + 8:#x} {fis:#x}")
    board(f"writel {port + 0x30:#x} 0xffffffff")
    board(f"writel {port + 0x14:#x} 0xffffffff")
    board(f"writel {port + 0x18:#x} 0x16")
    board(f"writel {port + 0x18:#x} 0x17")
    expect("signature", board.number(f"readl {port + 0x24:#x}"), 0xEB140101)
    board(f"write {abar + 4:#x} 0x4 0x02000080")

    def command(cdb):
        header = struct.pack("<IIQ", 0x10025, 0, table)
        prdt = struct.pack("<QII", buffer, 0, 2047)
        body = bytes([0x27, 0x80, 0xA0, 1]).ljust(64, b"\0") + cdb.ljust(64, b"\0") + prdt
        board(f"write {lst:#x} {len(header):#x} 0x{header.hex()}")
        board(f"write {table:#x} {len(body):#x} 0x{body.hex()}")
        board(f"writel {port + 0x38:#x} 1")
        status = board.number(f"readl {port + 0x20:#x}")
        if status & 1:
            board(f"writel {port + 0x18:#x} 0x16")
            board(f"writel {port + 0x18:#x} 0x17")
        board(f"writel {port + 0x10:#x} 0xffffffff")
        board(f"writel {abar + 8:#x} 1")
        return status

    for _ in range(4):  # unit attentions
        if not command(bytes(12)) & 1:
            break
    expect("status", command(READ) & 0x89, 0)
    expect("block", bytes.fromhex(board(f"read {buffer:#x} 0x800")[2:]), block)
    expect("interrupts", board.lines[-2:], ["IRQ raise 11", "IRQ lower 11"])
    board.lines.clear()
    expect("eject", command(bytes([0x1B, 0, 0, 0, 2, 0])) & 1, 0)
    expect("tray", "EVENT tray open" in board.lines, True)
    return command


def run_ide(board, devfn, block):
    for bar, base in ((0, 0xC000), (1, 0xC010), (4, 0xC020)):
        board.config(devfn, 0x10 + 4 * bar, "l", base)
    board.config(devfn, 4, "w", 5)

    def command(cdb):
        board("outb 0xc001 0")
        board("outb 0xc004 0")
        board("outb 0xc005 8")
        board("outb 0xc007 0xa0")
        for i in range(0, 12, 2):
            board(f"outw 0xc000 {cdb[i] | cdb[i + 1] << 8:#x}")
        return board.number("inb 0xc007")

    for _ in range(4):
        if not command(bytes(12)) & 1:
            break
    expect("status", command(READ) & 0x89, 8)
    data = b"".join(struct.pack("<H", board.number("inw 0xc000")) for _ in range(1024))
    expect("block", data, block)
    expect("end", board.number("inb 0xc007") & 0x89, 0)


def main():
    board = Board(sys.argv[1])
    with open(sys.argv[2], "rb") as iso:
        iso.seek(16 * 2048)
        block = iso.read(2048)
    expect("endianness", board("endianness"), "little")
    expect("nobody's port", board("inb 0x1f7"), "0x00ff")
    board("irq_intercept_in ioapic")
    board("memset 0x100000 0x0 0x55")
    board("memset 0x100000 0x10 0x55")
    expect("memset", board("b64read 0x100000 0x4"), "VVVVVQ==")
    board("b64write 0x100000 0x3 AQID")
    expect("base 64", board("read 0x100000 0x4"), "0x01020355")
    expect("clock", board("clock_step 1000"), "1000")
    devfn = find(board)
    if len(sys.argv) > 3:
        run_ide(board, devfn, block)
    else:
        command = run_ahci(board, devfn, block)
        board(f"x-media insert {sys.argv[2]}")
        expect("tray", board.lines[-1], "EVENT tray closed")
        board("x-media open")
        expect("tray", board.lines[-1], "EVENT tray open")
        board("x-media close")
        expect("tray", board.lines[-1], "EVENT tray closed")
        command(bytes(12))
        command(bytes(12))
        expect("disc again", command(READ) & 1, 0)
        board("x-media remove")
        command(bytes(12))
        expect("no disc", command(READ) & 1, 1)


main()
