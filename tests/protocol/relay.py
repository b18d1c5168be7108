# SPDX-License-Identifier: GPL-2.0-or-later
"""libxl's side of saving and restoring an HVM guest, with a QEMU that does nothing but answer."""
import array
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

DIR = os.environ["lb_dir"]
BUILD = os.environ["top_builddir"]
UUID = "01234567-89ab-cdef-0123-456789abcdef"
ABAR = 0xF0000000
BDF = 27 << 3


def qemu():
    """What the wrapper becomes: QMP at the descriptor that -chardev names, one client after the other."""
    chardev = sys.argv[sys.argv.index("-chardev") + 1]
    fd = int(chardev.split("fd=")[1].split(",")[0])
    listener = socket.socket(fileno=fd)
    if "-incoming" in sys.argv:
        incoming = int(sys.argv[sys.argv.index("-incoming") + 1].split(":")[1])
        assert os.read(incoming, 9) == b"QEMUSTATE", "the state does not begin with QEMU's"
    fdsets = {}
    while True:
        client, _ = listener.accept()
        client.sendall(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
        data = b""
        while True:
            part, ancillary, _, _ = client.recvmsg(65536, 1024)
            if not part:
                break
            data += part
            for _, _, fds in ancillary:
                fdsets[len(fdsets) + 1] = array.array("i", fds[: len(fds) // 4 * 4])[0]
            while b"\n" in data:
                line, data = data.split(b"\n", 1)
                message = json.loads(line)
                command, result = message["execute"], {}
                if command == "add-fd":
                    result = {"fdset-id": len(fdsets), "fd": fdsets[len(fdsets)]}
                elif command == "xen-save-devices-state":
                    number = int(message["arguments"]["filename"].rsplit("/", 1)[1])
                    os.write(fdsets[number], b"QEMUSTATE")
                elif command == "bogus":
                    client.sendall(json.dumps({"error": {"class": "X", "desc": "no"}, "id": message["id"]}).encode() + b"\r\n")
                    continue
                # An event may come at any time, and answers in pieces.
                client.sendall(b'{"event": "STOP", "data": {}}\r\n{"return": ')
                client.sendall(json.dumps(result).encode() + b', "id": %d}\r\n' % message["id"])


class Libxl:
    """A domain with its device model."""

    def __init__(self, name, *extra, pass_fds=(), by_path=False):
        self.domid = int(lbctl("create-domain", "--type", "hvm", "--memory", "32", "--uuid", UUID, name))
        self.path = f"{DIR}/qmp-{self.domid}"
        listener = socket.socket(socket.AF_UNIX)
        fd = listener.fileno()
        if by_path:  # as libxl does it for a QEMU that stays root
            where = f"path={self.path}"
        else:
            listener.bind(self.path)
            listener.listen(1)
            where = f"fd={fd}"
        arguments = ["-xen-domid", str(self.domid), "-chardev", f"socket,id=libxl-cmd,{where},server=on,wait=off"]
        arguments += ["-machine", "xenfv", "-optical", "drive=virtual:a", *extra]
        self.log = f"{DIR}/device-model-{self.domid}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [f"{BUILD}/device-model", *arguments],
                env={**os.environ, "XENOPTIC_QEMU": f"{DIR}/qemu"},
                pass_fds=(fd, *pass_fds),
                stderr=log,
            )
        listener.close()
        self.id = 0
        self.client = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.client.connect(self.path)
                break
            except FileNotFoundError:
                assert self.process.poll() is None, "the wrapper ended"
                time.sleep(0.01)
        self.answers = self.client.makefile("rb")
        assert b"QMP" in self.answers.readline(), "no greeting"

    def call(self, command, *fds, **arguments):
        self.id += 1
        text = json.dumps({"execute": command, "id": self.id, "arguments": arguments}).encode() + b"\r\n"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.client.sendmsg([text[:10]], rights)
        self.client.sendall(text[10:])
        while True:
            answer = json.loads(self.answers.readline())
            if answer.get("id") == self.id:
                return answer

    def said(self, text):
        """How often the wrapper or its relay did."""
        with open(self.log, encoding="utf-8") as log:
            return log.read().count(text)

    def destroy(self):
        self.answers.close()
        self.client.close()
        self.process.send_signal(signal.SIGHUP)
        self.process.wait()
        lbctl("destroy-domain", self.domid)


def lbctl(*arguments):
    run = subprocess.run([f"{BUILD}/tests/loopback/lbctl", *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.strip()


def pci(domid, register, size, value=None):
    """Configuration space of the controller, by a virtual CPU."""
    arguments = ["io", domid, 0, "pci-read" if value is None else "pci-write", BDF << 8 | register, size]
    return lbctl(*arguments, *([] if value is None else [value]))


def exits_of_read(domid):
    """Whether the controller's registers are read from guest memory (0) or by the emulator (1)."""
    return int(lbctl("io", domid, 0, "exits", ABAR + 0x10, 4), 0)


def controllers(domid):
    run = subprocess.run([f"{BUILD}/xenoptic", "list", "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        return None
    return [g["state"] for g in json.loads(run.stdout)["guests"] if g["domid"] == domid]


def save(guest, path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    assert "return" in guest.call("stop")
    number = guest.call("add-fd", fd)["return"]["fdset-id"]
    answer = guest.call("xen-save-devices-state", filename=f"/dev/fdset/{number}", live=False)
    guest.call("remove-fd", **{"fdset-id": number})
    os.close(fd)
    return answer


class Daemon:
    """The one that the test's script started, and its successors."""

    def __init__(self, pid, *command):
        self.pid, self.command, self.process = int(pid), command, None

    def kill(self):
        end = os.pidfd_open(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        select.select([end], [], [])
        os.close(end)

    def start(self):
        with open(f"{DIR}/xenopticd.log", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        self.pid = self.process.pid


def wait(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def is_stopped(domid):
    """Whether the controllers stand still: their state can be had then."""
    command = [f"{BUILD}/xenoptic", "control", "save-controllers", f'{{"domain": {domid}}}']
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0 or "save comes after stop" in run.stderr, run.stderr
    return run.returncode == 0


def daemon_is_away(guest, daemon):
    """It is started again in the middle of a save; or it comes too late."""
    away = "cannot talk to the daemon"
    assert "return" in guest.call("stop")
    daemon.kill()
    before = guest.said(away)
    cont = threading.Thread(target=guest.call, args=("cont",))
    cont.start()
    wait(lambda: guest.said(away) > before)
    assert cont.is_alive(), "the guest goes on before its controllers"
    daemon.start()
    cont.join()
    assert exits_of_read(guest.domid) == 0 and not is_stopped(guest.domid)
    assert guest.said("were not told") == 0

    # Controllers that do not know that Xen logs pages would change some that nobody sends again.
    daemon.kill()
    assert "cannot log" in guest.call("xen-set-global-dirty-log", enable=True)["error"]["desc"]
    daemon.start()
    wait(lambda: controllers(guest.domid) == ["serving"])
    before = guest.said("were not told")

    assert "return" in guest.call("stop")
    daemon.kill()
    assert "return" in guest.call("cont"), "libxl does not wait for ever"
    assert guest.said("were not told") == before + 1
    daemon.start()
    wait(lambda: controllers(guest.domid) == ["serving"])
    wait(lambda: not is_stopped(guest.domid))
    # The guest runs already; see above.
    assert exits_of_read(guest.domid) == 1
    assert "return" in guest.call("stop")
    assert "return" in guest.call("cont")
    assert exits_of_read(guest.domid) == 0


def main(daemon):
    with open(f"{DIR}/qemu", "w", encoding="utf-8") as f:
        f.write(f'#!/bin/sh\nexec {sys.executable} {__file__} qemu "$@"\n')
    os.chmod(f"{DIR}/qemu", 0o755)

    first = Libxl("first", by_path=True)
    assert controllers(first.domid) == ["serving"], controllers(first.domid)
    assert "return" in first.call("qmp_capabilities")
    assert first.call("bogus")["error"]["desc"] == "no"
    pci(first.domid, 0x24, 4, ABAR)
    pci(first.domid, 4, 2, 6)
    before = pci(first.domid, 0x24, 4)

    # Xen refuses to log the dirty pages of a guest whose registers lie in its memory.
    assert exits_of_read(first.domid) == 0
    assert "return" in first.call("xen-set-global-dirty-log", enable=True)
    assert exits_of_read(first.domid) == 1
    assert "return" in first.call("xen-set-global-dirty-log", enable=False)
    # Not put back under the hands of a guest that runs: when it has stood still, below.
    assert exits_of_read(first.domid) == 1

    # A save that fails: the guest goes on.
    assert "return" in save(first, f"{DIR}/saved"), "save"
    assert "return" in first.call("cont")
    assert pci(first.domid, 0x24, 4) == before
    assert exits_of_read(first.domid) == 0
    daemon_is_away(first, daemon)
    # And one that does not.
    assert "return" in save(first, f"{DIR}/saved"), "save"
    state = open(f"{DIR}/saved", "rb").read()
    assert state.startswith(b"QEMUSTATE") and state[-16:-8] == b"XOPTICAL", state
    first.destroy()

    fd = os.open(f"{DIR}/saved", os.O_RDONLY)
    second = Libxl("second", "-incoming", f"fd:{fd}", pass_fds=(fd,))
    assert controllers(second.domid) == ["serving"], controllers(second.domid)
    assert pci(second.domid, 0x24, 4) == before, "the base address is not as it was saved"
    assert "return" in second.call("cont")
    assert exits_of_read(second.domid) == 0
    second.destroy()

    # A damaged state keeps the guest from starting.
    with open(f"{DIR}/saved", "r+b") as f:
        f.seek(-8, os.SEEK_END)
        f.write(b"\x09")
    fd = os.open(f"{DIR}/saved", os.O_RDONLY)
    try:
        Libxl("third", "-incoming", f"fd:{fd}", pass_fds=(fd,))
        sys.exit("a damaged state was taken")
    except OSError:
        pass
    except AssertionError as reason:
        assert "no greeting" in str(reason)


if sys.argv[1] == "qemu":
    qemu()
else:
    main(Daemon(*sys.argv[1:]))
