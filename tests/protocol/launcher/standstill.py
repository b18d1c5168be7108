# SPDX-License-Identifier: GPL-2.0-or-later
"""What workers of emulated controllers are told while they are dead; see standstill.test."""
import json
import os
import signal
import socket

from rig import Daemon, check, kill_and_wait, lbctl, main

ABAR = 0xF0000000
DEVICE = 27


class Order:
    """A command of the device-model wrapper, whose answer is waited for later."""

    def __init__(self, daemon, command, **arguments):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(daemon.socket)
        self.lines = self.socket.makefile("rb")
        self._send(command, arguments, 1)
        self.command = command
        self.early = None

    def _send(self, command, arguments, number):
        text = json.dumps({"execute": command, "arguments": arguments, "id": number})
        self.socket.sendall(text.encode() + b"\n")

    def _read(self):
        line = self.lines.readline()
        check(line, self.command, "the daemon went away before it answered")
        return json.loads(line)

    def given(self):
        """The daemon has given it to the worker: it answers what comes later."""
        self._send("query-commands", {}, 2)
        answer = self._read()
        if answer["id"] == 1:
            self.early = answer
            answer = self._read()
        check(answer["id"] == 2, answer)
        return self

    def done(self):
        answer = self.early or self._read()
        check("return" in answer, self.command, answer)
        self.socket.close()
        return answer["return"]


class Guest:
    """With a controller whose registers are where the guest put them, and are read from its memory."""

    def __init__(self, daemon, name, bus="ahci"):
        self.daemon = daemon
        self.domid = int(lbctl("create-domain", "--type", "hvm", "--memory", "32", name))
        daemon.attach(self.domid, f"drive=virtual:{name}", f"bus={bus}")
        self.config(0x24, 4, ABAR)
        self.config(4, 2, 6)
        self.worker = ("ioemu", f"{self.domid}/{DEVICE}")
        self.pid()  # it serves
        check(not self.exits(), "registers are read by exits")

    def config(self, register, size, value):
        lbctl("io", self.domid, 0, "pci-write", DEVICE << 11 | register, size, value)

    def exits(self):
        """Of one read of a register."""
        return int(lbctl("io", self.domid, 0, "exits", ABAR + 0x10, 4), 0)

    def version(self):
        return int(lbctl("io", self.domid, 0, "read", ABAR + 0x10, 4), 0)

    def pid(self):
        return self.daemon.pid(*self.worker)

    def order(self, command):
        # Forced, it does not ask the drive first.
        return Order(self.daemon, command, domain=self.domid, **({"force": True} if command == "detach" else {}))

    def told(self, command):
        return self.order(command).done()

    def saved(self):
        states = self.told("save-controllers")["controllers"]
        check([s["device"] for s in states] == [DEVICE], states)

    def refuses_to_save(self):
        """It was not stopped, or no longer."""
        r = self.daemon.cli("control", "save-controllers", json.dumps({"domain": self.domid}))
        check("save comes after stop" in r.stderr, r)

    def destroy(self):
        lbctl("destroy-domain", self.domid)
        self.daemon.idle()


def deaf(guest, command):
    """The worker has the command, and dies before it looks."""
    worker = guest.pid()
    os.kill(worker, signal.SIGSTOP)
    order = guest.order(command).given()
    kill_and_wait(worker)
    return order.done()


def dead(guest, command):
    """The worker is dead, and the daemon hears of that and of the command at once."""
    worker = guest.pid()
    os.kill(guest.daemon.process.pid, signal.SIGSTOP)
    kill_and_wait(worker)
    order = guest.order(command)
    os.kill(guest.daemon.process.pid, signal.SIGCONT)
    return order.done()


def soon(guest, command):
    """Its successor was started, and may not serve yet."""
    worker = guest.pid()
    kill_and_wait(worker)
    guest.daemon.until(lambda: guest.daemon.workers()[guest.worker]["pid"] not in (0, worker))
    return guest.told(command)


def lost_daemon(guest, command):
    """Both die; nobody waits for the answer, but the next daemon knows what was to be told."""
    worker = guest.pid()
    os.kill(worker, signal.SIGSTOP)
    order = guest.order(command).given()
    guest.daemon.kill(worker)
    order.socket.close()
    guest.daemon.start()
    guest.daemon.ready()
    if command != "detach":
        guest.pid()
    return {"controllers": None}


DEATHS = (deaf, dead, soon)


def nothing_is_lost(daemon):
    guest = Guest(daemon, "saved")
    for death in DEATHS:
        # "stop", and "save" of what was not stopped by this worker.
        death(guest, "stop-controllers")
        check(guest.exits() == 1, death.__name__, "the guest is saved with a page that is none of its own")
        guest.saved()
        states = death(guest, "save-controllers")["controllers"]
        check(len(states) == 1 and states[0]["state"], death.__name__, states)
        death(guest, "cont-controllers")
        check(guest.exits() == 0, death.__name__, "registers are read by exits for ever")
        guest.refuses_to_save()
        death(guest, "log-dirty-controllers")
        check(guest.exits() == 1, death.__name__, "Xen would refuse to log")
        death(guest, "log-clean-controllers")
        check(guest.exits() == 1, "put back under the hands of a guest that runs")
        guest.told("stop-controllers")
        guest.told("cont-controllers")
        check(guest.exits() == 0, death.__name__, "the page does not come back")
    guest.destroy()


def the_end_is_not_lost(daemon):
    """A controller that is taken away leaves nobody behind whom a CPU of the guest would wait for."""
    for death in DEATHS:
        guest = Guest(daemon, f"end-{death.__name__}")
        death(guest, "detach")
        check(guest.version() == 0xFFFFFFFF, death.__name__, "somebody answers")
        check(daemon.listed().count(f"{guest.domid}/") == 0, "it is listed")
        guest.destroy()


def the_next_daemon_knows():
    daemon = Daemon().ready()
    guest = Guest(daemon, "next")
    lost_daemon(guest, "stop-controllers")
    guest.saved()
    lost_daemon(guest, "log-dirty-controllers")
    lost_daemon(guest, "cont-controllers")
    # The guest runs by now: the page waits until it stands still again.
    check(guest.exits() == 1, "put back under the hands of a guest that runs")
    guest.refuses_to_save()
    lost_daemon(guest, "log-clean-controllers")
    guest.told("stop-controllers")
    guest.told("cont-controllers")
    check(guest.exits() == 0, "the page does not come back")
    lost_daemon(guest, "detach")
    daemon.until(lambda: not daemon.workers())
    check(guest.version() == 0xFFFFFFFF, "somebody answers")
    guest.destroy()
    daemon.stop()


def start():
    return Daemon(config="[xenopticd]\nrestart-limit = 1000\n").ready()


main(start, [nothing_is_lost, the_end_is_not_lost], [the_next_daemon_knows])
