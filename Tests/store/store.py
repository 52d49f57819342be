"""A store of machines, packs and kernels for tests, by the commands of `novm` alone.

In the environment: NOVM, the program; TEST, an empty directory.
"""

import io
import json
import os
import shutil
import struct
import subprocess
import tarfile

NOVM = os.environ["NOVM"]
TEST = os.environ["TEST"]
ROOT = f"{TEST}/store"
FILES = 200


class Wrong(Exception):
    """Something is not as it should be."""


def environment():
    return dict(os.environ, NOVM_ROOT=ROOT, NOVM_LIBEXEC=f"{TEST}/libexec", XDG_RUNTIME_DIR=f"{TEST}/run")


def start(*words):
    return subprocess.Popen([NOVM, *words], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, start_new_session=True)


def novm(*words):
    """What the command prints; it succeeds and complains of nothing."""
    result = subprocess.run([NOVM, *words], env=environment(), stdin=subprocess.DEVNULL, capture_output=True)
    if result.returncode or result.stderr:
        raise Wrong(f"novm {' '.join(words)}: status {result.returncode}: {result.stderr.decode(errors='replace')}")
    return result.stdout


def tree(path, seed):
    os.makedirs(path)
    for number in range(FILES):
        place = f"{path}/{number % 10}/{number % 7}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number}", "wb") as file:
            # Half of them are in every tree.
            file.write(f"{number} {seed if number % 2 else ''}\n".encode() * (40 * number + 1))


def elf():
    """The least that is a kernel: one segment, entered where it begins."""
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 1 << 24, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 4096, 1 << 24, 1 << 24, 1 << 20, 1 << 20, 4096)
    return (header + segment).ljust(4096, b"\0") + os.urandom(1 << 20)


def newc(name, data):
    fields = [1, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    entry = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return entry.ljust(len(entry) + -len(entry) % 4, b"\0") + data.ljust(len(data) + -len(data) % 4, b"\0")


def kernel_archive(path):
    part = dict.fromkeys(["mmio", "fileSystem", "vsock", "console", "entropy", "panic"], "built-in")
    description = {
        "format": 1, "release": "6.1.0-test", "entries": {"linux64": "0x1000000"}, "modules": [], "size": 0,
        "support": {**part, "evidence": "modules", "acpi": True, "commandLineDevices": False},
        "origin": {"kind": "image", "name": "test"}, "imported": "2026-11-20T10:00:00Z"}
    with tarfile.open(path, "w") as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        add("bundle.json", json.dumps(description).encode())
        add("vmlinux", elf())
        add("initramfs", newc("init", b"noguest") + newc("TRAILER!!!", b""))
        for number in range(100):
            add(f"modules/kernel/drivers/{number % 9}/{number}.ko", os.urandom(5000))


def machine(name):
    """A machine that has run, with what it wrote: as `novm create` leaves one that ended."""
    identifier = os.urandom(6).hex()
    path = f"{ROOT}/machines/{identifier}"
    os.makedirs(f"{ROOT}/machines", exist_ok=True)
    tree(f"{TEST}/machine/root", name)
    with open(f"{TEST}/machine/machine.json", "w") as file:
        json.dump({"created": "2026-11-20T10:00:00Z", "machine": {}, "process": {"command": ["true"]}}, file)
    with open(f"{TEST}/machine/state.json", "w") as file:
        json.dump({"isReady": True, "exitStatus": 0, "finished": "2026-11-20T10:01:00Z"}, file)
    with open(f"{TEST}/machine/name", "w") as file:
        file.write(name)
    for empty in ("lock", "keep"):
        open(f"{TEST}/machine/{empty}", "w").close()
    os.rename(f"{TEST}/machine", path)


def setup():
    """Programs that stand in for the monitor and the agent, and what packs and kernels are made of."""
    os.makedirs(f"{TEST}/libexec")
    os.makedirs(f"{TEST}/run", mode=0o700)
    for program in ("novmm", "noguest"):
        with open(f"{TEST}/libexec/{program}", "w") as file:
            # A monitor lives until nobody is left at the other end of its lifeline.
            file.write('#!/bin/sh\nwhile [ "$1" != --lifeline ]; do shift; done\neval "exec cat <&${2#fd:}"\n')
        os.chmod(f"{TEST}/libexec/{program}", 0o755)
    tree(f"{TEST}/source", "source")
    tree(f"{TEST}/other", "other")
    with tarfile.open(f"{TEST}/other.tar", "w") as tar:
        tar.add(f"{TEST}/other", ".")
    kernel_archive(f"{TEST}/kernel.tar")


def below(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def check():
    """All that is in the store is whole, and there is nothing else in it. Whatever was killed, commands have run since."""
    machines = {machine["id"]: machine for machine in json.loads(novm("ls", "--all", "--json"))}
    packs = [pack["name"] for pack in json.loads(novm("pack", "ls", "--json"))]
    kernels = [kernel["name"] for kernel in json.loads(novm("kernel", "ls", "--json"))]
    lines = novm("pack", "verify").decode().splitlines()
    if lines != [f"{name}: as made" for name in sorted(packs)]:
        raise Wrong(f"packs {packs}, of which is said: {lines}")
    for name in kernels:
        novm("kernel", "export", name, "-")
    for place, expected in [
        (f"{ROOT}/machines", [".lock", *machines]), (f"{ROOT}/kernels", [".lock", *kernels]),
        (f"{ROOT}/packs/new", []), (f"{ROOT}/packs/gone", []),
        # Root's are in one place with those of other stores.
        (f"{TEST}/run/novm", machines)]:
        stray = set(below(place)) - set(expected)
        if stray:
            raise Wrong(f"{place}: {stray} is nobody's")
    digests = {pack["digest"].removeprefix("sha256:") for pack in json.loads(novm("pack", "ls", "--json"))}
    if set(below(f"{ROOT}/packs/packs")) != digests:
        raise Wrong(f"packs {digests}, of which there are the files of {below(f'{ROOT}/packs/packs')}")
    for directory, _, names in os.walk(f"{ROOT}/packs/objects"):
        for name in names:
            if os.stat(f"{directory}/{name}").st_nlink < 2:
                raise Wrong(f"{directory}/{name}: no pack has it")
    return machines, packs, kernels


def clear():
    for machine in json.loads(novm("ls", "--all", "--json")):
        novm("rm", "--force", machine["id"])
    for pack in json.loads(novm("pack", "ls", "--json")):
        novm("pack", "rm", pack["name"])
    for kernel in json.loads(novm("kernel", "ls", "--json")):
        novm("kernel", "rm", kernel["name"])
    check()
    shutil.rmtree(f"{TEST}/out", ignore_errors=True)
