"""What a phase of a guest's work costs its host: how long the emulated host's only processor was busy with it, that is, how
many instructions the guest, the VMM and the host's kernel took for it together. Waiting counts nothing.
"""

import os
import subprocess
from typing import NamedTuple

KVM = "/sys/kernel/debug/kvm"


class Cost(NamedTuple):
    """Of one phase."""
    busy: float  # seconds of processors
    exits: int
    interrupts: int


def counters():
    """What was counted up to now, as in `Cost`."""
    with open("/proc/schedstat") as stat:
        # Documentation/scheduler/sched-stats.rst: the seventh is the nanoseconds that tasks were running.
        busy = sum(int(line.split()[7]) for line in stat if line.startswith("cpu")) / 1e9
    values = []
    for name in ("exits", "irq_injections"):
        with open(f"{KVM}/{name}") as value:
            values.append(int(value.read()))
    return busy, *values


def costs(guest, phases):
    """What each of `phases` cost, by name: the guest prints @NAME before one, and @end after it."""
    if not os.path.exists(f"{KVM}/exits"):
        subprocess.run(["mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug"], check=True)
    result = {}
    with guest:
        for name in phases:
            guest.wait_for(f"@{name}", timeout=300)
            before = counters()
            guest.wait_for("@end", timeout=300)
            result[name] = Cost(*(now - then for now, then in zip(counters(), before)))
    return result


def compare(row, name, unit, amount, ours, peer, peer_name, is_promised):
    """A row of two costs, each for one of `amount` units: promised is 1.1 of the peer's throughput."""
    row(name, f"ms/{unit}", ours.busy * 1000 / amount, peer.busy * 1000 / amount, peer_name,
        bound=round(1 / 1.1, 3) if is_promised else None,
        counts={who: {"exits": round(cost.exits / amount, 1), "interrupts": round(cost.interrupts / amount, 1)}
                for who, cost in (("ours", ours), ("peer", peer))})
