"""From the start of the VMM's process to the first line of the guest's init.

Ours and its peers take turns, after a round that is not counted, in which programs and files come into memory. What
counts is the median.
"""

import struct
from statistics import median

from guests import initramfs

RUNS = 3
INSTRUCTIONS = 0.5e9  # in a second, where the emulated host's clock counts them


def first_line(guest):
    """Seconds from the start of the process, and for ours those before the guest's first instruction."""
    with guest:
        seconds = guest.wait_for("first line of init") - guest.started
        # A peer notes no moments; of ours this one must not be missing.
        return seconds, 0 if guest.timings is None else guest.moments()["first-entry"] - guest.started


def relocations(path):
    """How many places of a kernel name its own addresses: the words behind the ELF image."""
    with open(path, "rb") as file:
        image = file.read()
    sections, count = struct.unpack_from("<Q", image, 40)[0], struct.unpack_from("<H", image, 60)[0]
    return (len(image) - sections - 64 * count) // 4


def measure_kaslr(kernel, archive, row):
    """What it takes to place a kernel at random, in turns with where it was linked."""
    if not row.wants("boot-kaslr"):
        return
    ways = {"on": [], "off": []}
    for run in range(RUNS + 1):
        for way, times in ways.items():
            result = first_line(kernel.novmm(archive, "--kaslr", way))
            if run > 0:
                times.append(result)
    on, off = ([median(times) for times in zip(*way)] for way in ways.values())
    count = relocations(f"{kernel.bundle}/vmlinux")
    each = {"relocations": count, "instructions for each": round((on[1] - off[1]) * INSTRUCTIONS / count, 1)}
    row("boot-kaslr", "s", on[0], off[0], "--kaslr off", 1.02, counts={"ours": each, "peer": dict.fromkeys(each, 0)})


def measure(kernels, scratch, row):
    kernel = kernels["cloud"]
    archive = initramfs(f"{scratch}/boot", "echo first line of init\n/bin/busybox sleep 60")
    measure_kaslr(kernel, archive, row)
    ours, rest = [], []
    peers = {"microvm": [], "q35": []}
    for run in range(RUNS + 1):
        results = [first_line(kernel.novmm(archive))] + [first_line(kernel.qemu(name, archive)) for name in peers]
        if run == 0:
            continue
        ours.append(results[0][0])
        rest.append(results[0][1])
        for times, result in zip(peers.values(), results[1:]):
            times.append(result[0])
    kernel_alone = median(total - before for total, before in zip(ours, rest))
    row("boot-microvm", "s", median(ours), median(peers["microvm"]), "QEMU -M microvm", 0.40)
    row("boot-q35", "s", median(ours), median(peers["q35"]), "QEMU -M q35", 0.55)
    row("boot-rest", "s", median(rest), kernel_alone, "the guest kernel's own boot", 0.05)
