"""Commands in machines."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import subprocess
from typing import IO, List, Mapping, Optional, Sequence, Tuple, Union

from . import _library, _waiting
from ._errors import CommandError
from ._library import CommandOptions, Handle, Text

Stream = Union[int, IO[bytes], IO[str], None]

_NOTHING = -1
_MEMORY = -2


@dataclasses.dataclass(frozen=True)
class Completed:
    """A command that has ended.

    Attributes:
        args: the command and its arguments.
        returncode: its exit status; 128 and the number of a signal that ended it; 124 if it took too long.
        stdout: what it wrote, if that was kept.
        stderr: the same of standard error.
        truncated: whether some of it was dropped: either had more than ``limit`` bytes.
    """

    args: Tuple[Text, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False

    def check(self) -> Completed:
        """Raises CommandError unless the status is 0 and all that was to be kept is there."""
        name = os.fsdecode(self.args[0])
        if self.returncode != 0:
            words = self.stderr.decode(errors="replace").strip().splitlines()
            detail = f": {words[-1]}" if words else ""
            raise CommandError(f"{name} ended with status {self.returncode}{detail}", 9, name, exit_status=self.returncode)
        if self.truncated:
            raise CommandError(f"{name} wrote more than was kept; give a greater limit, or stdout and stderr a file", 9, name)
        return self


class Process:
    """A command in a machine, from its start on; made by ``Machine.start_command``.

    Attributes:
        args: the command and its arguments.
        stdin: with ``subprocess.PIPE``, a file to write its input to.
        stdout: with ``subprocess.PIPE``, a file to read its output from.
        stderr: the same of standard error.
    """

    def __init__(
        self,
        machine: int,
        args: Sequence[Text],
        *,
        input: Optional[bytes] = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        env: Optional[Mapping[str, str]] = None,
        cwd: Optional[Text] = None,
        user: Optional[str] = None,
        terminal: Optional[Tuple[int, int]] = None,
        timeout: Optional[float] = None,
        limit: int = 64 << 20,
    ) -> None:
        if isinstance(args, (str, bytes)):
            raise TypeError("args: a list of words, such as ['ls', '-l']")
        self.args = tuple(args)
        self.stdin: Optional[IO[bytes]] = None
        self.stdout: Optional[IO[bytes]] = None
        self.stderr: Optional[IO[bytes]] = None
        options = CommandOptions()
        options.size = ctypes.sizeof(CommandOptions)
        options.arguments = _library.vector(args, "args")
        if env is not None:
            options.environment = _library.vector((f"{name}={value}" for name, value in env.items()), "env")
        options.directory = None if cwd is None else _library.encoded(cwd, "cwd")
        options.user = None if user is None else _library.encoded(user, "user")
        options.output_limit = limit
        if timeout is not None:
            options.timeout = max(1, _library.milliseconds(timeout))
        if terminal is not None:
            options.flags = 1
            options.rows, options.columns = terminal
        theirs: List[int] = []
        try:
            if input is not None:
                if stdin is not None:
                    raise ValueError("input and stdin: give one of them")
                options.input = _MEMORY
                options.input_data = ctypes.cast(ctypes.c_char_p(input), ctypes.c_void_p)
                options.input_length = len(input)
            elif stdin == subprocess.PIPE:
                reader, writer = os.pipe()
                theirs.append(reader)
                self.stdin = open(writer, "wb", buffering=0)
                options.input = reader
            else:
                options.input = self._descriptor(stdin, _NOTHING)
            options.output, self.stdout = self._output(stdout, theirs)
            options.error, self.stderr = self._output(stderr, theirs)
            self._handle = Handle.made("novm_command_start", machine, ctypes.byref(options))
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    @staticmethod
    def _descriptor(stream: Stream, default: int) -> int:
        if stream is None:
            return default
        if stream == subprocess.DEVNULL:
            return _NOTHING
        return stream if isinstance(stream, int) else stream.fileno()

    @classmethod
    def _output(cls, stream: Stream, theirs: List[int]) -> Tuple[int, Optional[IO[bytes]]]:
        if stream != subprocess.PIPE:
            return cls._descriptor(stream, _MEMORY), None
        reader, writer = os.pipe()
        theirs.append(writer)
        return writer, open(reader, "rb")

    def fileno(self) -> int:
        """Readable once the command has ended, for ``select`` and event loops."""
        number = ctypes.c_int()
        _library.call("novm_command_descriptor", self._handle.number, ctypes.byref(number))
        return number.value

    def wait(self, timeout: Optional[float] = None) -> int:
        """Waits for the end of the command and its output.

        Returns:
            Its exit status.

        Raises:
            TimeoutError: not within ``timeout`` seconds; one may wait again.
            CommandError: it could not be run.
            MachineError, NotRunningError: its machine ended.
        """
        status = ctypes.c_int()
        # Out of the library, so that signals are handled meanwhile.
        _waiting.readable(self.fileno(), timeout)
        _library.call("novm_command_wait", self._handle.number, 0, ctypes.byref(status))
        return status.value

    async def wait_async(self) -> int:
        """The same for asyncio. A task that is cancelled leaves the command running."""
        await _waiting.readable_async(self.fileno())
        return self.wait(0)

    def poll(self) -> Optional[int]:
        """Its exit status, or None if it has not ended."""
        from ._errors import TimeoutError

        try:
            return self.wait(0)
        except TimeoutError:
            return None

    def output(self) -> bytes:
        """Takes away what was kept of its standard output so far."""
        return self._take(1)

    def errors(self) -> bytes:
        """The same of standard error."""
        return self._take(2)

    def _take(self, stream: int) -> bytes:
        taken = bytearray()
        buffer = ctypes.create_string_buffer(1 << 16)
        count = ctypes.c_size_t()
        while True:
            _library.call(
                "novm_command_output", self._handle.number, stream, buffer, len(buffer), ctypes.byref(count)
            )
            if count.value == 0:
                return bytes(taken)
            taken += buffer.raw[: count.value]

    @property
    def truncated(self) -> bool:
        """Whether it has written more than is kept (``limit``), so that some of it was dropped."""
        truncated = ctypes.c_int()
        _library.call("novm_command_truncated", self._handle.number, ctypes.byref(truncated))
        return truncated.value != 0

    def completed(self, status: int) -> Completed:
        return Completed(self.args, status, self.output(), self.errors(), self.truncated)

    def send_signal(self, number: int) -> None:
        _library.call("novm_command_signal", self._handle.number, int(number))

    def terminate(self) -> None:
        self.send_signal(15)

    def kill(self) -> None:
        self.send_signal(9)

    def resize(self, rows: int, columns: int) -> None:
        """Tells its terminal the size."""
        _library.call("novm_command_resize", self._handle.number, rows, columns)

    def close(self) -> None:
        """Gives it up: it gets SIGHUP, and two seconds later SIGKILL."""
        for file in (self.stdin, self.stdout, self.stderr):
            if file is not None:
                file.close()
        self._handle.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
