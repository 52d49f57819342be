"""The life of a machine by the package novm: life.py KERNEL DIRECTORY NOVM. Needs KVM."""

import asyncio
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from typing import Callable, List

import novm


def events_end(machine: novm.Machine) -> Callable[[], object]:
    """Waits for what comes after the state that it is in."""
    events = machine.events()
    assert events.next(0) is not None
    return events.next


def pooled(kernel: str) -> None:
    """Machines that are kept ready."""
    with novm.Store() as store, novm.Pool(2, store=store, kernel=kernel, memory="256M") as pool:
        first, second = pool.take(120), pool.take(120)
        assert {first.state.name, second.state.name} == {"running"} and first.id != second.id
        try:
            pool.take(0.3)
            raise AssertionError("a third of two")
        except novm.TimeoutError:
            pass
        first.write("/srv/mark", b"")
        name = first.id
        pool.give(first, reuse=True)
        with pool.machine(120) as again:
            assert again.id == name and again.read("/srv/mark") == b""
        # That one was ended, and another is made.
        with pool.machine(120, reuse=True) as new:
            assert new.id not in (name, second.id), new.id
            new.kill()
        # One that has ended meanwhile is not given to anybody.
        with pool.machine(120) as alive:
            assert alive.state.name == "running"
        assert name not in {machine.id for machine in store.machines()}
        second.kill()
        pool.give(second)
    with novm.Store() as store:
        assert store.machines() == [], store.machines()
    with novm.Pool(2, kernel=kernel, memory="256M", cgroup="/") as pool:
        for _ in range(2):
            try:
                pool.take(120)
                raise AssertionError("machines that do not come up")
            except novm.MachineError:
                pass


