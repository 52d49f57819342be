"""Lets a command change a directory, shows what it changed, and brings it back: try_diff_apply.py DIRECTORY."""

import sys

import novm

machine = novm.Machine(memory="256M", read=f"/work=>{sys.argv[1]}").start()
try:
    machine.run(["sh", "-c", "echo changed > /work/note"], check=True)
    machine.stop()
    changes = machine.changes(["/work"])
    for change in changes:
        print(change.kind, change.path)
    changes.apply()
finally:
    machine.kill()
    machine.remove()
