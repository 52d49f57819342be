"""Measures the promises of SPECIFICATION.md: `bench.py IMAGES [NAME]`.

IMAGES is a directory with the bzImages `generic` and `cloud`; NOVM_KERNELS has bundles of the same names. Rows go to
standard error as a table, and to standard output as JSON. With NAME, only the group that it belongs to is measured.
"""

import json
import os
import sys
import tempfile

import boot
import command
import files
import footprint
from guests import GuestFailed, Kernel

# The prefix of a group's names, and what measures it.
GROUPS = [("boot", boot), ("run-true", command), ("memory", footprint), ("size", footprint), ("files", files)]


def main():
    images, only = sys.argv[1], (sys.argv + [""])[2]
    kernels = {
        name: Kernel(f"{os.environ['NOVM_KERNELS']}/{name}", f"{images}/{name}") for name in ("generic", "cloud")}
    rows = []

    def row(name, unit, ours, peer=None, peer_name=None, bound=None, bound_value=None):
        """`bound` is the most that ours / peer may be, `bound_value` the most that ours may be."""
        if not name.startswith(only):
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
        print_row(rows[-1])

    groups = []
    for prefix, group in GROUPS:
        if (prefix.startswith(only) or only.startswith(prefix)) and group not in groups:
            groups.append(group)
    if not groups:
        sys.exit(f"bench: no measurement is called {only}; there are {', '.join(p for p, _ in GROUPS)}")
    failed = False
    print(f"{'':34} {'ours':>10} {'peer':>10} {'ratio':>7} {'bound':>7}", file=sys.stderr)
    for group in groups:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                group.measure(kernels, scratch, row)
            except GuestFailed as error:
                print(f"bench: {error}", file=sys.stderr)
                failed = True
    json.dump(rows, sys.stdout, indent=1)
    print()
    sys.exit(1 if failed else 0)


def print_row(row):
    def number(value, digits):
        return "" if value is None else f"{value:.{digits}f}"

    verdict = {True: "", False: "  does not hold", None: ""}[row["holds"]]
    peer = f"  {row['peer_name']}" if row["peer_name"] else ""
    print(
        f"{row['name']:34} {number(row['ours'], 3):>10} {number(row['peer'], 3):>10} {number(row['ratio'], 3):>7} "
        f"{row['bound'] if row['bound'] is not None else '':>7} {row['unit']}{peer}{verdict}", file=sys.stderr)


main()
