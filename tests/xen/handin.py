# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test gets in Dom0: the built project, the scripts and the guests' initrd, as a tar on a disk."""

import fcntl
import gzip
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading

import testbed

HERE = testbed.HERE
TOP = HERE.parent.parent
TOOLS = {"guest": [], "sgkill": [], "sgload": ["-fno-pie", "-no-pie"], "rogue": ["-lxengnttab", "-lxenevtchn", "-lxenstore"]}
PRELOADS = ("sgrecord",)
print_lock = threading.Lock()


def say(*words):
    with print_lock:
        print(*words, flush=True)


def output_of(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


def configure_arguments():
    """What dh_auto_configure gives in debian/rules, as far as it matters to where things are installed."""
    multiarch = output_of("dpkg-architecture", "-qDEB_HOST_MULTIARCH")
    return [
        "--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var", "--runstatedir=/run",
        "--libdir=/usr/lib/%s" % multiarch, "--with-systemdsystemunitdir=/lib/systemd/system",
    ]  # fmt: skip


def stage(build_folder, work):
    """The project as Debian packages, in a folder: what changed is built, and packed if that changes the packages."""
    for tool, package in (("dh", "debhelper"), ("dh_dkms", "dh-dkms")):
        if not shutil.which(tool):
            raise testbed.Failed("%s is missing: install the package %s" % (tool, package))
    build_folder.mkdir(parents=True, exist_ok=True)
    installed = work / "stage"
    with open(build_folder / "xen-stage.log", "a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)  # another run may build there
        log.truncate(0)

        def step(*command, cwd=build_folder, **environment):
            environment = dict(os.environ, **environment)
            if subprocess.run(command, cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT).returncode:
                sys.stderr.write("".join((build_folder / "xen-stage.log").read_text().splitlines(True)[-30:]))
                raise testbed.Failed("building the project failed: %s" % " ".join(map(str, command)))

        if not (TOP / "configure").exists():
            step(TOP / "bootstrap", cwd=TOP)
        status, arguments = build_folder / "config.status", configure_arguments()
        if not status.exists() or shlex.split(output_of(status, "--config"))[: len(arguments)] != arguments:
            step(TOP / "configure", *arguments)
        step("make", "-s", "-j%d" % min(2, os.cpu_count()))
        step("make", "-s", "install", "DESTDIR=%s" % installed)
        packages = build_folder / ("packages-" + sum_of(TOP / "debian", installed))
        if not packages.exists():
            pack(build_folder, work, step)
            for old in build_folder.glob("packages-*"):
                shutil.rmtree(old)
            packages.mkdir()
            for package in work.glob("*.deb"):
                shutil.move(package, packages)
    return packages


def built(program, build_folder, into):
    """A program of the build that is not installed (`# program:` at the head of a test), made and copied there."""
    made = subprocess.run(["make", "-s", program], cwd=build_folder, capture_output=True, text=True)
    if made.returncode:
        raise testbed.Failed("%s does not build:\n%s%s" % (program, made.stdout, made.stderr))
    shutil.copy(build_folder / program, into)


def pack(build_folder, work, step):
    """By debian/rules, in a copy of debian/ with the stamp of a build: the source stays clean, nothing is built twice."""
    tree = work / "package"
    shutil.copytree(TOP / "debian", tree / "debian", ignore=packed_before)
    (tree / "debian" / "debhelper-build-stamp").touch()
    step(
        "debian/rules", "binary", "BUILD=%s" % build_folder, cwd=tree,
        DEB_BUILD_OPTIONS="quick nocheck nostrip noautodbgsym", DEB_RULES_REQUIRES_ROOT="no",
        DPKG_DEB_COMPRESSOR_TYPE="gzip", DPKG_DEB_COMPRESSOR_LEVEL="1",
    )  # fmt: skip


def sum_of(*folders):
    """Of the names and contents of all files in them, but for what a dpkg-buildpackage in the tree has left."""
    total = hashlib.sha256()
    for folder in folders:
        for at, folders_in, names in os.walk(folder):
            folders_in[:] = sorted(set(folders_in) - set(packed_before(at, folders_in)))
            for path in (pathlib.Path(at, name) for name in sorted(names)):
                what = (path.relative_to(folder), hashlib.sha256(path.read_bytes()).hexdigest())
                total.update(b"%s %s\n" % tuple(str(part).encode() for part in what))
    return total.hexdigest()[:16]


def packed_before(folder, names):
    """What a dpkg-buildpackage in the tree has left in debian/."""
    if pathlib.Path(folder) != TOP / "debian":
        return []
    return [name for name in names if name != "source" and os.path.isdir(os.path.join(folder, name))]


def other_kernel():
    """The folder of the kernel that guests run in place of Debian's (tests/xen/kasan); None: they run Debian's."""
    folder = os.environ.get("XENOPTIC_XEN_KERNEL")
    return pathlib.Path(folder) if folder else None


def patience():
    """How many times as long as with Debian's kernel a test may take."""
    return 5 if other_kernel() else 1


def kernel_module(into, work):
    """xen-cdfront for the guests' kernel, if this machine has its headers (linux-headers-amd64)."""
    headers = sorted(path for path in pathlib.Path("/usr/src").glob("linux-headers-*-amd64"))
    if other_kernel():
        headers = [other_kernel() / "source"]
    if not headers:
        return
    folder = work / "cdfront"
    folder.mkdir(exist_ok=True)
    with open(work / "cdfront.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may build there
        for source in (TOP / "frontend" / "linux").iterdir():
            if source.name == "Kbuild" or source.suffix in (".c", ".h"):
                shutil.copy(source, folder)
        made = subprocess.run(
            ["make", "-s", "-C", headers[-1], "M=%s" % folder, "modules"], capture_output=True, text=True
        )
        if made.returncode or "warning:" in made.stderr:
            raise testbed.Failed("xen-cdfront does not build:\n" + made.stdout + made.stderr)
        shutil.copy(folder / "xen-cdfront.ko", into)


# GRUB for El Torito and, by its other sector, for a disk, with what the tests' menus use; nothing is loaded from the disc.
GRUB_MODULES = "iso9660 linux normal configfile echo search serial terminal ls cat test halt sleep".split()


def grub(folder, efi):
    """GRUB's boot images for the tests' ISOs, if GRUB is installed; without them tests are skipped."""
    config = folder / "grub.cfg"
    config.write_text("search --set=root --file /boot/grub/grub.cfg\nset prefix=($root)/boot/grub\n")

    def image(target, modules, path, *more):
        command = ["grub-mkimage", "-O", target, "-d", modules, "-p", "/boot/grub", "-c", config, "-o", path]
        subprocess.run([*command, *GRUB_MODULES, *more], check=True)

    modules = pathlib.Path("/usr/lib/grub")
    if shutil.which("grub-mkimage") and (modules / "i386-pc").is_dir():
        image("i386-pc-eltorito", modules / "i386-pc", folder / "eltorito.img", "biosdisk")
        shutil.copy(modules / "i386-pc" / "boot_hybrid.img", folder)
        search = config.read_text()
        # Loaded by the BIOS as well, but with GRUB's own drivers of the controllers. They may fail: it says so at once.
        config.write_text("serial\nterminal_output serial\n" + search)
        image("i386-pc-eltorito", modules / "i386-pc", folder / "eltorito-native.img", "ahci", "pata")
        config.write_text(search)
    # For UEFI, which El Torito gives a FAT file system with the program in it.
    if efi and shutil.which("grub-mkimage") and shutil.which("mformat") and (modules / "x86_64-efi").is_dir():
        program, fat = folder / "BOOTX64.EFI", folder / "efi.img"
        image("x86_64-efi", modules / "x86_64-efi", program)
        for tool, *arguments in (("mformat", "-C", "-f", "1440", "::"), ("mmd", "::EFI", "::EFI/BOOT"),
                                 ("mcopy", program, "::EFI/BOOT")):  # fmt: skip
            subprocess.run([tool, "-i", fat, *arguments], check=True)
        program.unlink()
    config.unlink()


def collect(root, staged, initrd, scripts=()):
    """The folder that Dom0 gets: start, lib.sh, the tests and what they need; for a script from elsewhere also what
    lies beside it."""
    root.mkdir()
    for name in ("start", "lib.sh"):
        shutil.copy(HERE / name, root)
    shutil.copytree(HERE / "tests", root / "tests")
    shutil.copytree(TOP / "tests" / "burn", root / "burn")
    shutil.copy(TOP / "tests" / "shut-in", root)
    lines = ["XO_FULL=%s" % shlex.quote(os.environ["XO_FULL"])] if os.environ.get("XO_FULL") else []
    if other_kernel():
        # Its shadow memory, and what it notes of each object and lock, take the guest's memory and time too.
        lines += ["XO_KERNEL=$XO_ROOT/vmlinuz", "XO_INITRD=$XO_ROOT/initrd", "XO_CHECKING_KERNEL=1", "XO_MEMORY_MORE=512"]
        lines += ["XO_PATIENCE=%d" % patience()]
        shutil.copy(other_kernel() / "vmlinuz", root)
    if lines:
        (root / "environment").write_text("".join("export %s\n" % line for line in lines))
    (root / "bin").mkdir()
    for script in scripts:
        if script.parent != HERE / "tests":
            shutil.copy(script, root / "tests")
            for helper in script.parent.glob("*.py"):
                shutil.copy(helper, root / "bin")
    for tool, libraries in TOOLS.items():
        compile = ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o", root / "bin" / tool]
        subprocess.run(compile + [HERE / "tools" / (tool + ".c")] + libraries, check=True)
    for name in PRELOADS:
        flags = ["-shared", "-fPIC", "-s", "-std=gnu17", "-D_GNU_SOURCE", "-O2"]
        subprocess.run(["cc", *flags, "-o", root / "bin" / (name + ".so"), HERE / "tools" / (name + ".c")], check=True)
    shutil.copy(HERE / "tools" / "block-plain", root / "bin")
    ovmf = os.environ.get("XENOPTIC_OVMF")
    grub(root / "bin", efi=ovmf)
    if ovmf:
        shutil.copy(ovmf, root / "bin" / "ovmf.fd")
    if staged:
        shutil.copytree(staged, root / "packages")
        kernel_module(root / "bin", staged.parent)
    if initrd:
        shutil.copy(initrd, root / "initrd")
        if other_kernel():
            # One gzip member: libxenguest unpacks it itself, and expects the size that stands at the end.
            parts = [gzip.decompress(path.read_bytes()) for path in (initrd, other_kernel() / "initrd.more")]
            (root / "initrd").write_bytes(gzip.compress(b"".join(parts), 1))


def test_disk(root, path):
    with tarfile.open(path, "w") as tar:
        for entry in sorted(root.iterdir()):
            tar.add(entry, entry.name)
    if path.stat().st_size > testbed.TEST_DISK:
        raise testbed.Failed("the test's disk is too small for what is handed in")
