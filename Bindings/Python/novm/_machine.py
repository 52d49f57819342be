"""Machines."""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import os
import socket
import time
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from . import _library, _waiting
from ._errors import MissingError, NotRunningError, RunningError, TimeoutError
from ._library import Handle, StateStruct, Text
from ._process import Completed, Process
from ._store import Image, Store, _images

Setting = Union[str, bytes, bool, int, "os.PathLike[str]", Iterable[str], Mapping[str, str], None]

_INCIDENTS = {1: "memory", 2: "network"}
_STATES = ["", "created", "starting", "running", "paused", "exited", "failed", "killed", "removed"]


@dataclasses.dataclass(frozen=True)
class State:
    """How a machine fares.

    Attributes:
        name: created, starting, running, paused, exited, failed, killed or removed.
        exit_status: of one that has exited.
        message: why it failed, such as what its kernel said as it panicked; or what the incident was.
        incident: what went wrong in a machine that goes on, of events alone: memory (its kernel ended a program for want of it),
            network (it asked for what it was not granted), or nothing.
    """

    name: str
    exit_status: int = 0
    message: str = ""
    incident: str = ""

    @property
    def is_over(self) -> bool:
        return self.name in ("exited", "failed", "killed", "removed")


def _state(struct: StateStruct) -> State:
    incident = _INCIDENTS.get(struct.incident, "")
    return State(_STATES[struct.state], struct.exit_status, struct.message.decode(errors="replace"), incident)


def _new_state() -> StateStruct:
    struct = StateStruct()
    struct.size = ctypes.sizeof(StateStruct)
    return struct


@dataclasses.dataclass(frozen=True)
class Change:
    """What became of a path of a machine's tree.

    Attributes:
        path: the guest's, absolute.
        kind: added, changed or deleted.
        file: file, directory, symlink, fifo, socket, character device or block device.
        size: of a file, in bytes.
        target: where a symbolic link leads, or led.
        differs: of one that was changed: kind, content, mode, owner, attributes.
    """

    path: str
    kind: str
    file: str
    size: Optional[int]
    target: Optional[str]
    differs: Tuple[str, ...]


