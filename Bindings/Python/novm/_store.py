"""Kernels, packs and machines of a user."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

from . import _library
from ._errors import MissingError
from ._library import Handle, Text

if TYPE_CHECKING:
    from ._machine import Machine


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel that machines can boot.

    Attributes:
        name: what ``Machine(kernel=...)`` takes.
        release: what ``uname -r`` says.
        directory: where its files are.
    """

    name: str
    release: str
    directory: str


@dataclasses.dataclass(frozen=True)
class Pack:
    """A tree of files under a name, which does not change.

    Attributes:
        name: what ``Machine(pack=...)`` takes.
        digest: of its manifest.
        entries: how many files and directories.
        size: of all files, in bytes.
        origin: what it was made of.
    """

    name: str
    digest: str
    entries: int
    size: int
    origin: str


@dataclasses.dataclass(frozen=True)
class Image:
    """A container image.

    Attributes:
        id: of its configuration; with ``names`` what ``Machine(image=...)`` takes.
        names: all that lead to it.
        created: when it was made, as it says; empty if it does not.
        layers: how many it has.
        size: of all files, in bytes.
        origin: where it came from.
    """

    id: str
    names: Tuple[str, ...]
    created: str
    layers: int
    size: int
    origin: str


class Store:
    """The kernels, packs, images and machines of a user.

    Args:
        root: the store's directory, in place of ``NOVM_ROOT``; absolute.

    Raises:
        InstallationError: novm's programs are not there.
    """

    def __init__(self, root: Optional[Text] = None) -> None:
        path = None if root is None else _library.encoded(root, "root")
        self._handle = Handle.made("novm_store_open", path, _library.programs())

    def import_kernel(
        self,
        source: Optional[Text] = None,
        *,
        modules: Optional[Text] = None,
        name: Optional[str] = None,
        progress: Optional[Callable[[str], None]] = None,
    ) -> Kernel:
        """Makes a kernel ready to boot, as ``novm kernel import`` does; one of the same name is replaced.

        Args:
            source: a bzImage, a vmlinux, a directory in which a kernel was built, or a Debian package (``.deb``); the running
                system's kernel if not given.
            modules: the directory of an image's modules.
            name: its release if not given.
            progress: is called with lines for a person. What it raises is not told.
        """
        tell = _library.PROGRESS(lambda _, line: progress((line or b"").decode(errors="replace")) if progress else None)
        found = Handle.made(
            "novm_store_import_kernel",
            self._handle.number,
            None if source is None else _library.encoded(source, "source"),
            None if modules is None else _library.encoded(modules, "modules"),
            None if name is None else _library.encoded(name, "name"),
            tell,
            None,
        )
        return self._kernels(found)[0]

    def kernels(self) -> List[Kernel]:
        """The kernels, newest first."""
        return self._kernels(Handle.made("novm_store_kernels", self._handle.number))

    @staticmethod
    def _kernels(found: Handle) -> List[Kernel]:
        return [
            Kernel(*((value or b"").decode(errors="replace") for value in row))
            for row in _library.rows(found, ["name", "release", "directory"])
        ]

    def packs(self) -> List[Pack]:
        """The packs, by name."""
        return self._packs(Handle.made("novm_store_packs", self._handle.number))

    def import_pack(
        self,
        archive: Text,
        name: Optional[str] = None,
        *,
        digest: Optional[str] = None,
        replace: bool = False,
        timeout: Optional[float] = None,
        progress: Optional[Callable[[str], None]] = None,
    ) -> Pack:
        """Makes a pack of a tar archive, compressed or not, as ``novm pack import`` does.

        Args:
            archive: its path or https address.
            name: the archive's without its ending if not given.
            digest: what the archive must be, ``sha256:`` and hexadecimal digits.
            replace: whether another pack may have the name, which is then this one's.
            timeout: seconds for all of it.
            progress: is called with lines for a person; what it raises ends the call.

        Raises:
            MissingError, TakenError, RefusedError: none of it is left then.
            TimeoutError: the pack may be there all the same, if the time was over just when it was done.
        """
        found = _library.asked(
            progress,
            "novm_store_import_pack",
            self._handle.number,
            _library.encoded(archive, "archive"),
            None if name is None else _library.encoded(name, "name"),
            None if digest is None else _library.encoded(digest, "digest"),
            int(replace),
            _library.milliseconds(timeout),
        )
        return self._packs(found)[0]

    def images(self) -> List[Image]:
        """The container images, by their names."""
        return _images(Handle.made("novm_store_images", self._handle.number))

    def pull(
        self, name: str, *, timeout: Optional[float] = None, progress: Optional[Callable[[str], None]] = None
    ) -> Image:
        """Brings an image in from a registry, as ``novm pull`` does, with this user's credentials; what is here is not fetched again.

        Args:
            name: such as ``debian:12``.
            timeout: seconds for all of it.
            progress: is called with lines for a person; what it raises ends the call.

        Raises:
            MissingError, RefusedError, TimeoutError: layers that came are kept for the next time.
        """
        return _images(
            _library.asked(
                progress,
                "novm_store_pull_image",
                self._handle.number,
                _library.encoded(name, "name"),
                _library.milliseconds(timeout),
            )
        )[0]

    def remove_image(self, name: str, all: bool = False) -> None:
        """Takes a name from an image, and removes the image with its last name.

        Args:
            name: or an identifier, for an image with one name at most.
            all: by an identifier, also one that has more.

        Raises:
            InUseError: a machine is made of it.
        """
        _library.call("novm_store_remove_image", self._handle.number, _library.encoded(name, "name"), int(all))

    @staticmethod
    def _packs(found: Handle) -> List[Pack]:
        packs = []
        for row in _library.rows(found, ["name", "digest", "entries", "size", "origin"]):
            name, digest, entries, size, origin = ((value or b"").decode(errors="replace") for value in row)
            packs.append(Pack(name, digest, int(entries or 0), int(size or 0), origin))
        return packs

    def machines(self) -> List[Machine]:
        """All machines, whoever made them."""
        found = Handle.made("novm_store_machines", self._handle.number)
        machines = []
        for row in _library.rows(found, ["id"]):
            # One that was removed meanwhile is none of them.
            with contextlib.suppress(MissingError):
                machines.append(self.machine((row[0] or b"").decode()))
        return machines

    def machine(self, reference: str) -> Machine:
        """The machine of a name or identifier.

        Raises:
            MissingError: there is none.
        """
        from ._machine import Machine

        number = Handle.made("novm_machine_find", self._handle.number, _library.encoded(reference, "reference"))
        return Machine._of(self, number)

    def remove_kernel(self, name: str) -> None:
        _library.call("novm_store_remove_kernel", self._handle.number, _library.encoded(name, "name"))

    def remove_pack(self, name: str) -> None:
        _library.call("novm_store_remove_pack", self._handle.number, _library.encoded(name, "name"))

    def close(self) -> None:
        self._handle.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _images(found: Handle) -> List[Image]:
    images = []
    for row in _library.rows(found, ["id", "names", "created", "layers", "size", "origin"]):
        identifier, names, created, layers, size, origin = ((value or b"").decode(errors="replace") for value in row)
        images.append(Image(identifier, tuple(names.split()), created, int(layers or 0), int(size or 0), origin))
    return images
