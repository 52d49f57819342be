"""What a machine costs besides its RAM: resident memory and sizes of programs."""

import os
import re

from guests import MEMORY, initramfs


def resident_beyond_ram(pid):
    """MiB resident outside guest RAM. RAM is the run of adjoining mappings as long as RAM is: files lie over parts of it."""
    mappings = []
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                mappings.append([int(match[1], 16), int(match[2], 16), 0])
            elif match := re.match(r"Rss: +(\d+) kB", line):
                mappings[-1][2] = int(match[1])
    runs = []
    for start, end, kib in mappings:
        if not runs or runs[-1][-1][1] != start:
            runs.append([])
        runs[-1].append((start, end, kib))
    for run in runs:
        for first in range(len(run)):
            size = 0
            for last in range(first, len(run)):
                size += run[last][1] - run[last][0]
                if size == MEMORY << 20:
                    ram = sum(kib for _, _, kib in run[first:last + 1])
                    return (sum(kib for _, _, kib in mappings) - ram) / 1024
    raise RuntimeError("guest RAM was not found among the mappings")


def measure(kernels, scratch, row):
    archive = initramfs(f"{scratch}/idle", "echo first line of init\n/bin/busybox sleep 600")
    kernel = kernels["cloud"]
    options = ["--read", "/", "--vsock", f"{scratch}/vsock"]
    with kernel.novmm(archive, *options) as guest:
        guest.wait_for("first line of init")
        row("memory", "MiB", resident_beyond_ram(guest.process.pid), bound_value=5)
    libexec = os.environ["NOVM_LIBEXEC"]
    row("size-novmm", "KiB", os.path.getsize(f"{libexec}/novmm") / 1024)
    row("size-noguest", "KiB", os.path.getsize(f"{libexec}/noguest") / 1024, bound_value=256)
