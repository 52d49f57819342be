"""The life of a machine by the package novm: life.py KERNEL DIRECTORY. Needs KVM."""

import asyncio
import os
import subprocess
import sys

import novm


def main(kernel: str, directory: str) -> None:
    with novm.Store() as store:
        assert any(found.name == kernel for found in store.kernels()), store.kernels()
        try:
            novm.Machine(kernel=kernel, memory="much")
            raise AssertionError("a description that cannot be")
        except novm.DescriptionError as error:
            assert error.subject == "memory" and error.status == 3, error
        try:
            novm.Machine(file="kernel: x\nmemroy: 1G\n")
            raise AssertionError("a text that cannot be")
        except novm.DescriptionError as error:
            assert error.line == 2 and "did you mean memory" in str(error), error
        try:
            store.machine("nosuch")
            raise AssertionError("a machine that is not there")
        except LookupError as error:
            assert isinstance(error, novm.MissingError)

    with novm.Machine(kernel=kernel, memory="256M", hostname="snake") as machine:
        assert machine.state.name == "running", machine.state
        assert machine.run(["uname", "-n"], check=True).stdout == b"snake\n"
        done = machine.run(["sh", "-c", "cat; echo $NAME >&2; exit 3"], input=b"bytes\0\xff", env={"NAME": "value"})
        assert (done.returncode, done.stdout, done.stderr) == (3, b"bytes\0\xff", b"value\n"), done
        try:
            done.check()
            raise AssertionError("a status")
        except novm.CommandError as error:
            assert error.exit_status == 3, error
        try:
            machine.run(["/no/such"])
            raise AssertionError("a command that is not there")
        except novm.CommandError as error:
            assert error.exit_status == 127, error
        try:
            machine.run(["a\0b"])
            raise AssertionError("a NUL")
        except ValueError:
            pass

        with machine.start_command(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
            assert cat.stdin and cat.stdout
            cat.stdin.write(b"through\n")
            assert cat.stdout.readline() == b"through\n"
            assert cat.poll() is None
            cat.stdin.close()
            assert cat.wait(60) == 0
        try:
            with machine.start_command(["sleep", "1000"]) as sleep:
                sleep.wait(0.1)
            raise AssertionError("a time")
        except TimeoutError as error:
            assert isinstance(error, novm.TimeoutError)

        async def three() -> None:
            done = await asyncio.gather(*(machine.run_async(["echo", str(i)]) for i in range(3)))
            assert [each.stdout for each in done] == [b"0\n", b"1\n", b"2\n"], done

        asyncio.run(three())

        async def two_wait() -> None:
            with machine.start_command(["sleep", "1"]) as sleep:
                assert await asyncio.wait_for(asyncio.gather(sleep.wait_async(), sleep.wait_async()), 60) == [0, 0]
                assert not sleep._waiting

        asyncio.run(two_wait())

        machine.write("/srv/file", b"content", mode=0o600)
        assert machine.read("/srv/file") == b"content"
        machine.copy_out("/srv/file", os.path.join(directory, "copied"))
        with open(os.path.join(directory, "copied"), "rb") as copied:
            assert copied.read() == b"content"
        assert machine.usage()["memory_total"] > 100 << 20
        machine.stop()
        changes = machine.changes(["/srv/file"])
        assert [(change.path, change.kind) for change in changes] == [("/srv/file", "added")], list(changes)

    # One that does not come up leaves nothing, and one that somebody else started is left alone.
    broken = novm.Machine(kernel=kernel, name="broken", cgroup=directory)
    try:
        with broken:
            raise AssertionError("no control group")
    except novm.MachineError:
        pass
    with novm.Store() as store:
        try:
            store.machine("broken")
            raise AssertionError("a machine that did not start")
        except novm.MissingError:
            pass
        with novm.Machine(kernel=kernel, memory="256M", name="first", store=store):
            try:
                with store.machine("first"):
                    raise AssertionError("started twice")
            except novm.RunningError:
                pass
            assert store.machine("first").state.name == "running"

    # Its own children are the only ones that it has.
    try:
        os.waitpid(-1, os.WNOHANG)
        raise AssertionError("a child")
    except ChildProcessError:
        pass


main(*sys.argv[1:])
