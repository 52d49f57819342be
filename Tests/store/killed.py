"""kill -9 of each command that changes the store, at random points: the next command finds it whole.

`killed.py [SEED]`; a seed that failed is printed with what was seen.
"""

import os
import random
import signal
import sys
import time

import store
from store import TEST, Wrong, novm

KILLS = 5
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(1 << 32)


def have_machine():
    store.machine("box")


def have_machines():
    for name in ("one", "two", "three"):
        store.machine(name)


def have_pack():
    novm("pack", "create", "tools", f"{TEST}/source")


def have_packs():
    have_pack()
    novm("pack", "import", f"{TEST}/other.tar", "others")


def have_kernel():
    novm("kernel", "import", f"{TEST}/kernel.tar")


# A command, and what it needs to be there.
COMMANDS = [
    (["pack", "create", "new", f"{TEST}/source"], []),
    (["pack", "create", "tools", f"{TEST}/other", "--replace"], [have_packs]),
    (["pack", "import", f"{TEST}/other.tar", "new"], [have_pack]),
    (["pack", "rm", "tools"], [have_packs]),
    (["commit", "box", "new"], [have_kernel, have_pack, have_machine]),
    (["kernel", "import", f"{TEST}/kernel.tar"], []),
    (["kernel", "import", f"{TEST}/kernel.tar", "--name", "6.1.0-test"], [have_kernel]),
    (["kernel", "rm", "6.1.0-test"], [have_kernel]),
    (["create", "--name", "new", "--", "true"], [have_kernel]),
    (["rm", "box"], [have_machine]),
    (["rename", "box", "crate"], [have_machine]),
    (["discard", "--force", "box"], [have_kernel, have_machine]),
    (["prune", "--force"], [have_machines]),
]


def duration(words, needs):
    """How long the command takes when nobody kills it."""
    for need in needs:
        need()
    begin = time.monotonic()
    process = store.start(*words)
    if words[0] == "create":
        # What would come now is the guest's part.
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    if process.returncode and words[0] != "create":
        raise Wrong(f"novm {' '.join(words)}: {errors.decode()}")
    seconds = time.monotonic() - begin
    store.check()
    store.clear()
    return seconds


def main():
    chance = random.Random(SEED)
    store.setup()
    for words, needs in COMMANDS:
        seconds = duration(words, needs)
        killed = 0
        for _ in range(KILLS):
            for need in needs:
                need()
            process = store.start(*words)
            time.sleep(chance.uniform(0, seconds))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            store.check()
            store.clear()
        print(f"{' '.join(words).replace(TEST + '/', '')}: {seconds:.3f} s, {killed} of {KILLS} killed in the midst")


try:
    main()
except Wrong as wrong:
    sys.exit(f"seed {SEED}: {wrong}")
