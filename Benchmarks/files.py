"""Finding and reading 864 small files (5.4 MB) through a share, cold and warm."""

import os
import random
import subprocess
import time

from guests import GuestFailed, initramfs

PHASES = ["find-cold", "find-warm", "read-cold", "read-warm"]
TRANSPORT = ["virtio", "virtio_ring", "virtio_mmio"]
VIRTIOFS = ["fuse", "virtiofs"]
PLAN9 = ["netfs", "fscache", "9pnet", "9pnet_virtio", "9p"]

SCRIPT = """
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t {kind} -o {options} root /mnt || echo no share
for pass in cold warm; do
  echo @find-$pass; /bin/busybox find /mnt/small -type f -perm -400 >/dev/null; echo @end
done
echo 3 > /proc/sys/vm/drop_caches
for pass in cold warm; do
  echo @read-$pass; /bin/busybox find /mnt/small -type f -exec /bin/busybox cat {{}} + >/dev/null; echo @end
done
/bin/busybox sleep 60
"""


def make_tree(directory):
    """24 directories of 36 files, 6,250 bytes each on average."""
    source = random.Random(1)
    for number in range(864):
        place = f"{directory}/small/{number // 36:02d}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number:03d}", "wb") as file:
            file.write(source.randbytes(source.randrange(500, 12_000)))


def times(guest):
    result = {}
    with guest:
        for phase in PHASES:
            began = guest.wait_for(f"@{phase}")
            result[phase] = guest.wait_for("@end") - began
    return result


def virtiofsd(tree, socket):
    """QEMU's own virtiofsd, with the cache mode that it recommends."""
    server = subprocess.Popen(
        ["/usr/lib/qemu/virtiofsd", f"--socket-path={socket}", "-o", f"source={tree}", "-o", "cache=auto",
         "-o", "sandbox=chroot"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not os.path.exists(socket):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise GuestFailed("virtiofsd does not start")
        time.sleep(0.05)
    return server


def measure(kernels, scratch, row):
    kernel = kernels["generic"]
    tree = f"{scratch}/tree"
    make_tree(tree)
    virtiofs_init = initramfs(
        f"{scratch}/virtiofs", SCRIPT.format(kind="virtiofs", options="ro"), kernel.modules(TRANSPORT + VIRTIOFS))
    plan9_init = initramfs(
        f"{scratch}/9p", SCRIPT.format(kind="9p", options="trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro"),
        kernel.modules(TRANSPORT + PLAN9))

    ours = times(kernel.novmm(virtiofs_init, "--read", tree))
    socket = f"{scratch}/virtiofsd"
    server = virtiofsd(tree, socket)
    try:
        peer = times(kernel.qemu(
            "microvm,memory-backend=ram", virtiofs_init, "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
            "-chardev", f"socket,id=fs,path={socket}", "-device", "vhost-user-fs-device,chardev=fs,tag=root"))
    finally:
        server.kill()
        server.wait()
    plan9 = times(kernel.qemu(
        "microvm", plan9_init, "-fsdev", f"local,id=fs,path={tree},security_model=none,readonly=on",
        "-device", "virtio-9p-device,fsdev=fs,mount_tag=root"))
    for phase in PHASES:
        row(f"files-{phase}-virtiofsd", "s", ours[phase], peer[phase], "QEMU + virtiofsd, cache=auto")
        row(f"files-{phase}-9p", "s", ours[phase], plan9[phase], "QEMU 9p, cache=loose")
