"""libnovm by ctypes: its functions, with statuses turned into exceptions."""

from __future__ import annotations

import ctypes
import os
import pathlib
import queue
import threading
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

from ._errors import InstallationError, NovmError, error_class

Text = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

_HERE = pathlib.Path(__file__).resolve().parent


class ErrorStruct(ctypes.Structure):
    _fields_ = [
        ("status", c_int32),
        ("number", c_int32),
        ("line", c_int32),
        ("exit_status", c_int32),
        ("subject", ctypes.c_char * 256),
        ("message", ctypes.c_char * 1024),
    ]


class StateStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("state", c_int32),
        ("exit_status", c_int32),
        ("incident", c_int32),
        ("message", ctypes.c_char * 1024),
    ]


class CommandOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("arguments", POINTER(c_char_p)),
        ("environment", POINTER(c_char_p)),
        ("directory", c_char_p),
        ("user", c_char_p),
        ("input", c_int32),
        ("output", c_int32),
        ("error", c_int32),
        ("timeout", c_int32),
        ("input_data", c_void_p),
        ("input_length", c_uint64),
        ("output_limit", c_uint64),
        ("rows", c_uint16),
        ("columns", c_uint16),
        ("reserved", c_uint32),
    ]


PROGRESS = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)
JUDGE = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p)

_H = c_uint64
_OUT = POINTER(c_uint64)
_INT = POINTER(c_int)
_SIZE = POINTER(c_size_t)

# Without the error, which is every function's last.
_SIGNATURES: Dict[str, Sequence[Any]] = {
    "novm_close": [_H],
    "novm_store_open": [c_char_p, c_char_p, _OUT],
    "novm_store_kernels": [_H, _OUT],
    "novm_store_packs": [_H, _OUT],
    "novm_store_machines": [_H, _OUT],
    "novm_store_remove_kernel": [_H, c_char_p],
    "novm_store_remove_pack": [_H, c_char_p],
    "novm_store_import_kernel": [_H, c_char_p, c_char_p, c_char_p, PROGRESS, c_void_p, _OUT],
    "novm_store_import_pack": [_H, c_char_p, c_char_p, c_char_p, c_uint32, c_int64, JUDGE, c_void_p, _OUT],
    "novm_store_images": [_H, _OUT],
    "novm_store_pull_image": [_H, c_char_p, c_int64, JUDGE, c_void_p, _OUT],
    "novm_store_remove_image": [_H, c_char_p, c_uint32],
    "novm_machine_commit_image": [_H, c_char_p, c_char_p, c_char_p, _OUT],
    "novm_list_count": [_H, _SIZE],
    "novm_list_text": [_H, c_size_t, c_char_p, POINTER(c_char_p)],
    "novm_description_new": [_OUT],
    "novm_description_set": [_H, c_char_p, c_char_p],
    "novm_description_parse": [_H, c_char_p, c_size_t],
    "novm_machine_create": [_H, _H, _OUT],
    "novm_machine_find": [_H, c_char_p, _OUT],
    "novm_machine_names": [_H, POINTER(c_char_p), POINTER(c_char_p)],
    "novm_machine_start": [_H, c_uint32, c_int64],
    "novm_machine_state_get": [_H, POINTER(StateStruct)],
    "novm_machine_wait": [_H, c_int64, POINTER(StateStruct)],
    "novm_machine_stop": [_H, c_int64],
    "novm_machine_kill": [_H],
    "novm_machine_remove": [_H],
    "novm_machine_pause": [_H],
    "novm_machine_resume": [_H],
    "novm_machine_descriptor": [_H, _INT],
    "novm_machine_usage": [_H, _OUT],
    "novm_machine_connect": [_H, c_uint32, c_int64, _INT],
    "novm_machine_publish": [_H, c_char_p, _OUT],
    "novm_machine_commit": [_H, c_char_p, c_uint32],
    "novm_pool_open": [_H, _H, c_uint32, _OUT],
    "novm_pool_take": [_H, c_int64, _OUT],
    "novm_pool_give": [_H, _H, c_uint32],
    "novm_events_open": [_H, _OUT],
    "novm_events_open_with": [_H, c_uint32, _OUT],
    "novm_events_next": [_H, c_int64, POINTER(StateStruct)],
    "novm_events_descriptor": [_H, _INT],
    "novm_command_start": [_H, POINTER(CommandOptions), _OUT],
    "novm_command_wait": [_H, c_int64, _INT],
    "novm_command_descriptor": [_H, _INT],
    "novm_command_signal": [_H, c_int],
    "novm_command_resize": [_H, c_uint16, c_uint16],
    "novm_command_output": [_H, c_int, c_void_p, c_size_t, _SIZE],
    "novm_command_truncated": [_H, _INT],
    "novm_files_copy_in": [_H, c_char_p, c_char_p, c_int64],
    "novm_files_copy_out": [_H, c_char_p, c_char_p, c_int64],
    "novm_files_write": [_H, c_char_p, c_char_p, c_size_t, c_uint32, c_int64],
    "novm_files_read": [_H, c_char_p, c_size_t, c_int64, POINTER(c_void_p), _SIZE],
    "novm_changes_open": [_H, POINTER(c_char_p), _OUT],
    "novm_changes_apply": [_H, c_uint32],
    "novm_changes_discard": [_H],
}


