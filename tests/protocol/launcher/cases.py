# SPDX-License-Identifier: GPL-2.0-or-later
"""What the launcher promises, one case each; see launcher.test."""
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

from rig import BUILD, DIR, PATIENCE
from rig import Daemon, Failure, Frontend, Store, check, create, kill_and_wait, lbctl, main, running, shut_in

DOM0 = Store(f"{DIR}/socket")
TUR = b"\0" * 6
RESERVE_TRACK = bytes.fromhex("53 00 00 00 00 00 00 10 00 00")


class Guest:
    """A domain with an attached device, not yet connected."""

    count = 0

    def __init__(self, daemon, *options, name=None, drive=None):
        Guest.count += 1
        self.daemon = daemon
        self.name = name or f"guest{Guest.count}"
        self.drive = drive or f"virtual:drive{Guest.count}"
        self.domid = create(self.name)
        self.devid = daemon.attach(self.domid, f"drive={self.drive}", *options)
        self.frontend = Frontend(self.domid, self.devid)
        self.ring = ("ring", f"{self.domid}/{self.devid}")
        self.disk = ("drive", self.drive)
        # Before each first request, in every case.
        self.frontend.connected = lambda: shut_in(socket=daemon.socket)

    def destroy(self):
        self.frontend.close()
        lbctl("destroy-domain", self.domid)
        DOM0.wait(f"/local/domain/0/backend/optical/{self.domid}", None)


