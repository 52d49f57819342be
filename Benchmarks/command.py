"""`novm run -- /bin/true` from a warm store, and where the time goes."""

import os
import re
import subprocess


def measure(kernels, scratch, row):
    environment = dict(os.environ, NOVM_ROOT=f"{scratch}/store")
    command = [os.environ["NOVM"], "run", "--kernel", "cloud", "--timings", "--", "/bin/true"]
    for _ in range(2):  # The first one warms.
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60)
    phases = [match for line in result.stderr.splitlines() if (match := re.match(r"(.+?) +([0-9.]+) ms", line))]
    if not phases:
        raise RuntimeError(f"no phases in what `novm run --timings` printed:\n{result.stderr}")
    for phase in phases:
        row(f"run-true: {phase[1]}", "ms", float(phase[2]))