def _installed() -> Optional[pathlib.Path]:
    """Where the wheel has library and programs."""
    root = _HERE / "_installed"
    return root if (root / "lib" / "libnovm.so.1").exists() else None


def _load() -> ctypes.CDLL:
    root = _installed()
    path = os.environ.get("NOVM_LIBRARY") or (str(root / "lib" / "libnovm.so.1") if root else "libnovm.so.1")
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise InstallationError(f"libnovm cannot be loaded: {error}; install novm, or set NOVM_LIBRARY") from error
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes = [*arguments, POINTER(ErrorStruct)]
        function.restype = c_int
    library.novm_version.restype = c_char_p
    library.novm_free.argtypes = [c_void_p]
    library.novm_free.restype = None
    return library


_library = _load()


def version() -> str:
    """Of the library."""
    return str(_library.novm_version().decode())


def command() -> str:
    """The program ``novm``."""
    root = _installed()
    return str(root / "bin" / "novm") if root else "/usr/bin/novm"


def programs() -> Optional[bytes]:
    """The directory of the programs that the library starts; None for what it finds itself."""
    root = _installed()
    return None if root is None or os.environ.get("NOVM_LIBEXEC") else os.fsencode(root / "libexec" / "novm")


def call(name: str, *arguments: Any) -> None:
    """Calls a function of the library's.

    Raises:
        NovmError: what it says.
    """
    error = ErrorStruct()
    status = getattr(_library, name)(*arguments, ctypes.byref(error))
    if status != 0:
        raise error_class(status)(
            error.message.decode(errors="replace"),
            status=status,
            subject=error.subject.decode(errors="replace"),
            number=error.number,
            line=error.line,
            exit_status=error.exit_status,
        )


def encoded(text: Text, what: str) -> bytes:
    """Text or path as bytes.

    Raises:
        ValueError: it has a NUL in it.
    """
    value = os.fsencode(text)
    if b"\0" in value:
        raise ValueError(f"{what}: has a NUL in it")
    return value


def vector(words: Iterable[Text], what: str) -> Any:
    """An array of texts with a NULL at its end."""
    values: List[Optional[bytes]] = [encoded(word, what) for word in words]
    return (c_char_p * (len(values) + 1))(*values, None)


def milliseconds(seconds: Optional[float]) -> int:
    """None is no limit."""
    return -1 if seconds is None else max(0, min(int(seconds * 1000 + 0.999), 2**31 - 1))


class Handle:
    """A handle of the library's, closed with its owner."""

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def number(self) -> int:
        if not self._number:
            raise NovmError("it was closed", status=2)
        return self._number

    @classmethod
    def made(cls, name: str, *arguments: Any) -> Handle:
        """What a function gives by its last argument."""
        number = c_uint64()
        call(name, *arguments, ctypes.byref(number))
        return cls(number.value)

    def forget(self) -> None:
        """It was closed by a call."""
        self._number = 0

    def close(self) -> None:
        number, self._number = self._number, 0
        if number:
            call("novm_close", number)

    def __del__(self) -> None:
        number = getattr(self, "_number", 0)
        if number and _library is not None:
            _library.novm_close(number, None)


def rows(handle: Handle, fields: Sequence[str]) -> List[Tuple[Optional[bytes], ...]]:
    """What a list has of these fields."""
    count = c_size_t()
    call("novm_list_count", handle.number, ctypes.byref(count))
    result = []
    for row in range(count.value):
        values = []
        for field in fields:
            text = c_char_p()
            call("novm_list_text", handle.number, row, field.encode(), ctypes.byref(text))
            values.append(text.value)
        result.append(tuple(values))
    return result


def asked(progress: Optional[Callable[[str], None]], name: str, *arguments: Any) -> Handle:
    """As of ``Handle.made``, for functions that ask behind these arguments whether to go on.

    The library is in a thread of its own meanwhile, so that this one handles signals. What ``progress`` raises, or a signal's
    handler, ends the call.
    """
    lines: queue.SimpleQueue[Optional[str]] = queue.SimpleQueue()
    given_up = threading.Event()
    made: List[Handle] = []
    failed: List[BaseException] = []

    def tell(_: Optional[int], line: Optional[bytes]) -> int:
        lines.put((line or b"").decode(errors="replace"))
        return int(given_up.is_set())

    function = JUDGE(tell)

    def work() -> None:
        try:
            made.append(Handle.made(name, *arguments, function, None))
        except BaseException as error:
            failed.append(error)
        lines.put(None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        last: Optional[str] = ""
        while (line := lines.get()) is not None:
            # It asks once a second, with nothing new.
            if line != last and progress is not None:
                progress(line)
            last = line
    except BaseException:
        given_up.set()
        thread.join()
        raise
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def free(address: c_void_p) -> None:
    _library.novm_free(address)
