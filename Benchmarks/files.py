"""Files through a share, cold and warm: ours beside QEMU with virtiofsd (cache=auto and always) and with 9p.

The same guest does the same things to the same tree in all of them: with busybox, and, in a root made of that tree, with
fio, git and gcc. Ours is a read layer with a write map over it; the peers write to a copy of the tree.
"""

import os
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

from guests import GuestFailed, initramfs
from trees import make_root

TICKS = os.sysconf("SC_CLK_TCK")

TRANSPORT = ["virtio_ring", "virtio", "virtio_mmio"]
VIRTIOFS = ["fuse", "virtiofs"]
PLAN9 = ["netfs", "fscache", "9pnet", "9pnet_virtio", "9p"]

# QEMU's own, up to 7.2, and the one that came after it.
VIRTIOFSD = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"]

# virtiofsd knows no legacy devices, which microvm has unless told.
MODERN = ["-global", "virtio-mmio.force-legacy=false"]

DROP = "sync; echo 3 >/proc/sys/vm/drop_caches; "
FIO = "/usr/bin/fio --name=f --filename=/large --ioengine=psync --size=16m --minimal --allow_file_create=1"
MAKE = "mkdir /made; i=0; while [ $i -lt 10000 ]; do echo data >/made/$i; i=$((i+1)); done"
COMPILE = "i=0; while [ $i -lt 3 ]; do gcc -O1 -o /o$i.o -c /c/$i.c || exit; i=$((i+1)); done; ld -r -o /all.o /o?.o"
# What is timed, in sets that need nothing of each other, in this order. Paths are those in the tree.
SETS = {
    "tree": {
        "find-cold": "find /small -type f -perm -400",
        "find-warm": "find /small -type f -perm -400",
        "read-cold": DROP + "find /small -type f -exec cat {} +",
        "read-warm": "find /small -type f -exec cat {} +",
    },
    "names": {
        "create": MAKE,
        "remove": "rm -r /made",
        "untar": "mkdir /untar; tar xf /small.tar -C /untar",
        "untar-rm": "rm -r /untar",
    },
    "data": {
        "write-large": "dd if=/dev/zero of=/large bs=64k count=1024 conv=fsync",
        "read-large-cold": DROP + "dd if=/large of=/dev/null bs=64k",
        "read-large-warm": "dd if=/large of=/dev/null bs=64k",
        "random-write": f"{FIO} --rw=randwrite --bs=4k --end_fsync=1",
        "random-read": DROP + f"{FIO} --rw=randread --bs=4k --randrepeat=1",
    },
    "work": {
        "git-clone": DROP + "git clone --quiet /repository /clone",
        "git-status": "git -C /clone status --short",
        "cc": COMPILE,
    },
}

SCRIPT = """
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t {kind} -o {options} root /mnt || /bin/busybox reboot -f
# As `noguest` does: as much may wait to be written back as for a disk.
/bin/busybox mount -t sysfs sys /sys
for bdi in /sys/class/bdi/*; do echo 100 >$bdi/max_ratio; done
/bin/busybox mount -t devtmpfs dev /mnt/dev
/bin/busybox mount -t proc proc /mnt/proc
/bin/busybox chroot /mnt /bin/busybox sh /phases
/bin/busybox sleep 60
"""


def add_program(root, path):
    """Copies a program, or a library, and the libraries that it needs, to where they are here."""
    linked = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    for word in [path, *linked.split()]:
        if word.startswith("/") and os.path.exists(word):
            os.makedirs(root + os.path.dirname(word), exist_ok=True)
            shutil.copy(os.path.realpath(word), root + word)


def make_tree(root, phases):
    """The small files, what else the phases need, and the script of the phases."""
    make_root(root)
    if "untar" in phases:
        subprocess.run(["tar", "cf", f"{root}/small.tar", "-C", root, "small"], check=True)
    if "random-read" in phases:
        add_program(root, "/usr/bin/fio")
    if "git-clone" in phases:
        add_repository(root)
    if "cc" in phases:
        add_compiler(root)
    with open(f"{root}/phases", "w") as script:
        script.write("/bin/busybox --install -s /bin\nexport PATH=/usr/bin:/bin HOME=/root\n")
        for name, command in phases.items():
            script.write(f"echo @{name}\n({command}) >/dev/null 2>/tmp/errors || echo \"! {name}: $(tail -n 1 /tmp/errors)\"\n")
            # A pause, in which to see what it cost.
            script.write("echo @end\nsleep 0.2\n")


