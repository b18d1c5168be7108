# SPDX-License-Identifier: GPL-2.0-or-later
"""A launcher's surroundings for tests on the loopback: the store, a scripted frontend, the daemon."""
import ctypes
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

PATIENCE = 60  # seconds until a test gives up; nothing is measured by it

BUILD = os.environ["top_builddir"]
DIR = os.environ["lb_dir"]
LIBEXEC = os.environ.get("XENOPTIC_LIBEXEC", BUILD)


class Failure(Exception):
    """What was promised did not happen."""


def check(condition, *what):
    if not condition:
        raise Failure(*what)


class Store:
    """xenstored's wire protocol (xen/io/xs_wire.h) over its socket."""

    DIRECTORY, READ, GET_PERMS, WATCH, UNWATCH = 1, 2, 3, 4, 5
    WRITE, MKDIR, RM, EVENT, ERROR = 11, 12, 13, 15, 16

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.events = []
        self.watched = set()

    def _take(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            check(part, "xenstored hung up")
            data += part
        return data

    def _message(self):
        kind, _, _, length = struct.unpack("<IIII", self._take(16))
        return kind, self._take(length)

    def call(self, kind, *parts):
        body = b"\0".join(parts)
        self.socket.sendall(struct.pack("<IIII", kind, 1, 0, len(body)) + body)
        while True:
            answer, data = self._message()
            if answer == self.EVENT:
                self.events.append(data)
            elif answer == self.ERROR:
                return None
            else:
                return data

    def read(self, path):
        data = self.call(self.READ, path.encode(), b"")
        return None if data is None else data.decode(errors="replace")

    def write(self, path, value):
        value = value if isinstance(value, bytes) else str(value).encode()
        check(self.call(self.WRITE, path.encode(), value) is not None, f"write {path}")

    def rm(self, path):
        return self.call(self.RM, path.encode(), b"") is not None

    def list(self, path):
        data = self.call(self.DIRECTORY, path.encode(), b"")
        return [] if not data else [n.decode() for n in data.rstrip(b"\0").split(b"\0")]

    def permissions(self, path):
        data = self.call(self.GET_PERMS, path.encode(), b"")
        return None if data is None else data.rstrip(b"\0").decode().split("\0")

    def wait(self, path, accept, what=None):
        """Until accept(value of path); a value that is not in a set of texts counts as not accepted."""
        if not callable(accept):
            wanted = accept if isinstance(accept, (set, tuple, list)) else {accept}
            accept = lambda value: value in {None if w is None else str(w) for w in wanted}
        if path not in self.watched:
            self.watched.add(path)
            check(self.call(self.WATCH, path.encode(), b"w", b"") is not None, f"watch {path}")
        end = time.monotonic() + PATIENCE
        while True:
            self.events.clear()
            value = self.read(path)
            if accept(value):
                return value
            left = end - time.monotonic()
            check(left > 0, what or f"{path} stays {value!r}")
            if not self.events and select.select([self.socket], [], [], left)[0]:
                self._message()


def load(name):
    return ctypes.CDLL(name, use_errno=True)


class Frontend:
    """One vscsi device of a domain, step by step, with a ring that takes commands without data."""

    ENTRY, RING, SLOTS = 252, 64, 16

    def __init__(self, domid, devid=0, kind="vscsi", backend=0):
        self.domid, self.devid = domid, devid
        self.store = Store(f"{DIR}/xenbus-{domid}")
        self.base = f"/local/domain/{domid}/device/{kind}/{devid}"
        self.backend = f"/local/domain/{backend}/backend/optical/{domid}/{devid}"
        self.backend_domid = backend
        self.page = None
        self.channels = 1  # more with the class vcd
        self.number = 0
        os.environ["XENOPTIC_LOOPBACK_DOMID"] = str(domid)
        self.events, self.grants = load("libxenevtchn.so.1"), load("libxengnttab.so.1")
        self.events.xenevtchn_open.restype = ctypes.c_void_p
        self.grants.xengntshr_open.restype = ctypes.c_void_p
        self.grants.xengntshr_share_pages.restype = ctypes.c_void_p
        self.channel = ctypes.c_void_p(self.events.xenevtchn_open(None, 0))
        self.sharer = ctypes.c_void_p(self.grants.xengntshr_open(None, 0))
        os.environ["XENOPTIC_LOOPBACK_DOMID"] = "0"
        check(self.channel and self.sharer, "frontend cannot open its handles")

    def close(self):
        self.drop_ring()
        self.events.xenevtchn_close(self.channel)
        self.grants.xengntshr_close(self.sharer)
        self.store.socket.close()

    def drop_ring(self):
        if self.page:
            self.grants.xengntshr_unshare(self.sharer, ctypes.c_void_p(self.page), ctypes.c_uint32(1))
            for port in self.ports:
                self.events.xenevtchn_unbind(self.channel, ctypes.c_uint32(port))
        self.page = None

    def make_ring(self):
        self.drop_ring()
        ref = ctypes.c_uint32()
        self.page = self.grants.xengntshr_share_pages(
            self.sharer, ctypes.c_uint32(self.backend_domid), ctypes.c_int(1), ctypes.byref(ref), ctypes.c_int(1)
        )
        check(self.page, "no page to share")
        ctypes.memset(self.page, 0, mmap.PAGESIZE)
        self._put(0, 4, 1)  # req_event
        self._put(0, 12, 1)  # rsp_event
        self.ref = ref.value
        bind = self.events.xenevtchn_bind_unbound_port
        self.ports = [bind(self.channel, ctypes.c_uint32(self.backend_domid)) for _ in range(self.channels)]
        check(min(self.ports) > 0, "no event channel")
        self.produced = self.consumed = 0

    def _put(self, base, offset, value):
        ctypes.c_uint32.from_address(self.page + base + offset).value = value & 0xFFFFFFFF

    def _get(self, offset):
        return ctypes.c_uint32.from_address(self.page + offset).value

    def state(self, value):
        self.store.write(self.base + "/state", value)

    def unit(self, value, number=0):
        self.store.write(f"{self.base}/vscsi-devs/dev-{number}/state", value)

    def tell_ring(self):
        self.make_ring()
        self.store.write(self.base + "/ring-ref", self.ref)
        self.store.write(self.base + "/event-channel", self.ports[0])
        if self.channels > 1:
            self.store.write(self.base + "/event-channels", self.channels)
        for number in range(1, self.channels):
            self.store.write(f"{self.base}/event-channel{number}", self.ports[number])
        self.store.write(self.base + "/protocol", "x86_64-abi")

    def backend_state(self, *states):
        return self.store.wait(self.backend + "/state", set(states))

    def unit_state(self, number, *states):
        return self.store.wait(f"{self.backend}/vscsi-devs/dev-{number}/state", set(states))

    def connect(self, units=(0,)):
        """As scsifront_probe and scsifront_backend_changed do it."""
        self.backend_state(2)
        self.tell_ring()
        self.state(3)
        self.backend_state(4)
        for number in units:
            check(self.unit_state(number, 3, 6) == "3", "the unit was not added", self.errors())
            self.unit(4, number)
        self.state(4)
        for number in units:
            self.unit_state(number, 4)
        self.connected()

    def connected(self):
        """Before the first command; for whoever wants to look."""

    def leave(self):
        self.state(6)
        self.backend_state(6)

    def errors(self):
        names = ["error"] + [f"vscsi-devs/{d}/error" for d in self.store.list(self.backend + "/vscsi-devs")]
        return {n: v for n in names if (v := self.store.read(f"{self.backend}/{n}"))}

    def send(self, cdb=b"\0" * 6, target=(0, 0, 0), abort=None):
        """Puts a command without data on the ring, or the abort of one that was; returns its number."""
        self.number = (self.number + 1) & 0xFFFF
        what, length = (1, len(cdb)) if abort is None else (2, 0)
        request = struct.pack("<HBB16sHHHHHBB", self.number, what, length, cdb, 0, *target, abort or 0, 3, 0)
        slot = self.page + self.RING + self.produced % self.SLOTS * self.ENTRY
        ctypes.memset(slot, 0, self.ENTRY)
        ctypes.memmove(slot, request, len(request))
        self.produced += 1
        self._put(0, 0, self.produced)
        port = self.ports[self._get(4) % self.channels]  # req_event: what is asked for
        self.events.xenevtchn_notify(self.channel, ctypes.c_uint32(port))
        return self.number

    def receive(self):
        """The next response: (number, status byte, host byte)."""
        end = time.monotonic() + PATIENCE
        fd = self.events.xenevtchn_fd(self.channel)
        while self._get(8) == self.consumed:
            self._put(0, 12, self.consumed + 1)
            if self._get(8) != self.consumed:
                break
            left = end - time.monotonic()
            check(left > 0, "no response")
            if select.select([fd], [], [], left)[0]:
                port = self.events.xenevtchn_pending(self.channel)
                self.events.xenevtchn_unmask(self.channel, ctypes.c_uint32(port))
        slot = self.page + self.RING + self.consumed % self.SLOTS * self.ENTRY
        self.consumed += 1
        number, _, _ = struct.unpack("<HBB", ctypes.string_at(slot, 4))
        (result,) = struct.unpack("<i", ctypes.string_at(slot + 100, 4))
        return number, result & 0xFF, result >> 16 & 0xFF

    def command(self, cdb=b"\0" * 6, target=(0, 0, 0)):
        """A command that the drive answers, whatever it says."""
        sent = self.send(cdb, target)
        number, status, host = self.receive()
        check(number == sent, f"response {number} for {sent}")
        return status, host

    def alive(self, target=(0, 0, 0)):
        status, host = self.command(target=target)
        check(host == 0 and status in (0, 2), f"TEST UNIT READY: status {status}, host {host}")


def shut_in(*arguments, socket=""):
    """See tests/shut-in."""
    r = subprocess.run(
        [f"{os.environ['top_srcdir']}/tests/shut-in", *map(str, arguments)], capture_output=True, text=True, check=False,
        env={**os.environ, "XENOPTIC": f"{BUILD}/xenoptic", "XENOPTIC_SOCKET": socket},
    )  # fmt: skip
    check(r.returncode == 0, r.stderr)


class Daemon:
    """xenopticd with a run directory of its own."""

    count = 0
    all = []

    def __init__(self, *options, config=None, environment=None, program="xenopticd", libexec=LIBEXEC):
        Daemon.count += 1
        Daemon.all.append(self)
        self.number = Daemon.count
        self.name = f"daemon{Daemon.count}"
        self.run = f"{DIR}/run{Daemon.count}"
        self.socket = f"{self.run}/control.sock"
        self.program = f"{BUILD}/{program}"
        self.options = ["--libexec-dir", libexec, *options]
        if config:
            path = f"{DIR}/{self.name}.conf"
            with open(path, "w", encoding="utf-8") as f:
                f.write(config)
            self.options += ["--config", path]
        self.process = None
        self.start(environment)

    def start(self, environment=None):
        with open(f"{DIR}/{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--run-dir", self.run, "--state-dir", f"{DIR}/state"]
                + ["--libxl-dir", f"{DIR}/libxl", "--user", "nobody", "--log", "7", *self.options],
                stdout=log, stderr=log, env={**os.environ, **(environment or {})},
            )  # fmt: skip

    def cli(self, *arguments):
        return subprocess.run(
            [f"{BUILD}/xenoptic", "--socket", self.socket, *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def ready(self):
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            if self.cli("control", "query-commands").returncode == 0:
                return self
            time.sleep(0.02)
        raise Failure(f"{self.name} does not serve")

    def serves(self):
        """A launcher that was just started may live and not serve yet; it asks the drives before it answers this."""
        return self.cli("control", "list").returncode == 0

    def control(self, command, **arguments):
        r = self.cli("control", command, json.dumps(arguments))
        check(r.returncode == 0, f"{command}: {r.stderr.strip()}")
        return json.loads(r.stdout)

    def listed(self):
        """What `xenoptic list` prints."""
        r = self.cli("list")
        check(r.returncode == 0, f"list: {r.stderr.strip()}")
        return r.stdout

    def attach(self, domid, *options):
        r = self.cli("attach", "--json", str(domid), *options)
        check(r.returncode == 0, f"attach: {r.stderr.strip()}")
        return json.loads(r.stdout)["devid"]

    def workers(self):
        return {(w["role"], w["name"]): w for w in self.control("query-workers")["workers"]}

    def pid(self, role, name):
        """Of a worker that runs and is ready."""

        def look():
            worker = self.workers().get((role, name))
            return worker and worker["ready"] and running(worker["pid"]) and worker["pid"]

        return self.until(look)

    def until(self, function):
        return self.wait(function, lambda: (self.control("list"), self.workers()))

    @staticmethod
    def wait(function, told=lambda: ""):
        end = time.monotonic() + PATIENCE
        while not (result := function()):
            if time.monotonic() >= end:
                raise Failure("waited too long", told())
            time.sleep(0.01)
        return result

    def keeper(self):
        """The pid of the keeper: who has its listening socket as descriptor 3."""

        def look():
            with open("/proc/net/unix", encoding="utf-8") as f:
                rows = [line.split() for line in f]
            # Flags: __SO_ACCEPTCON.
            inodes = {f"socket:[{r[6]}]" for r in rows if r[-1] == f"{self.run}/keeper.sock" and r[3] == "00010000"}
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    if os.readlink(f"/proc/{pid}/fd/3") in inodes and running(pid):
                        return int(pid)
                except OSError:
                    pass
            return None

        return self.wait(look)

    def kept(self):
        """How many descriptors the keeper holds, beside standard ones, its socket and the daemon's connection."""
        return len(os.listdir(f"/proc/{self.keeper()}/fd")) - 5

    def idle(self):
        """Nobody is served any more."""
        self.until(lambda: not self.workers())

    def kill(self, *pids):
        """The daemon, at once with other processes."""
        for pid in (self.process.pid, *pids):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, workers=True):
        if self.process.poll() is None:
            self.control("quit", workers=workers)
        Daemon.all.remove(self)
        check(self.process.wait(PATIENCE) == 0, f"{self.name} ends with status {self.process.returncode}")


def lbctl(*arguments):
    r = subprocess.run([f"{BUILD}/tests/loopback/lbctl", *map(str, arguments)], capture_output=True, text=True, check=False)
    check(r.returncode == 0, f"lbctl {arguments}: {r.stderr}")
    return r.stdout.strip()


def create(name):
    return int(lbctl("create-domain", "--type", "pv", name))


def running(pid):
    """A zombie does not: the daemon has just not heard of its death."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def kill_and_wait(pid):
    """SIGKILL, and until it is really dead."""
    fd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    check(select.select([fd], [], [], PATIENCE)[0], f"pid {pid} does not die")
    os.close(fd)


def run(case, *arguments):
    begun = time.monotonic()
    try:
        case(*arguments)
        print(f"ok {case.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
        return True
    except (Failure, OSError):
        traceback.print_exc(file=sys.stdout)
        print("FAIL", case.__name__, flush=True)
        return False


def main(start, shared, own):
    """The cases that share the daemon of start(), then those that bring their own; or those that argv names."""
    wanted = lambda cases: [c for c in cases if len(sys.argv) == 1 or c.__name__ in sys.argv]
    ok = True
    if shared := wanted(shared):
        daemon = start()
        ok = all(run(case, daemon) for case in shared)
        daemon.stop()
    ok = ok and all(run(case) for case in wanted(own))
    for d in list(Daemon.all):
        d.stop()
    sys.exit(0 if ok else 1)
