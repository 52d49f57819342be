"""Fifty commands at once on one store: each does its part or says why not, and the store is whole."""

import json
import random
import sys

import store
from store import TEST, Wrong, novm

COUNT = 50


def main():
    store.setup()
    novm("pack", "create", "base", f"{TEST}/source")
    novm("kernel", "import", f"{TEST}/kernel.tar")
    for number in range(10):
        store.machine(f"box{number}")
    # What cannot fail, however they meet.
    sure = [["pack", "create", f"pack{number}", f"{TEST}/{'source' if number % 2 else 'other'}"] for number in range(8)]
    sure += [["pack", "import", f"{TEST}/other.tar", f"import{number}"] for number in range(4)]
    sure += [["kernel", "import", f"{TEST}/kernel.tar", "--name", f"kernel{number}"] for number in range(4)]
    sure += [["kernel", "import", f"{TEST}/kernel.tar"] for _ in range(2)]
    sure += [["rm", f"box{number}"] for number in range(4)] + [["rename", "box9", "crate"]]
    sure += [["ls", "--all", "--json"], ["pack", "ls"], ["pack", "verify", "base"], ["kernel", "ls"]] * 3
    # What only one can do, and the others are told.
    contested = [["pack", "create", "same", f"{TEST}/source"] for _ in range(5)]
    contested += [["rm", "box5"] for _ in range(3)] + [["rename", "box6", "taken"], ["rename", "box7", "taken"]]
    contested += [["kernel", "rm", "kernel0"], ["pack", "rm", "pack0"], ["pack", "rm", "pack0"], ["discard", "--force", "box8"]]
    commands = sure + contested
    commands += [["ls"]] * (COUNT - len(commands))
    random.shuffle(commands)
    running = [(words, store.start(*words)) for words in commands]
    won = []
    for words, process in running:
        _, errors = process.communicate()
        text = errors.decode(errors="replace")
        if process.returncode == 0:
            won.append(words)
        if process.returncode and words not in contested or process.returncode not in (0, 125) or text.count("\n") > 1:
            raise Wrong(f"novm {' '.join(words)}: status {process.returncode}: {text}")
    for words, count in [(["pack", "create", "same", f"{TEST}/source"], 1), (["rm", "box5"], 1)]:
        if won.count(words) != count:
            raise Wrong(f"novm {' '.join(words)}: {won.count(words)} of them did it")
    if len([words for words in won if words[-1] == "taken"]) != 1:
        raise Wrong("two machines of one name, or none")
    machines, packs, kernels = store.check()
    names = {machine["name"] for machine in machines.values()}
    if not {"box4", "box8", "crate", "taken"} <= names or names & {"box0", "box1", "box2", "box3", "box5", "box9"}:
        raise Wrong(f"machines: {sorted(names)}")
    if not {"base", "same", *(f"import{number}" for number in range(4))} <= set(packs):
        raise Wrong(f"packs: {packs}")
    print(json.dumps({"machines": len(machines), "packs": len(packs), "kernels": len(kernels)}))
    store.clear()


try:
    main()
except Wrong as wrong:
    sys.exit(str(wrong))