def detach(guest, *options):
    return subprocess.Popen(
        [f"{BUILD}/xenoptic", "--socket", guest.daemon.socket, "detach", str(guest.domid), *options],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def log_of(daemon):
    with open(f"{DIR}/{daemon.name}.log", encoding="utf-8", errors="replace") as f:
        return f.read()


def connects_serves_and_detaches(daemon):
    guest = Guest(daemon)
    front = guest.frontend
    front.connect()
    check(front.store.read(front.backend + "/feature-sg-grant") == "128", "feature-sg-grant")
    front.alive()
    waiting = detach(guest)
    front.backend_state(5)
    front.alive()  # a driver that unbinds still sends commands
    front.state(6)
    check(waiting.wait() == 0, waiting.stderr.read())
    check(DOM0.list(f"/local/domain/{guest.domid}/device/vscsi") == [], "frontend's nodes")
    check(DOM0.read(front.backend) is None, "backend's nodes")
    daemon.idle()
    guest.destroy()


def permissions_are_libxls(daemon):
    guest = Guest(daemon)
    domid = guest.domid
    for node in ("", "/state", "/backend"):
        found = DOM0.permissions(guest.frontend.base + node)
        check(found == [f"n{domid}", "r0"], f"frontend {node}: {found}")
    for node in ("", "/state", "/vscsi-devs/dev-0/p-dev", "/feature-sg-grant"):
        found = DOM0.permissions(guest.frontend.backend + node)
        check(found == ["n0", f"r{domid}"], f"backend {node}: {found}")
    guest.destroy()


def frontend_comes_back(daemon):
    guest = Guest(daemon)
    front = guest.frontend
    for _ in range(3):
        front.connect()
        front.alive()
        front.leave()
        front.state(1)
    front.connect()
    front.state(1)  # it crashed and begins, without a word
    front.connect()
    front.alive()
    front.tell_ring()  # kexec: nobody saw the states in between
    front.state(3)
    front.backend_state(4)
    check(front.unit_state(0, 3, 4), "unit")
    front.alive()
    guest.destroy()
    daemon.idle()


RUBBISH = (
    ("ring-ref", (None, "", "x", "-1", "4294967296", "99999999999999999999", "1 ", b"1\0", "\u00fc")),
    ("event-channel", (None, "", "0", "-5", "131072", "0x10")),
    ("protocol", ("", "x86_64-abi ", "mips-abi", "a" * 2000)),
)


def rubbish_closes_the_device_with_a_message(daemon):
    guest = Guest(daemon)
    front = guest.frontend
    for node, values in RUBBISH:
        for value in values:
            front.backend_state(2)
            front.tell_ring()
            path = f"{front.base}/{node}"
            if value is None:
                front.store.rm(path)
            else:
                front.store.write(path, value)
            front.state(3)
            front.backend_state(5)
            error = front.store.wait(front.backend + "/error", lambda v: v)
            check(node in error, f"{node} = {value!r}: {error}")
            front.state(6)
            front.backend_state(6)
            front.state(1)
    # Well-formed, but no grant and no port of this guest.
    for node, value in (("ring-ref", 4242), ("event-channel", 4242)):
        front.backend_state(2)
        front.tell_ring()
        front.store.write(f"{front.base}/{node}", value)
        front.state(3)
        front.backend_state(5)
        front.store.wait(front.backend + "/error", lambda v: v)
        front.state(6)
        front.backend_state(6)
        front.state(1)
    front.connect()
    check(front.errors() == {}, "the error stays", front.errors())
    front.alive()
    guest.destroy()


def several_event_channels():
    """A vcd frontend has its requests heard by all that it names, by the ring's successors and the launcher's."""
    daemon = Daemon().ready()
    guest = Guest(daemon, "bus=vcd")
    front = guest.frontend
    front.base = front.base.replace("/vscsi/", "/vcd/")
    front.channels = 3
    for node, values in (("event-channels", ("", "0", "9", "x", "4")), ("event-channel2", (None, "0", "131072", "4242"))):
        for value in values:
            front.backend_state(2)
            check(front.store.read(front.backend + "/max-event-channels") == "8", "what is offered")
            front.tell_ring()
            if value is None:
                front.store.rm(f"{front.base}/{node}")
            else:
                front.store.write(f"{front.base}/{node}", value)
            front.state(3)
            front.backend_state(5)
            error = front.store.wait(front.backend + "/error", lambda v: v)
            check("event-channel" in error, f"{node} = {value!r}: {error}")
            front.state(6)
            front.backend_state(6)
            front.state(1)
    front.connect()
    for killed in ("nobody", "ring", "daemon", "both"):
        if killed == "daemon":
            daemon.kill()
        elif killed != "nobody":
            pid = daemon.pid(*guest.ring)
            daemon.kill(pid) if killed == "both" else kill_and_wait(pid)
        if killed in ("daemon", "both"):
            daemon.start()
            daemon.ready()
        for _ in range(20):
            front.alive()
    guest.destroy()
    daemon.idle()
    daemon.stop()


def states_that_are_none(daemon):
    guest = Guest(daemon)
    front = guest.frontend
    front.connect()
    for value in ("", "9", "-1", "99999999999", "four", b"4\0", "0", "8", "7", "2", "a" * 2000):
        front.store.write(front.base + "/state", value)
    front.store.rm(front.base + "/state")
    front.backend_state(6)
    front.state(1)
    front.connect()
    front.alive()
    guest.destroy()


def floods_of_states_cost_no_other_guest(daemon):
    noisy, quiet = Guest(daemon), Guest(daemon)
    quiet.frontend.connect()
    for i in range(3000):
        noisy.frontend.state(i % 10)
    quiet.frontend.alive()
    waiting = detach(quiet)
    quiet.frontend.backend_state(5)
    quiet.frontend.state(6)
    check(waiting.wait() == 0, waiting.stderr.read())
    noisy.frontend.state(6)
    noisy.frontend.backend_state(6)
    noisy.frontend.state(1)
    noisy.frontend.connect()
    noisy.frontend.alive()
    noisy.destroy()
    quiet.destroy()


def a_guest_that_connects_without_end_is_slowed_down(daemon):
    """With a ring that cannot be mapped and a drive that is not there: each time a process, links and messages."""
    guest, other = Guest(daemon), Guest(daemon)
    front = guest.frontend
    front.connect()
    add_unit(guest, 1, "/dev/none", 1)
    front.unit_state(1, 6)
    front.leave()
    front.state(1)
    front.backend_state(2)
    front.tell_ring()
    front.store.write(front.base + "/ring-ref", 4242)
    before = len(log_of(daemon))
    begun = time.monotonic()
    for _ in range(15):
        front.state(3)
        front.backend_state(5)
        front.state(6)
        front.backend_state(6)
        front.state(1)
        front.backend_state(2)
    passed = time.monotonic() - begun
    check(passed >= 10, f"15 connections in {passed:.1f} s, and as many attempts to get a drive")
    lines = [x for x in log_of(daemon)[before:].splitlines() if x[1] < "7" and ": link " not in x]
    check(len(lines) <= 4 * 20 * (passed // 10 + 1), f"{len(lines)} lines in {passed:.1f} s", lines)
    check(f"device {guest.ring[1]} of {guest.name}: the guest connects more than" in log_of(daemon), "nobody was told")
    # It is the noisy one's alone, and is over when it stops.
    other.frontend.connect()
    other.frontend.alive()
    front.connect()
    front.alive()
    guest.destroy()
    other.destroy()


def add_unit(guest, number, drive, target):
    base = f"{guest.frontend.backend}/vscsi-devs/dev-{number}"
    DOM0.write(base + "/p-dev", drive)
    DOM0.write(base + "/v-dev", f"0:0:{target}:0")
    DOM0.write(base + "/state", 1)


def frontend_hotplugs(front):
    """xen-scsifront on Reconfiguring and Reconfigured."""
    front.backend_state(7)
    front.state(7)
    front.backend_state(8)


def units_come_and_go(daemon):
    guest = Guest(daemon)
    front = guest.frontend
    front.connect()
    add_unit(guest, 1, "virtual:second", 1)
    frontend_hotplugs(front)
    check(front.unit_state(1, 3, 6) == "3", "hot-plug", front.errors())
    front.unit(4, 1)
    front.state(4)
    front.unit_state(1, 4)
    front.backend_state(4)
    front.alive((0, 1, 0))
    front.alive()
    add_unit(guest, 2, "/dev/none", 2)
    front.unit_state(2, 6)
    check("/dev/none" in front.store.read(front.backend + "/vscsi-devs/dev-2/error"), "reason")
    DOM0.write(front.backend + "/vscsi-devs/dev-1/state", 5)
    DOM0.write(front.backend + "/state", 7)
    frontend_hotplugs(front)
    front.unit_state(1, 6)
    front.unit(6, 1)
    front.state(4)
    front.backend_state(4)
    DOM0.rm(front.backend + "/vscsi-devs/dev-1")
    DOM0.rm(front.backend + "/vscsi-devs/dev-2")
    front.alive()
    check(front.command(TUR, (0, 1, 0))[1] != 0, "the unit that went answers")
    daemon.until(lambda: ("drive", "virtual:second") not in daemon.workers())
    guest.destroy()


def wrong_units_are_refused_alone(daemon):
    guest = Guest(daemon)
    front = guest.frontend
    for number, (node, value) in enumerate((("v-dev", "0:0:0"), ("p-dev", "/etc/shadow"), ("mode", "w")), 1):
        add_unit(guest, number, f"virtual:wrong{number}", number)
        DOM0.write(f"{front.backend}/vscsi-devs/dev-{number}/{node}", value)
    add_unit(guest, 4, "virtual:double", 0)  # the address of dev-0
    front.connect()
    for number in range(1, 5):
        front.unit_state(number, 6)
    check(len(front.errors()) == 4, "messages", front.errors())
    front.alive()
    guest.destroy()


def busy_drive_is_refused_and_taken_later(daemon):
    first = Guest(daemon, drive="virtual:shared")
    first.frontend.connect()
    domid = create("second")
    refused = daemon.cli("attach", str(domid), "drive=virtual:shared")
    check(refused.returncode == 1 and first.name in refused.stderr, refused.stderr)
    check(DOM0.list(f"/local/domain/{domid}/device/vscsi") == [], "nodes of a refused device")
    second = Guest(daemon, drive="virtual:other")
    front = second.frontend
    front.connect()
    add_unit(second, 1, "virtual:shared", 1)
    front.unit_state(1, 6)
    check(first.name in front.errors()["vscsi-devs/dev-1/error"], front.errors())
    first.destroy()
    frontend_hotplugs(front)
    front.unit_state(1, 3)
    check(front.errors() == {}, front.errors())
    front.unit(4, 1)
    front.state(4)
    front.unit_state(1, 4)
    front.alive((0, 1, 0))
    second.destroy()
    lbctl("destroy-domain", domid)


def to_waiting(front):
    front.backend_state(2)


def to_ring(front):
    front.backend_state(2)
    front.tell_ring()


def to_initialised(front):
    to_ring(front)
    front.state(3)


def to_connected(front):
    front.connect()


def to_command(front):
    front.connect()
    front.send()


def to_closing(front):
    front.connect()
    front.state(5)


def to_closed(front):
    front.connect()
    front.state(6)


STEPS = (None, to_waiting, to_ring, to_initialised, to_connected, to_command, to_closing, to_closed)


def guests_die_at_every_step(daemon):
    for step in STEPS:
        guest = Guest(daemon)
        if step:
            step(guest.frontend)
        guest.destroy()
    daemon.idle()


def nodes_vanish_at_every_step(daemon):
    """The toolstack takes the nodes away under a living guest."""
    for step in STEPS:
        guest = Guest(daemon)
        if step:
            step(guest.frontend)
        DOM0.rm(guest.frontend.base)
        DOM0.rm(guest.frontend.backend)
        daemon.until(lambda: guest.ring not in daemon.workers() and guest.disk not in daemon.workers())
        guest.destroy()


def detach_without_a_driver(daemon):
    guest = Guest(daemon)
    check(detach(guest).wait() == 0, "a guest without a driver")
    guest.destroy()
    stubborn = Guest(daemon)
    stubborn.frontend.connect()
    forced = detach(stubborn, "--force")
    check(forced.wait() == 0, forced.stderr.read())
    check(DOM0.read(stubborn.frontend.backend) is None, "nodes")
    stubborn.destroy()
    daemon.idle()


def workers_are_replaced(daemon):
    guest = Guest(daemon)
    front = guest.frontend
    front.connect()
    for _ in range(10):
        for worker in (guest.ring, guest.disk):
            sent = [front.send() for _ in range(8)]
            kill_and_wait(daemon.pid(*worker))
            got = [front.receive() for _ in sent]
            check(sorted(n for n, _, _ in got) == sorted(sent), "each command has one answer", sent, got)
            check(all(host == 0 for _, _, host in got), "and it is the drive's", got)
    check(front.backend_state(4), "the guest saw a state")
    guest.destroy()


def restarts_are_bounded():
    daemon = Daemon(config="[xenopticd]\nrestart-limit = 2\nrestart-window = 1000\n").ready()
    guest = Guest(daemon)
    guest.frontend.connect()
    for _ in range(3):
        kill_and_wait(daemon.pid(*guest.ring))
    guest.frontend.backend_state(5)
    check("more than 2 times" in guest.frontend.errors()["error"], guest.frontend.errors())
    other = Guest(daemon)
    other.frontend.connect()
    for _ in range(3):
        kill_and_wait(daemon.pid(*other.disk))
    other.frontend.unit_state(0, 5)
    check("more than 2 times" in other.frontend.errors()["vscsi-devs/dev-0/error"], other.frontend.errors())
    guest.destroy()
    other.destroy()
    daemon.stop()


def workers_survive_the_launcher():
    daemon = Daemon().ready()
    guest, idle = Guest(daemon), Guest(daemon)
    front = guest.frontend
    front.connect()
    before = daemon.workers()
    for _ in range(5):
        sent = [front.send() for _ in range(8)]
        daemon.kill()
        got = [front.receive() for _ in sent]  # served without a launcher
        check(all(not host for _, _, host in got), got)
        daemon.start({"XENOPTIC_KILL": "launcher.adopted=1"})
        daemon.process.wait()
        daemon.start()
        daemon.ready()
        front.alive()
    after = daemon.workers()
    for worker in (guest.ring, guest.disk):
        check(after[worker]["pid"] == before[worker]["pid"], f"{worker} was started again")
        check(after[worker]["adopted"], f"{worker} is not adopted")
    # What was adopted is replaced like any other, and keeps its promises.
    for worker in (guest.ring, guest.disk):
        sent = [front.send() for _ in range(8)]
        kill_and_wait(daemon.pid(*worker))
        got = [front.receive() for _ in sent]
        check(sorted(n for n, _, _ in got) == sorted(sent) and all(not h for _, _, h in got), got)
    idle.frontend.connect()  # was waiting all the time
    idle.frontend.alive()
    waiting = detach(guest)
    front.backend_state(5)
    front.state(6)
    check(waiting.wait() == 0, waiting.stderr.read())
    guest.destroy()
    idle.destroy()
    daemon.idle()
    daemon.stop()


def answered(front, sent):
    got = [front.receive() for _ in sent]
    check(sorted(n for n, _, _ in got) == sorted(sent), "each command has one answer", sent, got)
    check(all(host == 0 for _, _, host in got), "and it is the drive's", got)


def asks(pid):
    """The daemon waits in poll(), which its loop does not use, but who asks a worker at its start does."""
    with open(f"/proc/{pid}/syscall", encoding="utf-8") as f:
        return f.read().split()[0] == "7"


def workers_die_with_the_launcher():
    """Nobody but the keeper has their ledgers and links then."""
    daemon = Daemon(config="[xenopticd]\nrestart-limit = 1000\n").ready()
    guest = Guest(daemon)
    front = guest.frontend
    front.connect()
    roles = (guest.ring, guest.disk)
    for victims in (roles[:1], roles[1:], roles) * 3:
        pids = [daemon.pid(*worker) for worker in victims]
        sent = [front.send() for _ in range(8)]
        daemon.kill(*pids)
        sent += [front.send() for _ in range(8)]
        daemon.start()
        answered(front, sent)
        daemon.ready()
    # They die, and their successors as well, while one launcher after the other does.
    for point in ("adopted", "ended", "planned", "spawned", "recorded"):
        pids = [daemon.pid(*worker) for worker in roles]
        sent = [front.send() for _ in range(8)]
        daemon.kill(*pids)
        daemon.start({"XENOPTIC_KILL": f"launcher.{point}=1"})
        check(daemon.process.wait(PATIENCE) < 0, f"{point} was not reached")
        daemon.start()
        answered(front, sent)
        daemon.ready()
    # They are asked by the next launcher, and die before they answer.
    for worker in roles:
        pid = daemon.pid(*worker)
        os.kill(pid, signal.SIGSTOP)
        sent = [front.send() for _ in range(8)]
        daemon.kill()
        daemon.start()
        daemon.wait(lambda: asks(daemon.process.pid))
        kill_and_wait(pid)
        answered(front, sent)
        daemon.ready()
    check(front.backend_state(4), "the guest saw a state")
    kept = daemon.kept()
    check(kept == 4 + 3, f"{kept} descriptors are kept: control and ledger of two workers, and a link's three")
    guest.destroy()
    daemon.idle()
    daemon.until(lambda: daemon.kept() == 0)
    daemon.stop()


def keeper_is_replaced():
    daemon = Daemon(config="[xenopticd]\nrestart-limit = 1000\n").ready()
    guest = Guest(daemon)
    front = guest.frontend
    front.connect()
    roles = (guest.ring, guest.disk)
    kept = daemon.kept()
    for _ in range(3):
        first = daemon.keeper()
        kill_and_wait(first)
        daemon.until(lambda: daemon.keeper() != first and daemon.kept() == kept)
        pids = [daemon.pid(*worker) for worker in roles]
        sent = [front.send() for _ in range(8)]
        daemon.kill(*pids)
        daemon.start()
        answered(front, sent)
        daemon.ready()
        front.alive()
    # Nobody has anything any more: the workers end, the guest is told, and may begin anew.
    pids = [daemon.pid(*worker) for worker in roles]
    daemon.kill(daemon.keeper())
    for pid in pids:
        daemon.wait(lambda: not running(pid))
    daemon.start()
    daemon.ready()
    front.backend_state(5)
    check("connection was lost" in front.errors()["error"], front.errors())
    front.leave()
    front.state(1)
    front.connect()
    front.alive()
    # A daemon that ends leaves the keeper to its successor, one that has nothing to leave does not.
    daemon.process.terminate()
    check(daemon.process.wait(PATIENCE) == 0, "SIGTERM")
    keeper = daemon.keeper()
    daemon.start()
    daemon.ready()
    check(daemon.keeper() == keeper, "another keeper")
    front.alive()
    guest.destroy()
    daemon.idle()
    daemon.process.terminate()
    daemon.process.wait()
    daemon.wait(lambda: not running(keeper))
    daemon.start()
    daemon.ready().stop()


def keeper_is_strict(daemon):
    """Rubbish gets an error; another user nothing."""
    guest = Guest(daemon)
    guest.frontend.connect()
    path = f"{daemon.run}/keeper.sock"
    check(os.stat(path).st_mode & 0o777 == 0o600, "mode of the keeper's socket")
    daemon.kill()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)

    def ask(text, fds=()):
        socket.send_fds(s, [text if isinstance(text, bytes) else json.dumps(text).encode()], fds)
        data, got, _, _ = socket.recv_fds(s, 16384, 8)
        for fd in got:
            os.close(fd)
        return json.loads(data), len(got)

    kept = ask({"execute": "query"})[0]["return"]["kept"]
    check(kept == 7, f"{kept} are kept")
    for packet, error in (
        (b"{", "GenericError"), (b"[]", "GenericError"), ({"execute": 4}, "CommandNotFound"),
        ({"execute": "put"}, "InvalidArguments"), ({"execute": "get", "arguments": {"names": []}}, "InvalidArguments"),
        ({"execute": "get", "arguments": {"names": ["x"] * 9}}, "InvalidArguments"),
        ({"execute": "get", "arguments": {"names": ["x" * 256]}}, "InvalidArguments"),
        ({"execute": "get", "arguments": {"names": [1]}}, "InvalidArguments"),
        ({"execute": "get", "arguments": {"names": ["nothing"]}}, "NotKept"),
        ({"execute": "put", "arguments": {"names": ["two", "names"]}}, "InvalidArguments"),
    ):  # fmt: skip
        check(ask(packet, [0])[0].get("error", {}).get("class") == error, packet)
    names = [f"n{i}" for i in range(8)]
    check("return" in ask({"execute": "put", "arguments": {"names": names}}, [0] * 8)[0], "put")
    check("return" in ask({"execute": "put", "arguments": {"names": names[:4]}}, [0] * 4)[0], "put again")
    check(ask({"execute": "get", "id": 7, "arguments": {"names": names}}) == ({"return": {}, "id": 7}, 8), "get")
    check(ask({"execute": "query"})[0]["return"]["kept"] == kept + 8, "kept")
    check("return" in ask({"execute": "drop", "arguments": {"names": names[:2] + ["nothing"]}})[0], "drop")
    s.close()
    # What a launcher put that died before it wrote it down is swept away.
    daemon.start()
    daemon.ready()
    check(daemon.kept() == kept, f"{daemon.kept()} are kept")
    guest.frontend.alive()
    guest.destroy()


# A connection starts two workers, makes one link and writes two states.
POINTS = [(p, n) for p in ("planned", "spawned", "recorded", "switch", "switched") for n in (1, 2)]
POINTS += [("linked", 1), ("offered", 1)]


def launcher_dies_at_every_point_of_a_connection():
    """The guest begins, the launcher dies at a point, its successor goes on."""
    for point, count in POINTS:
        daemon = Daemon(environment={"XENOPTIC_KILL": f"launcher.{point}={count}"}).ready()
        domid = create(f"{point}{count}")
        device_nodes(domid, f"virtual:points{daemon.number}")
        front = Frontend(domid)
        reviver = Reviver(daemon)
        front.connect()
        check(reviver.stop(), f"{point} {count}: was not reached")
        front.alive()
        front.close()
        lbctl("destroy-domain", domid)
        DOM0.wait(f"/local/domain/0/backend/optical/{domid}", None)
        daemon.idle()
        daemon.stop()


def device_nodes(domid, drive):
    """The nodes of a device, by another toolstack than ours."""
    base = f"/local/domain/{domid}/device/vscsi/0"
    backend = f"/local/domain/0/backend/optical/{domid}/0"
    for path, perms in ((base, (f"n{domid}", "r0")), (backend, ("n0", f"r{domid}"))):
        check(DOM0.call(Store.MKDIR, path.encode(), b"") is not None, path)
        check(DOM0.call(14, path.encode(), *(p.encode() for p in perms), b"") is not None, path)
    for node, value in (
        ("backend", backend), ("backend-id", 0), ("state", 1),
    ):  # fmt: skip
        DOM0.write(f"{base}/{node}", value)
    for node, value in (
        ("frontend", base), ("frontend-id", domid), ("online", 1), ("type", "vscsi"),
        ("vscsi-devs/dev-0/p-dev", drive), ("vscsi-devs/dev-0/v-dev", "0:0:0:0"),
        ("vscsi-devs/dev-0/state", 1), ("state", 1),
    ):  # fmt: skip
        DOM0.write(f"{backend}/{node}", value)


class Reviver:
    """Starts the daemon again when it dies, as a service manager would."""

    def __init__(self, daemon):
        self.daemon, self.died, self.ended = daemon, False, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            process = self.daemon.process
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            if not self.ended:
                self.died = True
                self.daemon.start()

    def stop(self):
        self.ended = True
        self.thread.join()
        self.daemon.ready()
        return self.died


class Watcher:
    """xenoptic trace: a line for each command."""

    def __init__(self, daemon, drive):
        self.process = subprocess.Popen(
            [f"{BUILD}/xenoptic", "--socket", daemon.socket, "trace", drive], stdout=subprocess.PIPE, text=True
        )

    def line(self, word):
        """The next line with this word in it."""
        timer = threading.Timer(60, self.process.kill)
        timer.start()
        for line in self.process.stdout:
            if word in line:
                timer.cancel()
                return line
        raise Failure(f"no line with {word}")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def commands_are_watched(daemon):
    """From the first command on, past the end of a drive process, until the next watcher takes over."""
    early = Watcher(daemon, "virtual:watched")
    guest = Guest(daemon, drive="virtual:watched")
    guest.frontend.connect()
    guest.frontend.alive()
    line = early.line("TEST_UNIT_READY")
    check("cdb=000000000000" in line and f"guest={guest.name}" in line and "st=02" in line, line)
    kill_and_wait(daemon.pid(*guest.disk))
    guest.frontend.command(b"\x4e" + b"\0" * 9)  # STOP PLAY/SCAN
    early.line("STOP_PLAY")
    late = Watcher(daemon, "virtual:watched")
    daemon.control("query-commands")
    daemon.until(lambda: guest.frontend.command() and select.select([late.process.stdout], [], [], 0)[0])
    late.line("TEST_UNIT_READY")
    # A watcher that does not read holds nobody up: 4,000 lines are more than a pipe takes, or a socket.
    os.kill(late.process.pid, signal.SIGSTOP)
    for _ in range(4000):
        guest.frontend.command()
    os.kill(late.process.pid, signal.SIGCONT)
    guest.frontend.command(b"\x4e" + b"\0" * 9)
    for watcher in (early, late):
        watcher.stop()
    guest.frontend.alive()
    check(daemon.cli("trace", "sr0").returncode == 1, "a name that is no drive's")
    guest.destroy()


ALLOWED_FDS = ("socket:", "/memfd:xenoptic-", "anon_inode:[event", "anon_inode:[timerfd", "pipe:", "/dev/null")
SYS_RAWIO = 1 << 17


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def workers_are_shut_in(daemon):
    """Seen from outside, before the first request: filter, user, capabilities, descriptors."""
    guest = Guest(daemon)
    guest.frontend.connect()
    nobody = int(subprocess.check_output(["id", "-u", "nobody"]))
    for worker, capabilities in ((guest.ring, 0), (guest.disk, SYS_RAWIO)):
        pid = daemon.pid(*worker)
        status = status_of(pid)
        check(status["Seccomp"] == "2", f"{worker}: no filter")
        check(status["NoNewPrivs"] == "1", f"{worker}: may gain privileges")
        check(set(status["Uid"].split()) == {str(nobody)}, f"{worker}: uid {status['Uid']}")
        check(set(status["Gid"].split()) != {"0"} and status["Groups"].strip() in ("", status["Gid"].split()[0]),
              f"{worker}: groups {status['Gid']}, {status['Groups']}")  # fmt: skip
        for kind in ("CapEff", "CapPrm"):
            check(int(status[kind], 16) in (0, capabilities), f"{worker}: {kind} {status[kind]}")
        for kind in ("CapInh", "CapAmb"):
            check(int(status[kind], 16) == 0, f"{worker}: {kind} {status[kind]}")
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            standard = int(fd) <= 2
            check(standard or target.startswith(ALLOWED_FDS) or "loopback" in target, f"{worker}: fd {fd} is {target}")
    keeper = status_of(daemon.keeper())
    check(keeper["Seccomp"] == "2" and keeper["NoNewPrivs"] == "1", "the keeper has no filter")
    check(set(keeper["Uid"].split()) == {str(nobody)}, f"the keeper's uid {keeper['Uid']}")
    check(all(int(keeper[kind], 16) == 0 for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")), "the keeper's capabilities")
    guest.frontend.alive()
    guest.destroy()


def trespassers_die(*_):
    """A worker that makes a call that is not on its list is killed by its filter, and the guest goes on."""
    for points in ("ring.copied=2!", "drive.accepted=2!", "drive.result=2!"):
        daemon = Daemon(environment={"XENOPTIC_KILL": points}).ready()
        guest = Guest(daemon)
        guest.frontend.connect()
        for _ in range(4):
            guest.frontend.alive()
        log = log_of(daemon)
        check("makes a forbidden call at " + points.split("=", 1)[0] in log, f"{points}: not reached")
        check("was not stopped" not in log, f"{points}: no filter")
        check(f"killed by signal {signal.SIGSYS.value}" in log, f"{points}: not killed for it")
        guest.destroy()
        daemon.stop()


def quotas_are_survived(daemon):
    """A guest at its quota of nodes and watches harms itself only."""
    guest = Guest(daemon)
    store = guest.frontend.store
    written = 0
    for i in range(2000):
        if store.call(Store.WRITE, f"{guest.frontend.base}/x{i}".encode(), b"1") is None:
            break
        written += 1
    check(written < 2000, "the store has no quota")
    other = Guest(daemon)
    other.frontend.connect()
    other.frontend.alive()
    for i in range(written):
        store.rm(f"{guest.frontend.base}/x{i}")
    guest.frontend.connect()
    guest.frontend.alive()
    guest.destroy()
    other.destroy()


def control_socket_is_strict(daemon):
    s = socket.socket(socket.AF_UNIX)
    s.connect(daemon.socket)
    f = s.makefile("rw")
    for line, error in (
        ("{", "GenericError"), ("[]", "GenericError"), ('{"execute": 4}', "GenericError"),
        ('{"execute": "nonsense"}', "CommandNotFound"), ('{"execute": "attach"}', "GenericError"),
        # Quoted up to the middle of a character.
        ('{"execute": "%s"}' % ("ä" * 70), "CommandNotFound"), ('{"execute": "x%s"}' % ("ä" * 70), "CommandNotFound"),
        *(('{"execute": "attach", "arguments": {"domain": 0, "options": ["%sname=%s"]}}' % (x, "ä" * 900), "InvalidOption")
          for x in ("", "x")),
        ('{"execute": "attach", "arguments": []}', "GenericError"),
        ('{"execute": "detach", "arguments": {"domain": ""}}', "GenericError"),
        ('{"execute": "detach", "arguments": {"domain": "nobody"}}', "DomainNotFound"),
        ('{"execute": "eject", "arguments": {"drive": "/etc"}}', "GenericError"),
        ('{"execute": "insert", "arguments": {"drive": "virtual:a", "disc": "a"}}', "GenericError"),
    ):  # fmt: skip
        f.write(line + "\n")
        f.flush()
        answer = json.loads(f.readline())
        check(answer.get("error", {}).get("class") == error, f"{line}: {answer}")
    f.write('{"execute": "query-commands", "id": {"any": [1]}}\n')
    f.flush()
    check(json.loads(f.readline())["id"] == {"any": [1]}, "the id comes back")
    try:
        s.sendall(b"x" * 70000)
        check(s.recv(1) == b"", "an endless line ends the connection")
    except (ConnectionResetError, BrokenPipeError):
        pass  # that is an end, too
    check(os.stat(daemon.socket).st_mode & 0o777 == 0o600, "mode of the socket")


PREVENT, ALLOW = b"\x1e\0\0\0\1\0", b"\x1e\0\0\0\0\0"
OPEN, LOAD = b"\x1b\0\0\0\2\0", b"\x1b\0\0\0\3\0"


def image(name):
    path = f"{DIR}/{name}.iso"
    with open(path, "wb") as f:
        f.truncate(64 * 2048)
    return path


def orders(daemon, *commands):
    """Sent at once, by one client; the answers in their order."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(daemon.socket)
        s.settimeout(PATIENCE)
        s.sendall("".join(json.dumps({"execute": c, "arguments": a}) + "\n" for c, a in commands).encode())
        f = s.makefile("r")
        return [json.loads(f.readline()) for _ in commands]


def all_done(answers):
    return all("return" in answer for answer in answers)


def discs_are_taken_and_given_in_order(daemon):
    guest = Guest(daemon)
    guest.frontend.connect()
    a, b = image("a"), image("b")
    put = [("insert", {"drive": guest.drive, "disc": disc}) for disc in (a, b)]
    take = ("eject", {"drive": guest.drive})
    check(all_done(answers := orders(daemon, put[0], take, put[1], take)), answers)
    guest.destroy()


def is_ready(front):
    """The disc is in, after what a new guest and a new disc have to be told."""
    for _ in range(3):
        front.command()
    check(front.command() == (0, 0), "the guest's drive is not ready")


def asked_to_open(guest, disc):
    """It has this disc behind a locked door, and the host wants it out."""
    guest.daemon.control("insert", drive=guest.drive, disc=disc)
    is_ready(guest.frontend)
    check(guest.frontend.command(PREVENT) == (0, 0), "PREVENT")
    (answer,) = orders(guest.daemon, ("eject", {"drive": guest.drive}))
    check(answer.get("error", {}).get("class") == "Busy", answer)


def takes(guest, disc):
    """The tray is empty, or is going to be: the disc on its way out is waited for."""
    answer = {}

    def look():
        nonlocal answer
        (answer,) = orders(guest.daemon, ("insert", {"drive": guest.drive, "disc": disc}))
        return "return" in answer

    Daemon.wait(look, lambda: answer)


def opens(guest):
    check(guest.frontend.command(ALLOW) == (0, 0), "ALLOW")
    check(guest.frontend.command(OPEN) == (0, 0), "START STOP UNIT")


def disc_comes_out_when_the_guest_opens(daemon):
    guest = Guest(daemon)
    guest.frontend.connect()
    asked_to_open(guest, image("a"))
    opens(guest)
    takes(guest, image("b"))
    daemon.control("eject", drive=guest.drive)
    guest.destroy()


def wish_is_for_the_guest_that_was_asked(daemon):
    """Another guest's tray is its own."""
    first = Guest(daemon)
    first.frontend.connect()
    disc = image("a")
    asked_to_open(first, disc)
    detach(first, "--force").wait()
    second = Guest(daemon, drive=first.drive)
    second.frontend.connect()
    for _ in range(4):
        second.frontend.command()
    check(second.frontend.command() == (0, 0), "the second guest has not the disc")
    opens(second)
    (answer,) = orders(daemon, ("insert", {"drive": second.drive, "disc": image("b")}))
    check("error" in answer, answer)
    check(second.frontend.command(LOAD) == (0, 0), "START STOP UNIT")
    daemon.control("eject", drive=second.drive)
    first.destroy()
    second.destroy()


def abort_does_not_hide_what_was_done():
    """The drive process dies with a command done that is to be aborted: its client hears what became of it."""
    config = "[drive virtual:slow]\ndelay = 1e=1000\n"
    daemon = Daemon(config=config, environment={"XENOPTIC_KILL": "drive.result=3"}).ready()
    guest = Guest(daemon, drive="virtual:slow")
    front = guest.frontend
    front.connect()
    for _ in range(2):  # what a new guest has to be told
        front.command()
    command = front.send(PREVENT)
    abort = front.send(abort=command)
    answers = [front.receive() for _ in range(2)]
    check(daemon.workers()[guest.disk]["starts"] == 2, "the drive's process did not die")
    check(answers[0] == (command, 0, 0) and answers[1][0] == abort, answers)
    check(front.command(OPEN)[0] == 2, "the door is not locked")
    guest.destroy()
    daemon.stop()


def long_names_are_names(daemon):
    """Of 128 bytes at most (xenstore-schemas)."""
    for length in (63, 64, 128):
        guest = Guest(daemon, name="g" * length)
        guest.frontend.connect()
        guest.frontend.alive()
        guest.destroy()


def every_permission_counts():
    """xenoptic.conf(5): "allow" may be repeated."""
    config = "[drive virtual:loose]\nallow = vendor\nallow = unknown, diagnostic\n"
    daemon = Daemon(config=config).ready()
    guest = Guest(daemon, drive="virtual:loose")
    guest.frontend.connect()
    for cdb in (b"\xc0" + b"\0" * 9, b"\x1d\xc0\0\0\0\0"):
        guest.frontend.command(cdb)
    counters = daemon.control("query-drives")["drives"][0]["process"]["counters"]
    check(counters["refused"] == 0, counters)
    guest.destroy()
    daemon.stop()


def opened_tray_is_told_by_the_successor():
    """The drive process dies when the tray is open and the launcher has not heard of it."""
    died = 0
    for point in ("drive.result", "drive.done"):
        for number in (6, 7):  # ALLOW, START STOP UNIT
            daemon = Daemon(environment={"XENOPTIC_KILL": f"{point}={number}"}).ready()
            guest = Guest(daemon)
            guest.frontend.connect()
            asked_to_open(guest, image("a"))
            opens(guest)
            takes(guest, image("b"))
            died += daemon.workers()[guest.disk]["starts"] - 1
            guest.destroy()
            daemon.stop()
    check(died == 4, f"died {died} times")


def described(disc):
    """It has the track that RESERVE TRACK makes."""
    with open(f"{disc}.json", encoding="utf-8") as f:
        return len(json.load(f).get("tracks", [])) == 1


def discs_are_described_whoever_dies():
    """The launcher dies as it writes what has become of a disc: with the text beside the old one, and in its place."""
    died = []
    for point in ("saving", "saved"):
        for number in range(1, 12):
            daemon = Daemon(config="[xenopticd]\nrestart-limit = 1000\n").ready()
            guest = Guest(daemon)
            front = guest.frontend
            front.connect()
            disc = f"{DIR}/blank-{point}-{number}"
            check(daemon.cli("disc", "new", disc, "--type", "cd-r").returncode == 0, "disc new")
            daemon.control("insert", drive=guest.drive, disc=disc)
            is_ready(front)

            def all_is_written():
                """It serves, and the drive has told it all: that comes before the guest's answer, and the next "list" behind it."""
                return described(disc) and daemon.serves() and front.command() and daemon.serves()

            check(not described(disc), "a blank disc has a track")
            daemon.kill()
            daemon.start({"XENOPTIC_KILL": f"launcher.{point}={number}"})
            check(front.command(RESERVE_TRACK) == (0, 0), "RESERVE TRACK")
            Daemon.wait(lambda: daemon.process.poll() is not None or all_is_written())
            daemon.process.kill()  # unless it has died
            status = daemon.process.wait(PATIENCE)
            check(status < 0, f"launcher.{point}={number}: it ended with status {status}")
            over = status == -signal.SIGKILL
            if not over:
                died.append(point)
            daemon.start()
            daemon.ready()
            Daemon.wait(lambda: described(disc), lambda: f"launcher.{point}={number}: the disc's description is the old one")
            guest.destroy()
            daemon.idle()
            daemon.stop()
            if over:
                break
    check(len(set(died)) == 2, f"died at {died}")


def counted(kills, limit=5):
    """A daemon, and a guest whose drive does not poll, so that each command of its burner has a known number."""
    drive = f"virtual:counted{Daemon.count}"
    config = f"[xenopticd]\nrestart-limit = {limit}\n[drive {drive}]\npoll-ms = 0\n"
    daemon = Daemon(config=config, environment={"XENOPTIC_KILL": kills}).ready()
    return daemon, Guest(daemon, drive=drive)


def insert_outlives_who_dies_of_it():
    """The drive process dies as it takes a disc, alone or with the launcher: its successor has it."""
    for kills in ("burner.done=3", "burner.committed=3", "burner.done=3,launcher.ended=1",
                  "burner.committed=3,launcher.ended=1"):  # fmt: skip
        daemon, guest = counted(kills)
        guest.frontend.connect()
        put = daemon.cli("control", "insert", json.dumps({"drive": guest.drive, "disc": image("a")}))
        if "launcher" in kills:
            check(daemon.process.wait(PATIENCE) < 0, f"{kills}: was not reached")
            daemon.start()
            daemon.ready()
        else:
            check(put.returncode == 0, f"{kills}: {put.stderr}")
            check(daemon.workers()[guest.disk]["starts"] == 2, f"{kills}: was not reached")
        is_ready(guest.frontend)
        for command in (
            ("eject", {"drive": guest.drive}), ("insert", {"drive": guest.drive, "disc": image("b")}),
            ("eject", {"drive": guest.drive}),
        ):  # fmt: skip
            check(all_done(answer := orders(daemon, command)), kills, command, answer)
        guest.destroy()
        daemon.stop()


def insert_that_fails_leaves_nothing():
    """The door is locked, or the drive is given up: the tray is empty, also by the record."""
    daemon, guest = counted("burner.done=8,burner.done=9", limit=1)
    guest.frontend.connect()
    for _ in range(3):
        guest.frontend.command()
    guest.frontend.command(PREVENT)
    put = [("insert", {"drive": guest.drive, "disc": image(disc)}) for disc in "ab"]
    (answer,) = orders(daemon, put[0])
    check(answer.get("error", {}).get("class") == "Busy", answer)
    guest.frontend.command(ALLOW)
    (answer,) = orders(daemon, put[0])
    check("more than 1 times" in answer.get("error", {}).get("desc", ""), answer)
    guest.destroy()
    daemon.idle()
    again = Guest(daemon, drive=guest.drive)
    again.frontend.connect()
    check(all_done(answer := orders(daemon, put[1], ("eject", {"drive": guest.drive}))), answer)
    again.destroy()
    daemon.stop()


def hand_over_is_resumed():
    """The drive process dies as it undoes what its last guest left, and so does its successor, and the launcher."""
    for kills, limit, deaths in (
        ("burner.done=6,burner.done=7", 2, 2), ("burner.committed=6,drive.undone=1", 2, 2),
        ("burner.done=6,launcher.ended=1", 2, 1), ("burner.done=6,burner.done=7", 1, 2),
    ):  # fmt: skip
        daemon, guest = counted(kills, limit)
        guest.frontend.connect()
        for cdb in (TUR, TUR, PREVENT):  # the third to the fifth of the burner's commands
            guest.frontend.command(cdb)
        detach(guest, "--force").wait()
        if "launcher" in kills:
            check(daemon.process.wait(PATIENCE) < 0, f"{kills}: was not reached")
            daemon.start()
            daemon.ready()
        daemon.idle()
        log = log_of(daemon)
        check(log.count(": dies at burner.") + log.count(": dies at drive.") == deaths, f"{kills}: was not resumed")
        check("starting its successor" in log, f"{kills}: nobody was told")
        check(("was not undone" in log) == (limit < deaths), f"{kills}: how it ended was not told")
        again = Guest(daemon, drive=guest.drive)
        again.frontend.connect()
        again.frontend.alive()
        again.destroy()
        guest.destroy()
        daemon.stop()


def busy_tray_does_not_keep_the_launcher_writing():
    """A guest opens and closes the tray without a pause: that is not saved each time, and the last of it is not lost."""
    for end in ("launcher", "launcher and drive", "eject", "guest"):
        daemon = Daemon().ready()
        guest = Guest(daemon)
        front = guest.frontend
        front.connect()
        disc = f"{DIR}/busy-{end.replace(' ', '-')}"
        check(daemon.cli("disc", "new", disc, "--type", "cd-r").returncode == 0, "disc new")
        daemon.control("insert", drive=guest.drive, disc=disc)
        is_ready(front)
        daemon.kill()
        daemon.start({"XENOPTIC_KILL": "launcher.saved=80"})
        daemon.ready()
        for _ in range(300):
            front.command(OPEN)
            front.command(LOAD)
        check(daemon.cli("control", "list").returncode == 0, "the launcher has written something 80 times")
        is_ready(front)
        front.command(OPEN)
        front.command(LOAD)
        is_ready(front)
        check(front.command(RESERVE_TRACK) == (0, 0), "RESERVE TRACK")
        if end == "eject":
            daemon.control("eject", drive=guest.drive)
            check(described(disc), "the disc is out and its description is the old one")
        elif end == "guest":
            guest.destroy()
            daemon.idle()
            check(described(disc), "the drive is closed and the disc's description is the old one")
        else:
            daemon.kill(*([daemon.pid(*guest.disk)] if "drive" in end else []))
            daemon.start()
            daemon.ready()
            Daemon.wait(lambda: described(disc), lambda: "the disc's description is the old one")
        if end != "guest":
            guest.destroy()
        daemon.stop()


# Cases that share a daemon, then those that bring their own.
SHARED = [
    connects_serves_and_detaches,
    permissions_are_libxls,
    frontend_comes_back,
    rubbish_closes_the_device_with_a_message,
    states_that_are_none,
    floods_of_states_cost_no_other_guest,
    a_guest_that_connects_without_end_is_slowed_down,
    units_come_and_go,
    wrong_units_are_refused_alone,
    busy_drive_is_refused_and_taken_later,
    guests_die_at_every_step,
    nodes_vanish_at_every_step,
    detach_without_a_driver,
    workers_are_replaced,
    workers_are_shut_in,
    commands_are_watched,
    keeper_is_strict,
    quotas_are_survived,
    control_socket_is_strict,
    discs_are_taken_and_given_in_order,
    disc_comes_out_when_the_guest_opens,
    wish_is_for_the_guest_that_was_asked,
    long_names_are_names,
]
OWN = [
    several_event_channels,
    trespassers_die,
    restarts_are_bounded,
    workers_survive_the_launcher,
    workers_die_with_the_launcher,
    keeper_is_replaced,
    abort_does_not_hide_what_was_done,
    every_permission_counts,
    opened_tray_is_told_by_the_successor,
    discs_are_described_whoever_dies,
    insert_outlives_who_dies_of_it,
    insert_that_fails_leaves_nothing,
    hand_over_is_resumed,
    busy_tray_does_not_keep_the_launcher_writing,
    launcher_dies_at_every_point_of_a_connection,
]


def start():
    return Daemon(config="[xenopticd]\nrestart-limit = 1000\n").ready()


main(start, SHARED, OWN)
