"""Holds SECURITY.md's table of what a monitor can do that its guest has taken over against what it can.

attempts.py TAKEOVER KERNEL: as root or another user; where a column is, it says what becomes of each attempt: `stopped`, `refused`
or `possible`.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

takeover, kernel = sys.argv[1:]
column = "as root" if os.geteuid() == 0 else "as a user"
# As novm starts a machine's monitor: root's is the first process of a namespace of its own.
starter = ["unshare", "--pid", "--fork"] if os.geteuid() == 0 else []
# These threads have the loop's list: a few attempts show that they do.
ALIKE = {"open", "openat2", "chmod", "execve", "clone3"}


def table():
    """Rows of the table, by the names of its columns."""
    with open("SECURITY.md") as document:
        lines = re.search(r"<!-- attempts -->\n\n(.*?)\n\n<!-- /attempts -->", document.read(), re.S)[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    for row in rows[2:]:
        yield dict(zip(rows[0], row))


def attempt(thread, name):
    """What comes of it, in the table's word, and what was said."""
    # In the emulated host /tmp has no user attributes.
    top = tempfile.mkdtemp(dir="/scratch" if os.access("/scratch", os.W_OK) else None)
    try:
        for directory in ["read", "write", "share", "outside", "other"]:
            os.mkdir(f"{top}/{directory}")
        for file in ["disk", "other/disk"]:
            with open(f"{top}/{file}", "w") as made:
                made.truncate(1 << 20)
        for file in ["secret", "victim"]:
            with open(f"{top}/outside/{file}", "w") as made:
                made.write(file)
        os.chmod(f"{top}/outside/secret", 0o644)
        before = state(top)
        # A process group of its own is a sibling's, as far as signals go.
        ended = subprocess.run([*starter, takeover, thread, name, kernel, top], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=120, check=False)
        said = ended.stdout + ended.stderr
        if ended.returncode == 7 and " tried " in ended.stderr:
            result = "stopped"
        elif ended.returncode == 0 and ended.stdout.startswith("refused "):
            result = "refused"
        elif ended.returncode == 0 and ended.stdout == "possible\n":
            return "possible", said
        else:
            return f"status {ended.returncode}", said
        if state(top) != before:
            return f"{result}, but something outside changed", said
        return result, said
    finally:
        shutil.rmtree(top)


def state(top):
    """What the files are like that are none of the machine's business."""
    found = {}
    for place, _, names in os.walk(top):
        if place.split("/")[-1] in ("outside", "other"):
            for name in [".", *names]:
                status = os.lstat(f"{place}/{name}")
                found[place, name] = (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, status.st_nlink,
                                      os.listxattr(f"{place}/{name}"))
    return found


failures = 0
count = 0
for row in table():
    name = row["attempt"].strip("`")
    threads = {"loop": row[column], "vcpu": row["of a vCPU"]}
    if name in ALIKE:
        threads |= {"queue": row[column], "late": row[column]}
    for thread, expected in threads.items():
        result, said = attempt(thread, name)
        count += 1
        if result != expected:
            failures += 1
            print(f"{column}, thread {thread}, {name}: {result}, not {expected}: {said.strip()}")
print(f"{count} attempts {column}, {failures} not as in the table")
sys.exit(failures > 0 or count < 100)
