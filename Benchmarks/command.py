"""`novm run -- /bin/true` from a warm store, and where the time goes."""

import glob
import os
import re
import subprocess
import time


def template(kernels, scratch, row):
    """The whole command, with the guest's kernel coming up and with a template in its place."""
    environment = dict(os.environ, NOVM_ROOT=f"{scratch}/store")
    command = [os.environ["NOVM"], "run", "--kernel", "cloud", "--memory", "256"]

    def run(choice):
        start = time.monotonic()
        subprocess.run(
            [*command, "--template", choice, "--", "/bin/true"], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, check=True, timeout=120)
        return time.monotonic() - start

    boot = [run("off") for _ in range(2)][-1]
    run("auto")
    while not glob.glob(f"{scratch}/store/templates/*.*-*"):
        time.sleep(0.2)
    run("require")
    row("template-run-true", "s", run("require"), boot, "--template off", bound=0.30)


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