def add_repository(root):
    """git, and the small files as a repository."""
    add_program(root, "/usr/bin/git")
    os.makedirs(f"{root}/usr/lib/git-core", exist_ok=True)
    os.symlink("/usr/bin/git", f"{root}/usr/lib/git-core/git-upload-pack")
    with open(f"{root}/root/.gitconfig", "w") as settings:
        settings.write("[safe]\n\tdirectory = *\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", f"{root}/repository"]
    shutil.copytree(f"{root}/small", f"{root}/repository")
    subprocess.run(["git", "init", "--quiet", f"{root}/repository"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=all"], check=True)


def add_compiler(root):
    """gcc, and files for it."""
    for program in ["/usr/bin/gcc", "/usr/bin/as", "/usr/bin/ld"]:
        add_program(root, program)
    add_program(root, subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True).stdout.strip())
    os.makedirs(f"{root}/usr/include", exist_ok=True)
    os.makedirs(f"{root}/c")
    for number in range(3):
        with open(f"{root}/c/{number}.c", "w") as file:
            file.writelines(f"int f{number}_{i}(int x) {{ return x * {i} + {number}; }}\n" for i in range(300))


class Cost(NamedTuple):
    """Of a phase, in seconds: from its beginning to its end, and of the processors in the guest and in the VMM."""
    total: float
    guest: float
    host: float


def costs(guest, phases, servers=()):
    """What each phase cost, and that by which it ended early if it did. `servers` are processes that work for the VMM."""
    result = {}
    pids = [guest.process.pid, *servers]
    try:
        with guest:
            before = None
            for phase in phases:
                began = guest.wait_for(f"@{phase}")
                before = before or processor_times(pids)
                total = guest.wait_for("@end", timeout=300) - began
                after = processor_times(pids)
                result[phase] = Cost(total, *(now - then for now, then in zip(after, before)))
                before = after
    except GuestFailed as error:
        return result, error
    return result, None


def processor_times(pids):
    """Seconds that processes spent in guests, where Linux counts ticks, and outside."""
    guest = everything = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(") ", 1)[1].split()  # From the third on: state.
        guest += int(fields[40]) / TICKS
        everything += (int(fields[11]) + int(fields[12])) / TICKS
    return guest, max(everything - guest, 0)


def virtiofsd(tree, socket, cache):
    """virtiofsd, with the cache mode that it recommends, and the one that caches most."""
    program = next((path for path in VIRTIOFSD if os.path.exists(path)), None)
    if program is None:
        raise GuestFailed(f"no virtiofsd at {' or '.join(VIRTIOFSD)}: install the package virtiofsd, or on Debian 12 "
                          "and Ubuntu 22.04 qemu-system-common")
    server = subprocess.Popen(
        [program, f"--socket-path={socket}", "-o", f"source={tree}", "-o", f"cache={cache}",
         "-o", "sandbox=chroot"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not os.path.exists(socket):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise GuestFailed("virtiofsd does not start")
        time.sleep(0.05)
    return server


def with_virtiofsd(kernel, init, phases, tree, socket, cache):
    server = virtiofsd(tree, socket, cache)
    try:
        return costs(kernel.qemu(
            "microvm,memory-backend=ram", init, *MODERN, "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
            "-chardev", f"socket,id=fs,path={socket}", "-device", "vhost-user-fs-device,chardev=fs,tag=root"),
            phases, [server.pid])
    finally:
        server.kill()
        server.wait()


def with_9p(kernel, init, phases, tree):
    return costs(kernel.qemu(
        "microvm", init, *MODERN, "-fsdev", f"local,id=fs,path={tree},security_model=none",
        "-device", "virtio-9p-device,fsdev=fs,mount_tag=root"), phases)


def measure(kernels, scratch, row, name):
    """Measures the set called `name`. A peer that fails costs only its own rows."""
    kernel, phases = kernels["generic"], SETS[name]
    tree = f"{scratch}/tree"
    make_tree(tree, phases)
    virtiofs_init = initramfs(
        f"{scratch}/virtiofs", SCRIPT.format(kind="virtiofs", options="rw"), kernel.modules(TRANSPORT + VIRTIOFS))
    plan9_init = initramfs(
        f"{scratch}/9p", SCRIPT.format(kind="9p", options="trans=virtio,version=9p2000.L,msize=524288,cache=loose,rw"),
        kernel.modules(TRANSPORT + PLAN9))

    def copy():
        """The tree as it was, for one that will write to it."""
        shutil.rmtree(f"{scratch}/copy", ignore_errors=True)
        subprocess.run(["cp", "-a", tree, f"{scratch}/copy"], check=True)
        return f"{scratch}/copy"

    os.mkdir(f"{scratch}/writes")
    ours, error = costs(kernel.novmm(virtiofs_init, "--read", tree, "--write", f"{scratch}/writes"), phases)
    if error:
        raise error
    shutil.rmtree(f"{scratch}/writes")
    peers = {
        "virtiofsd": ("QEMU + virtiofsd, cache=auto", lambda tree: with_virtiofsd(
            kernel, virtiofs_init, phases, tree, f"{scratch}/auto", "auto")),
        "always": ("QEMU + virtiofsd, cache=always", lambda tree: with_virtiofsd(
            kernel, virtiofs_init, phases, tree, f"{scratch}/always", "always")),
        "9p": ("QEMU 9p, cache=loose", lambda tree: with_9p(kernel, plan9_init, phases, tree)),
    }
    for peer_name, (title, run) in peers.items():
        if not any(row.wants(f"files-{phase}-{peer_name}") for phase in phases):
            continue
        theirs, error = run(copy())
        if error:
            print(f"bench: {title} failed, {len(theirs)} of {len(phases)} phases are compared: {error}", file=sys.stderr)
        for phase in phases:
            if phase not in theirs:
                row(f"files-{phase}-{peer_name}", "s", ours[phase].total, peer_name=f"{title}: did not get there")
                continue
            bound = None if peer_name == "9p" else 0.6 if phase in ("find-cold", "read-cold") else 1
            row(f"files-{phase}-{peer_name}", "s", ours[phase].total, theirs[phase].total, title, bound=bound,
                costs={who: {"guest": round(cost.guest, 3), "host": round(cost.host, 3)}
                       for who, cost in (("ours", ours[phase]), ("peer", theirs[phase]))})
