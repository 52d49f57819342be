"""The mean time of /bin/true in a machine, by the package novm: library_calls.py MACHINE COUNT."""

import sys
import time

import novm

machine = novm.Store().machine(sys.argv[1])
machine.run(["/bin/true"])
start = time.monotonic()
for _ in range(int(sys.argv[2])):
    machine.run(["/bin/true"])
print((time.monotonic() - start) / int(sys.argv[2]))
