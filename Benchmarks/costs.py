"""What a phase of a guest's work costs its host: how long the emulated host's only processor was busy with it, that is, how
many instructions the guest, the VMM and the host's kernel took for it. The guest's own are told apart, since they are those of
its kernel and programs, which are the same whatever the VMM. Waiting counts nothing.
"""

import os
import re
import subprocess
from typing import NamedTuple

from guests import GuestFailed

DEBUG = "/sys/kernel/debug"


class Cost(NamedTuple):
    """Of one phase, or as counted up to a moment."""
    busy: float  # seconds of processors
    guest: float  # of these, those in the guest
    exits: int
    interrupts: int

    @property
    def host(self):
        """Seconds of processors, of the VMM and the host's kernel."""
        return self.busy - self.guest


class Entries:
    """When KVM entered guests and left them, by the host's tracepoints; these take some 2 % of an exit."""

    BUFFER = 65536  # KiB for each processor
    EVENT = re.compile(rb"\[([0-9]+)\] .* ([0-9]+\.[0-9]{6}): (kvm_entry|kvm_exit|tracing_mark_write): (\S*)")

    def __enter__(self):
        self._directory = f"{DEBUG}/tracing/instances/novm-bench"
        # One may be left of a run that was killed.
        os.makedirs(self._directory, exist_ok=True)
        self._write("trace", "")
        self._write("tracing_on", "1")
        self._write("trace_clock", "local")
        self._write("buffer_size_kb", str(self.BUFFER))
        for event in ("kvm_entry", "kvm_exit"):
            self._write(f"events/kvm/{event}/enable", "1")
        return self

    def __exit__(self, *_):
        os.rmdir(self._directory)

    def _write(self, file, value):
        with open(f"{self._directory}/{file}", "w") as opened:
            opened.write(value)

    def mark(self, name):
        """What follows, up to the next mark, is of `name`."""
        self._write("trace_marker", name)

    def inside(self):
        """Seconds in guests by the names of marks."""
        self._write("tracing_on", "0")
        # When each processor entered a guest, which it leaves itself: a vCPU that moves does so outside.
        seconds, name, entered = {}, None, {}
        for processor in os.listdir(f"{self._directory}/per_cpu"):
            with open(f"{self._directory}/per_cpu/{processor}/stats") as stats:
                if "overrun: 0\n" not in stats.read():
                    raise GuestFailed("more entries of guests than the trace's buffer takes")
        with open(f"{self._directory}/trace", "rb") as trace:
            for line in trace:
                if not (event := self.EVENT.search(line)):
                    continue
                processor, moment, kind, words = event[1], float(event[2]), event[3], event[4]
                if kind == b"tracing_mark_write":
                    name, entered = words.decode(), {}
                    seconds.setdefault(name, 0)
                elif kind == b"kvm_entry":
                    entered[processor] = moment
                elif processor in entered:
                    seconds[name] += moment - entered.pop(processor)
        return seconds


def busy():
    """Seconds of processors up to now."""
    with open("/proc/schedstat") as stat:
        # Documentation/scheduler/sched-stats.rst: the seventh is the nanoseconds that tasks were running.
        return sum(int(line.split()[7]) for line in stat if line.startswith("cpu")) / 1e9


def counters():
    """What was counted up to now, but for time in guests."""
    values = []
    for name in ("exits", "irq_injections"):
        with open(f"{DEBUG}/kvm/{name}") as value:
            values.append(int(value.read()))
    return busy(), *values


def costs(guest, phases):
    """What each of `phases` cost, by name: the guest prints @NAME before one, and @end after it."""
    if not os.path.exists(f"{DEBUG}/kvm"):
        subprocess.run(["mount", "-t", "debugfs", "debugfs", DEBUG], check=True)
    counted = {}
    with guest, Entries() as entries:
        entries.mark("start")
        for name in phases:
            guest.wait_for(f"@{name}", timeout=300)
            before = counters()
            entries.mark(name)
            guest.wait_for("@end", timeout=300)
            entries.mark("end")
            counted[name] = [now - then for now, then in zip(counters(), before)]
        inside = entries.inside()
    return {name: Cost(busy, inside[name], exits, interrupts) for name, (busy, exits, interrupts) in counted.items()}


def compare(row, name, unit, amount, ours, peer, peer_name, is_promised=True):
    """A row of what two costs took of the host, each for one of `amount` units: promised is 1.1 of the peer's throughput."""
    both = (("ours", ours), ("peer", peer))
    row(name, f"ms/{unit}", ours.host * 1000 / amount, peer.host * 1000 / amount, peer_name,
        bound=round(1 / 1.1, 3) if is_promised else None,
        counts={who: {
            "guest": round(cost.guest * 1000 / amount, 3), "exits": round(cost.exits / amount, 1),
            "interrupts": round(cost.interrupts / amount, 1)} for who, cost in both})
