"""Puts a file into a machine, runs a command on a terminal of its own, and reads what that made."""

import novm

with novm.Machine(memory="256M") as machine:
    machine.write("/tmp/in", b"from the host\n")
    done = machine.run(["sh", "-c", "stty size; tr a-z A-Z </tmp/in >/tmp/out"], terminal=(30, 100), check=True)
    # A terminal ends lines with a carriage return, too.
    print(done.stdout.decode().replace("\r\n", "\n"), end="")
    print(machine.read("/tmp/out").decode(), end="")