class Changes(Sequence[Change]):
    """What a machine wrote, in the order of paths, at the moment when it was asked for."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._changes = []
        for row in _library.rows(handle, ["path", "kind", "file", "size", "target", "differs"]):
            path, kind, file, size, target, differs = row
            self._changes.append(
                Change(
                    os.fsdecode(path or b""),
                    (kind or b"").decode(),
                    (file or b"").decode(),
                    None if size is None else int(size),
                    None if target is None else os.fsdecode(target),
                    tuple((differs or b"").decode().split(",")) if differs else (),
                )
            )

    def apply(self, overwrite: bool = False) -> None:
        """Brings them back to the host's directories. The machine must not run.

        Raises:
            ConflictError: something in the way was changed on the host since; nothing was applied.
        """
        _library.call("novm_changes_apply", self._handle.number, int(overwrite))

    def __len__(self) -> int:
        return len(self._changes)

    def __getitem__(self, index: Any) -> Any:
        return self._changes[index]

    def __iter__(self) -> Iterator[Change]:
        return iter(self._changes)


class Events(Iterator[State]):
    """Each state that a machine comes to, until it is over."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def next(self, timeout: Optional[float] = None) -> Optional[State]:
        """The next one; None once the machine is over.

        Raises:
            TimeoutError: not within ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self._next()
            except TimeoutError:
                rest = self._PATIENCE if deadline is None else min(self._PATIENCE, deadline - time.monotonic())
                if rest <= 0:
                    raise
                _waiting.readable(self.fileno(), rest)

    def _next(self) -> Optional[State]:
        struct = _new_state()
        try:
            _library.call("novm_events_next", self._handle.number, 0, ctypes.byref(struct))
        except MissingError:
            return None
        return _state(struct)

    # What is not told by the descriptor, such as a kill, is looked for so often; in seconds.
    _PATIENCE = 1.0

    def fileno(self) -> int:
        """Readable when there may be something to tell."""
        number = ctypes.c_int()
        _library.call("novm_events_descriptor", self._handle.number, ctypes.byref(number))
        return number.value

    def __next__(self) -> State:
        state = self.next()
        if state is None:
            raise StopIteration
        return state

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> State:
        while True:
            try:
                state = self._next()
            except TimeoutError:
                await _waiting.readable_async(self.fileno(), self._PATIENCE)
                continue
            if state is None:
                raise StopAsyncIteration
            return state


class Publication:
    """A port or socket of the host's that leads into a machine, until it is closed."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def close(self) -> None:
        """Ends it, and the connections by it; the port is free then."""
        self._handle.close()

    def __enter__(self) -> Publication:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Machine:
    """A machine. As a context manager it is started, and in the end stopped and removed.

    Settings go by the names of the command's options, with ``_`` for ``-``: ``memory="1G"``, ``cpus=2``,
    ``read="/srv/debian"``, ``share=["/src=>."]``, ``net="user"``, ``publish=["8080:80"]``, ``env={"LANG": "C"}``.

    A machine of an image, ``image="debian:12"``, runs what that says and ends with it, unless ``command`` says something else;
    ``entrypoint=""`` leaves it out, for a machine that is to run your commands.

    Args:
        file: a description in YAML or JSON, as text; settings come after it.
        store: where it belongs to; the user's own if not given.

    Raises:
        DescriptionError: a setting cannot be; see ``subject`` and ``line``.
        MissingError: there is no such kernel, pack or image.
        TakenError: another machine has the name.
    """

    def __init__(self, *, file: Optional[str] = None, store: Optional[Store] = None, **settings: Setting) -> None:
        self.store = store or Store()
        description = _description(file, settings)
        self._open(Handle.made("novm_machine_create", self.store._handle.number, description.number))

    @classmethod
    def _of(cls, store: Store, handle: Handle) -> Machine:
        machine = cls.__new__(cls)
        machine.store = store
        machine._open(handle)
        return machine

    def _open(self, handle: Handle) -> None:
        self._handle = handle
        identifier, name = ctypes.c_char_p(), ctypes.c_char_p()
        _library.call("novm_machine_names", handle.number, ctypes.byref(identifier), ctypes.byref(name))
        self.id = (identifier.value or b"").decode()
        self.name = (name.value or b"").decode()

    # Its life

    def start(self, *, detached: bool = False, timeout: Optional[float] = None) -> Machine:
        """Starts it; returns once it takes commands.

        Args:
            detached: whether it goes on when this program ends.
            timeout: seconds to wait for that.

        Raises:
            MachineError: with what kept it from that.
            TimeoutError: it is on its way still.
        """
        _library.call("novm_machine_start", self._handle.number, int(detached), _library.milliseconds(timeout))
        return self

    @property
    def state(self) -> State:
        struct = _new_state()
        _library.call("novm_machine_state_get", self._handle.number, ctypes.byref(struct))
        return _state(struct)

    def wait(self, timeout: Optional[float] = None) -> State:
        """Waits for its end.

        Raises:
            TimeoutError: not within ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        descriptor = self._end()
        if descriptor is not None:
            try:
                # Out of the library, so that signals are handled meanwhile.
                _waiting.readable(descriptor, timeout)
            finally:
                os.close(descriptor)
        return self._wait(None if deadline is None else max(0, deadline - time.monotonic()))

    async def wait_async(self) -> State:
        """The same for asyncio. A task that is cancelled leaves the machine running."""
        descriptor = self._end()
        if descriptor is not None:
            try:
                await _waiting.readable_async(descriptor)
            finally:
                os.close(descriptor)
        # The last of its processes ends at once.
        return await asyncio.get_running_loop().run_in_executor(None, self._wait, None)

    def _end(self) -> Optional[int]:
        """A descriptor that is readable once it has ended; None if it does not run."""
        number = ctypes.c_int()
        try:
            _library.call("novm_machine_descriptor", self._handle.number, ctypes.byref(number))
        except NotRunningError:
            return None
        return number.value

    def _wait(self, timeout: Optional[float]) -> State:
        struct = _new_state()
        _library.call(
            "novm_machine_wait", self._handle.number, _library.milliseconds(timeout), ctypes.byref(struct)
        )
        return _state(struct)

    def stop(self, grace: float = 10) -> None:
        """Ends its command, or powers it off; after ``grace`` seconds it is ended, with what it holds written back."""
        _library.call("novm_machine_stop", self._handle.number, _library.milliseconds(grace))

    def kill(self) -> None:
        """Ends it as it stands."""
        _library.call("novm_machine_kill", self._handle.number)

    def remove(self) -> None:
        """Removes it with what it wrote. It must not run."""
        _library.call("novm_machine_remove", self._handle.number)

    def pause(self) -> None:
        _library.call("novm_machine_pause", self._handle.number)

    def resume(self) -> None:
        _library.call("novm_machine_resume", self._handle.number)

    def events(self, incidents: bool = False) -> Events:
        """Tells of each state that it comes to, from the one that it is in on.

        Args:
            incidents: also of what goes wrong in it from now on, with the state running and ``incident``.
        """
        return Events(Handle.made("novm_events_open_with", self._handle.number, int(incidents)))

    def usage(self) -> Mapping[str, int]:
        """What it takes: host_memory, memory_used, memory_total, storage_used, storage_total (bytes), threads.

        And what it makes its monitor hold: written, of write_limit bytes, in the map that is nearest to its limit if any has one;
        nodes, the files that the guest knows; streams.
        """
        names = ["host_memory", "memory_used", "memory_total", "storage_used", "storage_total", "threads"]
        names += ["written", "write_limit", "nodes", "streams"]
        found = Handle.made("novm_machine_usage", self._handle.number)
        row = _library.rows(found, names)[0]
        return {name: int(value) for name, value in zip(names, row) if value is not None}

    # What runs in it

    def start_command(self, args: Sequence[Text], **options: Any) -> Process:
        """Starts a command; options are those of ``Process``: input, stdin, stdout, stderr, env, cwd, user, terminal, timeout, limit.

        ``limit`` is how many bytes are kept of each stream that goes nowhere else, 64 MiB if it is not said.
        """
        return Process(self._handle.number, args, **options)

    def run(self, args: Sequence[Text], *, check: bool = False, **options: Any) -> Completed:
        """Runs a command to its end.

        Args:
            args: the command and its arguments.
            check: whether to raise CommandError for another status than 0, and for more output than is kept.
            options: those of ``start_command``.

        Raises:
            CommandError: it could not be run: ``exit_status`` is 125, 126 or 127.
        """
        with self.start_command(args, **options) as process:
            done = process.completed(process.wait())
        return done.check() if check else done

    async def run_async(self, args: Sequence[Text], *, check: bool = False, **options: Any) -> Completed:
        """The same for asyncio. A task that is cancelled gives the command up."""
        process = self.start_command(args, **options)
        try:
            done = process.completed(await process.wait_async())
        finally:
            process.close()
        return done.check() if check else done

    def connect(self, port: int, timeout: Optional[float] = 10) -> socket.socket:
        """A stream to a port of the guest's vsock.

        Raises:
            MissingError: nobody listens there.
        """
        descriptor = ctypes.c_int()
        _library.call(
            "novm_machine_connect", self._handle.number, port, _library.milliseconds(timeout), ctypes.byref(descriptor)
        )
        return socket.socket(fileno=descriptor.value)

    def publish(self, port: Text) -> Publication:
        """Leads a port or socket of the host's into this machine, which runs, until what this gives is closed.

        Args:
            port: as ``--publish`` takes it: ``8080:80``, ``127.0.0.1:5353:53/udp``, ``/run/web.sock:80``.

        Raises:
            InUseError: nobody can listen there; ``number`` says why.
        """
        return Publication(Handle.made("novm_machine_publish", self._handle.number, _library.encoded(port, "port")))

    # Files

    def copy_in(self, host: Text, guest: Text, timeout: Optional[float] = None) -> None:
        """Copies a file or directory of the host's into the machine, by the rules of ``docker cp``."""
        self._copy("novm_files_copy_in", host, guest, timeout)

    def copy_out(self, guest: Text, host: Text, timeout: Optional[float] = None) -> None:
        """Copies a file or directory of the machine's to the host."""
        self._copy("novm_files_copy_out", guest, host, timeout)

    def _copy(self, name: str, source: Text, destination: Text, timeout: Optional[float]) -> None:
        _library.call(
            name,
            self._handle.number,
            _library.encoded(source, "source"),
            _library.encoded(destination, "destination"),
            _library.milliseconds(timeout),
        )

    def write(self, path: Text, data: bytes, mode: int = 0o644, timeout: Optional[float] = None) -> None:
        """Writes a file of the machine's."""
        _library.call(
            "novm_files_write",
            self._handle.number,
            _library.encoded(path, "path"),
            data,
            len(data),
            mode,
            _library.milliseconds(timeout),
        )

    def read(self, path: Text, limit: int = 64 << 20, timeout: Optional[float] = None) -> bytes:
        """Reads a file of the machine's, of ``limit`` bytes at most."""
        data, length = ctypes.c_void_p(), ctypes.c_size_t()
        _library.call(
            "novm_files_read",
            self._handle.number,
            _library.encoded(path, "path"),
            limit,
            _library.milliseconds(timeout),
            ctypes.byref(data),
            ctypes.byref(length),
        )
        try:
            return ctypes.string_at(data, length.value)
        finally:
            _library.free(data)

    # What it wrote

    def changes(self, paths: Optional[Sequence[Text]] = None) -> Changes:
        """What it changed: of these paths of the guest, or all."""
        words = None if paths is None else _library.vector(paths, "paths")
        return Changes(Handle.made("novm_changes_open", self._handle.number, words))

    def commit(self, name: str, replace: bool = False) -> None:
        """Makes a pack of what it wrote to ``/``. It must not run.

        Args:
            name: the pack's.
            replace: whether another pack may have the name, which is then this one's.

        Raises:
            TakenError: another pack has the name.
        """
        _library.call("novm_machine_commit", self._handle.number, _library.encoded(name, "name"), int(replace))

    def commit_image(
        self, name: Optional[str] = None, *, author: Optional[str] = None, message: Optional[str] = None
    ) -> Image:
        """Makes an image of what it wrote to ``/``, as a layer above those of the image that it was made of. It must not run.

        Args:
            name: what it is called; it may have none.
            author, message: who changed what, for its history.

        Raises:
            DescriptionError: it was not made of an image, or has more at its ``/``.
        """
        words = [None if text is None else _library.encoded(text, "text") for text in (name, author, message)]
        return _images(Handle.made("novm_machine_commit_image", self._handle.number, *words))[0]

    def discard(self) -> None:
        """Removes all that it wrote, and keeps the machine. It must not run."""
        _library.call("novm_changes_discard", self._handle.number)

    # With

    def close(self) -> None:
        """Lets go of it; it goes on."""
        self._handle.close()

    def __enter__(self) -> Machine:
        try:
            return self.start()
        except RunningError:
            # Somebody else's, as far as anybody knows here.
            raise
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self.stop(grace=0)
        except MissingError:
            return self.close()
        try:
            self.remove()
        except MissingError:
            pass
        self.close()

    async def __aenter__(self) -> Machine:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(None, self.start)
        except RunningError:
            raise
        except BaseException:
            # A start that is under way ends with its machine.
            await loop.run_in_executor(None, self.__exit__)
            raise

    async def __aexit__(self, *_: object) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.__exit__)

    def __repr__(self) -> str:
        return f"<novm.Machine {self.name}>"


def _description(file: Optional[str], settings: Mapping[str, Setting]) -> Handle:
    description = Handle.made("novm_description_new")
    if file is not None:
        text = file.encode()
        _library.call("novm_description_parse", description.number, text, len(text))
    for name, value in settings.items():
        option = name.rstrip("_").replace("_", "-")
        for text in _texts(value):
            _library.call("novm_description_set", description.number, option.encode(), text)
    return description


def _texts(value: Setting) -> List[bytes]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [b"true" if value else b"false"]
    if isinstance(value, (str, bytes, os.PathLike)):
        return [_library.encoded(value, "a setting")]
    if isinstance(value, int):
        return [str(value).encode()]
    if isinstance(value, Mapping):
        return [_library.encoded(f"{name}={text}", "a setting") for name, text in value.items()]
    return [_library.encoded(text, "a setting") for text in value]
