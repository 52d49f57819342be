"""What a machine costs that has more: a card and a disk, or more processors, against one that has neither.

The guest's init uses none of them: what it would do with them is its own affair.
"""

import os
from statistics import median

import boot
from footprint import mappings_beyond_ram
from guests import initramfs
from network import TAP, make_tap

PROCESSORS = [2, 8]
# Of a host with processors for a guest's, whose clock is no count of instructions.
HAS_PROCESSORS = os.cpu_count() > 1
RUNS = 15 if HAS_PROCESSORS else boot.RUNS


def start(guest):
    """Seconds to the first line of init, and KiB beyond RAM by then."""
    with guest:
        seconds = guest.wait_for("first line of init") - guest.started
        return seconds, sum(kib for kib, _ in mappings_beyond_ram(guest.process.pid))


def measure(kernels, scratch, row):
    kernel = kernels["cloud"]
    archive = initramfs(f"{scratch}/larger", "echo first line of init\n/bin/busybox sleep 60")
    with open(f"{scratch}/disk", "wb") as disk:
        disk.truncate(64 << 20)
    make_tap()
    machines = {
        "plain": [],
        "devices": ["--nic", f"tap={TAP}", "--disk", f"{scratch}/disk"],
        **{f"processors-{count}": ["--cpus", str(count)] for count in PROCESSORS},
    }
    for name in list(machines):
        if name != "plain" and not any(row.wants(f"{name}{what}") for what in ("", "-boot", "-memory")):
            del machines[name]
    seconds = {name: [] for name in machines}
    memory = {name: [] for name in machines}
    for attempt in range(RUNS + 1):
        for name, options in machines.items():
            time, kib = start(kernel.novmm(archive, *options))
            if attempt == 0:  # Comes into memory.
                continue
            seconds[name].append(time)
            memory[name].append(kib)
    plain = median(seconds["plain"])
    if "devices" in machines:
        row("devices-boot", "s", median(seconds["devices"]), plain, "without a card and a disk", bound=1.03)
        row("devices-memory", "MiB", (median(memory["devices"]) - median(memory["plain"])) / 1024, bound_value=1)
    for count in PROCESSORS:
        if (name := f"processors-{count}") in machines:
            # SPECIFICATION.md tells why there is no bound where they take turns.
            row(name, "s", median(seconds[name]), plain, "1 processor", bound=1.15 if HAS_PROCESSORS and count == 2 else None)
