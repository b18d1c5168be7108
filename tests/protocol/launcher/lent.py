# SPDX-License-Identifier: GPL-2.0-or-later
"""What the launcher promises of a drive that it has lent to a ring, one case each; see lent.test."""
import ctypes
import mmap
import os
import subprocess

from rig import BUILD, DIR, PATIENCE
from rig import Daemon, Frontend, Store, check, create, kill_and_wait, lbctl, main, shut_in

DOM0 = Store(f"{DIR}/socket")
LIBEXEC = f"{DIR}/libexec"
READ = bytes([0x28] + 9 * [0])  # READ(10) of nothing
PREVENT = bytes([0x1E] + 5 * [0])  # PREVENT ALLOW MEDIUM REMOVAL: it is allowed


class Memory(ctypes.Structure):
    """The beginning of struct fake_device, tests/protocol/drive/fake_sgio.h."""

    SIZE = 16 << 20  # more than there is of it
    _fields_ = [
        ("max_transfer", ctypes.c_uint32), ("gone", ctypes.c_uint32), ("commands", ctypes.c_uint64),
        ("writes", ctypes.c_uint64), ("locked", ctypes.c_uint32), ("event", ctypes.c_uint32),
        ("delay_ms", ctypes.c_uint32 * 256), ("running", ctypes.c_uint32), ("outlives", ctypes.c_uint32),
    ]  # fmt: skip


class Drive:
    """A drive of this host, by its name in /dev."""

    def __init__(self):
        fd = os.memfd_create("drive")
        os.ftruncate(fd, Memory.SIZE)
        self.memory = Memory.from_buffer(mmap.mmap(fd, Memory.SIZE))
        self.memory.max_transfer = 64 << 10
        self.memory.outlives = 1
        self.fd = fd
        self.name = f"/dev/shm/{os.path.basename(DIR)}-{fd}"
        os.symlink(f"/proc/{os.getpid()}/fd/{fd}", self.name)

    def remove(self):
        os.unlink(self.name)
        os.close(self.fd)


class Lent:
    """A guest with a drive, and all that serves it."""

    def __init__(self, direct="yes", environment=None):
        self.drive = Drive()
        self.daemon = Daemon(
            config=f"[drive {self.drive.name}]\npoll-ms = 0\ndirect = {direct}\n", environment=environment,
            program="tests/protocol/launcher/fake-device", libexec=LIBEXEC,
        ).ready()  # fmt: skip
        self.domid = create(f"guest{self.daemon.number}")
        self.front = Frontend(self.domid, self.daemon.attach(self.domid, f"drive={self.drive.name}"))
        self.front.connected = lambda: shut_in(socket=self.daemon.socket)
        self.front.connect()
        self.daemon.until(lambda: self.lent() == (direct == "yes"))
        for _ in range(2):  # what a new guest has to be told
            self.front.command()

    def lent(self):
        (guest,) = self.daemon.control("list")["guests"]
        return guest["units"][0]["lent"]

    def end(self):
        self.front.close()
        lbctl("destroy-domain", self.domid)
        DOM0.wait(f"/local/domain/0/backend/optical/{self.domid}", None)
        self.daemon.idle()
        self.daemon.stop()
        self.drive.remove()


class Reading(Lent):
    """With a READ in the drive that outlasts the test."""

    def __init__(self, direct="yes", environment=None):
        super().__init__(direct, environment)
        self.drive.memory.delay_ms[READ[0]] = 3600000
        self.front.send(READ)
        self.daemon.until(lambda: self.drive.memory.running)


def calls(pid):
    """The numbers of the system calls that a process's threads wait in (x86-64's)."""
    words = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/syscall", encoding="ascii") as f:
            words.append(f.read().split()[0])
    return sorted(words)


