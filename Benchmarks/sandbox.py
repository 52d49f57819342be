"""Whole commands beside those of microsandbox: a machine for one command, a command in a machine that runs; and what twenty
machines cost that start at once.

In the environment: MSB, microsandbox's `msb`. Its state, image and all, lies in `scratch`, as our store does.
"""

import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import time

RUNS = 5
CROWD = 20
CROWD_MEMORY = 128  # MiB of each of the twenty


def image(path):
    """Writes an image of busybox alone, in the form of `docker save`."""
    def digest(data):
        return hashlib.sha256(data).hexdigest()

    def archive(target, files):
        with tarfile.open(target, "w") if isinstance(target, str) else tarfile.open(fileobj=target, mode="w") as tar:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.mode = 0o755
                if data is None:
                    info.type = tarfile.DIRTYPE
                    tar.addfile(info)
                elif isinstance(data, str):
                    info.type, info.linkname = tarfile.SYMTYPE, data
                    tar.addfile(info)
                else:
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))

    layer = io.BytesIO()
    with open("/bin/busybox", "rb") as busybox:
        files = dict.fromkeys(["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"])
        files |= {"bin/busybox": busybox.read(), "bin/sh": "busybox", "bin/true": "busybox"}
        archive(layer, files | {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n"})
    layer = layer.getvalue()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest(layer)}"]},
        "history": [{"created_by": "bench"}]}).encode()
    names = f"{digest(config)}.json", f"{digest(layer)}/layer.tar"
    manifest = [{"Config": names[0], "RepoTags": ["busybox:bench"], "Layers": [names[1]]}]
    archive(path, {names[0]: config, names[1]: layer, "manifest.json": json.dumps(manifest).encode()})


def call(command, environment):
    """Seconds that it took."""
    begin = time.monotonic()
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE, text=True, check=True, timeout=120)
    return time.monotonic() - begin


def compare(ours, theirs, environment):
    """Seconds of each, in turns, after one of each that warms."""
    seconds = ([], [])
    for turn in range(RUNS + 1):
        for command, times in zip((ours, theirs), seconds):
            took = call(command, environment)
            if turn:
                times.append(took)
    return [statistics.median(times) for times in seconds]


def measure_peer(scratch, environment, row):
    novm, msb = os.environ["NOVM"], os.environ["MSB"]
    image(f"{scratch}/busybox.tar")
    call([msb, "load", "--quiet", "--input", f"{scratch}/busybox.tar"], environment)
    peer = f"msb {subprocess.run([msb, '--version'], env=environment, capture_output=True, text=True).stdout.split()[-1]}"
    if row.wants("run-command"):
        ours, theirs = compare(
            [novm, "run", "--kernel", "cloud", "--", "/bin/true"],
            [msb, "run", "--no-stdin", "--no-tty", "busybox:bench", "--", "/bin/true"], environment)
        row("run-command", "s", ours, theirs, f"{peer}, run", bound=0.6)
    if row.wants("exec-command"):
        call([novm, "create", "--kernel", "cloud", "--name", "bench"], environment)
        call([msb, "create", "--name", "bench", "busybox:bench"], environment)
        try:
            ours, theirs = compare(
                [novm, "exec", "bench", "--", "/bin/true"],
                [msb, "exec", "--no-stdin", "--no-tty", "bench", "--", "/bin/true"], environment)
        finally:
            call([novm, "rm", "--force", "bench"], environment)
            call([msb, "stop", "--force", "bench"], environment)
        row("exec-command", "s", ours, theirs, f"{peer}, exec", bound=0.6)


def memory(pid):
    """MiB of a process: resident, of which shared with others in proportion, and its own alone."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        for line in list(lines)[1:]:
            name, amount = line.split()[:2]
            found[name.rstrip(":")] = int(amount) / 1024
    return found["Rss"], found["Pss"], found["Private_Clean"] + found["Private_Dirty"]


def measure_crowd(environment, row):
    """Twenty machines at once: how long until all run, and what each costs beside the others."""
    novm = os.environ["NOVM"]
    names = [f"crowd{number}" for number in range(CROWD)]
    begin = time.monotonic()
    starts = [
        subprocess.Popen([novm, "create", "--kernel", "cloud", "--memory", str(CROWD_MEMORY), "--name", name],
                         env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for name in names]
    try:
        failed = [name for name, start in zip(names, starts) if start.wait(timeout=500)]
        if failed:
            raise RuntimeError(f"did not start: {failed}")
        seconds = time.monotonic() - begin
        listed = subprocess.run([novm, "ls", "--json"], env=environment, capture_output=True, text=True, check=True)
        machines = sorted(json.loads(listed.stdout), key=lambda machine: int(machine["name"].removeprefix("crowd")))
        if [machine["name"] for machine in machines] != names:
            raise RuntimeError(f"run: {[machine['name'] for machine in machines]}")
        print("MiB: machine     novmm: resident  share  own     supervisor: resident  share  own", file=sys.stderr)
        totals = []
        for machine in machines:
            figures = memory(machine["monitor"]), memory(machine["supervisor"])
            totals.append(figures[0][1] + figures[1][1])
            print(f"     {machine['name']:10}" + "         ".join(
                f"{resident:16.1f} {share:6.1f} {own:5.1f}" for resident, share, own in figures), file=sys.stderr)
    finally:
        call([novm, "rm", "--force", *names], environment)
    row("crowd-start", "s", seconds)
    row("crowd-memory", "MiB", statistics.mean(totals))


def measure(kernels, scratch, row):
    environment = dict(os.environ, NOVM_ROOT=f"{scratch}/store", MSB_HOME=f"{scratch}/msb", HOME=scratch)
    if row.wants("run-command") or row.wants("exec-command"):
        measure_peer(scratch, environment, row)
    if row.wants("crowd-start") or row.wants("crowd-memory"):
        measure_crowd(environment, row)
