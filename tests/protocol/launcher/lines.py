# SPDX-License-Identifier: GPL-2.0-or-later
"""What xl's two lines promise, with a scripted libxl; see lines.test."""
import json
import os
import random
import signal
import time

from rig import BUILD, DIR, PATIENCE, Daemon, Frontend, Store, check, kill_and_wait, lbctl, main, shut_in

DOM0 = Store(f"{DIR}/socket")


def paused(domid):
    """How often it is paused."""
    for line in lbctl("list").splitlines():
        if line.split()[0] == str(domid):
            return int(line.split("paused=")[1].split()[0])
    return None


def until(condition, *what):
    end = time.monotonic() + PATIENCE
    while not (result := condition()):
        check(time.monotonic() < end, "waited too long", *what)
        time.sleep(0.005)
    return result


class Domain:
    """What libxl makes: introduced and paused, later its JSON, then running."""

    def __init__(self, name, *options, kind="pv", uuid=None, more=()):
        self.name = name
        self.json = {"c_info": {"type": kind, "name": name}, "b_info": {"extra": [a for o in options for a in ("-optical", o)]}}
        arguments = ["--type", kind, "--unfinished"] + (["--uuid", uuid] if uuid else []) + list(more)
        self.domid = int(lbctl("create-domain", *arguments, name))
        self.uuid = DOM0.read(f"/local/domain/{self.domid}/vm").removeprefix("/vm/")
        self.path = f"{DIR}/libxl/userdata-d.{self.domid}.{self.uuid}.libxl-json"

    def held(self):
        until(lambda: paused(self.domid) == 2, self.name, "is not held")
        return self

    def write(self, content=None):
        """As libxl does at the very end of a domain's making."""
        content = json.dumps(self.json) + "\0" if content is None else content
        with open(self.path + ".new", "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        os.rename(self.path + ".new", self.path)
        return self

    def unpause(self):
        """As xl, at once."""
        lbctl("unpause", self.domid)
        return self

    def finish(self, content=None):
        return self.write(content).unpause()

    def runs(self):
        """It may run; whatever it then finds in the store is looked at."""
        until(lambda: paused(self.domid) == 0, self.name, "stays paused")
        return self

    def backend(self, number=0):
        return f"/local/domain/0/backend/optical/{self.domid}/{number}"

    def devices(self):
        return sorted(int(n) for n in DOM0.list(f"/local/domain/0/backend/optical/{self.domid}"))

    def error(self, number=0):
        return DOM0.read(self.backend(number) + "/error")

    def drive(self, number=0):
        return DOM0.read(self.backend(number) + "/vscsi-devs/dev-0/p-dev")

    def destroy(self):
        lbctl("destroy-domain", self.domid)
        for number in self.devices():
            DOM0.wait(self.backend(number), None)
        check(not os.path.lexists(self.path), "lbctl leaves the JSON")


def helper():
    """xenoptic-domctl's process; a zombie has no exe."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                if f"{DIR}/libxl" in f.read() and os.readlink(f"/proc/{pid}/exe") == f"{BUILD}/xenoptic-domctl":
                    return int(pid)
        except OSError:
            pass
    return None


def the_helper():
    return until(helper, "no xenoptic-domctl")


def log(daemon):
    with open(f"{DIR}/{daemon.name}.log", encoding="utf-8", errors="replace") as f:
        return f.read()


def nodes_are_there_before_the_guest_runs(daemon):
    for kind in ("pv", "pvh", "hvm"):
        guest = Domain(f"lines-{kind}", f"drive=virtual:{kind},bus=vscsi,mode=ro", kind=kind).held()
        check(guest.devices() == [], "nodes too early")
        guest.finish().runs()
        check(guest.devices() == [0] and guest.drive() == f"virtual:{kind}", "no nodes", guest.devices())
        front = Frontend(guest.domid)
        front.connect()
        front.alive()
        check(DOM0.read(guest.backend() + "/vscsi-devs/dev-0/mode") == "ro", "mode")
        check(DOM0.permissions(front.base) == [f"n{guest.domid}", "r0"], "permissions")
        check(DOM0.permissions(f"/libxl/{guest.domid}/optical-lines") == ["n0"], "the guest's business")
        front.close()
        guest.destroy()
        daemon.idle()


def every_line_and_every_bus(daemon):
    guest = Domain("many", "drive=virtual:a,bus=vscsi,bus=vcd", "drive=virtual:b", "drive=virtual:c,name=burner").held()
    guest.json["b_info"]["extra"] += ["-snapshot", "--optical", "drive=virtual:d"]
    guest.json["b_info"]["extra_pv"] = ["-optical", "drive=virtual:e"]
    guest.json["b_info"]["extra_hvm"] = ["-optical", "drive=virtual:f"]
    guest.finish().runs()
    drives = [guest.drive(n) for n in guest.devices()]
    check(drives == [f"virtual:{d}" for d in "aabcde"], drives)
    check([DOM0.read(guest.backend(n) + "/type") for n in (0, 1, 2)] == ["vscsi", "vcd", "vscsi"], "type")
    check(DOM0.read(guest.backend(3) + "/name") == "burner", "name")
    guest.destroy()
    daemon.idle()


def an_hvm_guest_has_its_controllers_from_the_wrapper(daemon):
    guest = Domain("hvm", "drive=virtual:a", "drive=virtual:b,bus=ide,bus=vcd", kind="hvm").held()
    guest.finish().runs()
    check(guest.devices() == [0] and guest.drive() == "virtual:b", guest.devices())
    check(DOM0.read(guest.backend() + "/type") == "vcd", "type")
    guest.destroy()
    daemon.idle()


WRONG = (
    ("drive=virtual:a,bus=scsi", "bus=ahci, ide, vscsi or vcd"),
    ("drive=virtual:a,bus=ahci", "only HVM guests"),
    ("drive=virtual:a,backend=nobody", "domain nobody: there is none"),
    ("drive=virtual:a,colour=\u2026" + "\u00fc" * 100, "not known"),
    ("drive=virtual:a,colour=\u2026" + "\u00fc" * 300, "\u2026\u00fc\u00fc"),  # cut off, at a whole character
    ("drive=virtual:" + "a" * 2000, "the most are 1023"),
    ("drive=\x1b[31m", "virtual:NAME"),
)  # fmt: skip


def what_is_wrong_is_said_everywhere(daemon):
    guest = Domain("wrong", *(o for o, _ in WRONG), "drive=virtual:right").held()
    guest.json["b_info"]["extra"].append("-optical")  # without options, and one too many
    guest.finish().runs()
    check(guest.devices() == list(range(len(WRONG) + 2)), guest.devices())
    said, listed = log(daemon), daemon.listed()
    for number, (option, reason) in enumerate(WRONG + (("", "right"), ("", "more than 8 times"))):
        if reason == "right":
            check(guest.drive(number) == "virtual:right", "the right one")
            continue
        error = guest.error(number)
        check(error and reason in error, option, error)
        check(not any(c < " " for c in error), error)
        check(error in said, f"not in the journal: {error}")
        check(error in listed, f"not in the list: {error}", listed)
        check(DOM0.read(guest.backend(number) + "/state") == "6", "state")
    check(DOM0.list(f"/local/domain/{guest.domid}/device/vscsi") == [str(len(WRONG))], "what the guest sees")
    # It goes like any other.
    check(daemon.cli("detach", str(guest.domid), "0").returncode == 0, "detach")
    check(0 not in guest.devices(), guest.devices())
    guest.destroy()
    daemon.until(lambda: "wrong" not in daemon.listed())
    daemon.idle()


def absent_and_busy_drives_keep_no_guest(daemon):
    first = Domain("first", "drive=virtual:one").held().finish().runs()
    front = Frontend(first.domid)
    front.connect()
    second = Domain("second", "drive=virtual:one", "drive=/dev/xenoptic-none").held().finish().runs()
    fronts = [Frontend(second.domid, n) for n in (0, 1)]
    for f, reason in zip(fronts, ("first", "No such file")):
        check(reason in DOM0.wait(f.backend + "/vscsi-devs/dev-0/error", lambda v: v), f.errors())
        f.backend_state(2)
        f.tell_ring()
        f.state(3)
        f.backend_state(4)
        check(f.unit_state(0, 6), "unit")
        f.state(4)
    front.close()
    first.destroy()
    late = fronts[0]  # the drive is free: the unit comes
    late.backend_state(7)
    late.state(7)
    late.backend_state(8)
    late.unit_state(0, 3)
    late.unit(4)
    late.state(4)
    late.unit_state(0, 4)
    late.alive()
    for f in fronts:
        f.close()
    second.destroy()
    daemon.idle()


def the_same_guest_elsewhere_inherits(daemon):
    """xl migrate to this host: the old one is still there, suspended."""
    old = Domain("mover", "drive=virtual:moved").held().finish().runs()
    front = Frontend(old.domid)
    front.connect()
    front.alive()
    new = Domain("mover--incoming", "drive=virtual:moved", uuid=old.uuid).held().write()
    until(lambda: paused(new.domid) == 1, "our pause ends before the sender's word")
    check(DOM0.read(new.backend() + "/name") == "mover", "name")
    other = Frontend(new.domid)
    new.unpause().runs()
    other.connect()
    other.alive()
    check(other.errors() == {}, other.errors())
    front.close()
    old.destroy()
    other.alive()
    other.close()
    new.destroy()
    daemon.idle()


def a_stub_domain_is_not_held(daemon):
    other = Domain("guest").held()
    stub = Domain("guest-dm")
    check(paused(stub.domid) == 1, "held")
    stub.destroy()
    other.finish().runs().destroy()


def the_longest_configuration_and_beyond(daemon):
    for number, (content, reason) in enumerate(broken_json()):
        guest = Domain(f"broken{number}").held().finish(content).runs()
        if reason is None:
            check(guest.devices() == [], content[:100], guest.error())
        else:
            check(reason in (guest.error() or ""), content[:100], guest.error())
            check(guest.error() in daemon.listed(), guest.error())
        guest.destroy()
    for number, make in enumerate((os.mkfifo, os.mkdir, lambda p: os.symlink("/etc/passwd", p))):
        guest = Domain(f"odd{number}").held()
        make(guest.path)  # no rename: the folder is looked at as it changes
        guest.unpause().runs()
        until(guest.error, "not reported")
        check("its drives are not found" in guest.error(), guest.error())
        (os.rmdir if make is os.mkdir else os.unlink)(guest.path)
        guest.destroy()
    daemon.idle()


def broken_json():
    good = json.dumps({"b_info": {"extra": ["-optical", "drive=virtual:a"]}})
    yield "", "line"
    yield good[:-3], "line"
    yield good + " x", "line"
    yield good + "\0\0", "line"
    yield "\0", "line"
    yield b'{"b_info": {"extra": ["\xff\xfe"]}}', "line"
    yield '{"b_info": {"extra": ["-optical", "drive=virtual:a\\u0000"]}}', "line"
    yield "[" * 100000, "line"
    yield "[]", "no object b_info"
    yield '{"b_info": []}', "no object b_info"
    yield '{"b_info": {"extra": "-optical"}}', None
    yield '{"b_info": {"extra": {"-optical": 1}}}', None
    yield '{"b_info": {"extra": [null, 1, [], {}, "optical", "-optica", "-opticall"]}}', None
    yield '{"b_info": {"extra": ["-optical", 7]}}', "missing"
    yield '{"b_info": {}, "pad": "' + "x" * (1 << 20) + '"}', "File too large"
    seed = random.Random(1)
    for _ in range(20):  # a byte turned over; whatever it says, the next guest is served
        content = bytearray(good.encode())
        content[seed.randrange(len(content))] ^= 1 << seed.randrange(8)
        try:
            # Python's is another reader than the daemon's: only where they agree is something promised.
            json.loads(content.decode())
        except ValueError:
            yield bytes(content), "line"


def odd_store_nodes(daemon):
    """Another toolstack, or none, or one that writes rubbish."""
    for node, value in (
        ("vm", "/vm/../../../../etc/passwd"), ("vm", "x" * 3000), ("vm", ""), ("name", "\x01\x02"), ("name", "n" * 3000),
    ):  # fmt: skip
        guest = Domain("odd", "drive=virtual:a").held()
        DOM0.write(f"/local/domain/{guest.domid}/{node}", value)
        guest.finish().runs if node == "name" else guest.finish()
        if node == "name":
            guest.runs()
            check(guest.drive() == "virtual:a", guest.devices())
        DOM0.write(f"/local/domain/{guest.domid}/vm", f"/vm/{guest.uuid}")
        guest.destroy()
    guest = Domain("counted", "drive=virtual:a").held()
    DOM0.write(f"/libxl/{guest.domid}/optical-lines", "many")
    guest.finish().runs()
    check(guest.devices() == [] and "optical-lines" in log(daemon), guest.devices())
    guest.destroy()
    DOM0.write("/local/domain/99999/name", "beyond")
    DOM0.write("/local/domain/notanumber/name", "beyond")
    after = Domain("after", "drive=virtual:a").held().finish().runs()
    check(after.drive() == "virtual:a", "the next one")
    for name in ("99999", "notanumber"):
        DOM0.rm(f"/local/domain/{name}")
    after.destroy()
    daemon.idle()


def a_late_launcher_loses_no_guest(daemon):
    """Restored, its JSON written and unpaused by xl, all while the launcher does not run."""
    daemon.process.send_signal(signal.SIGSTOP)
    guest = Domain("late", "drive=virtual:late").held().finish()
    time.sleep(0.2)
    check(paused(guest.domid) == 1 and guest.devices() == [], "it runs without its nodes")
    daemon.process.send_signal(signal.SIGCONT)
    guest.runs()
    check(guest.drive() == "virtual:late", "nodes")
    guest.destroy()
    daemon.idle()


# Cases with daemons of their own.


def pauses_are_bounded():
    daemon = Daemon(config="[xenopticd]\nhold-seconds = 1\n").ready()
    the_helper()
    daemon.process.send_signal(signal.SIGSTOP)
    guest = Domain("bounded", "drive=virtual:bounded").held().finish().runs()
    check(guest.devices() == [], "who made them?")
    daemon.process.send_signal(signal.SIGCONT)
    DOM0.wait(guest.backend() + "/state", {"1", "2"})
    check("has not said in 1 s" in log(daemon), "nothing is said")
    guest.destroy()
    daemon.stop()


def pauses_survive_launcher_and_helper():
    for victims in (("daemon",), ("helper",), ("daemon", "helper")):
        daemon = Daemon().ready()
        the_helper()
        guest = Domain("-".join(victims), "drive=virtual:survivor").held()
        if "daemon" in victims:
            daemon.kill()
        if "helper" in victims:
            kill_and_wait(the_helper())
        check(paused(guest.domid) == 2, "a death unpaused it")
        if "daemon" in victims:
            daemon.start()
            daemon.ready()
        the_helper()
        guest.finish().runs()
        check(guest.drive() == "virtual:survivor", victims)
        guest.destroy()
        daemon.stop()


def what_was_left_is_released_at_start():
    daemon = Daemon().ready()
    the_helper()
    guest = Domain("left", "drive=virtual:left").held()
    daemon.kill()
    kill_and_wait(the_helper())
    guest.finish()
    check(paused(guest.domid) == 1, "left behind")
    daemon.start()
    daemon.ready()
    guest.runs()
    check(guest.drive() == "virtual:left", "nodes")
    guest.destroy()
    daemon.stop()


def the_helper_is_shut_in(daemon):
    """It has the whole of Xen's control interface, and nothing else."""
    guest = Domain("shut-in", "drive=virtual:shut-in").held()
    shut_in("--worker", "domctl", the_helper())
    guest.finish().runs().destroy()
    daemon.idle()


def the_helper_dies_as_a_trespasser():
    """Made to call what is not on its list, it is killed by its filter, and the guest is let go by its successor."""
    daemon = Daemon(environment={"XENOPTIC_KILL": "domctl.paused=1!"}).ready()
    guest = Domain("trespassed", "drive=virtual:trespassed").held().finish().runs()
    check(guest.drive() == "virtual:trespassed", guest.devices())
    daemon.until(lambda: f"xenoptic-domctl: killed by signal {signal.SIGSYS.value}" in log(daemon))
    check("was not stopped" not in log(daemon), "no filter")
    guest.destroy()
    daemon.stop()


def the_helper_dies_at_every_point():
    """A guest is never let go twice, and ends up running with its drive."""
    for point in ("pausing", "paused", "released"):
        daemon = Daemon(config="[xenopticd]\nrestart-limit = 3\n", environment={"XENOPTIC_KILL": f"domctl.{point}=1"}).ready()
        guest = Domain(f"point-{point}", f"drive=virtual:{point}")
        if point == "pausing":  # again and again, until the daemon gives up
            daemon.until(lambda: "guests that are restored may lose" in log(daemon))
            check(paused(guest.domid) == 1, paused(guest.domid))
        else:
            guest.held()
        guest.finish().runs()
        check(guest.drive() == f"virtual:{point}", guest.devices())
        daemon.until(lambda: "xenoptic-domctl: killed" in log(daemon))
        time.sleep(0.2)
        check(paused(guest.domid) == 0, "paused again, or too often let go")
        guest.destroy()
        daemon.stop()


def each_line_is_done_once():
    """Whenever the launcher dies; and a device that was taken away stays away."""
    for point, count in [(p, n) for p in ("line", "line-done") for n in (1, 2, 3)]:
        daemon = Daemon(environment={"XENOPTIC_KILL": f"launcher.{point}={count}"}).ready()
        guest = Domain(f"{point}{count}", "drive=virtual:x", "drive=virtual:y,colour=red", "drive=virtual:z").held().finish()
        daemon.process.wait(PATIENCE)
        daemon.start()
        daemon.ready()
        guest.runs()
        until(lambda: len(guest.devices()) == 3, guest.devices())
        check([guest.drive(n) for n in guest.devices()] == ["virtual:x", None, "virtual:z"], guest.devices())
        check(daemon.cli("detach", str(guest.domid), "2").returncode == 0, "detach")
        daemon.kill()
        daemon.start()
        daemon.ready()
        daemon.until(lambda: guest.name in daemon.listed())
        check(guest.devices() == [0, 1], guest.devices())
        guest.destroy()
        daemon.stop()


def domains_from_before_the_daemon():
    guest = Domain("before", "drive=virtual:before").finish()
    daemon = Daemon().ready()
    DOM0.wait(guest.backend() + "/state", {"1", "2"})
    check(guest.drive() == "virtual:before" and paused(guest.domid) == 0, "nodes")
    guest.destroy()
    daemon.stop()


def a_daemon_without_drives_lists_what_others_serve():
    """backend=DOMAIN: Dom0's daemon has the toolstack role only, and still says what was wrong."""
    daemon = Daemon("--no-backend").ready()
    storage = Domain("storage").finish()
    guest = Domain("client", "drive=virtual:far,backend=storage", "drive=virtual:far,mode=x").finish().runs()
    path = f"/local/domain/{storage.domid}/backend/optical/{guest.domid}/0"
    check(DOM0.read(path + "/vscsi-devs/dev-0/p-dev") == "virtual:far", "nodes")
    check(DOM0.permissions(path) == [f"n{storage.domid}", f"r{guest.domid}"], "permissions")
    listed = sorted(daemon.control("list")["guests"], key=lambda g: g["devid"])
    check([(g["backend"], g["state"]) for g in listed] == [(storage.domid, "initialising"), (0, "closed")], listed)
    check("expected mode=rw or ro" in listed[1]["error"] and "virtual:far" in daemon.listed(), listed)
    guest.destroy()
    storage.destroy()
    daemon.stop()


def without_the_helper_guests_start_all_the_same():
    libexec = f"{DIR}/libexec"
    os.mkdir(libexec)
    for program in ("xenoptic-drive", "xenoptic-keeper", "xenoptic-ring"):
        os.symlink(f"{BUILD}/{program}", f"{libexec}/{program}")
    daemon = Daemon("--libexec-dir", libexec).ready()
    guest = Domain("unheld", "drive=virtual:unheld").finish()
    DOM0.wait(guest.backend() + "/state", {"1", "2"})
    check("xenoptic-domctl: cannot be started" in log(daemon), "nothing is said")
    guest.destroy()
    daemon.stop()


SHARED = [
    nodes_are_there_before_the_guest_runs,
    every_line_and_every_bus,
    an_hvm_guest_has_its_controllers_from_the_wrapper,
    what_is_wrong_is_said_everywhere,
    absent_and_busy_drives_keep_no_guest,
    the_same_guest_elsewhere_inherits,
    a_stub_domain_is_not_held,
    the_longest_configuration_and_beyond,
    odd_store_nodes,
    a_late_launcher_loses_no_guest,
    the_helper_is_shut_in,
]
OWN = [
    pauses_are_bounded,
    pauses_survive_launcher_and_helper,
    what_was_left_is_released_at_start,
    the_helper_dies_as_a_trespasser,
    the_helper_dies_at_every_point,
    each_line_is_done_once,
    domains_from_before_the_daemon,
    a_daemon_without_drives_lists_what_others_serve,
    without_the_helper_guests_start_all_the_same,
]


def start():
    daemon = Daemon(config="[xenopticd]\nopen-timeout = 1\n").ready()
    the_helper()
    return daemon


main(start, SHARED, OWN)