def ring_waits_for_its_guest_alone():
    """A guest that uses its drive costs a call that waits for the event and has it; nothing else goes unheard for it."""
    read, epoll_wait, futex = "0", "232", "202"
    lent = Lent()
    front, daemon = lent.front, lent.daemon
    (ring,) = (worker["pid"] for key, worker in daemon.workers().items() if key[0] == "ring")

    def use_it():
        for _ in range(40):
            front.command()
        daemon.until(lambda: calls(ring) == sorted((read, epoll_wait)))

    use_it()
    # The launcher's connection, and another launcher's.
    daemon.process.terminate()
    check(daemon.process.wait(PATIENCE) == 0, "SIGTERM")
    daemon.start()
    daemon.ready()
    check(lent.lent(), "the loan is forgotten")
    use_it()
    # The guest's events are heard beside a command that lasts: one that waits for its end is aborted before.
    lent.drive.memory.delay_ms[READ[0]] = 2000
    reads = front.send(READ)
    daemon.until(lambda: lent.drive.memory.running)
    waits = front.send(PREVENT)
    aborts = front.send(abort=waits)
    check([front.receive()[0] for _ in range(3)] == [waits, aborts, reads], "the order of the answers")
    use_it()
    # Commands that the drive's process has a part in are waited for with everything else.
    front.command(PREVENT)
    daemon.until(lambda: calls(ring) == sorted((futex, epoll_wait)))
    use_it()
    subprocess.run([f"{BUILD}/xenoptic", "--socket", daemon.socket, "detach", "--force", str(lent.domid)], check=True, timeout=PATIENCE)
    lent.end()


def launcher_dies_when_the_ring_lets_go():
    """xl destroy waits for the backend to close, and not for the command, whatever the launcher had written down."""
    # States are written when the backend waits, when it is connected, and when it is closed.
    for point in ("let-go=1", "switch=3", "switched=3"):
        reading = Reading(environment={"XENOPTIC_KILL": f"launcher.{point}"})
        front, daemon = reading.front, reading.daemon
        DOM0.write(front.backend + "/online", 0)
        DOM0.write(front.backend + "/state", 5)
        DOM0.rm(front.base)
        check(daemon.process.wait(PATIENCE) < 0, f"{point} was not reached")
        check(reading.drive.memory.running, "the command has ended")
        daemon.start()
        front.backend_state(6)
        reading.end()


def launcher_is_started_again():
    """It ends in order while it has lent the drive, and so does the next."""
    reading = Reading()
    for _ in range(2):
        reading.daemon.process.terminate()
        check(reading.daemon.process.wait(PATIENCE) == 0, "SIGTERM")
        reading.daemon.start()
        reading.daemon.ready()
        check(reading.lent(), "the loan is forgotten")
    reading.end()


def detach_does_not_wait_for_a_command():
    """A READ is no burn: a guest whose driver closes beside one loses its device at once, whoever gave it to the drive."""
    for direct in ("yes", "no"):
        reading = Reading(direct)
        front, daemon = reading.front, reading.daemon
        waiting = subprocess.Popen(
            [f"{BUILD}/xenoptic", "--socket", daemon.socket, "detach", str(reading.domid)], stderr=subprocess.PIPE, text=True
        )
        front.backend_state(5)
        front.state(6)
        check(waiting.wait(PATIENCE) == 0, waiting.stderr.read())
        listed = daemon.control("list")
        check(listed["guests"] == [], listed)
        if direct == "no":  # the ring's process ends here when it is killed, and the READ with it
            check(listed["drives"][0]["process"]["lease"]["state"] == "draining", listed)
            reading.drive.memory.delay_ms[READ[0]] = 0
            kill_and_wait(daemon.workers()[("drive", reading.drive.name)]["pid"])
        reading.end()


OWN = [ring_waits_for_its_guest_alone, launcher_dies_when_the_ring_lets_go, launcher_is_started_again, detach_does_not_wait_for_a_command]


def programs():
    """The workers, two of them with an ioctl() of their own; the host has no view of such a drive."""
    os.mkdir(LIBEXEC)
    for name in ("keeper", "domctl"):
        os.symlink(f"{BUILD}/xenoptic-{name}", f"{LIBEXEC}/xenoptic-{name}")
    for name in ("ring", "drive"):
        os.symlink(f"{BUILD}/tests/protocol/{name}/fake-sgio", f"{LIBEXEC}/xenoptic-{name}")
    os.symlink("/bin/true", f"{LIBEXEC}/xenoptic-refresh")


programs()
main(None, [], OWN)