def published(machine: novm.Machine) -> None:
    """Ports that are led in while the machine runs."""

    def ask(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"word\n")
            client.shutdown(socket.SHUT_WR)
            return client.makefile("rb").read()

    server = "import socketserver as s; "
    server += "h = type('H', (s.StreamRequestHandler,), {'handle': lambda h: h.wfile.write(h.rfile.read().upper())}); "
    server += "t = s.TCPServer(('127.0.0.1', 80), h); print('up', flush=True); t.serve_forever()"
    with machine.start_command(["python3", "-c", server], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"up\n", process.errors()
        with machine.publish("127.0.0.1:8161:80") as publication:
            assert ask(8161) == b"WORD\n"
            try:
                machine.publish("127.0.0.1:8161:80")
                raise AssertionError("a port that is taken")
            except novm.InUseError as error:
                assert error.number == errno.EADDRINUSE, error
            # Nobody listens there.
            with machine.publish("127.0.0.1:8162:9"):
                try:
                    assert ask(8162) == b""
                except ConnectionError:
                    pass
            assert ask(8161) == b"WORD\n"
        publication.close()
        try:
            ask(8161)
            raise AssertionError("a port that was closed")
        except ConnectionRefusedError:
            pass
        with machine.publish("127.0.0.1:8161:80"):
            assert ask(8161) == b"WORD\n"
    for wrong in ("80", "x:80", "80:80:80:80"):
        try:
            machine.publish(wrong)
            raise AssertionError("no port")
        except novm.DescriptionError:
            pass


def saved_image(directory: str) -> str:
    """An image as `docker save` writes it: a busybox, and words on what is run of it."""

    def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o755
        archive.addfile(info, io.BytesIO(data))

    layer = os.path.join(directory, "layer.tar")
    with tarfile.open(layer, "w") as archive, open("/bin/busybox", "rb") as busybox:
        for name in ("bin", "etc", "srv", "tmp"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        add(archive, "bin/busybox", busybox.read())
        for name in ("sh", "cat", "id", "sleep", "pwd"):
            info = tarfile.TarInfo(f"bin/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(info)
        add(archive, "etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:1234:1234::/srv:/bin/sh\n")
    with open(layer, "rb") as file:
        content = file.read()
    script = 'trap "exit 7" USR1; echo "$WORD" >/srv/said; pwd >>/srv/said; while true; do sleep 0.1; done'
    configuration = {
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
        "config": {"Cmd": ["/bin/sh", "-c", script], "Env": ["PATH=/bin", "WORD=image"], "WorkingDir": "/srv", "StopSignal": "SIGUSR1"},
    }
    path = os.path.join(directory, "saved.tar")
    with tarfile.open(path, "w") as archive:
        add(archive, "layer.tar", content)
        add(archive, "config.json", json.dumps(configuration).encode())
        manifest = [{"Config": "config.json", "RepoTags": ["localhost/lib:1"], "Layers": ["layer.tar"]}]
        add(archive, "manifest.json", json.dumps(manifest).encode())
    return path


def imaged(kernel: str, directory: str, command: str) -> None:
    """Machines of container images, and a pack of an archive."""
    path = saved_image(directory)
    subprocess.run([command, "load", "--quiet", "--input", path], check=True, stdout=subprocess.DEVNULL)
    with novm.Store() as store:
        (image,) = [image for image in store.images() if "localhost/lib:1" in image.names]
        assert image.layers == 1 and image.size > 100000, image
        # Its own command, with what is said of it, and by what that is ended.
        with novm.Machine(kernel=kernel, memory="256M", image="localhost/lib:1", env={"WORD": "mine"}) as machine:
            said = b""
            for _ in range(100):
                done = machine.run(["cat", "/srv/said"])
                said = done.stdout
                if said.count(b"\n") == 2:
                    break
                time.sleep(0.1)
            assert said == b"mine\n/srv\n", said
            machine.stop(30)
            assert machine.state.exit_status == 7, machine.state
        # Another one.
        with novm.Machine(kernel=kernel, memory="256M", image=image.id, command=["sh", "-c", "exit 3"], entrypoint="") as machine:
            assert machine.wait(60).exit_status == 3
        # None: it waits for ours.
        with novm.Machine(kernel=kernel, memory="256M", image="localhost/lib:1", entrypoint="") as machine:
            assert machine.run(["/bin/sh", "-c", "echo more >/srv/more"], check=True).returncode == 0
            try:
                store.remove_image("localhost/lib:1")
                raise AssertionError("a machine is made of it")
            except novm.InUseError:
                pass
            try:
                machine.commit_image("localhost/lib:2")
                raise AssertionError("it runs")
            except novm.RunningError:
                pass
            machine.stop()
            made = machine.commit_image("localhost/lib:2", message="more")
            assert made.layers == 2 and made.names == ("localhost/lib:2",), made
        with novm.Machine(kernel=kernel, memory="256M", image=made.id, entrypoint="") as machine:
            assert machine.read("/srv/more") == b"more\n"
        wrongs: List[Callable[[], object]] = [
            lambda: novm.Machine(kernel=kernel, image="nosuch:1"),
            lambda: store.remove_image("nosuch:1"),
        ]
        for wrong in wrongs:
            try:
                wrong()
                raise AssertionError("an image that is not there")
            except novm.MissingError as error:
                assert "nosuch:1" in str(error), error
        with novm.Machine(kernel=kernel, memory="256M", image=made.id, read="/", entrypoint="") as machine:
            machine.stop()
            try:
                machine.commit_image("localhost/lib:3")
                raise AssertionError("of more than an image")
            except novm.DescriptionError:
                pass
        store.remove_image("localhost/lib:2")
        store.remove_image(image.id)
        assert store.images() == [], store.images()

        lines: List[str] = []
        pack = store.import_pack(os.path.join(directory, "layer.tar"), "boxes", progress=lines.append)
        assert (pack.name, pack in store.packs(), bool(lines)) == ("boxes", True, True), (pack, lines)
        with novm.Machine(kernel=kernel, memory="256M", pack="boxes") as machine:
            assert b"app:" in machine.run(["/bin/cat", "/etc/passwd"], check=True).stdout
        store.remove_pack("boxes")


def incidents(kernel: str) -> None:
    """What goes wrong in a machine that goes on."""
    with novm.Machine(kernel=kernel, memory="256M", rm=True) as machine:
        events = machine.events(incidents=True)
        state = events.next(60)
        assert state is not None and (state.name, state.incident) == ("running", ""), state
        done = machine.run(["python3", "-c", "all = [b'x' * (20 << 20) for _ in range(20)]"])
        assert done.returncode == 128 + signal.SIGKILL, done
        state = events.next(60)
        assert state is not None and (state.name, state.incident) == ("running", "memory") and "python3" in state.message, state
        # It goes on.
        assert machine.run(["true"], check=True).returncode == 0
        # Only states, for who asks for no more.
        plain = machine.events()
        state = plain.next(60)
        assert state is not None and state.incident == "", state
        machine.kill()
        state = events.next(60)
        assert state is not None and state.is_over and not state.incident, state
    if not shutil.which("passt"):
        print("left out: no passt")
        return
    with novm.Machine(kernel=kernel, memory="256M", net="user,closed") as machine:
        events = machine.events(incidents=True)
        assert events.next(60) is not None
        code = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('192.0.2.1', 80))"
        machine.run(["python3", "-c", code], check=True)
        state = events.next(60)
        assert state is not None and state.incident == "network" and "192.0.2.1:80" in state.message, state


def main(kernel: str, directory: str, command: str) -> None:
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
        done = machine.run(["echo", "abcdef"], limit=4)
        assert (done.returncode, done.stdout, done.truncated) == (0, b"abcd", True), done
        assert not machine.run(["echo", "abcdef"], limit=4, stdout=subprocess.DEVNULL, check=True).truncated
        try:
            done.check()
            raise AssertionError("output that is not whole")
        except novm.CommandError as error:
            assert "more than was kept" in str(error), error
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
                ends = await asyncio.wait_for(asyncio.gather(sleep.wait_async(), sleep.wait_async()), 60)
                assert list(ends) == [0, 0], ends

        asyncio.run(two_wait())

        # A signal is handled while one waits.
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
        for wait in (lambda: machine.run(["sleep", "1000"]), machine.wait, events_end(machine)):
            signal.alarm(2)
            try:
                wait()
                raise AssertionError("an interrupt")
            except KeyboardInterrupt:
                pass

        published(machine)

        machine.write("/srv/file", b"content", mode=0o600)
        assert machine.read("/srv/file") == b"content"
        machine.copy_out("/srv/file", os.path.join(directory, "copied"))
        with open(os.path.join(directory, "copied"), "rb") as copied:
            assert copied.read() == b"content"
        usage = machine.usage()
        assert usage["memory_total"] > 100 << 20 and usage["nodes"] > 0 and "written" not in usage, usage
        machine.stop()
        changes = machine.changes(["/srv/file"])
        assert [(change.path, change.kind) for change in changes] == [("/srv/file", "added")], list(changes)
        machine.commit("snake")
        try:
            machine.commit("snake")
            raise AssertionError("a name that is taken")
        except novm.TakenError:
            machine.commit("snake", replace=True)

    with novm.Machine(kernel=kernel, memory="256M", read="/", pack="snake") as machine:
        assert machine.read("/srv/file") == b"content"
        try:
            machine.commit("other")
            raise AssertionError("of a machine that runs")
        except novm.RunningError:
            pass
    with novm.Store() as store:
        store.remove_pack("snake")

    # The whole life by asyncio.
    async def life() -> List[str]:
        async with novm.Machine(kernel=kernel, memory="256M", name="async") as machine:
            told = asyncio.ensure_future(names(machine.events()))
            assert (await machine.run_async(["echo", "x"], check=True)).stdout == b"x\n"
            end = asyncio.ensure_future(machine.wait_async())
            await asyncio.sleep(0)
            assert not end.done()
            await asyncio.get_running_loop().run_in_executor(None, machine.kill)
            assert (await asyncio.wait_for(end, 60)).is_over
            return await asyncio.wait_for(told, 60)

    async def names(events: novm.Events) -> List[str]:
        return [state.name async for state in events]

    told = asyncio.run(life())
    # It is killed, until who killed it has written down with what status it ended.
    assert told in (["running", "killed"], ["running", "exited"]), told

    pooled(kernel)
    imaged(kernel, directory, command)
    incidents(kernel)

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
