"""`exec` of /bin/true in a machine that runs, by libnovm from C and from Python in a process that has loaded it, against `novm exec`;
what loading the library costs; and what one process keeps of two hundred machines that it had."""

import os
import re
import statistics
import subprocess
import sys
import time

CALLS = 100
CROWD = 200


def prepared(scratch):
    """What has programs of the library's run, and gives their output; the checkout; and the library."""
    novm = os.environ["NOVM"]
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    library = os.path.join(os.path.dirname(novm), "../lib/libnovm.so.1")
    if not os.path.exists(library):
        raise subprocess.SubprocessError("libnovm is not built; run: scripts/library")
    environment = dict(
        os.environ, NOVM_ROOT=f"{scratch}/store", NOVM_LIBRARY=library, LD_LIBRARY_PATH=os.path.dirname(library),
        PYTHONPATH=f"{top}/Bindings/Python", PYTHONDONTWRITEBYTECODE="1")

    def output(*words):
        return subprocess.run(
            words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout

    return output, top, library


def crowd(kernels, scratch, row):
    """By one process, eight at a time."""
    output, top, _ = prepared(scratch)
    start = time.monotonic()
    told = output(sys.executable, "-B", f"{top}/Tests/Library/crowd.py", "cloud", str(CROWD))
    row("library-crowd-machine", "s", (time.monotonic() - start) / CROWD)
    left = dict((name, float(value)) for value, name in re.findall(r"(-?[\d.]+) (descriptors|threads|MiB)", told))
    row("library-crowd-descriptors", "", left["descriptors"], bound_value=0)
    row("library-crowd-threads", "", left["threads"], bound_value=0)
    row("library-crowd-memory", "MiB", left["MiB"], bound_value=4)


def measure(kernels, scratch, row):
    novm = os.environ["NOVM"]
    output, top, library = prepared(scratch)
    output(novm, "create", "--kernel", "cloud", "--memory", "256M", "--name", "bench")
    try:
        times = []
        for _ in range(CALLS // 5):
            start = time.monotonic()
            output(novm, "exec", "bench", "--", "/bin/true")
            times.append(time.monotonic() - start)
        command = statistics.mean(times)
        by_c = float(output(f"{top}/.build/library/times", "bench", str(CALLS)))
        row("library-exec-c", "s", by_c, command, "novm exec", bound=0.5)
        by_python = float(output(sys.executable, "-B", f"{top}/Benchmarks/library_calls.py", "bench", str(CALLS)))
        row("library-exec-python", "s", by_python, command, "novm exec", bound=0.6)
    finally:
        output(novm, "rm", "--force", "bench")
    loaded = dict(re.findall(r"(\w+)=([\d.]+)", output(f"{top}/.build/library/times")))
    row("library-load", "s", float(loaded["seconds"]))
    row("library-memory", "MiB", float(loaded["kib"]) / 1024, bound_value=16)
    row("library-size", "MiB", os.path.getsize(library) / (1 << 20))
