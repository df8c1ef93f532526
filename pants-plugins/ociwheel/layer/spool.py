"""One temporary file for everything that a layer step unpacks or makes.

Keeps memory flat for files of any size, and saves the file system ten thousand small files.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ociwheel.formats.parts import Part

_CHUNK_BYTES = 1 << 18
_HEAD_BYTES = 8


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Slice(Part):
    """Part of a spool."""

    sha256: str
    head: bytes = b""
    """The first bytes, up to eight: they tell what kind of file it is."""


class Spool:
    """Appends streams to one file, which is deleted at the end of the ``with`` block."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._size = 0

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, stream: _Reads) -> Slice:
        """Append what ``stream`` has left."""
        start, hasher, head = self._size, hashlib.sha256(), b""
        while chunk := stream.read(_CHUNK_BYTES):
            head += chunk[: _HEAD_BYTES - len(head)]
            hasher.update(chunk)
            self._file.write(chunk)
            self._size += len(chunk)
        return Slice(self._path, start, self._size - start, hasher.hexdigest(), head)

    def add_bytes(self, data: bytes) -> Slice:
        """Append ``data``."""
        return self.add(io.BytesIO(data))

    def append(self, data: bytes) -> Part:
        """Append ``data`` that others have hashed."""
        self._file.write(data)
        self._size += len(data)
        return Part(self._path, self._size - len(data), len(data))

    def flush(self) -> None:
        """Make all that was added readable through its slices."""
        self._file.flush()
