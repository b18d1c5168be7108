# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine of tests/xen: Xen and Dom0 in QEMU (emulated, no KVM), booted once, then resumed from a file."""

import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TEST_DISK = 512 << 20
SCRATCH_DISK = 8 << 30
PORTS = ("control", "output", "logs")

# Each CPU flag is needed with QEMU 7.2's emulation: with SMAP a PV Dom0 dies at its first iret, with MONITOR Xen panics
# in mwait, with RDTSCP PVH and HVM Linux die. Without eager-fpu Xen leaves a vCPU's registers in the processor until
# another uses them and the emulation does not trap at each instruction that does: with more vCPUs than processors,
# programs then found another domain's values in XMM registers (a malloc that is corrupted, in Dom0 or a guest).
CPU = "EPYC,-smap,-monitor,-rdtscp"
XEN_ARGS = (
    "console=com1 com1=115200,8n1 dom0_mem=1500M,max:1500M dom0_max_vcpus=1 loglvl=all guest_loglvl=all"
    " spec-ctrl=no,eager-fpu=yes xpti=no cpuidle=0"
)
DOM0_ARGS = "console=hvc0 mitigations=off nokaslr xo.role=dom0 xo.disk=/dev/vda systemd.show_status=false quiet tsc=nowatchdog"

# How the machine runs, by the name of its saved state: its CPUs, QEMU's options, and how many seconds its second may take.
#
# "state"     each emulated CPU is a thread, and time is this machine's: the fastest.
# "icount"    time is counted: every instruction takes a nanosecond, whichever CPU executes it, and what idles is skipped.
#             So times are those of a machine that executes a thousand million instructions a second in all: they do not
#             depend on what else this machine does, and an instruction has its own weight, not that of an emulator's page
#             tables. Waiting for it takes several times as long.
# "icount-3"  the same with three CPUs, for a driver domain with hardware virtualization, which stands still where it
#             shares a processor while it is emulated.
COUNTED = ["-accel", "tcg,thread=single,tb-size=512", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]
MACHINES = {
    "state": (2, ["-accel", "tcg,thread=multi,tb-size=512"], 1),
    "icount": (2, COUNTED, 20),
    "icount-3": (3, COUNTED, 20),
}

# A boot that gets no CPU for long loses a wrap of the HPET, and every second of Xen's then lasts many.
LOST_TIME = "Platform timer appears to have unexpectedly wrapped"


class Failed(Exception):
    pass


