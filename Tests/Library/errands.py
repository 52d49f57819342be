"""What a process does for the library: errands.py DIRECTORY. Needs no KVM."""

import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from typing import Callable, List, Type

import novm


def fails(kind: Type[BaseException], call: Callable[[], object], words: str = "", status: int = 0) -> BaseException:
    try:
        call()
    except kind as error:
        assert words in str(error), error
        assert not status or getattr(error, "status", 0) == status, (error, getattr(error, "status", 0))
        return error
    raise AssertionError(f"no {kind.__name__}")


# novm_status in novm.h.
ARGUMENT = 1


def errands() -> List[str]:
    found = subprocess.run(["pgrep", "-f", "novm errand"], stdout=subprocess.PIPE, check=False).stdout.decode().split()
    return [number for number in found if int(number) != os.getpid()]


def gone() -> bool:
    for _ in range(100):
        if not errands():
            return True
        time.sleep(0.1)
    return False


def main(directory: str) -> None:
    path = os.path.join(directory, "tree.tar")
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "errands.py")
    broken = os.path.join(directory, "broken.tar")
    with open(broken, "wb") as file:
        file.write(b"no archive" * 1000)

    with novm.Store() as store:
        lines: List[str] = []
        pack = store.import_pack(path, "tree", progress=lines.append)
        assert pack.entries >= 1 and store.packs() == [pack] and lines, (pack, lines)
        fails(novm.TakenError, lambda: store.import_pack(path, "tree"))
        assert store.import_pack(path, "tree", replace=True).digest == pack.digest
        store.remove_pack("tree")
        # By the file's name.
        assert store.import_pack(path).name == "tree"
        store.remove_pack("tree")
        fails(novm.NovmError, lambda: store.import_pack(path, "other", digest="sha256:" + "0" * 64), "its digest is", ARGUMENT)
        fails(novm.NovmError, lambda: store.import_pack(broken, "other"), "broken.tar", ARGUMENT)
        fails(novm.MissingError, lambda: store.import_pack("/no/such.tar", "other"), "/no/such.tar")
        fails(novm.NovmError, lambda: store.import_pack("http://127.0.0.1:1/x.tar", "other"), "--digest", ARGUMENT)
        assert store.packs() == []

        # A registry that says nothing.
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            name = f"127.0.0.1:{silent.getsockname()[1]}/silent:1"
            begin = time.monotonic()
            fails(novm.TimeoutError, lambda: store.pull(name, timeout=1))
            assert time.monotonic() - begin < 10 and gone(), errands()

            # Whoever is told of it, or a signal, gives it up.
            def interrupt(*_: object) -> None:
                raise KeyboardInterrupt

            signal.signal(signal.SIGALRM, interrupt)
            signal.alarm(1)
            begin = time.monotonic()
            fails(KeyboardInterrupt, lambda: store.pull(name))
            assert time.monotonic() - begin < 10 and gone(), errands()

            # It ends with its program.
            script = f"import novm; print(1, flush=True); novm.Store().pull('{name}')"
            with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as program:
                assert program.stdout and program.stdout.read(1) == b"1"
                for _ in range(100):
                    if errands():
                        break
                    time.sleep(0.1)
                assert errands()
                program.kill()
            assert gone(), errands()
        # Nobody is there.
        fails(novm.RefusedError, lambda: store.pull("127.0.0.1:1/nobody:1"))
        fails(novm.NovmError, lambda: store.pull("No Name"), "no image's name", ARGUMENT)
        assert store.images() == []

    # Its own children are the only ones that it has.
    fails(ChildProcessError, lambda: os.waitpid(-1, os.WNOHANG))


main(*sys.argv[1:])
