"""What a machine costs besides its RAM: resident memory and sizes of programs."""

import os
import re
import shutil
import subprocess
import sys

from guests import MEMORY, GuestFailed

FILES = 3000


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


def make_tree(root):
    """A root with busybox, and thousands of files to walk."""
    for name in ("bin", "root", "etc"):
        os.makedirs(f"{root}/{name}")
    shutil.copy("/bin/busybox", f"{root}/bin/busybox")
    for number in range(FILES):
        place = f"{root}/files/{number // 30:03d}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number:04d}", "w") as file:
            file.write(f"{number}\n" * 200)


def measure(kernels, scratch, row):
    """A machine as `novm run` makes it, with no network card, after a walk through its tree that reads every file."""
    make_tree(f"{scratch}/tree")
    walk = "/bin/busybox find /files -type f -exec /bin/busybox cat {} + | /bin/busybox wc -l"
    command = [os.environ["NOVM"], "run", "--kernel", "cloud", "--memory", str(MEMORY), "--read", f"{scratch}/tree", "--",
               "/bin/busybox", "sh", "-c", f"{walk}; /bin/busybox sleep 600"]
    with subprocess.Popen(command, env=dict(os.environ, NOVM_ROOT=f"{scratch}/store"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as novm:
        try:
            lines = novm.stdout.readline()
            if lines.strip() != str(FILES * 200):
                raise GuestFailed(f"{lines.strip()} lines, not those of {FILES} files, from: {' '.join(command)}")
            with open(f"/proc/{novm.pid}/task/{novm.pid}/children") as children:
                novmm, = children.read().split()
            found = mappings_beyond_ram(novmm)
            row("memory", "MiB", sum(kib for kib, _ in found) / 1024, bound_value=5)
            if os.environ.get("NOVM_BENCH_MAPPINGS"):
                print("\n".join(f"{kib:8} KiB  {line}" for kib, line in found if kib), file=sys.stderr)
        finally:
            novm.terminate()
            novm.terminate()
    libexec = os.environ["NOVM_LIBEXEC"]
    row("size-novmm", "KiB", os.path.getsize(f"{libexec}/novmm") / 1024)
    row("size-noguest", "KiB", os.path.getsize(f"{libexec}/noguest") / 1024, bound_value=256)
