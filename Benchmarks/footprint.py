"""What a machine costs besides its RAM: resident memory and sizes of programs."""

import os
import re
import subprocess
import sys

from guests import MEMORY, GuestFailed
from trees import SMALL_FILES, make_root

# 96 directories of them: enough that pages of the heap which are not full do not show.
FURTHER_FILES = 3456


def mappings_beyond_ram(pid):
    """What is resident outside guest RAM: KiB of each mapping, with its line of smaps, the largest first.

    RAM is the run of adjoining mappings as long as RAM is: files lie over parts of it.
    """
    mappings = []
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                mappings.append([int(match[1], 16), int(match[2], 16), 0, line.strip()])
            elif match := re.match(r"Rss: +(\d+) kB", line):
                mappings[-1][2] = int(match[1])
    runs = []
    for mapping in mappings:
        if not runs or runs[-1][-1][1] != mapping[0]:
            runs.append([])
        runs[-1].append(mapping)
    for run in runs:
        for first in range(len(run)):
            size = 0
            for last in range(first, len(run)):
                size += run[last][1] - run[last][0]
                if size == MEMORY << 20:
                    ram = run[first:last + 1]
                    return sorted(((kib, line) for _, _, kib, line in mappings if line not in {r[3] for r in ram}),
                                  reverse=True)
    raise RuntimeError("guest RAM was not found among the mappings")


def memory_after_reading(root, store):
    """KiB beyond RAM, as `mappings_beyond_ram`, of a machine which `novm run` made on a tree, after it walked and read it."""
    size = sum(os.path.getsize(f"{place}/{name}") for place, _, names in os.walk(f"{root}/small") for name in names)
    walk = "/bin/busybox find /small -type f -exec /bin/busybox cat {} + | /bin/busybox wc -c"
    command = [os.environ["NOVM"], "run", "--kernel", "cloud", "--memory", str(MEMORY), "--read", root, "--",
               "/bin/busybox", "sh", "-c", f"{walk}; /bin/busybox sleep 600"]
    with subprocess.Popen(command, env=dict(os.environ, NOVM_ROOT=store), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as novm:
        try:
            read = novm.stdout.readline().strip()
            if read != str(size):
                raise GuestFailed(f"{read or 'no'} bytes, not the {size} of the tree, from: {' '.join(command)}")
            with open(f"/proc/{novm.pid}/task/{novm.pid}/children") as children:
                novmm, = children.read().split()
            return mappings_beyond_ram(novmm)
        finally:
            novm.terminate()
            novm.terminate()


def measure_memory(scratch, row):
    """A machine with no network card that has read the tree of `files-tree`, and one that has read more files."""
    memory = []
    for count in (SMALL_FILES, SMALL_FILES + FURTHER_FILES):
        make_root(f"{scratch}/{count}", count)
        found = memory_after_reading(f"{scratch}/{count}", f"{scratch}/store")
        memory.append(sum(kib for kib, _ in found))
        if os.environ.get("NOVM_BENCH_MAPPINGS"):
            print("\n".join([f"{count} files:", *(f"{kib:8} KiB  {line}" for kib, line in found if kib)]), file=sys.stderr)
    row("memory", "MiB", memory[0] / 1024, bound_value=5)
    row("memory-file", "bytes", (memory[1] - memory[0]) * 1024 / FURTHER_FILES)


def measure(kernels, scratch, row):
    if any(row.wants(name) for name in ("memory", "memory-file")):
        measure_memory(scratch, row)
    libexec = os.environ["NOVM_LIBEXEC"]
    row("size-novmm", "KiB", os.path.getsize(f"{libexec}/novmm") / 1024)
    row("size-noguest", "KiB", os.path.getsize(f"{libexec}/noguest") / 1024, bound_value=256)
