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
    for line in result.stderr.splitlines():
        if match := re.match(r"(.+?) +([0-9.]+) ms", line):
            row(f"run-true: {match[1]}", "ms", float(match[2]))
