"""Disks: fio in the guest on our virtio-blk beside QEMU's with aio=io_uring, on the same file with the same `cache=`.

What counts is what a phase costs the host (costs.py). Waiting for the emulated host's own disk counts nothing. All runs under
SCHED_BATCH, as in network.py and for its reason: of 32 requests, one or all were seen by a VMM at once, as its threads were
given the only processor or not.
"""

import os
from typing import NamedTuple

from costs import compare, costs
from files import add_program
from guests import initramfs

MEBIBYTE = 1 << 20
SIZE = 64 * MEBIBYTE
MEMORY = 512  # MiB: fio brings libraries of 80.

MODULES = ["virtio_ring", "virtio", "virtio_mmio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk"]


class Phase(NamedTuple):
    """What fio is told."""
    kind: str
    block: int
    depth: int
    bytes: int


PHASES = {
    "read-1": Phase("randread", 4096, 1, 8 * MEBIBYTE),
    "read-32": Phase("randread", 4096, 32, 16 * MEBIBYTE),
    "write-1": Phase("randwrite", 4096, 1, 8 * MEBIBYTE),
    "write-32": Phase("randwrite", 4096, 32, 16 * MEBIBYTE),
    "read-large": Phase("read", MEBIBYTE, 1, 128 * MEBIBYTE),
    "write-large": Phase("write", MEBIBYTE, 1, 128 * MEBIBYTE),
}

# One fio for all, since it is long in starting.
JOBS = """[global]
ioengine=libaio
direct=1
thread=1
filename=/dev/vda
size={size}
gtod_reduce=1
norandommap=1
randrepeat=1
time_based=0
"""
JOB = """[{name}]
stonewall
rw={phase.kind}
bs={phase.block}
iodepth={phase.depth}
io_size={phase.bytes}
exec_prerun=/mark @{name}
exec_postrun=/mark @end
"""

SCRIPT = """
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /tmp
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin
[ -b /dev/vda ] || echo "! no disk"
fio --eta=never --output=/tmp/report /jobs 2>/tmp/errors || echo "! fio: $(tail -n 1 /tmp/errors)"
sleep 60
"""


def make_archive(kernel, scratch):
    """fio with its jobs."""
    root = f"{scratch}/fio"
    add_program(root, "/usr/bin/fio")
    with open(f"{root}/jobs", "w") as jobs:
        jobs.write(JOBS.format(size=SIZE))
        for name, phase in PHASES.items():
            jobs.write(JOB.format(name=name, phase=phase))
    with open(f"{root}/mark", "w") as mark:
        mark.write('#!/bin/sh\necho "$1" >/dev/console\n')
    os.chmod(f"{root}/mark", 0o755)
    return initramfs(f"{scratch}/disks", SCRIPT, kernel.modules(MODULES), root)


def prepare(disk, cache):
    """The host has all of the file in its page cache, or nothing: transfers past the cache have to clear what is there."""
    with open(disk, "r+b") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while cache == "writeback" and file.read(MEBIBYTE):
            pass


def measure(kernels, scratch, row):
    kernel = kernels["generic"]
    archive = make_archive(kernel, scratch)
    disk = f"{scratch}/disk"
    with open(disk, "wb") as file:
        for _ in range(SIZE // MEBIBYTE):
            file.write(os.urandom(MEBIBYTE))

    def qemu(machine, device, cache, *options):
        return kernel.qemu(
            machine, archive, *options, "-drive", f"file={disk},if=none,id=disk,format=raw,cache={cache},aio=io_uring",
            "-device", f"{device},drive=disk", memory=MEMORY)

    pairs = {
        "mmio": ("QEMU -M microvm", lambda cache: qemu(
            "microvm", "virtio-blk-device", cache, "-global", "virtio-mmio.force-legacy=false")),
        "pci": ("QEMU -M q35", lambda cache: qemu("q35", "virtio-blk-pci", cache)),
    }
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    for cache in ("writeback", "none"):
        for transport, (title, peer) in pairs.items():
            prefix = f"disk-{cache}-{transport}"
            if not any(row.wants(f"{prefix}-{phase}") for phase in PHASES):
                continue
            prepare(disk, cache)
            guest = kernel.novmm(archive, "--transport", transport, "--disk", f"{disk},cache={cache}", memory=MEMORY)
            ours = costs(guest, PHASES)
            prepare(disk, cache)
            theirs = costs(peer(cache), PHASES)
            for name, phase in PHASES.items():
                # SPECIFICATION.md tells why not these.
                is_promised = phase.block < MEBIBYTE or (transport, cache) != ("pci", "writeback")
                compare(
                    row, f"{prefix}-{name}", "MiB", phase.bytes / MEBIBYTE, ours[name], theirs[name], title, is_promised)
