"""Files through a share, cold and warm: ours beside QEMU with virtiofsd (cache=auto and always) and with 9p.

The same guest does the same things to the same tree in all of them: with busybox, and, in a root made of that tree, with
fio, git and gcc. Ours is a read layer with a write map over it; the peers write to a copy of the tree.
"""

import os
import random
import shutil
import subprocess
import sys
import time

from guests import GuestFailed, initramfs

TRANSPORT = ["virtio_ring", "virtio", "virtio_mmio"]
VIRTIOFS = ["fuse", "virtiofs"]
PLAN9 = ["netfs", "fscache", "9pnet", "9pnet_virtio", "9p"]

# virtiofsd knows no legacy devices, which microvm has unless told.
MODERN = ["-global", "virtio-mmio.force-legacy=false"]

DROP = "sync; echo 3 >/proc/sys/vm/drop_caches; "
FIO = "/usr/bin/fio --name=f --filename=/large --ioengine=psync --size=16m --minimal --allow_file_create=1"
# What is timed, in this order. Paths are those in the tree.
PHASES = {
    "find-cold": "find /small -type f -perm -400",
    "find-warm": "find /small -type f -perm -400",
    "read-cold": DROP + "find /small -type f -exec cat {} +",
    "read-warm": "find /small -type f -exec cat {} +",
    "create": "mkdir /made; i=0; while [ $i -lt 1000 ]; do echo data >/made/$i; i=$((i+1)); done",
    "remove": "rm -r /made",
    "untar": "mkdir /untar; tar xf /small.tar -C /untar",
    "untar-rm": "rm -r /untar",
    "write-large": "dd if=/dev/zero of=/large bs=64k count=1024 conv=fsync",
    "read-large-cold": DROP + "dd if=/large of=/dev/null bs=64k",
    "read-large-warm": "dd if=/large of=/dev/null bs=64k",
    "random-write": f"{FIO} --rw=randwrite --bs=4k --end_fsync=1",
    "random-read": DROP + f"{FIO} --rw=randread --bs=4k --randrepeat=1",
    "git-clone": DROP + "git clone --quiet /repository /clone",
    "git-status": "git -C /clone status --short",
    "cc": "i=0; while [ $i -lt 6 ]; do gcc -O1 -o /o$i.o -c /c/$i.c || exit; i=$((i+1)); done; ld -r -o /all.o /o?.o",
}

SCRIPT = """
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t {kind} -o {options} root /mnt || /bin/busybox reboot -f
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


def make_tree(root):
    """24 directories of 36 files, 6,250 bytes each on average; the same as an archive and as a repository; programs."""
    source = random.Random(1)
    for number in range(864):
        place = f"{root}/small/{number // 36:02d}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number:03d}", "wb") as file:
            file.write(source.randbytes(source.randrange(500, 12_000)))
    subprocess.run(["tar", "cf", f"{root}/small.tar", "-C", root, "small"], check=True)
    for name in ("dev", "proc", "tmp", "bin", "c", "root", "usr/include"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", f"{root}/repository"]
    shutil.copytree(f"{root}/small", f"{root}/repository")
    subprocess.run(["git", "init", "--quiet", f"{root}/repository"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=all"], check=True)
    for number in range(6):
        with open(f"{root}/c/{number}.c", "w") as file:
            file.writelines(f"int f{number}_{i}(int x) {{ return x * {i} + {number}; }}\n" for i in range(300))
    shutil.copy("/bin/busybox", f"{root}/bin/busybox")
    for program in ["/usr/bin/fio", "/usr/bin/git", "/usr/bin/gcc", "/usr/bin/as", "/usr/bin/ld"]:
        add_program(root, program)
    add_program(root, subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True).stdout.strip())
    os.makedirs(f"{root}/usr/lib/git-core", exist_ok=True)
    os.symlink("/usr/bin/git", f"{root}/usr/lib/git-core/git-upload-pack")
    with open(f"{root}/phases", "w") as script:
        script.write("/bin/busybox --install -s /bin\nexport PATH=/usr/bin:/bin HOME=/root\n")
        script.write("git config --global --add safe.directory '*'\n")
        for name, command in PHASES.items():
            script.write(f"echo @{name}\n({command}) >/dev/null 2>/tmp/errors || echo \"! {name}: $(tail -n 1 /tmp/errors)\"\n")
            script.write("echo @end\n")


def times(guest):
    """Seconds by phase."""
    return finished_times(guest, {})


def finished_times(guest, result):
    """The same, into `result`, which keeps what was there before a failure."""
    with guest:
        for phase in PHASES:
            began = guest.wait_for(f"@{phase}")
            result[phase] = guest.wait_for("@end", timeout=300) - began
    return result


def peer_times(guest, title):
    """The same of a peer, without the phases that it does not get to: its failure is not ours."""
    result = {}
    try:
        finished_times(guest, result)
    except GuestFailed as error:
        print(f"bench: {title} failed, {len(result)} of {len(PHASES)} phases are compared: {error}", file=sys.stderr)
    return result


def virtiofsd(tree, socket, cache):
    """QEMU's own virtiofsd, with the cache mode that it recommends, and the one that caches most."""
    server = subprocess.Popen(
        ["/usr/lib/qemu/virtiofsd", f"--socket-path={socket}", "-o", f"source={tree}", "-o", f"cache={cache}",
         "-o", "sandbox=chroot"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not os.path.exists(socket):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise GuestFailed("virtiofsd does not start")
        time.sleep(0.05)
    return server


def with_virtiofsd(kernel, init, tree, socket, cache):
    server = virtiofsd(tree, socket, cache)
    try:
        return peer_times(kernel.qemu(
            "microvm,memory-backend=ram", init, *MODERN, "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
            "-chardev", f"socket,id=fs,path={socket}", "-device", "vhost-user-fs-device,chardev=fs,tag=root"),
            f"QEMU + virtiofsd, cache={cache}")
    finally:
        server.kill()
        server.wait()


def measure(kernels, scratch, row):
    kernel = kernels["generic"]
    tree = f"{scratch}/tree"
    make_tree(tree)
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
    ours = times(kernel.novmm(virtiofs_init, "--read", tree, "--write", f"{scratch}/writes"))
    shutil.rmtree(f"{scratch}/writes")
    peers = {
        "virtiofsd": (
            with_virtiofsd(kernel, virtiofs_init, copy(), f"{scratch}/auto", "auto"), "QEMU + virtiofsd, cache=auto"),
        "always": (
            with_virtiofsd(kernel, virtiofs_init, copy(), f"{scratch}/always", "always"),
            "QEMU + virtiofsd, cache=always"),
        "9p": (
            peer_times(kernel.qemu(
                "microvm", plan9_init, *MODERN, "-fsdev", f"local,id=fs,path={copy()},security_model=none", "-device",
                "virtio-9p-device,fsdev=fs,mount_tag=root"), "QEMU 9p"), "QEMU 9p, cache=loose"),
    }
    for phase in PHASES:
        for name, (peer, title) in peers.items():
            if phase not in peer:
                row(f"files-{phase}-{name}", "s", ours[phase], peer_name=f"{title}: did not get there")
                continue
            bound = None if name == "9p" else 0.6 if phase in ("find-cold", "read-cold") else 1
            row(f"files-{phase}-{name}", "s", ours[phase], peer[phase], title, bound=bound)
