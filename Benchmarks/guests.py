"""Guests for measurements: the same kernel, memory, command line and init under novm and under its peers.

Every guest has one CPU and prints to ttyS0, the kernel only what is serious. Times are taken when a line of the guest
arrives here, so that what prints it costs the same for all. Peers get the bzImage of the kernel's package, and KVM with
all that it offers (`-cpu host`); ours gets what `novm kernel import` made of it.
"""

import os
import selectors
import subprocess
import tempfile
import time

MEMORY = 256  # MiB
# As `novm` has it: without the kernel's tests of its ciphers, which would take most of everybody's time.
COMMAND_LINE = "console=ttyS0 quiet panic=-1 cryptomgr.notests"


class GuestFailed(Exception):
    """The guest ended or went silent before it said what was waited for."""


def initramfs(path, script, modules=(), files=None):
    """Writes a newc archive whose /init is `script` for busybox's shell, with `modules` loaded in their order.

    What is below the directory `files` is in it too.
    """
    with tempfile.TemporaryDirectory() as root:
        if files:
            subprocess.run(["cp", "-a", f"{files}/.", root], check=True)
        for directory in ("bin", "dev", "proc", "sys", "mnt", "modules"):
            os.makedirs(f"{root}/{directory}", exist_ok=True)
        subprocess.run(["cp", "/bin/busybox", f"{root}/bin/busybox"], check=True)
        lines = ["#!/bin/busybox sh"]
        for module in modules:
            name = os.path.basename(module)
            subprocess.run(["cp", module, f"{root}/modules/{name}"], check=True)
            lines.append(f"/bin/busybox insmod /modules/{name}")
        with open(f"{root}/init", "w") as init:
            init.write("\n".join(lines) + f"\n{script}\n/bin/busybox reboot -f\n")
        os.chmod(f"{root}/init", 0o755)
        names = subprocess.run(["find", ".", "-mindepth", "1"], cwd=root, check=True, capture_output=True).stdout
        with open(path, "wb") as archive:
            subprocess.run(
                ["cpio", "--create", "--format=newc", "--owner=0:0", "--quiet"],
                cwd=root, input=names, stdout=archive, check=True)
    return path


class Guest:
    """A running VMM whose standard output is the guest's serial port."""

    def __init__(self, command, timings=None, **options):
        self.started = time.monotonic()
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, **options)
        self.command = command
        self.timings = timings
        self._pending = b""
        self._last = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.process.stdout, selectors.EVENT_READ)

    def wait_for(self, text, timeout=90):
        """The moment (time.monotonic) at which a line that begins with `text` arrived. One with `!` is a complaint."""
        wanted = text.encode()
        deadline = time.monotonic() + timeout
        while True:
            while b"\n" in self._pending:
                line, self._pending = self._pending.split(b"\n", 1)
                self._last = line.strip()
                if self._last.startswith(wanted):
                    return self._arrived
                if self._last.startswith(b"!"):
                    raise self._failure("the guest complained")
            if not self._selector.select(max(deadline - time.monotonic(), 0)):
                raise self._failure(f"no '{text}' within {timeout} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            self._arrived = time.monotonic()
            if not data:
                raise self._failure(f"ended with status {self.process.wait()} before '{text}'")
            self._pending += data

    def _failure(self, what):
        self._errors.seek(0)
        errors = self._errors.read()[-2000:].decode(errors="replace").strip()
        return GuestFailed(
            f"{what}, after '{self._last.decode(errors='replace')}', from: {' '.join(self.command)}\n{errors}".rstrip())

    def moments(self):
        """What `novmm --timings` wrote, in seconds of time.monotonic."""
        if self.timings is None:
            return {}
        self.timings.seek(0)
        return {name: int(nanoseconds) / 1e9 for name, nanoseconds in (line.split() for line in self.timings)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._errors.close()
        self._selector.close()


class Kernel:
    """One stock kernel: as novm keeps it, and as its package has it."""

    def __init__(self, bundle, image):
        self.bundle = bundle
        self.image = image

    def modules(self, names):
        """Paths of modules by name, in this order; those that are built in are left out."""
        found = {}
        for directory, _, files in os.walk(f"{self.bundle}/modules"):
            for file in files:
                if file.endswith(".ko"):
                    found[file[:-3].replace("-", "_")] = f"{directory}/{file}"
        return [found[name] for name in names if name in found]

    def novmm(self, archive, *options, memory=MEMORY):
        """A guest of ours."""
        timings = tempfile.TemporaryFile("w+")
        command = [
            f"{os.environ['NOVM_LIBEXEC']}/novmm", "--kernel", f"{self.bundle}/vmlinux",
            "--setup", f"{self.bundle}/setup", "--initramfs", archive, "--memory", str(memory), "--com1", "-",
            "--timings", f"fd:{timings.fileno()}", "--cmdline", COMMAND_LINE, *options]
        return Guest(command, timings, pass_fds=[timings.fileno()])

    def qemu(self, machine, archive, *options, memory=MEMORY):
        """A guest of QEMU's."""
        return Guest([
            "qemu-system-x86_64", "-machine", machine, "-accel", "kvm", "-cpu", "host", "-m", str(memory), "-smp", "1",
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
            "-kernel", self.image, "-initrd", archive,
            "-append", COMMAND_LINE, *options])
