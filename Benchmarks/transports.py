"""Virtio by registers (`--transport mmio`, which is ours) beside virtio by a PCI bus, in the same machine otherwise: the start,
and requests that each interrupt the guest.
"""

import os
import subprocess
import time
from statistics import median

RUNS = 3
TRANSPORTS = ["mmio", "pci"]
REQUESTS = 4000

# What is timed in the guest, in nanoseconds of its clock.
SCRIPT = """
a=$(date +%s%N)
dd if=/dev/vda of=/dev/null bs=4k count={count} iflag=direct status=none
b=$(date +%s%N)
find /usr/share/doc -maxdepth 1 >/dev/null
c=$(date +%s%N)
echo $((b-a)) $((c-b))
"""


def run(scratch, transport, *command):
    """Seconds of the whole command, and what it printed."""
    environment = dict(os.environ, NOVM_ROOT=f"{scratch}/store")
    arguments = ["run", "--kernel", "cloud", "--transport", transport, "--disk", f"{scratch}/disk"]
    started = time.monotonic()
    result = subprocess.run(
        [os.environ["NOVM"], *arguments, "--", *command],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=120)
    return time.monotonic() - started, result.stdout


def measure(_, scratch, row):
    with open(f"{scratch}/disk", "wb") as disk:
        disk.write(os.urandom(1 << 20) * 16)
    start = {name: [] for name in TRANSPORTS}
    requests = {name: [] for name in TRANSPORTS}
    files = {name: [] for name in TRANSPORTS}
    for attempt in range(RUNS + 1):
        for name in TRANSPORTS:
            whole, _ = run(scratch, name, "/bin/true")
            _, output = run(scratch, name, "/bin/sh", "-c", SCRIPT.format(count=REQUESTS))
            if attempt == 0:  # Comes into memory.
                continue
            times = [int(word) / 1e9 for word in output.split()]
            start[name].append(whole)
            requests[name].append(times[0] / REQUESTS * 1e6)
            files[name].append(times[1])
    for title, unit, times in [
        ("transport-run-true", "s", start), ("transport-disk", "us", requests), ("transport-files", "s", files),
    ]:
        row(title, unit, median(times["mmio"]), median(times["pci"]), "novm --transport pci")
