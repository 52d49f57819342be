"""How soon a program of the guest's that watches files (inotify) hears of a host's edit in a share with `notify`."""

import os
import statistics
import subprocess
import time

EDITS = 10

# Says when it watches, and then each event.
WATCHER = """
import ctypes, os
libc = ctypes.CDLL(None)
watches = libc.inotify_init()
assert libc.inotify_add_watch(watches, b"/watched", 2) > 0  # IN_MODIFY
print("watching", flush=True)
while os.read(watches, 4096):
    print("event", flush=True)
"""


def measure(kernels, scratch, row):
    os.makedirs(f"{scratch}/watched")
    path = f"{scratch}/watched/file"
    with open(path, "w") as file:
        file.write("first\n")
    machine = subprocess.Popen(
        [os.environ["NOVM"], "run", "--kernel", "cloud", "--memory", "512M", "--share", f"/watched=>{scratch}/watched:notify",
         "--", "/usr/bin/python3", "-c", WATCHER],
        env=dict(os.environ, NOVM_ROOT=f"{scratch}/store"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        if machine.stdout.readline() != "watching\n":
            raise subprocess.SubprocessError("the guest does not watch")
        times = []
        for number in range(EDITS):
            # Each alone: what comes within a moment is told together.
            time.sleep(1)
            begin = time.monotonic()
            with open(path, "a") as file:
                file.write(f"{number}\n")
            if machine.stdout.readline() != "event\n":
                raise subprocess.SubprocessError("the guest watches no more")
            times.append(time.monotonic() - begin)
        row("watch-event", "ms", statistics.median(times) * 1000)
    finally:
        machine.terminate()
        machine.wait()
