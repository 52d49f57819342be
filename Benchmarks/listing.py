"""`novm ls` in a store of a thousand machines that do not run. Not in the emulated host: it takes no guest."""

import json
import os
import subprocess
import time

MACHINES = 1000
RUNS = 10


def make_store(path):
    """Machines as `novm run -d` leaves them when they have ended."""
    for number in range(MACHINES):
        directory = f"{path}/machines/{number:012x}"
        os.makedirs(f"{directory}/root")
        files = {
            "lock": "", "keep": "", "name": f"machine{number}",
            "machine.json": json.dumps({
                "created": "2026-11-20T10:00:00Z", "remove": False,
                "machine": {"read": ["/=>/"], "memory": "512M", "cpus": "1", "hostname": "novm", "publish": []},
                "process": {"command": ["sh", "-c", "true"], "env": [], "terminal": False}}, indent=2),
            "state.json": json.dumps({
                "isReady": True, "exitStatus": 0, "started": "2026-11-20T10:00:01Z",
                "finished": "2026-11-20T10:01:00Z", "kernel": "cloud"}, indent=2)}
        for name, text in files.items():
            with open(f"{directory}/{name}", "w") as file:
                file.write(text)


def measure(kernels, scratch, row):
    make_store(f"{scratch}/store")
    environment = dict(os.environ, NOVM_ROOT=f"{scratch}/store")
    for name, options in (("list", []), ("list-all", ["--all"])):
        times = []
        for _ in range(RUNS):
            begin = time.monotonic()
            result = subprocess.run([os.environ["NOVM"], "ls", *options], env=environment, stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, check=True)
            times.append(time.monotonic() - begin)
        lines = result.stdout.count("\n")
        if lines != 1 + (MACHINES if options else 0):
            raise RuntimeError(f"{lines} lines from: novm ls {' '.join(options)}")
        # The best of them: what else the host does is not novm's.
        row(name, "ms", min(times) * 1000, bound_value=100)