def build(*options):
    """The folder of the images, made if need be; with --dkms the image of a guest with DKMS."""
    out = subprocess.run([HERE / "build", *options], stdout=subprocess.PIPE, text=True)
    if out.returncode:
        raise Failed("tests/xen/build failed")
    return pathlib.Path(out.stdout.strip())


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    """A machine whose test was killed has nobody who would stop it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Vm:
    """One QEMU, in a folder of its own."""

    def __init__(self, image, folder, console=False, guest="guest.img", machine="state", plugin=None):
        self.image = image
        self.plugin = plugin
        self.machine = machine
        self.folder = pathlib.Path(folder)
        self.console = console
        self.guest = guest
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="xenoptic-"))
        self.process = None
        self.ports = {}
        self.monitor = None

    def command(self, state):
        s = self.sockets
        args = ["qemu-system-x86_64", "-name", "xenoptic", "-nodefaults", "-display", "none", "-no-reboot"]
        cpus, more, _ = MACHINES[self.machine]
        args += ["-machine", "pc", *more, "-cpu", CPU, "-smp", str(cpus), "-m", "3G"]
        args += ["-kernel", "xen", "-append", XEN_ARGS]
        args += ["-initrd", "vmlinuz %s,initrd" % DOM0_ARGS.replace(",", ",,")]
        disks = (
            ("root", "dom0.img", "on"),
            ("test", self.folder / "test.img", "on"),
            ("guest", self.guest, "on"),
            ("scratch", self.folder / "scratch.img", "off"),
        )
        for name, path, readonly in disks:
            args += ["-blockdev", "driver=raw,node-name=%s,read-only=%s,file.driver=file,file.filename=%s,"
                     "file.locking=off,cache.no-flush=on" % (name, readonly, path)]
            args += ["-device", "virtio-blk-pci,drive=%s,id=disk-%s" % (name, name)]
        args += ["-device", "virtio-scsi-pci,id=scsi", "-device", "virtio-serial-pci,id=ports"]
        for port in PORTS:
            args += ["-chardev", "socket,id=%s,path=%s/%s,server=on,wait=off" % (port, s, port)]
            args += ["-device", "virtserialport,chardev=%s,name=xenoptic.%s" % (port, port)]
        # QEMU's own monitor as a port of Dom0, so that a test can plug drives and change media.
        args += ["-qmp", "unix:%s/qmp,server=on,wait=off" % s, "-qmp", "unix:%s/qmp-dom0,server=on,wait=off" % s]
        args += ["-chardev", "socket,id=qmp-dom0-port,path=%s/qmp-dom0" % s]
        args += ["-device", "virtserialport,chardev=qmp-dom0-port,name=xenoptic.qmp"]
        log = self.folder / "serial.log"
        if self.console:
            args += ["-chardev", "stdio,id=serial,mux=on,signal=off,logfile=%s" % log]
        else:
            args += ["-chardev", "file,id=serial,path=%s" % log]
        args += ["-serial", "chardev:serial"]
        if self.plugin:
            args += ["-plugin", self.plugin]
        if state:
            args += ["-incoming", "exec:cat %s" % state]
        return args

    def start(self, state=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, size in (("test.img", TEST_DISK), ("scratch.img", SCRATCH_DISK)):
            path = self.folder / name
            with open(path, "ab"):
                os.truncate(path, size)
        self.errors = open(self.folder / "qemu.log", "w+")
        self.process = subprocess.Popen(
            self.command(state),
            cwd=self.image,
            stdin=None if self.console else subprocess.DEVNULL,
            stderr=self.errors,
            preexec_fn=die_with_parent,
        )
        self.monitor = self.connect("qmp").makefile("rw")
        self.monitor.readline()
        self.qmp("qmp_capabilities")
        for port in PORTS:
            self.ports[port] = self.connect(port)
        if state:
            self.wait_status("paused")
            self.qmp("cont")

    def connect(self, name):
        for _ in range(200):
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(str(self.sockets / name))
                return s
            except OSError:
                s.close()
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.errors.seek(0)
        raise Failed("QEMU did not start: %s" % self.errors.read())

    def qmp(self, execute, **arguments):
        self.monitor.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
        self.monitor.flush()
        while True:
            line = self.monitor.readline()
            if not line:
                raise Failed("QEMU ended")
            answer = json.loads(line)
            if "error" in answer:
                raise Failed("QEMU: %s: %s" % (execute, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]

    def wait_status(self, *wanted):
        while True:
            status = self.qmp("query-status")["status"]
            if status in wanted:
                return
            if status == "inmigrate" or "paused" in wanted:
                time.sleep(0.05)

    def save(self, path):
        """Stop the machine and write it to a file."""
        self.qmp("stop")
        self.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.qmp("migrate", uri="exec:cat > %s" % path)
        while True:
            status = self.qmp("query-migrate").get("status")
            if status == "completed":
                return
            if status in ("failed", "cancelled"):
                raise Failed("the state could not be saved")
            time.sleep(0.1)

    def say(self, text):
        self.ports["control"].sendall(text.encode() + b"\n")

    def hear(self, seconds):
        """A line from Dom0, or None when it took too long or QEMU ended."""
        port, line = self.ports["control"], b""
        deadline = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            port.settimeout(left)
            try:
                c = port.recv(1)
            except socket.timeout:
                return None
            except OSError:
                return None
            if not c:
                return None
            line += c
        return line.decode(errors="replace").strip()

    def copy_port(self, port, write):
        """Hand everything that comes out of a port to write, from another thread."""

        def copy():
            try:
                while data := self.ports[port].recv(65536):
                    write(data)
            except OSError:
                pass

        thread = threading.Thread(target=copy, daemon=True)
        thread.start()
        return thread

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.errors.close()
        for s in self.ports.values():
            s.close()
        shutil.rmtree(self.sockets, ignore_errors=True)
        for name in ("test.img", "scratch.img"):
            (self.folder / name).unlink(missing_ok=True)


def saved_state(image, say, machine="state"):
    """The state in which Xen's daemons are up, booted if it is not there yet."""
    state = image / machine
    with open(image / (machine + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
        mark = version + CPU + XEN_ARGS + DOM0_ARGS + str(MACHINES[machine])
        key, new = image / (machine + ".key"), image / (machine + ".new")
        if state.exists() and key.exists() and key.read_text() == mark:
            return state
        say("booting Xen once, for the saved state")
        begun = time.monotonic()
        boot = image / ("boot-" + machine)
        for _ in range(3):
            vm = Vm(image, boot, machine=machine)
            try:
                vm.start()
                word = vm.hear(300 * MACHINES[machine][2])
                if word != "ready":
                    raise Failed("Dom0 did not come up (%s); see %s" % (word, boot / "serial.log"))
                vm.save(new)
            finally:
                vm.stop()
            if LOST_TIME not in (boot / "serial.log").read_text(errors="replace"):
                break
            say("the machine was too busy: Xen's clock is wrong in that state; once more")
        else:
            raise Failed("Xen's clock is wrong after each boot; try again when the machine is less busy")
        new.rename(state)
        key.write_text(mark)
        say("booted and saved in %.0f s" % (time.monotonic() - begun))
    return state
