"""Measures one group of the promises of SPECIFICATION.md: `bench.py GROUP [NAME]`.

In the environment: IMAGES, a directory with the bzImages `generic` and `cloud`; NOVM_KERNELS, with bundles of the same
names; NOVM and NOVM_LIBEXEC, the programs; for the groups that need them MSB, microsandbox's, and PACKETS, what packets.c
becomes. Rows go to standard error as a table, and to standard output as JSON. With NAME, only rows whose names begin so, or,
if it is a group's, that group's. `bench.py --groups [NAME]` prints the groups which have such rows.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial

import boot
import command
import disks
import files
import footprint
import images
import larger
import library
import listing
import network
import sandbox
import transports
import watch
from guests import GuestFailed, Kernel

# What measures a group, and how the names of its rows begin.
GROUPS = {
    "boot": (boot.measure, ["boot"]),
    "run-true": (command.measure, ["run-true"]),
    "template": (command.template, ["template"]),
    "sandbox": (sandbox.measure, ["run-command", "exec-command", "crowd"]),
    "library": (library.measure, [f"library-{name}" for name in ("exec", "load", "memory", "size")]),
    "library-crowd": (library.crowd, ["library-crowd"]),
    "watch": (watch.measure, ["watch"]),
    "images": (images.measure, ["image"]),
    "list": (listing.measure, ["list"]),
    "transport": (transports.measure, ["transport"]),
    "disk": (disks.measure, ["disk"]),
    "network": (network.measure, ["network"]),
    "larger": (larger.measure, ["devices", "processors"]),
    "footprint": (footprint.measure, ["memory", "size"]),
    **{f"files-{name}": (partial(files.measure, name=name), [f"files-{phase}-" for phase in phases])
       for name, phases in files.SETS.items()},
}


def groups(only):
    if only in GROUPS:
        return [only]
    found = [name for name, (_, prefixes) in GROUPS.items()
             if any(prefix.startswith(only) or only.startswith(prefix) for prefix in prefixes)]
    if not found:
        known = ", ".join(prefix for _, prefixes in GROUPS.values() for prefix in prefixes)
        sys.exit(f"bench: no measurement is called {only}; their names begin with {known}")
    return found


def measure(group, only):
    kernels = {
        name: Kernel(f"{os.environ['NOVM_KERNELS']}/{name}", f"{os.environ['IMAGES']}/{name}")
        for name in ("generic", "cloud")}
    rows = []

    def row(name, unit, ours, peer=None, peer_name=None, bound=None, bound_value=None, costs=None, counts=None):
        """`bound` is the most that ours / peer may be, `bound_value` the most that ours may be.

        `costs` are seconds of processors, in the guest and outside, of ours and of the peer; `counts` what else was
        counted of both, by name.
        """
        if not row.wants(name):
            return
        ratio = ours / peer if peer else None
        holds = None
        if bound is not None:
            holds = ratio <= bound
        elif bound_value is not None:
            holds = ours <= bound_value
        rows.append({
            "name": name, "unit": unit, "ours": round(ours, 4), "peer": None if peer is None else round(peer, 4),
            "peer_name": peer_name, "ratio": None if ratio is None else round(ratio, 3),
            "bound": bound if bound is not None else bound_value, "holds": holds})
        if costs:
            rows[-1]["costs"] = costs
        if counts:
            rows[-1]["counts"] = counts
        print_row(rows[-1])

    row.wants = lambda name: only == group or name.startswith(only)
    with tempfile.TemporaryDirectory() as scratch:
        GROUPS[group][0](kernels, scratch, row)
    return rows


def print_row(row):
    def number(value, digits):
        return "" if value is None else f"{value:.{digits}f}"

    verdict = {True: "  holds", False: "  DOES NOT HOLD", None: ""}[row["holds"]]
    peer = f"  {row['peer_name']}" if row["peer_name"] else ""
    costs = ""
    if "costs" in row:
        costs = "  guest+host " + " to ".join(
            f"{row['costs'][who]['guest']:.2f}+{row['costs'][who]['host']:.2f}" for who in ("ours", "peer"))
    for count in row.get("counts", {}).get("ours", {}):
        costs += f"  {count} " + " to ".join(f"{row['counts'][who][count]:g}" for who in ("ours", "peer"))
    print(
        f"{row['name']:34} {number(row['ours'], 3):>10} {number(row['peer'], 3):>10} {number(row['ratio'], 3):>7} "
        f"{row['bound'] if row['bound'] is not None else '':>7} {row['unit']}{peer}{verdict}{costs}", file=sys.stderr)


def main():
    group, only = (sys.argv[1:] + ["", ""])[:2]
    if group == "--groups":
        print("\n".join(groups(only)))
        return
    try:
        json.dump(measure(group, only), sys.stdout)
    except (GuestFailed, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or ""
        sys.exit(f"bench: {group}: {error}\n{output}".rstrip())


main()
